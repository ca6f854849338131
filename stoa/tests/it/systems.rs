//! The five systems that Stoa is to stand in for, point by point.
//!
//! `docs/systems/points.txt` lists what was asked for; each system has a page with a row for each of
//! its points, and with the commands that show those that are there. All commands of a page run on
//! one node, in their order, and print what the page says they print. `STOA_BLESS=1` writes what they
//! print into the pages.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use regex::Regex;
use tempfile::TempDir;

use crate::process::Node;

const POINTS: &str = include_str!("../../../docs/systems/points.txt");
const README: &str = include_str!("../../../README.md");
/// Between what one block prints and what the next one prints.
const CUT: &str = "--8<--";

/// A row of a page, and a line of the list.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Point {
    group: String,
    name: String,
    home: String,
}

/// How much of a point is there.
#[derive(Debug, PartialEq, Eq, Clone)]
enum State {
    /// The section that shows it.
    Shown(String),
    /// The section that shows a part of it; the row says which part is not there.
    InPart(String),
    ToCome,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/systems")
}

/// What a system was asked to have.
fn asked(system: &str) -> Vec<Point> {
    let mut group = String::new();
    let section = POINTS.split("\n[").skip(1).find_map(|it| it.strip_prefix(system)).unwrap();
    let mut points = Vec::new();
    for line in section.lines().skip(1).filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix('(') {
            group = name.trim_end_matches(')').to_owned();
        } else {
            let (name, home) = line.rsplit_once(": ").expect(line);
            points.push(Point { group: group.clone(), name: name.into(), home: home.into() });
        }
    }
    points
}

/// What the tables of a page say.
fn answered(page: &str) -> Vec<(Point, State)> {
    let mut group = String::new();
    let mut rows = Vec::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cells: Vec<&str> = line.trim_end_matches('|').split(" | ").map(str::trim).collect();
        let [name, home, state] = cells[..] else { panic!("three cells: {line}") };
        match (home, state) {
            ("home", "today") => group = name.to_owned(),
            ("---", "---") => {}
            _ => {
                let point = Point { group: group.clone(), name: name.into(), home: home.into() };
                rows.push((point, read_state(state)));
            }
        }
    }
    rows
}

fn read_state(text: &str) -> State {
    let section = |rest: &str| rest.split_once(')').unwrap().0.to_owned();
    if let Some(rest) = text.strip_prefix("[shown](#") {
        State::Shown(section(rest))
    } else if let Some(rest) = text.strip_prefix("[in part](#") {
        let (section, missing) = rest.split_once("): ").expect("a part says what is missing");
        assert!(missing.ends_with("to come"), "{text}");
        State::InPart(section.to_owned())
    } else {
        assert_eq!(text, "to come");
        State::ToCome
    }
}

/// A command of a page and what it prints.
struct Block<'a> {
    anchor: String,
    command: &'a str,
    /// Where in the page what is printed stands; none for what makes ready.
    printed: Option<&'a str>,
}

/// The commands of a page. A section has one, and what it prints; `Before` prints nothing.
fn blocks(page: &str) -> Vec<Block<'_>> {
    let sections = page.split("\n## ").skip(1);
    let blocks = sections.map(|section| {
        let (title, text) = section.split_once('\n').unwrap();
        let mut fences = text.split("\n```").skip(1);
        let command = fences.next().and_then(|it| it.strip_prefix("sh\n")).expect(title);
        let printed = fences.nth(1).map(|it| it.strip_prefix("text\n").expect(title));
        let words = title.chars().filter(|it| it.is_alphanumeric() || " -".contains(*it));
        let anchor = words.collect::<String>().to_lowercase().replace(' ', "-");
        assert_eq!(printed.is_none(), anchor == "before", "{title} shows what it prints");
        Block { anchor, command, printed }
    });
    blocks.collect()
}

