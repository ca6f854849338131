//! Sessions: how they end, and who sees them.

use std::sync::atomic::Ordering::SeqCst;

use stoa_auth_v1::{
    IntrospectTokenRequest, ListSessionsRequest, RevokeAllSessionsRequest, RevokeSessionRequest,
    SignOutRequest, WhoAmIRequest,
};
use stoa_kit::{Caller, Code, Micros, Service};
use stoa_testkit::{Node, both};
use stoa_users_v1::{DisableUserRequest, EnableUserRequest};

use crate::{DAY, MINUTE, PASSWORD, bearer, fails, grant, person, sign_in};

fn services() -> Vec<Service> {
    crate::services()
}

async fn open(node: &Node, login: &str) -> String {
    sign_in(node, login, PASSWORD).await.unwrap().token
}

#[track_caller]
fn invalid<T>(outcome: stoa_kit::Result<T>) {
    fails(outcome, Code::Unauthenticated, "auth.token_invalid");
}

async fn ids(node: &Node, caller: &Caller, user_id: &str) -> Vec<String> {
    let request = ListSessionsRequest { user_id: user_id.into(), ..Default::default() };
    let sessions = node.call(caller, request).await.unwrap().sessions;
    sessions.into_iter().map(|session| session.id).collect()
}

both! {
    async fn a_session_that_is_not_used_ends_after_fourteen_days(node: Node) {
        person(&node, "ada").await;
        let (used, idle) = (open(&node, "ada").await, open(&node, "ada").await);
        node.advance(13 * DAY).await;
        let caller = bearer(&node, &used).await.unwrap();
        node.advance(DAY + MINUTE).await;
        bearer(&node, &used).await.unwrap();
        invalid(bearer(&node, &idle).await);
        let left = ids(&node, &caller, "").await;
        assert_eq!(left, [caller.credential.to_string()], "one that is over is not listed");
    }
}

both! {
    async fn a_session_ends_after_ninety_days_however_much_it_is_used(node: Node) {
        person(&node, "ada").await;
        let token = open(&node, "ada").await;
        for _ in 0..8 {
            node.advance(11 * DAY).await;
            bearer(&node, &token).await.unwrap();
        }
        node.advance(DAY).await;
        bearer(&node, &token).await.unwrap();
        node.advance(DAY + MINUTE).await;
        invalid(bearer(&node, &token).await);
        node.advance(DAY).await;
        assert!(!node.kept().await.holds(b"laptop"), "the timer deletes what is over");
    }
}

both! {
    async fn a_use_is_noted_every_five_minutes_at_most(node: Node) {
        person(&node, "ada").await;
        let token = open(&node, "ada").await;
        let caller = bearer(&node, &token).await.unwrap();
        let opened = node.now();
        for (minutes, noted) in [(4, 0), (0, 0), (2, 6), (4, 6), (2, 12)] {
            node.advance(minutes * MINUTE).await;
            bearer(&node, &token).await.unwrap();
            let sessions = node.call(&caller, ListSessionsRequest::default()).await.unwrap().sessions;
            let last = stoa_kit::Micros::of(&sessions[0].last_use_time);
            assert_eq!(last.since(opened).as_secs() / 60, noted, "{minutes}");
        }
    }
}

both! {
    async fn a_session_is_revoked_alone_or_with_all_of_its_user(node: Node) {
        let ada = person(&node, "ada").await;
        let mut tokens = Vec::new();
        for _ in 0..4 {
            tokens.push(open(&node, "ada").await);
        }
        let mut callers = Vec::new();
        for token in &tokens {
            callers.push(bearer(&node, token).await.unwrap());
        }
        let (me, other) = (&callers[0], callers[1].credential.to_string());
        assert_eq!(ids(&node, me, &ada).await.len(), 4);
        node.call(me, RevokeSessionRequest { id: other.clone() }).await.unwrap();
        invalid(bearer(&node, &tokens[1]).await);
        let again = node.call(me, RevokeSessionRequest { id: other }).await;
        fails(again, Code::NotFound, "resource.not_found");

        let all = RevokeAllSessionsRequest { keep_current: true, ..Default::default() };
        assert_eq!(node.call(me, all).await.unwrap().revoked, 2);
        bearer(&node, &tokens[0]).await.unwrap();
        for token in &tokens[1..] {
            invalid(bearer(&node, token).await);
        }
        assert_eq!(ids(&node, me, "").await, [me.credential.to_string()]);
        node.call(me, SignOutRequest {}).await.unwrap();
        invalid(bearer(&node, &tokens[0]).await);
    }
}

