//! A PostgreSQL of the bench's own: durable as a server must be, and gone afterwards.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use stoa_kit::{Error, Result};

use super::raw::connect;
use crate::setup::pause;

/// How often a server that starts is asked whether it is there.
const ASKED_MAX: u32 = 600;

/// A running server.
pub(crate) struct Cluster {
    directory: PathBuf,
    server: Option<Child>,
}

impl Cluster {
    /// Makes and starts one.
    ///
    /// # Errors
    /// Where its programs are not installed, or do not start.
    pub(crate) async fn start() -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("stoa-bench-pg-{}", std::process::id()));
        let mut cluster = Self { directory, server: None };
        let data = cluster.directory.join("data");
        std::fs::create_dir_all(&data).map_err(Error::internal)?;
        for open in [&cluster.directory, &data] {
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(open, mode).map_err(Error::internal)?;
        }
        let mut make = as_postgres(&data, "initdb")?;
        make.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]);
        let made = make.arg("--pgdata").arg(&data).output().map_err(Error::internal)?;
        if !made.status.success() {
            return Err(missing(String::from_utf8_lossy(&made.stderr).trim()));
        }
        let mut serve = as_postgres(&data, "postgres")?;
        serve.arg("-D").arg(&data).arg("-k").arg(&data).args(["-c", "listen_addresses="]);
        serve.args(["-c", "max_connections=200", "-c", "fsync=on"]);
        serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        cluster.server = Some(serve.spawn().map_err(Error::internal)?);
        for _ in 0..ASKED_MAX {
            if connect(&cluster.url(), "public").await.is_ok() {
                return Ok(cluster);
            }
            pause(Duration::from_millis(25)).await;
        }
        Err(missing("the server does not start"))
    }

    pub(crate) fn url(&self) -> String {
        let host = self.directory.join("data").display().to_string().replace('/', "%2F");
        format!("postgresql://postgres@{host}/postgres")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let pid = i32::try_from(server.id()).ok().and_then(rustix::process::Pid::from_raw);
            if let Some(pid) = pid {
                // A server that has ended needs no signal.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            }
            let _ = server.wait();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// One of the server's programs. It refuses to run as root, so root runs it as somebody else.
fn as_postgres(data: &Path, name: &str) -> Result<Command> {
    let program = program(name).ok_or_else(|| missing("it is not installed"))?;
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let mut command = if root {
        let owned = Command::new("chown").arg("postgres").arg(data).status();
        if !owned.is_ok_and(|status| status.success()) {
            return Err(missing("there is no user `postgres`"));
        }
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig=KILL", "--reuid=postgres", "--regid=postgres"]);
        command.arg("--clear-groups").arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    Ok(command)
}

#[allow(clippy::disallowed_methods, reason = "programs are where the environment says")]
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    places.extend(versions.into_iter().rev());
    places.into_iter().map(|place| place.join(name)).find(|file| file.is_file())
}

fn missing(why: &str) -> Error {
    Error::unavailable("bench.postgres", format!("no PostgreSQL to measure: {why}"))
        .help("Install PostgreSQL 15 or later, or name a database with --database.")
}
