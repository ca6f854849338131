//! Whether a statement stays with its tenant, by its text.
//!
//! The rule is narrower than SQL, so that whoever reads a statement sees it too: each table that is
//! read or changed has `tenant = :tenant` among the conditions that all must hold, or its tenant is
//! equal to that of a table which has; a row that is inserted takes its tenant from `:tenant` or from
//! such a table. A condition beside an OR, behind a NOT or in parentheses does not count.

use std::collections::BTreeSet;

/// Looks at a statement that touches these tables.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(words: &[String], tables: &BTreeSet<String>) -> Result<(), String> {
    level(&items(words), tables, &[])
}

/// A word, or what stands between two parentheses.
#[derive(Debug, Clone)]
pub(crate) enum Item<'a> {
    Word(&'a str),
    Group(Vec<Item<'a>>),
}

impl Item<'_> {
    pub(crate) fn word(&self) -> &str {
        match self {
            Item::Word(word) => word,
            Item::Group(_) => "()",
        }
    }
}

/// A table as a statement calls it.
pub(crate) struct Table {
    pub(crate) alias: String,
    pub(crate) name: String,
    kept: bool,
}

/// The words of a statement by their parentheses.
pub(crate) fn items(words: &[String]) -> Vec<Item<'_>> {
    let mut open = vec![Vec::new()];
    for word in words {
        let closed = if word == ")" { open.pop() } else { None };
        match (word.as_str(), closed, open.last_mut()) {
            ("(", _, _) => open.push(Vec::new()),
            (_, Some(group), Some(outer)) => outer.push(Item::Group(group)),
            (word, None, Some(outer)) => outer.push(Item::Word(word)),
            _ => {}
        }
    }
    open.into_iter().next().unwrap_or_default()
}

/// What stands at one level of parentheses: one statement, or several that are put together.
fn level(all: &[Item<'_>], tables: &BTreeSet<String>, outer: &[String]) -> Result<(), String> {
    let tenant = tenant_inserted(all)?;
    for part in parts(all) {
        if let Some(place) = tenant {
            takes_tenant(part, place)?;
        }
        statement(part, tables, outer)?;
    }
    Ok(())
}

/// The statements that UNION and its like put together.
pub(crate) fn parts<'a, 's>(all: &'a [Item<'s>]) -> impl Iterator<Item = &'a [Item<'s>]> {
    all.split(|item| matches!(item.word(), "union" | "intersect" | "except"))
}

