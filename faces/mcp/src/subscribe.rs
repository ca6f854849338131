//! Resources of which a session is told when they change.
//!
//! What somebody subscribed to is watched while they listen. In between, what they have seen of it is
//! remembered as its etag, so that who comes back is told of what changed meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::stream::{AbortHandle, Abortable, BoxStream, SelectAll};
use futures::{FutureExt, StreamExt, stream};
use serde_json::json;
use stoa_contract::{Format, Method};
use stoa_kit::{Code, Error, Result, Stream};
use stoa_node::{Guest, Reply as Told};

use crate::message::{event, raw, text};
use crate::resources::Params;
use crate::serve::{Asking, Reply};
use crate::session::{Session, lock};

/// Subscriptions of one session.
const SUBSCRIPTIONS_MAX: usize = 64;
/// The longest address that is remembered, in bytes.
const ADDRESS_MAX: usize = 2 << 10;
/// How often somebody to whom nothing is said hears that the connection stands.
const BEAT: Duration = Duration::from_secs(15);

/// What a session subscribed to, and who listens.
#[derive(Default)]
pub(crate) struct Subscriptions(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    all: BTreeMap<String, Arc<Subscription>>,
    listener: Option<mpsc::Sender<Arc<Subscription>>>,
}

struct Subscription {
    address: String,
    method: &'static Method,
    request: Box<[u8]>,
    /// The etag of what they have seen.
    seen: Mutex<String>,
    watch: Mutex<Option<AbortHandle>>,
    is_over: AtomicBool,
}

impl Subscriptions {
    fn add(&self, subscription: Subscription) -> Result<()> {
        let mut inner = lock(&self.0);
        let known = inner.all.contains_key(&subscription.address);
        if !known && inner.all.len() >= SUBSCRIPTIONS_MAX {
            let message =
                format!("a session subscribes to {SUBSCRIPTIONS_MAX} resources at the most");
            return Err(Error::new(Code::ResourceExhausted, "mcp.subscriptions", message)
                .help("Unsubscribe from one of them first."));
        }
        let subscription = Arc::new(subscription);
        let before = inner.all.insert(subscription.address.clone(), Arc::clone(&subscription));
        if let Some(before) = before {
            before.end();
        }
        let heard = inner.listener.as_mut().is_none_or(|to| to.try_send(subscription).is_ok());
        if !heard {
            // Who does not keep up begins to listen again, to all of it.
            inner.listener = None;
        }
        Ok(())
    }

    fn remove(&self, address: &str) {
        if let Some(subscription) = lock(&self.0).all.remove(address) {
            subscription.end();
        }
    }

    /// Nobody listens any more.
    pub(crate) fn end(&self) {
        lock(&self.0).listener = None;
    }

    /// Begins to listen: whoever did so before does not any more.
    fn listen(&self) -> (Vec<Arc<Subscription>>, mpsc::Receiver<Arc<Subscription>>) {
        let (sender, added) = mpsc::channel(SUBSCRIPTIONS_MAX);
        let mut inner = lock(&self.0);
        inner.listener = Some(sender);
        (inner.all.values().cloned().collect(), added)
    }
}

impl Subscription {
    fn end(&self) {
        let mut watch = lock(&self.watch);
        self.is_over.store(true, Relaxed);
        if let Some(watch) = watch.take() {
            watch.abort();
        }
    }
}

/// Subscribes to a resource: what it says now is what the session has seen of it.
///
/// # Errors
/// `mcp.no_session`, `mcp.subscriptions`, and those of reading it and of watching it.
pub(crate) async fn subscribe(asking: &Asking, asked: Params<'_>) -> Result<Reply> {
    let session = asking.session()?;
    if asked.uri.len() > ADDRESS_MAX {
        let message = format!("`uri` is longer than {ADDRESS_MAX} bytes");
        return Err(Error::new(Code::InvalidArgument, "mcp.params", message)
            .help("Subscribe to what a shorter address says."));
    }
    let (method, request) = asking.server.resources.request(asking, &asked.uri)?;
    let kept = request.encode(Format::Json)?.into();
    let mut watch = asking.visit.guest().watch(method, request, "").await?;
    let etag = watch.next().await?.map(|now| now.etag.clone()).unwrap_or_default();
    session.subscriptions.add(Subscription {
        address: asked.uri.into_owned(),
        method,
        request: kept,
        seen: Mutex::new(etag),
        watch: Mutex::default(),
        is_over: AtomicBool::new(false),
    })?;
    Ok(Reply::Result(raw(&json!({}))?))
}

