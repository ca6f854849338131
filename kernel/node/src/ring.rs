//! Where a node has its keys from: the root in a file, and what it wraps in the store.
//!
//! **Invariant:** a root key is written before anything that it wraps, and an old one is dropped
//! after everything that it wrapped: a crash in between leaves what opens all of it.
//!
//! **Invariant:** a root key is made for a database that has none yet, and never for another.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use stoa_kit::ring::{CELL, of_tenant, wrong_root};
use stoa_kit::session::{Session, Stamp};
use stoa_kit::{Code, Error, MAIN, Registry, Result, Ring, Root, Seal, Service, World};
use stoa_store::{Commit, Options, Outcome, Read, Store, kernel};

use crate::{keys, open_store, system, tenants};

/// Where a node has its root key from.
#[derive(Debug, Clone)]
pub enum RootKey {
    /// A file; it is made at the first start.
    File(PathBuf),
    /// Whoever runs the node: a test, or a vault.
    Given(Root),
}

const FIND: &str = "SELECT value FROM stoa_secret WHERE tenant = :tenant AND name = $1";

/// The keys of the cell; those that are not there yet are made, and with them the main tenant.
pub(crate) async fn load(store: &Store, world: &Arc<dyn World>, root: &RootKey) -> Result<Ring> {
    let is_new = ask(store, |session| find(session, CELL)).await?.is_none();
    let root = root.take(is_new, world.as_ref())?;
    let [mut cell, mut own, mut chance] = [[0; 32]; 3];
    for bytes in [&mut cell, &mut own, &mut chance] {
        world.entropy(bytes);
    }
    let (all, name) = (root.clone(), of_tenant(MAIN));
    let (cell, own) = change(store, move |session, stamp| {
        tenants::begin(session, stamp.now)?;
        Ok((keep(session, &all, CELL, &cell)?, keep(session, &all, &name, &own)?))
    })
    .await?;
    let ring = Ring::new(root, cell, chance);
    ring.learn(MAIN, &own);
    Ok(ring)
}

/// Takes another root key: wraps anew what the old one wrapped, and gives how much that was. No
/// node may be at work on an embedded database meanwhile. Nodes on a shared one go on with the keys
/// that they have at hand, and make none any more: they want the new file, and to be started again.
///
/// # Errors
/// `ring.wrong_root`, `ring.no_root`, and those of the store.
pub async fn rotate_root(
    services: Vec<Service>, options: Options, world: Arc<dyn World>, file: &Path,
) -> Result<usize> {
    let own = system::Own::of_nobody(&world);
    let registry = Arc::new(Registry::new(system::service(&own), services)?);
    let store = open_store(options, &registry, &world).await?;
    let rotated = rotate(&store, world.as_ref(), file).await;
    store.close().await;
    rotated
}

async fn rotate(store: &Store, world: &dyn World, file: &Path) -> Result<usize> {
    const ALL: &str = "SELECT name, value FROM stoa_secret WHERE tenant = :tenant ORDER BY name \
         /* whole: a cell has as many as tenants */";
    const WRAP: &str = "UPDATE stoa_secret SET value = $2 WHERE tenant = :tenant AND name = $1";
    let old = read(file)?.ok_or_else(|| no_root(file))?;
    let mut secret = [0; 32];
    world.entropy(&mut secret);
    let both = old.with(secret);
    write(file, &both, true)?;
    let wrapped = both.clone();
    let count = change(store, move |session, _| {
        let rows = kernel::rows::<(String, Vec<u8>)>(session, "", ALL, ())?;
        for (name, value) in &rows {
            let key = both.open(name, value).ok_or_else(|| wrong_root(name))?;
            let value = both.wrap(name, &key)?;
            kernel::execute(session, "", WRAP, (name, value.as_slice()))?;
        }
        Ok(rows.len())
    })
    .await?;
    write(file, &wrapped.newest(), true)?;
    Ok(count)
}

fn find(session: &mut dyn Session, name: &str) -> Result<Option<Vec<u8>>> {
    Ok(kernel::rows::<(Vec<u8>,)>(session, "", FIND, (name,))?.pop().map(|(value,)| value))
}

