//! Passwords: sign-in, its limits, and changes.

use futures::future::join_all;
use futures::lock::Mutex;
use stoa_auth_v1::{
    Account, AccountBy, ChangePasswordRequest, CheckPasswordRequest, FindPasswordRequest,
    NewSession, RecordAttemptRequest, RecordAttemptRequestThen, SetPasswordRequest,
};
use stoa_kit::{Code, Result, Service};
use stoa_testkit::{Node, both};
use stoa_users_v1::{DisableUserRequest, EnableUserRequest};

use crate::{MINUTE, PASSWORD, bearer, create, fails, person, sign_in, sign_in_from};

fn services() -> Vec<Service> {
    crate::services()
}

/// An address that nobody used before.
fn address(n: usize) -> String {
    format!("198.51.{}.{}:4000", n / 250, n % 250)
}

async fn fail(node: &Node, login: &str, times: usize, address: &str) {
    for _ in 0..times {
        let outcome = sign_in_from(node, address, login, "wrong").await;
        fails(outcome, Code::Unauthenticated, "auth.wrong_credentials");
    }
}

/// Strangers guess from as many networks as it takes; nobody hashes here what they guess.
async fn guess_from_everywhere(node: &Node, login: &str, times: usize) {
    for n in 0..times {
        let request = RecordAttemptRequest {
            account: Account { by: Some(AccountBy::Login(login.into())) }.into(),
            address: address(n / 5),
            matched_hash: String::new(),
            then: Some(RecordAttemptRequestThen::Session(NewSession::default())),
        };
        let attempt = node.call(&node.system(), request).await;
        fails(attempt, Code::Unauthenticated, "auth.wrong_credentials");
    }
}

both! {
    async fn the_password_opens_a_session(node: Node) {
        let ada = person(&node, "ada").await;
        for login in ["ada", "ADA", " ada@example.com ", "Ada@Example.com"] {
            let reply = sign_in(&node, login, PASSWORD).await.unwrap();
            assert!(reply.token.starts_with("stoa_s_") && reply.token.len() == 76);
            assert_eq!((&*reply.session.user_id, &*reply.session.label), (&*ada, "laptop"));
            let caller = bearer(&node, &reply.token).await.unwrap();
            assert_eq!(caller.user(), Some(&*ada));
            assert_eq!(*caller.credential, reply.session.id);
        }
    }
}

both! {
    async fn a_wrong_password_and_an_unknown_account_are_answered_alike(node: Node) {
        person(&node, "ada").await;
        create(&node, "nopassword").await;
        let wrong = sign_in(&node, "ada", "wrong").await.err().unwrap();
        for (login, password) in
            [("eve", PASSWORD), ("eve@example.com", PASSWORD), ("nopassword", PASSWORD), ("ada", "x")]
        {
            let other = sign_in(&node, login, password).await.err().unwrap();
            assert_eq!(format!("{other:?}"), format!("{wrong:?}"));
            assert_eq!(other.next(), wrong.next());
        }
        assert_eq!(wrong.code(), Code::Unauthenticated);
    }
}

both! {
    async fn an_account_costs_as_many_hashes_as_none(node: Node) {
        // The counter is the process's: twins in one process take turns.
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().await;
        person(&node, "ada").await;
        create(&node, "nopassword").await;
        let mut counts = Vec::new();
        for (login, password) in [
            ("ada", PASSWORD),
            ("ada", "wrong"),
            ("eve", PASSWORD),
            ("eve@example.com", "wrong"),
            ("nopassword", "wrong"),
        ] {
            let before = stoa_auth::hashes();
            let _ = sign_in(&node, login, password).await;
            counts.push(stoa_auth::hashes() - before);
        }
        assert_eq!(counts, [1; 5]);
    }
}

both! {
    async fn ten_failures_lock_an_account_in_their_network_until_the_window_ends(node: Node) {
        person(&node, "ada").await;
        for (n, login) in ["ada", "nobody"].into_iter().enumerate() {
            fail(&node, login, 10, &address(n)).await;
            for password in ["wrong", PASSWORD] {
                let outcome = sign_in_from(&node, &address(n), login, password).await;
                let error = fails(outcome, Code::ResourceExhausted, "auth.too_many_attempts");
                let wait = error.retry_after().unwrap();
                assert_eq!(wait.as_secs_f64().round(), 15.0 * 60.0);
            }
        }
        sign_in(&node, "ada", PASSWORD).await.unwrap();
        node.advance(14 * MINUTE).await;
        let outcome = sign_in_from(&node, &address(0), "ada", PASSWORD).await;
        fails(outcome, Code::ResourceExhausted, "auth.too_many_attempts");
        node.advance(2 * MINUTE).await;
        sign_in_from(&node, &address(0), "ada", PASSWORD).await.unwrap();
        let outcome = sign_in_from(&node, &address(1), "nobody", "x").await;
        fails(outcome, Code::Unauthenticated, "auth.wrong_credentials");
    }
}

