//! What is measured: the accounts and the stock it needs, and the requests.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use stoa_kit::Result;

use super::Counters;
use super::access;
use super::certs::Issuer;
use super::grpc::{Head, push_field};
use super::load::{Body, Case, Random, Way};
use super::oidc::Application;
use crate::child::{Child, Site};
use crate::demo::{Item, send};
use crate::setup::{Api, Secrets, administrator, key, text};
use crate::wire::{Below, Prefix, push_number};

/// Everything that can be asked for.
pub(crate) const NAMES: [&str; 25] = [
    "transfer",
    "transfer_rest",
    "transfer_grpc",
    "transfer_graphql",
    "transfer_mcp",
    "transfer_hot",
    "order",
    "get_account",
    "get_account_rest",
    "get_account_grpc",
    "get_account_graphql",
    "get_account_mcp",
    "get_account_busy",
    "list_orders",
    "append",
    "wrap",
    "unwrap",
    "encrypt",
    "check_access",
    "refresh",
    "introspect",
    "issue_certificate",
    "watch",
    "start",
    "events",
];

/// The accounts that transfers choose from.
const ACCOUNTS: usize = 10_000;
/// The references that are unwrapped.
const REFERENCES: usize = 1_000;
/// The customers who order.
const CUSTOMERS: usize = 1_000;
/// What is asked by way of every face.
const CREATE_TRANSFER: &str = "/stoa.ledger.v1.LedgerService/CreateTransfer";
const GET_ACCOUNT: &str = "/stoa.ledger.v1.LedgerService/GetAccount";
const WRAP: &str = "/stoa.secrets.v1.SecretsService/Wrap";
/// Where agents call.
const MCP: &str = "/mcp";
/// The code of the account that everybody pays.
pub(crate) const HOT: &str = "hot";
/// Calls at once while accounts are opened.
const LANES: usize = 64;
/// What the load does, and no more.
const PERMISSIONS: [&str; 17] = [
    "access.decisions.check",
    "access.models.write",
    "access.relations.write",
    "auth.who_am_i",
    "certs.certificates.issue",
    "inventory.stock.receive",
    "ledger.accounts.create",
    "ledger.accounts.read_all",
    "ledger.get_account",
    "ledger.list_accounts",
    "ledger.transfers.create",
    "orders.orders.import",
    "orders.list_orders",
    "orders.orders.read_all",
    "secrets.keys.*",
    "secrets.references.*",
    "system.events.annotate",
];

/// A node with what the measurements need.
pub(crate) struct Work {
    pub(crate) engine: &'static str,
    token: String,
    accounts: Arc<[String]>,
    references: Arc<[String]>,
    application: Application,
    issuer: Issuer,
    directory: PathBuf,
    state: tokio::sync::watch::Receiver<crate::child::State>,
}

impl Work {
    /// Sets the node up.
    pub(crate) async fn prepare(
        engine: &'static str, child: &Child, site: &Site, secrets: &mut Secrets,
    ) -> Result<Self> {
        let mut admin = administrator(child, secrets).await?;
        let token = key(child, &mut admin, secrets, ("bench", &PERMISSIONS)).await?;
        let mut api = Api::new(child, Some(token.clone()));
        let goods = json!({"lines": [{"sku": "CD", "quantity": 1_000_000_000}]});
        api.call("inventory", "Receive", &goods, Some("stock")).await?;
        let hot = json!({"currency": "USD", "kind": "ACCOUNT_KIND_INCOME", "code": HOT});
        api.call("ledger", "CreateAccount", &hot, Some(HOT)).await?;
        let accounts = open_accounts(child, &mut api, &token, &[]).await?.into();
        api.call("secrets", "CreateKey", &json!({"name": "bench"}), Some("key")).await?;
        let references = wrap(child, &mut api, &token).await?.into();
        let application = Application::prepare(&mut admin, secrets).await?;
        let issuer = Issuer::prepare(&mut admin).await?;
        let (directory, state) = (site.directory.clone(), child.state());
        Ok(Self { engine, token, accounts, references, application, issuer, directory, state })
    }

    /// As many accounts as there are, again, which no other measurement touches.
    pub(crate) async fn more_accounts(&self, child: &Child) -> Result<Vec<String>> {
        let mut api = Api::new(child, Some(self.token.clone()));
        open_accounts(child, &mut api, &self.token, &self.accounts).await
    }

