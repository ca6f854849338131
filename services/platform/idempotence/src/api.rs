//! The contract's functions.

use stoa_idempotence_v1::*;
use stoa_kit::{Error, Result, Tx, View};

use crate::model::{self, Decision};
use crate::store;

/// Keeps the promises of `stoa.idempotence.v1`.
pub(crate) struct Idempotence;

impl IdempotenceService for Idempotence {
    fn claim_key(&self, tx: &mut Tx, request: ClaimKeyRequest) -> Result<ClaimKeyResponse> {
        let ClaimKeyRequest { scope, key, fingerprint, lease_seconds, ttl_seconds } = request;
        let claim = Claim {
            owner: tx.owner()?.to_owned(),
            scope,
            key,
            fingerprint,
            // Commits that see each other are in the order of their time: whatever fence was
            // forgotten with its claim is less.
            fence: tx.now().0,
            state: State::Held.into(),
            ttl_seconds: model::ttl_seconds(ttl_seconds),
            ..Claim::default()
        };
        let claim = model::until(claim, tx.after(model::lease(lease_seconds)));
        // A key is new more often than not, and to look for it first collides with its neighbours.
        if let Some(claim) = tx.add_new(claim.clone(), "owner, scope, key")? {
            return Ok(first(claim, false));
        }
        let before = store::claim(tx, &claim.scope, &claim.key)?;
        let before = before.ok_or_else(|| Error::internal("a claim is there and is not"))?;
        let outcome = match model::decide(&before, &claim.fingerprint, tx.now()) {
            Decision::Taken { retaken } => {
                let fence = claim.fence.max(before.fence + 1);
                return Ok(first(tx.save(Claim { fence, ..claim })?, retaken));
            }
            Decision::InProgress(left) => {
                let retry_after_ms = i32::try_from(left.as_millis() + 1).unwrap_or(i32::MAX);
                ClaimKeyResponseOutcome::InProgress(InProgress { retry_after_ms })
            }
            Decision::Done => ClaimKeyResponseOutcome::Done(Done { result: before.result }),
            Decision::Conflict => ClaimKeyResponseOutcome::Conflict(Conflict {}),
        };
        Ok(ClaimKeyResponse { outcome: Some(outcome) })
    }

    fn renew_claim(&self, tx: &mut Tx, request: RenewClaimRequest) -> Result<RenewClaimResponse> {
        let RenewClaimRequest { scope, key, fence, lease_seconds } = request;
        let claim = model::held(store::claim(tx, &scope, &key)?, fence)?;
        let claim = tx.save(model::until(claim, tx.after(model::lease(lease_seconds))))?;
        Ok(RenewClaimResponse { lease_expire_time: claim.lease_expire_time })
    }

    fn complete_claim(
        &self, tx: &mut Tx, request: CompleteClaimRequest,
    ) -> Result<CompleteClaimResponse> {
        let CompleteClaimRequest { scope, key, fence, result } = request;
        let claim = store::claim(tx, &scope, &key)?;
        let is_told_again = |claim: &Claim| {
            claim.state == State::Done && (claim.fence, &claim.result) == (fence, &result)
        };
        // Whoever lost the answer says it again.
        if claim.as_ref().is_some_and(is_told_again) {
            return Ok(CompleteClaimResponse {});
        }
        let claim = model::held(claim, fence)?;
        end(tx, Claim { state: State::Done.into(), result, ..claim })?;
        Ok(CompleteClaimResponse {})
    }

    fn release_claim(
        &self, tx: &mut Tx, request: ReleaseClaimRequest,
    ) -> Result<ReleaseClaimResponse> {
        let ReleaseClaimRequest { scope, key, fence } = request;
        let claim = model::held(store::claim(tx, &scope, &key)?, fence)?;
        end(tx, Claim { state: State::Released.into(), ..claim })?;
        Ok(ReleaseClaimResponse {})
    }

    fn delete_expired(
        &self, tx: &mut Tx, _: DeleteExpiredRequest,
    ) -> Result<DeleteExpiredResponse> {
        tx.sweep::<Claim>("expire_time")?;
        Ok(DeleteExpiredResponse {})
    }
}

/// Lets a command of any service happen only while its caller holds a key.
pub(crate) fn check_fence(view: &View, said: &str) -> Result<()> {
    let (fence, scope, key) = model::fence(said)?;
    model::held(store::claim(view, scope, key)?, fence).map(drop)
}

fn first(claim: Claim, retaken: bool) -> ClaimKeyResponse {
    let Claim { fence, lease_expire_time, .. } = claim;
    let first = First { fence, retaken, lease_expire_time };
    ClaimKeyResponse { outcome: Some(ClaimKeyResponseOutcome::First(first)) }
}

/// Keeps a claim that nobody works on any more.
fn end(tx: &mut Tx, claim: Claim) -> Result<Claim> {
    tx.save(model::until(claim, tx.now()))
}
