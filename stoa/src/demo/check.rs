//! What the node says it has, and whether that is what the file says.

use std::collections::HashMap;

use serde_json::{Value, json};
use stoa_kit::Result;

use super::file::{Purchase, dollars};
use super::shop::{SKU, STOCK};
use crate::setup::{Api, number, text};

/// What makes one purchase what it is: customer, time, quantity, cents.
pub(crate) type Sale = (String, String, i64, i64);

/// What was read back.
pub(crate) struct Found {
    orders: HashMap<Sale, i64>,
    accounts: HashMap<String, i64>,
    inboxes: HashMap<String, i64>,
    sales: i64,
    trial_difference: i64,
    stock: i64,
}

/// How a purchase looks as an order.
pub(crate) fn sale(users: &HashMap<String, String>, purchase: &Purchase) -> Sale {
    let customer = users.get(&purchase.handle()).cloned().unwrap_or_default();
    (customer, purchase.time(), purchase.quantity, purchase.cents)
}

/// Every order there is, and how often.
pub(crate) async fn orders(api: &mut Api) -> Result<HashMap<Sale, i64>> {
    let mut count = HashMap::new();
    for order in api.list(("orders", "ListOrders"), "orders", json!({})).await? {
        let lines = order["lines"].as_array().map_or(&[][..], Vec::as_slice);
        let sale = (
            text(&order["customerId"]).to_owned(),
            text(&order["effectiveTime"]).to_owned(),
            lines.iter().map(|line| number(&line["quantity"])).sum(),
            number(&order["total"]["amount"]),
        );
        *count.entry(sale).or_default() += 1;
    }
    Ok(count)
}

/// Reads everything back.
pub(crate) async fn read(api: &mut Api) -> Result<Found> {
    let orders = orders(api).await?;
    let request = json!({"currency": "USD"});
    let listed = api.list(("ledger", "ListAccounts"), "accounts", request.clone()).await?;
    let (owned, house): (Vec<&Value>, Vec<&Value>) =
        listed.iter().partition(|account| !text(&account["ownerId"]).is_empty());
    let balance = |account: &&Value| number(&account["balance"]);
    let sales = house.iter().filter(|account| account["code"] == "sales/USD").map(balance).sum();
    let accounts = owned.iter().map(|a| (text(&a["ownerId"]).to_owned(), balance(a))).collect();
    let trial = api.call("ledger", "GetTrialBalance", &request, None).await?.body;
    let difference = |line: &Value| number(&line["debit"]) - number(&line["credit"]);
    let trial_difference = trial["balances"].as_array().into_iter().flatten().map(difference).sum();
    let listed = api.list(("notify", "CountInboxes"), "inboxes", json!({})).await?;
    let told = |inbox: &Value| (text(&inbox["userId"]).to_owned(), number(&inbox["count"]));
    let inboxes = listed.iter().map(told).collect();
    let stock = api.call("inventory", "GetStock", &json!({"sku": SKU}), None).await?.body;
    let available = |row: &Value| number(&row["available"]) + number(&row["reserved"]);
    let stock = stock["stock"].as_array().into_iter().flatten().map(available).sum();
    Ok(Found { orders, accounts, inboxes, sales, trial_difference, stock })
}

/// What differs from the file; nothing, if all is well.
pub(crate) fn compare(
    found: &Found, users: &HashMap<String, String>, purchases: &[Purchase],
) -> Vec<String> {
    let mut orders: HashMap<Sale, i64> = HashMap::new();
    let mut owed: HashMap<String, i64> = HashMap::new();
    let mut told: HashMap<String, i64> = HashMap::new();
    for purchase in purchases {
        let sale = sale(users, purchase);
        if purchase.cents > 0 {
            *owed.entry(sale.0.clone()).or_default() += purchase.cents;
        }
        *told.entry(sale.0.clone()).or_default() += 1;
        *orders.entry(sale).or_default() += 1;
    }
    let units: i64 = purchases.iter().map(|purchase| purchase.quantity).sum();
    let value: i64 = purchases.iter().map(|purchase| purchase.cents).sum();
    let mut differences = Vec::new();
    let mut same = |what: &str, found: String, wanted: String| {
        if found != wanted {
            differences.push(format!("{what} is {found} and should be {wanted}"));
        }
    };
    let count = |orders: &HashMap<Sale, i64>| orders.values().sum::<i64>().to_string();
    same("the number of orders", count(&found.orders), count(&orders));
    same("the income", dollars(found.sales), dollars(value));
    same("the trial balance", dollars(found.trial_difference), dollars(0));
    same("the stock", found.stock.to_string(), (STOCK - units).to_string());
    let wrong = disagreements(&found.orders, &orders);
    same("the number of orders that differ", wrong.to_string(), "0".to_owned());
    let wrong = disagreements(&found.accounts, &owed);
    same("the number of customers' balances that differ", wrong.to_string(), "0".to_owned());
    let wrong = disagreements(&found.inboxes, &told);
    same("the number of customers' inboxes that differ", wrong.to_string(), "0".to_owned());
    differences
}

/// How many entries are in one map only, or differ.
fn disagreements<K: std::hash::Hash + Eq>(a: &HashMap<K, i64>, b: &HashMap<K, i64>) -> usize {
    let differs = a.iter().filter(|(key, value)| b.get(key) != Some(value)).count();
    differs + b.keys().filter(|key| !a.contains_key(key)).count()
}

/// The figures, as the node has them.
pub(crate) fn line(found: &Found, seconds: f64) -> String {
    let purchases: i64 = found.orders.values().sum();
    let units: i64 = found.orders.iter().map(|((.., quantity, _), count)| quantity * count).sum();
    let customers: std::collections::HashSet<&str> =
        found.orders.keys().map(|(customer, ..)| customer.as_str()).collect();
    format!(
        "demo: purchases={purchases} customers={} units={units} value={} trial_balance={} seconds={seconds:.1}",
        customers.len(),
        dollars(found.sales),
        dollars(found.trial_difference),
    )
}
