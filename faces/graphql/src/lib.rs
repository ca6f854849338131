//! GraphQL: every method of every contract, in one schema, at `/graphql`.
//!
//! Queries are fields by service (`{ ledger { account(account: "cash") { balance } } }`), commands are
//! mutations (`ledgerCreateTransfer`). Subscriptions are streams, and the same queries, watched. A field
//! that holds the identifier of a resource of another contract (`(stoa.v1.references)`) leads to it.
//! `docs/faces.md` says how things are called.
//!
//! The arguments of a field become the JSON of the method's message, which is read by the same strict
//! decoder that reads Connect's. What GraphQL is — its language, its rules, introspection — is
//! `apollo-compiler`'s work; the walk through a selection is ours
//! ([why](../../../docs/adr/0021-graphql-is-walked-by-levels.md)).
//!
//! **Invariant:** no service is named here. A contract that is in the catalogue has its fields.
//!
//! **Invariant:** a field that calls is one call by [`Visit`], with all that a call by RPC passes.

#![forbid(unsafe_code)]

mod answer;
mod arguments;
mod asker;
mod events;
mod limits;
mod question;
mod references;
mod reply;
mod request;
mod said;
mod schema;
mod socket;
mod stream;
mod walk;
mod watches;

use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use stoa_contract::{Code, Contract};
use stoa_kit::{Error, Result, Stream};
use stoa_node::{Asked, Content, Face, Guest, Node, Visit, socket as sockets, status};

use crate::answer::Response;
use crate::asker::Asker;
use crate::question::Documents;
use crate::request::{Request, Wanted};
use crate::said::Said;
use crate::schema::Schema;

/// Where it is.
const PATH: &str = "/graphql";

/// Who may ask for the schema itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introspection {
    /// Nobody.
    Off,
    /// Whoever signed in, and everybody on this machine.
    SignedIn,
    /// Everybody.
    Everybody,
}

impl Introspection {
    fn is_for(self, guest: &Guest, local: bool) -> bool {
        match self {
            Self::Off => false,
            Self::SignedIn => local || !guest.caller().is_anonymous(),
            Self::Everybody => true,
        }
    }
}

/// GraphQL, as a face of a node.
pub struct GraphQl(Arc<Inner>);

struct Inner {
    introspection: Introspection,
    schema: OnceLock<Arc<Schema>>,
    documents: Documents,
}

impl GraphQl {
    /// GraphQL for the services of a node. The schema is made when somebody first asks.
    pub fn new(introspection: Introspection) -> Self {
        let (schema, documents) = (OnceLock::new(), Documents::new());
        Self(Arc::new(Inner { introspection, schema, documents }))
    }

    /// Makes the schema now, of contracts, for whoever would rather wait before the first question than
    /// with it.
    ///
    /// # Errors
    /// `internal` where contracts come to a schema that is none.
    pub fn prepare(&self, contracts: &[&'static Contract]) -> Result<()> {
        self.0.make(contracts).map(drop)
    }
}

impl Face for GraphQl {
    fn name(&self) -> &str {
        "graphql"
    }

    fn prefixes(&self) -> Vec<String> {
        vec![PATH.to_owned()]
    }

    fn asked(&self, head: &Parts) -> Result<Asked> {
        if head.uri.path() != PATH {
            let message = format!("there is nothing at {}", head.uri.path());
            return Err(Error::new(Code::Unimplemented, "node.no_such_method", message)
                .help("GraphQL is at /graphql."));
        }
        request::check(head)?;
        Ok(Asked { method: None, body_max: None })
    }

    fn answer(&self, visit: Visit) -> BoxFuture<'static, Result<http::Response<Content>>> {
        let inner = Arc::clone(&self.0);
        async move { inner.answer(visit).await }.boxed()
    }

