//! Rows, by what they are about.

pub(crate) mod acme;
pub(crate) mod certificates;
pub(crate) mod roots;

use stoa_certs_v1::{Authorization, Certificate, Order, SpentNonce};
use stoa_kit::{Micros, Result, Tx, View};

/// When something is over.
pub(crate) fn next_expiry(view: &View) -> Result<Option<Micros>> {
    let certificate = view.earliest::<Certificate>("forget_time")?;
    let order = view.earliest::<Order>("expire_time")?;
    let authorization = view.earliest::<Authorization>("expire_time")?;
    let nonce = view.earliest::<SpentNonce>("expire_time")?;
    Ok(certificate.into_iter().chain(order).chain(authorization).chain(nonce).min())
}

/// Deletes what is over.
pub(crate) fn delete_expired(tx: &mut Tx) -> Result<()> {
    tx.sweep::<Certificate>("forget_time")?;
    tx.sweep::<Order>("expire_time")?;
    tx.sweep::<Authorization>("expire_time")?;
    tx.sweep::<SpentNonce>("expire_time")
}
