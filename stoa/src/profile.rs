//! Profiles: nodes and tenants that somebody signed in to, in a file that only they read.
//!
//! **Invariant:** a profile's token is sent to the profile's node, and to no other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::{Deserialize, Serialize};
use stoa_kit::{Code, Error, Result};

use crate::ask::say;
use crate::client::Client;
use crate::dial::Origin;
use crate::private;

/// The node that is asked where nothing says another.
const URL: &str = "http://127.0.0.1:8080";

/// A node, a tenant there, and a token.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// The file of the authorities that speak for the node over TLS, where they are its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Whether the node may be spoken to in the clear although it is another machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) plain_http: bool,
}

/// All profiles, and which one is used.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profiles {
    #[serde(default)]
    pub(crate) current: String,
    #[serde(default)]
    pub(crate) profiles: BTreeMap<String, Profile>,
    #[serde(skip)]
    path: PathBuf,
}

/// The options of a command line that say whom to ask: behind the method, or before the service.
pub(crate) struct Options<'a>(pub(crate) Vec<&'a ArgMatches>);

impl Options<'_> {
    /// What an option says, in the words of whoever wrote it.
    pub(crate) fn text(&self, id: &str) -> Option<String> {
        let said = |matches: &&ArgMatches| matches.try_get_one::<String>(id).ok()?.cloned();
        self.0.iter().find_map(said)
    }

    /// Whether an option without a value was given.
    pub(crate) fn has(&self, id: &str) -> bool {
        let said = |matches: &&ArgMatches| matches.try_get_one::<bool>(id).ok()?.copied();
        self.0.iter().any(|matches| said(matches) == Some(true))
    }
}

/// The options that say whom to ask.
pub(crate) fn options() -> [Arg; 6] {
    [
        Arg::new("@url")
            .long("url")
            .value_name("URL")
            .help(format!("The node to ask; STOA_URL, or that of the profile, or {URL}")),
        Arg::new("@profile")
            .long("profile")
            .value_name("NAME")
            .help("The profile to ask as; STOA_PROFILE, or the one in use"),
        Arg::new("@token")
            .long("token")
            .value_name("TOKEN")
            .help("A session's or a key's token; STOA_TOKEN, or that of the profile"),
        Arg::new("@tenant")
            .long("tenant")
            .value_name("NAME")
            .help("The tenant to ask without a token; a token names its own"),
        Arg::new("@ca").long("ca").value_name("FILE").help(
            "Certificates that speak for the node, in PEM [those that this machine believes]",
        ),
        Arg::new("@plain-http").long("plain-http").action(ArgAction::SetTrue).help(
            "Speak to another machine without TLS: others hear the token and all that is said",
        ),
    ]
}

/// `stoa profile`.
pub(crate) fn command() -> Command {
    let name = || Arg::new("name").value_name("NAME").required(true).help("The profile");
    Command::new("profile")
        .about("Shows the nodes and tenants that you are signed in to, and chooses one")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("list").about("Lists the profiles; the one in use has a star"))
        .subcommand(Command::new("use").about("Takes a profile into use").arg(name()))
        .subcommand(
            Command::new("token").about("Prints the token in use, for other programs that call"),
        )
        .subcommand(Command::new("remove").about("Forgets a profile and its token").arg(name()))
}

/// Runs it.
pub(crate) fn run(matches: &ArgMatches) -> Result<()> {
    let mut all = Profiles::open()?;
    let name =
        |matches: &ArgMatches| matches.get_one::<String>("name").cloned().unwrap_or_default();
    match matches.subcommand() {
        Some(("use", matches)) => {
            let name = name(matches);
            all.named(&name)?;
            all.current = name;
            all.keep()
        }
        Some(("remove", matches)) => {
            let name = name(matches);
            all.named(&name)?;
            all.profiles.remove(&name);
            if all.current == name {
                all.current.clear();
            }
            all.keep()
        }
        Some(("token", _)) => match target(&Options(vec![]))?.token {
            Some(token) => say(&format!("{token}\n")),
            None => Err(Error::new(Code::Unauthenticated, "config.token", "nobody is signed in")
                .help("Sign in: `stoa login`.")),
        },
        _ => all.list(),
    }
}

