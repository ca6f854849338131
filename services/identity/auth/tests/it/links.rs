//! Links by mail: who they are sent to, and what they are never good for.

use futures::future::join_all;
use stoa_auth_v1::{
    ConfirmTotpRequest, EnrolTotpRequest, ForgetDeviceRequest, GetEmailVerificationRequest,
    ListDevicesRequest, ListFactorsRequest, RedeemEmail, RedeemRequest, RedeemRequestThen,
    RedeemResponse, RedeemSignIn, RequestEmailVerificationRequest, RequestMagicLinkRequest,
    RequestPasswordResetRequest,
};
use stoa_kit::{Code, Result, Service};
use stoa_notify_v1::ListInboxRequest;
use stoa_testkit::{Node, both};
use stoa_tokens_v1::PeekTokenRequest;
use stoa_users_v1::{DisableUserRequest, UpdateUserRequest};

use crate::{MINUTE, PASSWORD, bearer, code, create, fails, person, secret, sign_in, sign_in_from};

fn services() -> Vec<Service> {
    crate::services()
}

async fn ask_for_sign_in(node: &Node, login: &str) -> Result<()> {
    let request = RequestMagicLinkRequest { login: login.into() };
    node.call_from("192.0.2.9", &node.nobody(), request).await.map(|_| ())
}

async fn ask_for_password(node: &Node, login: &str) {
    let request = RequestPasswordResetRequest { login: login.into() };
    node.call_from("192.0.2.9", &node.nobody(), request).await.unwrap();
}

/// The secret of the link that was sent last, to whom, after `word=`.
fn last_link(node: &Node, to: &str, word: &str) -> String {
    let mail = node.sent().into_iter().rev().find(|mail| mail.to == to).expect("no mail");
    let start = mail.text.find("http://localhost:8080/#").expect("no link");
    let link = mail.text[start..].split_whitespace().next().unwrap();
    let (_, secret) = link.split_once('#').unwrap();
    secret.strip_prefix(&format!("{word}=")).expect("for something else").to_owned()
}

async fn redeem(node: &Node, secret: &str, then: RedeemRequestThen) -> Result<RedeemResponse> {
    let request = RedeemRequest { secret: secret.into(), then: Some(then) };
    node.call_from("192.0.2.1", &node.nobody(), request).await
}

fn signing_in() -> RedeemRequestThen {
    RedeemSignIn { label: "telephone".into() }.into()
}

fn new_password() -> RedeemRequestThen {
    RedeemRequestThen::NewPassword("another horse entirely".into())
}

both! {
    async fn a_link_signs_in_once(node: Node) {
        create(&node, "ada").await;
        ask_for_sign_in(&node, "ADA@example.com").await.unwrap();
        node.settle().await;
        let secret = last_link(&node, "ada@example.com", "signIn");
        // To look at it spends nothing, as the page does that asks whether to go on.
        let peek = PeekTokenRequest {
            secret: secret.clone(), purpose: "auth.sign_in".into(), ..Default::default()
        };
        for _ in 0..3 {
            node.call(&node.system(), peek.clone()).await.unwrap();
        }
        let opened = redeem(&node, &secret, signing_in()).await.unwrap();
        let caller = bearer(&node, &opened.token).await.unwrap();
        let proof = caller.proof.clone().unwrap();
        assert_eq!((&*proof.methods, proof.full), (&["link".to_owned()][..], false));
        let again = redeem(&node, &secret, signing_in()).await;
        fails(again, Code::Unauthenticated, "auth.link_not_good");
        assert!(node.call(&caller, ListFactorsRequest {}).await.unwrap().email_verified);
    }
}

both! {
    async fn of_64_posts_of_one_link_one_opens_a_session(node: Node) {
        create(&node, "ada").await;
        ask_for_sign_in(&node, "ada").await.unwrap();
        node.settle().await;
        let secret = last_link(&node, "ada@example.com", "signIn");
        let outcomes = join_all((0..64).map(|_| redeem(&node, &secret, signing_in()))).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    }
}

