//! What this node did of late.

use std::time::Duration;

use stoa_kit::{Micros, Result, View};

use super::{Own, is_main};
use crate::contract::{GetLoadRequest, GetLoadResponse, LoadPoint, MethodLoad};
use crate::load::{Calls, Whole};

/// What is told where nobody says from when on.
const HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) fn get(view: &View, own: &Own, request: GetLoadRequest) -> Result<GetLoadResponse> {
    // What is counted is that of all tenants.
    is_main(view)?;
    let to = request.end_time.as_option().map_or_else(|| own.world.now(), Micros::of);
    let from = request.start_time.as_option().map_or_else(|| to.before(HOUR), Micros::of);
    let told = own.load.told(from, to, &request.method);
    let mut methods: Vec<_> = told.methods.into_iter().map(method).collect();
    methods.sort_by_key(|method| std::cmp::Reverse(method.total_us));
    Ok(GetLoadResponse {
        node: own.name.to_string(),
        since_time: told.since.map(Micros::timestamp).unwrap_or_default(),
        step_seconds: told.step,
        points: told.steps.into_iter().map(point).collect(),
        methods,
    })
}

fn point((time, whole, calls): (Micros, Whole, Calls)) -> LoadPoint {
    LoadPoint {
        time: time.timestamp(),
        calls: number(calls.within.count()),
        errors: number(calls.errors),
        p50_us: calls.within.quantile(500),
        p90_us: calls.within.quantile(900),
        p99_us: calls.within.quantile(990),
        commits: number(whole.commits),
        batches: number(whole.batches),
        batch_us: number(whole.batch_us),
        retries: number(whole.retries),
        reads: number(whole.reads),
        queue: number(whole.queue),
        wal_bytes: number(whole.wal_bytes),
        memory_bytes: number(whole.memory_bytes),
        connections: number(whole.connections),
    }
}

fn method((path, calls): (&str, Calls)) -> MethodLoad {
    MethodLoad {
        method: path.to_owned(),
        calls: number(calls.within.count()),
        errors: number(calls.errors),
        p50_us: calls.within.quantile(500),
        p99_us: calls.within.quantile(990),
        total_us: number(calls.total_us),
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
