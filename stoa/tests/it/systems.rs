//! The five systems that Stoa is to stand in for, point by point.
//!
//! `docs/systems/points.txt` lists what was asked for; each system has a page with a row for each of
//! its points, and with the commands that show those that are there.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::pages;

const POINTS: &str = include_str!("../../../docs/systems/points.txt");
const README: &str = include_str!("../../../README.md");

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
    pages::docs().join("systems")
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

/// Checks a page against the list and against what its commands print; gives how many of its points
/// are shown, and how many in part.
fn check(system: &str) -> (usize, usize, usize) {
    let file = folder().join(format!("{system}.md"));
    let page = std::fs::read_to_string(&file).unwrap();
    let rows = answered(&page);
    let points: Vec<Point> = rows.iter().map(|(point, _)| point.clone()).collect();
    assert_eq!(points, asked(system), "{system}: each point has its row, in the order of the list");
    let linked: BTreeSet<String> = rows
        .iter()
        .filter_map(|(_, state)| match state {
            State::Shown(section) | State::InPart(section) => Some(section.clone()),
            State::ToCome => None,
        })
        .collect();
    let sections = pages::sections(&page);
    assert_eq!(linked, sections, "{system}: a row for each section, a section for each row");
    pages::holds(&file);
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
