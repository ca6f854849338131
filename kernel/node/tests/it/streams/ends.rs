//! What becomes of a stream when either side goes away.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use http_body_util::BodyExt;
use stoa_testkit::until;

use super::{ADD, TALK, amount, begin, framed, messages, port, reason, refusal, request, with};
use crate::faces::listen;

#[test]
fn who_goes_away_takes_the_effect_along() {
    with(|node, seen| async move {
        // The body breaks off: what came is not the whole.
        let (mut sender, answer) = begin(port(&node), request(ADD));
        sender.say(&amount(1));
        sender.break_off();
        assert_eq!(reason(&refusal(answer.await).await), "request.truncated");
        assert_eq!((seen.added.load(SeqCst), seen.given_up.load(SeqCst)), (1, 1));
        // Half a message, and an end.
        let (mut sender, answer) = begin(port(&node), request(ADD));
        sender.send(framed(&amount(1))[..9].to_vec());
        sender.end();
        refusal(answer.await).await;
        assert_eq!((seen.added.load(SeqCst), seen.given_up.load(SeqCst)), (1, 2));
        // The call is dropped while the effect waits.
        let (sender, answer) = begin(port(&node), request(ADD));
        let waiting = tokio::spawn(answer);
        sender.say(&amount(1));
        until(|| seen.added.load(SeqCst) == 2).await;
        waiting.abort();
        until(|| seen.given_up.load(SeqCst) == 3).await;
        // Nobody reads the answer of a conversation any more.
        let talk = request(TALK).header("authorization", "Bearer x");
        let (_sender, answer) = begin(port(&node), talk);
        drop(answer.await);
        until(|| seen.given_up.load(SeqCst) == 4).await;
    });
}

#[test]
fn who_may_not_any_more_says_nothing_more() {
    with(|node, seen| async move {
        let refused = begin(port(&node), request(TALK)).1.await;
        assert_eq!(reason(&refusal(refused).await), "auth.required");
        let until = node.now().after(Duration::from_secs(60)).0;
        let talk = request(TALK).header("authorization", format!("Bearer {until}"));
        let (sender, answer) = begin(port(&node), talk);
        let mut body = answer.await.into_body();
        sender.say(&amount(1));
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(messages(frame.data_ref().unwrap())[0], amount(2));
        node.pass(Duration::from_secs(61));
        sender.say(&amount(2));
        let rest = messages(&body.collect().await.unwrap().to_bytes());
        assert_eq!(reason(&rest[0]["error"]), "auth.token_invalid", "{rest:?}");
        assert_eq!(seen.added.load(SeqCst), 1, "what was said then is not heard");
    });
}

#[test]
fn a_conversation_ends_with_the_node() {
    with(|node, seen| async move {
        let server =
            stoa_node::serve(Arc::clone(node.inner()), Vec::new(), listen()).await.unwrap();
        let talk = request(TALK).header("authorization", "Bearer x");
        let (sender, answer) = begin(port(&node), talk);
        let mut body = answer.await.into_body();
        sender.say(&amount(1));
        body.frame().await.unwrap().unwrap();
        let stopping = tokio::spawn(server.stop());
        let rest = messages(&body.collect().await.unwrap().to_bytes());
        assert_eq!(reason(&rest[0]["error"]), "node.stopping", "{rest:?}");
        assert_eq!(seen.given_up.load(SeqCst), 1);
        stopping.await.unwrap();
    });
}
