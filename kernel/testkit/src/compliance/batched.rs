//! What a batch get gives is what `Get` shows, one by one: to everybody the same, in the order that was
//! asked for.

use serde_json::{Value, json};
use stoa_contract::{Contract, Method, Value as Holds};
use stoa_kit::Service;

use super::World;
use super::examples::Examples;
use super::listed::{callers, gives};
use crate::{Engine, run};

/// Checks every batch get of a contract.
pub(super) fn check(
    engine: Engine, contract: &Contract, services: fn() -> Vec<Service>, examples: &Examples,
) {
    for batch in contract.methods.iter().filter(|method| method.batch_gets.is_some()) {
        let list = batch.reply.fields.iter().find_map(|field| match field.value {
            Holds::List(shape) => Some((field.json, shape)),
            _ => None,
        });
        let (rows, shape) = list.expect("a batch get gives a list");
        let get = contract.methods.iter().copied().find(|method| gives(method, shape.name));
        let get = get.unwrap_or_else(|| panic!("{} has no Get beside it", batch.name));
        run(engine, services(), async |node| {
            let world = World::ready(&node, examples).await;
            // Backwards, one of them twice, and one that is not there.
            let mut ids: Vec<&str> = world.kept.values().rev().map(String::as_str).collect();
            ids.extend(["none", ids[0]]);
            let named = |method: &Method| match method.permission {
                stoa_contract::Permission::Named(name) => name,
                _ => "",
            };
            let mut all = callers(&node, &[named(batch), named(get)]);
            all.extend(ids.iter().map(|id| node.user_with(id, &[named(batch), named(get)])));
            all.push(node.admin());
            let mut shown_at_all = false;
            for caller in all {
                let asked = world.ask(batch.path, &caller, &json!({ "ids": ids }), None).await;
                let Ok(found) = asked else { continue };
                let found = found[rows].as_array().into_iter().flatten();
                let found: Vec<&Value> = found.map(|row| &row["id"]).collect();
                let mut shown = Vec::new();
                for id in &ids {
                    let one = json!({ get.request.fields[0].json: id });
                    if world.ask(get.path, &caller, &one, None).await.is_ok() {
                        shown.push(*id);
                    }
                }
                assert_eq!(found, shown, "{} as {}", batch.name, caller.subject);
                shown_at_all |= !shown.is_empty();
            }
            assert!(shown_at_all, "{} gives nothing to anybody", batch.name);
        });
    }
}
