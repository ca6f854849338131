//! Codes and recovery codes: what they are asked for, and what they never do.

use std::time::Duration;

use futures::future::join_all;
use stoa_auth_v1::{
    ChangePasswordRequest, ConfirmTotpRequest, EnrolTotpRequest, GenerateRecoveryCodesRequest,
    ListFactorsRequest, RemoveTotpRequest, ResetFactorsRequest, SetPasswordRequest, StepUpRequest,
    StepUpRequestProof, VerifySecondFactorRequest, VerifySecondFactorRequestProof,
    VerifySecondFactorResponse, WhoAmIRequest,
};
use stoa_kit::{Caller, Code, Result, Service};
use stoa_testkit::{Node, both};
use stoa_users_v1::DisableUserRequest;

use crate::{MINUTE, PASSWORD, bearer, code, fails, person, secret, sign_in};

const STEP: Duration = Duration::from_secs(30);

fn services() -> Vec<Service> {
    crate::services()
}

/// Somebody who signed in, with a fresh proof.
async fn signed_in(node: &Node, login: &str) -> Caller {
    bearer(node, &sign_in(node, login, PASSWORD).await.unwrap().token).await.unwrap()
}

/// Sets codes up for somebody who signed in; gives their secret. A step passes, so that there is a code
/// that was not used.
async fn enrol(node: &Node, caller: &Caller) -> Vec<u8> {
    let enrolled = node.call(caller, EnrolTotpRequest {}).await.unwrap();
    let secret = secret(&enrolled.secret);
    confirm(node, caller, &secret).await.unwrap();
    node.advance(STEP).await;
    secret
}

async fn confirm(node: &Node, caller: &Caller, secret: &[u8]) -> Result<()> {
    let request = ConfirmTotpRequest { code: code(secret, node.now()) };
    node.call(caller, request).await.map(|_| ())
}

/// The ticket that a password is good for.
async fn ticket(node: &Node, login: &str) -> String {
    let answer = sign_in(node, login, PASSWORD).await.unwrap();
    assert!(answer.token.is_empty() && !answer.session.is_set(), "nothing is opened yet");
    answer.second_factor.ticket.clone()
}

async fn verify(
    node: &Node, ticket: &str, proof: VerifySecondFactorRequestProof,
) -> Result<VerifySecondFactorResponse> {
    let (ticket, label) = (ticket.to_owned(), "laptop".to_owned());
    let request = VerifySecondFactorRequest { ticket, label, proof: Some(proof) };
    node.call_from("192.0.2.1", &node.nobody(), request).await
}

async fn with_code(node: &Node, ticket: &str, code: &str) -> Result<VerifySecondFactorResponse> {
    verify(node, ticket, VerifySecondFactorRequestProof::Code(code.to_owned())).await
}

async fn with_recovery(
    node: &Node, ticket: &str, code: &str,
) -> Result<VerifySecondFactorResponse> {
    verify(node, ticket, VerifySecondFactorRequestProof::RecoveryCode(code.to_owned())).await
}

async fn step_up(node: &Node, caller: &Caller, proof: StepUpRequestProof) -> Result<()> {
    node.call(caller, StepUpRequest { proof: Some(proof) }).await.map(|_| ())
}

