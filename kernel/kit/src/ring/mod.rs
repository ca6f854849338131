//! The key ring: what the keys of a cell follow from, and who can destroy which.
//!
//! ```text
//! root key           in a file, in no row           wraps the two below
//! ├─ cell's secret   wrapped, one a cell            page tokens, idempotency keys, steps
//! └─ tenant's key    wrapped, one a tenant          fingerprints, secret settings
//!    └─ subject's    wrapped, one a person          what a contract calls personal
//! ```
//!
//! A key is kept wrapped by the one above it, in rows like all others, so that a copy of the
//! database is of no use to who has not the root, and so that to take another root is to wrap the
//! few keys right below it anew. To destroy a subject's key is to destroy everything that was
//! sealed with it, wherever it lies.
//!
//! **Invariant:** no key and no personal value is in a row, an event or a remembered reply as it is.
//!
//! **Invariant:** a key that a command makes follows from what this process drew when it started
//! and keeps nowhere: a re-run gets it again, and nobody later.
//!
//! **Invariant:** whether a subject's key is there is asked in the transaction or snapshot that
//! uses it: from the commit that destroys it on, it opens nothing, on any node.

mod pieces;
mod root;
mod seal;

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

pub use pieces::Pieces;
pub use root::Root;
pub use seal::Seal;

use crate::session::Stamp;
use crate::{Code, Error, Result};

/// The keys of a cell, as a node has them at hand.
pub struct Ring {
    root: Root,
    cell: Seal,
    /// What keys that are made here follow from.
    chance: Seal,
    /// Keys of tenants that are known to be kept.
    tenants: RwLock<BTreeMap<Box<str>, Seal>>,
}

impl Ring {
    /// A ring over a cell's secret; `chance` was drawn for this process alone.
    pub fn new(root: Root, cell: Seal, chance: [u8; 32]) -> Self {
        Self { root, cell, chance: Seal::new(chance), tenants: RwLock::default() }
    }

    /// What follows from the cell's secret.
    pub fn cell(&self) -> &Seal {
        &self.cell
    }

    /// A new key: its bytes are the same for the same stamp and purpose, in this process.
    pub(crate) fn draw(&self, stamp: Stamp, purpose: &[&[u8]]) -> [u8; 32] {
        let [low, high] = stamp.seed.map(u64::to_le_bytes);
        self.chance.within(&[&low, &high]).derive(purpose)
    }

    /// Wraps the key of a tenant.
    pub(crate) fn wrap(&self, tenant: &str, key: &[u8; 32]) -> Result<Vec<u8>> {
        self.root.wrap(&of_tenant(tenant), key)
    }

    /// Opens the key of a tenant.
    ///
    /// # Errors
    /// `ring.rotated`: the root opened what the cell's secret was wrapped with when the node started.
    pub(crate) fn open(&self, tenant: &str, wrapped: &[u8]) -> Result<Seal> {
        self.root.open(&of_tenant(tenant), wrapped).map(Seal::new).ok_or_else(rotated)
    }

    /// Looks whether the root is still the one that wraps the cell's secret: what another wrapped
    /// would be opened by nobody who has the new one alone.
    ///
    /// # Errors
    /// `ring.rotated`.
    pub(crate) fn is_current(&self, cell: &[u8]) -> Result<()> {
        self.root.open(CELL, cell).map(drop).ok_or_else(rotated)
    }

    /// The key of a tenant, if it is known to be kept.
    pub(crate) fn tenant(&self, tenant: &str) -> Option<Seal> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    /// Knows from now on that a tenant's key is kept: it was read from what is durable.
    pub fn learn(&self, tenant: &str, key: &Seal) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        tenants.insert(tenant.into(), key.clone());
    }
}

/// What the cell's secret is kept under, among what the root wraps.
pub const CELL: &str = "cell";

/// What a tenant's key is kept under.
pub fn of_tenant(tenant: &str) -> String {
    format!("tenant:{tenant}")
}

/// What is said by a node that runs on while another root key was taken.
fn rotated() -> Error {
    let message = "the root key was replaced since this node started";
    Error::unavailable("ring.rotated", message)
        .help("Nothing was changed. Start this node again, with the new file.")
}

/// What a start is told whose root key is not the database's.
pub fn wrong_root(what: &str) -> Error {
    let message = format!("the root key does not open `{what}`");
    Error::new(Code::FailedPrecondition, "ring.wrong_root", message).help(
        "Start with the file that was written when this database was made (--root-key), or with a \
         copy of it. Without it, what is sealed in the database can be opened by nobody.",
    )
}
