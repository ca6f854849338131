//! What this node logged of late.

use stoa_kit::{Micros, Result, View};
use tracing::Level;

use super::{Own, is_main};
use crate::contract::{ListLogsRequest, ListLogsResponse, LogLine};
use crate::log::Line;

pub(super) fn list(view: &View, own: &Own, request: ListLogsRequest) -> Result<ListLogsResponse> {
    // What is logged is that of all tenants.
    is_main(view)?;
    let page = view.page(&request, 1)?;
    let before = Micros(page.number(0, i64::MAX)?);
    // Whoever has seen lines of another node, or of one that was started again, goes by the time.
    let after = Micros(request.after.parse().unwrap_or(0));
    let (least, text) = (level(&request.level), request.text.to_lowercase());
    let lines = own.logs.between(after, before).into_iter().filter(|line| {
        line.level <= least
            && (request.trace.is_empty() || line.trace == request.trace)
            && (line.text.to_lowercase().contains(&text) || line.target.contains(&text))
    });
    let lines = lines.take(page.limit().unsigned_abs() as usize);
    let mut lines = lines.map(|line| shown(&line)).collect();
    let next_page_token = page.cut(&mut lines, |last: &LogLine| vec![last.id.clone()])?;
    Ok(ListLogsResponse { node: own.name.to_string(), lines, next_page_token })
}

/// The least level that is asked for.
fn level(name: &str) -> Level {
    match name {
        "error" => Level::ERROR,
        "warn" => Level::WARN,
        "info" => Level::INFO,
        "debug" => Level::DEBUG,
        _ => Level::TRACE,
    }
}

fn shown(line: &Line) -> LogLine {
    LogLine {
        id: line.time.0.to_string(),
        time: line.time.timestamp(),
        level: line.level.as_str().to_lowercase(),
        target: line.target.to_owned(),
        text: line.text.clone(),
        trace: line.trace.clone(),
    }
}
