//! Configuration: one table of settings, each a flag, a variable and a key of `stoa.toml`.
//!
//! A flag beats the environment, the environment beats the file, the file beats the default. A
//! key that is not known is refused: a setting that is silently ignored is the worst of all.
//!
//! What a service is told when a node starts is a table of its name, `[auth]`, or a variable
//! `STOA_AUTH__SESSION_IDLE_DAYS`. What is set while nodes run beats both.

mod settings;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use stoa_contract::Code;
use stoa_contract::v1::Money;
use stoa_graphql::Introspection;
use stoa_http::Egress;
use stoa_kit::outbound::Hosts;
use stoa_kit::settings::Initial;
use stoa_kit::{Error, Result};
use stoa_mcp::Issuer;
use stoa_node::{Configured, Listen, LogFormat, Origins, Proxies};
use stoa_store::Place;

use settings::{OTHERS, is_of_others, known};
pub use settings::{SETTINGS, Setting};

/// A node's configuration, read and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen, and how patiently.
    pub listen: Listen,
    /// Where to store.
    pub place: Place,
    /// The directory of blobs.
    pub blobs: PathBuf,
    /// The file of the root key.
    pub root_key: PathBuf,
    /// Connections to PostgreSQL that commit.
    pub pool: u32,
    /// The position at which a start goes on although later commits were acknowledged.
    pub accept_position: Option<i64>,
    /// The services to run; all if empty.
    pub services: Vec<String>,
    /// The mail server; a local mailbox if empty.
    pub mail: String,
    /// The address that mail comes from.
    pub mail_from: String,
    /// Who greets mail servers; the domain of that address if empty.
    pub mail_name: String,
    /// Where requests to the outside may go.
    pub outbound: Egress,
    /// Who may ask GraphQL for its schema.
    pub graphql_introspection: Introspection,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged.
    pub log_filter: String,
    /// Commits whose events are kept for followers.
    pub log_commits: u32,
    /// Days that the record of a commit is kept at least.
    pub commit_days: u32,
    /// Calls a second of one caller.
    pub calls_per_second: u32,
    /// Calls a second of one address without a token.
    pub anonymous_per_second: u32,
    /// Calls in one session of MCP; 0 for no limit.
    pub mcp_session_calls: u32,
    /// What the calls of one session of MCP may cost together.
    pub mcp_session_money: Option<Money>,
    /// Who gives tokens to clients of MCP.
    pub mcp_issuer: Option<Issuer>,
    /// What services are told when a node starts.
    pub settings: Vec<Initial>,
    /// All of it as it is shown, and who said so.
    pub shown: Vec<Configured>,
}

impl Config {
    /// Reads `stoa.toml` in this directory, if there is one, and the environment.
    ///
    /// # Errors
    /// `config.unknown` and `config.invalid`.
    #[allow(clippy::disallowed_methods, reason = "configuration is where the environment enters")]
    pub fn load(flags: BTreeMap<String, String>) -> Result<Self> {
        let file = match std::fs::read_to_string("stoa.toml") {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(invalid(format!("stoa.toml: {error}"))),
        };
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        Self::merge(&file, std::env::vars_os(), flags, terminal)
    }

