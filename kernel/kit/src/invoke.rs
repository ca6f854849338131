//! Calls of methods that only data names: automation and schedules make them for their users.

use stoa_contract::open::Struct;
use stoa_contract::{Code, Method};

use crate::registry::Bound;
use crate::{Caller, Error, Result, View};

/// A call of any method on the faces, in somebody's name.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The method, by its path or as people call it: `ledger.CreateTransfer`.
    pub method: String,
    /// What is asked, as JSON shows it.
    pub request: Struct,
    /// In whose name; in that of whoever asked for the effect if none is named.
    pub on_behalf: Option<Principal>,
}

/// In whose name something is called later, by what they may then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// `user:usr_…`, `service:svc_…`.
    pub subject: String,
    /// The key whose scope bounds it, and which it ends with; empty for all that they may.
    pub credential: String,
}

impl Invocation {
    /// A call in the name of whoever asked for the effect.
    pub fn new(method: impl Into<String>, request: Struct) -> Self {
        Self { method: method.into(), request, on_behalf: None }
    }

    /// The same in somebody else's name.
    #[must_use]
    pub fn on_behalf(self, principal: Principal) -> Self {
        Self { on_behalf: Some(principal), ..self }
    }
}

impl Caller {
    /// Who is to be named for what they ask to be called later. What a key asks for reaches no further
    /// than the key; what was asked for in a session goes on when that ends.
    pub fn principal(&self) -> Principal {
        let credential = if self.scope.is_some() { &*self.credential } else { "" };
        Principal { subject: self.subject.to_string(), credential: credential.to_owned() }
    }
}

impl View<'_> {
    /// Refuses a call that whoever asks for it to be made later could not make now: where it is written
    /// down, and not when it happens.
    ///
    /// # Errors
    /// Those of the call, with the request's fields under `request`; `node.not_later` for a method that
    /// nobody can call so.
    pub fn check_invocation(&self, invocation: &Invocation) -> Result<&'static Method> {
        let bound = self.registry().called(&invocation.method)?;
        self.caller().authorize(bound.method)?;
        later(bound)?;
        let admitted =
            bound.request_of(&invocation.request).and_then(|mut request| request.admit());
        admitted.map_err(|error| error.within("request"))?;
        Ok(bound.method)
    }
}

/// Refuses what takes its caller to be there.
///
/// # Errors
/// `node.not_later`.
pub fn later(bound: &Bound) -> Result<()> {
    let method = bound.method;
    let why = if method.streams || method.takes_stream.is_some() {
        "it is a stream"
    } else if method.step_up.is_some() {
        "it takes a proof, of a moment ago, of who calls"
    } else {
        return Ok(());
    };
    let message = format!("`{}` cannot be called later: {why}", method.short_name());
    Err(Error::new(Code::FailedPrecondition, "node.not_later", message)
        .help("Name a method that takes one message, gives one, and asks for no step-up."))
}
