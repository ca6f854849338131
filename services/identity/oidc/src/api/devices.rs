//! Devices that have no browser (RFC 8628): somebody lets them in from another one.

use stoa_kit::{Error, Micros, Reason as _, Result, Tx};
use stoa_oidc_v1::*;

use super::sessions;
use crate::model::{self, Kind};
use crate::store::{self, Present};

pub(super) fn start(tx: &mut Tx, request: StartDeviceRequest) -> Result<StartDeviceResponse> {
    let client = store::proven(tx, request.client.as_option())?;
    let settings: Settings = tx.settings()?;
    model::issuer(&settings)?;
    if !client.grant_types.iter().any(|grant| grant == model::DEVICE) {
        return Err(Reason::UnauthorizedClient.because("the application may not use this grant"));
    }
    let scopes = model::scopes(&request.scope);
    if scopes.is_empty() {
        return Err(Reason::InvalidScope.because("nothing is asked for"));
    }
    model::check_scopes(&scopes, &client.scopes)?;
    let user_code = tx.fingerprint("user_code", &model::typed(&request.user_code))?;
    let device = Device {
        id: tx.new_id("dev"),
        client_id: client.id,
        scopes,
        state: DeviceState::Pending.into(),
        expire_time: tx.after(model::DEVICE_LIFE).timestamp(),
        ..Device::default()
    };
    let device = tx.add_with(device, "user_code", (user_code.as_slice(),))?;
    let seconds = i64::try_from(model::DEVICE_LIFE.as_secs()).unwrap_or(i64::MAX);
    Ok(StartDeviceResponse { device_id: device.id, seconds, interval: model::POLL_SECONDS })
}

/// The device of somebody who is signed in, by what they typed.
fn typed(tx: &mut Tx, present: &Present, user_code: &str) -> Result<Option<(Device, Client)>> {
    store::may_type(tx, &present.user.id)?;
    let pending = |device: &Device| device.state.as_known() == Some(DeviceState::Pending);
    let Some(device) = store::device(tx, user_code)?.filter(pending) else {
        store::count_guess(tx, &present.user.id)?;
        return Ok(None);
    };
    Ok(tx.get::<Client>(&device.client_id)?.map(|client| (device, client)))
}

pub(super) fn prepare(tx: &mut Tx, request: PrepareDeviceRequest) -> Result<PrepareDeviceResponse> {
    let Some(present) = store::present(tx, &request.session_token)? else {
        return Ok(PrepareDeviceResponse::default());
    };
    let mut reply = PrepareDeviceResponse { signed_in: true, ..Default::default() };
    reply.handle.clone_from(&present.user.handle);
    if request.user_code.is_empty() {
        return Ok(reply);
    }
    if let Some((device, client)) = typed(tx, &present, &request.user_code)? {
        reply.page_code = present.page_code(tx, &device.id)?;
        (reply.found, reply.client_name, reply.scopes) = (true, client.name, device.scopes);
    }
    Ok(reply)
}

pub(super) fn decide(tx: &mut Tx, request: DecideDeviceRequest) -> Result<DecideDeviceResponse> {
    let gone = || Reason::WrongPage.because("this was decided, or is over");
    let present = store::present(tx, &request.session_token)?.ok_or_else(gone)?;
    let Some((mut device, client)) = typed(tx, &present, &request.user_code)? else {
        return Err(gone().remembered());
    };
    present.check_page(tx, &device.id, &request.page_code)?;
    device.state = match request.allow {
        true => DeviceState::Approved,
        false => DeviceState::Denied,
    }
    .into();
    device.user_id.clone_from(&present.user.id);
    device.session_id.clone_from(&present.session.id);
    device.auth_time = present.auth_time().timestamp();
    device.methods.clone_from(&present.session.methods);
    if request.allow && device.scopes.iter().any(|scope| scope == model::OPENID) {
        sessions::note(tx, &client.id, &present.session)?;
    }
    tx.save(device)?;
    Ok(DecideDeviceResponse {})
}

/// The family of a device that was let in.
pub(super) fn poll(tx: &mut Tx, client: &Client, device_code: &str) -> Result<Family> {
    let unknown = || Reason::InvalidGrant.because("there is no such device, or it is in already");
    let id = Kind::Device.read(tx, device_code)?.ok_or_else(unknown)?;
    let device = tx.get::<Device>(&id)?.ok_or_else(unknown)?;
    if device.client_id != client.id {
        return Err(unknown());
    }
    if tx.now() >= Micros::of(&device.expire_time) {
        return Err(Reason::ExpiredToken.because("the time of this device is over"));
    }
    match device.state.as_known() {
        Some(DeviceState::Approved) => {}
        Some(DeviceState::Denied) => {
            tx.delete::<Device>(&device.id)?;
            return Err(Reason::AccessDenied.because("the person said no").remembered());
        }
        _ => return Err(pending(tx, device)?),
    }
    // Who deletes it has it: nobody else gets tokens for it.
    let taken = tx.delete::<Device>(&device.id)?;
    if !taken || store::user(tx, &device.user_id)?.is_none() {
        return Err(unknown());
    }
    tx.add(Family {
        id: tx.new_id("fam"),
        client_id: device.client_id,
        user_id: device.user_id,
        state: FamilyState::Code.into(),
        scopes: device.scopes,
        session_id: device.session_id,
        auth_time: device.auth_time,
        methods: device.methods,
        expire_time: tx.after(model::CODE_LIFE).timestamp(),
        ..Family::default()
    })
}

/// Nobody has decided. A question that comes too fast is not noted, so that whoever asks too often is let
/// through as often as everybody else.
fn pending(tx: &mut Tx, mut device: Device) -> Result<Error> {
    let last = device.poll_time.as_option().map(Micros::of);
    if last.is_some_and(|last| tx.now().since(last) < model::POLL_LEAST) {
        return Ok(Reason::SlowDown.because("the device asks too often"));
    }
    device.poll_time = tx.now().timestamp();
    tx.save(device)?;
    Ok(Reason::AuthorizationPending.because("the person has not decided yet").remembered())
}