both! {
    async fn asking_for_a_link_tells_nobody_who_has_an_account(node: Node) {
        person(&node, "ada").await;
        let work = async |login: &str| {
            let (hashes, before) = (stoa_auth::hashes(), rows(&node).await);
            ask_for_sign_in(&node, login).await.unwrap();
            let (commits, written) = rows(&node).await;
            (stoa_auth::hashes() - hashes, commits - before.0, written - before.1)
        };
        let known = work("ada").await;
        assert_eq!(work("nobody-at-all").await, known, "hashes, commits, rows");
        assert!(node.sent().is_empty(), "nothing is sent while somebody waits");
        node.settle().await;
        let sent = node.sent();
        assert_eq!((sent.len(), sent[0].to.as_str()), (1, "ada@example.com"));
        assert!(!node.kept().await.holds(b"nobody-at-all"));
        for login in ["ada", "nobody-at-all"] {
            for _ in 0..4 {
                ask_for_sign_in(&node, login).await.unwrap();
            }
            let refused = ask_for_sign_in(&node, login).await;
            fails(refused, Code::ResourceExhausted, "auth.too_many_attempts");
        }
    }
}

/// Commits of the node, and what waits to be sent.
async fn rows(node: &Node) -> (i64, i64) {
    let commits = node.rows::<(i64,)>("SELECT COUNT(*) FROM stoa_commit").await[0].0;
    let links = node.rows::<(i64,)>("SELECT COUNT(*) FROM auth_link").await[0].0;
    (commits, links)
}

both! {
    async fn a_link_is_good_for_what_it_was_sent_for_alone_and_until_the_next(node: Node) {
        let ada = person(&node, "ada").await;
        ask_for_sign_in(&node, "ada").await.unwrap();
        node.settle().await;
        let first = last_link(&node, "ada@example.com", "signIn");
        for then in [new_password(), RedeemEmail {}.into()] {
            let outcome = redeem(&node, &first, then).await;
            fails(outcome, Code::Unauthenticated, "auth.link_not_good");
        }
        ask_for_sign_in(&node, "ada").await.unwrap();
        node.settle().await;
        let outcome = redeem(&node, &first, signing_in()).await;
        fails(outcome, Code::Unauthenticated, "auth.link_not_good");
        let second = last_link(&node, "ada@example.com", "signIn");
        let moved = UpdateUserRequest {
            id: ada.clone(), email: "ada@example.technology".into(), ..Default::default()
        };
        node.call(&node.admin(), moved).await.unwrap();
        let outcome = redeem(&node, &second, signing_in()).await;
        fails(outcome, Code::Unauthenticated, "auth.link_not_good");
        ask_for_sign_in(&node, "ada@example.technology").await.unwrap();
        node.settle().await;
        let third = last_link(&node, "ada@example.technology", "signIn");
        node.advance(16 * MINUTE).await;
        let outcome = redeem(&node, &third, signing_in()).await;
        fails(outcome, Code::Unauthenticated, "auth.link_not_good");
        node.call(&node.admin(), DisableUserRequest { id: ada }).await.unwrap();
        let sent = node.sent().len();
        ask_for_sign_in(&node, "ada").await.unwrap();
        node.settle().await;
        assert_eq!(node.sent().len(), sent, "nothing is sent to who is disabled");
    }
}

both! {
    async fn another_password_by_link_ends_all_sessions_and_skips_no_second_factor(node: Node) {
        person(&node, "ada").await;
        let token = sign_in(&node, "ada", PASSWORD).await.unwrap().token;
        let caller = bearer(&node, &token).await.unwrap();
        let enrolled = node.call(&caller, EnrolTotpRequest {}).await.unwrap();
        let key = secret(&enrolled.secret);
        let confirm = ConfirmTotpRequest { code: code(&key, node.now()) };
        node.call(&caller, confirm).await.unwrap();
        ask_for_password(&node, "ada").await;
        node.settle().await;
        let link = last_link(&node, "ada@example.com", "newPassword");
        let short = redeem(&node, &link, RedeemRequestThen::NewPassword("short".into())).await;
        assert_eq!(short.unwrap_err().code(), Code::InvalidArgument);
        let answer = redeem(&node, &link, new_password()).await.unwrap();
        assert_eq!(answer, RedeemResponse::default(), "whoever has it is not signed in");
        fails(bearer(&node, &token).await, Code::Unauthenticated, "auth.token_invalid");
        fails(sign_in(&node, "ada", PASSWORD).await, Code::Unauthenticated, "auth.wrong_credentials");
        let answer = sign_in(&node, "ada", "another horse entirely").await.unwrap();
        assert!(answer.token.is_empty() && answer.second_factor.is_set());
        ask_for_sign_in(&node, "ada").await.unwrap();
        node.settle().await;
        let link = last_link(&node, "ada@example.com", "signIn");
        let answer = redeem(&node, &link, signing_in()).await.unwrap();
        assert!(answer.token.is_empty() && answer.second_factor.is_set());
    }
}

