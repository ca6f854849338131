//! Where a blob can be had: a path that says itself until when, and that nobody else can write.

use std::time::Duration;

use crate::registry::Registry;
use crate::{Micros, Result, View};

/// Where blobs are had: `/-/blobs/<tenant>/<id>?until=<seconds>&seal=<hex>`.
pub const PATH: &str = "/-/blobs";

/// How long a path is good at least, and in which steps it changes: within one, a browser finds again
/// what it has.
const LIFE: Duration = Duration::from_secs(10 * 60);
const STEP: i64 = 5 * 60 * 1_000_000;

/// A blob, as a path names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The tenant.
    pub tenant: String,
    /// The blob.
    pub id: String,
    /// Until when the path is good.
    pub until: Micros,
}

impl View<'_> {
    /// The path under which whoever has it gets the bytes of a blob, for ten minutes or somewhat more;
    /// none for one that no row of this service holds.
    ///
    /// # Errors
    /// Those of [`View::rows`].
    pub fn link(&self, id: &str) -> Result<String> {
        const PLACE: &str =
            "SELECT place FROM stoa_blob WHERE tenant = :tenant AND id = $1 AND state = 'kept'";
        if id.is_empty() {
            return Ok(String::new());
        }
        let own = format!("{}_", self.registry().service(self.service()).name);
        match self.of_kernel().row::<(String,)>(PLACE, (id,))? {
            Some((place,)) if place.starts_with(&own) => {
                let until = Micros((self.now().after(LIFE).0 / STEP + 1) * STEP);
                let tenant = self.caller().tenant.to_string();
                Link { tenant, id: id.to_owned(), until }.path(self.registry())
            }
            _ => Ok(String::new()),
        }
    }
}

impl Link {
    /// The path.
    pub(crate) fn path(&self, registry: &Registry) -> Result<String> {
        let Self { tenant, id, until } = self;
        let (seconds, seal) = (until.0 / 1_000_000, self.seal(registry)?);
        Ok(format!("{PATH}/{tenant}/{id}?until={seconds}&seal={seal}"))
    }

    /// What a path names, if it was written here and is still good.
    ///
    /// # Errors
    /// `internal` before the store is open.
    pub fn read(registry: &Registry, path: &str, query: &str, now: Micros) -> Result<Option<Self>> {
        let parts = || {
            let (tenant, id) = path.strip_prefix(PATH)?.strip_prefix('/')?.split_once('/')?;
            let (until, seal) = query.strip_prefix("until=")?.split_once("&seal=")?;
            let until = Micros(until.parse::<i64>().ok()?.checked_mul(1_000_000)?);
            Some((Self { tenant: tenant.to_owned(), id: id.to_owned(), until }, seal))
        };
        let Some((link, seal)) = parts() else { return Ok(None) };
        // Hashes of both are compared, so that how long it takes tells nothing of where they differ.
        let is_ours =
            blake3::hash(link.seal(registry)?.as_bytes()) == blake3::hash(seal.as_bytes());
        Ok((is_ours && now < link.until).then_some(link))
    }

    fn seal(&self, registry: &Registry) -> Result<String> {
        let Self { tenant, id, until } = self;
        let until = until.0.to_le_bytes();
        let parts = [b"link".as_slice(), tenant.as_bytes(), id.as_bytes(), &until];
        let seal: [u8; 16] = registry.ring()?.cell().derive(&parts);
        Ok(seal.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
