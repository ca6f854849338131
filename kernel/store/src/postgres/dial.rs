//! How a connection is made: to the first of the servers in the URL that takes commits, over TLS
//! where it is asked for or the way is not private.
//!
//! The URL is the one that PostgreSQL's own programs take. `sslmode` is `disable`, or `require`, which
//! here always looks at the certificate and at the name in it, as `verify-full` does; `sslrootcert`
//! names a file of the authorities that may have signed it, instead of the public ones. Without
//! `sslmode`, a socket and this machine are private, and everything else is not.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::AcqRel;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use stoa_contract::Code;
use stoa_kit::{Error, Result};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, SimpleQueryMessage};

use super::link::cause;
use super::tls::Tls;
use super::trouble::refused;
use super::{Shared, gone};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Commands.
    Write,
    /// Queries.
    Read,
    /// Migrations, and following what other nodes commit.
    Keep,
}

impl Role {
    /// How many connections of this role a node has, with so many for commands.
    pub(super) fn count(self, pool: usize) -> usize {
        match self {
            Self::Write => pool.max(1),
            Self::Read => (pool / 2).clamp(2, 8),
            Self::Keep => 1,
        }
    }

    /// The settings of its session.
    fn settings(self) -> &'static str {
        match self {
            // A sequential scan in a serializable transaction conflicts with every write to its
            // table, and small tables are scanned: what is young would collapse. Statements
            // are planned once: they look rows up by key.
            Self::Write => {
                " -c enable_seqscan=off -c plan_cache_mode=force_generic_plan -c lock_timeout=1000"
            }
            Self::Read => " -c default_transaction_read_only=on -c statement_timeout=20000",
            Self::Keep => "",
        }
    }
}

/// The place of a connection among those of its role, from when it is dialled until it is dropped.
pub(super) struct Place(Arc<Shared>, Role);

impl Place {
    pub(super) fn take(shared: &Arc<Shared>, role: Role) -> Self {
        shared.places[role as usize].fetch_add(1, AcqRel);
        Self(Arc::clone(shared), role)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.places[self.1 as usize].fetch_sub(1, AcqRel);
    }
}

/// The servers of a URL, each by itself, in their order.
pub(super) struct Candidates {
    servers: Vec<Config>,
    tls: Tls,
}

impl Candidates {
    /// Reads a URL.
    ///
    /// # Errors
    /// `store.url`, without the URL: it may hold a password.
    pub(super) fn of(url: &str) -> Result<Self> {
        let (url, authorities) = without_authorities(url)?;
        let url = url.replace("sslmode=verify-full", "sslmode=require");
        let given: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            unfit(format!("this is no URL of PostgreSQL: {}", cause(&error)))
                .help("Write it as postgresql://user@host:port/database.")
        })?;
        let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
        let says = parameters.split('&').any(|parameter| parameter.starts_with("sslmode="));
        if says && given.get_ssl_mode() == SslMode::Prefer {
            return Err(unfit("sslmode is `disable` or `require`".to_owned())
                .help("`prefer` would go on in the clear whenever somebody on the way says so."));
        }
        let servers = (0..given.get_hosts().len()).map(|place| one(&given, place)).collect();
        Ok(Self { servers, tls: Tls::of(authorities.as_deref())? })
    }
}

/// Connects to the first server that takes commits.
///
/// # Errors
/// What the last one said.
pub(super) async fn dial(candidates: &Candidates, role: Role) -> Result<Client> {
    let mut error = gone("the URL names no server");
    for server in &candidates.servers {
        match connect(server, &candidates.tls, role).await {
            Ok(client) => return Ok(client),
            Err(next) => error = next,
        }
    }
    Err(error)
}

async fn connect(server: &Config, tls: &Tls, role: Role) -> Result<Client> {
    // Whoever set `synchronous_commit` to `off` for everybody did not mean to lose commits that
    // were acknowledged.
    const CHECK: &str = "SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') = 'off'; SELECT pg_is_in_recovery()";
    let mut server = server.clone();
    let settings = format!(
        "{} -c jit=off -c idle_in_transaction_session_timeout=10000{}",
        server.get_options().unwrap_or_default(),
        role.settings()
    );
    server.options(settings.trim());
    let connected = server.connect(tls.clone()).await;
    let (client, connection) = connected.map_err(|error| refused(&error))?;
    drive(connection);
    let checked = client.simple_query(CHECK).await.map_err(|error| refused(&error))?;
    // The role of the server itself is asked for: a connection that only reads may have been made
    // so by its settings.
    let is_standby = checked
        .iter()
        .any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("t")));
    if is_standby { Err(gone("the database is a standby")) } else { Ok(client) }
}

