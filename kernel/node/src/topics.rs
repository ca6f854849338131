//! What is in topics, in the memory of this node.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use stoa_kit::ports::Ports;
use stoa_kit::topic::{Entry, Place, Topics};
use stoa_kit::{Code, Error, Result, World};
use tokio::sync::watch;

use crate::budget::{Budget, Held};

/// Entries at a time, of all and of strangers; one caller has a quarter of either.
const ENTRIES: (usize, usize) = (100_000, 10_000);
/// Entries of one topic: whoever watches it is sent them all.
const TOPIC_MAX: usize = 1_000;
/// The largest entry.
const ENTRY_MAX: usize = 4 << 10;
/// How soon whoever watches is told again: so often people see something move.
const PACE: Duration = Duration::from_millis(40);

/// The topics of a node.
pub(crate) struct Memory {
    world: Arc<dyn World>,
    room: Arc<Budget>,
    held: Arc<Mutex<All>>,
}

#[derive(Default)]
struct All {
    topics: HashMap<Place, Topic>,
    /// When leases end.
    ends: BTreeSet<(Duration, Place, Arc<str>)>,
}

/// One that somebody is in, or watches.
#[derive(Default)]
struct Topic {
    /// In the order in which their keys came.
    entries: Vec<Kept>,
    changed: watch::Sender<()>,
}

struct Kept {
    key: Arc<str>,
    message: Bytes,
    ends: Option<Duration>,
    _held: Held,
}

/// What a driver provides, or else the memory of this node.
pub(crate) fn of(ports: &Ports, world: &Arc<dyn World>) -> Arc<dyn Topics> {
    let memory = || -> Arc<dyn Topics> {
        let room = Budget::new(ENTRIES.0, ENTRIES.1);
        Arc::new(Memory { world: Arc::clone(world), room, held: Arc::default() })
    };
    ports.shared().unwrap_or_else(memory)
}

impl Memory {
    /// What there is, without what has ended.
    fn all(&self) -> std::sync::MutexGuard<'_, All> {
        let mut all = lock(&self.held);
        all.end(self.world.uptime());
        all
    }
}

impl Topics for Memory {
    fn put(&self, place: &Place, entry: Entry<'_>) -> Result<()> {
        if entry.message.len() > ENTRY_MAX {
            return Err(too_large());
        }
        let mut all = self.all();
        let All { topics, ends } = &mut *all;
        let topic = topics.entry(place.clone()).or_default();
        let until = entry.lease.map(|lease| self.world.uptime() + lease);
        let known = topic.entries.iter_mut().find(|kept| *kept.key == *entry.key);
        let key = match known {
            Some(kept) => {
                let before = std::mem::replace(&mut kept.ends, until);
                if let Some(before) = before {
                    ends.remove(&(before, place.clone(), Arc::clone(&kept.key)));
                }
                let is_new = kept.message != entry.message;
                kept.message = entry.message;
                let key = Arc::clone(&kept.key);
                if is_new {
                    topic.changed.send_replace(());
                }
                key
            }
            None => {
                let mut held = self.room.open(entry.caller, entry.address);
                let taken = match topic.entries.len() {
                    TOPIC_MAX.. => Err(full()),
                    _ => held.take(1),
                };
                if let Err(error) = taken {
                    all.forget(place);
                    return Err(error);
                }
                let key = Arc::<str>::from(entry.key);
                let (message, ends) = (entry.message, until);
                topic.entries.push(Kept { key: Arc::clone(&key), message, ends, _held: held });
                topic.changed.send_replace(());
                key
            }
        };
        if let Some(until) = until {
            ends.insert((until, place.clone(), key));
        }
        Ok(())
    }

    fn take(&self, place: &Place, key: &str) {
        self.all().take(place, key);
    }

    fn watch(&self, place: &Place) -> BoxStream<'static, Arc<[Bytes]>> {
        let changed = self.all().topics.entry(place.clone()).or_default().changed.subscribe();
        let (held, world, place) = (Arc::clone(&self.held), Arc::clone(&self.world), place.clone());
        let watching = Watching { held, world, place, changed: Some(changed), seen: None };
        let states = futures::stream::unfold(watching, |mut watching| async {
            Some((watching.next().await, watching))
        });
        states.boxed()
    }
}

impl All {
    /// Takes away what has ended.
    fn end(&mut self, uptime: Duration) {
        while let Some((until, ..)) = self.ends.first()
            && *until <= uptime
            && let Some((_, place, key)) = self.ends.pop_first()
        {
            self.take(&place, &key);
        }
    }

    fn take(&mut self, place: &Place, key: &str) {
        let Some(topic) = self.topics.get_mut(place) else { return };
        let Some(at) = topic.entries.iter().position(|kept| *kept.key == *key) else { return };
        let Kept { key, ends, .. } = topic.entries.remove(at);
        topic.changed.send_replace(());
        if let Some(until) = ends {
            self.ends.remove(&(until, place.clone(), key));
        }
        self.forget(place);
    }

    /// Forgets a topic that nobody is in and nobody watches.
    fn forget(&mut self, place: &Place) {
        let is_over =
            |topic: &Topic| topic.entries.is_empty() && topic.changed.receiver_count() == 0;
        if self.topics.get(place).is_some_and(is_over) {
            self.topics.remove(place);
        }
    }
}

/// Somebody who watches a topic.
struct Watching {
    held: Arc<Mutex<All>>,
    world: Arc<dyn World>,
    place: Place,
    /// There until this is dropped.
    changed: Option<watch::Receiver<()>>,
    seen: Option<Arc<[Bytes]>>,
}

impl Watching {
    /// What is in it, once that is something else than was seen.
    async fn next(&mut self) -> Arc<[Bytes]> {
        if self.seen.is_some() {
            self.world.sleep(PACE).await;
        }
        loop {
            let (now, until) = self.now();
            if self.seen.as_ref() != Some(&now) {
                self.seen = Some(Arc::clone(&now));
                return now;
            }
            let ended = async {
                match until {
                    Some(until) => {
                        self.world.sleep(until.saturating_sub(self.world.uptime())).await;
                    }
                    None => std::future::pending().await,
                }
            };
            let Some(changed) = &mut self.changed else { return now };
            tokio::select! {
                // Its sender is there for as long as somebody watches.
                _ = changed.changed() => {}
                () = ended => {}
            }
        }
    }

    /// What is in it, and when the first of that ends.
    fn now(&mut self) -> (Arc<[Bytes]>, Option<Duration>) {
        if let Some(changed) = &mut self.changed {
            changed.mark_unchanged();
        }
        let mut all = lock(&self.held);
        all.end(self.world.uptime());
        let entries = all.topics.get(&self.place).map_or(&[][..], |topic| &topic.entries);
        let until = entries.iter().filter_map(|kept| kept.ends).min();
        (entries.iter().map(|kept| kept.message.clone()).collect(), until)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.changed = None;
        lock(&self.held).forget(&self.place);
    }
}

fn lock(held: &Mutex<All>) -> std::sync::MutexGuard<'_, All> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

fn too_large() -> Error {
    let message = format!("an entry of a topic has {ENTRY_MAX} bytes at the most");
    Error::new(Code::InvalidArgument, "topic.too_large", message)
        .help("Say in it where the rest is.")
}

fn full() -> Error {
    let message = format!("a topic has {TOPIC_MAX} entries at the most");
    Error::new(Code::ResourceExhausted, "topic.full", message)
        .help("Come back when somebody has left.")
}
