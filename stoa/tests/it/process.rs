//! Nodes as processes of their own.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines, Read, Seek};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use rusqlite::OpenFlags;
use serde_json::{Value, json};

use crate::http::{Answer, Request};

/// Whoever signs in in a test does so with this.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The binary with some arguments, and nothing of what surrounds the tests.
pub(crate) fn stoa(arguments: &[&str]) -> Command {
    stoa_under(&[], arguments)
}

/// The same, by way of a program that becomes it.
fn stoa_under(wrapper: &[&str], arguments: &[&str]) -> Command {
    let mut words = [wrapper, &[env!("CARGO_BIN_EXE_stoa")], arguments].concat().into_iter();
    let mut command = Command::new(words.next().expect("there is a program"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STOA_")) {
        command.env_remove(name);
    }
    // Nobody is signed in.
    command.env("XDG_CONFIG_HOME", "/nonexistent");
    command
}

/// How many commits people caused so far, read behind the back of the node that stores there.
pub(crate) fn commits(directory: &Path) -> i64 {
    const COUNT: &str =
        "SELECT COUNT(*) FROM stoa_commit WHERE cause = 'request' AND caller <> 'system'";
    let file = directory.join("stoa.db");
    let database = rusqlite::Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY);
    database.unwrap().query_row(COUNT, (), |row| row.get(0)).unwrap()
}

/// A node that listens. It is killed when it is dropped.
pub(crate) struct Node {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    directory: PathBuf,
    process: Child,
    said: Lines<BufReader<ChildStdout>>,
    log: File,
}

impl Node {
    /// Starts a node on a directory, with more arguments, and waits for its first line.
    pub(crate) fn start(directory: &Path, more: &[&str]) -> Self {
        Self::start_under(&[], directory, more)
    }

    /// The same, by way of a program that becomes the node, such as `prlimit --nofile=64`.
    pub(crate) fn start_under(wrapper: &[&str], directory: &Path, more: &[&str]) -> Self {
        let up = ["up", "--listen", "127.0.0.1:0", "--data", directory.to_str().unwrap()];
        let mut command = stoa_under(wrapper, &up);
        // A file and no pipe: nobody reads while the node runs, and a full pipe would stop it.
        let log = tempfile::tempfile().unwrap();
        let mut process = command.args(more).stderr(log.try_clone().unwrap()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = said.next().expect("a node says where it listens").unwrap();
        let address = first.strip_prefix("listening http://").expect(&first).parse().unwrap();
        Self { address, directory: directory.to_owned(), process, said, log }
    }

    /// Where it listens, as a client is told.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it stores.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The rest of the next line on its standard output that begins like this.
    pub(crate) fn said(&mut self, start: &str) -> String {
        let rest = |line: String| line.strip_prefix(start).map(str::to_owned);
        self.said.find_map(|line| rest(line.unwrap())).expect(start)
    }

    /// Makes an administrator, and gives the token of a session.
    pub(crate) fn set_up(&mut self) -> String {
        let code = self.said("set-up code ");
        let ada = json!({
            "code": code, "handle": "ada", "email": "ada@example.com", "password": PASSWORD,
        });
        self.call("", "auth", "SetUp", &ada).ok();
        self.sign_in("ada", PASSWORD)
    }

    /// Signs somebody in, and gives the token of the session.
    pub(crate) fn sign_in(&self, login: &str, password: &str) -> String {
        let who = json!({"login": login, "password": password});
        self.call("", "auth", "SignIn", &who).ok()["token"].as_str().unwrap().to_owned()
    }

    /// Calls a method in JSON, in the name of a token's bearer, or of nobody.
    pub(crate) fn call(&self, token: &str, service: &str, method: &str, body: &Value) -> Answer {
        Request::call(token, service, method, body).send(self.address)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a signal such as `-TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended, and gives what it logged.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let ended = self.process.wait().unwrap();
        let mut log = String::new();
        self.log.rewind().unwrap();
        self.log.read_to_string(&mut log).unwrap();
        (ended, log)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One that has ended already is as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
