//! What a tree of many services costs: the template makes as many as are missing, beside those that
//! are there, in a copy of the repository, and what a person waits for is measured there.
//!
//! It takes an hour, and the machine should have nothing else to do.

use std::fmt::Display;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Result, metadata, scaffold, shell};

/// The context of the services that are made.
const CONTEXT: &str = "growth";
/// The service that is edited.
const EDITED: &str = "made0";
/// How long a node is watched that nobody calls.
const IDLE: Duration = Duration::from_secs(60);

/// Measures a tree of so many services.
pub(crate) fn run(services: usize) -> Result<()> {
    let root = shell::root()?;
    let tree =
        Tree { copy: root.join("target/growth/copy"), built: root.join("target/growth/built") };
    let _ = std::fs::remove_dir_all(&tree.built);
    tree.grow(&root, services)?;
    tree.tests()?;
    tree.programs()?;
    let shipped = tree.built.join("dist/stoa.stripped");
    figure("binary that ships", mib(std::fs::metadata(&shipped).map_err(words)?.len()));
    let data = root.join("target/growth/data");
    let _ = std::fs::remove_dir_all(&data);
    for state in ["empty", "used"] {
        let (node, took) = Node::start(&shipped, &data)?;
        figure(&format!("start, {state}"), took);
        if state == "used" {
            node.idle()?;
        }
    }
    Ok(())
}

/// A copy of the repository, and where it is built.
struct Tree {
    copy: PathBuf,
    built: PathBuf,
}

impl Tree {
    fn grow(&self, root: &Path, services: usize) -> Result<()> {
        for made in [format!("services/{CONTEXT}"), "contracts".to_owned(), "proto/stoa".to_owned()]
        {
            let _ = std::fs::remove_dir_all(self.copy.join(made));
        }
        shell::mirror(root, &self.copy)?;
        let packages = metadata::packages(&self.copy)?;
        let there = packages.iter().filter(|p| p.folder.starts_with("services/")).count();
        for nth in 0..services.saturating_sub(there) {
            scaffold::run(&self.copy, CONTEXT, &format!("made{nth}"))?;
        }
        Ok(())
    }

    fn tests(&self) -> Result<()> {
        let edited = format!("nextest run -p stoa-{EDITED}");
        self.timed("cold, tests built", "nextest run --workspace --no-run")?;
        self.timed("tests run", "nextest run --workspace --no-fail-fast")?;
        self.timed("cold, lints", "clippy -q --workspace --all-targets")?;
        let source = self.copy.join(format!("services/{CONTEXT}/{EDITED}/src/api.rs"));
        append(&source, "/// Edited.\npub(crate) const EDITED: u8 = 1;\n")?;
        self.timed("a service edited, its tests on SQLite", &format!("{edited} sqlite"))?;
        append(&source, "/// Edited.\npub(crate) const AGAIN: u8 = 1;\n")?;
        self.timed("a service edited, its tests on both engines", &edited)?;
        let contract = self.copy.join(format!("proto/stoa/{EDITED}/v1/{EDITED}.proto"));
        append(&contract, "\n// Edited.\nmessage Edited {}\n")?;
        self.timed("a contract edited, its service built", &format!("build -p stoa-{EDITED}"))
    }

    fn programs(&self) -> Result<()> {
        self.timed("`make run` from nothing", "build --release -p stoa")?;
        let source = self.copy.join(format!("services/{CONTEXT}/{EDITED}/src/api.rs"));
        append(&source, "/// Edited.\npub(crate) const RELEASED: u8 = 1;\n")?;
        self.timed("`make run` after one line", "build --release -p stoa")?;
        self.timed("`make dist`", "build --profile dist -p stoa")?;
        let program = self.built.join("dist/stoa");
        let mut strip = Command::new("objcopy");
        strip.arg("--strip-debug").arg(&program).arg(program.with_extension("stripped"));
        shell::run(&mut strip)
    }

    fn timed(&self, what: &str, words: &str) -> Result<()> {
        let mut cargo = shell::cargo();
        cargo.current_dir(&self.copy).env("CARGO_TARGET_DIR", &self.built);
        cargo
            .args(words.split(' '))
            .args(["--offline"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let start = Instant::now();
        shell::run(&mut cargo)?;
        figure(what, format!("{:.1} s", start.elapsed().as_secs_f64()));
        Ok(())
    }
}

/// A node that was started; it ends with its value.
struct Node {
    process: Child,
    address: String,
}

impl Node {
    fn start(program: &Path, data: &Path) -> Result<(Self, String)> {
        let start = Instant::now();
        let mut up = Command::new(program);
        up.args(["up", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        let mut process = up.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(words)?;
        let mut line = String::new();
        let said = process.stdout.take().ok_or("a node says nothing")?;
        BufReader::new(said).read_line(&mut line).map_err(words)?;
        let took = format!("{} ms", start.elapsed().as_millis());
        let address = line.trim().strip_prefix("listening http://").unwrap_or_default().to_owned();
        Ok((Self { process, address }, took))
    }

    /// What a node costs that nobody calls.
    fn idle(&self) -> Result<()> {
        let before = self.metrics()?;
        figure("/metrics before a call", format!("{} KiB", before.len() / 1024));
        // The node's own work is what is watched: there is nothing to wait for but time.
        std::thread::sleep(IDLE);
        let commits = |page: &str| -> f64 {
            let line = page.lines().find(|line| line.starts_with("stoa_commits_total "));
            line.and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(f64::NAN)
        };
        let made = commits(&self.metrics()?) - commits(&before);
        figure("idle, commits a minute", format!("{made}"));
        let process = PathBuf::from(format!("/proc/{}", self.process.id()));
        let of = |file: &str, key: &str| -> Result<u64> {
            let text = shell::read(&process.join(file))?;
            let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
            Ok(line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0))
        };
        figure("idle, memory", mib(of("status", "VmRSS:")? * 1024));
        figure("idle, written since the start", mib(of("io", "write_bytes:")?));
        Ok(())
    }

    fn metrics(&self) -> Result<String> {
        let mut stream = TcpStream::connect(&self.address).map_err(words)?;
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).map_err(words)?;
        let mut page = String::new();
        stream.read_to_string(&mut page).map_err(words)?;
        Ok(page)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

fn append(path: &Path, text: &str) -> Result<()> {
    let before = shell::read(path)?;
    shell::write(path, (before + text).as_bytes())
}

fn figure(what: &str, value: impl Display) {
    println!("{what:<46} {value}");
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}

fn words(error: std::io::Error) -> String {
    error.to_string()
}
