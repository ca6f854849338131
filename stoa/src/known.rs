//! The contracts of nodes, kept beside the profiles: what a node serves is a command, whether this
//! program has that service or not.
//!
//! They are asked for when somebody signs in, and when a command line says what is not known; a call
//! that is understood costs nothing more. A file is named after its node, and what is in it by its
//! digest, so that a node is told what is known and sends it no second time.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command};
use stoa_console::{DESCRIPTORS, etag};
use stoa_kit::{Error, Result};

use crate::ask::{self, block_on};
use crate::profile::{self, Options, Profile, folder};

/// The options with a value that say whom to ask.
const VALUED: [&str; 5] = ["url", "profile", "token", "tenant", "ca"];
/// How long somebody waits who signs in, or who may have mistyped a command.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// How long somebody waits who wants help, which is known here as it was.
const HELP_PATIENCE: Duration = Duration::from_millis(500);

/// What is kept of a node: its descriptors.
pub(crate) fn kept(target: &Profile) -> Option<Vec<u8>> {
    std::fs::read(file(target).ok()?).ok()
}

/// Asks a node for its descriptors, and keeps them; nothing where they are known.
///
/// # Errors
/// What the node answers.
pub(crate) fn renew(target: &Profile, known: &[u8], patience: Duration) -> Result<Option<Vec<u8>>> {
    let mut client = target.client()?;
    let told = block_on(client.fetch(DESCRIPTORS, &etag(known), patience))?;
    let Some(told) = told.map(Vec::from) else {
        // What an earlier version of the node was kept as.
        if kept(target).is_some_and(|kept| kept != known) {
            std::fs::remove_file(file(target)?).map_err(Error::internal)?;
        }
        return Ok(None);
    };
    // Where nothing can be kept, it is asked for again.
    let _ = keep(target, &told);
    Ok(Some(told))
}

fn keep(target: &Profile, descriptors: &[u8]) -> Result<()> {
    let file = file(target)?;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(Error::internal)?;
    }
    // Two programs at once leave the file of one of them.
    let fresh = file.with_extension(std::process::id().to_string());
    std::fs::write(&fresh, descriptors).map_err(Error::internal)?;
    std::fs::rename(&fresh, &file).map_err(Error::internal)
}

fn file(target: &Profile) -> Result<PathBuf> {
    let name = blake3::hash(target.url.as_bytes()).to_hex();
    Ok(folder()?.join("contracts").join(&name[..16]).with_extension("binpb"))
}

/// Whom a command line will ask, as far as it is read without knowing its commands: by the options
/// before the service.
pub(crate) fn target(words: &[OsString]) -> Option<Profile> {
    let command = Command::new("stoa").args(ask::common()).disable_help_flag(true);
    let command = command.allow_external_subcommands(true).ignore_errors(true);
    let matches: ArgMatches = command.try_get_matches_from(words).ok()?;
    profile::target(&Options(vec![&matches])).ok()
}

/// The same of a command line that is not understood: by these options wherever they stand.
pub(crate) fn target_anywhere(words: &[OsString]) -> Option<Profile> {
    let mut first = words.iter().take(1).cloned().collect::<Vec<_>>();
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        let text = word.to_string_lossy();
        let Some(option) = text.strip_prefix("--") else { continue };
        let name = option.split('=').next().unwrap_or_default();
        match option {
            "plain-http" => first.push(word.clone()),
            _ if !VALUED.contains(&name) => {}
            _ if name == option => {
                first.extend([Some(word), rest.next()].into_iter().flatten().cloned())
            }
            _ => first.push(word.clone()),
        }
    }
    target(&first).filter(|target| target.token.is_some())
}

/// How long a node is waited for that might know more, where a command line came to nothing: it says
/// what is not known here, or asks for help.
pub(crate) fn patience(error: &clap::Error) -> Option<Duration> {
    use ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, InvalidSubcommand, InvalidValue,
        UnknownArgument,
    };
    match error.kind() {
        InvalidSubcommand | UnknownArgument | InvalidValue => Some(PATIENCE),
        DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand => Some(HELP_PATIENCE),
        _ => None,
    }
}