fn wrong(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

both! {
    async fn a_second_factor_stands_between_a_password_and_a_session(node: Node) {
        person(&node, "ada").await;
        let caller = signed_in(&node, "ada").await;
        let secret = enrol(&node, &caller).await;
        let ticket = ticket(&node, "ada").await;
        fails(bearer(&node, &ticket).await, Code::Unauthenticated, "auth.token_invalid");
        let opened = with_code(&node, &ticket, &code(&secret, node.now())).await.unwrap();
        let caller = bearer(&node, &opened.token).await.unwrap();
        assert!(caller.proof.as_ref().unwrap().full);
        let who = node.call(&caller, WhoAmIRequest {}).await.unwrap();
        assert_eq!(who.methods, ["pwd", "otp"]);
        assert_eq!(opened.session.label, "laptop");
        let factors = node.call(&caller, ListFactorsRequest {}).await.unwrap();
        assert!(factors.totp && factors.passkeys.is_empty());
    }
}

both! {
    async fn an_enrolment_that_was_not_confirmed_asks_nobody_for_a_code(node: Node) {
        person(&node, "ada").await;
        let caller = signed_in(&node, "ada").await;
        let enrolled = node.call(&caller, EnrolTotpRequest {}).await.unwrap();
        assert!(enrolled.uri.starts_with("otpauth://totp/Stoa:ada?secret="), "{}", enrolled.uri);
        assert!(!sign_in(&node, "ada", PASSWORD).await.unwrap().token.is_empty());
        let secret = secret(&enrolled.secret);
        let wrong = ConfirmTotpRequest { code: wrong(&code(&secret, node.now())) };
        fails(node.call(&caller, wrong).await, Code::Unauthenticated, "auth.wrong_code");
        assert!(!sign_in(&node, "ada", PASSWORD).await.unwrap().token.is_empty());
        confirm(&node, &caller, &secret).await.unwrap();
        ticket(&node, "ada").await;
    }
}

both! {
    async fn codes_stay_good_until_others_are_confirmed_in_their_place(node: Node) {
        person(&node, "ada").await;
        let caller = signed_in(&node, "ada").await;
        let first = enrol(&node, &caller).await;
        let caller = bearer(&node, &with_code(&node, &ticket(&node, "ada").await, &code(&first, node.now())).await.unwrap().token).await.unwrap();
        let second = secret(&node.call(&caller, EnrolTotpRequest {}).await.unwrap().secret);
        node.advance(STEP).await;
        with_code(&node, &ticket(&node, "ada").await, &code(&first, node.now())).await.unwrap();
        confirm(&node, &caller, &second).await.unwrap();
        node.advance(STEP).await;
        let held = ticket(&node, "ada").await;
        let outcome = with_code(&node, &held, &code(&first, node.now())).await;
        fails(outcome, Code::Unauthenticated, "auth.wrong_code");
        with_code(&node, &held, &code(&second, node.now())).await.unwrap();
    }
}

both! {
    async fn a_code_is_never_accepted_twice_nor_one_before_it(node: Node) {
        person(&node, "ada").await;
        let caller = signed_in(&node, "ada").await;
        let secret = secret(&node.call(&caller, EnrolTotpRequest {}).await.unwrap().secret);
        let confirming = code(&secret, node.now());
        confirm(&node, &caller, &secret).await.unwrap();
        let outcome = with_code(&node, &ticket(&node, "ada").await, &confirming).await;
        fails(outcome, Code::Unauthenticated, "auth.wrong_code");
        node.advance(2 * STEP).await;
        let (now, before) = (node.now(), node.now().before(STEP));
        with_code(&node, &ticket(&node, "ada").await, &code(&secret, now)).await.unwrap();
        for used in [code(&secret, now), code(&secret, before)] {
            let outcome = with_code(&node, &ticket(&node, "ada").await, &used).await;
            fails(outcome, Code::Unauthenticated, "auth.wrong_code");
        }
    }
}

both! {
    async fn of_64_posts_of_one_code_one_opens_a_session(node: Node) {
        person(&node, "ada").await;
        let secret = enrol(&node, &signed_in(&node, "ada").await).await;
        let mut tickets = Vec::new();
        for _ in 0..4 {
            tickets.push(ticket(&node, "ada").await);
        }
        let code = code(&secret, node.now());
        let posts = (0..64).map(|n| with_code(&node, &tickets[n % 4], &code));
        let outcomes = join_all(posts).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    }
}

both! {
    async fn of_64_posts_of_one_recovery_code_one_opens_a_session(node: Node) {
        person(&node, "ada").await;
        let caller = signed_in(&node, "ada").await;
        enrol(&node, &caller).await;
        let caller = stepped_up(&node, &caller).await;
        let codes = node.call(&caller, GenerateRecoveryCodesRequest {}).await.unwrap().codes;
        let mut tickets = Vec::new();
        for _ in 0..4 {
            tickets.push(ticket(&node, "ada").await);
        }
        let posts = (0..64).map(|n| with_recovery(&node, &tickets[n % 4], &codes[0]));
        let outcomes = join_all(posts).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for outcome in outcomes.into_iter().filter(Result::is_err) {
            assert_eq!(outcome.unwrap_err().code(), Code::Unauthenticated);
        }
        let left = node.call(&caller, ListFactorsRequest {}).await.unwrap().recovery_codes_left;
        assert_eq!((codes.len(), left), (10, 9));
    }
}

/// The same caller as the node finds them now.
async fn stepped_up(node: &Node, caller: &Caller) -> Caller {
    let session = node.call(caller, WhoAmIRequest {}).await.unwrap();
    let time = stoa_kit::Micros::of(&session.auth_time);
    let proof = stoa_kit::Proof { methods: session.methods, time, full: true };
    Caller { proof: Some(std::sync::Arc::new(proof)), ..caller.clone() }
}

both! {
    async fn a_ticket_opens_no_session_of_anybody_else_and_none_twice(node: Node) {
        person(&node, "ada").await;
        person(&node, "eve").await;
        let ada = enrol(&node, &signed_in(&node, "ada").await).await;
        let eve = enrol(&node, &signed_in(&node, "eve").await).await;
        let held = ticket(&node, "ada").await;
        let outcome = with_code(&node, &held, &code(&eve, node.now())).await;
        fails(outcome, Code::Unauthenticated, "auth.wrong_code");
        with_code(&node, &held, &code(&ada, node.now())).await.unwrap();
        node.advance(STEP).await;
        let outcome = with_code(&node, &held, &code(&ada, node.now())).await;
        fails(outcome, Code::Unauthenticated, "auth.ticket_not_good");
        let late = ticket(&node, "ada").await;
        node.advance(5 * MINUTE).await;
        let outcome = with_code(&node, &late, &code(&ada, node.now())).await;
        fails(outcome, Code::Unauthenticated, "auth.ticket_not_good");
    }
}

both! {
    async fn wrong_codes_of_who_has_no_password_keep_nobody_out(node: Node) {
        person(&node, "ada").await;
        let secret = enrol(&node, &signed_in(&node, "ada").await).await;
        for _ in 0..20 {
            let outcome = with_code(&node, "stoa_f_main_00", "000000").await;
            fails(outcome, Code::Unauthenticated, "auth.ticket_not_good");
        }
        let held = ticket(&node, "ada").await;
        with_code(&node, &held, &code(&secret, node.now())).await.unwrap();
    }
}

both! {
    async fn wrong_codes_end_guessing_and_leave_recovery_codes_good(node: Node) {
        person(&node, "ada").await;
        let caller = signed_in(&node, "ada").await;
        let secret = enrol(&node, &caller).await;
        let caller = stepped_up(&node, &caller).await;
        let codes = node.call(&caller, GenerateRecoveryCodesRequest {}).await.unwrap().codes;
        let right = code(&secret, node.now());
        let held = ticket(&node, "ada").await;
        // All at once: what is counted is counted in the commit that decides.
        let other = wrong(&right);
        let guesses = join_all((0..12).map(|_| with_code(&node, &held, &other))).await;
        let refused = guesses.into_iter().map(|outcome| outcome.unwrap_err().reason().to_owned());
        assert_eq!(refused.filter(|reason| reason == "auth.wrong_code").count(), 5);
        let outcome = with_code(&node, &held, &right).await;
        fails(outcome, Code::ResourceExhausted, "auth.too_many_attempts");
        let typed = format!(" {} ", codes[0].to_uppercase().replace('-', " "));
        let outcome = with_recovery(&node, &held, "00000-00000-00000-00000-000000").await;
        fails(outcome, Code::Unauthenticated, "auth.wrong_code");
        let opened = with_recovery(&node, &held, &typed).await.unwrap();
        let caller = bearer(&node, &opened.token).await.unwrap();
        assert_eq!(caller.proof.as_ref().unwrap().methods, ["pwd", "recovery"]);
        // Whoever lost the program comes back to one.
        node.call(&caller, EnrolTotpRequest {}).await.unwrap();
    }
}

both! {
    async fn what_an_open_session_must_not_do_takes_a_step_up_of_that_session(node: Node) {
        person(&node, "ada").await;
        let caller = signed_in(&node, "ada").await;
        let secret = enrol(&node, &caller).await;
        let ticket_of = ticket(&node, "ada").await;
        let token = with_code(&node, &ticket_of, &code(&secret, node.now())).await.unwrap().token;
        let other = ticket(&node, "ada").await;
        node.advance(STEP).await;
        let second = with_code(&node, &other, &code(&secret, node.now())).await.unwrap().token;
        node.advance(11 * MINUTE).await;
        let here = bearer(&node, &token).await.unwrap();
        let there = bearer(&node, &second).await.unwrap();
        let denied = |outcome| fails(outcome, Code::PermissionDenied, "auth.step_up_required");
        denied(node.call(&here, EnrolTotpRequest {}).await.map(|_| ()));
        denied(node.call(&here, RemoveTotpRequest {}).await.map(|_| ()));
        denied(node.call(&here, GenerateRecoveryCodesRequest {}).await.map(|_| ()));
        let password = StepUpRequestProof::Password(PASSWORD.into());
        let outcome = step_up(&node, &here, password).await;
        fails(outcome, Code::FailedPrecondition, "auth.second_factor_needed");
        let proof = StepUpRequestProof::Code(code(&secret, node.now()));
        step_up(&node, &here, proof).await.unwrap();
        let here = bearer(&node, &token).await.unwrap();
        denied(node.call(&there, RemoveTotpRequest {}).await.map(|_| ()));
        let there = bearer(&node, &second).await.unwrap();
        denied(node.call(&there, RemoveTotpRequest {}).await.map(|_| ()));
        node.call(&here, RemoveTotpRequest {}).await.unwrap();
        assert!(!sign_in(&node, "ada", PASSWORD).await.unwrap().token.is_empty());
    }
}

both! {
    async fn a_session_of_a_password_alone_is_no_proof_once_there_is_a_second_factor(node: Node) {
        person(&node, "ada").await;
        let before = sign_in(&node, "ada", PASSWORD).await.unwrap().token;
        assert!(bearer(&node, &before).await.unwrap().proof.unwrap().full);
        enrol(&node, &signed_in(&node, "ada").await).await;
        let caller = bearer(&node, &before).await.unwrap();
        let outcome = node.call(&caller, RemoveTotpRequest {}).await;
        fails(outcome, Code::PermissionDenied, "auth.step_up_required");
    }
}

both! {
    async fn who_has_no_second_factor_steps_up_by_the_password(node: Node) {
        person(&node, "ada").await;
        let token = sign_in(&node, "ada", PASSWORD).await.unwrap().token;
        node.advance(11 * MINUTE).await;
        let caller = bearer(&node, &token).await.unwrap();
        let outcome = node.call(&caller, EnrolTotpRequest {}).await;
        fails(outcome, Code::PermissionDenied, "auth.step_up_required");
        let outcome = step_up(&node, &caller, StepUpRequestProof::Password("wrong".into())).await;
        fails(outcome, Code::Unauthenticated, "auth.wrong_credentials");
        let outcome = step_up(&node, &caller, StepUpRequestProof::Code("000000".into())).await;
        fails(outcome, Code::FailedPrecondition, "auth.no_factor");
        step_up(&node, &caller, StepUpRequestProof::Password(PASSWORD.into())).await.unwrap();
        let caller = bearer(&node, &token).await.unwrap();
        node.call(&caller, EnrolTotpRequest {}).await.unwrap();
        let key = Caller { proof: None, ..caller };
        let outcome = node.call(&key, EnrolTotpRequest {}).await;
        let error = fails(outcome, Code::PermissionDenied, "auth.step_up_required");
        assert!(error.next().contains("StepUp"), "{error:?}");
    }
}

both! {
    async fn another_password_takes_back_what_was_given_for_the_one_before(node: Node) {
        let ada = person(&node, "ada").await;
        let caller = signed_in(&node, "ada").await;
        let secret = enrol(&node, &caller).await;
        let held = ticket(&node, "ada").await;
        let change = ChangePasswordRequest {
            current_password: PASSWORD.into(),
            new_password: "another horse entirely".into(),
        };
        node.call(&caller, change).await.unwrap();
        let outcome = with_code(&node, &held, &code(&secret, node.now())).await;
        fails(outcome, Code::Unauthenticated, "auth.ticket_not_good");
        let set = SetPasswordRequest { user_id: ada.clone(), password: PASSWORD.into() };
        node.call(&node.admin(), set).await.unwrap();
        let held = ticket(&node, "ada").await;
        node.call(&node.admin(), DisableUserRequest { id: ada }).await.unwrap();
        let outcome = with_code(&node, &held, &code(&secret, node.now())).await;
        fails(outcome, Code::PermissionDenied, "auth.user_disabled");
    }
}

both! {
    async fn nobody_takes_the_factors_of_somebody_who_may_more(node: Node) {
        let ada = person(&node, "ada").await;
        crate::grant(&node, &ada, "chief", &["orders.*"]).await;
        let caller = signed_in(&node, "ada").await;
        enrol(&node, &caller).await;
        let reset = ResetFactorsRequest { user_id: ada.clone() };
        let desk = node.user_with("usr_desk", &["auth.factors.reset"]);
        fails(node.call(&desk, reset.clone()).await, Code::PermissionDenied, "auth.escalation");
        ticket(&node, "ada").await;
        node.call(&node.admin(), reset).await.unwrap();
        assert!(!sign_in(&node, "ada", PASSWORD).await.unwrap().token.is_empty());
    }
}

both! {
    async fn what_proves_somebody_is_not_in_the_database(node: Node) {
        person(&node, "ada").await;
        let caller = signed_in(&node, "ada").await;
        let secret = enrol(&node, &caller).await;
        let caller = stepped_up(&node, &caller).await;
        let codes = node.call(&caller, GenerateRecoveryCodesRequest {}).await.unwrap().codes;
        let held = ticket(&node, "ada").await;
        let kept = node.kept().await;
        assert!(!kept.holds(&secret), "the secret of codes");
        assert!(!kept.holds(held.as_bytes()), "a ticket");
        for code in codes {
            assert!(!kept.holds(code.as_bytes()), "a recovery code");
            assert!(!kept.holds(code.replace('-', "").as_bytes()), "a recovery code");
        }
    }
}
