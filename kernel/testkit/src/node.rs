//! A node in this process, with a private database and a clock of its own.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use stoa_contract::{AnyMessage, Event, Format, Paged, Request};
use stoa_kit::blobs::Objects;
use stoa_kit::outbound::Http;
use stoa_kit::ports::{Mail, Mailer, Ports};
use stoa_kit::value::FromRow;
use stoa_kit::{Caller, Cause, Error, MAIN, Micros, Proof, Result, Root, Service, World};
use stoa_node::{Answer, Background, Body, Call, Logs, Parts, RootKey, Visitor};
use stoa_store::{Directory, Options, Read, kernel};

use crate::bench::Setup;
use crate::home::{self, Kept};
use crate::until::{last, settled};
use crate::web::Web;
use crate::{TestWorld, until};

/// The engines a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Embedded.
    Sqlite,
    /// A server of the test's own.
    Postgres,
}

/// A node in this process.
#[derive(Clone)]
pub struct Node {
    inner: Arc<stoa_node::Node>,
    background: Arc<tokio::sync::Mutex<Background>>,
    world: Arc<TestWorld>,
    logs: Arc<Logs>,
    post: Arc<Post>,
    pub(crate) web: Arc<Web>,
    engine: Engine,
    options: Options,
    log_kept: i64,
    ports: Option<Ports>,
    objects: Arc<PathBuf>,
}

/// Mail that was handed over, and how often the next hand-overs fail.
#[derive(Default)]
struct Post {
    sent: Mutex<Vec<Mail>>,
    failures: Mutex<u32>,
}

impl Mailer for Post {
    fn deliver(&self, mail: Mail) -> BoxFuture<'static, Result<()>> {
        let mut failures = self.failures.lock().unwrap();
        let result = if *failures > 0 {
            *failures -= 1;
            Err(Error::unavailable("mail.refused", "the test's mailer refuses"))
        } else {
            self.sent.lock().unwrap().push(mail);
            Ok(())
        };
        Box::pin(std::future::ready(result))
    }
}

/// A caller who proved by their password who they are, when the second began: who calls twice within it is
/// the same.
pub(crate) fn proven(caller: Caller, now: Micros) -> Caller {
    let time = Micros(now.0 - now.0.rem_euclid(1_000_000));
    let proof = Proof { methods: vec!["pwd".to_owned()], time, full: true };
    Caller { proof: Some(Arc::new(proof)), ..caller }
}

impl Node {
    pub(crate) async fn open(
        engine: Engine, services: Vec<Service>, options: Options, setup: Setup,
    ) -> Self {
        let (world, post, web) = (TestWorld::new(), Arc::<Post>::default(), Arc::<Web>::default());
        let logs = Logs::new(&(Arc::clone(&world) as Arc<dyn World>));
        let own = || {
            let ports = Ports::default().with::<dyn Mailer>(Arc::clone(&post) as _);
            let ports = ports.with::<dyn Http>(Arc::clone(&web) as _);
            ports.with::<dyn Objects>(Arc::new(Directory::new(setup.objects.to_path_buf())))
        };
        let parts = Parts {
            name: setup.name.into(),
            services,
            store: options.clone(),
            settings: Vec::new(),
            root: RootKey::Given(Root::new([7; 32])),
            configuration: Vec::new(),
            logs: Arc::clone(&logs),
            world: Arc::clone(&world) as Arc<dyn World>,
            ports: setup.ports.clone().unwrap_or_else(own),
            log_kept: setup.log_kept,
            commits_kept: setup.commits_kept,
            calls_per_second: setup.calls_per_second,
            anonymous_per_second: setup.calls_per_second,
        };
        let inner = stoa_node::Node::open(parts).await.unwrap();
        let background = Background::new(&inner).await.unwrap();
        let background = Arc::new(tokio::sync::Mutex::new(background));
        let Setup { log_kept, ports, objects, .. } = setup;
        Self {
            inner,
            background,
            world,
            logs,
            post,
            web,
            engine,
            options,
            log_kept,
            ports,
            objects,
        }
    }

    /// The node that comes after this one at the same place: whatever this one is still doing
    /// reaches the store no more, as if it had been killed.
    pub async fn crash(&self, services: Vec<Service>) -> Self {
        self.replace("test", services).await
    }