#[allow(clippy::disallowed_methods, reason = "on the runtime of the link's own thread")]
fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static) {
    tokio::spawn(connection);
}

/// One of the servers of a URL.
fn one(given: &Config, place: usize) -> Config {
    let mut server = Config::new();
    let mode = match &given.get_hosts()[place] {
        Host::Tcp(name) => {
            server.host(name);
            let named = name.parse().is_ok_and(|at: IpAddr| at.is_loopback());
            // Where it goes is what counts, whatever it is called.
            let here = match given.get_hostaddrs().get(place) {
                Some(address) => address.is_loopback(),
                None => named || name == "localhost",
            };
            match given.get_ssl_mode() {
                SslMode::Prefer if here => SslMode::Disable,
                SslMode::Prefer => SslMode::Require,
                mode => mode,
            }
        }
        // The server speaks no TLS on a socket.
        Host::Unix(path) => {
            server.host_path(path);
            SslMode::Disable
        }
    };
    if let Some(address) = given.get_hostaddrs().get(place) {
        server.hostaddr(*address);
    }
    let ports = given.get_ports();
    server.port(ports.get(place).or(ports.first()).copied().unwrap_or(5432));
    server.ssl_mode(mode).ssl_negotiation(given.get_ssl_negotiation());
    server.channel_binding(given.get_channel_binding());
    given.get_user().map(|user| server.user(user));
    given.get_password().map(|password| server.password(password));
    given.get_dbname().map(|name| server.dbname(name));
    given.get_options().map(|options| server.options(options));
    server.application_name(given.get_application_name().unwrap_or("stoa"));
    let patience = given.get_connect_timeout().copied();
    server.connect_timeout(patience.unwrap_or(Duration::from_secs(5)));
    // A server that vanished without a word is noticed in seconds, not in the two hours of TCP.
    server.tcp_user_timeout(Duration::from_secs(10)).keepalives_idle(Duration::from_secs(15));
    server
}

/// A URL without the parameter that only this page understands, and what it said.
fn without_authorities(url: &str) -> Result<(String, Option<String>)> {
    let Some((address, parameters)) = url.split_once('?') else {
        return Ok((url.to_owned(), None));
    };
    let (own, others): (Vec<&str>, Vec<&str>) =
        parameters.split('&').partition(|parameter| parameter.starts_with("sslrootcert="));
    let file = own.first().and_then(|own| own.split_once('=')).map(|(_, file)| file);
    let file = file.map(|file| percent_decode_str(file).decode_utf8());
    let file = file.transpose().map_err(|error| unfit(format!("sslrootcert: {error}")))?;
    Ok((format!("{address}?{}", others.join("&")), file.map(std::borrow::Cow::into_owned)))
}

/// A URL that will not do.
pub(super) fn unfit(what: String) -> Error {
    Error::new(Code::FailedPrecondition, "store.url", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_this_machine_is_spoken_to_over_tls() {
        let mode = |url: &str| {
            let candidates = Candidates::of(url);
            candidates
                .map(|found| found.servers[0].get_ssl_mode())
                .map_err(|error| error.reason().to_owned())
        };
        let (plain, encrypted) = (Ok(SslMode::Disable), Ok(SslMode::Require));
        assert_eq!(mode("postgresql://db.example.com/x"), encrypted);
        assert_eq!(mode("postgresql://db.example.com/x?application_name=sslmode="), encrypted);
        assert_eq!(mode("postgresql://localhost/x?hostaddr=203.0.113.5"), encrypted);
        assert_eq!(mode("postgresql://localhost/x?sslmode=verify-full"), encrypted);
        assert_eq!(mode("postgresql://db.example.com/x?sslmode=disable"), plain);
        assert_eq!(mode("postgresql://[::1]/x"), plain);
        assert_eq!(mode("postgresql://%2Fsockets/x?sslmode=require"), plain);
        assert_eq!(mode("postgresql://localhost/x?sslmode=prefer"), Err("store.url".to_owned()));
    }
}
