//! What a batch get gives is what `Get` shows, one by one: to everybody the same, in the order that was
//! asked for.

use serde_json::{Value, json};
use stoa_contract::{Contract, Method, Value as Holds};
use stoa_kit::Service;

use super::World;
use super::examples::Examples;
use super::listed::{callers, gives, holds};
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
        let part = get.reply.fields.iter().find(|field| holds(field.value, shape.name));
        let part = part.expect("a Get gives one").json;
        run(engine, services(), async |node| {
            let world = World::ready(&node, examples).await;
            // Backwards, one of them twice, and one that is not there. What is longer than an
            // identifier is something else that was kept, such as a token.
            let kept = world.kept.values().rev().map(String::as_str);
            let mut ids: Vec<&str> = kept.filter(|kept| kept.len() <= 64).collect();
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
                // What is refused shows nothing, and an empty list is left out.
                let found = asked.ok().map(|mut found| found[rows].take());
                let found = found.filter(Value::is_array).unwrap_or_else(|| json!([]));
                let mut shown = Vec::new();
                for id in &ids {
                    let one = json!({ get.request.fields[0].json: id });
                    if let Ok(mut one) = world.ask(get.path, &caller, &one, None).await {
                        shown.push(one[part].take());
                    }
                }
                let shown = Value::Array(shown);
                assert_eq!(found, shown, "{} as {}", batch.name, caller.subject);
                shown_at_all |= shown != json!([]);
            }
            assert!(shown_at_all, "{} gives nothing to anybody", batch.name);
        });
    }
}