    /// As [`Node::crash`], but the node that comes is another one, with a name of its own.
    pub async fn replace(&self, name: &'static str, services: Vec<Service>) -> Self {
        self.inner.close().await;
        let next = self.beside(name, services).await;
        next.pass(self.now().since(next.now()));
        next
    }

    /// Another node beside this one, with a clock of its own, on the database that both share; whoever
    /// asks for it closes it. An embedded database has one node.
    pub async fn beside(&self, name: &'static str, services: Vec<Service>) -> Self {
        let (log_kept, ports) = (self.log_kept, self.ports.clone());
        let objects = Arc::clone(&self.objects);
        let setup = Setup { name, log_kept, ports, objects, ..Setup::default() };
        Self::open(self.engine, services, self.options.clone(), setup).await
    }

    /// The node itself.
    pub fn inner(&self) -> &Arc<stoa_node::Node> {
        &self.inner
    }

    /// What it logged.
    pub fn logs(&self) -> &Arc<Logs> {
        &self.logs
    }

    /// The engine it stores in.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// A user who may do everything.
    pub fn admin(&self) -> Caller {
        self.user_with("usr_admin", &["*"])
    }

    /// A user without any permission.
    pub fn user(&self, id: &str) -> Caller {
        self.user_with(id, &[])
    }

    /// A user with some permissions, who proved just now who they are.
    pub fn user_with(&self, id: &str, permissions: &[&str]) -> Caller {
        proven(Caller::of(MAIN, &format!("user:{id}"), permissions), self.now())
    }

    /// A service account with some permissions.
    pub fn account_with(&self, id: &str, permissions: &[&str]) -> Caller {
        Caller::of(MAIN, &format!("service:{id}"), permissions)
    }

    /// Nobody in particular.
    pub fn nobody(&self) -> Caller {
        Caller::anonymous(MAIN)
    }

    /// The node itself, which may call internal methods.
    pub fn system(&self) -> Caller {
        Caller::system(MAIN)
    }

    /// Makes a tenant beside the main one; gives the code for its first administrator.
    pub async fn create_tenant(&self, name: &str) -> String {
        let reply = self.ask(&self.admin(), "CreateTenant", json!({"name": name})).await;
        reply.unwrap()["setupCode"].as_str().unwrap_or_default().to_owned()
    }

    /// Who comes with a token, and names a tenant.
    ///
    /// # Errors
    /// Those of the door.
    pub async fn visit(&self, token: &str, tenant: Option<&str>) -> Result<Caller> {
        let visitor = Visitor {
            authorization: Some(format!("Bearer {token}").into()),
            tenant: tenant.map(Into::into),
            ..Visitor::default()
        };
        self.inner.identify(&visitor, false).await
    }

    /// Asks the node's own contract, as `stoa system <method>` does.
    ///
    /// # Errors
    /// What the call comes to.
    pub async fn ask(
        &self, caller: &Caller, method: &str, request: impl ToString,
    ) -> Result<Value> {
        let path = format!("stoa.system.v1.SystemService/{method}");
        let registry = Arc::clone(self.inner.registry());
        let bound = registry.method(&path).expect("the node's own contract has it");
        let request = bound.decode_request(request.to_string().as_bytes(), Format::Json)?;
        let answer = self.dispatch(&path, caller, "127.0.0.1", None, request).await?;
        let Body::Message(reply) = answer.body else { panic!("{method} streams") };
        Ok(serde_json::from_slice(&reply.encode(Format::Json)?).unwrap())
    }

    /// The time of day.
    pub fn now(&self) -> Micros {
        self.world.now()
    }

    /// Calls as through a face.
    ///
    /// # Errors
    /// What the call comes to.
    pub async fn call<R: Request>(&self, caller: &Caller, request: R) -> Result<R::Reply> {
        self.send(caller, "127.0.0.1", None, request).await.map(|(reply, _)| reply)
    }

    /// Calls what must not succeed.
    pub async fn fails<R: Request>(&self, caller: &Caller, request: R) -> Error {
        match self.call(caller, request).await {
            Ok(_) => panic!("{} did not fail", R::METHOD.path),
            Err(error) => error,
        }
    }

