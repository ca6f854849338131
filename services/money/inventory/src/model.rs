//! Stock and reservations, and the rules about them.

use std::collections::BTreeMap;
use std::time::Duration;

use stoa_kit::Micros;
use stoa_money::inventory::{Reservation, ReservationState, Stock, StockLine};

use crate::store::{ReservationRow, StockRow};

/// How long goods are put aside if nobody says.
const HOLD_DEFAULT: Duration = Duration::from_secs(15 * 60);

/// The one spelling of a SKU.
pub(crate) fn normalise(sku: &str) -> String {
    sku.to_ascii_uppercase()
}

/// Where goods are if nobody says.
pub(crate) fn location(asked: String) -> String {
    if asked.is_empty() { "main".to_owned() } else { asked }
}

/// How much of each SKU, added up, in the order of the SKUs.
pub(crate) fn totals(lines: &[StockLine]) -> BTreeMap<String, i64> {
    let mut totals = BTreeMap::new();
    for line in lines {
        *totals.entry(normalise(&line.sku)).or_insert(0) += line.quantity;
    }
    totals
}

/// For how long to put goods aside.
pub(crate) fn hold(seconds: i32) -> Duration {
    match u64::try_from(seconds) {
        Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
        _ => HOLD_DEFAULT,
    }
}

pub(crate) fn stock((sku, location, available, reserved, updated): StockRow) -> Stock {
    Stock { sku, location, available, reserved, update_time: Micros(updated).timestamp() }
}

pub(crate) fn reservation(row: ReservationRow, lines: Vec<(String, i64)>) -> Reservation {
    let (id, state, location, expires, created, updated) = row;
    Reservation {
        id,
        state: state_of(&state).into(),
        location,
        lines: lines.into_iter().map(|(sku, quantity)| StockLine { sku, quantity }).collect(),
        expire_time: Micros(expires).timestamp(),
        create_time: Micros(created).timestamp(),
        update_time: Micros(updated).timestamp(),
    }
}

/// A state, as its column says it.
pub(crate) fn state_of(text: &str) -> ReservationState {
    match text {
        "held" => ReservationState::Held,
        "committed" => ReservationState::Committed,
        "released" => ReservationState::Released,
        "expired" => ReservationState::Expired,
        _ => ReservationState::Unspecified,
    }
}
