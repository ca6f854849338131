//! Files that their owner alone reads: tokens and passwords.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use stoa_kit::{Code, Error, Result};

/// Reads such a file; nothing where there is none.
///
/// # Errors
/// `config.readable` where others can read it too, and where it cannot be read.
pub(crate) fn read(path: &Path) -> Result<Option<String>> {
    let told = |error| Error::internal(format!("{}: {error}", path.display()));
    let mode = match std::fs::metadata(path) {
        Ok(metadata) => metadata.mode(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(told(error)),
    };
    if mode & 0o077 != 0 {
        let path = path.display();
        let message = format!("{path} holds secrets, and others can read it");
        return Err(Error::new(Code::InvalidArgument, "config.readable", message)
            .help(format!("`chmod 600 {path}`; renew its tokens if others did read it.")));
    }
    std::fs::read_to_string(path).map(Some).map_err(told)
}

/// Writes such a file. It is replaced at once, so that a crash leaves the old one or the new.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let told = |error| Error::internal(format!("{}: {error}", path.display()));
    let fresh = path.with_extension("new");
    // One that an earlier crash left may have other permissions.
    let _ = std::fs::remove_file(&fresh);
    let mut file = std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(told)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(told)?;
    std::fs::rename(&fresh, path).map_err(told)
}
