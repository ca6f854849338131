//! Resources that references lead to: all that a level of a response needs of one type are got
//! together, each once, as whoever asks may see them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use apollo_compiler::response::JsonValue;
use serde_json::json;
use stoa_kit::{Error, Result};

use crate::asker::Asker;
use crate::limits::REFERENCES_MAX;
use crate::reply::{part, reply};
use crate::said::too_much;
use crate::schema::By;
use crate::watches::Watches;

/// What a response knows of resources: none where there is none, or none that whoever asks may see.
#[derive(Default)]
pub(crate) struct Resources {
    known: HashMap<(&'static str, String), Result<Option<JsonValue>>>,
}

/// How resources are got.
pub(crate) enum Asks<'a> {
    /// Once.
    Once(&'a Asker),
    /// And watched from then on.
    Watched(&'a mut Watches),
}

/// What a level needs, by how it is got.
pub(crate) type Needs = BTreeMap<&'static str, (Arc<By>, BTreeSet<String>)>;

impl Resources {
    /// A resource that was got.
    pub(crate) fn get(&self, by: &By, id: &str) -> Result<Option<JsonValue>> {
        let found = self.known.get(&(by.method.path, id.to_owned()));
        found.cloned().unwrap_or(Ok(None))
    }

    /// Gets what a level needs and is not known yet.
    pub(crate) async fn load(&mut self, asks: &mut Asks<'_>, needs: Needs) {
        for (path, (by, ids)) in needs {
            let is_new = |id: &String| !self.known.contains_key(&(path, id.clone()));
            let ids: Vec<String> = ids.into_iter().filter(is_new).collect();
            for ids in ids.chunks(by.at_once) {
                let got = match self.known.len() + ids.len() > REFERENCES_MAX {
                    true => Err(crowded()),
                    false => ask(asks, &by, ids).await,
                };
                self.keep(&by, ids, got);
            }
        }
    }

    fn keep(&mut self, by: &By, ids: &[String], got: Result<JsonValue>) {
        let resources: Result<HashMap<&str, &JsonValue>> = match &got {
            Err(error) => Err(error.clone()),
            Ok(items) => {
                let named = |item| Some((part(item, &by.id).as_str()?, item));
                let items = items.as_array().into_iter().flatten();
                Ok(items.filter_map(named).collect())
            }
        };
        for id in ids {
            let found = resources.as_ref().map_err(Clone::clone);
            let found = found.map(|all| all.get(id.as_str()).map(|found| (*found).clone()));
            self.known.insert((by.method.path, id.clone()), found);
        }
    }
}

async fn ask(asks: &mut Asks<'_>, by: &By, ids: &[String]) -> Result<JsonValue> {
    let text = json!({ "ids": ids }).to_string();
    let answer = match asks {
        Asks::Watched(watches) => watches.query(by.method, text.as_bytes()).await,
        Asks::Once(asker) => {
            asker.guest.count()?;
            asker.call(by.method, text.as_bytes(), None).await.and_then(reply)
        }
    };
    Ok(part(&answer?, &by.gives).clone())
}

fn crowded() -> Error {
    too_much(format!("the response would lead to more than {REFERENCES_MAX} resources"))
}
