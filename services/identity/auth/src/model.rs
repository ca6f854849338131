//! The rules: limits, lifetimes, and what permissions contain.

use std::time::Duration;

use stoa_auth_v1::{Account, AccountBy};
use stoa_kit::{Caller, Micros, Pattern};

/// The role that grants everything. It belongs to Stoa.
pub(crate) const ADMINISTRATOR: &str = "administrator";

/// A session ends when it was not used for so long.
pub(crate) const SESSION_IDLE: Duration = days(14);
/// A session ends so long after it was opened, however much it is used.
pub(crate) const SESSION_LIFE: Duration = days(90);
/// A key ends after so long if nothing else was asked for.
pub(crate) const KEY_LIFE_DEFAULT: Duration = days(90);
/// No key lives longer.
pub(crate) const KEY_LIFE_MAX: Duration = days(400);
/// Uses of a session or a key that lie closer together are noted as one.
pub(crate) const USE_NOTED_EVERY: Duration = minutes(5);
/// How long the record of a revocation is kept.
pub(crate) const REVOCATION_KEPT: Duration = days(90);

/// Failed attempts are counted over so long, from the first one.
pub(crate) const WINDOW: Duration = minutes(15);
/// So many failures for one account in a window stop further attempts until it ends.
const ACCOUNT_FAILURES_MAX: i64 = 10;
/// So many from one address do: more, for many people may share one.
const ADDRESS_FAILURES_MAX: i64 = 50;

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

const fn days(count: u64) -> Duration {
    minutes(count * 24 * 60)
}

/// What failed attempts are counted for.
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) failures_max: i64,
}

/// What an attempt counts for: the account, and the network it comes from if there is one. An account
/// that somebody named by typing is counted by what they typed, whether anybody is called so or not,
/// and under its hash, for it is personal and may be a password typed into the wrong field.
pub(crate) fn buckets(account: &Account, address: &str) -> Vec<Bucket> {
    let name = match &account.by {
        Some(AccountBy::UserId(id)) => format!("user:{id}"),
        Some(AccountBy::Login(login)) => format!("login:{}", hash_text(&normal(login))),
        None => "login:".to_owned(),
    };
    let mut buckets = vec![Bucket { name, failures_max: ACCOUNT_FAILURES_MAX }];
    if !address.is_empty() {
        let name = format!("address:{}", hash_text(address));
        buckets.push(Bucket { name, failures_max: ADDRESS_FAILURES_MAX });
    }
    buckets
}

/// What people type to sign in, in the form in which attempts are counted.
fn normal(login: &str) -> String {
    login.trim().to_lowercase()
}

fn hash_text(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Until when no attempt is allowed, if none is.
pub(crate) fn blocked_until(
    bucket: &Bucket,
    since: Micros,
    failures: i64,
    now: Micros,
) -> Option<Micros> {
    let end = since.after(WINDOW);
    (failures >= bucket.failures_max && now < end).then_some(end)
}

/// When a session ends: the earlier of having idled too long and having lived too long.
pub(crate) fn session_end(last_use: Micros, expire: Micros) -> Micros {
    last_use.after(SESSION_IDLE).min(expire)
}

/// Whether a use is noted, the last one being so long ago.
pub(crate) fn is_noted_again(last_use: Micros, now: Micros) -> bool {
    last_use.after(USE_NOTED_EVERY) <= now
}

/// What both a key and its user have. A key keeps its scope when its user gets more, and loses
/// what its user loses.
pub(crate) fn common(scope: &[String], held: &[String]) -> Vec<String> {
    let mut common = Vec::new();
    for scope in scope {
        let scope: Vec<&str> = scope.split('.').collect();
        for held in held {
            let held: Vec<&str> = held.split('.').collect();
            common.extend(meet(&scope, &held).map(|segments| segments.join(".")));
        }
    }
    common.sort();
    common.dedup();
    common
}

/// The pattern that grants what both of two grant, if there is anything.
fn meet<'a>(a: &[&'a str], b: &[&'a str]) -> Option<Vec<&'a str>> {
    match (a, b) {
        ([], []) => Some(Vec::new()),
        (["*"], rest) | (rest, ["*"]) if !rest.is_empty() => Some(rest.to_vec()),
        ([x, xs @ ..], [y, ys @ ..]) if x == y || *x == "*" || *y == "*" => {
            let mut both = vec![if *x == "*" { *y } else { *x }];
            both.extend(meet(xs, ys)?);
            Some(both)
        }
        _ => None,
    }
}

/// The patterns of a column.
pub(crate) fn split(permissions: &str) -> Vec<String> {
    permissions.split(' ').filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// Patterns as a column keeps them: in order, each once.
pub(crate) fn join(permissions: &[String]) -> String {
    let mut ordered: Vec<&str> = permissions.iter().map(String::as_str).collect();
    ordered.sort_unstable();
    ordered.dedup();
    ordered.join(" ")
}

/// What a caller has, as text.
pub(crate) fn permissions(caller: &Caller) -> Vec<String> {
    caller.permissions.iter().map(Pattern::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_key_has_what_it_and_its_user_have() {
        for (scope, held, both) in [
            (
                &["*"][..],
                &["orders.*", "auth.roles.list"][..],
                &["auth.roles.list", "orders.*"][..],
            ),
            (&["orders.*"], &["*"], &["orders.*"]),
            (&["orders.*"], &["ledger.*"], &[]),
            (&["orders.*.create"], &["orders.carts.*"], &["orders.carts.create"]),
            (&["*.carts.*"], &["orders.*.list"], &["orders.carts.list"]),
            (&["orders"], &["orders.*"], &[]),
            (&["orders.*"], &["orders.*.*"], &["orders.*.*"]),
            (&["orders.carts.list"], &["orders.carts.list", "orders.*"], &["orders.carts.list"]),
        ] {
            assert_eq!(common(&texts(scope), &texts(held)), texts(both), "{scope:?} {held:?}");
        }
    }

    #[test]
    fn what_is_common_is_granted_by_both() {
        let segments = ["*", "a", "b"];
        let mut patterns = Vec::new();
        for x in segments {
            patterns.push(x.to_owned());
            for y in segments {
                patterns.push(format!("{x}.{y}"));
                patterns.extend(segments.map(|z| format!("{x}.{y}.{z}")));
            }
        }
        let grants = |pattern: &str, permission: &str| {
            Pattern::parse(pattern).is_some_and(|pattern| pattern.grants(permission))
        };
        for one in &patterns {
            for other in &patterns {
                let both = common(std::slice::from_ref(one), std::slice::from_ref(other));
                for permission in patterns.iter().filter(|text| !text.contains('*')) {
                    let expected = grants(one, permission) && grants(other, permission);
                    let found = both.iter().any(|both| grants(both, permission));
                    assert_eq!(found, expected, "{one} and {other}: {both:?} for {permission}");
                }
            }
        }
    }
}