    /// Merges the layers: defaults, file, environment, flags.
    ///
    /// # Errors
    /// `config.unknown` for a key that is not known, `config.invalid` for a value.
    pub fn merge(
        file: &str, environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: BTreeMap<String, String>, terminal: bool,
    ) -> Result<Self> {
        let mut values: BTreeMap<String, String> =
            SETTINGS.iter().map(|s| (s.key.to_owned(), s.default.to_owned())).collect();
        let mut sources = BTreeMap::<String, String>::new();
        let table: toml::Table =
            file.parse().map_err(|error| invalid(format!("stoa.toml: {error}")))?;
        let mut settings = Vec::new();
        for (key, value) in table {
            // A table is of the service whose name it has.
            if let toml::Value::Table(of) = value {
                settings.extend(of.into_iter().map(|(name, value)| Initial {
                    service: key.clone(),
                    name,
                    value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
                    source: "stoa.toml".to_owned(),
                }));
                continue;
            }
            known(&key, &format!("`{key}` in stoa.toml"))?;
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            sources.insert(key.clone(), "stoa.toml".to_owned());
            values.insert(key, value);
        }
        for (name, value) in environment {
            let Some(name) = name.to_str().filter(|name| name.starts_with("STOA_")) else {
                continue;
            };
            let key = name["STOA_".len()..].to_ascii_lowercase();
            if OTHERS.contains(&name) || is_of_others(name, &value.to_string_lossy()) {
                continue;
            }
            let of_service = key.split_once("__");
            if of_service.is_none() {
                known(&key, name)?;
            }
            let value = value.into_string().map_err(|_| invalid(format!("{name} is not UTF-8")))?;
            match of_service {
                Some((service, setting)) => settings.push(Initial {
                    service: service.to_owned(),
                    name: setting.to_owned(),
                    value,
                    source: name.to_owned(),
                }),
                None => {
                    sources.insert(key.clone(), name.to_owned());
                    values.insert(key, value);
                }
            }
        }
        let flag = |key: &String| (key.clone(), format!("--{}", key.replace('_', "-")));
        sources.extend(flags.keys().map(flag));
        values.extend(flags);
        let shown = values.iter().map(|(key, value)| Configured {
            name: key.clone(),
            value: without_password(value),
            source: sources.get(key).map_or("default", String::as_str).to_owned(),
        });
        let shown = shown.collect();
        Ok(Self { settings, shown, ..Self::read(&values, terminal)? })
    }

    fn read(values: &BTreeMap<String, String>, terminal: bool) -> Result<Self> {
        let text = |key: &str| values.get(key).map_or("", String::as_str);
        let number = |key: &str| {
            text(key)
                .parse::<u32>()
                .map_err(|_| invalid(format!("{key}: `{}` is not a number", text(key))))
        };
        let listen = text("listen");
        let beside_data = |key: &str, name: &str| match text(key) {
            "" => Path::new(text("data")).join(name),
            path => PathBuf::from(path),
        };
        Ok(Self {
            listen: Listen {
                address: listen.parse().map_err(|_| {
                    invalid(format!("listen: `{listen}` is not an address such as 127.0.0.1:8080"))
                })?,
                receive_max: Duration::from_millis(number("receive_timeout_ms")?.into()),
                proxies: Proxies::parse(text("trusted_proxies"), text("forwarded_header"))?,
                names_tenants: names_tenants(text("tenant_header"))?,
                origins: Origins::parse(text("cors_origins"))?,
                connections_max: number("connections")? as usize,
            },
            place: match text("database") {
                "" => Place::Directory(PathBuf::from(text("data"))),
                url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                    Place::Url(url.to_owned())
                }
                _ => return Err(invalid("database: a URL begins with postgres://".to_owned())),
            },
            blobs: beside_data("blobs", "blobs"),
            root_key: beside_data("root_key", "root.key"),
            pool: match number("pool")? {
                0 => return Err(invalid("pool: at least one connection commits".to_owned())),
                pool => pool,
            },
            accept_position: match text("accept_position") {
                "" => None,
                position => Some(position.parse().map_err(|_| {
                    invalid(format!("accept_position: `{position}` is not a position"))
                })?),
            },
            services: text("services")
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            mail: text("mail").to_owned(),
            mail_from: text("mail_from").to_owned(),
            mail_name: text("mail_name").to_owned(),
            outbound: egress(text)?,
            graphql_introspection: match text("graphql_introspection") {
                "nobody" => Introspection::Off,
                "signed-in" => Introspection::SignedIn,
                "everybody" => Introspection::Everybody,
                other => {
                    return Err(invalid(format!("graphql_introspection: there is no `{other}`")));
                }
            },
            log_format: match (text("log_format"), terminal) {
                ("json", _) | ("auto", false) => LogFormat::Json,
                ("text", _) | ("auto", true) => LogFormat::Text,
                (other, _) => return Err(invalid(format!("log_format: there is no `{other}`"))),
            },
            log_filter: text("log_filter").to_owned(),
            log_commits: number("log_commits")?,
            commit_days: number("commit_days")?,
            calls_per_second: number("calls_per_second")?,
            anonymous_per_second: number("anonymous_per_second")?,
            mcp_session_calls: number("mcp_session_calls")?,
            mcp_session_money: match text("mcp_session_money") {
                "" => None,
                money => Some(
                    Money::read(money)
                        .map_err(|wrong| invalid(format!("mcp_session_money: {wrong}")))?,
                ),
            },
            mcp_issuer: match (text("mcp_issuer"), text("mcp_url")) {
                ("", _) => None,
                (issuer, url) => Some(
                    Issuer::new(issuer, url)
                        .map_err(|wrong| invalid(format!("mcp_issuer and mcp_url: {wrong}")))?,
                ),
            },
            settings: Vec::new(),
            shown: Vec::new(),
        })
    }

    /// The directory of the embedded database, if that is where it stores.
    pub fn directory(&self) -> Option<&Path> {
        match &self.place {
            Place::Directory(directory) => Some(directory),
            Place::Url(_) => None,
        }
    }
}

