//! GraphQL, by clients that we did not write, and over the services that there are.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Request;
use crate::process::Node;
use crate::shop::Shop;

/// What the clients heard.
fn heard(node: &Node, token: &str) -> Value {
    let mut clients = Command::new("node");
    clients.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/graphql.mjs"));
    clients.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../tools"));
    let output = clients.args([&node.url(), token]).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {complaint}"))
}

#[test]
fn clients_of_others_ask_as_they_do_elsewhere() {
    let folder = TempDir::new().unwrap();
    let mut node = Node::start(&folder.path().join("data"), &[]);
    let token = node.set_up();
    let heard = heard(&node, &token);
    // What conforms to GraphQL over HTTP: all that is asked for, required or not.
    assert_eq!(heard["audit"], json!({"ok": 61, "failed": []}));
    assert!(heard["schema"]["count"].as_u64().unwrap() > 100, "{heard}");
    let leads = json!([
        "OrdersOrder.transfer: LedgerTransfer",
        "LedgerLeg.debitAccount: LedgerAccount",
        "LedgerTransfer.reversesTransfer: LedgerTransfer",
        "NotifyNotification.user: UsersUser",
    ]);
    assert_eq!(heard["schema"]["leads"], leads);
    let subject = &heard["urql"]["data"]["auth"]["whoAmI"]["subject"];
    assert!(subject.as_str().unwrap().starts_with("user:usr_"), "{heard}");
    let refused = &heard["urql"]["refused"];
    assert_eq!(refused["reason"], "request.invalid");
    assert_eq!(refused["violations"][0]["path"], "currency");
    for client in ["sse", "ws"] {
        let asked = json!([{"auth": {"whoAmI": {"subject": subject}}}]);
        let states = json!([["0", "Ann"], ["7", "Ann"], ["7", "Bob"]]);
        let expected = json!({"asked": asked, "topic": "ledger.account", "states": states});
        assert_eq!(heard[client], expected);
    }
}

/// How often each method was called.
fn calls(node: &Node) -> BTreeMap<String, u64> {
    let page = Request::call("", "auth", "", &json!({})).by("GET").to("/metrics").body("");
    let text = String::from_utf8(page.send(node.address).body).unwrap();
    let series =
        text.lines().filter_map(|line| line.strip_prefix("stoa_call_seconds_count{method=\""));
    let counts = series.filter_map(|series| series.split_once("\"} "));
    counts.map(|(path, count)| (path.to_owned(), count.parse().unwrap())).collect()
}

#[test]
fn from_orders_to_people_each_level_is_one_call() {
    let folder = TempDir::new().unwrap();
    let shop = Shop::open(&folder.path().join("data"));
    let cart = json!({"lines": [{"sku": "CD", "quantity": 1}], "currency": "EUR"});
    for customer in [&shop.ada, &shop.eve, &shop.ada, &shop.eve] {
        shop.node.call(customer, "orders", "PlaceOrder", &cart).ok();
    }
    let query = "{ orders { orders { orders {
        lines { skuVariant { sku prices { amount } } }
        transfer { legs { debitAccount { owner { handle } } creditAccount { code } } }
    } } } }";
    let ask = |token: &str| {
        let request = Request::call(token, "auth", "", &json!({ "query": query }));
        request.to("/graphql").send(shop.node.address).json()
    };
    let before = calls(&shop.node);
    let said = ask(&shop.admin);
    let mut after = calls(&shop.node);
    after.retain(|path, count| {
        *count -= before.get(path).unwrap_or(&0);
        *count > 0
    });
    let once = [
        "stoa.catalog.v1.CatalogService/BatchGetVariants",
        "stoa.ledger.v1.LedgerService/BatchGetAccounts",
        "stoa.ledger.v1.LedgerService/BatchGetTransfers",
        "stoa.orders.v1.OrdersService/ListOrders",
        "stoa.users.v1.UsersService/BatchGetUsers",
    ];
    assert_eq!(after, once.map(|path| (path.to_owned(), 1)).into(), "{said:#}");
    let order = |handle: &str| {
        let variant = json!({"sku": "CD", "prices": [{"amount": "1499"}]});
        let debit = json!({"owner": {"handle": handle}});
        let leg = json!({"debitAccount": debit, "creditAccount": {"code": "sales/EUR"}});
        json!({"lines": [{"skuVariant": variant}], "transfer": {"legs": [leg]}})
    };
    let orders = ["eve", "grace", "eve", "grace"].map(order);
    assert_eq!(said, json!({"data": {"orders": {"orders": {"orders": orders}}}}));
    // A customer sees what they ordered, and not the books.
    let said = ask(&shop.ada);
    let orders = said["data"]["orders"]["orders"]["orders"].as_array().unwrap();
    let shown: Vec<_> = orders.iter().map(|order| (&order["lines"], &order["transfer"])).collect();
    let lines = order("grace")["lines"].take();
    assert_eq!(shown, [(&lines, &Value::Null), (&lines, &Value::Null)]);
    assert_eq!(said["errors"][0]["extensions"]["code"], "permission_denied");
}
