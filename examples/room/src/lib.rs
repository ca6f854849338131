//! Room: who is in a room, and who is typing.
//!
//! **Invariant:** somebody is in a room for as long as they listen to who is in it.
//!
//! **Invariant:** nothing is remembered: no table, no commit.

#![forbid(unsafe_code)]

/// What room promises: the Rust of `proto/stoa/room/v1`.
pub mod contract {
    stoa_contract::contract!("room", "proto");
}

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use stoa_kit::{Ctx, Result, Service, Stream};

use contract::*;

/// How long somebody types who says so.
const TYPING: Duration = Duration::from_secs(5);

/// The service.
pub fn service() -> Service {
    Service::new(serve(Room))
}

struct Room;

impl RoomService for Room {
    async fn enter(&self, ctx: &Ctx, request: EnterRequest) -> Result<Stream<EnterResponse>> {
        let room = ctx.topic(&request.room);
        let here = room.enter(&guest(ctx, Doing::DOING_LISTENING))?;
        let states = room.watch::<Guest>().map_ok(move |said| {
            // The caller leaves with the stream.
            let _ = &here;
            EnterResponse { guests: together(said) }
        });
        Ok(states.boxed())
    }

    async fn show_typing(
        &self, ctx: &Ctx, request: ShowTypingRequest,
    ) -> Result<ShowTypingResponse> {
        let typing = guest(ctx, Doing::DOING_TYPING);
        ctx.topic(&request.room).put(&typing.subject, &typing, TYPING)?;
        Ok(ShowTypingResponse {})
    }
}

fn guest(ctx: &Ctx, doing: Doing) -> Guest {
    Guest { subject: ctx.caller().subject.to_string(), doing: doing.into() }
}

/// Each once: who types does that, and whoever listens twice is here once.
fn together(said: Vec<Guest>) -> Vec<Guest> {
    let mut guests: Vec<Guest> = Vec::new();
    for one in said {
        match guests.iter_mut().find(|known| known.subject == one.subject) {
            Some(known) if one.doing == Doing::DOING_TYPING => known.doing = one.doing,
            Some(_) => {}
            None => guests.push(one),
        }
    }
    guests
}