/// Ends a subscription, if it is there.
///
/// # Errors
/// `mcp.no_session`.
pub(crate) fn unsubscribe(asking: &Asking, asked: &Params<'_>) -> Result<Reply> {
    asking.session()?.subscriptions.remove(&asked.uri);
    Ok(Reply::Result(raw(&json!({}))?))
}

/// What a session is told until it is over, somebody else listens for it, or the node stops.
pub(crate) fn listen(session: Arc<Session>, guest: Guest) -> Stream<Bytes> {
    let (all, added) = session.subscriptions.listen();
    let watches = all.into_iter().map(|subscription| follow(guest.clone(), subscription)).collect();
    let node = Arc::clone(guest.node());
    let listening = Listening { session, guest, added, watches };
    let events = stream::unfold(listening, |mut listening| async {
        let event = listening.next().await?;
        Some((Ok(event), listening))
    });
    let events = stoa_node::until_stopped(&node, events.boxed());
    events.take_while(|event| std::future::ready(event.is_ok())).boxed()
}

type Followed = (Arc<Subscription>, Result<Option<Arc<Told>>>);

struct Listening {
    session: Arc<Session>,
    guest: Guest,
    added: mpsc::Receiver<Arc<Subscription>>,
    watches: SelectAll<BoxStream<'static, Followed>>,
}

impl Listening {
    async fn next(&mut self) -> Option<Bytes> {
        let world = Arc::clone(self.guest.node().world());
        loop {
            tokio::select! {
                biased;
                added = self.added.next() => self.watches.push(follow(self.guest.clone(), added?)),
                Some((subscription, told)) = self.watches.next() => match told {
                    // It is what they have seen.
                    Ok(None) => {}
                    Ok(Some(now)) => {
                        lock(&subscription.seen).clone_from(&now.etag);
                        return Some(updated(&subscription.address));
                    }
                    Err(error) if error.reason() == "node.stopping" => return None,
                    // Whoever reads it is told what is wrong.
                    Err(_) => {
                        self.session.subscriptions.remove(&subscription.address);
                        return Some(updated(&subscription.address));
                    }
                },
                () = world.sleep(BEAT) => return Some(Bytes::from_static(b":\n\n")),
            }
        }
    }
}

fn follow(guest: Guest, subscription: Arc<Subscription>) -> BoxStream<'static, Followed> {
    let (handle, registration) = AbortHandle::new_pair();
    let mut kept = lock(&subscription.watch);
    if subscription.is_over.load(Relaxed) {
        return stream::empty().boxed();
    }
    *kept = Some(handle);
    drop(kept);
    let followed = Arc::clone(&subscription);
    let watched = async move {
        let started = watch(guest, &followed).await;
        started.unwrap_or_else(|error| stream::iter([Err(error)]).boxed())
    };
    let told = watched.flatten_stream().map(move |told| (Arc::clone(&subscription), told));
    Abortable::new(told, registration).boxed()
}

async fn watch(mut guest: Guest, followed: &Subscription) -> Result<Stream<Option<Arc<Told>>>> {
    // Who listens for long may be somebody else by now.
    guest.enter(Some(followed.method)).await?;
    let bound = guest.node().registry().method(followed.method.path);
    let bound = bound.ok_or_else(|| Error::internal("a resource of no method"))?;
    let request = bound.decode_request(&followed.request, Format::Json)?;
    let seen = lock(&followed.seen).clone();
    Ok(guest.watch(followed.method, request, &seen).await?.stream())
}

fn updated(address: &str) -> Bytes {
    let method = "notifications/resources/updated";
    event(&text(&json!({"jsonrpc": "2.0", "method": method, "params": {"uri": address}})))
}
