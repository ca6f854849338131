//! A million relations to decide by: documents lie in folders, folders in others, groups may see some of
//! these, and people are in groups.

use serde_json::json;
use stoa_kit::Result;

use super::load::Random;
use crate::child::Child;
use crate::demo::{Item, send};
use crate::setup::Api;
use crate::wire::{Prefix, push_number};

const MODEL: &str = "model
  schema 1.1
type user
type group
  relations
    define member: [user, group#member]
type folder
  relations
    define parent: [folder]
    define viewer: [user, group#member] or viewer from parent
type document
  relations
    define folder: [folder]
    define viewer: [user] or viewer from folder
";
const DOCUMENTS: usize = 500_000;
/// Each but the first lies in another one, ten in each: five above one another.
const FOLDERS: usize = 50_000;
/// The first folders, which a group may see.
const SEEN: usize = 5_000;
const GROUPS: usize = 1_000;
const PEOPLE: usize = 445_000;
/// Relations that are written in one call.
const CHUNK: usize = 100;
/// Calls at once.
const LANES: usize = 16;

/// A relation as it is written, by its number.
fn relation(number: usize) -> String {
    let of = |object: String, relation: &str, user: String| {
        format!("{{\"object\":\"{object}\",\"relation\":\"{relation}\",\"user\":\"{user}\"}}")
    };
    let (folders, seen) = (DOCUMENTS + FOLDERS, DOCUMENTS + FOLDERS + SEEN);
    match number {
        n if n < DOCUMENTS => of(format!("document:{n}"), "folder", folder(n % FOLDERS)),
        n if n < folders => of(folder(n - DOCUMENTS), "parent", folder((n - DOCUMENTS) / 10)),
        n if n < seen => {
            let n = n - folders;
            of(folder(n), "viewer", format!("group:{}#member", n % GROUPS))
        }
        n => of(format!("group:{}", (n - seen) % GROUPS), "member", format!("user:{}", n - seen)),
    }
}

fn folder(number: usize) -> String {
    format!("folder:{number}")
}

/// Writes the model and the relations.
pub(super) async fn relate(child: &Child, token: &str) -> Result<()> {
    let mut api = Api::new(child, Some(token.to_owned()));
    api.call("access", "WriteModel", &json!({"definition": MODEL}), Some("model")).await?;
    let all = DOCUMENTS + FOLDERS + SEEN + PEOPLE;
    let item = |chunk: usize| {
        let numbers = chunk * CHUNK..((chunk + 1) * CHUNK).min(all);
        let relations: Vec<String> = numbers.map(relation).collect();
        let body = format!("{{\"writes\":[{}]}}", relations.join(",")).into_bytes();
        Item { key: format!("relations-{chunk}"), body }
    };
    let lane = |lane| (lane..all.div_ceil(CHUNK)).step_by(LANES).map(item).collect();
    let prefix = Prefix::call("/stoa.access.v1.AccessService/WriteRelations", token);
    send(child, &prefix, (0..LANES).map(lane).collect(), ("relations", 0)).await?;
    Ok(())
}

/// Asks whether somebody may see a document: every other time somebody who may, for a folder that lies
/// two above that of the document.
pub(super) fn question(random: &mut Random, out: &mut Vec<u8>) {
    let document = random.below(DOCUMENTS);
    let group = document % FOLDERS / 100 % GROUPS;
    let person = match random.below(2) {
        0 => group + GROUPS * random.below(PEOPLE / GROUPS),
        _ => random.below(PEOPLE),
    };
    out.extend_from_slice(b"{\"relation\":\"viewer\",\"object\":\"document:");
    push_number(out, document);
    out.extend_from_slice(b"\",\"user\":\"user:");
    push_number(out, person);
    out.extend_from_slice(b"\"}");
}
