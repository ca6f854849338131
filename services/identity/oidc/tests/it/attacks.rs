//! What must not happen, whoever tries.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_kit::Service;
use stoa_oidc_v1::{ClientType, CreateClientRequest, TokenReused};
use stoa_testkit::both;
use stoa_users_v1::DisableUserRequest;

use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

both! {
    async fn an_address_that_is_not_registered_to_the_letter_is_sent_nothing(node: Node) {
        open(&node).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        for address in [
            "https://shop.example/signed-in/", "https://shop.example/signed-in?x=1",
            "https://shop.example/Signed-in", "https://SHOP.example/signed-in",
            "https://shop.example:443/signed-in", "http://shop.example/signed-in",
            "https://shop.example/signed-in#", "https://shop.example/./signed-in",
            "https://shop.example.evil.example/signed-in", "https://evil.example/",
            "https://shop.example/signed-in%00", "//shop.example/signed-in", "javascript:alert(1)", "",
        ] {
            // Also where something else is wrong, which would be told to the address.
            for wrong in [("scope", "openid"), ("scope", "all"), ("response_type", "token")] {
                let path = asking(&shop, &[("redirect_uri", address), wrong]);
                let answer = browse(&node, &ada.session, &path).await;
                assert_eq!((answer.status.as_u16(), answer.header("location")), (400, ""), "{address}");
            }
        }
        let twice = format!("{}&redirect_uri=https://evil.example/", asking(&shop, &[]));
        let answer = browse(&node, &ada.session, &twice).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (400, ""));
        let unknown = browse(&node, &ada.session, &asking(&shop, &[("client_id", "cli_x")])).await;
        assert_eq!((unknown.status.as_u16(), unknown.header("location")), (400, ""));
    }
}

