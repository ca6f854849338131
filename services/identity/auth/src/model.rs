//! The rules: limits, lifetimes, and what permissions contain.

use std::time::Duration;

use stoa_auth_v1::Settings;
use stoa_kit::{Caller, Micros, Pattern};

/// The role that grants everything. It belongs to Stoa.
pub(crate) const ADMINISTRATOR: &str = "administrator";

/// What operators have not changed.
pub(crate) fn settings() -> Settings {
    Settings {
        session_idle_days: 14,
        session_life_days: 90,
        // The console of a node that nobody has told anything.
        link_url: "http://localhost:8080/".to_owned(),
        passkey_domain: "localhost".to_owned(),
        passkey_origins: vec!["http://localhost:8080".to_owned()],
        site_name: "Stoa".to_owned(),
    }
}

/// So many days, as a setting says them.
pub(crate) fn days_of(setting: i32) -> Duration {
    days(setting.unsigned_abs().into())
}

/// What a session says of a password.
pub(crate) const PASSWORD: &str = "pwd";
/// Of a code that a program of the user's shows.
pub(crate) const CODE: &str = "otp";
/// Of a recovery code.
pub(crate) const RECOVERY: &str = "recovery";
/// Of a passkey.
pub(crate) const PASSKEY: &str = "passkey";
/// Of a link that was sent by mail.
pub(crate) const LINK: &str = "link";
/// Of an account at another provider.
pub(crate) const PROVIDER: &str = "provider";

/// How long a ticket or a challenge is good.
pub(crate) const TICKET_LIFE: Duration = minutes(5);
/// Passkeys that a user may have.
pub(crate) const PASSKEYS_MAX: usize = 20;
/// Recovery codes that are drawn at once.
pub(crate) const RECOVERY_CODES: usize = 10;
/// How long a link signs in, or sets another password.
pub(crate) const LINK_LIFE: Duration = minutes(15);
/// How long a link verifies an address.
pub(crate) const EMAIL_LIFE: Duration = days(1);

/// Whether somebody proved who they are by the strongest that they have. A link proves who reads their
/// mail, and a password or an account elsewhere is not enough where there is a second factor.
pub(crate) fn is_full(methods: &[String], second_factor: bool) -> bool {
    let has = |method: &str| methods.iter().any(|one| one == method);
    let first = has(PASSWORD) || has(PROVIDER);
    has(CODE) || has(RECOVERY) || has(PASSKEY) || (!second_factor && first)
}

/// A key ends after so long if nothing else was asked for.
pub(crate) const KEY_LIFE_DEFAULT: Duration = days(90);
/// No key lives longer.
pub(crate) const KEY_LIFE_MAX: Duration = days(400);
/// How long ago, at most, whoever makes a key that outlives what it is made with proved who they are.
pub(crate) const KEY_STEP_UP: Duration = minutes(10);
/// Uses of a session or a key that lie closer together are noted as one.
pub(crate) const USE_NOTED_EVERY: Duration = minutes(5);

/// Failed attempts from one network are counted over so long, from the first one.
const WINDOW: Duration = minutes(15);
/// So many failures for one account from one network in a window stop further ones until it ends.
const HERE_FAILURES_MAX: i64 = 10;
/// So many from one network for any account do: more, for many people may share one.
const NETWORK_FAILURES_MAX: i64 = 50;
/// Failed attempts for one account from anywhere are counted over so long.
pub(crate) const WINDOW_LONGEST: Duration = days(1);
/// So many of them stop further ones from networks where the account was never signed in.
const ACCOUNT_FAILURES_MAX: i64 = 100;
/// So many wrong codes of a user in a window stop further ones until it ends.
const CODE_FAILURES_MAX: i64 = 5;
/// And so many in a day: of a million codes three are right at a time, so that a year of guesses finds one
/// in thirty of them.
const CODE_FAILURES_LONGEST_MAX: i64 = 30;
/// Links that are sent to one account in a window.
const LINKS_MAX: i64 = 5;
/// A network is known so long after the last sign-in from it.
pub(crate) const NETWORK_KNOWN: Duration = days(90);

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

