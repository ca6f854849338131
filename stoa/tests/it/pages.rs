//! Pages whose commands are run: each section has one, and what it prints.
//!
//! All commands of a page run on one node, in their order, and print what the page says they print.
//! `STOA_BLESS=1` writes what they print into the pages.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use regex::Regex;
use tempfile::TempDir;

use crate::process::Node;

/// Between what one block prints and what the next one prints.
const CUT: &str = "--8<--";

/// Where the pages are.
pub(crate) fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// The sections of a page that show something, as a link names them.
pub(crate) fn sections(page: &str) -> BTreeSet<String> {
    let shown = blocks(page).into_iter().filter(|block| block.printed.is_some());
    shown.map(|block| block.anchor).collect()
}

/// Checks that the commands of a page print what it says.
pub(crate) fn holds(file: &Path) {
    let mut page = std::fs::read_to_string(file).unwrap();
    let blocks = blocks(&page);
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
        std::fs::write(file, page).unwrap();
        return;
    }
    for (block, printed) in blocks.iter().zip(&printed) {
        if let Some(wanted) = block.printed {
            let [printed, wanted] = [printed, &masked(wanted)].map(|it| unaligned(it));
            assert_eq!(printed, wanted, "{}: {}", file.display(), block.anchor);
        }
    }
}

#[test]
fn the_commands_of_every_guide_print_what_it_says() {
    let guides = std::fs::read_dir(docs().join("guide")).unwrap();
    let guides: Vec<PathBuf> = guides.map(|guide| guide.unwrap().path()).collect();
    assert!(!guides.is_empty());
    for guide in guides {
        let page = std::fs::read_to_string(&guide).unwrap();
        assert!(sections(&page).len() > 1, "{}", guide.display());
        holds(&guide);
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