fn statement(all: &[Item<'_>], tables: &BTreeSet<String>, outer: &[String]) -> Result<(), String> {
    let mut known = tables_of(all, tables);
    let seen: Vec<String> =
        known.iter().map(|table| table.alias.clone()).chain(outer.iter().cloned()).collect();
    nested(all, tables, &seen)?;
    let equal = conditions(all, &known);
    // As often as there are tables: each round can follow one more equality.
    for _ in 0..=known.len() {
        for (one, other, both) in &equal {
            let kept = |alias: &str| {
                let inner = known.iter().find(|table| table.alias == alias);
                inner.map_or(alias == ":tenant" || outer.iter().any(|o| o == alias), |t| t.kept)
            };
            let (first, second) = (kept(other), *both && kept(one));
            for table in &mut known {
                table.kept |= (table.alias == *one && first) || (table.alias == *other && second);
            }
        }
    }
    match known.iter().find(|table| !table.kept) {
        Some(table) => Err(format!("`{}` is used without its tenant", table.name)),
        None => Ok(()),
    }
}

/// Statements in parentheses, wherever they stand.
fn nested(all: &[Item<'_>], tables: &BTreeSet<String>, seen: &[String]) -> Result<(), String> {
    all.iter().try_for_each(|item| match item {
        Item::Word(_) => Ok(()),
        Item::Group(group) => match group.first().map_or("", Item::word) {
            "select" | "with" | "values" => level(group, tables, seen),
            _ => nested(group, tables, seen),
        },
    })
}

/// The tables that a statement reads or changes; a part of the statement itself is kept by itself.
pub(crate) fn tables_of(all: &[Item<'_>], tables: &BTreeSet<String>) -> Vec<Table> {
    let mut found = Vec::new();
    let mut listed = false;
    for (place, item) in all.iter().enumerate() {
        let before = place.checked_sub(1).map_or("", |before| all[before].word());
        let begins = match item.word() {
            "update" => before != "do",
            "," => listed,
            "from" => before != "distinct",
            word => word == "join",
        };
        listed = (listed || item.word() == "from") && !ENDS.contains(&item.word());
        if !begins {
            continue;
        }
        let Some(named) = all.get(place + 1) else { continue };
        let mut next = all[place + 2..].iter().map(Item::word).filter(|word| *word != "as");
        let name = named.word().to_owned();
        let alias =
            next.next().filter(|word| word.chars().all(is_name) && !KEYWORDS.contains(word));
        let alias = alias.unwrap_or(&name).to_owned();
        found.push(Table { alias, kept: !tables.contains(&name), name });
    }
    found
}

/// Pairs of tables whose tenants are equal in every row, `:tenant` being one of them; whether both
/// follow from one another, or the first alone from the second.
fn conditions(all: &[Item<'_>], known: &[Table]) -> Vec<(String, String, bool)> {
    let mut equal = Vec::new();
    for Clause { words, joined, outer } in clauses(all) {
        clause(words, known, (&joined, outer), &mut equal);
    }
    equal
}

/// The conditions of one WHERE or ON.
pub(crate) struct Clause<'a, 's> {
    /// Its words, the first of which is the WHERE or ON.
    pub(crate) words: &'a [Item<'s>],
    /// The table that is joined by it.
    pub(crate) joined: String,
    /// Whether rows of what it is joined to stay that do not fulfil it.
    pub(crate) outer: bool,
}

/// Every WHERE and ON of a statement, without those of statements in parentheses.
pub(crate) fn clauses<'a, 's>(all: &'a [Item<'s>]) -> Vec<Clause<'a, 's>> {
    let mut found = Vec::new();
    let mut begin = None;
    let (mut joined, mut kind) = (String::new(), "");
    for (place, item) in all.iter().enumerate() {
        let word = item.word();
        let next = all.get(place + 1).map_or("", Item::word);
        let ends = ENDS.contains(&word) || ["left", "inner", "cross", "join"].contains(&word);
        if ends && let Some((start, outer)) = begin.take() {
            found.push(Clause { words: &all[start..place], joined: joined.clone(), outer });
        }
        match word {
            "left" | "inner" | "cross" => kind = word,
            "join" => {
                let named = all[place + 1..].iter().map(Item::word).take_while(|w| *w != "on");
                joined = named.last().unwrap_or("").to_owned();
            }
            "on" if next != "conflict" => {
                begin = Some((place, kind == "left"));
                kind = "";
            }
            "where" => begin = Some((place, false)),
            _ => {}
        }
    }
    if let Some((start, outer)) = begin {
        found.push(Clause { words: &all[start..], joined, outer });
    }
    found
}

/// The conditions of one WHERE or ON, its first word included.
fn clause(
    all: &[Item<'_>], known: &[Table], (joined, outer_join): (&str, bool),
    equal: &mut Vec<(String, String, bool)>,
) {
    let words: Vec<&str> = all.iter().map(Item::word).collect();
    if words.contains(&"or") {
        return;
    }
    let side = |word: &str| match word.rsplit_once('.') {
        _ if word == ":tenant" => Some(word.to_owned()),
        Some((alias, "tenant")) => Some(alias.to_owned()),
        None if word == "tenant" => {
            let mut own = known.iter().filter(|table| !table.kept);
            let only = own.next().filter(|_| own.next().is_none())?;
            Some(only.alias.clone())
        }
        _ => None,
    };
    let mut ranges = false;
    for condition in words[1..].split(|word| *word == "and") {
        // The word after the AND of a BETWEEN is no condition of its own.
        let upper = std::mem::replace(&mut ranges, condition.contains(&"between"));
        let [one, "=", other] = condition else { continue };
        if upper {
            continue;
        }
        let (Some(one), Some(other)) = (side(one), side(other)) else { continue };
        let (one, other) = if one == ":tenant" { (other, one) } else { (one, other) };
        // Rows of the left side stay, whatever the condition of an outer join says.
        match (outer_join, one == joined, other == joined) {
            (false, _, _) => equal.push((one, other, true)),
            (true, true, _) => equal.push((one, other, false)),
            (true, false, true) => equal.push((other, one, false)),
            (true, false, false) => {}
        }
    }
}

/// Where an insert has its tenant among its columns; none for a statement that inserts nothing.
fn tenant_inserted(all: &[Item<'_>]) -> Result<Option<usize>, String> {
    let Some(into) = all.iter().position(|item| item.word() == "into") else { return Ok(None) };
    let columns = all[into..].iter().find_map(|item| match item {
        Item::Group(columns) => Some(columns),
        Item::Word(_) => None,
    });
    let place = columns.and_then(|columns| {
        columns.split(|item| item.word() == ",").position(|one| is_only(one, |w| w == "tenant"))
    });
    place.map(Some).ok_or_else(|| "an insert names its columns, and `tenant` is one".to_owned())
}

/// Whether what is inserted takes its tenant from where it may.
fn takes_tenant(part: &[Item<'_>], place: usize) -> Result<(), String> {
    let wrong = || Err("a row is inserted with another tenant than :tenant".to_owned());
    let own = |word: &str| word == ":tenant" || word == "tenant" || word.ends_with(".tenant");
    let nth = |list: &[Item<'_>]| {
        list.split(|item| item.word() == ",").nth(place).is_some_and(|one| is_only(one, own))
    };
    if let Some(values) = part.iter().position(|item| item.word() == "values") {
        let rows = part[values + 1..].iter().take_while(|item| item.word() != "on");
        let given = rows.filter_map(|item| match item {
            Item::Group(row) => Some(row),
            Item::Word(_) => None,
        });
        let exact = |row: &Vec<Item<'_>>| {
            let only = |word: &str| word == ":tenant";
            row.split(|item| item.word() == ",").nth(place).is_some_and(|one| is_only(one, only))
        };
        return if given.into_iter().all(exact) { Ok(()) } else { wrong() };
    }
    let Some(select) = part.iter().position(|item| item.word() == "select") else { return wrong() };
    let list = &part[select + 1..];
    let skip = usize::from(list.first().is_some_and(|item| item.word() == "distinct"));
    let end = list.iter().position(|item| ENDS.contains(&item.word()) || item.word() == "from");
    if nth(&list[skip..end.unwrap_or(list.len())]) { Ok(()) } else { wrong() }
}

fn is_only(one: &[Item<'_>], is: impl Fn(&str) -> bool) -> bool {
    matches!(one, [Item::Word(word)] if is(word))
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words that end a list of tables, or a condition.
const ENDS: &[&str] = &[
    "where",
    "group",
    "order",
    "having",
    "limit",
    "offset",
    "returning",
    "window",
    "set",
    "on",
    "values",
    "using",
];

/// Words that may follow a table and are not its alias.
const KEYWORDS: &[&str] = &[
    "where",
    "group",
    "order",
    "having",
    "limit",
    "offset",
    "returning",
    "window",
    "set",
    "on",
    "using",
    "join",
    "left",
    "inner",
    "cross",
    "natural",
    "union",
    "intersect",
    "except",
    "values",
    "select",
    "with",
    "default",
];