    /// Every page of a list, one asked for after another.
    ///
    /// # Errors
    /// Those of the first call that fails.
    pub async fn pages<R: Request + Paged>(
        &self, caller: &Caller, request: R,
    ) -> Result<Vec<R::Reply>> {
        let (mut pages, mut next) = (Vec::new(), request);
        loop {
            let reply = self.call(caller, next.clone()).await?;
            let shown = serde_json::to_value(&reply).map_err(Error::internal)?;
            pages.push(reply);
            let Some(token) = shown.get("nextPageToken") else { return Ok(pages) };
            let mut request = serde_json::to_value(&next).map_err(Error::internal)?;
            request["pageToken"] = token.clone();
            next = serde_json::from_value(request).map_err(Error::internal)?;
        }
    }

    /// Calls with an idempotency key.
    ///
    /// # Errors
    /// What the call comes to.
    pub async fn call_with_key<R: Request>(
        &self, caller: &Caller, key: &str, request: R,
    ) -> Result<R::Reply> {
        self.send(caller, "127.0.0.1", Some(key), request).await.map(|(reply, _)| reply)
    }

    /// Calls from a network address.
    ///
    /// # Errors
    /// What the call comes to.
    pub async fn call_from<R: Request>(
        &self, address: &str, caller: &Caller, request: R,
    ) -> Result<R::Reply> {
        self.send(caller, address, None, request).await.map(|(reply, _)| reply)
    }

    /// Calls while a fence holds.
    ///
    /// # Errors
    /// What the call comes to.
    pub async fn call_under<R: Request>(
        &self, fence: &str, caller: &Caller, request: R,
    ) -> Result<R::Reply> {
        let call = asked(R::METHOD.path, caller, Box::new(request));
        let call = Call { fence: Some(fence.to_owned()), ..call };
        let Body::Message(reply) = self.inner.call(call).await?.body else {
            panic!("{} streams", R::METHOD.path)
        };
        Ok(*reply.into_any().downcast::<R::Reply>().expect("the reply of the method"))
    }

    /// Calls, and tells also what surrounds the reply.
    ///
    /// # Errors
    /// What the call comes to.
    pub async fn send<R: Request>(
        &self, caller: &Caller, address: &str, key: Option<&str>, request: R,
    ) -> Result<(R::Reply, Answer)> {
        let mut answer =
            self.dispatch(R::METHOD.path, caller, address, key, Box::new(request)).await?;
        let body =
            std::mem::replace(&mut answer.body, Body::Stream(Box::pin(futures::stream::empty())));
        let Body::Message(message) = body else { panic!("{} streams", R::METHOD.path) };
        let reply = message.into_any().downcast::<R::Reply>();
        Ok((*reply.unwrap_or_else(|_| panic!("{} gave another message", R::METHOD.path)), answer))
    }

    /// Calls a method by its path.
    ///
    /// # Errors
    /// What the call comes to.
    pub async fn dispatch(
        &self, method: &str, caller: &Caller, address: &str, key: Option<&str>,
        request: Box<dyn AnyMessage>,
    ) -> Result<Answer> {
        let key = key.map(str::to_owned);
        let call = Call { key, address: address.to_owned(), ..asked(method, caller, request) };
        self.inner.call(call).await
    }

    /// Lets time pass, and leaves what came due.
    pub fn pass(&self, by: Duration) {
        self.world.advance(by);
    }

    /// Lets uptime go on without anybody who waits being woken, as for a process that was stopped.
    pub fn freeze(&self, by: Duration) {
        self.world.freeze(by);
    }

    /// Lets time pass also for what is at work.
    pub fn skip(&self, by: Duration) {
        self.world.skip(by);
    }

    /// Lets no time pass any more for what is at work, but what is [skipped](Node::skip).
    pub fn stop(&self) {
        self.world.stop();
    }

    /// Waits until somebody sleeps who wants to sleep about so long.
    pub async fn until_asleep(&self, about: RangeInclusive<Duration>) {
        until(|| self.world.asleep(&about) > 0).await;
    }

