//! Services that a node has and this program does not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use stoa_auth_v1::SetPasswordRequest;
use stoa_console::Console;
use stoa_kit::{Result, Service, View};
use stoa_node::{Listen, Origins, Proxies};
use stoa_testkit::{Engine, run as run_node};
use stoa_users_v1::CreateUserRequest;
use tempfile::TempDir;

use super::{out, run, told};
use contract::{ParcelService, TrackParcelRequest, TrackParcelResponse, Way};

mod contract {
    stoa_contract::contract!("parcel", "tests/proto");
}

const PASSWORD: &str = "correct horse battery";

struct Parcel;

impl ParcelService for Parcel {
    fn track_parcel(&self, _: &View, request: TrackParcelRequest) -> Result<TrackParcelResponse> {
        let is_at_sea = request.way == Way::WAY_SEA;
        Ok(TrackParcelResponse { place: if is_at_sea { "at sea" } else { "at home" }.to_owned() })
    }
}

/// Runs a test beside a node that has another service, where somebody called ada can sign in.
fn with_node(test: impl FnOnce(&str)) {
    let catalogue = stoa::Catalogue::standard();
    let mut services = catalogue.services(&["auth".to_owned(), "ledger".to_owned()]).unwrap();
    services.push(Service::new(contract::serve(Parcel)));
    run_node(Engine::Sqlite, services, |node| async move {
        let (handle, email) = ("ada".to_owned(), "ada@example.com".to_owned());
        let request = CreateUserRequest { handle, email, ..CreateUserRequest::default() };
        let user_id = node.call(&node.admin(), request).await.unwrap().user.id.clone();
        let request = SetPasswordRequest { user_id, password: PASSWORD.to_owned() };
        node.call(&node.admin(), request).await.unwrap();
        let listen = Listen {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            receive_max: Duration::from_secs(30),
            names_tenants: false,
            proxies: Proxies::default(),
            origins: Origins::default(),
            connections_max: 16,
        };
        let console = Arc::new(Console::new(node.inner().registry()));
        let node = Arc::clone(node.inner());
        let server = stoa_node::serve(node, vec![console], listen).await.unwrap();
        test(&format!("http://{}", server.address));
    });
}

#[test]
fn a_service_that_only_the_node_has_is_a_command() {
    with_node(|url| {
        let folder = TempDir::new().unwrap();
        let ask = |words: &[&str]| run(folder.path(), words, &format!("{PASSWORD}\n"));
        let track = ["parcel", "track-parcel", "p1", "--way", "sea"];
        let before = ask(&track);
        assert_eq!(before.status.code(), Some(64), "{}", told(&before));
        let login = ask(&["login", url, "--login", "ada"]);
        assert!(login.status.success(), "{}", told(&login));

        let tracked = ask(&[&track[..], &["-o", "table"]].concat());
        assert_eq!(out(&tracked), "place  at sea\n", "{}", told(&tracked));
        let help = out(&ask(&["--help"]));
        let about = help.lines().find_map(|line| line.strip_prefix("  parcel "));
        assert_eq!(about.map(str::trim_start), Some("Knows where parcels are"), "{help}");
        assert!(help.contains("\n  ledger "), "{help}");
        assert!(!help.contains("\n  orders "), "the node has none: {help}");
        let help = out(&ask(&["parcel", "track-parcel", "--help"]));
        assert!(help.contains("[possible values: land, sea]"), "{help}");
        let script = out(&ask(&["completion", "bash"]));
        assert!(script.contains("track-parcel") && script.contains("create-transfer"));
        let typo = ask(&["parcel", "trak-parcel"]);
        assert!(told(&typo).contains("'track-parcel'"), "{}", told(&typo));
    });
}

#[test]
fn whoever_signed_in_before_it_was_there_finds_it_when_they_name_it() {
    with_node(|url| {
        let folder = TempDir::new().unwrap();
        let ask = |words: &[&str]| run(folder.path(), words, &format!("{PASSWORD}\n"));
        assert!(ask(&["login", url, "--login", "ada"]).status.success());
        let contracts = folder.path().join("stoa/contracts");
        let kept = std::fs::read_dir(&contracts).unwrap().map(|file| file.unwrap().path());
        let kept: Vec<_> = kept.collect();
        assert_eq!(kept.len(), 1, "{kept:?}");

        // As it would be kept of a node without it, or spoiled by whatever happened to the disk.
        for broken in [None, Some("\u{1}nonsense")] {
            match broken {
                None => std::fs::remove_file(&kept[0]).unwrap(),
                Some(text) => std::fs::write(&kept[0], text).unwrap(),
            }
            let tracked = ask(&["parcel", "track-parcel", "p1"]);
            assert!(out(&tracked).contains("at home"), "{}", told(&tracked));
            assert!(std::fs::read(&kept[0]).unwrap().len() > 10_000, "it is kept");
        }
        // By whatever profile is named, and wherever.
        let elsewhere = TempDir::new().unwrap();
        let token = out(&ask(&["profile", "token"]));
        let words = ["parcel", "track-parcel", "p1", "--url", url, "--token", token.trim()];
        let tracked = run(elsewhere.path(), &words, "");
        assert!(out(&tracked).contains("at home"), "{}", told(&tracked));
    });
}