/// Keeps a key under a name that has none, and gives the one that it has.
fn keep(session: &mut dyn Session, root: &Root, name: &str, fresh: &[u8; 32]) -> Result<Seal> {
    const KEEP: &str = "INSERT INTO stoa_secret (tenant, name, value) VALUES (:tenant, $1, $2) \
         ON CONFLICT (tenant, name) DO NOTHING";
    let wrapped = match find(session, name)? {
        Some(wrapped) => wrapped,
        None => {
            kernel::execute(session, "", KEEP, (name, root.wrap(name, fresh)?.as_slice()))?;
            find(session, name)?.unwrap_or_default()
        }
    };
    root.open(name, &wrapped).map(Seal::new).ok_or_else(|| wrong_root(name))
}

impl RootKey {
    fn take(&self, is_new: bool, world: &dyn World) -> Result<Root> {
        let file = match self {
            Self::Given(root) => return Ok(root.clone()),
            Self::File(file) => file,
        };
        match read(file)? {
            Some(root) => return Ok(root),
            None if !is_new => return Err(no_root(file)),
            None => {}
        }
        let mut secret = [0; 32];
        world.entropy(&mut secret);
        write(file, &Root::new(secret), false)?;
        tracing::info!(file = %file.display(), "a root key was made: keep a copy of it elsewhere");
        // Somebody else may have been first.
        read(file)?.ok_or_else(|| no_root(file))
    }
}

/// Reads a root key, if there is one.
fn read(file: &Path) -> Result<Option<Root>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => zeroize::Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(file, &error)),
    };
    let mode = std::fs::metadata(file).map_err(|error| unusable(file, &error))?;
    if mode.permissions().mode() & 0o007 != 0 {
        let message = format!("everybody on this machine may read {}", file.display());
        return Err(Error::new(Code::FailedPrecondition, "ring.exposed", message)
            .help(format!("chmod o= {}", file.display())));
    }
    Root::parse(&text).map(Some)
}

/// Writes a root key, whole or not at all; unless it may replace one, the one that is there stays.
fn write(file: &Path, root: &Root, replace: bool) -> Result<()> {
    let fresh = file.with_extension(format!("{}.new", std::process::id()));
    let text = zeroize::Zeroizing::new(root.text());
    let put = || {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        // One that an earlier crash left may have other permissions.
        let _ = std::fs::remove_file(&fresh);
        let mut open = OpenOptions::new();
        let mut written = open.write(true).create_new(true).mode(0o600).open(&fresh)?;
        written.write_all(text.as_bytes())?;
        written.sync_all()?;
        if replace {
            std::fs::rename(&fresh, file)?;
        } else {
            let linked = std::fs::hard_link(&fresh, file);
            std::fs::remove_file(&fresh)?;
            linked.or_else(|error| match error.kind() {
                ErrorKind::AlreadyExists => Ok(()),
                _ => Err(error),
            })?;
        }
        File::open(folder)?.sync_all()
    };
    put().map_err(|error| unusable(file, &error))
}

/// Runs on one snapshot.
async fn ask<T: Send + 'static>(
    store: &Store, mut run: impl FnMut(&mut dyn Session) -> Result<T> + Send + 'static,
) -> Result<T> {
    let slot = Arc::new(Mutex::new(None));
    let filled = Arc::clone(&slot);
    let read: Read<()> = Box::new(move |session, _| {
        *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(run(session)?);
        Ok(())
    });
    store.read(None, read).await?;
    taken(&slot)
}

/// Runs in one commit.
async fn change<T: Send + 'static>(
    store: &Store, mut run: impl FnMut(&mut dyn Session, Stamp) -> Result<T> + Send + 'static,
) -> Result<T> {
    let slot = Arc::new(Mutex::new(None));
    let filled = Arc::clone(&slot);
    let run = move |session: &mut dyn Session, stamp| {
        *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(run(session, stamp)?);
        Ok(Outcome { reply: None, gathered: Default::default() })
    };
    store.commit(Commit { header: keys::housekeeping(""), run: Box::new(run) }).await?;
    taken(&slot)
}

fn taken<T>(slot: &Mutex<Option<T>>) -> Result<T> {
    let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    taken.ok_or_else(|| Error::internal("the store gave nothing"))
}

fn no_root(file: &Path) -> Error {
    let message = format!("the root key of this database is not at {}", file.display());
    Error::new(Code::FailedPrecondition, "ring.no_root", message).help(
        "Put the file back that was written when the database was made, or a copy of it, or say \
         with --root-key where it is. Without it, what is sealed can be opened by nobody.",
    )
}

fn unusable(file: &Path, error: &std::io::Error) -> Error {
    let message = format!("the root key at {} cannot be used: {error}", file.display());
    Error::new(Code::FailedPrecondition, "ring.unusable", message)
        .help("Let the user that runs the node read and write the file and its directory.")
}
