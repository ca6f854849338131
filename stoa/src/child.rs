//! A node as a process of its own: started, watched, killed on request, and started again.
//!
//! A thread owns the process. Whoever talks to the node asks [`Child::state`] where it is now, and
//! asks again after a lost connection.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use stoa_kit::{Error, Result};
use tokio::sync::watch;

/// How often the thread looks whether the process has ended by itself.
const LOOK: Duration = Duration::from_millis(5);
/// How often in a row a node may fail to start.
const STARTS_MAX: u32 = 5;

/// Where and how a node runs.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// Its data directory; with a database, where its log and its process id are kept.
    pub(crate) directory: PathBuf,
    /// The URL of its database; the embedded one if it is empty.
    pub(crate) database: String,
}

/// A node that is running.
pub(crate) struct Child {
    wishes: Sender<Wish>,
    keeper: Option<JoinHandle<()>>,
    state: watch::Receiver<State>,
}

/// What is to become of the process.
enum Wish {
    Kill,
    Stop,
}

/// What is known of the process that runs now.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// Where it listens; absent when it cannot be started any more.
    pub(crate) address: Option<SocketAddr>,
    /// Its process id.
    pub(crate) pid: u32,
    /// What it prints while nobody administers it.
    pub(crate) code: Option<String>,
    /// How often it was started.
    pub(crate) starts: u32,
    /// How long it took to listen.
    pub(crate) ready: Duration,
}

struct Running {
    process: std::process::Child,
    // Held so that the node never writes into a pipe that nobody has open.
    _output: BufReader<std::process::ChildStdout>,
    state: State,
}

impl Child {
    /// Ends whatever an earlier run left on this site, and starts a node there.
    ///
    /// # Errors
    /// `child.start` where it does not begin to listen.
    pub(crate) fn start(site: &Site) -> Result<Self> {
        std::fs::create_dir_all(&site.directory).map_err(Error::internal)?;
        // One name for one directory, wherever a later run begins: a node that was left behind is
        // known by it.
        let directory = site.directory.canonicalize().map_err(Error::internal)?;
        let site = Site { directory, database: site.database.clone() };
        end_leftover(&site)?;
        let first = launch(&site, 1)?;
        let (publish, state) = watch::channel(first.state.clone());
        let (wishes, wanted) = channel();
        let keep = move || keep(&site, first, &wanted, &publish);
        let keeper = std::thread::Builder::new().name("node-keeper".to_owned()).spawn(keep);
        Ok(Self { wishes, keeper: Some(keeper.map_err(Error::internal)?), state })
    }

    /// What runs now, and a way to wait for what runs next.
    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Kills it as a power cut would; it is started again by itself.
    pub(crate) fn kill(&self) {
        // A keeper that is gone has nothing to kill.
        let _ = self.wishes.send(Wish::Kill);
    }

    /// Asks it to finish what it does, and waits until it has.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.wishes.send(Wish::Stop);
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

/// Owns the process until it is told to stop.
fn keep(site: &Site, mut running: Running, wanted: &Receiver<Wish>, out: &watch::Sender<State>) {
    loop {
        match wanted.recv_timeout(LOOK) {
            Ok(Wish::Kill) => {
                // One that has ended already is killed enough.
                let _ = running.process.kill();
            }
            Ok(Wish::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if matches!(running.process.try_wait(), Ok(None)) {
            continue;
        }
        let starts = running.state.starts;
        let next = (0..STARTS_MAX).find_map(|_| launch(site, starts + 1).ok());
        let Some(next) = next else {
            out.send_modify(|state| state.address = None);
            return;
        };
        running = next;
        out.send_replace(running.state.clone());
    }
    terminate(running.state.pid);
    let _ = running.process.wait();
    let _ = std::fs::remove_file(pid_file(site));
}

fn launch(site: &Site, starts: u32) -> Result<Running> {
    let program = std::env::current_exe().map_err(Error::internal)?;
    let log = open_log(&site.directory)?;
    let begin = crate::demo::now();
    let mut process = Command::new(program)
        .args(["up", "--listen", "127.0.0.1:0", "--log-filter", "warn", "--log-format", "json"])
        .arg("--data")
        .arg(&site.directory)
        .args(["--database", &site.database])
        .env_remove("STOA_BENCH_DATABASE")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(Error::internal)?;
    let output = process.stdout.take().ok_or_else(|| broken("it has no output"))?;
    let mut output = BufReader::new(output);
    let pid = process.id();
    write_pid(site, pid)?;
    let Some(address) = listening(&line(&mut output)?) else {
        let _ = process.kill();
        let _ = process.wait();
        return Err(broken("it did not begin to listen"));
    };
    let ready = begin.elapsed();
    let code = if starts == 1 { set_up_code(&mut output, address)? } else { None };
    let state = State { address: Some(address), pid, code, starts, ready };
    Ok(Running { process, _output: output, state })
}

/// The code to set the node up with. It prints one only while nobody administers it, so whether a
/// line is to come has to be asked before it is waited for.
fn set_up_code(
    output: &mut BufReader<std::process::ChildStdout>, address: SocketAddr,
) -> Result<Option<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let open = runtime.map_err(Error::internal)?.block_on(async {
        let mut client = crate::client::Client::new(&format!("http://{address}"), None)?;
        let reply = client.call("auth", "GetSetup", &serde_json::json!({}), None).await?;
        Ok::<_, Error>(reply.body["open"].as_bool() == Some(true))
    })?;
    if !open {
        return Ok(None);
    }
    Ok(line(output)?.trim().strip_prefix("set-up code ").map(str::to_owned))
}

fn line(output: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    output.read_line(&mut line).map_err(Error::internal)?;
    Ok(line)
}

fn listening(line: &str) -> Option<SocketAddr> {
    line.trim().strip_prefix("listening http://")?.parse().ok()
}

fn open_log(directory: &Path) -> Result<File> {
    let path = directory.join("node.log");
    OpenOptions::new().create(true).append(true).open(path).map_err(Error::internal)
}

fn pid_file(site: &Site) -> PathBuf {
    site.directory.join("node.pid")
}

fn write_pid(site: &Site, pid: u32) -> Result<()> {
    let mut file = File::create(pid_file(site)).map_err(Error::internal)?;
    writeln!(file, "{pid}").map_err(Error::internal)
}

/// Ends the node of a run that was itself killed: it would hold the directory for ever.
fn end_leftover(site: &Site) -> Result<()> {
    let Ok(text) = std::fs::read_to_string(pid_file(site)) else { return Ok(()) };
    let Ok(pid) = text.trim().parse::<u32>() else { return Ok(()) };
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let ours = command.split(|byte| *byte == 0).any(|part| part == b"up")
        && command
            .split(|byte| *byte == 0)
            .any(|part| part == site.directory.as_os_str().as_encoded_bytes());
    if !ours {
        // The number was given to some other process since.
        return Ok(());
    }
    signal(pid, rustix::process::Signal::KILL);
    for _ in 0..1_000 {
        // A process of somebody else cannot be waited for, only looked at.
        if !Path::new(&format!("/proc/{pid}/cmdline")).exists() || is_zombie(pid) {
            return Ok(());
        }
        std::thread::park_timeout(LOOK);
    }
    Err(broken("the node of an earlier run does not end"))
}

fn is_zombie(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
}

fn terminate(pid: u32) {
    signal(pid, rustix::process::Signal::TERM);
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // One that has ended needs no signal.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

fn broken(why: &str) -> Error {
    Error::unavailable("child.start", format!("the node does not run: {why}"))
        .help("Its log is `node.log` in the data directory.")
}
