//! Sessions: what is remembered of a client between its messages.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use http::{HeaderMap, HeaderValue};
use quick_cache::sync::Cache;
use rmcp::model::{ElicitResult, RequestId};
use stoa_contract::v1::Money;
use stoa_kit::{Caller, Code, Error, Result, World};

use crate::subscribe::Subscriptions;

/// Callers whose sessions are remembered. Past this, who did not come for long is forgotten.
const CALLERS_MAX: usize = 4_096;
/// Sessions of one caller; the one that was not used for the longest time goes first. Strangers are
/// one caller.
const SESSIONS_MAX: (usize, usize) = (32, 1_024);
/// Questions of one session that wait for an answer.
const QUESTIONS_MAX: usize = 8;

/// The header that names a session.
pub(crate) const HEADER: &str = "mcp-session-id";

/// The sessions of all callers.
pub(crate) struct Sessions(Cache<String, Arc<Mutex<Owned>>>);

/// The sessions of one caller, the one that was used last at the end.
type Owned = VecDeque<(String, Arc<Session>)>;

/// A session.
pub(crate) struct Session {
    /// Whether a person can be asked.
    pub(crate) elicits: bool,
    /// Whether it is told what is of interest while a call goes on.
    pub(crate) logs: AtomicBool,
    pub(crate) subscriptions: Subscriptions,
    calls: AtomicU32,
    /// What its calls have cost, in the currency of what they may.
    spent: AtomicI64,
    questions: Mutex<HashMap<RequestId, oneshot::Sender<Option<ElicitResult>>>>,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self(Cache::new(CALLERS_MAX))
    }

    /// Begins a session, and gives its name.
    pub(crate) fn begin(&self, world: &dyn World, caller: &Caller, elicits: bool) -> String {
        let name = drawn(world);
        let session = Session {
            elicits,
            logs: AtomicBool::new(false),
            subscriptions: Subscriptions::default(),
            calls: AtomicU32::new(0),
            spent: AtomicI64::new(0),
            questions: Mutex::default(),
        };
        let owned = self.of(caller);
        let mut owned = lock(&owned);
        let most = if caller.is_anonymous() { SESSIONS_MAX.1 } else { SESSIONS_MAX.0 };
        if owned.len() >= most {
            owned.pop_front();
        }
        owned.push_back((name.clone(), Arc::new(session)));
        name
    }

    /// The session that a request names; none where it names none.
    ///
    /// # Errors
    /// `mcp.session` for one that is gone, or that another caller began.
    pub(crate) fn named(
        &self, headers: &HeaderMap, caller: &Caller,
    ) -> Result<Option<Arc<Session>>> {
        let Some(name) = headers.get(HEADER) else { return Ok(None) };
        let owned = self.of(caller);
        let mut owned = lock(&owned);
        let (name, session) = take(&mut owned, name).ok_or_else(gone)?;
        owned.push_back((name, Arc::clone(&session)));
        Ok(Some(session))
    }

    /// Ends the session that a request names.
    ///
    /// # Errors
    /// `mcp.session`.
    pub(crate) fn end(&self, headers: &HeaderMap, caller: &Caller) -> Result<()> {
        let owned = self.of(caller);
        let ended = headers.get(HEADER).and_then(|name| take(&mut lock(&owned), name));
        let (_, session) = ended.ok_or_else(gone)?;
        session.subscriptions.end();
        Ok(())
    }

    fn of(&self, caller: &Caller) -> Arc<Mutex<Owned>> {
        let Ok(owned) =
            self.0.get_or_insert_with(&caller.full_name(), || Ok::<_, Infallible>(Arc::default()));
        owned
    }
}

impl Session {
    /// Takes a call out of what the session may make; 0 for no limit.
    ///
    /// # Errors
    /// `mcp.budget`.
    pub(crate) fn take_call(&self, most: u32) -> Result<()> {
        let taken = |made: u32| (most == 0 || made < most).then(|| made.saturating_add(1));
        self.calls.fetch_update(Relaxed, Relaxed, taken).map(drop).map_err(|_| {
            let message = format!("this session has made all of its {most} calls");
            Error::new(Code::ResourceExhausted, "mcp.budget", message)
                .help("Have a person look at what was done, and begin another session.")
        })
    }

    /// Takes a price out of what the calls of the session may cost.
    ///
    /// # Errors
    /// `mcp.budget`, also where the price is in another currency.
    pub(crate) fn spend(&self, price: &Money, most: &Money) -> Result<()> {
        let within = |spent: i64| {
            let spent = spent.checked_add(price.amount)?;
            (spent <= most.amount && price.currency == most.currency).then_some(spent)
        };
        self.spent.fetch_update(Relaxed, Relaxed, within).map(drop).map_err(|spent| {
            let spent = Money { amount: spent, currency: most.currency.clone() };
            let message = format!(
                "this costs {}, and of {} the session has spent {}",
                price.words(),
                most.words(),
                spent.words()
            );
            Error::new(Code::ResourceExhausted, "mcp.budget", message)
                .help("Have a person look at what was done, and begin another session.")
        })
    }

    /// Keeps a place for the answer to a question, as long as what this gives is there.
    ///
    /// # Errors
    /// `mcp.questions` for too many at once.
    pub(crate) fn ask(
        self: &Arc<Self>, world: &dyn World,
    ) -> Result<(Question, oneshot::Receiver<Option<ElicitResult>>)> {
        let id = RequestId::String(drawn(world).into());
        let (sender, receiver) = oneshot::channel();
        let mut questions = lock(&self.questions);
        if questions.len() >= QUESTIONS_MAX {
            let message = "too many questions of this session wait for an answer";
            return Err(Error::new(Code::ResourceExhausted, "mcp.questions", message)
                .help("Answer them, then call again."));
        }
        questions.insert(id.clone(), sender);
        Ok((Question { id, session: Arc::clone(self) }, receiver))
    }

    /// Hands an answer to whoever asked; one that nobody waits for is dropped.
    pub(crate) fn answered(&self, id: &RequestId, answer: Option<ElicitResult>) {
        if let Some(asked) = lock(&self.questions).remove(id) {
            // Who asked may have gone.
            let _ = asked.send(answer);
        }
    }
}

fn take(owned: &mut Owned, name: &HeaderValue) -> Option<(String, Arc<Session>)> {
    let place = owned.iter().position(|(known, _)| known.as_bytes() == name.as_bytes())?;
    owned.remove(place)
}

/// A question that waits for an answer; dropped, it waits no more.
pub(crate) struct Question {
    pub(crate) id: RequestId,
    session: Arc<Session>,
}

impl Drop for Question {
    fn drop(&mut self) {
        lock(&self.session.questions).remove(&self.id);
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name that nobody guesses.
fn drawn(world: &dyn World) -> String {
    let mut bytes = [0u8; 16];
    world.entropy(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn gone() -> Error {
    Error::new(Code::NotFound, "mcp.session", "there is no such session, or it is over")
        .help("Begin another one with `initialize`.")
}
