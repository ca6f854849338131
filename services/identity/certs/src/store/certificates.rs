//! The rows of certificates and workloads.

use stoa_certs_v1::{
    Certificate, CertificateIssued, CertificateRevoked, Reason, RevocationReason, Workload,
};
use stoa_kit::{Micros, Reason as _, Result, Tx, View};

use super::roots;
use crate::model;

/// Certificates that are revoked with a workload in one commit: it has a new one every half hour, so that more
/// are good at once only where something runs wild.
const REVOKED_MAX: i64 = 10_000;

/// Keeps a certificate.
pub(crate) fn add(tx: &mut Tx, certificate: Certificate) -> Result<Certificate> {
    let forget = Micros::of(&certificate.expire_time).after(model::KNOWN);
    let certificate = tx.add_with(certificate, "forget_time", (forget,))?;
    tx.emit(&CertificateIssued {
        serial: certificate.serial.clone(),
        authority_id: certificate.authority_id.clone(),
        names: certificate.names.clone(),
        expire_time: certificate.expire_time.clone(),
    });
    Ok(certificate)
}

/// Revokes a certificate.
pub(crate) fn revoke(
    tx: &mut Tx, mut certificate: Certificate, reason: RevocationReason,
) -> Result<Certificate> {
    if certificate.revoke_time.is_set() {
        return Err(Reason::AlreadyRevoked.because("the certificate was revoked before"));
    }
    certificate.revoke_time = tx.now().timestamp();
    certificate.revocation_reason = reason.into();
    let certificate = tx.save(certificate)?;
    roots::crl_changed(tx, &certificate.root_id)?;
    let Certificate { serial, authority_id, .. } = certificate.clone();
    tx.emit(&CertificateRevoked { serial, authority_id, reason: reason.into() });
    Ok(certificate)
}

/// Revokes what a workload has that is good.
pub(crate) fn revoke_of(tx: &mut Tx, workload_id: &str) -> Result<()> {
    let all = tx.all::<Certificate>(
        "workload_id = $1 ORDER BY create_time DESC, serial_number DESC LIMIT $2",
        (workload_id, REVOKED_MAX),
    )?;
    let now = tx.now();
    for certificate in all.into_iter().filter(|one| model::is_good(one, now)) {
        revoke(tx, certificate, RevocationReason::CessationOfOperation)?;
    }
    Ok(())
}

/// The workload of an authority that has a SPIFFE ID.
pub(crate) fn workload(view: &View, authority_id: &str, spiffe_id: &str) -> Result<Workload> {
    let found = view.find::<Workload>("spiffe_id = $1", spiffe_id)?;
    let found = found.filter(|workload| workload.authority_id == authority_id);
    found.ok_or_else(|| Reason::NotRegistered.because("no workload has this SPIFFE ID"))
}