/// What is drawn anew each time: identifiers, moments, tokens, positions, etags.
fn masked(text: &str) -> String {
    static DRAWN: LazyLock<Regex> = LazyLock::new(|| {
        let patterns = [
            r"\b[a-z]{2,5}_[0-9a-z]{20,}\b(\.[A-Za-z0-9_-]+)?",
            r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?",
            r"\b[0-9a-f]{16,}\b",
            r"\b[0-9]{13,}\b",
            r"\b[A-Za-z0-9_-]{40,}\b",
        ];
        Regex::new(&patterns.join("|")).unwrap()
    });
    let masked = DRAWN.replace_all(text, "…");
    masked.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// As if what stands in a column had no width: a moment is shorter where its last digits are zero.
fn unaligned(text: &str) -> String {
    static COLUMN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(\S) {2,}").unwrap());
    COLUMN.replace_all(text, "$1  ").into_owned()
}

/// Runs the commands of a page, and gives what each prints.
fn run(blocks: &[Block<'_>]) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let mut node = Node::start(&folder.path().join("data"), &[]);
    let token = node.set_up();
    let mut script = String::new();
    for block in blocks {
        writeln!(script, "{}\nprintf '\\n%s\\n' '{CUT}'", block.command).unwrap();
    }
    let script = script.replace("http://127.0.0.1:8080", &node.url());
    let binary = Path::new(env!("CARGO_BIN_EXE_stoa")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-euc", &script]).current_dir(folder.path());
    shell.env("PATH", path).env("HOME", folder.path());
    shell.env_remove("XDG_CONFIG_HOME").env_remove("STOA_BLESS");
    shell.env("STOA_URL", node.url()).env("STOA_TOKEN", token);
    let output = shell.output().unwrap();
    let printed =
        String::from_utf8(output.stdout).unwrap().replace(&node.url(), "http://127.0.0.1:8080");
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{failed}");
    let cut = format!("\n{CUT}\n");
    let printed = printed.split(&cut).map(masked);
    printed.take(blocks.len()).collect()
}

/// Checks a page against the list and against what its commands print; gives how many of its points
/// are shown, and how many in part.
fn check(system: &str) -> (usize, usize, usize) {
    let file = folder().join(format!("{system}.md"));
    let mut page = std::fs::read_to_string(&file).unwrap();
    let rows = answered(&page);
    let points: Vec<Point> = rows.iter().map(|(point, _)| point.clone()).collect();
    assert_eq!(points, asked(system), "{system}: each point has its row, in the order of the list");
    let linked: BTreeSet<&str> = rows
        .iter()
        .filter_map(|(_, state)| match state {
            State::Shown(section) | State::InPart(section) => Some(section.as_str()),
            State::ToCome => None,
        })
        .collect();
    let blocks = blocks(&page);
    let sections = blocks.iter().filter(|block| block.printed.is_some());
    let sections: BTreeSet<&str> = sections.map(|block| block.anchor.as_str()).collect();
    assert_eq!(linked, sections, "{system}: a row for each section, a section for each row");
    let printed = run(&blocks);
    if std::env::var_os("STOA_BLESS").is_some() {
        let old: Vec<Option<String>> =
            blocks.iter().map(|it| it.printed.map(str::to_owned)).collect();
        let commands: Vec<String> = blocks.iter().map(|it| it.command.to_owned()).collect();
        for ((old, command), new) in old.iter().zip(&commands).zip(&printed) {
            let Some(old) = old else { continue };
            let was = format!("{command}\n```\n\n```text\n{old}\n```");
            assert!(page.contains(&was), "{was}");
            page = page.replace(&was, &format!("{command}\n```\n\n```text\n{new}```"));
        }
        std::fs::write(&file, page).unwrap();
    } else {
        for (block, printed) in blocks.iter().zip(&printed) {
            if let Some(wanted) = block.printed {
                let [printed, wanted] = [printed, &masked(wanted)].map(|it| unaligned(it));
                assert_eq!(printed, wanted, "{system}: {}", block.anchor);
            }
        }
    }
    let count = |wanted: fn(&State) -> bool| rows.iter().filter(|(_, it)| wanted(it)).count();
    (
        rows.len(),
        count(|state| matches!(state, State::Shown(_))),
        count(|state| matches!(state, State::InPart(_))),
    )
}

#[test]
fn every_point_of_the_five_systems_is_shown_or_to_come() {
    let systems = ["micro", "zero-world", "area", "ovasabi", "cases"];
    let named: Vec<&str> = POINTS.lines().filter_map(|line| line.strip_prefix('[')).collect();
    assert_eq!(named, systems.map(|system| format!("{system}]")), "the list names the systems");
    let counts = std::thread::scope(|scope| {
        let running = systems.map(|system| scope.spawn(move || check(system)));
        running.map(|it| it.join().unwrap())
    });
    let (all, shown, in_part) =
        counts.into_iter().fold((0, 0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1, sum.2 + it.2));
    let said = format!("{shown} of {all} points are shown, {in_part} more in part");
    assert!(
        README.split_whitespace().collect::<Vec<_>>().join(" ").contains(&said),
        "the README does not say: {said}"
    );
}
