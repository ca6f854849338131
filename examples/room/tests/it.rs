//! Who is in a room, by the contract.

#![cfg(test)]

use std::time::Duration;

use futures::StreamExt;
use stoa_example_room::contract::{Doing, EnterRequest, EnterResponse, ShowTypingRequest};
use stoa_example_room::service;
use stoa_kit::{Caller, Result, Service, Stream};
use stoa_testkit::{Node, both};

fn services() -> Vec<Service> {
    vec![service()]
}

async fn enter(node: &Node, caller: &Caller, room: &str) -> Stream<EnterResponse> {
    node.stream(caller, EnterRequest { room: room.into() }).await.unwrap()
}

/// Who is in a room, as is told next; who types with a mark.
async fn told(stream: &mut Stream<EnterResponse>) -> String {
    let told: Result<EnterResponse> = stream.next().await.unwrap();
    let guest = |guest: &stoa_example_room::contract::Guest| {
        let mark = if guest.doing == Doing::DOING_TYPING { "…" } else { "" };
        format!("{}{mark}", guest.subject.trim_start_matches("user:"))
    };
    told.unwrap().guests.iter().map(guest).collect::<Vec<_>>().join(" ")
}

both! {
    async fn somebody_is_there_for_as_long_as_they_listen(node: Node) {
        let (ada, bob) = (node.user("ada"), node.user("bob"));
        let before = node.kept().await;
        let mut here = enter(&node, &ada, "hall").await;
        assert_eq!(told(&mut here).await, "ada");
        let mut there = enter(&node, &bob, "hall").await;
        assert_eq!((told(&mut here).await, told(&mut there).await), ("ada bob".into(), "ada bob".into()));
        let again = enter(&node, &ada, "hall").await;
        drop(here);
        drop(again);
        assert_eq!(told(&mut there).await, "bob");
        let mut elsewhere = enter(&node, &ada, "kitchen").await;
        assert_eq!(told(&mut elsewhere).await, "ada");
        assert_eq!(node.kept().await, before, "nothing of it is written");
    }

    async fn who_types_does_so_for_a_while(node: Node) {
        let (ada, bob) = (node.user("ada"), node.user("bob"));
        let mut here = enter(&node, &ada, "hall").await;
        assert_eq!(told(&mut here).await, "ada");
        let types = || node.call(&bob, ShowTypingRequest { room: "hall".into() });
        types().await.unwrap();
        assert_eq!(told(&mut here).await, "ada bob…");
        node.skip(Duration::from_secs(4));
        types().await.unwrap();
        node.skip(Duration::from_secs(4));
        let there = enter(&node, &bob, "hall").await;
        assert_eq!(told(&mut here).await, "ada bob…");
        node.skip(Duration::from_secs(1));
        assert_eq!(told(&mut here).await, "ada bob");
        drop(there);
        assert_eq!(told(&mut here).await, "ada");
    }
}
