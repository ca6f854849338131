//! Tokens, through its contract.

#![cfg(test)]

#[path = "it/model.rs"]
mod model;
#[path = "it/race.rs"]
mod race;

use std::time::Duration;

use futures::future::join_all;
use stoa_kit::{Caller, Result, Service};
use stoa_testkit::{Node, both};
use stoa_tokens_v1::*;

const MINUTE: Duration = Duration::from_secs(60);

fn services() -> Vec<Service> {
    vec![stoa_tokens::service()]
}

stoa_testkit::compliance!(stoa_tokens::service, services);

/// Asks for a token that verifies an address.
fn link(subject: &str) -> IssueTokenRequest {
    IssueTokenRequest {
        purpose: "users.verify_email".into(),
        subject: subject.into(),
        audience: "web".into(),
        payload: format!("{subject}@example.com"),
        ..IssueTokenRequest::default()
    }
}

fn code(subject: &str) -> IssueTokenRequest {
    IssueTokenRequest { code_digits: 6, ..link(subject) }
}

async fn issue(node: &Node, request: IssueTokenRequest) -> IssueTokenResponse {
    node.call(&node.admin(), request).await.unwrap()
}

/// What spends a token.
fn spending(issued: &IssueTokenResponse) -> ConsumeTokenRequest {
    let Token { id, purpose, audience, guesses_left, .. } = (*issued.token).clone();
    let id = if guesses_left > 0 { id } else { String::new() };
    ConsumeTokenRequest { secret: issued.secret.clone(), purpose, audience, id }
}

/// A guess that is wrong.
fn guess(issued: &IssueTokenResponse) -> ConsumeTokenRequest {
    let secret = if issued.secret == "000000" { "000001" } else { "000000" };
    ConsumeTokenRequest { secret: secret.into(), ..spending(issued) }
}

async fn spend(node: &Node, request: ConsumeTokenRequest) -> Result<Token> {
    node.call(&node.admin(), request).await.map(|reply| (*reply.token).clone())
}

both! {
    async fn whatever_a_token_is_no_good_for_looks_the_same_and_spends_nothing(node: Node) {
        let issued = issue(&node, link("ada")).await;
        let good = spending(&issued);
        let unknown = ConsumeTokenRequest { secret: "none".into(), ..good.clone() };
        let unknown = spend(&node, unknown).await.unwrap_err();
        assert_eq!(unknown.reason(), "tokens.not_good");
        let same = async |caller: &Caller, request: ConsumeTokenRequest| {
            let ConsumeTokenRequest { secret, purpose, audience, .. } = request.clone();
            let peek = PeekTokenRequest { secret, purpose, audience };
            for error in [node.fails(caller, request).await, node.fails(caller, peek).await] {
                assert_eq!(format!("{error:?}"), format!("{unknown:?}"));
            }
        };
        let all = ["tokens.tokens.consume", "tokens.tokens.peek"];
        same(&node.account_with("svc_other", &all), good.clone()).await;
        same(&node.admin(), ConsumeTokenRequest { purpose: "users".into(), ..good.clone() }).await;
        same(&node.admin(), ConsumeTokenRequest { audience: String::new(), ..good.clone() }).await;
        let token = spend(&node, good.clone()).await.unwrap();
        assert_eq!((&*token.subject, &*token.payload), ("ada", "ada@example.com"));
        same(&node.admin(), good).await;

        let expired = issue(&node, link("ada")).await;
        node.advance(14 * MINUTE).await;
        let replaced = issue(&node, link("eve")).await;
        node.advance(2 * MINUTE).await;
        same(&node.admin(), spending(&expired)).await;
        let newer = issue(&node, link("eve")).await;
        same(&node.admin(), spending(&replaced)).await;
        let revoke = RevokeTokensRequest { subject: "eve".into(), purpose: String::new() };
        assert_eq!(node.call(&node.admin(), revoke).await.unwrap().revoked, 1);
        same(&node.admin(), spending(&newer)).await;
        let causes = node.events::<TokenRevoked>().await.into_iter().map(|event| event.cause);
        assert!(causes.eq([Cause::Replaced, Cause::Revoked]));
        assert_eq!(node.events::<TokenConsumed>().await.len(), 1);
    }
}

both! {
    async fn five_wrong_guesses_end_a_code_however_they_come(node: Node) {
        let one = issue(&node, code("ada")).await;
        let elsewhere = ConsumeTokenRequest { audience: "app".into(), ..guess(&one) };
        for _ in 0..9 {
            spend(&node, elsewhere.clone()).await.unwrap_err();
        }
        for _ in 0..4 {
            let again = node.call_with_key(&node.admin(), "one-key", guess(&one)).await;
            assert_eq!(again.unwrap_err().reason(), "tokens.not_good");
        }
        spend(&node, spending(&one)).await.unwrap();

        let other = issue(&node, code("ada")).await;
        let guesses = (0..64).map(|_| spend(&node, guess(&other)));
        assert!(join_all(guesses).await.iter().all(Result::is_err));
        spend(&node, spending(&other)).await.unwrap_err();
        let ended = node.events::<TokenRevoked>().await;
        assert_eq!(ended.len(), 1, "the sixth guess is at nothing");
        assert_eq!((&ended[0].token_id, ended[0].cause), (&other.token.id, Cause::Guessed.into()));
    }
}

both! {
    async fn what_is_kept_cannot_be_spent(node: Node) {
        let mut secrets = Vec::new();
        for digits in [0, 10] {
            let request = IssueTokenRequest { code_digits: digits, ..link("canary-of-a-payload") };
            let issued = issue(&node, request.clone()).await;
            let again = node.call_with_key(&node.admin(), &digits.to_string(), request).await;
            secrets.extend([issued, again.unwrap()].map(|issued| issued.secret));
            secrets.push("canary-of-a-payload@example.com".into());
            node.settle().await;
        }
        assert_eq!((secrets[0].len(), secrets[3].len()), (71, 10));
        let on_disk = node.first_on_disk(secrets.iter().map(String::as_bytes)).await;
        assert_eq!(on_disk, None);
    }
}

both! {
    async fn expired_tokens_go_within_the_hour(node: Node) {
        for n in 0..300 {
            issue(&node, link(&n.to_string())).await;
        }
        node.advance(16 * MINUTE).await;
        assert!(node.kept().await.holds(b"users.verify_email"));
        let last = issue(&node, IssueTokenRequest { ttl_seconds: 9_000, ..link("last") }).await;
        node.advance(61 * MINUTE).await;
        let left = node.call(&node.admin(), ListTokensRequest::default()).await.unwrap().tokens;
        assert_eq!(left, [(*last.token).clone()]);
    }
}
