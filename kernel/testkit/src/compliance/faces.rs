//! The examples of a service, asked by way of faces: each gives the same replies and the same
//! refusals, and leaves the same rows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use stoa_contract::{Contract, Format, Kind, Method, Permission};
use stoa_kit::{Authenticated, Authenticator, MAIN, Micros, Registry, Service};
use stoa_node::{Face, Port};

use super::examples::{Examples, OfMethod, broken, is_shown};
use super::{Decoy, World, caller};
use crate::bench::{Bench, Setup};
use crate::web::listen;
use crate::{Engine, Node};

/// A way to speak to a node's port.
pub trait Speaker: Sync {
    /// What it is called.
    fn name(&self) -> &str;

    /// What it needs beside RPC.
    fn faces(&self, node: &Node) -> Vec<Arc<dyn Face>>;

    /// Whether a question can be asked so.
    fn says(&self, _: &Ask) -> bool {
        true
    }

    /// Whether a refusal only says that what was asked can be said otherwise, but not so.
    fn is_foreign(&self, _: &Refusal) -> bool {
        false
    }

    /// A question as it is asked. The token of a caller is their name; nobody has none.
    fn request(&self, ask: &Ask) -> Request<Bytes>;

    /// What came of it; trailers stand among the headers.
    fn heard(&self, ask: &Ask, answer: Response<Bytes>) -> Result<Value, Refusal>;
}

/// A question.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The method.
    pub method: &'static Method,
    /// Who asks; none for nobody.
    pub token: Option<String>,
    /// The message.
    pub request: Value,
    /// The idempotency key.
    pub key: Option<String>,
    /// The word of the code that it is refused with, where who asks decides.
    pub denied: Option<&'static str>,
}

/// A refusal, as far as it is the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The word of its code.
    pub code: String,
    /// Its reason.
    pub reason: String,
    /// The paths of its violations.
    pub paths: Vec<String>,
}

/// What a face made of the examples.
#[derive(Debug, PartialEq)]
struct Heard {
    answers: Vec<(String, Result<Value, Refusal>)>,
    /// How many of them were denied to whom they had to be.
    denied: usize,
    rows: BTreeMap<String, usize>,
    /// Of each commit in its turn: what caused it, who called what, and the tables that it wrote.
    commits: Vec<[Vec<u8>; 4]>,
    /// Of each idempotency key that was remembered: its hash, and that of what was asked under it.
    keys: BTreeSet<[Vec<u8>; 2]>,
}

/// What was the same on every face.
#[derive(Debug, Default, Clone, Copy)]
pub struct Same {
    /// Examples that were asked.
    pub asked: usize,
    /// Of them, those that had a reply, and those that were refused.
    pub replies: usize,
    /// With the same code, reason and paths.
    pub refusals: usize,
    /// Of these, those that depended on who asked, and had to be.
    pub denied: usize,
    /// Idempotency records.
    pub keys: usize,
    /// Audit entries: the records of commits.
    pub commits: usize,
    /// Tables with as many rows.
    pub tables: usize,
}

impl Same {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            asked: self.asked + other.asked,
            replies: self.replies + other.replies,
            refusals: self.refusals + other.refusals,
            denied: self.denied + other.denied,
            keys: self.keys + other.keys,
            commits: self.commits + other.commits,
            tables: self.tables + other.tables,
        }
    }

    /// What was compared on each face.
    pub fn assertions(&self) -> usize {
        self.replies + self.refusals + self.denied + self.keys + self.commits + self.tables
    }
}

/// Asks everything that the examples of a service tell to ask, by way of each face, and compares.
pub fn same_by_way_of(
    speakers: &[&dyn Speaker], contract: &'static Contract, services: fn() -> Vec<Service>,
    folder: &Path,
) -> Same {
    let text = std::fs::read_to_string(folder.join("examples.yaml")).unwrap();
    let examples = &Examples::read(&text, contract);
    let bench = Bench::new(Engine::Sqlite, &services());
    let kept = bench.run(with_names_as_tokens(services()), Setup::in_turn(), |node| async move {
        World::ready(&node, examples).await.kept
    });
    let heard = speakers.iter().map(|speaker| {
        let kept = kept.clone();
        let services = with_names_as_tokens(services());
        bench.copy().run(services, Setup::in_turn(), |node| async move {
            let world = World { kept, ..World::new(node, MAIN, Decoy::default()) };
            listen_to(*speaker, contract, examples, &world).await
        })
    });
    let heard: Vec<Heard> = heard.collect();
    for (other, speaker) in heard.iter().zip(speakers) {
        for (found, wanted) in other.answers.iter().zip(&heard[0].answers) {
            assert_eq!(found, wanted, "{} and {}", speaker.name(), speakers[0].name());
        }
        assert_eq!(other.rows, heard[0].rows, "{} leaves other rows", speaker.name());
        assert_eq!(told(&other.commits), told(&heard[0].commits), "{}: commits", speaker.name());
        assert_eq!(other.keys, heard[0].keys, "{}: idempotency keys", speaker.name());
    }
    let Heard { answers, denied, rows, commits, keys } = &heard[0];
    let replies = answers.iter().filter(|(_, answer)| answer.is_ok()).count();
    Same {
        asked: answers.len(),
        replies,
        refusals: answers.len() - replies,
        denied: *denied,
        keys: keys.len(),
        commits: commits.len(),
        tables: rows.len(),
    }
}