/// A value as it is shown: an address without the password in it, wherever that stands.
fn without_password(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let address = match address.rsplit_once('@') {
        Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or("")),
        None => address.to_owned(),
    };
    let parts = query.split('&').filter(|part| !part.starts_with("password=") && !part.is_empty());
    let query = parts.collect::<Vec<_>>().join("&");
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{address}{mark}{query}")
}

/// Where requests to the outside may go.
fn egress<'a>(text: impl Fn(&str) -> &'a str) -> Result<Egress> {
    let list = |key| text(key).split(',').map(str::trim).filter(|item| !item.is_empty());
    let hosts = |key| {
        Hosts::parse(list(key)).map_err(|host| invalid(format!("{key}: `{host}` is no host")))
    };
    let network = |item: &str| {
        let one = item.parse::<IpAddr>().map(IpNet::from);
        let wrong = || invalid(format!("outbound_networks: `{item}` is no network"));
        one.or_else(|_| item.parse()).map_err(|_| wrong())
    };
    let roots = match text("outbound_roots") {
        "" => String::new(),
        file => std::fs::read_to_string(file)
            .map_err(|error| invalid(format!("outbound_roots: {file}: {error}")))?,
    };
    Ok(Egress {
        hosts: hosts("outbound_hosts")?,
        networks: list("outbound_networks").map(network).collect::<Result<_>>()?,
        plain: hosts("outbound_plain")?,
        roots,
    })
}

/// Whether everybody who has no credential may name a tenant.
fn names_tenants(text: &str) -> Result<bool> {
    match text {
        "local" => Ok(false),
        "all" => Ok(true),
        _ => Err(invalid(format!("tenant_header: there is no `{text}`; write local, or all"))),
    }
}