both! {
    async fn an_address_is_verified_until_it_is_another(node: Node) {
        let ada = person(&node, "ada").await;
        let caller = node.user(&ada);
        let asked = GetEmailVerificationRequest { user_id: ada.clone() };
        let verified = async || node.call(&node.system(), asked.clone()).await.unwrap().verified;
        node.call(&caller, RequestEmailVerificationRequest {}).await.unwrap();
        node.settle().await;
        assert!(!verified().await);
        let link = last_link(&node, "ada@example.com", "email");
        redeem(&node, &link, RedeemEmail {}.into()).await.unwrap();
        assert!(verified().await);
        let moved = UpdateUserRequest {
            id: ada.clone(), email: "ada@example.org".into(), ..Default::default()
        };
        node.call(&node.admin(), moved).await.unwrap();
        assert!(!verified().await);
    }
}

both! {
    async fn a_link_stands_in_no_inbox_and_not_in_the_database(node: Node) {
        let ada = person(&node, "ada").await;
        ask_for_password(&node, "ada").await;
        node.settle().await;
        let link = last_link(&node, "ada@example.com", "newPassword");
        assert!(!node.kept().await.holds(link.as_bytes()));
        let inbox = node.call(&node.user(&ada), ListInboxRequest::default()).await.unwrap();
        assert!(inbox.notifications.is_empty());
    }
}

both! {
    async fn a_mail_server_that_is_away_gets_one_letter_in_the_end(node: Node) {
        person(&node, "ada").await;
        node.fail_mail(2);
        ask_for_sign_in(&node, "ada").await.unwrap();
        node.settle().await;
        node.advance(MINUTE).await;
        node.advance(MINUTE).await;
        assert_eq!(node.sent().len(), 1);
        let link = last_link(&node, "ada@example.com", "signIn");
        assert!(!redeem(&node, &link, signing_in()).await.unwrap().token.is_empty());
    }
}

both! {
    async fn a_new_network_is_told_of_and_forgotten_with_its_sessions(node: Node) {
        let ada = person(&node, "ada").await;
        let home = sign_in(&node, "ada", PASSWORD).await.unwrap().token;
        let told = async || {
            let inbox = node.call(&node.user(&ada), ListInboxRequest::default()).await.unwrap();
            inbox.notifications.iter().filter(|it| it.template == "auth.new_device").count()
        };
        sign_in(&node, "ada", PASSWORD).await.unwrap();
        assert_eq!(told().await, 0, "neither the first, nor one that is known");
        node.advance(MINUTE).await;
        let away = sign_in_from(&node, "203.0.113.5", "ada", PASSWORD).await.unwrap().token;
        assert_eq!(told().await, 1);
        let caller = bearer(&node, &home).await.unwrap();
        let devices = node.call(&caller, ListDevicesRequest {}).await.unwrap().devices;
        let seen: Vec<_> = devices.iter().map(|it| (it.current, it.sessions.len())).collect();
        assert_eq!(seen, [(false, 1), (true, 2)]);
        let forget = ForgetDeviceRequest { id: devices[0].id.clone() };
        let outcome = node.call(&node.user("usr_eve"), forget.clone()).await;
        fails(outcome, Code::NotFound, "resource.not_found");
        assert_eq!(node.call(&caller, forget).await.unwrap().revoked, 1);
        fails(bearer(&node, &away).await, Code::Unauthenticated, "auth.token_invalid");
        bearer(&node, &home).await.unwrap();
    }
}
