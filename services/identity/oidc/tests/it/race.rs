//! Many use one code, and many one refresh token.

use std::collections::BTreeSet;

use futures::future::join_all;
use stoa_kit::Service;
use stoa_testkit::both;

use crate::world::*;

const RIVALS: usize = 64;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn of_64_who_use_a_code_one_gets_tokens(node: Node) {
        open(&node).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let code = code(&node, &ada.session, &shop).await;
        let all = join_all((0..RIVALS).map(|_| exchange(&node, &shop, &code))).await;
        let (good, bad): (Vec<_>, Vec<_>) = all.into_iter().partition(|answer| answer.status == 200);
        assert_eq!((good.len(), bad.len()), (1, RIVALS - 1));
        for answer in bad {
            answer.fails("invalid_grant");
        }
        assert!(!is_active(&node, &shop, &good[0].json()["access_token"]).await);
    }
}

both! {
    async fn of_64_who_use_a_refresh_token_all_get_the_same_successor(node: Node) {
        open(&node).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let tokens = tokens(&node, &ada.session, &shop).await;
        let token = tokens["refresh_token"].as_str().unwrap();
        let all = join_all((0..RIVALS).map(|_| refresh(&node, &shop, token))).await;
        let next: Vec<_> = all.into_iter().map(Answer::ok).collect();
        let different: BTreeSet<_> =
            next.iter().map(|next| next["refresh_token"].as_str().unwrap()).collect();
        assert_eq!(different.len(), 1);
        assert!(is_active(&node, &shop, &next[0]["refresh_token"]).await);
    }
}
