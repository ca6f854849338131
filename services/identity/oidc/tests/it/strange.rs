//! Whatever is sent is answered or refused, and never by a fault; and no answer leaves for an address that
//! is nobody's.

use stoa_kit::Service;
use stoa_testkit::both;
use stoa_testkit::fuzz::{self, Random};

use url::Url;

use crate::world::*;

fn services() -> Vec<Service> {
    crate::services()
}

const PATHS: [&str; 14] = [
    "/oauth2/authorize",
    "/oauth2/consent",
    "/oauth2/token",
    "/oauth2/introspect",
    "/oauth2/revoke",
    "/oauth2/userinfo",
    "/oauth2/register",
    "/oauth2/device_authorization",
    "/oauth2/device",
    "/oauth2/end_session",
    "/oauth2/signed_out",
    "/oauth2/jwks",
    "/.well-known/openid-configuration",
    "/oauth2/nothing",
];
const NAMES: [&str; 24] = [
    "client_id",
    "client_secret",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "grant_type",
    "code",
    "code_verifier",
    "refresh_token",
    "device_code",
    "user_code",
    "token",
    "id_token_hint",
    "post_logout_redirect_uri",
    "page",
    "decision",
    "signed_in_after",
    "response_mode",
];
const TYPES: [&str; 3] =
    ["application/x-www-form-urlencoded", "application/json", "multipart/form-data"];

both! {
    async fn whatever_comes_is_answered_or_refused(node: Node) {
        open(&node).await;
        set(&node, "registration_open", true.into()).await;
        let (ada, shop) = (person(&node, "ada").await, app(&node, shop()).await);
        let tokens = tokens(&node, &ada.session, &shop).await;
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        let values = [
            shop.client.id.clone(), shop.secret.clone(), BACK.into(), "code".into(), "openid".into(),
            CHALLENGE.into(), "S256".into(), VERIFIER.into(), "authorization_code".into(),
            "refresh_token".into(), "urn:ietf:params:oauth:grant-type:device_code".into(),
            text("access_token"), text("refresh_token"), text("id_token"), "none".into(),
            "login".into(), "allow".into(), "-1".into(), "99999999999999999999".into(),
            "https://evil.example/".into(), "\u{0}\u{feff}\u{202e}".into(), "<script>".into(),
            "stoa_oc_fam_x.00".into(), "stoa_oa_a.b.c.d".into(), ".".into(), String::new(),
        ];
        let mut random = Random::new(fuzz::seed());
        for _ in 0..fuzz::cases(150) {
            let mut pairs = Vec::new();
            for _ in 0..random.below(8) {
                pairs.push((*random.one(&NAMES), random.one(&values).as_str()));
            }
            let mut sent = form(&pairs).into_bytes();
            if random.below(4) == 0 {
                fuzz::bytes(&mut random, &mut sent);
            }
            let sent = String::from_utf8_lossy(&sent).into_owned();
            let (path, verb) = (*random.one(&PATHS), *random.one(&["GET", "POST", "PUT"]));
            let plain = |byte: &u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(byte);
            let query: String = sent.bytes().filter(|byte| plain(byte)).map(char::from).collect();
            let in_address = random.below(2) == 0;
            let path = if in_address { format!("{path}?{query}") } else { path.to_owned() };
            let cookie = format!("stoa_session={}", random.one(&[&*ada.session, "", "x"]));
            let basic = format!("Basic {}", random.one(&values).replace(|byte: char| !byte.is_ascii_graphic(), ""));
            let headers = [
                ("cookie", &*cookie),
                ("content-type", *random.one(&TYPES)),
                ("authorization", &*basic),
            ];
            let headers = &headers[..2 + random.below(2)];
            let body = if in_address { String::new() } else { sent };
            let answer = send(&node, verb, &path, headers, body).await;
            assert!(answer.status.as_u16() < 500, "{verb} {path}: {answer:?}");
            let sent = Url::parse(ISSUER).unwrap().join(answer.header("location")).unwrap();
            let known = ["id.example", "shop.example"].map(Some);
            assert!(known.contains(&sent.host_str()), "{verb} {path}: {answer:?}");
            assert!(!answer.text.contains("<script>"), "{verb} {path}: {answer:?}");
        }
    }
}
