//! The rules about stock and reservations.

use std::collections::BTreeMap;
use std::time::Duration;

use stoa_inventory_v1::StockLine;

/// How long goods are put aside if nobody says.
const HOLD_DEFAULT: Duration = Duration::from_secs(15 * 60);

/// Where goods are if nobody says.
pub(crate) fn location(asked: String) -> String {
    if asked.is_empty() { "main".to_owned() } else { asked }
}

/// How much of each SKU, added up, in the order of the SKUs.
pub(crate) fn totals(lines: &[StockLine]) -> BTreeMap<String, i64> {
    let mut totals = BTreeMap::new();
    for line in lines {
        *totals.entry(line.sku.clone()).or_insert(0) += line.quantity;
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

/// The same as lines.
pub(crate) fn lines(totals: BTreeMap<String, i64>) -> Vec<StockLine> {
    totals.into_iter().map(|(sku, quantity)| StockLine { sku, quantity }).collect()
}