/// The tables of a commit with how many rows it wrote, without what names the rows: ids are drawn.
fn counted(tables: &[u8]) -> Vec<u8> {
    let words = tables.split(|byte| *byte == b' ');
    let words = words.map(|word| word.split(|byte| *byte == b'@').next().unwrap_or_default());
    words.collect::<Vec<_>>().join(&b' ')
}

fn told(commits: &[[Vec<u8>; 4]]) -> Vec<String> {
    let words = |commit: &[Vec<u8>; 4]| commit.join(&b' ');
    commits.iter().map(|commit| String::from_utf8_lossy(&words(commit)).into_owned()).collect()
}

async fn listen_to(
    speaker: &dyn Speaker, contract: &'static Contract, examples: &Examples, world: &World,
) -> Heard {
    let node = &world.node;
    let port = Port::new(node.inner(), speaker.faces(node), listen()).unwrap();
    let (mut answers, mut denied) = (Vec::new(), 0);
    for ask in questions(contract, examples, world) {
        // Rows of one moment would be listed in the order of what is drawn.
        node.pass(Duration::from_millis(1));
        let what = format!("{} as {:?} with {}", ask.method.name, ask.token, ask.request);
        let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
        let (mut head, body) = port.answer(peer, speaker.request(&ask)).await.into_parts();
        let body = body.collect().await.unwrap();
        head.headers.extend(body.trailers().cloned().unwrap_or_default());
        let heard = speaker.heard(&ask, Response::from_parts(head, body.to_bytes()));
        if let Some(code) = ask.denied {
            let is_denied = heard.as_ref().is_err_and(|refusal| refusal.code == code);
            assert!(is_denied, "{}: {what} gives {heard:?} instead of {code}", speaker.name());
            denied += 1;
        }
        answers.push((what, heard.map(masked)));
        node.settle().await;
    }
    let kept = node.kept().await;
    let commits = kept.table("stoa_commit").map(|row| {
        let [_, position, _, cause, caller, method, _, tables, ..] = row else {
            panic!("a commit")
        };
        let position: i64 = std::str::from_utf8(position).unwrap().parse().unwrap();
        // A job is known by its method: what it is called is drawn.
        let cause = if cause.starts_with(b"job:") { b"job".to_vec() } else { cause.clone() };
        (position, [cause, caller.clone(), method.clone(), counted(tables)])
    });
    let commits = commits.collect::<BTreeMap<_, _>>().into_values().collect();
    // The steps of a job have keys that follow from what it is called.
    let jobs = kept.table("stoa_commit").filter(|row| row[3].starts_with(b"job:"));
    let jobs: BTreeSet<_> = jobs.map(|row| row[1].clone()).collect();
    let asked = kept.table("stoa_key").filter(|row| !jobs.contains(&row[3]));
    let keys = asked.map(|row| [row[1].clone(), row[2].clone()]).collect();
    let mut rows = BTreeMap::new();
    for row in kept.rows {
        *rows.entry(row.table).or_default() += 1;
    }
    Heard { answers, denied, rows, commits, keys }
}

