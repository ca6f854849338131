//! Lists of what is revoked.

use stoa_certs_v1::*;
use stoa_kit::{Result, Tx, View};

use crate::store::roots;

pub(super) fn get(view: &View, request: GetCrlRequest) -> Result<GetCrlResponse> {
    let crl = roots::crl(view, &request.root_id)?;
    Ok(GetCrlResponse { crl: crl.bytes, number: crl.number, due: crl.is_due })
}

pub(super) fn sign(tx: &mut Tx, request: SignCrlRequest) -> Result<SignCrlResponse> {
    let crl = roots::sign_crl(tx, &request.root_id)?;
    Ok(SignCrlResponse { crl: crl.bytes, number: crl.number })
}

pub(super) fn sign_due(tx: &mut Tx, _: SignDueCrlsRequest) -> Result<SignDueCrlsResponse> {
    roots::sign_due(tx)?;
    Ok(SignDueCrlsResponse {})
}
