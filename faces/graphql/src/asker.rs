//! Whoever asks, and what a request says beside the question.

use http::{HeaderMap, HeaderValue};
use stoa_contract::{AnyMessage, Format, Method};
use stoa_kit::{Error, Result};
use stoa_node::{Answer, Guest, Visit, Watch, tell};

use crate::Introspection;
use crate::said::Said;

const KEY: &str = "idempotency-key";

/// Whoever asks.
pub(crate) struct Asker {
    pub(crate) guest: Guest,
    /// What is told beside each call: the trace, the deadline, the position, the idempotency key.
    headers: HeaderMap,
    pub(crate) trace: String,
    /// Whether they may look at the schema.
    pub(crate) introspects: bool,
}

impl Asker {
    /// Who sends a request.
    pub(crate) fn of(visit: Visit, introspection: Introspection) -> Self {
        let (guest, trace) = (visit.guest().clone(), visit.trace());
        let introspects = introspection.is_for(&guest, visit.local);
        Self { guest, headers: visit.head.headers, trace, introspects }
    }

    /// Who asks one thing of several on a connection that stays. What its head says is about none of
    /// them alone.
    pub(crate) fn on_socket(
        guest: Guest, trace: String, local: bool, introspection: Introspection,
    ) -> Self {
        let introspects = introspection.is_for(&guest, local);
        Self { guest, headers: HeaderMap::new(), trace, introspects }
    }

    /// An error that is about the question as a whole.
    pub(crate) fn said(&self, error: &Error) -> Vec<Said> {
        tell(error, "graphql", &self.trace);
        vec![Said::new(error, &self.trace)]
    }

    /// Reads a request of a method.
    ///
    /// # Errors
    /// Those of the strict decoder.
    pub(crate) fn read(&self, method: &Method, text: &[u8]) -> Result<Box<dyn AnyMessage>> {
        let bound = self.guest.node().registry().method(method.path);
        let bound = bound.ok_or_else(|| Error::internal("a field of no method"))?;
        bound.decode_request(text, Format::Json)
    }

    /// Calls a method with a request as text. Where one question asks for several commands, each has
    /// an idempotency key of its own: what was sent, and behind a slash its key in the response.
    ///
    /// # Errors
    /// Those of the decoder, and those of the call.
    pub(crate) async fn call(
        &self, method: &'static Method, text: &[u8], of_several: Option<&str>,
    ) -> Result<Answer> {
        self.guest.may_call(method).await?;
        let request = self.read(method, text)?;
        let key = self.headers.get(KEY).and_then(|key| key.to_str().ok());
        match (key, of_several) {
            (Some(key), Some(name)) => {
                let mut headers = self.headers.clone();
                let own = HeaderValue::try_from(format!("{key}/{name}"));
                headers.insert(KEY, own.map_err(Error::internal)?);
                self.guest.call(method, request, &headers).await
            }
            _ => self.guest.call(method, request, &self.headers).await,
        }
    }

    /// Watches a query with a request as text.
    ///
    /// # Errors
    /// Those of the decoder, and those of the watch.
    pub(crate) async fn watch(&self, method: &'static Method, text: &[u8]) -> Result<Watch> {
        self.guest.may_call(method).await?;
        self.guest.watch(method, self.read(method, text)?, "").await
    }
}