both! {
    async fn nobody_sees_or_ends_the_sessions_of_others(node: Node) {
        let (ada, eve) = (person(&node, "ada").await, person(&node, "eve").await);
        let (token, hers) = (open(&node, "ada").await, open(&node, "eve").await);
        let id = bearer(&node, &token).await.unwrap().credential.to_string();
        let caller = bearer(&node, &hers).await.unwrap();
        assert_eq!(ids(&node, &caller, "").await, [caller.credential.to_string()]);
        assert!(ids(&node, &caller, &ada).await.is_empty());
        let revoke = RevokeSessionRequest { id };
        let outcome = node.call(&caller, revoke.clone()).await;
        fails(outcome, Code::NotFound, "resource.not_found");
        let all = RevokeAllSessionsRequest { user_id: ada.clone(), keep_current: false };
        let outcome = node.call(&caller, all.clone()).await;
        fails(outcome, Code::PermissionDenied, "auth.not_yours");
        let reader = node.user_with(&eve, &["auth.sessions.read_all"]);
        assert_eq!(ids(&node, &reader, &ada).await.len(), 1);
        assert_eq!(ids(&node, &reader, "").await.len(), 2);
        let outcome = node.call(&reader, revoke).await;
        fails(outcome, Code::PermissionDenied, "auth.not_yours");
        bearer(&node, &token).await.unwrap();
        let staff = node.user_with(&eve, &["auth.sessions.*"]);
        assert_eq!(node.call(&staff, all).await.unwrap().revoked, 1);
        invalid(bearer(&node, &token).await);
        bearer(&node, &hers).await.unwrap();
    }
}

both! {
    async fn the_sessions_of_a_disabled_user_stop_at_once(node: Node) {
        let ada = person(&node, "ada").await;
        let token = open(&node, "ada").await;
        bearer(&node, &token).await.unwrap();
        node.call(&node.admin(), DisableUserRequest { id: ada.clone() }).await.unwrap();
        invalid(bearer(&node, &token).await);
        node.call(&node.admin(), EnableUserRequest { id: ada }).await.unwrap();
        bearer(&node, &token).await.unwrap();
    }
}

both! {
    async fn pages_of_sessions_go_on_while_others_are_opened(node: Node) {
        person(&node, "ada").await;
        for _ in 0..7 {
            open(&node, "ada").await;
        }
        let caller = bearer(&node, &open(&node, "ada").await).await.unwrap();
        let expected = ids(&node, &caller, "").await;
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let request =
                ListSessionsRequest { page_size: 3, page_token: token, ..Default::default() };
            let page = node.call(&caller, request).await.unwrap();
            seen.extend(page.sessions.into_iter().map(|session| session.id));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
            if seen.len() < 4 {
                // Identifiers are in the order of milliseconds, and the clock is ours.
                node.advance(MINUTE).await;
                open(&node, "ada").await;
            }
        }
        assert_eq!(seen[..8], expected);
        assert_eq!(seen.len(), 9, "the one that was opened in between comes last");
    }
}

both! {
    async fn a_token_is_kept_as_a_hash_and_no_forgery_passes(node: Node) {
        person(&node, "ada").await;
        let token = open(&node, "ada").await;
        bearer(&node, &token).await.unwrap();
        let kept = node.kept().await;
        let secret: Vec<u8> = (0..32)
            .map(|n| u8::from_str_radix(&token[12 + 2 * n..14 + 2 * n], 16).unwrap())
            .collect();
        assert!(!kept.holds(token.as_bytes()) && !kept.holds(&token.as_bytes()[12..]));
        assert!(!kept.holds(&secret));
        assert!(!kept.holds(PASSWORD.as_bytes()));
        let hash = blake3::hash(token.as_bytes());
        assert!(kept.holds(hash.as_bytes()), "the search finds what is there");

        let flipped = if token.ends_with('0') { "1" } else { "0" };
        for forged in [
            String::new(),
            "stoa_s_".to_owned(),
            hash.to_hex().to_string(),
            format!("stoa_s_{}", hash.to_hex()),
            token.to_uppercase(),
            token.replace("stoa_s_", "stoa_k_"),
            format!("{}{flipped}", &token[..token.len() - 1]),
            format!("{token} "),
        ] {
            invalid(bearer(&node, &forged).await);
        }
    }
}