    /// The identifier of the account that everybody pays.
    pub(crate) async fn hot_account(&self, child: &Child) -> Result<String> {
        let mut api = Api::new(child, Some(self.token.clone()));
        let reply = api.call("ledger", "GetAccount", &json!({"account": HOT}), None).await?;
        Ok(text(&reply.body["account"]["id"]).to_owned())
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The measurements, in their order.
    pub(crate) fn cases(&self) -> Vec<Case> {
        vec![
            self.transfers(64),
            self.transfers(1),
            self.transfers_by("transfer_rest", "/v1/ledger/transfers", 64),
            self.transfers_by_grpc(),
            self.transfers_by_graphql(),
            as_tool(self.transfers_by("transfer_mcp", MCP, 64), "ledger_create_transfer"),
            self.hot(),
            self.orders(),
            self.reads("get_account", 64),
            self.reads_by_rest(),
            self.reads_by_grpc(),
            self.reads_by_graphql(),
            as_tool(self.reads_by("get_account_mcp", MCP, 64), "ledger_get_account"),
            self.reads("get_account_busy", 16),
            self.lists(),
            self.appends(),
            self.wraps(),
            self.unwraps(),
            self.encryptions(),
            self.checks(),
            self.application.refreshes(&self.token),
            self.application.introspections(&self.token),
            self.issuer.certificates(&self.token),
        ]
    }

    /// Where transfers are sent to.
    pub(crate) fn transfer(&self) -> Prefix {
        Prefix::call(CREATE_TRANSFER, &self.token)
    }

    pub(crate) fn transfers(&self, callers: usize) -> Case {
        self.transfers_by("transfer", CREATE_TRANSFER, callers)
    }

    /// By way of one face or another: the body is the same.
    fn transfers_by(&self, name: &'static str, path: &str, callers: usize) -> Case {
        let accounts = Arc::clone(&self.accounts);
        let body = move |random: &mut Random, out: &mut Vec<u8>| {
            let (from, to) = two(&accounts, random);
            leg(out, from, to);
        };
        self.case(name, callers, path, true, Arc::new(body))
    }

    fn transfers_by_grpc(&self) -> Case {
        let accounts = Arc::clone(&self.accounts);
        let body = move |random: &mut Random, out: &mut Vec<u8>| {
            let (from, to) = two(&accounts, random);
            let mut leg = Vec::with_capacity(128);
            push_field(&mut leg, 1, from.as_bytes());
            push_field(&mut leg, 2, to.as_bytes());
            // The amount, 1.
            leg.extend_from_slice(&[0x18, 1]);
            push_field(out, 1, b"USD");
            push_field(out, 2, &leg);
        };
        let way = Way::Grpc(Head::call(CREATE_TRANSFER, &self.token));
        Case {
            name: "transfer_grpc",
            callers: 64,
            way,
            keyed: true,
            body: Arc::new(body),
            told: None,
        }
    }

    /// By GraphQL: all that the other faces give back is asked for.
    fn transfers_by_graphql(&self) -> Case {
        let accounts = Arc::clone(&self.accounts);
        let query = "mutation($currency: String!, $legs: [LedgerLegInput!]!) { \
                     ledgerCreateTransfer(currency: $currency, legs: $legs) { transfer { \
                     id currency legs { debit credit amount } state description reference metadata \
                     effectiveTime createTime expireTime settleTime reverses reversedBy } } }";
        let body = move |random: &mut Random, out: &mut Vec<u8>| {
            let (from, to) = two(&accounts, random);
            for part in [b"{\"query\":\"", query.as_bytes(), b"\",\"variables\":"] {
                out.extend_from_slice(part);
            }
            leg(out, from, to);
            out.extend_from_slice(b"}");
        };
        self.case("transfer_graphql", 64, "/graphql", true, Arc::new(body))
    }

    fn reads_by_graphql(&self) -> Case {
        let accounts = Arc::clone(&self.accounts);
        let query = "query($account: String!) { ledger { account(account: $account) { \
                     id code ownerId currency kind floor balance held available metadata \
                     createTime closeTime } } }";
        let body = move |random: &mut Random, out: &mut Vec<u8>| {
            let account = accounts[random.below(accounts.len())].as_bytes();
            for part in [
                b"{\"query\":\"",
                query.as_bytes(),
                b"\",\"variables\":{\"account\":\"",
                account,
                b"\"}}",
            ] {
                out.extend_from_slice(part);
            }
        };
        self.case("get_account_graphql", 64, "/graphql", false, Arc::new(body))
    }

    fn hot(&self) -> Case {
        let accounts = Arc::clone(&self.accounts);
        let body = move |random: &mut Random, out: &mut Vec<u8>| {
            leg(out, &accounts[random.below(accounts.len())], HOT);
        };
        self.case("transfer_hot", 64, CREATE_TRANSFER, true, Arc::new(body))
    }

    fn orders(&self) -> Case {
        let body = |random: &mut Random, out: &mut Vec<u8>| {
            out.extend_from_slice(b"{\"customerId\":\"customer-");
            push_number(out, random.below(CUSTOMERS));
            out.extend_from_slice(
                b"\",\"sku\":\"CD\",\"quantity\":\"1\",\
                  \"amount\":{\"amount\":\"1177\",\"currency\":\"USD\"},\
                  \"effectiveTime\":\"1997-01-01T00:00:00Z\"}",
            );
        };
        let path = "/stoa.orders.v1.OrdersService/ImportOrder";
        self.case("order", 64, path, true, Arc::new(body))
    }

    fn reads(&self, name: &'static str, callers: usize) -> Case {
        self.reads_by(name, GET_ACCOUNT, callers)
    }

    fn reads_by_rest(&self) -> Case {
        let accounts = Arc::clone(&self.accounts);
        let body = move |random: &mut Random, out: &mut Vec<u8>| {
            out.extend_from_slice(accounts[random.below(accounts.len())].as_bytes());
        };
        let way = Way::Get(Below::new("/v1/ledger/accounts", &self.token));
        Case {
            name: "get_account_rest",
            callers: 64,
            way,
            keyed: false,
            body: Arc::new(body),
            told: None,
        }
    }

    fn reads_by_grpc(&self) -> Case {
        let accounts = Arc::clone(&self.accounts);
        let body = move |random: &mut Random, out: &mut Vec<u8>| {
            push_field(out, 1, accounts[random.below(accounts.len())].as_bytes());
        };
        let way = Way::Grpc(Head::call(GET_ACCOUNT, &self.token));
        Case {
            name: "get_account_grpc",
            callers: 64,
            way,
            keyed: false,
            body: Arc::new(body),
            told: None,
        }
    }

    fn reads_by(&self, name: &'static str, path: &str, callers: usize) -> Case {
        let accounts = Arc::clone(&self.accounts);
        let body = move |random: &mut Random, out: &mut Vec<u8>| {
            out.extend_from_slice(b"{\"account\":\"");
            out.extend_from_slice(accounts[random.below(accounts.len())].as_bytes());
            out.extend_from_slice(b"\"}");
        };
        self.case(name, callers, path, false, Arc::new(body))
    }

    fn lists(&self) -> Case {
        let body = |random: &mut Random, out: &mut Vec<u8>| {
            out.extend_from_slice(b"{\"pageSize\":20,\"customerId\":\"customer-");
            push_number(out, random.below(CUSTOMERS));
            out.extend_from_slice(b"\"}");
        };
        let path = "/stoa.orders.v1.OrdersService/ListOrders";
        self.case("list_orders", 64, path, false, Arc::new(body))
    }

    fn appends(&self) -> Case {
        let body = |random: &mut Random, out: &mut Vec<u8>| {
            out.extend_from_slice(b"{\"subject\":\"");
            push_number(out, random.below(CUSTOMERS));
            out.extend_from_slice(b"\",\"text\":\"a note of some length\"}");
        };
        let path = "/stoa.system.v1.SystemService/Annotate";
        self.case("append", 64, path, true, Arc::new(body))
    }

    fn wraps(&self) -> Case {
        let body = |random: &mut Random, out: &mut Vec<u8>| wrapping(out, random.below(CUSTOMERS));
        self.case("wrap", 64, WRAP, true, Arc::new(body))
    }

    fn unwraps(&self) -> Case {
        let references = Arc::clone(&self.references);
        let body = move |random: &mut Random, out: &mut Vec<u8>| {
            out.extend_from_slice(b"{\"id\":\"");
            out.extend_from_slice(references[random.below(references.len())].as_bytes());
            out.extend_from_slice(b"\",\"purpose\":\"bench\",\"reason\":\"a case\"}");
        };
        let path = "/stoa.secrets.v1.SecretsService/Unwrap";
        self.case("unwrap", 64, path, true, Arc::new(body))
    }

    /// Of a kibibyte each.
    fn encryptions(&self) -> Case {
        let text = "c3Rv".repeat(1_024 / 3) + "YQ==";
        let request = format!("{{\"name\":\"bench\",\"items\":[{{\"plaintext\":\"{text}\"}}]}}");
        let body =
            move |_: &mut Random, out: &mut Vec<u8>| out.extend_from_slice(request.as_bytes());
        let path = "/stoa.secrets.v1.SecretsService/Encrypt";
        self.case("encrypt", 64, path, false, Arc::new(body))
    }

    fn checks(&self) -> Case {
        let path = "/stoa.access.v1.AccessService/Check";
        self.case("check_access", 64, path, false, Arc::new(access::question))
    }

    fn case(
        &self, name: &'static str, callers: usize, path: &str, keyed: bool, body: Body,
    ) -> Case {
        Case {
            name,
            callers,
            way: Way::Post(Prefix::call(path, &self.token)),
            keyed,
            body,
            told: None,
        }
    }

    pub(crate) fn address(&self) -> Result<SocketAddr> {
        let address = self.state.borrow().address;
        address.ok_or_else(|| stoa_kit::Error::internal("the node does not start"))
    }

    pub(crate) async fn counters(&self) -> Result<Counters> {
        Counters::read(self.address()?).await
    }

    /// The node's resident memory.
    pub(crate) fn resident_mb(&self) -> f64 {
        let pid = self.state.borrow().pid;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kb = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
        kb.unwrap_or(0.0) / 1024.0
    }

    /// The size of the write-ahead log beside the embedded database; 0 on a server.
    pub(crate) fn log_mb(&self) -> f64 {
        let files = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let logs = files.filter(|file| file.file_name().to_string_lossy().ends_with("-wal"));
        let bytes: u64 = logs.filter_map(|file| file.metadata().ok()).map(|data| data.len()).sum();
        bytes as f64 / f64::from(1 << 20)
    }
}

/// Opens accounts beside those that are known.
async fn open_accounts(
    child: &Child, api: &mut Api, token: &str, known: &[String],
) -> Result<Vec<String>> {
    let floor = json!({"currency": "USD", "kind": "ACCOUNT_KIND_ASSET", "floor": -1_000_000_000});
    let (floor, first) = (floor.to_string().into_bytes(), known.len());
    let open = |number| Item { key: format!("account-{}", first + number), body: floor.clone() };
    let lane = |lane| (lane..ACCOUNTS).step_by(LANES).map(open).collect();
    let prefix = Prefix::call("/stoa.ledger.v1.LedgerService/CreateAccount", token);
    send(child, &prefix, (0..LANES).map(lane).collect(), ("accounts", 0)).await?;
    let request = json!({"currency": "USD", "kind": "ACCOUNT_KIND_ASSET"});
    let listed = api.list(("ledger", "ListAccounts"), "accounts", request).await?;
    let known: HashSet<&str> = known.iter().map(String::as_str).collect();
    let ids = listed.iter().map(|account| text(&account["id"]).to_owned());
    Ok(ids.filter(|id| !known.contains(&**id)).collect())
}

/// Wraps values, and gives their references.
async fn wrap(child: &Child, api: &mut Api, token: &str) -> Result<Vec<String>> {
    let item = |number| {
        let mut body = Vec::new();
        wrapping(&mut body, number);
        Item { key: format!("value-{number}"), body }
    };
    let lane = |lane| (lane..REFERENCES).step_by(LANES).map(item).collect();
    let prefix = Prefix::call(WRAP, token);
    send(child, &prefix, (0..LANES).map(lane).collect(), ("values", 0)).await?;
    let listed = api.list(("secrets", "ListReferences"), "references", json!({})).await?;
    Ok(listed.iter().map(|reference| text(&reference["id"]).to_owned()).collect())
}

/// Writes a value about somebody.
fn wrapping(out: &mut Vec<u8>, person: usize) {
    out.extend_from_slice(
        b"{\"kind\":\"person_number\",\"value\":\"191212121212\",\"subject\":\"person-",
    );
    push_number(out, person);
    out.extend_from_slice(b"\",\"purposes\":[\"bench\"]}");
}

/// The same call, of a tool of agents.
fn as_tool(case: Case, tool: &str) -> Case {
    let before = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\
          \"params\":{{\"name\":\"{tool}\",\"arguments\":"
    );
    let arguments = Arc::clone(&case.body);
    let body = move |random: &mut Random, out: &mut Vec<u8>| {
        out.extend_from_slice(before.as_bytes());
        arguments(random, out);
        out.extend_from_slice(b"}}");
    };
    Case { body: Arc::new(body), ..case }
}

/// Two accounts, which are not the same.
fn two<'a>(accounts: &'a [String], random: &mut Random) -> (&'a str, &'a str) {
    let from = random.below(accounts.len());
    let to = (from + 1 + random.below(accounts.len() - 1)) % accounts.len();
    (&accounts[from], &accounts[to])
}

/// Writes a transfer of one unit.
pub(crate) fn leg(out: &mut Vec<u8>, debit: &str, credit: &str) {
    out.extend_from_slice(b"{\"currency\":\"USD\",\"legs\":[{\"debit\":\"");
    out.extend_from_slice(debit.as_bytes());
    out.extend_from_slice(b"\",\"credit\":\"");
    out.extend_from_slice(credit.as_bytes());
    out.extend_from_slice(b"\",\"amount\":\"1\"}]}");
}