const fn days(count: u64) -> Duration {
    minutes(count * 24 * 60)
}

/// The letters of a recovery code: those of Base32 that nobody takes for another one.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A recovery code out of unpredictable bytes: 26 letters, in groups.
pub(crate) fn recovery_code(chance: &[u8; 16]) -> String {
    let mut number = u128::from_be_bytes(*chance);
    let mut code = String::new();
    for place in 0..26 {
        if place > 0 && place % 5 == 0 && place < 25 {
            code.push('-');
        }
        code.push(LETTERS[(number % 32) as usize].into());
        number /= 32;
    }
    code
}

/// What a recovery code is kept as, however it was typed. It has 128 bits of chance, so that a fast hash is
/// as good as a slow one.
pub(crate) fn recovery_hash(typed: &str) -> Vec<u8> {
    let letters = typed.chars().filter(|letter| letter.is_ascii_alphanumeric());
    let normal: String = letters
        .map(|letter| match letter.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect();
    blake3::hash(normal.as_bytes()).as_bytes().to_vec()
}

/// What failed attempts are counted for.
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) failures_max: i64,
    pub(crate) window: Duration,
    /// Whether it stops nobody in a network where the account was signed in before.
    pub(crate) spares_known: bool,
}

/// What an attempt counts for: the account in this network, the network, and the account. Strangers
/// who guess elsewhere use up the last of these and no other, so that they keep out nobody who
/// comes from where they usually do.
pub(crate) fn buckets(account: &str, network: &str) -> Vec<Bucket> {
    let bucket = |name, failures_max, window, spares_known| Bucket {
        name,
        failures_max,
        window,
        spares_known,
    };
    let mut buckets = vec![
        bucket(format!("{account} {network}"), HERE_FAILURES_MAX, WINDOW, false),
        bucket(account.to_owned(), ACCOUNT_FAILURES_MAX, WINDOW_LONGEST, true),
    ];
    if !network.is_empty() {
        let name = format!("network:{network}");
        buckets.push(bucket(name, NETWORK_FAILURES_MAX, WINDOW, false));
    }
    buckets
}

/// What a wrong code counts for. Who guesses knows the password: so these are counted for the user and
/// nobody else, and recovery codes, which nobody guesses, stay good.
pub(crate) fn code_buckets(user_id: &str) -> Vec<Bucket> {
    let bucket =
        |name, failures_max, window| Bucket { name, failures_max, window, spares_known: false };
    vec![
        bucket(format!("code:{user_id}"), CODE_FAILURES_MAX, WINDOW),
        bucket(format!("codes:{user_id}"), CODE_FAILURES_LONGEST_MAX, WINDOW_LONGEST),
    ]
}

/// What a link counts for that is asked for: so that nobody's mailbox is filled.
pub(crate) fn link_buckets(account: &str, network: &str) -> Vec<Bucket> {
    let bucket =
        |name, failures_max, window| Bucket { name, failures_max, window, spares_known: false };
    let mut buckets = vec![bucket(format!("link:{account}"), LINKS_MAX, WINDOW)];
    if !network.is_empty() {
        buckets.push(bucket(format!("links:{network}"), NETWORK_FAILURES_MAX, WINDOW));
    }
    buckets
}

/// Until when no attempt is allowed, if none is.
pub(crate) fn blocked_until(
    bucket: &Bucket, since: Micros, failures: i64, now: Micros,
) -> Option<Micros> {
    let end = since.after(bucket.window);
    (failures >= bucket.failures_max && now < end).then_some(end)
}

/// When a session ends: the earlier of having idled too long and having lived too long.
pub(crate) fn session_end(last_use: Micros, idle: Duration, expire: Micros) -> Micros {
    last_use.after(idle).min(expire)
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