impl Profiles {
    /// Reads them, if there are any.
    ///
    /// # Errors
    /// `config.readable` where others can read them, `config.invalid` where they make no sense.
    pub(crate) fn open() -> Result<Self> {
        let path = folder()?.join("profiles.toml");
        let text = private::read(&path)?.unwrap_or_default();
        let all: Self = toml::from_str(&text).map_err(|error| {
            let message = format!("{}: {}", path.display(), error.message());
            Error::new(Code::InvalidArgument, "config.invalid", message)
                .help("Correct the file, or remove it and sign in again: `stoa login`.")
        })?;
        Ok(Self { path, ..all })
    }

    /// Writes them.
    pub(crate) fn keep(&self) -> Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::internal)?;
        }
        private::write(&self.path, &toml::to_string(self).map_err(Error::internal)?)
    }

    fn named(&self, name: &str) -> Result<&Profile> {
        self.profiles.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
            let help = match known.is_empty() {
                true => "Make one: `stoa login`.".to_owned(),
                false => format!("There are: {}.", known.join(", ")),
            };
            let message = format!("there is no profile `{name}`");
            Error::new(Code::InvalidArgument, "config.profile", message).help(help)
        })
    }

    /// The profile that the options or the environment name, or the one in use; with its name.
    pub(crate) fn chosen(&self, options: &Options<'_>) -> Result<Option<(String, Profile)>> {
        let named = options.text("@profile").or_else(|| environment("STOA_PROFILE"));
        let name = named.as_deref().unwrap_or(&self.current);
        match name {
            "" => Ok(None),
            name => Ok(Some((name.to_owned(), self.named(name)?.clone()))),
        }
    }

    fn list(&self) -> Result<()> {
        let mut out = String::new();
        for (name, Profile { url, tenant, token, .. }) in &self.profiles {
            let star = if *name == self.current { "*" } else { " " };
            let tenant = tenant.as_deref().map_or(String::new(), |name| format!("  tenant {name}"));
            let signed_in = if token.is_some() { "" } else { "  signed out" };
            out += &format!("{star} {name}  {url}{tenant}{signed_in}\n");
        }
        say(&out)
    }
}

/// Whom to ask, and as whom.
///
/// # Errors
/// As reading the profiles has them.
pub(crate) fn target(options: &Options<'_>) -> Result<Profile> {
    let chosen = Profiles::open()?.chosen(options)?;
    Ok(told(chosen.map(|(_, profile)| profile), options))
}

/// A profile, with what options and the environment say instead.
pub(crate) fn told(chosen: Option<Profile>, options: &Options<'_>) -> Profile {
    let url = options.text("@url").or_else(|| environment("STOA_URL"));
    let chosen = match (&url, chosen) {
        (Some(url), Some(chosen)) if *url != chosen.url => Profile::default(),
        (_, chosen) => chosen.unwrap_or_default(),
    };
    let url = url.or(Some(chosen.url)).filter(|url| !url.is_empty());
    Profile {
        url: url.unwrap_or_else(|| URL.to_owned()).trim_end_matches('/').to_owned(),
        tenant: options.text("@tenant").or(chosen.tenant),
        token: options.text("@token").or_else(|| environment("STOA_TOKEN")).or(chosen.token),
        ca: options.text("@ca").map(PathBuf::from).or(chosen.ca),
        plain_http: options.has("@plain-http") || chosen.plain_http,
    }
}

impl Profile {
    /// A client of the node, as whoever the token says.
    ///
    /// # Errors
    /// `client.url`, and `client.overheard` where what is said would go to another machine in the clear.
    pub(crate) fn client(&self) -> Result<Client> {
        if Origin::read(&self.url)?.is_overheard() && !self.plain_http {
            let message =
                format!("{} is another machine, and would be spoken to in the clear", self.url);
            return Err(Error::new(Code::InvalidArgument, "client.overheard", message).help(
                "Ask for it by https. Where nobody can listen, say so: `stoa login --plain-http`.",
            ));
        }
        let client = Client::new(&self.url, self.token.clone())?;
        Ok(client.believing(self.ca.clone()).of_tenant(self.tenant.clone()))
    }
}

/// The folder where this platform keeps what its users configure.
pub(crate) fn folder() -> Result<PathBuf> {
    let home = || {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        home.ok_or_else(|| {
            Error::new(Code::InvalidArgument, "config.home", "there is no home directory")
                .help("Say with XDG_CONFIG_HOME where profiles are kept.")
        })
    };
    let folder = match environment("XDG_CONFIG_HOME") {
        Some(folder) => folder.into(),
        None if cfg!(target_os = "macos") => home()?.join("Library/Application Support"),
        None => home()?.join(".config"),
    };
    Ok(folder.join("stoa"))
}

#[allow(clippy::disallowed_methods, reason = "a command line is told by the environment too")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
