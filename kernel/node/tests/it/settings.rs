//! Settings of a service: set while nodes run, secret where the contract says so.

use serde_json::{Value, json};
use stoa_contract::{Check, Contract, Field, Kind, Leaf, Method, Permission, Shape};
use stoa_kit::v1::Money;
use stoa_kit::{Message, Methods, Request, Service};
use stoa_testkit::{Engine, Node, run};

use crate::echo;
use crate::messages::Say;

crate::on_both!(
    a_secret_is_set_and_never_shown,
    what_is_set_holds_after_a_restart_until_it_is_reset
);

const CONTRACT: &Contract = &Contract {
    name: "vault",
    full_name: "stoa.vault.v1.VaultService",
    doc: "Has settings.",
    methods: &[Open::METHOD, Reach::METHOD],
    events: &[],
    descriptors: &[],
};

/// Its settings: a number, and a text that is secret.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Settings(Money);

/// Asks what holds, in a query.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Open(Money);

/// Asks what holds, in an effect.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Reach(Money);

stoa_testkit::wraps!(Settings);
stoa_testkit::wraps!(Open);
stoa_testkit::wraps!(Reach);

impl Message for Settings {
    const NAME: &'static str = "stoa.vault.v1.Settings";
    const SHAPE: &'static Shape =
        &Shape { name: Self::NAME, fields: &[field("amount", false), field("currency", true)] };

    fn check(&self, check: &mut Check) {
        if self.0.amount > 100 {
            check.broken("amount", "int64.lte", "must be at most 100");
        }
    }
}

const fn field(name: &'static str, redact: bool) -> Field {
    Field {
        name,
        json: name,
        value: stoa_contract::Value::Leaf(Leaf::Text),
        redact,
        personal: false,
    }
}

macro_rules! asks {
    ($name:ident, $kind:ident) => {
        impl Message for $name {
            const NAME: &'static str = concat!("stoa.vault.v1.", stringify!($name));
            const SHAPE: &'static Shape = Money::SHAPE;

            fn check(&self, _: &mut Check) {}
        }

        impl Request for $name {
            type Reply = Money;
            const METHOD: &'static Method = &Method {
                path: concat!("stoa.vault.v1.VaultService/", stringify!($name)),
                service: "vault",
                name: stringify!($name),
                kind: Kind::$kind,
                permission: Permission::Public,
                request: Money::SHAPE,
                reply: Money::SHAPE,
                ..*<Say as Request>::METHOD
            };
        }
    };
}

asks!(Open, Query);
asks!(Reach, Effect);

fn vault() -> Service {
    let methods = Methods::new(CONTRACT)
        .query(|view, _: Open| Ok(view.settings::<Settings>()?.0))
        .effect(|ctx, _: Reach| async move { Ok(ctx.settings::<Settings>().await?.0) });
    Service::new(methods).settings(&Settings(Money { amount: 7, currency: String::new() }))
}

/// What holds, as a query and an effect of the service see it.
async fn held(node: &Node) -> (i64, String) {
    let open = node.call(&node.nobody(), Open::default()).await.unwrap();
    assert_eq!(node.call(&node.nobody(), Reach::default()).await.unwrap(), open);
    (open.amount, open.currency)
}

async fn set(node: &Node, name: &str, value: &str) -> Value {
    let request = json!({"service": "vault", "name": name, "value": value});
    echo::system(node, "UpdateSetting", request).await.unwrap()["setting"].clone()
}

async fn shown(node: &Node) -> Vec<Value> {
    let request = json!({"service": "vault"});
    let reply = echo::system(node, "ListSettings", request).await.unwrap();
    reply["settings"].as_array().unwrap().clone()
}

fn a_secret_is_set_and_never_shown(engine: Engine) {
    run(engine, vec![vault()], |node| async move {
        assert_eq!(held(&node).await, (7, String::new()));
        let one = &shown(&node).await[1];
        assert_eq!((&one["isSecret"], &one["isSet"]), (&json!(true), &Value::Null), "{one}");
        let secret = "sk_canary_of_a_provider";
        let one = set(&node, "currency", &format!("{secret:?}")).await;
        assert_eq!((&one["isSet"], &one["value"]), (&json!(true), &Value::Null), "{one}");
        assert_eq!(held(&node).await, (7, secret.to_owned()));
        assert!(!format!("{:?}", shown(&node).await).contains(secret));
        assert_eq!(node.first_on_disk([secret.as_bytes()].into_iter()).await, None);
    });
}

fn what_is_set_holds_after_a_restart_until_it_is_reset(engine: Engine) {
    run(engine, vec![vault()], |node| async move {
        let before = shown(&node).await[0].clone();
        assert_eq!((&before["value"], &before["source"]), (&json!("\"7\""), &json!("default")));
        let after = set(&node, "amount", "9").await;
        assert_eq!((&after["value"], &after["source"]), (&json!("9"), &json!("user:usr_admin")));
        let node = node.crash(vec![vault()]).await;
        assert_eq!(held(&node).await.0, 9);
        for (name, value, etag, reason) in [
            ("amount", "101", "", "request.invalid"),
            ("amount", "many", "", "request.invalid"),
            ("amount", "8", before["etag"].as_str().unwrap(), "request.etag"),
            ("amounts", "8", "", "config.unknown"),
        ] {
            let request = json!({"service": "vault", "name": name, "value": value, "etag": etag});
            let error = echo::system(&node, "UpdateSetting", request).await.unwrap_err();
            assert_eq!(error.reason(), reason, "{name} {value}");
        }
        assert_eq!(held(&node).await.0, 9, "what was refused changed nothing");
        let reset = json!({"service": "vault", "name": "amount", "etag": after["etag"]});
        echo::system(&node, "ResetSetting", reset).await.unwrap();
        assert_eq!(held(&node).await.0, 7);
    });
}