    /// Sets the clock back, as people do who find that it is fast.
    pub fn set_back(&self, by: Duration) {
        self.world.set_back(by);
    }

    /// Lets time pass, then does what came due.
    pub async fn advance(&self, by: Duration) {
        self.pass(by);
        self.settle().await;
    }

    /// Does what is due in the background until nothing is.
    pub async fn settle(&self) {
        let mut background = self.background.lock().await;
        for _ in 0..10_000 {
            // What looks before looks too early.
            settled(&self.inner).await;
            if !background.step().await.expect("background work") {
                return;
            }
        }
        panic!("the background never comes to rest");
    }

    /// The position of the last commit.
    pub(crate) async fn last(&self) -> i64 {
        last(&self.inner).await
    }

    /// The events of a type that were emitted so far, oldest first.
    pub async fn events<E: Event>(&self) -> Vec<E> {
        const EVENTS: &str = "SELECT payload FROM stoa_event \
             WHERE tenant = :tenant AND message = $1 ORDER BY position, ordinal \
         /* whole: a test reads what it wrote */";
        let found = Arc::new(Mutex::new(Vec::new()));
        let events = Arc::clone(&found);
        let read: Read<()> = Box::new(move |session, _| {
            *events.lock().unwrap() =
                kernel::rows::<(Vec<u8>,)>(session, MAIN, EVENTS, (E::NAME,))?;
            Ok(())
        });
        self.inner.store().read(None, read).await.unwrap();
        let rows = std::mem::take(&mut *found.lock().unwrap());
        let decode = |(bytes,): (Vec<u8>,)| stoa_contract::decode(&bytes, Format::Binary).unwrap();
        rows.into_iter().map(decode).collect()
    }

    /// What one of the kernel's own statements gives, of whatever tenants.
    pub async fn rows<T: FromRow + Send + 'static>(&self, sql: &'static str) -> Vec<T> {
        let found = Arc::new(Mutex::new(Vec::new()));
        let rows = Arc::clone(&found);
        let read: Read<()> = Box::new(move |session, _| {
            *rows.lock().unwrap() = kernel::rows::<T>(session, "", sql, ())?;
            Ok(())
        });
        self.inner.store().read(None, read).await.unwrap();
        std::mem::take(&mut *found.lock().unwrap())
    }

    /// Everything that the store holds, in whatever table.
    pub async fn kept(&self) -> Kept {
        let place = self.options.place.clone();
        tokio::task::spawn_blocking(move || Kept::at(&place)).await.unwrap()
    }

    /// The directory where blobs lie.
    pub fn objects(&self) -> &Path {
        &self.objects
    }

    /// The first of some texts that lies on the disk, in whatever file of the embedded database, its
    /// log and what it has freed included; on a server's, the first that any row holds. In whatever blob,
    /// too.
    pub async fn first_on_disk(&self, texts: impl Iterator<Item = &[u8]>) -> Option<Vec<u8>> {
        let (place, objects) = (self.options.place.clone(), Arc::clone(&self.objects));
        let texts: Vec<Vec<u8>> = texts.map(<[u8]>::to_vec).collect();
        tokio::task::spawn_blocking(move || {
            let kept = Kept::at(&place);
            let mut files = home::files(&place);
            files.extend(home::objects(&objects).into_values());
            let lies =
                |text: &Vec<u8>| kept.holds(text) || files.iter().any(|file| home::has(file, text));
            texts.into_iter().find(lies)
        })
        .await
        .unwrap()
    }

    /// The mail that was handed over so far.
    pub fn sent(&self) -> Vec<Mail> {
        self.post.sent.lock().unwrap().clone()
    }

    /// Lets the next hand-overs of mail fail.
    pub fn fail_mail(&self, times: u32) {
        *self.post.failures.lock().unwrap() = times;
    }
}

/// A call, as somebody makes it who says nothing else.
fn asked(method: &str, caller: &Caller, request: Box<dyn AnyMessage>) -> Call {
    Call {
        method: method.to_owned(),
        caller: caller.clone(),
        request,
        key: None,
        fence: None,
        trace: String::new(),
        deadline: None,
        cause: Cause::Request,
        address: "127.0.0.1".to_owned(),
        position: None,
        dry_run: false,
    }
}