both! {
    async fn a_bearer_learns_who_they_are_and_a_gateway_too(node: Node) {
        let ada = person(&node, "ada").await;
        crate::grant(&node, &ada, "reader", &["orders.*.list", "catalog.*"]).await;
        let token = open(&node, "ada").await;
        let caller = bearer(&node, &token).await.unwrap();
        let who = node.call(&caller, WhoAmIRequest {}).await.unwrap();
        assert_eq!((&*who.subject, &*who.user_id), (&*format!("user:{ada}"), &*ada));
        assert_eq!(who.credential_id, *caller.credential);
        assert_eq!(who.permissions, ["catalog.*", "orders.*.list"]);
        let outcome = node.call(&node.nobody(), WhoAmIRequest {}).await;
        assert_eq!(outcome.unwrap_err().code(), Code::Unauthenticated);

        let ask = |token: &str| IntrospectTokenRequest { token: token.into() };
        let found = node.call(&node.admin(), ask(&token)).await.unwrap();
        assert!(found.active);
        assert_eq!((found.subject, found.permissions), (who.subject, who.permissions));
        let found = node.call(&node.admin(), ask("stoa_s_00")).await.unwrap();
        assert_eq!(found, Default::default(), "nothing is said of one that is not good");
    }
}

both! {
    async fn a_session_says_how_its_user_proved_who_they_are_and_when(node: Node) {
        person(&node, "ada").await;
        let opened = node.now();
        let token = open(&node, "ada").await;
        node.advance(MINUTE).await;
        let caller = bearer(&node, &token).await.unwrap();
        let proof = caller.proof.clone().unwrap();
        assert!(proof.full && proof.time.since(opened) < MINUTE);
        assert_eq!(proof.methods, ["pwd"]);
        let expected = (proof.methods.clone(), proof.time);
        let who = node.call(&caller, WhoAmIRequest {}).await.unwrap();
        assert_eq!((who.methods, Micros::of(&who.auth_time)), expected);
        let ask = IntrospectTokenRequest { token };
        let found = node.call(&node.admin(), ask).await.unwrap();
        assert_eq!((found.methods, Micros::of(&found.auth_time)), expected);
    }
}

both! {
    async fn whoever_comes_and_goes_costs_nobody_else_a_look(node: Node) {
        let ada = person(&node, "ada").await;
        let hers = open(&node, "ada").await;
        let looks = async || {
            let reads = || node.inner().store().metrics().reads.load(SeqCst);
            let before = reads();
            bearer(&node, &hers).await.unwrap();
            reads() - before
        };
        // The first answers are for the node to learn what they rest on, and to note the use.
        for _ in 0..3 {
            looks().await;
        }
        assert_eq!(looks().await, 0, "an answer is kept");
        let bob = person(&node, "bob").await;
        let (his, other) = (open(&node, "bob").await, open(&node, "bob").await);
        let caller = bearer(&node, &his).await.unwrap();
        bearer(&node, &other).await.unwrap();
        node.call(&caller, SignOutRequest {}).await.unwrap();
        node.call(&node.admin(), RevokeAllSessionsRequest { user_id: bob.clone(), ..Default::default() }).await.unwrap();
        node.call(&node.admin(), DisableUserRequest { id: bob }).await.unwrap();
        assert_eq!(looks().await, 0, "what bob does is nothing to ada");
        grant(&node, &ada, "clerk", &["orders.read"]).await;
        assert_eq!(looks().await, 1, "what she may is");
        assert_eq!(looks().await, 0);
        node.call(&node.admin(), DisableUserRequest { id: ada }).await.unwrap();
        invalid(bearer(&node, &hers).await);
    }
}
