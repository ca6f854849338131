//! What the demo and the bench do before they begin: an administrator, and a key that may no more
//! than is needed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use stoa_contract::Code;
use stoa_kit::{Error, Result};
use tokio::sync::watch;

use crate::child::{Child, State};
use crate::client::{Client, Reply};
use crate::private;

/// How often a call is made again while the node starts.
const CALLS_MAX: u32 = 400;
/// How long to wait before a call is made again.
const PAUSE: Duration = Duration::from_millis(25);
/// The name that the administrator signs in with.
const HANDLE: &str = "administrator";

/// Secrets between runs, in a file that only its owner reads.
pub(crate) struct Secrets {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

impl Secrets {
    /// Reads them, if there are any.
    ///
    /// # Errors
    /// Where the file is there but cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let values = match private::read(path)? {
            Some(text) => serde_json::from_str(&text).map_err(Error::internal)?,
            None => BTreeMap::new(),
        };
        Ok(Self { path: path.to_owned(), values })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Keeps a secret.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.values.insert(name.to_owned(), value.to_owned());
        let text = serde_json::to_string_pretty(&self.values).map_err(Error::internal)?;
        private::write(&self.path, &text)
    }

    /// A random secret, kept before it is used: whoever dies in between must know it.
    pub(crate) fn random(&mut self, name: &str) -> Result<String> {
        if let Some(known) = self.get(name) {
            return Ok(known.to_owned());
        }
        let mut bytes = [0u8; 16];
        entropy(&mut bytes)?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.set(name, &text)?;
        Ok(text)
    }
}

#[allow(clippy::disallowed_methods, reason = "a password needs the real world's entropy")]
pub(crate) fn entropy(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(Error::internal)
}

#[allow(clippy::disallowed_methods, reason = "a client outside the node waits on the real clock")]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Calls that survive the node's death: made again, wherever it listens then.
pub(crate) struct Api {
    state: watch::Receiver<State>,
    token: Option<String>,
    client: Option<Client>,
}

impl Api {
    pub(crate) fn new(child: &Child, token: Option<String>) -> Self {
        Self { state: child.state(), token, client: None }
    }

    /// Calls a method until the node answers.
    ///
    /// # Errors
    /// What the node answers, or that it does not run any more.
    pub(crate) async fn call(
        &mut self, service: &str, method: &str, request: &Value, key: Option<&str>,
    ) -> Result<Reply> {
        let mut left = CALLS_MAX;
        loop {
            let outcome = self.attempt(service, method, request, key).await;
            left -= 1;
            match outcome {
                Err(error) if error.code() == Code::Unavailable && left > 0 => {
                    self.client = None;
                    pause(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Pages through a list, and gives all of it.
    pub(crate) async fn list(
        &mut self, (service, method): (&str, &str), field: &str, mut request: Value,
    ) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        request["page_size"] = json!(1000);
        loop {
            let mut reply = self.call(service, method, &request, None).await?.body;
            if let Value::Array(rows) = reply[field].take() {
                all.extend(rows);
            }
            match reply["nextPageToken"].as_str() {
                Some(token) if !token.is_empty() => request["page_token"] = json!(token),
                _ => return Ok(all),
            }
        }
    }

    async fn attempt(
        &mut self, service: &str, method: &str, request: &Value, key: Option<&str>,
    ) -> Result<Reply> {
        let client = match &mut self.client {
            Some(client) => client,
            None => {
                let address = self.state.borrow().address;
                let address = address.ok_or_else(|| Error::internal("the node does not start"))?;
                self.client.insert(Client::new(&format!("http://{address}"), self.token.clone())?)
            }
        };
        client.call(service, method, request, key).await
    }
}

/// Signs the administrator in, after creating them where there is none.
pub(crate) async fn administrator(child: &Child, secrets: &mut Secrets) -> Result<Api> {
    let password = secrets.random("administrator_password")?;
    let mut api = Api::new(child, None);
    let code = child.state().borrow().code.clone();
    if let Some(code) = code {
        let request = json!({
            "code": code, "handle": HANDLE, "email": "administrator@example.com",
            "password": password,
        });
        api.call("auth", "SetUp", &request, None).await?;
    }
    let token = sign_in(&mut api, HANDLE, &password).await?;
    secrets.set("administrator_token", &token)?;
    Ok(Api::new(child, Some(token)))
}

/// Opens a session.
pub(crate) async fn sign_in(api: &mut Api, login: &str, password: &str) -> Result<String> {
    let request = json!({"login": login, "password": password});
    let reply = api.call("auth", "SignIn", &request, None).await?;
    Ok(text(&reply.body["token"]).to_owned())
}

/// A key of a service account, with these permissions and no others.
pub(crate) async fn key(
    child: &Child, admin: &mut Api, secrets: &mut Secrets, (name, permissions): (&str, &[&str]),
) -> Result<String> {
    let slot = format!("{name}_token");
    if let Some(token) = secrets.get(&slot) {
        let token = token.to_owned();
        let mut own = Api::new(child, Some(token.clone()));
        // A key that has ended, or that belongs to another database, is replaced.
        if own.call("auth", "WhoAmI", &json!({}), None).await.is_ok() {
            return Ok(token);
        }
    }
    let made = admin.call("auth", "CreateServiceAccount", &json!({"name": name}), None).await;
    let account = match made {
        Ok(reply) => text(&reply.body["serviceAccount"]["id"]).to_owned(),
        Err(error) if error.code() == Code::AlreadyExists => {
            let list = ("auth", "ListServiceAccounts");
            let accounts = admin.list(list, "serviceAccounts", json!({})).await?;
            let found = accounts.iter().find(|account| account["name"] == name);
            found.map_or(String::new(), |account| text(&account["id"]).to_owned())
        }
        Err(error) => return Err(error),
    };
    let request = json!({"service_account_id": account, "name": name, "permissions": permissions});
    let reply = admin.call("auth", "CreateApiKey", &request, None).await?;
    let token = text(&reply.body["token"]).to_owned();
    secrets.set(&slot, &token)?;
    Ok(token)
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// A 64-bit integer, which JSON carries as text.
pub(crate) fn number(value: &Value) -> i64 {
    value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}
