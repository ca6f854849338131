//! Topics: what is so only for as long as somebody says it. Who is there, who is typing, where a pointer
//! is.
//!
//! A topic holds entries, each a message. One lasts for as long as the [`Presence`] that put it there,
//! which a stream holds, so that it ends with the connection; or it is there for a while, unless it is put
//! again. Whoever watches a topic is told all that is there, and again whenever that has changed; who
//! reads slowly is told the newest alone.
//!
//! A topic is one of a service and of a tenant: nobody else finds it. What says who is in it is the
//! [port](Topics); unless a driver provides one, it is the memory of the node, and reaches whoever is on
//! the same node.
//!
//! **Invariant:** nothing of a topic is ever written: it is in no table, no log and no backup, and gone
//! with the node.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use stoa_contract::{Format, Message, decode};

use crate::ports::Port;
use crate::{Caller, Ctx, Result, Stream};

/// Which topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Of which tenant.
    pub tenant: Arc<str>,
    /// Of which service.
    pub service: &'static str,
    /// What the service calls it.
    pub name: Arc<str>,
}

/// An entry, as it is put.
pub struct Entry<'a> {
    /// Who puts it, and from which address.
    pub caller: &'a Caller,
    /// Where they call from.
    pub address: &'a str,
    /// What it is told from others of its topic by.
    pub key: &'a str,
    /// The message.
    pub message: Bytes,
    /// How long it is there; none until it is taken away.
    pub lease: Option<Duration>,
}

/// Holds what is in topics.
pub trait Topics: Send + Sync + 'static {
    /// Puts an entry into a topic, or in the place of the one with its key.
    ///
    /// # Errors
    /// `topic.too_large`, `topic.full`, and where its caller has too many.
    fn put(&self, place: &Place, entry: Entry<'_>) -> Result<()>;

    /// Takes an entry away, if it is there.
    fn take(&self, place: &Place, key: &str);

    /// Everything that is in a topic, oldest first, and again whenever that has changed.
    fn watch(&self, place: &Place) -> BoxStream<'static, Arc<[Bytes]>>;
}

impl Port for dyn Topics {
    const NAME: &'static str = "topics";
    const PROVIDE: &'static str = "Every node has it.";
}

/// A topic, as an effect uses it.
pub struct Topic {
    ctx: Ctx,
    place: Place,
}

impl Topic {
    pub(crate) fn new(ctx: &Ctx, place: Place) -> Self {
        Self { ctx: ctx.clone(), place }
    }

    /// Puts in an entry that is there for as long as what this gives.
    ///
    /// # Errors
    /// Those of [`Topics::put`].
    pub fn enter<T: Message>(&self, message: &T) -> Result<Presence<T>> {
        let mut key = [0; 16];
        self.ctx.entropy(&mut key);
        let topic = Self { ctx: self.ctx.clone(), place: self.place.clone() };
        let key = format!("~{:032x}", u128::from_be_bytes(key));
        let presence = Presence { topic, key, message: PhantomData };
        presence.say(message)?;
        Ok(presence)
    }

    /// Puts in an entry that is there for a while, or in the place of the one with its key.
    ///
    /// # Errors
    /// Those of [`Topics::put`].
    pub fn put<T: Message>(&self, key: &str, message: &T, lease: Duration) -> Result<()> {
        self.write(&format!("={key}"), message, Some(lease))
    }

    /// Takes an entry away that was [put](Topic::put), if it is there.
    pub fn take(&self, key: &str) {
        self.ctx.topics().take(&self.place, &format!("={key}"));
    }

    /// Everything that is in it, oldest first, and again whenever that has changed.
    pub fn watch<T: Message>(&self) -> Stream<Vec<T>> {
        let read = |entry: &Bytes| decode(entry, Format::Binary);
        let states = self.ctx.topics().watch(&self.place);
        states.map(move |entries| entries.iter().map(read).collect()).boxed()
    }

    fn write<T: Message>(&self, key: &str, message: &T, lease: Option<Duration>) -> Result<()> {
        let (caller, address) = (self.ctx.caller(), self.ctx.address());
        let message = stoa_contract::AnyMessage::encode(message, Format::Binary)?.into();
        self.ctx.topics().put(&self.place, Entry { caller, address, key, message, lease })
    }
}

/// An entry that is there for as long as this is.
pub struct Presence<T> {
    topic: Topic,
    key: String,
    message: PhantomData<fn(T)>,
}

impl<T: Message> Presence<T> {
    /// Says something else in its place.
    ///
    /// # Errors
    /// Those of [`Topics::put`].
    pub fn say(&self, message: &T) -> Result<()> {
        self.topic.write(&self.key, message, None)
    }
}

impl<T> Drop for Presence<T> {
    fn drop(&mut self) {
        self.topic.ctx.topics().take(&self.topic.place, &self.key);
    }
}