both! {
    async fn every_spelling_of_an_account_counts_for_it(node: Node) {
        person(&node, "ada").await;
        for login in ["ada", "ADA", "ada@example.com", " Ada@Example.COM ", "aDa"] {
            fail(&node, login, 2, &address(0)).await;
        }
        let outcome = sign_in_from(&node, &address(0), "ada", PASSWORD).await;
        fails(outcome, Code::ResourceExhausted, "auth.too_many_attempts");
        // No other rule makes letters small: U+212A is no k.
        fail(&node, "\u{212a}", 10, &address(1)).await;
        let outcome = sign_in_from(&node, &address(1), "k", "wrong").await;
        fails(outcome, Code::Unauthenticated, "auth.wrong_credentials");
    }
}

both! {
    async fn strangers_lock_nobody_out_of_where_they_usually_are(node: Node) {
        person(&node, "ada").await;
        sign_in_from(&node, "203.0.113.7", "ada", PASSWORD).await.unwrap();
        guess_from_everywhere(&node, "ada", 100).await;
        let outcome = sign_in_from(&node, "203.0.113.99", "ada", PASSWORD).await;
        let error = fails(outcome, Code::ResourceExhausted, "auth.too_many_attempts");
        assert_eq!(error.retry_after().unwrap().as_secs_f64().round(), 24.0 * 3_600.0);
        sign_in_from(&node, "203.0.113.7", "ada", PASSWORD).await.unwrap();
        node.advance(24 * 60 * MINUTE).await;
        sign_in_from(&node, "203.0.113.99", "ada", PASSWORD).await.unwrap();
    }
}

both! {
    async fn a_key_does_not_hide_guesses(node: Node) {
        let ada = person(&node, "ada").await;
        let caller = node.user(&ada);
        let change = async |current: &str| {
            let request = ChangePasswordRequest {
                current_password: current.into(),
                new_password: "another horse entirely".into(),
            };
            node.call_with_key(&caller, "one-key", request).await
        };
        for n in 0..10 {
            let outcome = change(&format!("guess {}", n / 2)).await;
            fails(outcome, Code::Unauthenticated, "auth.wrong_credentials");
        }
        fails(change(PASSWORD).await, Code::ResourceExhausted, "auth.too_many_attempts");
        node.advance(16 * MINUTE).await;
        change(PASSWORD).await.unwrap();
    }
}

both! {
    async fn the_right_password_forgives_the_wrong_ones_before(node: Node) {
        person(&node, "ada").await;
        for _ in 0..3 {
            fail(&node, "ada", 9, &address(0)).await;
            sign_in_from(&node, &address(0), "ada", PASSWORD).await.unwrap();
        }
    }
}

both! {
    async fn attempts_that_come_at_once_do_not_slip_past_the_limit(node: Node) {
        person(&node, "ada").await;
        let attempts = (0..30).map(|_| {
            let node = node.clone();
            async move { sign_in_from(&node, &address(0), "ada", "wrong").await }
        });
        let outcomes = join_all(attempts).await;
        let count = |reason: &str| {
            let errors = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
            errors.filter(|error| error.reason() == reason).count()
        };
        assert_eq!((count("auth.wrong_credentials"), count("auth.too_many_attempts")), (10, 20));
    }
}

both! {
    async fn fifty_failures_lock_an_address_and_no_other(node: Node) {
        person(&node, "ada").await;
        let there = |n: usize| format!("[2001:db8:0:7::{n:x}]:4000");
        for n in 0..50 {
            let outcome = sign_in_from(&node, &there(n), &format!("guess{n}"), "wrong").await;
            fails(outcome, Code::Unauthenticated, "auth.wrong_credentials");
        }
        let outcome = sign_in_from(&node, &there(99), "ada", PASSWORD).await;
        fails(outcome, Code::ResourceExhausted, "auth.too_many_attempts");
        sign_in_from(&node, "2001:db8:0:8::1", "ada", PASSWORD).await.unwrap();
        node.advance(16 * MINUTE).await;
        sign_in_from(&node, &there(99), "ada", PASSWORD).await.unwrap();
    }
}

both! {
    async fn what_was_typed_is_counted_and_not_kept(node: Node) {
        fail(&node, "my-secret-by-mistake", 1, &address(0)).await;
        let kept = node.kept().await;
        assert!(kept.holds(b"login:"), "the attempt is committed though the call failed");
        assert!(!kept.holds(b"my-secret-by-mistake"));
        assert!(!kept.holds(b"198.51.0.0"));
        node.advance(25 * 60 * MINUTE).await;
        assert!(!node.kept().await.holds(b"login:"), "the timer deletes what is over");
    }
}