both! {
    async fn no_code_without_a_challenge_that_hides_its_origin(node: Node) {
        open(&node).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        for but in [
            &[("code_challenge", "")][..],
            &[("code_challenge_method", "")],
            &[("code_challenge_method", "plain")],
            &[("code_challenge_method", "plain"), ("code_challenge", VERIFIER)],
            &[("code_challenge_method", "s256")],
            &[("code_challenge", "short")],
        ] {
            let sent = browse(&node, &ada.session, &asking(&shop, but)).await;
            assert_eq!(sent.sent("error"), "invalid_request", "{but:?}");
            assert_eq!(sent.sent("iss"), ISSUER);
        }
        for (but, error) in [
            (("response_type", "token"), "unsupported_response_type"),
            (("response_type", "code id_token"), "unsupported_response_type"),
            (("response_mode", "fragment"), "invalid_request"),
            (("scope", "openid admin"), "invalid_scope"),
            (("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported"),
            (("prompt", "none login"), "invalid_request"),
        ] {
            let sent = browse(&node, &ada.session, &asking(&shop, &[but])).await;
            assert_eq!(sent.sent("error"), error, "{but:?}");
        }
        let twice = format!("{}&scope=openid", asking(&shop, &[]));
        assert_eq!(browse(&node, &ada.session, &twice).await.sent("error"), "invalid_request");
    }
}

both! {
    async fn a_code_is_good_once_for_whom_and_where_it_was_sent(node: Node) {
        open(&node).await;
        let (ada, shop, other) =
            (person(&node, "ada").await, app(&node, shop()).await, app(&node, shop()).await);
        let trade = async |app: &App, code: &str, redirect_uri: &str, code_verifier: &str| {
            let fields = [("grant_type", "authorization_code"), ("code", code),
                ("redirect_uri", redirect_uri), ("code_verifier", code_verifier)];
            ask(&node, app, "token", &fields).await
        };
        // Another application has nothing of it, and takes nothing away.
        let first = code(&node, &ada.session, &shop).await;
        trade(&other, &first, BACK, VERIFIER).await.fails("invalid_grant");
        trade(&shop, &first, BACK, VERIFIER).await.ok();
        // Who does not know its origin does not try twice.
        for (address, verifier) in [
            (BACK, ""), (BACK, CHALLENGE), (BACK, &VERIFIER[1..]), (BACK, &VERIFIER.to_lowercase()),
            ("https://shop.example/", VERIFIER), ("", VERIFIER),
        ] {
            let stolen = code(&node, &ada.session, &shop).await;
            trade(&shop, &stolen, address, verifier).await.fails("invalid_grant");
            trade(&shop, &stolen, BACK, VERIFIER).await.fails("invalid_grant");
        }
        let late = code(&node, &ada.session, &shop).await;
        let forged = format!("{}0", &late[..late.len() - 1]);
        let forged = if forged == late { format!("{}1", &late[..late.len() - 1]) } else { forged };
        trade(&shop, &forged, BACK, VERIFIER).await.fails("invalid_grant");
        node.advance(Duration::from_secs(61)).await;
        trade(&shop, &late, BACK, VERIFIER).await.fails("invalid_grant");
        // A token is no code.
        let tokens = tokens(&node, &ada.session, &shop).await;
        for token in ["access_token", "refresh_token"] {
            let token = tokens[token].as_str().unwrap();
            trade(&shop, token, BACK, VERIFIER).await.fails("invalid_grant");
        }
    }
}

both! {
    async fn a_code_that_comes_again_ends_its_tokens(node: Node) {
        open(&node).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let code = code(&node, &ada.session, &shop).await;
        let tokens = exchange(&node, &shop, &code).await.ok();
        let next = refresh(&node, &shop, tokens["refresh_token"].as_str().unwrap()).await.ok();
        node.advance(Duration::from_secs(300)).await;
        exchange(&node, &shop, &code).await.fails("invalid_grant");
        for token in [&tokens["access_token"], &next["access_token"], &next["refresh_token"]] {
            assert!(!is_active(&node, &shop, token).await);
        }
        let reused: Vec<TokenReused> = node.events().await;
        assert_eq!((reused.len(), &reused[0].user_id), (1, &ada.id));
    }
}

both! {
    async fn a_refresh_token_has_one_successor_and_its_thief_is_found_out(node: Node) {
        open(&node).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let text = |tokens: &Value| tokens["refresh_token"].as_str().unwrap().to_owned();
        let first = text(&tokens(&node, &ada.session, &shop).await);
        let second = refresh(&node, &shop, &first).await.ok();
        // An answer was lost: the same again, to the letter.
        node.advance(Duration::from_secs(9)).await;
        let again = refresh(&node, &shop, &first).await.ok();
        for name in ["access_token", "refresh_token"] {
            assert_eq!(again[name], second[name]);
        }
        // Its successor has been used: whoever has the first stole it.
        let third = refresh(&node, &shop, &text(&second)).await.ok();
        refresh(&node, &shop, &first).await.fails("invalid_grant");
        refresh(&node, &shop, &text(&third)).await.fails("invalid_grant");
        assert!(!is_active(&node, &shop, &third["access_token"]).await);

        // Later than an answer can be lost.
        let first = text(&tokens(&node, &ada.session, &shop).await);
        let second = refresh(&node, &shop, &first).await.ok();
        node.advance(Duration::from_secs(11)).await;
        refresh(&node, &shop, &first).await.fails("invalid_grant");
        refresh(&node, &shop, &text(&second)).await.fails("invalid_grant");
    }
}

both! {
    async fn who_refreshes_gets_no_more_than_was_granted(node: Node) {
        open(&node).await;
        let (ada, shop, other) =
            (person(&node, "ada").await, app(&node, shop()).await, app(&node, shop()).await);
        let tokens = tokens(&node, &ada.session, &shop).await;
        let token = tokens["refresh_token"].as_str().unwrap();
        let with = async |app: &App, scope: &str| {
            let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
            ask(&node, app, "token", &fields).await
        };
        with(&shop, "openid offline_access").await.fails("invalid_scope");
        with(&other, "openid").await.fails("invalid_grant");
        let less = with(&shop, "email").await.ok();
        assert_eq!((&less["scope"], less.get("id_token")), (&json!("email"), None));
        let access = format!("Bearer {}", less["access_token"].as_str().unwrap());
        let who = send(&node, "GET", "/oauth2/userinfo", &[("authorization", &access)], String::new()).await;
        assert_eq!(who.status, 403, "{who:?}");
        // The tokens of one application are nothing to another.
        assert!(!is_active(&node, &other, &less["access_token"]).await);
        let token = ("token", less["access_token"].as_str().unwrap());
        ask(&node, &other, "revoke", &[token]).await.fails("unauthorized_client");
        assert!(is_active(&node, &shop, &less["access_token"]).await);
        let server = CreateClientRequest { introspects_all: true, ..shop_of("Server") };
        assert!(is_active(&node, &app(&node, server).await, &less["access_token"]).await);
    }
}

fn shop_of(name: &str) -> CreateClientRequest {
    CreateClientRequest { name: name.into(), ..shop() }
}

both! {
    async fn an_application_is_nobody_without_its_own_secret(node: Node) {
        open(&node).await;
        let (ada, mut shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let public = CreateClientRequest { r#type: ClientType::Public.into(), ..shop_of("Game") };
        let mut game = app(&node, public).await;
        assert_eq!(game.secret, "");
        let (of_shop, of_game) =
            (code(&node, &ada.session, &shop).await, code(&node, &ada.session, &game).await);
        let secret = std::mem::take(&mut shop.secret);
        exchange(&node, &shop, &of_shop).await.fails("invalid_client");
        shop.secret = format!("{secret}0");
        exchange(&node, &shop, &of_shop).await.fails("invalid_client");
        game.secret.clone_from(&secret);
        exchange(&node, &game, &of_game).await.fails("invalid_client");
        (shop.secret, game.secret) = (secret, String::new());
        let tokens = exchange(&node, &shop, &of_shop).await.ok();
        exchange(&node, &game, &of_game).await.ok();
        let token = ("token", tokens["access_token"].as_str().unwrap());
        ask(&node, &game, "introspect", &[token]).await.fails("invalid_client");
        // Twice is once too often, and in an address everybody reads it.
        let basic = [("authorization", "Basic eDp5")];
        let twice = form(&[("client_id", "x"), ("client_secret", "z"), ("grant_type", "refresh_token")]);
        send(&node, "POST", "/oauth2/token", &basic, twice).await.fails("invalid_request");
        let path = format!("/oauth2/token?client_secret={}", shop.secret);
        let body = form(&[("client_id", &shop.client.id), ("grant_type", "refresh_token")]);
        send(&node, "POST", &path, &[], body).await.fails("invalid_request");
        let twice = "grant_type=refresh_token&grant_type=authorization_code&client_id=x".to_owned();
        send(&node, "POST", "/oauth2/token", &[], twice).await.fails("invalid_request");
    }
}

both! {
    async fn nothing_is_granted_by_a_page_of_somebody_else(node: Node) {
        open(&node).await;
        let (ada, eve, shop) =
            (person(&node, "ada").await, person(&node, "eve").await, app(&node, shop()).await);
        let page = browse(&node, &eve.session, &asking(&shop, &[])).await;
        let (theirs, action) = (page.field("page"), page.action());
        for page in ["", "00", &*theirs] {
            let fields = [("page", page), ("decision", "allow")];
            let answer = submit(&node, &ada.session, &action, &fields).await;
            assert_eq!((answer.status.as_u16(), answer.header("location")), (403, ""));
        }
        // A page that was made for less grants no more.
        let page = browse(&node, &ada.session, &asking(&shop, &[("scope", "openid")])).await;
        let fields = [("page", &*page.field("page")), ("decision", "allow")];
        let answer = submit(&node, &ada.session, &action, &fields).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (403, ""));
    }
}

both! {
    async fn who_is_disabled_is_refused_from_the_next_question_on(node: Node) {
        open(&node).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let tokens = tokens(&node, &ada.session, &shop).await;
        let code = code(&node, &ada.session, &shop).await;
        node.call(&node.admin(), DisableUserRequest { id: ada.id.clone() }).await.unwrap();
        assert!(!is_active(&node, &shop, &tokens["access_token"]).await);
        exchange(&node, &shop, &code).await.fails("invalid_grant");
        refresh(&node, &shop, tokens["refresh_token"].as_str().unwrap()).await.fails("invalid_grant");
        let sent = browse(&node, &ada.session, &asking(&shop, &[])).await;
        assert!(sent.header("location").starts_with("/sign-in"));
    }
}

both! {
    async fn the_database_holds_no_code_no_token_and_no_secret(node: Node) {
        open(&node).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let code = code(&node, &ada.session, &shop).await;
        let tokens = exchange(&node, &shop, &code).await.ok();
        refresh(&node, &shop, tokens["refresh_token"].as_str().unwrap()).await.ok();
        node.settle().await;
        // What nobody can make up of it: what stands behind the last dot, and the secret.
        let mut secrets: Vec<String> = vec![shop.secret.trim_start_matches("stoa_os_").to_owned()];
        for token in [&*code, tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap()] {
            secrets.push(token.rsplit_once('.').unwrap().1.to_owned());
        }
        let found = node.first_on_disk(secrets.iter().map(|secret| secret.as_bytes())).await;
        assert_eq!(found, None);
    }
}
