//! What a list shows, `Get` shows too: for users, service accounts and strangers alike.

use serde_json::{Value, json};
use stoa_contract::{Contract, Kind, Method, Permission, Value as Holds};
use stoa_kit::{Caller, Code, Service};

use super::examples::Examples;
use super::{World, narrowed};
use crate::{Engine, Node, run};

/// Checks every list of rows that can also be got one by one.
pub(super) fn check(
    engine: Engine, contract: &Contract, services: fn() -> Vec<Service>, examples: &Examples,
) {
    let methods = contract.methods;
    let pairs: Vec<_> =
        methods.iter().filter_map(|list| Some((*list, got(list, methods)?))).collect();
    run(engine, services(), async |node| {
        let world = World::ready(&node, examples).await;
        let all = format!("{}.*", contract.name);
        for method in methods.iter().filter(|method| method.kind == Kind::Command) {
            let Some(of) = examples.methods.get(method.name) else { continue };
            for caller in callers(&node, &[&all]) {
                // Whether they may, or come too late, is the business of other examples.
                let _ = world.ask(method.path, &caller, &of.success.with, None).await;
            }
        }
        narrowed::check(&world, contract, examples).await;
        for (list, get) in pairs {
            let named = [list, get].map(|method| match method.permission {
                Permission::Named(name) => name,
                _ => "",
            });
            for caller in callers(&node, &named) {
                let Ok(page) = world.ask(list.path, &caller, &json!({}), None).await else {
                    continue;
                };
                let rows = page.as_object().into_iter().flatten();
                for id in rows.filter_map(|(_, rows)| rows.as_array()).flatten().filter_map(id) {
                    let asked = json!({ get.request.fields[0].json: id });
                    let shown = world.ask(get.path, &caller, &asked, None).await;
                    let hidden = shown.is_err_and(|error| error.code() == Code::NotFound);
                    assert!(
                        !hidden,
                        "{} shows {id} to {}, Get does not",
                        list.name, caller.subject
                    );
                }
            }
        }
    });
}

/// The method that gets one row of those that a method lists.
fn got(list: &Method, methods: &[&'static Method]) -> Option<&'static Method> {
    let of = list.reply.fields.iter().find_map(|field| match field.value {
        Holds::List(shape) if list.name.starts_with("List") => Some(shape.name),
        _ => None,
    })?;
    methods.iter().copied().find(|method| gives(method, of))
}

/// Whether a method gets one message of a type.
pub(super) fn gives(method: &Method, of: &str) -> bool {
    method.name.starts_with("Get") && method.reply.fields.iter().any(|f| holds(f.value, of))
}

/// Whether a field holds one message of a type.
pub(super) fn holds(value: Holds, of: &str) -> bool {
    matches!(value, Holds::Message(shape) if shape.name == of)
}

fn id(row: &Value) -> Option<&str> {
    row["id"].as_str()
}

/// Users, service accounts and a stranger.
pub(super) fn callers(node: &Node, permissions: &[&str]) -> Vec<Caller> {
    vec![
        node.account_with("svc_1", permissions),
        node.account_with("svc_2", permissions),
        node.user_with("usr_1", permissions),
        node.user_with("usr_2", permissions),
        node.nobody(),
    ]
}
