//! How a statement is carried out: what it reads is bounded by more than the tenant.
//!
//! SQLite tells its plan, which depends on the statement and the schema alone. A look-up that names
//! nothing but the tenant reads all that the tenant has in a table, and costs more with each row: it
//! is refused, with two exceptions. A *page* takes its first rows as they stand in an index and
//! passes over none, and so does the least or the largest of what an index is sorted by. And a
//! statement may say that it reads everything, and why that is right:
//! `/* whole: a tenant has few roles */`. One that says so without need is refused as well.

use std::collections::{BTreeSet, HashMap};

use crate::schema::Index;
use crate::tenancy::{Item, items, parts, tables_of};

/// One step of a plan.
pub(crate) struct Step {
    /// The step that it belongs to: those of one SELECT have the same.
    parent: i64,
    /// In the words of SQLite.
    detail: String,
}

/// A table that is read without any bound but the tenant.
struct Whole<'a> {
    /// As the statement calls it.
    alias: &'a str,
    /// The index along which it is read; empty for the primary key.
    index: &'a str,
}

impl Step {
    pub(crate) fn new(parent: i64, detail: String) -> Self {
        Self { parent, detail }
    }

    /// Whether it goes through rows of a table, or of a part of the statement.
    fn is_loop(&self) -> bool {
        self.detail.starts_with("SCAN ") || self.detail.starts_with("SEARCH ")
    }

    fn whole(&self) -> Option<Whole<'_>> {
        let (verb, rest) = self.detail.split_once(' ')?;
        let alias = rest.split(' ').next()?;
        let index = rest.split_once("INDEX ").map_or("", |(_, after)| after);
        let index = index.split(' ').next().unwrap_or_default();
        let bound = rest.split_once('(').and_then(|(_, terms)| terms.split(')').next());
        // An index that is made for one run of the statement is made of the whole table.
        let unbound = bound.is_none_or(|terms| terms == "tenant=?") || rest.contains("AUTOMATIC");
        let whole = match verb {
            "SCAN" => !rest.contains("VIRTUAL TABLE") && !rest.contains("CONSTANT ROW"),
            "SEARCH" => unbound,
            _ => false,
        };
        whole.then_some(Whole { alias, index })
    }
}

/// The table of which a statement reads everything that its tenant has, if there is one.
pub(crate) fn whole(
    words: &[String], tables: &BTreeSet<String>, indexes: &HashMap<String, Index>, plan: &[Step],
) -> Option<String> {
    let all = items(words);
    let mut places = Vec::new();
    places_of(&all, tables, &mut places);
    plan.iter().enumerate().find_map(|(at, step)| {
        let whole = step.whole()?;
        let beside = || plan.iter().filter(|other| other.parent == step.parent);
        let first = plan[..at].iter().all(|s| s.parent != step.parent || !s.is_loop());
        let sorted = beside().any(|other| other.detail.contains("B-TREE"));
        let takes_first = |place: &Place<'_, '_>| {
            let index = if whole.index.is_empty() { &*place.table } else { whole.index };
            indexes.get(index).is_some_and(|index| takes_first(place.part, index))
        };
        let named = places.iter().position(|place| place.alias == whole.alias)?;
        // Where several parts of the statement call a table the same, the plan does not say which
        // of them it means: they are taken in their order.
        let place = match first && !sorted {
            true => places.iter().position(|p| p.alias == whole.alias && takes_first(p)),
            false => None,
        };
        let table = places[named].table.clone();
        match place {
            Some(place) => {
                places.remove(place);
                None
            }
            None => Some(table),
        }
    })
}

/// Why a statement reads everything, if it says so.
///
/// # Errors
/// Where it gives no reason.
pub(crate) fn reason(sql: &str) -> Result<Option<&str>, String> {
    let Some((_, after)) = sql.split_once("/* whole") else { return Ok(None) };
    let reason = after.strip_prefix(": ").and_then(|after| after.split("*/").next());
    match reason.map(str::trim).filter(|reason| !reason.is_empty()) {
        None => Err("it says that it reads everything, and not why: /* whole: … */".to_owned()),
        reason => Ok(reason),
    }
}

/// A SELECT, UPDATE or DELETE that reads a table, and what it calls it.
struct Place<'a, 's> {
    part: &'a [Item<'s>],
    alias: String,
    table: String,
}

/// Every table that a statement reads, where it does.
fn places_of<'a, 's>(
    all: &'a [Item<'s>], tables: &BTreeSet<String>, places: &mut Vec<Place<'a, 's>>,
) {
    for part in parts(all) {
        let known = tables_of(part, tables).into_iter();
        let known = known.filter(|table| tables.contains(&table.name));
        places.extend(known.map(|table| Place { part, alias: table.alias, table: table.name }));
    }
    for item in all {
        if let Item::Group(group) = item {
            places_of(group, tables, places);
        }
    }
}

/// Whether a SELECT takes the first rows that an index has: it has a limit, or is the end of what
/// the index is sorted by, and passes over none. An index of some rows has those alone.
fn takes_first(part: &[Item<'_>], index: &Index) -> bool {
    let words: Vec<&str> = part.iter().map(Item::word).collect();
    let folds = words.iter().any(|word| FOLDS.contains(word));
    let filters = words.iter().skip_while(|word| **word != "where").skip(1);
    let filters: Vec<&str> = filters.take_while(|w| !AFTER.contains(*w)).copied().collect();
    let tenant = |word: &str| word == "tenant" || word == ":tenant" || word.ends_with(".tenant");
    let bare = filters
        .split(|word| *word == "and")
        .all(|one| matches!(one, [left, "=", right] if tenant(left) && tenant(right)));
    // Where nothing follows the tenant in the key, the tenant has one row.
    if index.first.is_empty() {
        return true;
    }
    let end = match part {
        [_, Item::Word("min" | "max"), Item::Group(of), Item::Word("from"), ..] => {
            matches!(of.as_slice(), [Item::Word(column)] if column.ends_with(&index.first))
        }
        _ => words.contains(&"limit") && !folds,
    };
    end && (bare || index.partial)
}

/// What makes one row of many.
const FOLDS: &[&str] = &["group", "distinct", "count", "sum", "min", "max", "avg", "having"];

/// What may stand behind the conditions of a SELECT.
const AFTER: &[&str] = &["order", "limit", "group", "window", "returning"];
