//! The settings there are, and what looks like one and is none.

use std::net::IpAddr;

use stoa_contract::Code;
use stoa_kit::{Error, Result};
use strsim::levenshtein;

/// One setting.
pub struct Setting {
    /// Its key in `stoa.toml`.
    pub key: &'static str,
    /// What it is unless something is said.
    pub default: &'static str,
    /// What it is for.
    pub help: &'static str,
}

/// Every setting of a node.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "listen",
        default: "127.0.0.1:8080",
        help: "Address to listen on [127.0.0.1:8080]",
    },
    Setting {
        key: "receive_timeout_ms",
        default: "30000",
        help: "How long a client may take to send its headers, and then its body, and to go on reading a reply [30000]",
    },
    Setting {
        key: "connections",
        default: "16384",
        help: "Connections at a time; one network has a quarter of them [16384]",
    },
    Setting {
        key: "trusted_proxies",
        default: "",
        help: "Addresses and networks of proxies that say for whom they ask, with commas",
    },
    Setting {
        key: "forwarded_header",
        default: "x-forwarded-for",
        help: "Where they say it: x-forwarded-for, or forwarded (RFC 7239) [x-forwarded-for]",
    },
    Setting {
        key: "tenant_header",
        default: "local",
        help: "Who may name a tenant by the header stoa-tenant without a credential of it: local, from this machine, or all [local]",
    },
    Setting {
        key: "cors_origins",
        default: "",
        help: "Origins whose pages may call from a browser, with commas; * for all",
    },
    Setting {
        key: "graphql_introspection",
        default: "signed-in",
        help: "Who may ask GraphQL for its schema: signed-in, and everybody on this machine; everybody; or nobody [signed-in]",
    },
    Setting { key: "data", default: "data", help: "Directory of the embedded database [data]" },
    Setting {
        key: "blobs",
        default: "",
        help: "Directory of the bytes that rows name, one for all nodes of a database; blobs in data if empty",
    },
    Setting {
        key: "root_key",
        default: "",
        help: "File of the key that what is sealed in the database opens with; root.key in data if empty",
    },
    Setting {
        key: "database",
        default: "",
        help: "URL of a PostgreSQL database, instead of the embedded one",
    },
    Setting {
        key: "pool",
        default: "12",
        help: "Connections to PostgreSQL that commit; half as many read [12]",
    },
    Setting {
        key: "accept_position",
        default: "",
        help: "Start on a database that ends here, although later commits were acknowledged",
    },
    Setting { key: "services", default: "", help: "Services to run, with commas; all if empty" },
    Setting {
        key: "mail",
        default: "",
        help: "Mail server, smtp://host:port; a local mailbox if empty",
    },
    Setting {
        key: "mail_from",
        default: "stoa@localhost",
        help: "Address that mail comes from [stoa@localhost]",
    },
    Setting {
        key: "mail_name",
        default: "",
        help: "Host name to greet mail servers with; the domain of mail_from if empty",
    },
    Setting {
        key: "outbound_hosts",
        default: "",
        help: "Hosts where users may have things sent over HTTP, with commas; *.example.com, * for all",
    },
    Setting {
        key: "outbound_networks",
        default: "",
        help: "Networks that are not public and may be reached over HTTP, with commas",
    },
    Setting {
        key: "outbound_plain",
        default: "",
        help: "Hosts that may be spoken to over HTTP without TLS, with commas",
    },
    Setting {
        key: "outbound_roots",
        default: "",
        help: "File of certificates, as PEM, to trust beside the public ones",
    },
    Setting {
        key: "log_format",
        default: "auto",
        help: "json, text, or auto: text on a terminal [auto]",
    },
    Setting { key: "log_filter", default: "info", help: "What is logged [info]" },
    Setting {
        key: "log_commits",
        default: "100000",
        help: "How many commits behind the end events can be followed from [100000]",
    },
    Setting {
        key: "commit_days",
        default: "90",
        help: "Days that the record of a commit is kept at least: who, what, why [90]",
    },
    Setting {
        key: "calls_per_second",
        default: "0",
        help: "Calls a second of one caller; 0 for no limit [0]",
    },
    Setting {
        key: "anonymous_per_second",
        default: "100",
        help: "Calls a second of one address without a token [100]",
    },
    Setting {
        key: "mcp_session_calls",
        default: "0",
        help: "Calls that an agent may make in one session of MCP; 0 for no limit [0]",
    },
    Setting {
        key: "mcp_session_money",
        default: "",
        help: "What the calls of one session of MCP may cost together, such as 5.00EUR; no limit if empty",
    },
    Setting {
        key: "mcp_issuer",
        default: "",
        help: "Authorization server whose tokens are good here, as an address; clients of MCP are told to sign in there",
    },
    Setting {
        key: "mcp_url",
        default: "",
        help: "Address under which clients reach MCP, such as https://stoa.example/mcp, where there is an issuer",
    },
];

/// Variables that belong to other commands.
pub(super) const OTHERS: [&str; 5] =
    ["STOA_TOKEN", "STOA_URL", "STOA_PROFILE", "STOA_TEST_POSTGRES", "STOA_BENCH_DATABASE"];

impl Setting {
    /// Its flag, without dashes in front.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }
}

/// Whether a variable is what Kubernetes tells every container about a service whose name begins
/// like ours: `STOA_SERVICE_HOST=10.0.0.7`, `STOA_PORT=tcp://10.0.0.7:80`.
pub(super) fn is_of_others(name: &str, value: &str) -> bool {
    let protocol = |text: &str| matches!(text, "tcp" | "udp" | "sctp");
    let link = value.split_once("://").is_some_and(|(scheme, _)| protocol(scheme));
    let number = value.parse::<u16>().is_ok();
    let port = name.split_once("_PORT_").and_then(|(_, rest)| rest.split('_').next());
    if name.ends_with("_SERVICE_HOST") {
        value.parse::<IpAddr>().is_ok()
    } else if name.contains("_SERVICE_PORT") {
        number
    } else if port.is_some_and(|port| port.parse::<u16>().is_ok()) {
        link || number || protocol(value) || value.parse::<IpAddr>().is_ok()
    } else {
        name.ends_with("_PORT") && link
    }
}

/// Refuses a key of which there is no setting.
pub(super) fn known(key: &str, source: &str) -> Result<()> {
    if SETTINGS.iter().any(|setting| setting.key == key) {
        return Ok(());
    }
    let nearest = SETTINGS.iter().min_by_key(|setting| levenshtein(setting.key, key));
    let hint =
        nearest.map_or(String::new(), |setting| format!("; did you mean `{}`?", setting.key));
    Err(Error::new(
        Code::InvalidArgument,
        "config.unknown",
        format!("{source} is not a setting{hint}"),
    )
    .help("`stoa up --help` lists every setting."))
}