/// The methods that every face shows.
pub(super) fn shown(contract: &'static Contract) -> impl Iterator<Item = &'static Method> {
    let all = contract.methods.iter().copied();
    all.filter(|method| is_shown(method) && !method.http.is_empty())
}

/// A question of somebody, with what earlier steps kept.
pub(super) fn ask(
    world: &World, method: &'static Method, caller: &str, with: &Value, key: Option<String>,
) -> Ask {
    let token = match world.text(caller).as_str() {
        "nobody" => None,
        "admin" => Some("user:usr_admin with=*".to_owned()),
        other => Some(other.to_owned()),
    };
    Ask { method, token, request: world.fill(with), key, denied: None }
}

/// What must be refused, and then what must not, of every method that faces show.
fn questions(contract: &'static Contract, examples: &Examples, world: &World) -> Vec<Ask> {
    let methods = || shown(contract);
    let ask = |method, caller: &str, with: &Value, key| ask(world, method, caller, with, key);
    let registry = world.node.inner().registry();
    let mut asks = Vec::new();
    for method in methods() {
        let OfMethod { success, denied, invalid } = &examples.methods[method.name];
        let strangers = ask(method, "user:usr_stranger", &success.with, None);
        let nobodys = ask(method, "nobody", &success.with, None);
        match method.permission {
            Permission::Public => asks.extend([nobodys, strangers]),
            Permission::Named(permission) => {
                let nearly = ask(method, &all_but(permission, registry), &success.with, None);
                asks.push(Ask { denied: Some("unauthenticated"), ..nobodys });
                asks.push(Ask { denied: Some("permission_denied"), ..strangers });
                asks.push(Ask { denied: Some("permission_denied"), ..nearly });
            }
            Permission::Authenticated | Permission::Internal => {
                asks.extend([Ask { denied: Some("unauthenticated"), ..nobodys }, strangers]);
            }
        }
        if let Some(denied) = denied.as_ref().filter(|denied| denied.none.is_none()) {
            let with = denied.with.as_ref().unwrap_or(&success.with);
            asks.push(ask(method, &denied.caller, with, None));
        }
        let filled = world.fill(&success.with);
        let mut nonsense = filled.clone();
        nonsense["nonsense"] = json!("x");
        asks.push(ask(method, &success.caller, &nonsense, None));
        let bound = registry.method(method.path).expect("the method is bound");
        let decode = |text: &[u8]| bound.decode_request(text, Format::Json);
        for (request, _) in broken(method, filled.as_object().unwrap(), decode) {
            // A path has no place for a value that is empty or longer than any path.
            let in_path = |field: &str| {
                method.http[0].variables.iter().any(|variable| variable.field == field)
            };
            let fields = request.as_object().unwrap();
            let short =
                |value: &Value| value.as_str().is_none_or(|text| (1..5_000).contains(&text.len()));
            let whole =
                method.request.fields.iter().filter(|field| in_path(field.name)).all(|field| {
                    let value = fields.get(field.json).or_else(|| fields.get(field.name));
                    value.is_some_and(short)
                });
            if whole {
                asks.push(ask(method, &success.caller, &request, None));
            }
        }
        if let Some(invalid) = invalid {
            asks.push(ask(method, &invalid.caller, &invalid.with, None));
        }
    }
    for method in methods() {
        let success = &examples.methods[method.name].success;
        let keyed = method.kind != Kind::Query && success.caller != "nobody";
        let key = keyed.then(|| format!("key-{}", method.name));
        asks.push(ask(method, &success.caller, &success.with, key.clone()));
        if keyed {
            asks.push(ask(method, &success.caller, &success.with, key));
        }
    }
    asks
}

/// Somebody who has every permission there is but one.
pub(super) fn all_but(permission: &str, registry: &Registry) -> String {
    let contracts = registry.services().iter().filter_map(|service| service.contract);
    let named = contracts.flat_map(|contract| contract.methods).filter_map(|method| {
        match method.permission {
            Permission::Named(other) => (other != permission).then_some(other),
            _ => None,
        }
    });
    let others: BTreeSet<&str> = named.collect();
    format!("user:usr_nearly with={}", Vec::from_iter(others).join(","))
}

/// What of a time says it to the second: `2026-01-01T00:00:00`.
const SECONDS: usize = 19;

/// A reply without what is drawn anew on each node: identifiers, secrets, what is PEM, tokens of pages, the
/// etags that hash them, and what of a second a clock shows that moves on with every look.
fn masked(reply: Value) -> Value {
    match reply {
        Value::String(text) if text.as_bytes().get(10) == Some(&b'T') && text.ends_with('Z') => {
            Value::String(text[..text.len().min(SECONDS)].to_owned())
        }
        Value::String(text) => {
            let digits = text.bytes().any(|byte| byte.is_ascii_digit());
            let is_word = !text.contains(' ') || text.starts_with("-----BEGIN ");
            let drawn = text.len() >= 20 && digits && is_word;
            Value::String(if drawn { "*".to_owned() } else { text })
        }
        Value::Array(items) => items.into_iter().map(masked).collect(),
        Value::Object(fields) => {
            let masked = |(key, value)| match key == "etag" {
                true => (key, Value::Null),
                false => (key, masked(value)),
            };
            fields.into_iter().map(masked).collect()
        }
        other => other,
    }
}

/// The services, and who calls is whoever their token says.
pub(super) fn with_names_as_tokens(mut services: Vec<Service>) -> Vec<Service> {
    for service in &mut services {
        service.authenticator = service.authenticator.take().map(|by| Authenticator {
            tenant: |_| Some(MAIN),
            run: |_, token| {
                // A token that was altered on its way is nobody's.
                let id = token.strip_prefix("user:").unwrap_or_default();
                if !id.starts_with(|first: char| first.is_ascii_alphanumeric()) {
                    return Ok(None);
                }
                let (caller, until) = (caller(MAIN, token), Micros(i64::MAX));
                Ok(Some(Authenticated { caller, until, due: None }))
            },
            ..by
        });
    }
    services
}