both! {
    async fn a_disabled_user_is_told_so_only_after_the_password(node: Node) {
        let id = person(&node, "ada").await;
        node.call(&node.admin(), DisableUserRequest { id: id.clone() }).await.unwrap();
        fails(sign_in(&node, "ada", "wrong").await, Code::Unauthenticated, "auth.wrong_credentials");
        fails(sign_in(&node, "ada", PASSWORD).await, Code::PermissionDenied, "auth.user_disabled");
        node.call(&node.admin(), EnableUserRequest { id }).await.unwrap();
        sign_in(&node, "ada", PASSWORD).await.unwrap();
    }
}

both! {
    async fn changing_a_password_takes_the_one_before_and_ends_other_sessions(node: Node) {
        person(&node, "ada").await;
        let (here, there) = (
            sign_in(&node, "ada", PASSWORD).await.unwrap().token,
            sign_in(&node, "ada", PASSWORD).await.unwrap().token,
        );
        let caller = bearer(&node, &here).await.unwrap();
        bearer(&node, &there).await.unwrap();
        let change = |current: &str| ChangePasswordRequest {
            current_password: current.into(),
            new_password: "another horse entirely".into(),
        };
        let outcome = node.call(&caller, change("wrong")).await;
        fails(outcome, Code::Unauthenticated, "auth.wrong_credentials");
        node.call(&caller, change(PASSWORD)).await.unwrap();
        bearer(&node, &here).await.unwrap();
        fails(bearer(&node, &there).await, Code::Unauthenticated, "auth.token_invalid");
        assert!(sign_in(&node, "ada", PASSWORD).await.is_err());
        sign_in(&node, "ada", "another horse entirely").await.unwrap();

        for _ in 0..10 {
            let _ = node.call(&caller, change("wrong")).await;
        }
        let outcome = node.call(&caller, change("another horse entirely")).await;
        fails(outcome, Code::ResourceExhausted, "auth.too_many_attempts");
        let account = node.account_with("svc_1", &[]);
        let outcome = node.call(&account, change(PASSWORD)).await;
        fails(outcome, Code::PermissionDenied, "auth.not_yours");
    }
}

both! {
    async fn nobody_sets_the_password_of_somebody_who_may_more(node: Node) {
        let (clerk, chief) = (person(&node, "clerk").await, person(&node, "chief").await);
        crate::grant(&node, &chief, "chief", &["orders.*"]).await;
        let set = |user: &str| SetPasswordRequest {
            user_id: user.into(),
            password: "quite another one".into(),
        };
        let desk = node.user_with("usr_desk", &["auth.passwords.set", "orders.orders.list"]);
        fails(node.call(&desk, set(&chief)).await, Code::PermissionDenied, "auth.escalation");
        fails(node.call(&desk, set("usr_none")).await, Code::NotFound, "resource.not_found");
        let token = sign_in(&node, "clerk", PASSWORD).await.unwrap().token;
        bearer(&node, &token).await.unwrap();
        node.call(&desk, set(&clerk)).await.unwrap();
        fails(bearer(&node, &token).await, Code::Unauthenticated, "auth.token_invalid");
        sign_in(&node, "clerk", "quite another one").await.unwrap();
        let head = node.user_with("usr_head", &["auth.*", "orders.*"]);
        let outcome: Result<_> = node.call(&head, set(&chief)).await;
        outcome.unwrap();
    }
}

both! {
    async fn what_a_password_is_worth_is_told_before_it_is_set_and_kept_nowhere(node: Node) {
        let check = async |password: &str| {
            let request = CheckPasswordRequest { password: password.into() };
            node.call(&node.nobody(), request).await
        };
        let short = check("short").await.unwrap_err();
        assert_eq!(short.code(), Code::InvalidArgument);
        assert_eq!(short.violations()[0].path, "password");
        let guessed = check("password1234").await.unwrap();
        assert!(guessed.score <= 1 && !guessed.warning.is_empty(), "{guessed:?}");
        let long = check(&"seven zebras hum ".repeat(15)).await.unwrap();
        assert_eq!(long.score, 4);
        assert!(!node.kept().await.holds(b"password1234"));
    }
}

both! {
    async fn a_password_that_was_changed_while_it_was_hashed_opens_nothing(node: Node) {
        let user_id = person(&node, "ada").await;
        let account = Account { by: Some(AccountBy::Login("ada".into())) };
        let find = FindPasswordRequest { account: account.clone().into(), address: String::new() };
        let before = node.call(&node.system(), find).await.unwrap().password_hash;
        let attempt = || RecordAttemptRequest {
            account: account.clone().into(),
            matched_hash: before.clone(),
            then: Some(RecordAttemptRequestThen::Session(NewSession::default())),
            ..RecordAttemptRequest::default()
        };
        assert!(node.call(&node.system(), attempt()).await.unwrap().session.is_set());
        let set = SetPasswordRequest { user_id, password: "another horse entirely".into() };
        node.call(&node.admin(), set).await.unwrap();
        let refused = node.call(&node.system(), attempt()).await;
        fails(refused, Code::Unauthenticated, "auth.wrong_credentials");
    }
}