/// A value that cannot be used.
pub(crate) fn invalid(message: String) -> Error {
    Error::new(Code::InvalidArgument, "config.invalid", message)
        .help("`stoa up --help` lists every setting.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config> {
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        let flags = flags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::merge(file, environment, flags.collect(), false)
    }

    #[test]
    fn what_others_put_into_the_environment_is_not_refused() {
        use std::os::unix::ffi::OsStringExt;
        for (name, value) in [
            ("STOA_SERVICE_HOST", "10.96.0.7"),
            ("STOA_SERVICE_PORT", "8080"),
            ("STOA_SERVICE_PORT_HTTP", "8080"),
            ("STOA_PORT", "tcp://10.96.0.7:8080"),
            ("STOA_PORT_8080_TCP", "tcp://10.96.0.7:8080"),
            ("STOA_PORT_8080_TCP_PROTO", "tcp"),
            ("STOA_PORT_8080_TCP_PORT", "8080"),
            ("STOA_PORT_8080_TCP_ADDR", "fd00::7"),
            ("STOA_DB_SERVICE_HOST", "10.96.0.8"),
            ("STOA_DB_PORT", "udp://10.96.0.8:53"),
        ] {
            merge("", &[(name, value)], &[]).unwrap();
        }
        // What somebody meant for us, and what is nearly ours.
        for (name, value) in
            [("STOA_PORT", "8080"), ("STOA_LISTEN_PORT", "8080"), ("STOA_SERVICE_HOST", "here")]
        {
            let error = merge("", &[(name, value)], &[]).unwrap_err();
            assert_eq!(error.reason(), "config.unknown", "{name}");
        }
        let latin = || OsString::from_vec(b"caf\xe9".to_vec());
        let load = |pair| Config::merge("", [pair], BTreeMap::new(), false);
        load((latin(), latin())).unwrap();
        load(("GREETING".into(), latin())).unwrap();
        let error = load(("STOA_LOG_FILTER".into(), latin())).unwrap_err();
        assert_eq!(error.reason(), "config.invalid");
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file() {
        let file = "listen = \"127.0.0.1:1\"\ncalls_per_second = 7\nlog_filter = \"warn\"";
        let config = merge(
            file,
            &[("STOA_LISTEN", "127.0.0.1:2"), ("STOA_LOG_FILTER", "debug")],
            &[("listen", "127.0.0.1:3")],
        )
        .unwrap();
        assert_eq!(config.listen.address.port(), 3);
        assert_eq!(config.log_filter, "debug");
        assert_eq!(config.calls_per_second, 7);
    }

    #[test]
    fn what_is_shown_says_who_said_it_and_no_password() {
        let database = "postgres://stoa:p%40ss:w@ord@db.example/stoa?password=x&sslmode=require";
        let config = merge(
            "calls_per_second = 7",
            &[("STOA_DATABASE", database)],
            &[("log_filter", "warn"), ("mail", "smtp://u:secret@mail.example:587")],
        )
        .unwrap();
        let of = |name: &str| {
            let one = config.shown.iter().find(|one| one.name == name).unwrap();
            (one.value.as_str(), one.source.as_str())
        };
        assert_eq!(of("calls_per_second"), ("7", "stoa.toml"));
        let shown = "postgres://stoa@db.example/stoa?sslmode=require";
        assert_eq!(of("database"), (shown, "STOA_DATABASE"));
        assert_eq!(of("log_filter"), ("warn", "--log-filter"));
        assert_eq!(of("mail"), ("smtp://u@mail.example:587", "--mail"));
        assert_eq!(of("listen"), ("127.0.0.1:8080", "default"));
        assert_eq!(config.shown.len(), SETTINGS.len());
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        for error in [
            merge("listn = \"127.0.0.1:1\"", &[], &[]).unwrap_err(),
            merge("", &[("STOA_LISTN", "127.0.0.1:1")], &[]).unwrap_err(),
        ] {
            assert_eq!(error.reason(), "config.unknown");
            assert!(error.message().contains("did you mean `listen`?"), "{error}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_used_is_refused() {
        for (key, value) in [
            ("listen", "here"),
            ("database", "mysql://x"),
            ("calls_per_second", "many"),
            ("graphql_introspection", "some"),
            ("log_format", "xml"),
            ("pool", "0"),
            ("accept_position", "the last"),
            ("trusted_proxies", "the proxy"),
            ("forwarded_header", "via"),
            ("cors_origins", "shop.example"),
            ("outbound_hosts", "https://hooks.example"),
            ("outbound_networks", "10.0.0.0/33"),
            ("outbound_plain", "a b"),
            ("outbound_roots", "/no/such/file"),
            ("tenant_header", "some"),
            ("mcp_session_money", "5"),
            ("mcp_issuer", "https://id.example"),
        ] {
            assert_eq!(merge("", &[], &[(key, value)]).unwrap_err().reason(), "config.invalid");
        }
    }
}
