//! Keys that sign, and the lists of them that others keep.

use std::time::Duration;

use serde_json::Value;
use stoa_kit::Service;
use stoa_oidc_v1::{
    CreateClientRequest, ListSigningKeysRequest, RotateSigningKeyRequest, SigningAlgorithm,
};
use stoa_testkit::both;
use stoa_testkit::fuzz::cases;

use crate::world::*;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn services() -> Vec<Service> {
    crate::services()
}

fn kid(token: &Value) -> String {
    jsonwebtoken::decode_header(token["id_token"].as_str().unwrap()).unwrap().kid.unwrap()
}

both! {
    async fn a_key_is_published_for_an_hour_before_it_signs_and_until_its_last_token_ends(node: Node) {
        open(&node).await;
        set(&node, "key_life_days", 400.into()).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let first = kid(&tokens(&node, &ada.session, &shop).await);
        let rotate = RotateSigningKeyRequest { algorithm: SigningAlgorithm::Es256.into() };
        let next = node.call(&node.admin(), rotate).await.unwrap().signing_key.id.clone();
        let kept = published(&node).await;
        assert!(kept.iter().any(|key| key["kid"] == *next), "it is published at once");
        let listed = send(&node, "GET", "/oauth2/jwks", &[], String::new()).await;
        assert_eq!(listed.header("cache-control"), "public, max-age=3600");
        node.advance(HOUR - Duration::from_secs(1)).await;
        let signed = tokens(&node, &ada.session, &shop).await;
        assert_eq!(kid(&signed), first);
        node.advance(Duration::from_secs(2)).await;
        let later = tokens(&node, &ada.session, &shop).await;
        assert_eq!(kid(&later), next);
        // A list of an hour ago does, for both.
        for tokens in [&signed, &later] {
            assert!(verified(&kept, tokens["id_token"].as_str().unwrap()).is_some());
        }
        node.advance(DAY - HOUR).await;
        assert!(published(&node).await.iter().any(|key| key["kid"] == *first));
        node.advance(3 * HOUR).await;
        let left = published(&node).await;
        assert_eq!((left.len(), &left[0]["kid"]), (1, &Value::from(next)));
    }
}

both! {
    async fn keys_follow_one_another_by_themselves(node: Node) {
        open(&node).await;
        set(&node, "key_life_days", 30.into()).await;
        let shop = app(&node, shop()).await;
        node.settle().await;
        assert_eq!(published(&node).await.len(), 1);
        node.advance(29 * DAY).await;
        assert_eq!(published(&node).await.len(), 1);
        node.advance(DAY + HOUR).await;
        node.settle().await;
        assert_eq!(published(&node).await.len(), 2);
        node.advance(2 * DAY).await;
        assert_eq!(published(&node).await.len(), 1);
        let (ada, other) = (person(&node, "ada").await, app(&node, crate::world::shop()).await);
        assert_eq!(published(&node).await.len(), 1, "there is one that signs");
        tokens(&node, &ada.session, &shop).await;
        tokens(&node, &ada.session, &other).await;
    }
}

both! {
    async fn nobody_is_turned_away_while_keys_are_rotated(node: Node) {
        open(&node).await;
        let ada = person(&node, "ada").await;
        let shop = app(&node, CreateClientRequest { first_party: true, ..shop() }).await;
        // What a client keeps for an hour.
        let (mut kept, mut age) = (published(&node).await, 0);
        let mut keys = std::collections::BTreeSet::new();
        let sign_ins = cases(20);
        for turn in 0..sign_ins {
            if turn % 5 == 2 {
                let rotate = RotateSigningKeyRequest { algorithm: SigningAlgorithm::Es256.into() };
                node.call(&node.admin(), rotate).await.unwrap();
            }
            if age >= 60 {
                (kept, age) = (published(&node).await, 0);
            }
            let tokens = tokens(&node, &ada.session, &shop).await;
            let token = tokens["id_token"].as_str().unwrap();
            assert!(verified(&kept, token).is_some(), "turn {turn}");
            keys.insert(kid(&tokens));
            node.inner().authenticate(&ada.session).await.unwrap();
            node.advance(Duration::from_secs(19 * 60)).await;
            age += 19;
        }
        assert!(keys.len() >= sign_ins / 6, "{keys:?}");
    }
}

both! {
    async fn rs256_is_what_clients_get_who_say_nothing(node: Node) {
        open(&node).await;
        let request = CreateClientRequest { id_token_algorithm: Default::default(), ..shop() };
        let (ada, shop) = (person(&node, "ada").await, app(&node, request).await);
        let tokens = tokens(&node, &ada.session, &shop).await;
        let token = tokens["id_token"].as_str().unwrap();
        assert_eq!(jsonwebtoken::decode_header(token).unwrap().alg, jsonwebtoken::Algorithm::RS256);
        assert_eq!(claims(&node, token).await["sub"], ada.id);
        let keys = node.call(&node.admin(), ListSigningKeysRequest::default()).await.unwrap();
        assert!(keys.signing_keys.iter().all(|key| !key.public_jwk.contains("\"d\"")));
    }
}
