//! Who applications are, and what they may be.

use stoa_kit::{Code, Service};
use stoa_oidc_v1::*;
use stoa_testkit::both;

use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn no_address_is_registered_that_others_could_read_or_run(node: Node) {
        for (address, may) in [
            ("https://shop.example/signed-in", true),
            ("https://shop.example/signed-in?tenant=1", true),
            ("http://127.0.0.1:8080/", true),
            ("http://[::1]/", true),
            ("http://localhost/x", true),
            ("com.example.app:/signed-in", true),
            ("http://shop.example/", false),
            ("http://localhost.evil.example/", false),
            ("https://shop.example/#x", false),
            ("https://ada:secret@shop.example/", false),
            ("https://shop.example/a b", false),
            ("https://shop.example\\@evil.example/", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("file:///etc/passwd", false),
            ("shop:/signed-in", false),
            ("/signed-in", false),
            ("https:", false),
        ] {
            let request = CreateClientRequest { redirect_uris: vec![address.into()], ..shop() };
            let outcome = node.call(&node.admin(), request).await;
            assert_eq!(outcome.is_ok(), may, "{address}: {outcome:?}");
            if let Err(error) = outcome {
                assert_eq!(error.violations()[0].path, "redirect_uris[0]");
            }
        }
    }
}

both! {
    async fn what_has_no_secret_is_not_asked_for_one_and_does_less(node: Node) {
        let public = |request: CreateClientRequest| CreateClientRequest {
            r#type: ClientType::Public.into(),
            ..request
        };
        let error = node.fails(&node.admin(), public(CreateClientRequest {
            grant_types: vec!["client_credentials".into()],
            ..shop()
        })).await;
        assert_eq!(error.violations()[0].path, "grant_types");
        let error = node.fails(&node.admin(), public(CreateClientRequest {
            introspects_all: true,
            ..shop()
        })).await;
        assert_eq!(error.violations()[0].path, "introspects_all");
        let game = app(&node, public(shop())).await;
        let rotate = RotateClientSecretRequest { id: game.client.id.clone() };
        assert_eq!(node.fails(&node.admin(), rotate).await.code(), Code::InvalidArgument);
    }
}

both! {
    async fn another_secret_is_good_at_once_and_the_old_one_no_more(node: Node) {
        open(&node).await;
        let (ada, mut shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let tokens = tokens(&node, &ada.session, &shop).await;
        let rotate = RotateClientSecretRequest { id: shop.client.id.clone() };
        let secret = node.call(&node.admin(), rotate).await.unwrap().secret;
        let token = tokens["refresh_token"].as_str().unwrap();
        refresh(&node, &shop, token).await.fails("invalid_client");
        shop.secret = secret;
        refresh(&node, &shop, token).await.ok();
    }
}

both! {
    async fn with_an_application_all_goes_that_it_had(node: Node) {
        open(&node).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let server = CreateClientRequest { introspects_all: true, ..crate::world::shop() };
        let server = app(&node, server).await;
        let tokens = tokens(&node, &ada.session, &shop).await;
        let delete = DeleteClientRequest { id: shop.client.id.clone() };
        node.call(&node.admin(), delete).await.unwrap();
        assert!(!is_active(&node, &server, &tokens["access_token"]).await);
        let sent = browse(&node, &ada.session, &asking(&shop, &[])).await;
        assert_eq!(sent.status, 400);
        let grants = node.call(&node.user(&ada.id), ListGrantsRequest::default()).await.unwrap();
        assert!(grants.grants.is_empty());
    }
}

both! {
    async fn who_is_erased_leaves_nothing_here(node: Node) {
        open(&node).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let tokens = tokens(&node, &ada.session, &shop).await;
        let erase = serde_json::json!({"subject": ada.id});
        node.ask(&node.admin(), "EraseSubject", erase).await.unwrap();
        node.settle().await;
        assert!(!is_active(&node, &shop, &tokens["access_token"]).await);
        let grants = node.call(&node.admin(), ListGrantsRequest::default()).await.unwrap();
        assert!(grants.grants.is_empty());
    }
}
