//! Settings of services, as people see and change them.

use stoa_kit::settings::Setting as Held;
use stoa_kit::{Micros, Result, Tx, View};

use crate::contract::*;

/// What holds, of one service or of all.
pub(super) fn list(view: &View, request: ListSettingsRequest) -> Result<ListSettingsResponse> {
    let service = request.service.as_str();
    let mut settings = Vec::new();
    for one in view.registry().services() {
        if service.is_empty() || service == one.name {
            settings.extend(view.settings_of(one)?.iter().map(shown));
        }
    }
    Ok(ListSettingsResponse { settings })
}

pub(super) fn update(tx: &mut Tx, request: UpdateSettingRequest) -> Result<UpdateSettingResponse> {
    let of = (request.service.as_str(), request.name.as_str());
    let held = tx.set(of, Some(&request.value), &request.etag)?;
    Ok(UpdateSettingResponse { setting: shown(&held).into() })
}

pub(super) fn reset(tx: &mut Tx, request: ResetSettingRequest) -> Result<ResetSettingResponse> {
    let of = (request.service.as_str(), request.name.as_str());
    let held = tx.set(of, None, &request.etag)?;
    Ok(ResetSettingResponse { setting: shown(&held).into() })
}

fn shown(held: &Held) -> Setting {
    Setting {
        service: held.service.to_owned(),
        name: held.field.name.to_owned(),
        value: held.shown(),
        is_set: held.is_set(),
        is_secret: held.field.redact,
        source: held.source.clone(),
        update_time: held.time.map(Micros::timestamp).unwrap_or_default(),
        etag: held.etag(),
    }
}
