//! Timers, and when each fires.

use stoa_kit::{Micros, Result, View};

use crate::contract::{ListTimersRequest, ListTimersResponse, Timer};

pub(super) fn list(view: &View, _: ListTimersRequest) -> Result<ListTimersResponse> {
    const LIST: &str = "SELECT c.name, COALESCE(t.last, 0), c.next, c.schedule \
         FROM stoa_timer AS c LEFT JOIN stoa_timer AS t ON t.tenant = :tenant \
         AND t.name = c.name WHERE c.tenant = '' ORDER BY c.name \
         /* whole: there are as many as timers */";
    let rows = view.rows::<(String, i64, i64, String)>(LIST, ())?;
    let time = |at| match at {
        0 => Default::default(),
        at => Micros(at).timestamp(),
    };
    let timers = rows.into_iter().map(|(name, last, next, schedule)| Timer {
        name,
        last_time: time(last),
        next_time: time(next),
        schedule,
    });
    Ok(ListTimersResponse { timers: timers.collect() })
}
