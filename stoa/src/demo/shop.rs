//! The shop around the purchases: what it sells, who buys, and what there is to look at.

use std::collections::HashMap;

use serde_json::json;
use stoa_kit::Result;

use super::Wanted;
use super::file::{Purchase, dollars};
use crate::child::Child;
use crate::setup::{Api, Secrets, sign_in, text};

/// What the shop sells.
pub(crate) const SKU: &str = "CD";
/// How many of it are taken into stock: more than anybody ever bought.
pub(crate) const STOCK: i64 = 1_000_000;

/// Puts the article into the catalogue and into stock, unless it is there. The keys are for a
/// run that died in between; what is there is for one that comes back after they are forgotten.
pub(crate) async fn open(admin: &mut Api) -> Result<()> {
    let products = admin.list(("catalog", "ListProducts"), "products", json!({})).await?;
    if products.is_empty() {
        let request = json!({
            "title": "Compact disc",
            "variants": [{"sku": SKU, "prices": [{"amount": 1499, "currency": "USD"}]}],
        });
        admin.call("catalog", "CreateProduct", &request, Some("cdnow-product")).await?;
    }
    let stock = admin.call("inventory", "GetStock", &json!({"sku": SKU}), None).await?;
    if stock.body["stock"].as_array().is_none_or(Vec::is_empty) {
        let request = json!({"lines": [{"sku": SKU, "quantity": STOCK}]});
        admin.call("inventory", "Receive", &request, Some("cdnow-stock")).await?;
    }
    Ok(())
}

/// The identifiers of the customers' users, by their handles.
pub(crate) async fn users(api: &mut Api) -> Result<HashMap<String, String>> {
    let request = json!({"handle_prefix": "cdnow-"});
    let users = api.list(("users", "ListUsers"), "users", request).await?;
    let name =
        |user: &serde_json::Value| (text(&user["handle"]).to_owned(), text(&user["id"]).to_owned());
    Ok(users.iter().map(name).collect())
}

/// The customers who spent most: handle, cents, purchases.
pub(crate) fn best(purchases: &[Purchase], count: usize) -> Vec<(String, i64, usize)> {
    let mut spent: HashMap<u32, (i64, usize)> = HashMap::new();
    for purchase in purchases {
        let (cents, times) = spent.entry(purchase.customer).or_default();
        *cents += purchase.cents;
        *times += 1;
    }
    let mut order: Vec<(u32, (i64, usize))> = spent.into_iter().collect();
    order.sort_by_key(|(customer, (cents, _))| (-cents, *customer));
    let named = |(customer, (cents, times))| (format!("cdnow-{customer:05}"), cents, times);
    order.into_iter().take(count).map(named).collect()
}

/// Signs a customer in: an inbox shows itself to its owner only.
pub(crate) async fn invite(
    child: &Child, admin: &mut Api, secrets: &mut Secrets, users: &HashMap<String, String>,
    handle: &str,
) -> Result<()> {
    let password = secrets.random("customer_password")?;
    let user = users.get(handle).map_or("", String::as_str);
    let request = json!({"user_id": user, "password": password});
    admin.call("auth", "SetPassword", &request, None).await?;
    let token = sign_in(&mut Api::new(child, None), handle, &password).await?;
    secrets.set("customer_token", &token)
}

/// What to try next, as commands.
pub(crate) fn outlook(
    wanted: &Wanted, secrets: &Secrets, users: &HashMap<String, String>,
    best: &[(String, i64, usize)],
) -> String {
    let directory = wanted.site.directory.display();
    let database = match wanted.site.database.as_str() {
        "" => String::new(),
        url => format!(" --database '{url}'"),
    };
    let id = |handle: &str| users.get(handle).map_or("", String::as_str).to_owned();
    let token = |name: &str| {
        format!(
            "--token $(sed -n 's/.*\"{name}_token\": \"\\(.*\\)\".*/\\1/p' {directory}/demo.json)"
        )
    };
    let admin = token("administrator");
    let mut lines = vec![
        "Start the node again:".to_owned(),
        format!("  stoa up --data {directory}{database}"),
        "The best customers, and what they owe:".to_owned(),
    ];
    for (handle, cents, times) in best {
        lines.push(format!("  # {handle}: {} dollars in {times} purchases", dollars(*cents)));
        lines.push(format!("  stoa {admin} ledger get-account customers/{}", id(handle)));
    }
    if let Some((handle, ..)) = best.first() {
        lines.push("The best customer's statement, and their inbox:".to_owned());
        lines.push(format!("  stoa {admin} ledger get-statement customers/{}", id(handle)));
        lines.push(format!("  stoa {} notify list-inbox", token("customer")));
    }
    if let Some(position) = secrets.get("position") {
        lines.push("The story of one commit: four services, one position:".to_owned());
        lines.push(format!("  stoa {admin} system get-commit {position}"));
    }
    lines.join("\n")
}
