//! Whoever was let in at the door, and calls.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use stoa_contract::{AnyMessage, Method, Permission};
use stoa_kit::{Caller, Cause, Result, Stream};

use crate::auth::Visitor;
use crate::call::{Answer, Asking, Body};
use crate::dry::asked_for as dry_run;
use crate::rpc::{header, trace, watched};
use crate::spoken::deadline;
use crate::{Call, Conversation, Node, Position};

/// Somebody who was let in.
#[derive(Clone)]
pub struct Guest {
    pub(crate) caller: Caller,
    pub(crate) visitor: Visitor,
    pub(crate) node: Arc<Node>,
}

impl Guest {
    /// Lets in a visitor, if they may call a method; none is what is for everybody, to which a bad
    /// token is none where that is forgiven.
    pub(crate) async fn of(
        node: &Arc<Node>, visitor: Visitor, wanted: Option<&Method>, forgives: bool,
    ) -> Result<Self> {
        let public = wanted.is_none_or(|method| method.permission == Permission::Public);
        let caller = node.identify(&visitor, public && forgives).await?;
        wanted.map_or(Ok(()), |method| caller.authorize(method))?;
        Ok(Self { caller, visitor, node: Arc::clone(node) })
    }

    /// Who they are.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Lets them in once more, as they are now: one request by a face, for which the door has done
    /// it, or one message that asks for something, on a connection that stays.
    ///
    /// # Errors
    /// Those of [`Node::identify`], and those of a caller who may not.
    pub async fn enter(&mut self, method: Option<&Method>) -> Result<()> {
        *self = Self::of(&self.node, self.visitor.clone(), method, true).await?;
        Ok(())
    }

    /// Becomes whoever an `Authorization` says, which came later than the head: a page in a browser
    /// cannot send one with the request for a WebSocket.
    ///
    /// # Errors
    /// Those of [`Node::identify`]. They stay who they were.
    pub async fn sign_in(&mut self, authorization: &str) -> Result<()> {
        let authorization = Some(authorization.into());
        let visitor = Visitor { authorization, ..self.visitor.clone() };
        // To what is public a bad token is none; whoever signs in wants to know.
        self.caller = self.node.identify(&visitor, false).await?;
        self.visitor = visitor;
        Ok(())
    }

    /// Whether they may call a method: what the door asks where a head names one. A token that is no
    /// good lets its bearer in to what is for everybody, as nobody, and is told of here.
    ///
    /// # Errors
    /// `auth.required`, `auth.permission_denied`, and those of a bad token.
    pub async fn may_call(&self, method: &Method) -> Result<()> {
        match self.caller.authorize(method) {
            Err(_) if self.caller.is_anonymous() => self.still_good(method).await,
            asked => asked,
        }
    }

    /// Whether they may still call a method, as whoever they came in.
    pub(crate) async fn still_good(&self, method: &Method) -> Result<()> {
        self.node.still_good(&self.visitor, &self.caller, method).await
    }

    /// Counts one call more than the one that was counted when they were let in, for a request that
    /// asks for several.
    ///
    /// # Errors
    /// `node.rate`.
    pub fn count(&self) -> Result<()> {
        let (limits, uptime) = (&self.node.limits, self.node.world().uptime());
        match self.caller.is_anonymous() {
            true => limits.take_stranger(&self.visitor.network, uptime),
            false => limits.take(&self.caller, uptime),
        }
    }

    /// Waits until they may make one call more, and counts it: of somebody who stays, and is told as
    /// fast as they may be.
    pub async fn pace(&self) {
        self.node.pace(&self.caller, &self.visitor.network).await;
    }

    /// Calls a method, with the idempotency key, the trace, the deadline and the position that headers
    /// name. A stream that this gives looks again, before each message, whether they may still have
    /// it.
    ///
    /// # Errors
    /// Those of [`Node::call`], and `request.header`.
    pub async fn call(
        &self, method: &'static Method, request: Box<dyn AnyMessage>, headers: &HeaderMap,
    ) -> Result<Answer> {
        let call = self.asks(method.path.to_owned(), headers, request)?;
        self.send(method, call).await
    }

    pub(crate) async fn send(&self, method: &'static Method, call: Call) -> Result<Answer> {
        Ok(self.look_again(method, self.node.call(call).await?))
    }

    /// The same for a method that takes a stream, before each message of which there is such a look.
    pub(crate) async fn converse(
        &self, method: &'static Method, call: Conversation,
    ) -> Result<Answer> {
        let request = self.watched(method, call.request);
        let answer = self.node.converse(Conversation { request, ..call }).await?;
        Ok(self.look_again(method, answer))
    }

    fn look_again(&self, method: &'static Method, answer: Answer) -> Answer {
        match answer.body {
            Body::Stream(items) => {
                Answer { body: Body::Stream(self.watched(method, items)), ..answer }
            }
            Body::Message(_) => answer,
        }
    }

    fn watched(
        &self, method: &'static Method, items: Stream<Box<dyn AnyMessage>>,
    ) -> Stream<Box<dyn AnyMessage>> {
        watched(self, method, items)
    }

    /// A call of a method, with what headers say about it.
    pub(crate) fn asks<R>(
        &self, method: String, headers: &HeaderMap, request: R,
    ) -> Result<Asking<R>> {
        let position = header(headers, "stoa-position")?.map(Position::parse).transpose()?;
        let until = |left: Duration| self.node.world().uptime() + left;
        Ok(Asking {
            method,
            caller: self.caller.clone(),
            request,
            key: header(headers, "idempotency-key")?.map(str::to_owned),
            fence: header(headers, "stoa-fence")?.map(str::to_owned),
            trace: trace(headers),
            deadline: deadline(headers).map(until),
            cause: Cause::Request,
            address: self.visitor.network.clone(),
            position: position.map(|position| position.0),
            dry_run: dry_run(headers)?,
        })
    }
}
