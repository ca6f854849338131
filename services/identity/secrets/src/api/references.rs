//! References: what stands for a value, and how it is told.

use std::time::Duration;

use stoa_kit::{Error, Micros, Reason as _, Result, Tx, View};
use stoa_secrets_v1::*;

use crate::store;

pub(super) fn wrap(tx: &mut Tx, request: WrapRequest) -> Result<WrapResponse> {
    let WrapRequest { kind, value, subject, purposes, ttl_seconds } = request;
    if tx.is_erased(&subject)? {
        let message = format!("`{subject}` was erased, and nothing is kept about them any more");
        return Err(Reason::SubjectErased.because(message));
    }
    // What a service wraps is not its caller's.
    let owner = tx.caller().owner().filter(|_| !tx.is_nested()).unwrap_or_default().to_owned();
    let mut reference = Reference {
        id: tx.new_id("ref"),
        owner,
        fingerprint: store::fingerprint(tx, &kind, &value)?,
        kind,
        subject,
        purposes,
        ..Reference::default()
    };
    if ttl_seconds > 0 {
        let ttl = Duration::from_secs(ttl_seconds.unsigned_abs().into());
        reference.expire_time = tx.after(ttl).timestamp();
    }
    let Reference { id: reference_id, kind, subject, expire_time, .. } = reference.clone();
    tx.emit(&ReferenceWrapped {
        reference_id: reference_id.clone(),
        kind: kind.clone(),
        subject: subject.clone(),
    });
    tx.add(Content { kind, reference_id, subject, value, expire_time })?;
    Ok(WrapResponse { reference: tx.add(reference)?.into() })
}

pub(super) fn unwrap(tx: &mut Tx, request: UnwrapRequest) -> Result<UnwrapResponse> {
    let UnwrapRequest { id, purpose, reason } = request;
    let now = tx.now();
    let live =
        |found: &Reference| found.expire_time.as_option().is_none_or(|end| now < Micros::of(end));
    let reference = tx.visible(tx.get::<Reference>(&id)?.filter(live), &id)?;
    let subject = reference.subject.clone();
    let caller = tx.caller().subject.to_string();
    if !reference.purposes.contains(&purpose) {
        let message = format!("`{id}` was not wrapped for `{purpose}`");
        tx.emit(&UnwrapRefused { reference_id: id, subject, caller, purpose, reason });
        return Err(Reason::WrongPurpose.because(message).remembered());
    }
    let content = tx.get::<Content>((&reference.kind, &id))?;
    let content = content.ok_or_else(|| Error::internal("a reference has no content"))?;
    tx.emit(&ReferenceUnwrapped { reference_id: id, subject, caller, purpose, reason });
    Ok(UnwrapResponse { reference: reference.into(), value: content.value })
}

pub(super) fn fingerprint(view: &View, request: FingerprintRequest) -> Result<FingerprintResponse> {
    let FingerprintRequest { kind, value } = request;
    Ok(FingerprintResponse { fingerprint: store::fingerprint(view, &kind, &value)? })
}

pub(super) fn destroy(
    tx: &mut Tx, request: DestroySubjectRequest,
) -> Result<DestroySubjectResponse> {
    let DestroySubjectRequest { subject } = request;
    let destroyed = store::destroy(tx, &subject)?;
    if destroyed > 0 {
        tx.emit(&SubjectDestroyed { subject, destroyed });
    }
    Ok(DestroySubjectResponse { destroyed })
}

pub(super) fn get(view: &View, request: GetReferenceRequest) -> Result<GetReferenceResponse> {
    Ok(GetReferenceResponse { reference: view.load::<Reference>(&request.id)?.into() })
}

pub(super) fn batch_get(
    view: &View, request: BatchGetReferencesRequest,
) -> Result<BatchGetReferencesResponse> {
    Ok(BatchGetReferencesResponse { references: view.load_many(&request.ids)? })
}

pub(super) fn list(view: &View, request: ListReferencesRequest) -> Result<ListReferencesResponse> {
    let list = view.list::<Reference>("id").only("subject", &request.subject);
    let (references, next_page_token) =
        list.only("fingerprint", &request.fingerprint).page(&request)?;
    Ok(ListReferencesResponse { references, next_page_token })
}

pub(super) fn delete_expired(
    tx: &mut Tx, _: DeleteExpiredRequest,
) -> Result<DeleteExpiredResponse> {
    tx.sweep::<Content>("expire_time")?;
    tx.sweep::<Reference>("expire_time")?;
    Ok(DeleteExpiredResponse {})
}
