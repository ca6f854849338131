//! Hooks: takes in the webhooks of a provider, and hands each event on once.
//!
//! **Invariant:** what is not signed by the provider, lately and to the byte, is not taken in.
//!
//! **Invariant:** an event that was taken in is kept, and on its way, before the provider is told so;
//! however often it comes it is handed on as one.

#![forbid(unsafe_code)]

mod signature;

/// What hooks promises: the Rust of `proto/stoa/hooks/v1`.
pub mod contract {
    stoa_contract::contract!("hooks", "proto");
}

use stoa_kit::outbound::Fetch;
use stoa_kit::v1::{HttpRequest, HttpResponse};
use stoa_kit::{Ctx, Error, JobOptions, Micros, Migration, Result, Service, Tx, View};

use contract::*;

pub use signature::Secret;

/// The largest webhook, in bytes.
const BODY_MAX: usize = 256 << 10;
const MIGRATIONS: &[Migration] =
    &[Migration::expand("0001_event", include_str!("../migrations/0001_event.sql"))];

/// The service: a provider signs by the secret, and each event is posted to the address.
pub fn service(secret: Secret, forward_to: &str) -> Service {
    let forward_to = forward_to.to_owned();
    Service::new(serve(Hooks { secret, forward_to }))
        .migrations(MIGRATIONS)
        .raw::<ReceiveRequest>("/hooks/shop", BODY_MAX)
        .reaches_given()
}

struct Hooks {
    secret: Secret,
    forward_to: String,
}

impl HooksService for Hooks {
    async fn receive(&self, ctx: &Ctx, request: ReceiveRequest) -> Result<ReceiveResponse> {
        let http = request.http.into_option().unwrap_or_default();
        if http.method != "POST" {
            return Ok(says(405));
        }
        let Some(id) = self.signed(&http, ctx.now()) else { return Ok(says(401)) };
        let id = id.to_owned();
        ctx.call(KeepEventRequest { id, body: http.body }).await?;
        Ok(says(204))
    }

    fn keep_event(&self, tx: &mut Tx, request: KeepEventRequest) -> Result<KeepEventResponse> {
        let KeepEventRequest { id, body } = request;
        let event = Event { id: id.clone(), body, ..Event::default() };
        if tx.add_new(event, "id")?.is_some() {
            tx.enqueue(&ForwardEventRequest { id }, JobOptions::default())?;
        }
        Ok(KeepEventResponse::default())
    }

    fn get_event(&self, view: &View, request: GetEventRequest) -> Result<GetEventResponse> {
        let event: Option<Event> = view.get(&request.id)?;
        let event = event.ok_or_else(|| Error::not_found("event", &request.id))?;
        Ok(GetEventResponse { event: event.into() })
    }

    async fn forward_event(
        &self, ctx: &Ctx, request: ForwardEventRequest,
    ) -> Result<ForwardEventResponse> {
        let event = ctx.call(GetEventRequest { id: request.id }).await?.event;
        let event = event.into_option().unwrap_or_default();
        let post = Fetch::post(&self.forward_to, "application/json", event.body);
        ctx.fetch(post.header("webhook-id", &event.id)).await?.success()?;
        Ok(ForwardEventResponse::default())
    }
}

impl Hooks {
    /// The identifier of what came, if the provider signed it.
    fn signed<'a>(&self, http: &'a HttpRequest, now: Micros) -> Option<&'a str> {
        let header = |name: &str| {
            let mut found = http.headers.iter().filter(|header| header.name == name);
            found.next().map(|header| header.value.as_str())
        };
        let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
        let signatures = header("webhook-signature")?;
        self.secret.signed((id, timestamp, &http.body), signatures, now).then_some(id)
    }
}

fn says(status: i32) -> ReceiveResponse {
    ReceiveResponse { http: HttpResponse { status, ..HttpResponse::default() }.into() }
}
