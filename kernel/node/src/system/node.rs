//! The node that answers: what it is, and what it was started with.

use stoa_kit::{Result, View};
use stoa_store::BackedUp;

use super::{Own, is_main};
use crate::Position;
use crate::contract::{Backup, Configured, GetNodeRequest, GetNodeResponse, Node};

pub(super) fn get(view: &View, own: &Own, _: GetNodeRequest) -> Result<GetNodeResponse> {
    const HOLDERS: &str = "SELECT DISTINCT holder FROM stoa_cursor WHERE tenant = :tenant \
         AND holder <> '' ORDER BY holder \
         /* whole: there are as many as partitions of subscriptions */";
    is_main(view)?;
    let holders = view.rows::<(String,)>(HOLDERS, ())?.into_iter().map(|(name,)| name);
    let store = own.store.get();
    let node = Node {
        name: own.name.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: store.map_or("", |store| store.name()).to_owned(),
        start_time: own.since.timestamp(),
        configuration: own.configuration.iter().map(configured).collect(),
        backup: store.and_then(|store| store.backed_up()).map(backup).into(),
        others: holders.filter(|name| **name != *own.name).collect(),
    };
    Ok(GetNodeResponse { node: node.into() })
}

fn configured(one: &crate::Configured) -> Configured {
    let crate::Configured { name, value, source } = one.clone();
    Configured { name, value, source }
}

fn backup(BackedUp { time, copied }: BackedUp) -> Backup {
    let bytes = i64::try_from(copied.bytes).unwrap_or(i64::MAX);
    let position = Position(copied.position).to_string();
    Backup { time: time.timestamp(), position, bytes }
}