    fn refuse(&self, _: &str, trace: &str, error: &Error) -> http::Response<Content> {
        let response = Response::from(vec![Said::new(error, trace)]);
        let mut refusal = whole(&response, status(error), Wanted::Json);
        let headers = refusal.headers_mut();
        if let Some(wait) = error.retry_after() {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if error.reason() == "request.method" {
            headers.insert(header::ALLOW, HeaderValue::from_static(request::ALLOW));
        }
        if refusal.status() == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            refusal.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        refusal
    }
}

impl Inner {
    async fn answer(self: Arc<Self>, visit: Visit) -> Result<http::Response<Content>> {
        if sockets::is_wanted(&visit.head.headers) {
            let (trace, local) = (visit.trace(), visit.local);
            let talk = move |socket| socket::talk(self, socket, trace, local);
            return visit.upgrade(&[socket::PROTOCOL], Some(socket::MESSAGE_MAX), talk);
        }
        let wanted = Wanted::of(&visit.head.headers);
        let request = request::read(&visit.head, &visit.body)?;
        let (by_get, schema) = (visit.head.method == Method::GET, self.schema(visit.node())?);
        let asker = Asker::of(visit, self.introspection);
        let question = match self.documents.question(&schema, &asker, request).await {
            Ok(question) => question,
            Err(errors) => return Ok(refused(errors, wanted)),
        };
        let operation = question.operation()?;
        if by_get && operation.is_mutation() {
            return Err(request::wrong_method("a mutation is not asked for by GET"));
        }
        let answered = match (operation.is_subscription(), wanted) {
            (false, _) => answer::answer(&schema, &asker, &question).await,
            (true, Wanted::Events) => {
                let world = Arc::clone(asker.guest.node().world());
                return Ok(match stream::begin(schema, Arc::new(asker), question).await {
                    Ok(responses) => events::stream(responses, &world),
                    Err(errors) => refused(errors, wanted),
                });
            }
            (true, _) => Err(asker.said(&needs_events())),
        };
        Ok(match answered {
            Err(errors) => refused(errors, wanted),
            Ok(response) if wanted == Wanted::Events => events::once(&response),
            Ok(mut response) => {
                let told = std::mem::take(&mut response.told);
                let mut answer = whole(&response, StatusCode::OK, wanted);
                answer.headers_mut().extend(told);
                answer
            }
        })
    }

    /// The responses to a question: one, or as many as a subscription has.
    ///
    /// # Errors
    /// Why it is refused as a whole.
    async fn responses(
        &self, asker: Asker, request: Request,
    ) -> Result<Stream<Response>, Vec<Said>> {
        let schema = self.schema(asker.guest.node()).map_err(|error| asker.said(&error))?;
        let question = self.documents.question(&schema, &asker, request).await?;
        let operation = question.operation().map_err(|error| asker.said(&error))?;
        if operation.is_subscription() {
            return stream::begin(schema, Arc::new(asker), question).await;
        }
        let response = answer::answer(&schema, &asker, &question).await?;
        Ok(futures::stream::iter([Ok(response)]).boxed())
    }

    fn schema(&self, node: &Node) -> Result<Arc<Schema>> {
        match self.schema.get() {
            Some(schema) => Ok(Arc::clone(schema)),
            None => {
                let services = node.registry().services().iter();
                self.make(&services.filter_map(|service| service.contract).collect::<Vec<_>>())
            }
        }
    }

    fn make(&self, contracts: &[&'static Contract]) -> Result<Arc<Schema>> {
        let made = Arc::new(Schema::new(contracts)?);
        Ok(Arc::clone(self.schema.get_or_init(|| made)))
    }
}

/// A question that was refused as a whole. Where the kind of answer leaves it open whether the document
/// or something on the way is at fault, only the latter has a status of its own.
fn refused(errors: Vec<Said>, wanted: Wanted) -> http::Response<Content> {
    let found = errors.first().map_or(StatusCode::BAD_REQUEST, Said::status);
    let response = Response::from(errors);
    match wanted {
        Wanted::Events => events::once(&response),
        Wanted::Json => whole(&response, StatusCode::OK, wanted),
        Wanted::Response => whole(&response, found, wanted),
    }
}

fn whole(response: &Response, status: StatusCode, wanted: Wanted) -> http::Response<Content> {
    let mut answer = http::Response::new(Content::from(response.text()));
    *answer.status_mut() = status;
    let kind = match wanted {
        Wanted::Response => "application/graphql-response+json; charset=utf-8",
        _ => "application/json; charset=utf-8",
    };
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn needs_events() -> Error {
    let message = "a subscription is told as it comes, and this kind of answer is told once";
    Error::new(Code::InvalidArgument, "graphql.subscription", message)
        .help("Accept `text/event-stream`.")
}
