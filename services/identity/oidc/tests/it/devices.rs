//! Devices that have no browser.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_kit::Service;
use stoa_oidc_v1::{ClientType, CreateClientRequest};
use stoa_testkit::{Node, both};

use crate::world::*;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn services() -> Vec<Service> {
    crate::services()
}

async fn television(node: &Node) -> App {
    open(node).await;
    let request = CreateClientRequest {
        name: "Television".into(),
        r#type: ClientType::Public.into(),
        redirect_uris: Vec::new(),
        grant_types: vec![GRANT.into(), "refresh_token".into()],
        ..shop()
    };
    app(node, request).await
}

async fn begin(node: &Node, app: &App) -> Value {
    ask(node, app, "device_authorization", &[("scope", "openid profile")]).await.ok()
}

async fn poll(node: &Node, app: &App, begun: &Value) -> Answer {
    let code = begun["device_code"].as_str().unwrap();
    ask(node, app, "token", &[("grant_type", GRANT), ("device_code", code)]).await
}

/// What somebody says on the page of a device.
async fn decide(node: &Node, session: &str, user_code: &str, decision: &str) -> Answer {
    let path = format!("/oauth2/device?user_code={user_code}");
    let page = browse(node, session, &path).await;
    assert_eq!(page.status, 200, "{page:?}");
    let (page, code) = (page.field("page"), page.field("user_code"));
    let fields = [("page", &*page), ("user_code", &code), ("decision", decision)];
    submit(node, session, "/oauth2/device", &fields).await
}

both! {
    async fn a_device_is_let_in_once_by_whoever_types_its_code(node: Node) {
        let (app, ada) = (television(&node).await, person(&node, "ada").await);
        let begun = begin(&node, &app).await;
        assert_eq!(begun["verification_uri"], format!("{ISSUER}/oauth2/device"));
        assert_eq!(begun["interval"], 5);
        poll(&node, &app, &begun).await.fails("authorization_pending");
        let code = begun["user_code"].as_str().unwrap();
        // As people type it.
        let typed = code.to_lowercase().replace('-', "+");
        assert_eq!(decide(&node, &ada.session, &typed, "allow").await.status, 200);
        let tokens = poll(&node, &app, &begun).await.ok();
        let says = claims(&node, tokens["id_token"].as_str().unwrap()).await;
        assert_eq!((&says["sub"], &says["sid"]), (&json!(ada.id), &json!(ada.session_id)));
        refresh(&node, &app, tokens["refresh_token"].as_str().unwrap()).await.ok();
        poll(&node, &app, &begun).await.fails("invalid_grant");
        let again = browse(&node, &ada.session, &format!("/oauth2/device?user_code={code}")).await;
        assert_eq!(again.status, 404);
    }
}

both! {
    async fn only_who_asks_too_fast_is_slowed_down_and_nobody_starves(node: Node) {
        let (app, ada) = (television(&node).await, person(&node, "ada").await);
        let begun = begin(&node, &app).await;
        for _ in 0..5 {
            poll(&node, &app, &begun).await.fails("authorization_pending");
            node.advance(Duration::from_millis(4_900)).await;
        }
        poll(&node, &app, &begun).await.fails("authorization_pending");
        for _ in 0..3 {
            node.advance(Duration::from_secs(1)).await;
            poll(&node, &app, &begun).await.fails("slow_down");
        }
        // What came too fast does not count: the next one in time is heard.
        node.advance(Duration::from_secs(2)).await;
        poll(&node, &app, &begun).await.fails("authorization_pending");
        decide(&node, &ada.session, begun["user_code"].as_str().unwrap(), "allow").await;
        poll(&node, &app, &begun).await.ok();
    }
}

both! {
    async fn a_device_that_is_refused_or_late_is_not_let_in(node: Node) {
        let (app, ada) = (television(&node).await, person(&node, "ada").await);
        let other = television(&node).await;
        let begun = begin(&node, &app).await;
        decide(&node, &ada.session, begun["user_code"].as_str().unwrap(), "deny").await;
        poll(&node, &other, &begun).await.fails("invalid_grant");
        poll(&node, &app, &begun).await.fails("access_denied");
        poll(&node, &app, &begun).await.fails("invalid_grant");
        let late = begin(&node, &app).await;
        node.advance(Duration::from_secs(15 * 60)).await;
        poll(&node, &app, &late).await.fails("expired_token");
        let path = format!("/oauth2/device?user_code={}", late["user_code"].as_str().unwrap());
        assert_eq!(browse(&node, &ada.session, &path).await.status, 404);
        ask(&node, &app, "device_authorization", &[("scope", "openid admin")]).await.fails("invalid_scope");
        let shop = crate::world::app(&node, shop()).await;
        let refused = ask(&node, &shop, "device_authorization", &[("scope", "openid")]).await;
        refused.fails("unauthorized_client");
    }
}

both! {
    async fn codes_of_devices_are_not_guessed_and_no_page_of_another_lets_one_in(node: Node) {
        let (app, ada, eve) =
            (television(&node).await, person(&node, "ada").await, person(&node, "eve").await);
        let begun = begin(&node, &app).await;
        let code = begun["user_code"].as_str().unwrap();
        let path = format!("/oauth2/device?user_code={code}");
        let theirs = browse(&node, &eve.session, &path).await.field("page");
        for page in ["", &*theirs] {
            let fields = [("page", page), ("user_code", code), ("decision", "allow")];
            assert_eq!(submit(&node, &ada.session, "/oauth2/device", &fields).await.status, 403);
        }
        poll(&node, &app, &begun).await.fails("authorization_pending");
        assert!(browse(&node, "", &path).await.header("location").starts_with("/sign-in"));
        for guess in 0..10 {
            let guess = format!("/oauth2/device?user_code=BCDF-GHJ{}", char::from(b'K' + guess));
            assert_eq!(browse(&node, &eve.session, &guess).await.status, 404);
        }
        assert_eq!(browse(&node, &eve.session, &path).await.status, 429);
        assert_eq!(browse(&node, &ada.session, &path).await.status, 200);
        node.advance(Duration::from_secs(3_600)).await;
        let begun = begin(&node, &app).await;
        assert!(decide(&node, &eve.session, begun["user_code"].as_str().unwrap(), "allow").await.status == 200);
    }
}
