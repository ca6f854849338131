//! Groups: those who look at the same thing, and the one look for all of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use stoa_kit::session::Reads;
use stoa_kit::{Code, Error, Result};
use tokio::sync::{Semaphore, watch};

use super::hub::{Flag, Hub};
use crate::Node;
use crate::stopping::told;

/// How soon a group looks again, from one look to the next: so often people see something move, and
/// whoever is told may take that long. One that takes long rests for as long.
const PACE: Duration = Duration::from_millis(40);
/// Looks at a time: whoever calls comes first.
const TURNS: usize = 4;
/// How long a group waits that could not look.
const PAUSE: Duration = Duration::from_secs(1);

/// Something to look at.
pub(crate) trait Look: Send + Sync + 'static {
    /// What it is told from others by.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    /// What is seen.
    type Seen: Clone + Send + Sync + 'static;
    /// How often it is looked at although no commit concerned it, for what changes by time alone.
    const EVERY: Option<Duration>;
    /// Whether whoever joins wants another look.
    const ANEW: bool;

    fn key(&self) -> Self::Key;

    /// The tenant whose rows it rests on.
    fn tenant(&self) -> &Arc<str>;

    /// What there is now, and what that rests on.
    fn look(&self, node: &Arc<Node>) -> BoxFuture<'_, Result<(Self::Seen, Reads)>>;

    /// The groups of its kind.
    fn groups(hub: &Hub) -> &Groups<Self>
    where
        Self: Sized;
}

/// All groups that look at things of one kind.
pub(crate) struct Groups<L: Look> {
    all: Mutex<HashMap<L::Key, Arc<Group<L>>>>,
    /// Each kind has its own: whoever is to be cut off does not wait for ten thousand queries.
    turns: Semaphore,
}

/// Those who look at the same thing.
struct Group<L: Look> {
    state: watch::Sender<Numbered<L::Seen>>,
    flag: Arc<Flag>,
    /// Looks that have begun.
    begun: AtomicU64,
    /// The last look that somebody who joined waits for.
    wanted: AtomicU64,
}

/// What was seen last, and by which look; none before the first.
type Numbered<T> = Option<(u64, Result<T>)>;

/// What those in a group are told.
pub(crate) struct State<T> {
    told: watch::Receiver<Numbered<T>>,
    /// The first look that counts.
    from: u64,
}

impl<T: Clone> State<T> {
    /// Waits until there may be news. Where this is not waited for to the end, nothing is lost.
    pub(crate) async fn changed(&mut self) {
        if self.told.changed().await.is_err() {
            // The group ended with its last word, which was told.
            std::future::pending().await
        }
    }

    /// What is there now, if that is not too old.
    ///
    /// # Errors
    /// What there is instead.
    pub(crate) fn now(&mut self) -> Result<Option<T>> {
        match &*self.told.borrow_and_update() {
            Some((_, Err(error))) => Err(error.clone()),
            Some((number, Ok(seen))) if *number >= self.from => Ok(Some(seen.clone())),
            Some(_) | None => Ok(None),
        }
    }

    /// Waits for what there is.
    ///
    /// # Errors
    /// As [`State::now`].
    pub(crate) async fn first(&mut self) -> Result<T> {
        loop {
            if let Some(seen) = self.now()? {
                return Ok(seen);
            }
            self.changed().await;
        }
    }
}

impl<L: Look> Default for Groups<L> {
    fn default() -> Self {
        Self { all: Mutex::default(), turns: Semaphore::new(TURNS) }
    }
}

impl<L: Look> Groups<L> {
    /// Joins those who look at something. Where they have looked already they may look once more, so
    /// that whoever joins finds what they did themselves before.
    pub(crate) fn join(&self, node: &Arc<Node>, look: L) -> State<L::Seen> {
        let mut all = self.all();
        let (mut told, from) = match all.entry(look.key()) {
            Entry::Occupied(known) => {
                let group = known.get();
                let mut from = 0;
                if L::ANEW {
                    from = group.begun.load(SeqCst) + 1;
                    group.wanted.fetch_max(from, SeqCst);
                    group.flag.stale.notify_one();
                }
                (group.state.subscribe(), from)
            }
            Entry::Vacant(place) => {
                let flag = node.hub.flag(look.tenant());
                let (begun, wanted) = (AtomicU64::new(0), AtomicU64::new(0));
                let group = Group { state: watch::Sender::new(None), flag, begun, wanted };
                let group = Arc::clone(place.insert(Arc::new(group)));
                // A group looks anew where it finds nobody and then somebody: they are in it first.
                let told = group.state.subscribe();
                spawn(run(Arc::clone(node), look, group));
                (told, 0)
            }
        };
        told.mark_changed();
        State { told, from }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<L::Key, Arc<Group<L>>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a group whose look failed, unless somebody joined since it began: what they did before they
    /// came may be what was missing.
    fn fail(&self, key: &L::Key, group: &Group<L>, number: u64) -> bool {
        let mut all = self.all();
        let is_over = group.wanted.load(SeqCst) <= number;
        if is_over {
            all.remove(key);
        }
        is_over
    }

    /// Whether nobody looks any more, and nobody will find the group again.
    fn end(&self, key: &L::Key, group: &Group<L>) -> bool {
        let mut all = self.all();
        let is_over = group.state.receiver_count() == 0;
        if is_over {
            all.remove(key);
        }
        is_over
    }
}

#[allow(clippy::disallowed_methods, reason = "a group ends with its last watcher, or the node")]
pub(super) fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}

/// Looks for a group until nobody is in it any more, or what is looked at cannot be seen.
async fn run<L: Look>(node: Arc<Node>, look: L, group: Arc<Group<L>>) {
    let (hub, key) = (&node.hub, look.key());
    let Group { state, flag, begun, .. } = &*group;
    let (mut reads, mut stopping) = (Reads::new(), node.stopping.subscribe());
    loop {
        let since = hub.heard();
        let turn = L::groups(hub).turns.acquire().await;
        let number = begun.fetch_add(1, SeqCst) + 1;
        let begin = node.world().uptime();
        let seen = look.look(&node).await;
        drop(turn);
        let took = node.world().uptime().saturating_sub(begin);
        let mut pause = PACE.saturating_sub(took).max(took);
        match seen {
            Ok((seen, read)) => {
                hub.rest_on(flag, &mut reads, read, since);
                state.send_replace(Some((number, Ok(seen))));
            }
            Err(error) if is_passing(&error) && state.borrow().is_some() => {
                pause = PAUSE;
                flag.stale.notify_one();
            }
            Err(error) if L::groups(hub).fail(&key, &group, number) => {
                state.send_replace(Some((number, Err(error))));
                break;
            }
            Err(_) => {}
        }
        // It rests first: who was left alone for a while is told of the next commit at once.
        let rested = async {
            node.world().sleep(pause).await;
            tokio::select! {
                () = flag.stale.notified() => {}
                () = ticks(&node, L::EVERY) => {}
            }
        };
        let again = tokio::select! {
            biased;
            () = told(&mut stopping) => break,
            () = state.closed() => false,
            () = rested => true,
        };
        if !again && L::groups(hub).end(&key, &group) {
            break;
        }
    }
    hub.rest_on(flag, &mut reads, Reads::new(), hub.heard());
}

async fn ticks(node: &Node, every: Option<Duration>) {
    match every {
        Some(every) => node.world().sleep(every).await,
        None => std::future::pending().await,
    }
}

/// Whether it is worth while to look again: the store was in the way, and not what is looked at.
fn is_passing(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Aborted
    )
}
