//! The queries that a response rests on, watched: those it asks for, and those its references lead to.
//!
//! **Invariant:** only what the response needs is watched: what an answer does not lead to any more is
//! let go.
//!
//! **Invariant:** once somebody was found to be shut out, nothing more is shown to them.

use std::collections::HashMap;
use std::sync::Arc;

use apollo_compiler::response::JsonValue;
use futures::future::AbortHandle;
use futures::stream::{Abortable, BoxStream, SelectAll};
use futures::{FutureExt as _, StreamExt as _};
use stoa_contract::{Code, Method};
use stoa_kit::{Error, Registry, Result};
use stoa_node::Reply;

use crate::asker::Asker;

/// What a query is told from others by: its method, and its request as text.
type Key = (&'static str, Vec<u8>);
/// What comes of a watch.
type Told = Result<Option<Arc<Reply>>>;

/// Queries that are watched.
pub(crate) struct Watches {
    pub(crate) asker: Arc<Asker>,
    known: HashMap<Key, State>,
    told: SelectAll<BoxStream<'static, (Key, Told)>>,
    /// Why whoever asks was shut out.
    pub(crate) over: Option<Error>,
}

/// A query.
struct State {
    /// What it says.
    says: Result<JsonValue>,
    /// Whether the response needs it.
    is_needed: bool,
    watch: AbortHandle,
}

impl Watches {
    pub(crate) fn new(asker: Arc<Asker>) -> Self {
        Self { asker, known: HashMap::new(), told: SelectAll::new(), over: None }
    }

    /// What a query says now. One that is not watched yet is from here on, unless it fails.
    ///
    /// # Errors
    /// Those of the watch.
    pub(crate) async fn query(
        &mut self, method: &'static Method, text: &[u8],
    ) -> Result<JsonValue> {
        let key = (method.path, text.to_vec());
        if let Some(state) = self.known.get_mut(&key) {
            state.is_needed = true;
            return state.says.clone();
        }
        let says = self.begin(method, key).await;
        self.note(&says);
        says
    }

    async fn begin(&mut self, method: &'static Method, key: Key) -> Result<JsonValue> {
        // The door has counted the first one.
        if !self.known.is_empty() {
            self.asker.guest.pace().await;
        }
        let mut told = self.asker.watch(method, &key.1).await?.stream();
        let first = told.next().await.unwrap_or_else(|| Ok(None));
        let says = json(self.registry(), first)?;
        let (watch, registration) = AbortHandle::new_pair();
        let state = State { says: Ok(says.clone()), is_needed: true, watch };
        self.known.insert(key.clone(), state);
        let told = told.map(move |told| (key.clone(), told));
        self.told.push(Abortable::new(told, registration).boxed());
        Ok(says)
    }

    /// Waits until some query says something else; what others say by then counts as told with it.
    pub(crate) async fn changed(&mut self) {
        let mut is_new = false;
        let mut next = self.told.next().await;
        while let Some((key, told)) = next {
            let says = json(self.registry(), told);
            self.note(&says);
            if let Some(state) = self.known.get_mut(&key) {
                (state.says, is_new) = (says, true);
            }
            next = match is_new {
                true => self.told.next().now_or_never().flatten(),
                false => self.told.next().await,
            };
        }
    }

    /// Lets go what the response as it is now did not ask for, and what failed: that is asked again
    /// with the next one.
    pub(crate) fn tidy(&mut self) {
        self.known.retain(|_, state| {
            let stays = std::mem::take(&mut state.is_needed) && state.says.is_ok();
            if !stays {
                state.watch.abort();
            }
            stays
        });
    }

    fn registry(&self) -> &Registry {
        self.asker.guest.node().registry()
    }

    fn note(&mut self, says: &Result<JsonValue>) {
        if let Err(error) = says
            && error.code() == Code::Unauthenticated
            && !self.asker.guest.caller().is_anonymous()
        {
            self.over.get_or_insert_with(|| error.clone());
        }
    }
}

fn json(registry: &Registry, told: Told) -> Result<JsonValue> {
    let reply = told?.ok_or_else(|| Error::internal("a watch that tells of nothing"))?;
    JsonValue::from_bytes(reply.json(registry)?).map_err(Error::internal)
}
