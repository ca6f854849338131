//! Whatever is asked in whatever order: the service says what a naive list of tokens says.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use stoa_kit::{Micros, Service};
use stoa_testkit::{Node, both};
use stoa_tokens_v1::{IssueTokenResponse, RevokeTokensRequest};

use crate::{MINUTE, code, guess, issue, link, spend, spending};

fn services() -> Vec<Service> {
    crate::services()
}

#[derive(Debug, Clone)]
enum Step {
    /// About one of three, for one of two purposes.
    Issue(u8, bool, bool),
    /// Of the latest tokens one, rightly or by a guess.
    Spend(usize, bool),
    Revoke(u8),
    Wait(u32),
}

/// A token as the model has it.
struct Known {
    issued: IssueTokenResponse,
    about: (u8, bool),
    guesses: i32,
    end: Micros,
    over: bool,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..3_u8, any::<bool>(), any::<bool>()).prop_map(|(s, p, c)| Step::Issue(s, p, c)),
        1 => (0..4_usize).prop_map(|place| Step::Spend(place, true)),
        8 => (0..3_usize).prop_map(|place| Step::Spend(place, false)),
        1 => (0..3_u8).prop_map(Step::Revoke),
        1 => (1..9_u32).prop_map(Step::Wait),
    ]
}

/// Takes a step on both sides: whether the token was spent, if one was to be.
async fn take(node: &Node, known: &mut Vec<Known>, step: &Step) -> Option<bool> {
    match *step {
        Step::Issue(subject, purpose, short) => {
            let about = (subject, purpose);
            known.iter_mut().filter(|one| one.about == about).for_each(|one| one.over = true);
            let mut request =
                if short { code(&about.0.to_string()) } else { link(&about.0.to_string()) };
            request.purpose = format!("purpose_{purpose}");
            request.max_guesses = if short { 3 } else { 0 };
            let end = node.now().after(15 * MINUTE);
            let guesses = if short { 3 } else { i32::MAX };
            let issued = issue(node, request).await;
            known.push(Known { issued, about, guesses, end, over: false });
            None
        }
        Step::Spend(place, rightly) => {
            let one = known.iter_mut().rev().nth(place)?;
            let (right, wrong) = (spending(&one.issued), guess(&one.issued));
            let outcome = spend(node, if rightly { right } else { wrong }).await;
            let is_good = !one.over && node.now() < one.end;
            one.guesses -= i32::from(is_good && !rightly);
            one.over |= is_good && (rightly || one.guesses == 0);
            assert_eq!(outcome.is_ok(), is_good && rightly, "{outcome:?}");
            Some(outcome.is_ok())
        }
        Step::Revoke(subject) => {
            let is_there = |one: &&mut Known| !one.over && one.about.0 == subject;
            let now = node.now();
            let there: Vec<_> = known.iter_mut().filter(is_there).collect();
            let live = there.iter().filter(|one| now < one.end).count() as i32;
            there.into_iter().for_each(|one| one.over = true);
            let request =
                RevokeTokensRequest { subject: subject.to_string(), purpose: String::new() };
            let revoked = node.call(&node.admin(), request).await.unwrap().revoked;
            // What has expired may not have been swept.
            assert!(revoked >= live, "{revoked} of {live}");
            None
        }
        Step::Wait(minutes) => {
            // Seven seconds more, so that nothing expires in the very instant of a step.
            node.advance(MINUTE * minutes + Duration::from_secs(7)).await;
            None
        }
    }
}

both! {
    async fn whatever_happens_a_token_is_as_good_as_a_naive_list_says(node: Node) {
        let rng = TestRunner::deterministic().new_rng();
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let (mut spent, mut guessed, mut known) = (0, 0, Vec::new());
        for _ in 0..4 {
            let steps = prop::collection::vec(step(), 80).new_tree(&mut runner).unwrap().current();
            for step in &steps {
                spent += usize::from(take(&node, &mut known, step).await == Some(true));
            }
            guessed += known.drain(..).filter(|one| one.guesses == 0).count();
        }
        assert!(spent > 5 && guessed > 3, "little came about: {spent} spent, {guessed} guessed");
    }
}
