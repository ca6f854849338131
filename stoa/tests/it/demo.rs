//! The demo survives every crash: its own, and those of its node.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Output};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::stoa;

/// How many purchases are brought in.
const PURCHASES: &str = "2000";

/// The last line of a demo, without the time it took.
fn figures(output: Output) -> String {
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}\n{text}");
    let line = text.lines().last().unwrap();
    line.rsplit_once(" seconds=").unwrap().0.to_owned()
}

/// Brings purchases in while the node is killed, and once while the demo itself is.
fn demo_survives_crashes(database: &str) {
    let directory = TempDir::new().unwrap();
    let data = directory.path().to_str().unwrap();
    let demo = |more: &[&str]| {
        let mut arguments =
            vec!["demo", "--data", data, "--database", database, "--purchases", PURCHASES];
        arguments.extend(more);
        stoa(&arguments)
    };
    let mut killed = demo(&[]).spawn().unwrap();
    // Some of the work is done by then, and some is not; that it is not always the same is meant.
    let left = wait_for_orders(&mut killed, directory.path());
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(left, "the demo ended before it could be killed");
    let crashed = figures(demo(&["--crash"]).output().unwrap());
    assert!(crashed.starts_with("demo: purchases=2000 customers="), "{crashed}");
    assert!(crashed.ends_with(" trial_balance=0.00"), "{crashed}");
    assert_eq!(figures(demo(&[]).output().unwrap()), crashed, "a run again adds nothing");
    let secrets = std::fs::metadata(directory.path().join("demo.json")).unwrap();
    assert_eq!(secrets.mode() & 0o777, 0o600);
}

/// Waits until the importer has its key, and a moment more.
fn wait_for_orders(demo: &mut Child, directory: &Path) -> bool {
    let secrets = directory.join("demo.json");
    let begun = || std::fs::read_to_string(&secrets).is_ok_and(|s| s.contains("demo_token"));
    while !begun() {
        if demo.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    std::thread::park_timeout(Duration::from_millis(500));
    demo.try_wait().unwrap().is_none()
}

mod demo_ends_with_the_same_figures_after_crashes {
    #[test]
    fn sqlite() {
        super::demo_survives_crashes("");
    }

    #[test]
    fn postgres() {
        let database = stoa_testkit::postgres::shared();
        super::demo_survives_crashes(database.url());
    }
}
