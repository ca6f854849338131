//! A shop, as a node that has something to tell.

use std::path::Path;

use serde_json::{Value, json};

use crate::process::{Node, PASSWORD};

/// Two customers of a shop with one article.
pub(crate) struct Shop {
    pub(crate) node: Node,
    pub(crate) admin: String,
    pub(crate) ada: String,
    pub(crate) eve: String,
}

impl Shop {
    /// Opens it in a directory.
    pub(crate) fn open(directory: &Path) -> Self {
        let mut node = Node::start(directory, &[]);
        let admin = node.set_up();
        let price = json!({"amount": 1499, "currency": "EUR"});
        let variants = json!([{"sku": "CD", "prices": [price]}]);
        let product = json!({"title": "Compact disc", "variants": variants});
        node.call(&admin, "catalog", "CreateProduct", &product).ok();
        let stock = json!({"lines": [{"sku": "CD", "quantity": 10}]});
        node.call(&admin, "inventory", "Receive", &stock).ok();
        let customer = |handle: &str| {
            let user = json!({"handle": handle, "email": format!("{handle}@example.com")});
            let user = node.call(&admin, "users", "CreateUser", &user).ok();
            let id = user["user"]["id"].as_str().unwrap();
            let password = json!({"user_id": id, "password": PASSWORD});
            node.call(&admin, "auth", "SetPassword", &password).ok();
            node.sign_in(handle, PASSWORD)
        };
        let (ada, eve) = (customer("grace"), customer("eve"));
        Self { node, admin, ada, eve }
    }

    /// The rows that a list shows somebody.
    pub(crate) fn list(
        &self, who: &str, (service, method, field): (&str, &str, &str), by: &Value,
    ) -> Value {
        let list = self.node.call(who, service, method, by).ok();
        list[field].clone()
    }
}
