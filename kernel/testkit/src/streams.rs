//! Streams of requests in tests.

use futures::StreamExt;
use stoa_contract::{AnyMessage, Request};
use stoa_kit::{Caller, Cause, Result, Stream};
use stoa_node::{Body, Conversation};

use crate::Node;

impl Node {
    /// Calls a method that replies with a stream.
    ///
    /// # Errors
    /// What the call comes to; what it ends with is the last reply.
    pub async fn stream<R: Request>(
        &self, caller: &Caller, request: R,
    ) -> Result<Stream<R::Reply>> {
        let path = R::METHOD.path;
        let answer = self.dispatch(path, caller, "127.0.0.1", None, Box::new(request)).await?;
        Ok(replies::<R>(answer.body))
    }

    /// Calls a method that takes a stream and replies with one.
    ///
    /// # Errors
    /// What the call comes to; what it ends with is the last reply.
    pub async fn converse<R: Request>(
        &self, caller: &Caller, requests: Stream<R>,
    ) -> Result<Stream<R::Reply>> {
        let requests =
            requests.map(|request| request.map(|one| Box::new(one) as Box<dyn AnyMessage>));
        let call = Conversation {
            method: R::METHOD.path.to_owned(),
            caller: caller.clone(),
            request: requests.boxed(),
            key: None,
            fence: None,
            trace: String::new(),
            deadline: None,
            cause: Cause::Request,
            address: "127.0.0.1".to_owned(),
            position: None,
            dry_run: false,
        };
        Ok(replies::<R>(self.inner().converse(call).await?.body))
    }
}

fn replies<R: Request>(body: Body) -> Stream<R::Reply> {
    let Body::Stream(replies) = body else { panic!("{} does not stream", R::METHOD.path) };
    let reply = |reply: Box<dyn AnyMessage>| *reply.into_any().downcast().expect("its reply");
    replies.map(move |item| item.map(reply)).boxed()
}
