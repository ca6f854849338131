//! The console, as a browser shows it.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tempfile::TempDir;

use crate::process::Node;

/// With a folder in this variable, pictures of every page are left there.
const PICTURES: &str = "CONSOLE_PICTURES";

#[test]
fn every_page_of_the_console_is_walked_through() {
    let directory = TempDir::new().unwrap();
    walk("walk.mjs", &mut Node::start(directory.path(), &[]));
}

#[test]
fn somebody_signs_in_in_every_way_and_looks_after_their_account() {
    let directory = TempDir::new().unwrap();
    walk("sign-in.mjs", &mut Node::start(directory.path(), &[]));
}

#[test]
fn somebody_signs_in_to_an_application_of_another_site() {
    let directory = TempDir::new().unwrap();
    walk("elsewhere.mjs", &mut Node::start(directory.path(), &[]));
}

#[test]
fn dead_jobs_are_retried_and_dropped_in_the_console() {
    let directory = TempDir::new().unwrap();
    let mail = format!("smtp://{}?tls=none", mail_server(24));
    walk("dead.mjs", &mut Node::start(directory.path(), &["--mail", &mail]));
}

/// Has a browser do what a script says, on a new node. Figures that it measured are printed.
fn walk(script: &str, node: &mut Node) {
    let code = node.said("set-up code ");
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/console/tests/");
    let mut walk = Command::new("node");
    walk.arg(format!("{tests}{script}")).args([node.url(), code]);
    let walked = walk.args(std::env::var_os(PICTURES)).output().unwrap();
    let complaint = String::from_utf8_lossy(&walked.stderr);
    assert!(walked.status.success(), "{complaint}");
    let said = String::from_utf8(walked.stdout).unwrap();
    println!("{said}");
    assert_eq!(said.lines().last(), Some("ok"));
}

/// A mail server that refuses the first mails for good, and takes all others.
fn mail_server(refused: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let left = Arc::new(AtomicUsize::new(refused));
    std::thread::spawn(move || {
        for peer in listener.incoming() {
            let left = Arc::clone(&left);
            // A node that goes away breaks off.
            std::thread::spawn(move || peer.and_then(|peer| take_mail(&peer, &left)));
        }
    });
    address
}

fn take_mail(mut peer: &TcpStream, left: &AtomicUsize) -> std::io::Result<()> {
    peer.write_all(b"220 it\r\n")?;
    let mut is_text = false;
    for line in BufReader::new(peer).lines() {
        let line = line?;
        let is_refused = || left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        let answer = match line.split(' ').next().unwrap_or_default() {
            "." => "250 taken",
            _ if is_text => continue,
            "RCPT" if is_refused() => "550 nobody of this name",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 it",
        };
        is_text = answer.starts_with("354");
        peer.write_all(format!("{answer}\r\n").as_bytes())?;
    }
    Ok(())
}
