//! `stoa login` and `stoa logout`: a profile, and the session that its token is of.

use std::io::{BufRead, IsTerminal, Write};

use clap::{Arg, ArgMatches, Command};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::{Value, json};
use stoa_kit::{Code, Error, Result};

use crate::ask::block_on;
use crate::known;
use crate::profile::{self, Options, Profile, Profiles};

/// `stoa login`.
pub(crate) fn command() -> Command {
    let [_, profile, token, tenant, ca, plain_http] = profile::options();
    Command::new("login")
        .about("Signs in to a node, and keeps the session's token in a profile")
        .arg(Arg::new("@url").value_name("URL").help("The node; that of the profile if absent"))
        .arg(Arg::new("login").long("login").value_name("HANDLE").help("Your handle or address"))
        .arg(token.help("Keeps this token instead of signing in; - reads it from what is piped in"))
        .arg(profile.help("What the profile is called; after the node if absent"))
        .arg(tenant.help("The tenant to sign in to"))
        .args([ca, plain_http])
        .after_help(
            "The password is asked for on the terminal. Where there is none, it is read from what \
             is piped in, one line.",
        )
}

/// `stoa logout`.
pub(crate) fn logout_command() -> Command {
    let [url, profile, ..] = profile::options();
    Command::new("logout")
        .about("Ends the session of a profile, and forgets its token")
        .args([url.hide(true), profile])
}

/// Signs in. `own` are the descriptors that this program has.
pub(crate) fn login(own: &[u8], matches: &ArgMatches) -> Result<()> {
    let options = Options(vec![matches]);
    let mut all = Profiles::open()?;
    let known = match options.text("@profile") {
        Some(name) => all.profiles.get(&name).map(|profile| (name, profile.clone())),
        None => all.chosen(&options)?,
    };
    let profile = known.as_ref().map(|(_, profile)| profile.clone());
    let mut target = Profile { token: None, ..profile::told(profile, &options) };
    if let Some(file) = &target.ca {
        // It is looked for from wherever somebody calls.
        target.ca = Some(std::path::absolute(file).map_err(Error::internal)?);
    }
    let token = match options.text("@token").as_deref() {
        Some("-") => line()?,
        Some(token) => token.to_owned(),
        None => sign_in(&target, options.text("login"))?,
    };
    target.token = Some(token);
    let who = ask(&target, "WhoAmI", &json!({}))?;
    let same =
        known.filter(|(_, profile)| profile.url == target.url && profile.tenant == target.tenant);
    let name = options.text("@profile").or(same.map(|(name, _)| name));
    let name = name.unwrap_or_else(|| target.name());
    let said = format!("signed in to {} as {}, profile {name}", target.url, text(&who["subject"]));
    all.profiles.insert(name.clone(), target.clone());
    all.current = name;
    all.keep()?;
    // What a node has that this program does not know; one that does not tell is asked without it.
    let _ = known::renew(&target, own, known::PATIENCE);
    tell(&said)
}

/// Signs out. A node that does not answer keeps nobody from it.
pub(crate) fn logout(matches: &ArgMatches) -> Result<()> {
    let mut all = Profiles::open()?;
    let Some((name, profile)) = all.chosen(&Options(vec![matches]))? else {
        return tell("nobody is signed in");
    };
    if profile.token.is_some()
        && let Err(error) = ask(&profile, "SignOut", &json!({}))
    {
        tell(&format!("the session goes on until it ends by itself: {}", error.message()))?;
    }
    all.profiles.insert(name.clone(), Profile { token: None, ..profile });
    all.keep()?;
    tell(&format!("signed out of profile {name}"))
}

impl Profile {
    /// What it is called where nobody says: `acme@127.0.0.1:8080`.
    fn name(&self) -> String {
        let host = self.url.split("://").last().unwrap_or_default();
        match &self.tenant {
            Some(tenant) => format!("{tenant}@{host}"),
            None => host.to_owned(),
        }
    }
}

fn sign_in(target: &Profile, login: Option<String>) -> Result<String> {
    let login = match login {
        Some(login) => login,
        None => {
            prompt("handle: ")?;
            line()?
        }
    };
    let password = password()?;
    let mut reply = ask(target, "SignIn", &json!({"login": login, "password": password}))?;
    if let Some(ticket) = reply["secondFactor"]["ticket"].as_str() {
        prompt("code: ")?;
        let code = line()?;
        // What is no code of a program's is one for whoever lost that.
        let is_code = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
        let field = if is_code { "code" } else { "recoveryCode" };
        reply = ask(target, "VerifySecondFactor", &json!({"ticket": ticket, field: code}))?;
    }
    Ok(text(&reply["token"]).to_owned())
}

fn ask(target: &Profile, method: &str, request: &Value) -> Result<Value> {
    let mut client = target.client()?;
    block_on(async { Ok(client.call("auth", method, request, None).await?.body) })
}

/// A line that is typed without being shown, or the next one that is piped in.
fn password() -> Result<String> {
    let terminal = std::io::stdin();
    if !terminal.is_terminal() {
        return line();
    }
    prompt("password: ")?;
    let before = tcgetattr(&terminal).map_err(Error::internal)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&terminal, OptionalActions::Flush, &silent).map_err(Error::internal)?;
    let typed = line();
    tcsetattr(&terminal, OptionalActions::Flush, &before).map_err(Error::internal)?;
    tell("")?;
    typed
}

fn line() -> Result<String> {
    let mut line = String::new();
    let length = std::io::stdin().lock().read_line(&mut line).map_err(Error::internal)?;
    match length {
        0 => Err(Error::new(Code::InvalidArgument, "cli.input", "nothing was typed or piped in")
            .help("Type what is asked for, or pipe it in, a line each.")),
        _ => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
    }
}

fn prompt(text: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let mut out = std::io::stderr().lock();
    write!(out, "{text}").and_then(|()| out.flush()).map_err(Error::internal)
}

fn tell(line: &str) -> Result<()> {
    writeln!(std::io::stderr().lock(), "{line}").map_err(Error::internal)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}
