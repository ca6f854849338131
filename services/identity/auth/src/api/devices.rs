//! Where users signed in from.

use stoa_auth_v1::{
    Device, ForgetDeviceRequest, ForgetDeviceResponse, ListDevicesRequest, ListDevicesResponse,
    Session,
};
use stoa_kit::{Error, Result, Tx, View};

use crate::store;

/// Sessions that are looked at, the oldest first.
const SESSIONS_MAX: i64 = 1_000;
/// What a network is called that is not known: of a call that came over none.
const NOWHERE: &str = "none";

pub(super) fn list(view: &View, _: ListDevicesRequest) -> Result<ListDevicesResponse> {
    let user_id = view.user()?;
    let mut devices: Vec<Device> = Vec::new();
    for (network, time) in store::networks(view, user_id)? {
        let id = shown(network);
        let last_sign_in_time = time.timestamp();
        devices.push(Device { id, last_sign_in_time, ..Device::default() });
    }
    for (network, session) in opened(view, user_id)? {
        let Some(device) = devices.iter_mut().find(|device| device.id == network) else { continue };
        device.current |= session.current;
        device.sessions.push(session);
    }
    Ok(ListDevicesResponse { devices })
}

/// The sessions of a user, each with the network that it was opened from.
fn opened(view: &View, user_id: &str) -> Result<Vec<(String, Session)>> {
    let sessions = store::sessions(view, Some(user_id), "", SESSIONS_MAX)?;
    let with = |session: Session| Ok((shown(store::network(view, &session.address)?), session));
    sessions.into_iter().map(with).collect()
}

/// A network as it is shown.
fn shown(network: String) -> String {
    if network.is_empty() { NOWHERE.to_owned() } else { network }
}

pub(super) fn forget(tx: &mut Tx, request: ForgetDeviceRequest) -> Result<ForgetDeviceResponse> {
    let user_id = tx.user()?.to_owned();
    let network = if request.id == NOWHERE { "" } else { &request.id };
    if !store::forget_network(tx, &user_id, network)? {
        return Err(Error::not_found("device", &request.id));
    }
    let mut revoked = 0;
    for (network, session) in opened(tx, &user_id)? {
        if network == request.id && store::revoke_session(tx, &session.id)? {
            revoked += 1;
        }
    }
    Ok(ForgetDeviceResponse { revoked })
}
