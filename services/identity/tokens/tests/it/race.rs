//! Many want one token, and the node dies while they do.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join, join_all};
use stoa_kit::{Code, Service};
use stoa_testkit::{Node, both};
use stoa_tokens_v1::ConsumeTokenRequest;

use crate::{issue, link, spending};

const CALLERS: usize = 64;
const TOKENS: usize = 1_000;
const DEATHS: usize = 4;
/// Callers who want the same token.
const RIVALS: usize = 4;

fn services() -> Vec<Service> {
    crate::services()
}

/// A caller and the token they are about, by their places.
type Use = (usize, usize);

/// Everybody spends what they want, under keys of their own: what they got, and that of which a node
/// that died told nothing.
async fn race(
    node: &Node, tokens: &[ConsumeTokenRequest], wanted: Vec<Use>,
) -> (Vec<Use>, Vec<Use>) {
    let one = async |caller: usize| {
        let (mut got, mut unsure) = (Vec::new(), Vec::new());
        let account = node.account_with(&format!("svc_{caller}"), &["tokens.tokens.*"]);
        for wanted in wanted.iter().filter(|wanted| wanted.0 == caller) {
            let request = tokens[wanted.1].clone();
            match node.call_with_key(&account, &format!("key-{}", wanted.1), request).await {
                Ok(_) => got.push(*wanted),
                Err(error) if error.code() == Code::Unavailable => unsure.push(*wanted),
                Err(error) => assert_eq!(error.reason(), "tokens.not_good", "{error:?}"),
            }
        }
        (got, unsure)
    };
    let outcomes = join_all((0..CALLERS).map(one)).await;
    let (got, unsure): (Vec<_>, Vec<_>) = outcomes.into_iter().unzip();
    (got.concat(), unsure.concat())
}

both! {
    async fn a_token_is_spent_once_whoever_wants_it_and_whatever_dies(node: Node) {
        let tokens = (0..TOKENS).map(|place| issue(&node, link(&place.to_string())));
        let tokens: Vec<_> = join_all(tokens).await.iter().map(spending).collect();
        let (mut node, mut spent) = (node, BTreeMap::<usize, BTreeSet<usize>>::new());
        for death in 0..DEATHS {
            let places = death * TOKENS / DEATHS..(death + 1) * TOKENS / DEATHS;
            let rivals = |place| (0..RIVALS).map(move |rival| ((place + rival) % CALLERS, place));
            let first = race(&node, &tokens, places.flat_map(rivals).collect());
            let dies = async {
                for n in 0..5 {
                    issue(&node, link(&format!("meanwhile {n}"))).await;
                }
                node.crash(services()).await
            };
            let ((got, unsure), next) = join(first, dies).await;
            assert!(!got.is_empty() && !unsure.is_empty(), "it dies while they want");
            node = next;
            // Whoever was told nothing asks again, under the same key: what was spent is theirs.
            let (later, unsure) = race(&node, &tokens, unsure).await;
            assert!(unsure.is_empty());
            for (caller, place) in got.into_iter().chain(later) {
                spent.entry(place).or_default().insert(caller);
            }
        }
        let once = spent.values().filter(|callers| callers.len() == 1).count();
        assert_eq!((spent.len(), once), (TOKENS, TOKENS));
    }
}
