//! `stoa demo`: a shop's real history, brought in through the public API while the node may die.
//!
//! Eighteen months of purchases of CDNOW's customers become users, stock, orders, books and
//! inboxes, each purchase in one commit of four services. Then everything is read back and
//! compared with the file, to the cent.
//!
//! Nothing that matters is remembered by this process: what is there is asked of the node, and
//! what is not is sent under a key that names its line of the file. So it can be killed as well.

mod check;
mod file;
mod load;
mod shop;

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;
use stoa_contract::Code;
use stoa_kit::{Error, Result};

use crate::child::{Child, Site};
use crate::setup::{Api, Secrets, administrator, key};
use crate::wire::Prefix;
pub(crate) use file::{Purchase, purchases};
pub(crate) use load::{Item, now, send};
pub(crate) use shop::{SKU, STOCK};

/// Calls under way at once.
const LANES: u32 = 128;
/// How often `--crash` kills the node.
const KILLS: usize = 20;
/// What the importer does, and no more.
const PERMISSIONS: [&str; 12] = [
    "auth.who_am_i",
    "inventory.stock.read",
    "ledger.accounts.read_all",
    "ledger.list_accounts",
    "ledger.trial_balances.read",
    "notify.inboxes.count",
    "orders.orders.import",
    "orders.list_orders",
    "orders.orders.read_all",
    "users.list_users",
    "users.users.create",
    "users.users.read_all",
];

/// The command line.
pub(crate) fn command() -> Command {
    Command::new("demo")
        .about("Brings in a shop's real history and checks it, to the cent")
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .default_value("data/demo")
                .help("Where to keep it; the same directory again adds nothing"),
        )
        .arg(
            Arg::new("database")
                .long("database")
                .value_name("URL")
                .default_value("")
                .help("URL of a PostgreSQL database, instead of the embedded one"),
        )
        .arg(
            Arg::new("purchases")
                .long("purchases")
                .value_name("N")
                .value_parser(value_parser!(u32))
                .help("Only the first purchases"),
        )
        .arg(
            Arg::new("crash")
                .long("crash")
                .action(ArgAction::SetTrue)
                .help("Kills the node at random moments meanwhile"),
        )
}

/// What a run was asked for.
struct Wanted {
    site: Site,
    purchases: usize,
    kills: usize,
}

/// Runs the demo.
pub(crate) fn run(matches: &ArgMatches) -> Result<()> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let purchases = matches.get_one::<u32>("purchases").map_or(usize::MAX, |n| *n as usize);
    let wanted = Wanted {
        site: Site { directory: PathBuf::from(text("data")), database: text("database") },
        purchases,
        kills: if matches.get_flag("crash") { KILLS } else { 0 },
    };
    let child = Child::start(&wanted.site)?;
    // One thread leaves the other core to the node.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::internal)?.block_on(play(&child, &wanted))?;
    child.stop();
    Ok(())
}

async fn play(child: &Child, wanted: &Wanted) -> Result<()> {
    let purchases = file::purchases(wanted.purchases)?;
    let mut secrets = Secrets::open(&wanted.site.directory.join("demo.json"))?;
    let mut admin = administrator(child, &mut secrets).await?;
    let token = key(child, &mut admin, &mut secrets, ("demo", &PERMISSIONS)).await?;
    let mut api = Api::new(child, Some(token.clone()));
    shop::open(&mut admin).await?;
    let users = customers(child, &mut api, &token, &purchases).await?;
    let missing = missing(&mut api, &users, &purchases).await?;
    let start = now();
    let lanes = lanes(&missing, |purchase| order(&users, purchase));
    let prefix = Prefix::call("/stoa.orders.v1.OrdersService/ImportOrder", &token);
    let position = load::send(child, &prefix, lanes, ("purchases", wanted.kills)).await?;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(position) = position {
        secrets.set("position", &position)?;
    }
    let best = shop::best(&purchases, 5);
    if let Some((handle, ..)) = best.first() {
        shop::invite(child, &mut admin, &mut secrets, &users, handle).await?;
    }
    let found = check::read(&mut api).await?;
    let differences = check::compare(&found, &users, &purchases);
    if !differences.is_empty() {
        let message = format!("what is stored differs from the file: {}", differences.join("; "));
        return Err(Error::new(Code::DataLoss, "demo.differs", message));
    }
    say(&shop::outlook(wanted, &secrets, &users, &best))?;
    say(&check::line(&found, seconds))
}

/// Every customer's user, after creating those who are not there.
async fn customers(
    child: &Child, api: &mut Api, token: &str, purchases: &[Purchase],
) -> Result<HashMap<String, String>> {
    let known = shop::users(api).await?;
    let mut seen = std::collections::HashSet::new();
    let absent: Vec<Purchase> = purchases
        .iter()
        .filter(|purchase| seen.insert(purchase.customer))
        .filter(|purchase| !known.contains_key(&purchase.handle()))
        .cloned()
        .collect();
    if absent.is_empty() {
        return Ok(known);
    }
    let prefix = Prefix::call("/stoa.users.v1.UsersService/CreateUser", token);
    let lanes = lanes(&absent, |purchase| {
        let handle = purchase.handle();
        let body = json!({"handle": handle, "email": format!("{handle}@example.com")});
        load::Item { key: handle, body: body.to_string().into_bytes() }
    });
    load::send(child, &prefix, lanes, ("customers", 0)).await?;
    shop::users(api).await
}

/// The purchases that are not there yet.
///
/// Lines that are the same cannot be told apart by what was stored; while one of them is missing
/// all are sent, and their keys keep those that are there from happening again.
async fn missing(
    api: &mut Api, users: &HashMap<String, String>, purchases: &[Purchase],
) -> Result<Vec<Purchase>> {
    let stored = check::orders(api).await?;
    let mut wanted: HashMap<check::Sale, i64> = HashMap::new();
    for purchase in purchases {
        *wanted.entry(check::sale(users, purchase)).or_default() += 1;
    }
    for (sale, count) in stored {
        if let Some(left) = wanted.get_mut(&sale) {
            *left -= count;
        }
    }
    let absent = |purchase: &&Purchase| wanted[&check::sale(users, purchase)] > 0;
    Ok(purchases.iter().filter(absent).cloned().collect())
}

fn order(users: &HashMap<String, String>, purchase: &Purchase) -> load::Item {
    let customer = users.get(&purchase.handle()).map_or("", String::as_str);
    let body = json!({
        "customer_id": customer,
        "sku": shop::SKU,
        "quantity": purchase.quantity,
        "amount": {"amount": purchase.cents, "currency": "USD"},
        "effective_time": purchase.time(),
    });
    load::Item { key: format!("cdnow-line-{}", purchase.line), body: body.to_string().into_bytes() }
}

/// Divides purchases among connections. All of a customer's are on one of them, so that they
/// happen in their order.
fn lanes(purchases: &[Purchase], item: impl Fn(&Purchase) -> load::Item) -> Vec<Vec<load::Item>> {
    let mut lanes: Vec<Vec<load::Item>> = (0..LANES).map(|_| Vec::new()).collect();
    for purchase in purchases {
        if let Some(lane) = lanes.get_mut((purchase.customer % LANES) as usize) {
            lane.push(item(purchase));
        }
    }
    lanes
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{line}").map_err(Error::internal)
}
