//! The hub: brings what commits wrote together with what looks rest on.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use stoa_kit::MAIN;
use stoa_kit::session::{Extent, Reads};
use stoa_store::{Notice, Written};
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;

use super::access::Access;
use super::group::{Groups, spawn};
use super::query::Query;
use crate::Node;
use crate::budget::Budget;

/// Watches at a time, of all and of strangers; one caller has a quarter of either.
const WATCHES: (usize, usize) = (100_000, 10_000);
/// Notices that are remembered for those who were just looking.
const RECENT: usize = 1_024;

/// All that is watched on a node.
pub(crate) struct Hub {
    pub(super) queries: Groups<Query>,
    pub(super) accesses: Groups<Access>,
    pub(super) room: Arc<Budget>,
    index: Mutex<Index>,
}

/// What is told to look again.
pub(super) struct Flag {
    id: u64,
    tenant: Arc<str>,
    pub(super) stale: Notify,
}

#[derive(Default)]
struct Index {
    /// Notices heard so far, and the last of them.
    heard: u64,
    recent: VecDeque<Notice>,
    tables: HashMap<Arc<str>, Table>,
    flags: u64,
    is_listening: bool,
}

/// Those who rest on a table.
#[derive(Default)]
struct Table {
    whole: BTreeMap<u64, Arc<Flag>>,
    marked: HashMap<u32, BTreeMap<u64, Arc<Flag>>>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            queries: Groups::default(),
            accesses: Groups::default(),
            room: Budget::new(WATCHES.0, WATCHES.1),
            index: Mutex::default(),
        }
    }

    /// A flag for somebody who looks at rows of a tenant.
    pub(super) fn flag(&self, tenant: &Arc<str>) -> Arc<Flag> {
        let mut index = self.index();
        index.flags += 1;
        Arc::new(Flag { id: index.flags, tenant: Arc::clone(tenant), stale: Notify::new() })
    }

    /// How many notices were heard: whoever looks from now on sees what they tell of.
    pub(super) fn heard(&self) -> u64 {
        self.index().heard
    }

    /// Has a flag rest on what was read by a look that began when so many notices were heard. What
    /// was told meanwhile and concerns it raises it at once.
    pub(super) fn rest_on(&self, flag: &Arc<Flag>, before: &mut Reads, now: Reads, since: u64) {
        let mut index = self.index();
        if *before != now {
            before.iter().for_each(|(table, extent)| index.remove(flag, table, extent));
            now.iter().for_each(|(table, extent)| index.add(flag, table, extent));
            *before = now;
        }
        let missed = usize::try_from(index.heard - since).unwrap_or(usize::MAX);
        let concerns = |written: &Written| {
            flag.is_concerned(written)
                && before.get(&written.table).is_some_and(|read| read.meets(&written.rows))
        };
        let mut recent = index.recent.iter().rev().take(missed);
        let is_stale =
            missed > index.recent.len() || recent.any(|notice| notice.tables.iter().any(concerns));
        if is_stale && !before.is_empty() {
            flag.stale.notify_one();
        }
    }

    /// Hears of commits from now on, until the node stops.
    pub(super) fn listen(&self, node: &Arc<Node>) {
        if std::mem::replace(&mut self.index().is_listening, true) {
            return;
        }
        let (node, mut notices) = (Arc::downgrade(node), node.store().notices());
        spawn(async move {
            loop {
                let notice = match notices.recv().await {
                    Ok(notice) => Some(notice),
                    Err(RecvError::Lagged(_)) => None,
                    Err(RecvError::Closed) => return,
                };
                let Some(node) = node.upgrade() else { return };
                node.hub.index().tell(notice);
            }
        });
    }

    fn index(&self) -> std::sync::MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flag {
    /// Whether rows of its tenant may be among what was written: commits of the main one, where tenants
    /// are administered, write those of others too.
    fn is_concerned(&self, written: &Written) -> bool {
        written.tenant == self.tenant || &*written.tenant == MAIN
    }
}

impl Index {
    /// Raises the flags of those whom a commit may concern; all of them, where nobody knows which
    /// commits were missed.
    fn tell(&mut self, notice: Option<Notice>) {
        self.heard += 1;
        let Some(notice) = notice else {
            self.recent.clear();
            self.tables.values().flat_map(Table::flags).for_each(|flag| flag.stale.notify_one());
            return;
        };
        for written in notice.tables.iter() {
            let Some(table) = self.tables.get(&written.table) else { continue };
            let concerned = |flag: &&Arc<Flag>| flag.is_concerned(written);
            match &written.rows {
                Extent::Whole => {
                    table.flags().filter(concerned).for_each(|flag| flag.stale.notify_one());
                }
                Extent::Marks(marks) => {
                    let marked = marks.iter().filter_map(|mark| table.marked.get(mark));
                    let flags = marked.flat_map(BTreeMap::values).chain(table.whole.values());
                    flags.filter(concerned).for_each(|flag| flag.stale.notify_one());
                }
            }
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(notice);
    }

    fn add(&mut self, flag: &Arc<Flag>, table: &Arc<str>, extent: &Extent) {
        let table = self.tables.entry(Arc::clone(table)).or_default();
        match extent {
            Extent::Whole => _ = table.whole.insert(flag.id, Arc::clone(flag)),
            Extent::Marks(marks) => {
                for mark in marks {
                    let marked = table.marked.entry(*mark).or_default();
                    marked.insert(flag.id, Arc::clone(flag));
                }
            }
        }
    }

    fn remove(&mut self, flag: &Flag, name: &Arc<str>, extent: &Extent) {
        let Some(table) = self.tables.get_mut(name) else { return };
        match extent {
            Extent::Whole => _ = table.whole.remove(&flag.id),
            Extent::Marks(marks) => {
                for mark in marks {
                    let Some(marked) = table.marked.get_mut(mark) else { continue };
                    marked.remove(&flag.id);
                    if marked.is_empty() {
                        table.marked.remove(mark);
                    }
                }
            }
        }
        if table.whole.is_empty() && table.marked.is_empty() {
            self.tables.remove(name);
        }
    }
}

impl Table {
    fn flags(&self) -> impl Iterator<Item = &Arc<Flag>> {
        self.marked.values().flat_map(BTreeMap::values).chain(self.whole.values())
    }
}
