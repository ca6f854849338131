//! Which rows of a table a statement can be about, by its text.
//!
//! Where a statement says that the first column of a table's key, behind the tenant, equals a parameter
//! or one of a list, it reads and changes nothing else there. That is all that is looked for, in the
//! conditions that all must hold, and through equalities between tables: `b.account = a.id AND
//! a.id = $1`. Whatever else a statement may say, it is about the whole table.
//!
//! **Invariant:** rows outside of what is said here neither change what a statement gives, nor are they
//! changed by it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use stoa_kit::session::Extent;
use stoa_kit::value::Value;

use crate::schema::Index;
use crate::tenancy::{Item, Table, clauses, items, parts, tables_of};

/// Rows of a table, as a statement names them.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The table.
    pub table: Arc<str>,
    /// The places of the parameters that hold all values which their keys can begin with; none for
    /// any row.
    pub params: Option<BTreeSet<usize>>,
}

impl Scope {
    /// The rows, once the parameters have values.
    pub fn extent(&self, params: &[Value<'_>]) -> Extent {
        let Some(places) = &self.params else { return Extent::Whole };
        let mut marks = BTreeSet::new();
        for place in places {
            match params.get(*place) {
                Some(Value::Texts(texts)) => {
                    marks.extend(texts.iter().map(|text| mark(text.as_bytes())));
                }
                Some(Value::Ints(numbers)) => {
                    marks.extend(numbers.iter().map(|number| mark(&number.to_le_bytes())));
                }
                Some(Value::Text(text)) => _ = marks.insert(mark(text.as_bytes())),
                Some(Value::Bytes(bytes)) => _ = marks.insert(mark(bytes)),
                Some(Value::Int(number)) => _ = marks.insert(mark(&number.to_le_bytes())),
                // Nothing equals NULL. Keys of other types are not told apart.
                Some(Value::Null(_)) => {}
                Some(Value::Bool(_) | Value::Float(_)) | None => return Extent::Whole,
            }
        }
        Extent::Marks(marks)
    }
}

/// FNV-1a: the same on every node, and for ever.
fn mark(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Of each table, the parameters that its rows are named by; none where they are not.
pub(crate) type Scopes = BTreeMap<String, Option<BTreeSet<usize>>>;

/// The parameters that columns equal, by the table's name in the statement and their own.
type Equal = HashMap<String, BTreeSet<usize>>;

/// Looks at a statement that touches these tables.
pub(crate) fn of(
    words: &[String], tables: &BTreeSet<String>, keys: &HashMap<String, Index>,
) -> Scopes {
    let all = items(words);
    let mut found = Found { tables, keys, scopes: Scopes::new(), uses: HashMap::new() };
    found.level(&all, &Equal::new());
    found.inserted(&all);
    // What stands where it was not looked for may be about any row.
    let named = |table: &String| words.iter().filter(|word| *word == table).count();
    for table in tables {
        if named(table) != found.uses.get(table).copied().unwrap_or(0) {
            found.scopes.insert(table.clone(), None);
        }
    }
    found.scopes
}

struct Found<'a> {
    tables: &'a BTreeSet<String>,
    keys: &'a HashMap<String, Index>,
    scopes: Scopes,
    uses: HashMap<String, usize>,
}

impl Found<'_> {
    fn level(&mut self, all: &[Item<'_>], outer: &Equal) {
        for part in parts(all) {
            let known = tables_of(part, self.tables);
            let mut equal = outer.clone();
            equal.retain(|column, _| {
                let alias = column.split('.').next();
                !known.iter().any(|table| alias == Some(&table.alias))
            });
            follow(part, &known, &mut equal);
            for table in known.iter().filter(|table| self.tables.contains(&table.name)) {
                let key = self.key(&table.name);
                let params = equal.get(&format!("{}.{key}", table.alias));
                let stays = !sets(part, &key);
                self.add(&table.name, params.filter(|_| stays).cloned());
            }
            self.nested(part, &equal);
        }
    }

    /// Statements in parentheses, wherever they stand.
    fn nested(&mut self, all: &[Item<'_>], outer: &Equal) {
        for item in all {
            let Item::Group(group) = item else { continue };
            match group.first().map_or("", Item::word) {
                "select" | "with" | "values" => self.level(group, outer),
                _ => self.nested(group, outer),
            }
        }
    }

    /// The table that rows are inserted into.
    fn inserted(&mut self, all: &[Item<'_>]) {
        let Some(into) = all.iter().position(|item| item.word() == "into") else { return };
        let Some(table) = all.get(into + 1).map(|item| item.word().to_owned()) else { return };
        let params = self.values(&table, &all[into..]);
        self.add(&table, params);
    }

    fn values(&self, table: &str, all: &[Item<'_>]) -> Option<BTreeSet<usize>> {
        let key = self.key(table);
        let group = |item: &Item<'_>| matches!(item, Item::Group(_));
        let Item::Group(columns) = all.iter().find(|item| group(item))? else { return None };
        let place = columns
            .split(|item| item.word() == ",")
            .position(|one| matches!(one, [Item::Word(word)] if *word == key))?;
        let values = all.iter().position(|item| item.word() == "values")?;
        let end = all.iter().position(|item| item.word() == "on").unwrap_or(all.len());
        // Who meets a row that is there changes that one: it has to have the same key.
        if let Some(target) = all[end..].iter().find(|item| group(item)) {
            let Item::Group(target) = target else { return None };
            let nothing = all[end..].iter().any(|item| item.word() == "nothing");
            let same = target.iter().any(|item| item.word() == key);
            if sets(&all[end..], &key) || !(nothing || same) {
                return None;
            }
        }
        let rows = all[values + 1..end].iter().filter(|item| group(item));
        let mut params = BTreeSet::new();
        for row in rows {
            let Item::Group(row) = row else { return None };
            let value = row.split(|item| item.word() == ",").nth(place)?;
            let [Item::Word(word)] = value else { return None };
            params.insert(param(word)?);
        }
        Some(params)
    }

    /// The first column of a table's key, behind the tenant; empty where there is none.
    fn key(&self, table: &str) -> String {
        self.keys.get(table).map_or_else(String::new, |index| index.first.clone())
    }

    fn add(&mut self, table: &str, params: Option<BTreeSet<usize>>) {
        *self.uses.entry(table.to_owned()).or_default() += 1;
        match (self.scopes.get_mut(table), params) {
            (Some(Some(known)), Some(more)) => known.extend(more),
            (Some(known), _) => *known = None,
            (None, params) => _ = self.scopes.insert(table.to_owned(), params),
        }
    }
}

/// Whether a statement gives a column another value.
fn sets(part: &[Item<'_>], column: &str) -> bool {
    let rest = part.iter().skip_while(|item| item.word() != "set");
    let set: Vec<&str> = rest.map(Item::word).take_while(|word| *word != "where").collect();
    set.windows(2).any(|two| matches!(two, ["set" | ",", named] if *named == column))
}

/// Follows the equalities of one statement, without those of statements in parentheses.
fn follow(part: &[Item<'_>], known: &[Table], equal: &mut Equal) {
    let column = |word: &str| match word.contains('.') {
        true => Some(word.to_owned()),
        false => match known {
            [only] => Some(format!("{}.{word}", only.alias)),
            _ => None,
        },
    };
    // Rows of either side may stay that fulfil nothing.
    if part.iter().any(|item| matches!(item.word(), "right" | "full")) {
        return;
    }
    let mut pairs = Vec::new();
    for clause in clauses(part) {
        if clause.words.iter().any(|item| matches!(item.word(), "or" | "case")) {
            continue;
        }
        // Where rows stay that do not fulfil it, it says something of what is joined alone.
        let says = |column: &str| {
            !clause.outer || column.split('.').next() == Some(clause.joined.as_str())
        };
        let mut ranges = false;
        for condition in clause.words[1..].split(|item| item.word() == "and") {
            // The word after the AND of a BETWEEN is no condition of its own.
            let ranged = condition.iter().any(|item| item.word() == "between");
            if std::mem::replace(&mut ranges, ranged) {
                continue;
            }
            let (one, other) = match condition {
                [Item::Word(one), Item::Word("="), Item::Word(other)] => (*one, *other),
                [Item::Word(one), Item::Word("="), Item::Word("any"), Item::Group(list)] => {
                    (*one, list.first().map_or("", Item::word))
                }
                _ => continue,
            };
            for (left, right) in [(one, other), (other, one)] {
                let Some(left) = column(left).filter(|left| !left.starts_with('$') && says(left))
                else {
                    continue;
                };
                match param(right) {
                    Some(place) => _ = equal.entry(left).or_insert_with(|| [place].into()),
                    None => pairs.extend(column(right).map(|right| (left, right))),
                }
            }
        }
    }
    // As often as there are pairs: each round can follow one more of them.
    for _ in 0..pairs.len() {
        for (left, right) in &pairs {
            if let (None, Some(places)) = (equal.get(left), equal.get(right)) {
                let places = places.clone();
                equal.insert(left.clone(), places);
            }
        }
    }
}

/// The place of a parameter among all.
fn param(word: &str) -> Option<usize> {
    word.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::words;

    /// What a statement about `a (tenant, id)`, `b (tenant, account, time)` says of both.
    fn scopes(sql: &str) -> String {
        let index = |first: &str| Index { first: first.to_owned(), partial: false };
        let keys = [("a", "id"), ("b", "account")];
        let keys = keys.map(|(table, key)| (table.to_owned(), index(key))).into();
        let words = words(sql);
        let all = ["a", "b"].map(str::to_owned).into();
        let mut said = Vec::new();
        for (table, params) in of(&words, &all, &keys) {
            if words.contains(&table) {
                let params = params.map(|params| params.iter().map(|p| p + 1).collect::<Vec<_>>());
                said.push(format!("{table}{}", params.map_or("*".into(), |p| format!("{p:?}"))));
            }
        }
        said.join(" ")
    }

    #[test]
    fn rows_are_named_by_what_their_keys_equal_and_by_nothing_else() {
        for (sql, said) in [
            ("SELECT x FROM a WHERE tenant = :tenant AND id = $1", "a[1]"),
            ("SELECT x FROM a WHERE $2 = id AND tenant = :tenant AND x IS NOT NULL", "a[2]"),
            ("SELECT x FROM a WHERE tenant = :tenant AND id = ANY ($1) ORDER BY x LIMIT 3", "a[1]"),
            ("SELECT x FROM a WHERE tenant = :tenant AND id > $1", "a*"),
            ("SELECT x FROM a WHERE tenant = :tenant AND (id = $1)", "a*"),
            ("SELECT x FROM a WHERE tenant = :tenant AND id = $1 OR x = $2", "a*"),
            ("SELECT x FROM a WHERE tenant = :tenant AND NOT id = $1", "a*"),
            ("SELECT x FROM a WHERE CASE WHEN y AND id = $1 AND z THEN 1 END = 1", "a*"),
            ("SELECT x FROM a WHERE x BETWEEN 1 AND id = $1", "a*"),
            ("SELECT 1 FROM a JOIN b ON b.account = a.id WHERE a.id = $1", "a[1] b[1]"),
            ("SELECT 1 FROM a LEFT JOIN b ON b.account = a.id WHERE a.id = $1", "a[1] b[1]"),
            ("SELECT 1 FROM a LEFT JOIN b ON b.account = a.id WHERE b.account = $1", "a* b[1]"),
            ("SELECT 1 FROM a LEFT JOIN b ON b.account = $1 AND a.id = $2", "a* b[1]"),
            ("SELECT 1 FROM a RIGHT JOIN b ON b.account = a.id AND a.id = $1", "a* b*"),
            ("SELECT 1 FROM a, b WHERE b.account = a.id AND b.account = $3", "a[3] b[3]"),
            ("SELECT (SELECT 1 FROM b WHERE b.account = a.id) FROM a WHERE a.id = $1", "a[1] b[1]"),
            ("SELECT (SELECT 1 FROM b WHERE account = $2) FROM a WHERE id = $1", "a[1] b[2]"),
            ("SELECT (SELECT 1 FROM a WHERE x = $2) FROM a WHERE id = $1", "a*"),
            ("SELECT x FROM a WHERE id = $1 UNION SELECT x FROM a WHERE id = $2", "a[1, 2]"),
            ("SELECT x FROM a WHERE id = $1 UNION SELECT x FROM a", "a*"),
            ("SELECT 1 FROM a AS one, a AS two WHERE one.id = $1", "a*"),
            ("WITH c AS (SELECT x FROM b) SELECT 1 FROM a, c WHERE a.id = $1", "a[1] b*"),
            ("UPDATE a SET x = $2 WHERE tenant = :tenant AND id = $1 RETURNING x, id", "a[1]"),
            ("UPDATE a SET x = $2, id = $3 WHERE tenant = :tenant AND id = $1", "a*"),
            ("UPDATE a SET x = $1 WHERE tenant = :tenant AND x > $2", "a*"),
            ("DELETE FROM b WHERE tenant = :tenant AND account = $1 AND time < $2", "b[1]"),
            ("INSERT INTO a (tenant, x, id) VALUES (:tenant, $1, $2)", "a[2]"),
            ("INSERT INTO a (tenant, id) VALUES (:tenant, $1), (:tenant, $2)", "a[1, 2]"),
            ("INSERT INTO a (tenant, id) VALUES (:tenant, 'x')", "a*"),
            (
                "INSERT INTO a (tenant, id) SELECT tenant, account FROM b WHERE account = $1",
                "a* b[1]",
            ),
            (
                "INSERT INTO a (tenant, id) VALUES (:tenant, $1) ON CONFLICT (tenant, x) DO NOTHING",
                "a[1]",
            ),
            (
                "INSERT INTO a (tenant, id, x) VALUES (:tenant, $1, $2) \
                 ON CONFLICT (tenant, id) DO UPDATE SET x = excluded.x",
                "a[1]",
            ),
            (
                "INSERT INTO a (tenant, id, x) VALUES (:tenant, $1, $2) \
                 ON CONFLICT (tenant, x) DO UPDATE SET y = 1",
                "a*",
            ),
        ] {
            assert_eq!(scopes(sql), said, "{sql}");
        }
    }

    #[test]
    fn rows_are_marked_by_the_values_of_their_keys() {
        let scope = Scope { table: "a".into(), params: Some([0, 2].into()) };
        let texts = ["one".to_owned(), "two".to_owned()];
        let extent = |params: &[Value<'_>]| scope.extent(params);
        let one = extent(&[Value::Text("one"), Value::Int(1), Value::Text("two")]);
        assert_eq!(one, extent(&[Value::Texts(&texts), Value::Int(2), Value::Text("one")]));
        assert!(!one.meets(&extent(&[Value::Int(1), Value::Int(1), Value::Bytes(b"three")])));
        assert_eq!(extent(&[Value::Bool(true), Value::Int(1), Value::Int(1)]), Extent::Whole);
    }
}
