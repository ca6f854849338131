//! What a message, and a stream, may be and how long it may take.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::json;
use stoa_testkit::until;

use super::{
    ADD, TALK, amount, begin, framed, messages, port, reason, refusal, request, whole, with,
};

#[test]
fn a_message_that_breaks_a_rule_ends_the_stream() {
    with(|node, seen| async move {
        for (wrong, expected) in [
            (json!({"amount": "-1"}), "request.invalid"),
            (json!({"amout": "1"}), "request.invalid"),
            (json!([]), "json.malformed"),
        ] {
            seen.added.store(0, SeqCst);
            let (mut sender, answer) = begin(port(&node), request(ADD));
            [&amount(1), &wrong, &amount(3)].into_iter().for_each(|message| sender.say(message));
            sender.end();
            let refusal = refusal(answer.await).await;
            assert!([expected, "request.invalid"].contains(&reason(&refusal)), "{refusal}");
            assert_eq!(seen.added.load(SeqCst), 1, "{refusal}");
        }
        let (mut sender, answer) = begin(
            port(&node),
            request(ADD).header("authorization", "Bearer x").header("idempotency-key", "k"),
        );
        sender.end();
        assert_eq!(reason(&refusal(answer.await).await), "idempotency.stream");
        // Text of gRPC-Web has an end, and so no stream is asked for by it.
        seen.added.store(0, SeqCst);
        let mut text = request(ADD);
        let content_type = "application/grpc-web-text".parse().unwrap();
        text.headers_mut().unwrap().insert("content-type", content_type);
        let (mut sender, answer) = begin(port(&node), text);
        sender.say(&amount(1));
        sender.end();
        drop(answer.await);
        assert_eq!(seen.added.load(SeqCst), 0);
    });
}

#[test]
fn a_message_is_no_larger_than_a_request() {
    with(|node, seen| async move {
        // What stands before it says so, and none of it is waited for.
        let (sender, answer) = begin(port(&node), request(ADD));
        sender.say(&amount(1));
        sender.send([&[0_u8][..], &65_537_u32.to_be_bytes()].concat());
        let refusal = refusal(answer.await).await;
        assert_eq!(reason(&refusal), "request.too_large", "{refusal}");
        assert_eq!(seen.added.load(SeqCst), 1);
        // Who is known may send more.
        let known = request(ADD).header("authorization", "Bearer x");
        let (mut sender, answer) = begin(port(&node), known);
        sender.say(&json!({"amount": "1", "currency": "x".repeat(65_537)}));
        sender.end();
        assert_eq!(whole(answer.await).await[0], amount(1));
    });
}

#[test]
fn a_message_that_began_and_the_next_one_must_come() {
    with(|node, seen| async move {
        const WHOLE: Duration = Duration::from_secs(30);
        let about = |seconds| Duration::from_secs(seconds - 1)..=Duration::from_secs(seconds);
        let less = Duration::from_secs(29)..=WHOLE - Duration::from_nanos(1);
        for begun in [&b""[..], b"\0", &framed(&amount(2))[..9]] {
            let (sender, answer) = begin(port(&node), request(ADD));
            let answer = tokio::spawn(async move { refusal(answer.await).await });
            sender.say(&amount(1));
            until(|| sender.taken.load(SeqCst) == 1).await;
            node.until_asleep(WHOLE..=WHOLE).await;
            // However it trickles.
            sender.send(begun.to_vec());
            until(|| sender.taken.load(SeqCst) == 2).await;
            node.until_asleep(less.clone()).await;
            node.skip(Duration::from_secs(20));
            sender.send(&b""[..]);
            node.until_asleep(about(10)).await;
            assert!(!answer.is_finished());
            node.skip(Duration::from_secs(11));
            let refusal = answer.await.unwrap();
            assert_eq!(reason(&refusal), "request.too_slow", "{refusal}");
        }
        assert_eq!(seen.given_up.load(SeqCst), 3);
    });
}

#[test]
fn a_conversation_may_be_silent_but_not_in_a_word() {
    with(|node, seen| async move {
        let talk = request(TALK).header("authorization", "Bearer x");
        let (sender, answer) = begin(port(&node), talk);
        let mut body = answer.await.into_body();
        for number in 1..=3 {
            node.skip(Duration::from_secs(3_600));
            sender.say(&amount(number));
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(messages(frame.data_ref().unwrap())[0], amount(2 * number));
        }
        sender.send(&b"\0\0"[..]);
        let rest = tokio::spawn(async move { body.collect().await.unwrap().to_bytes() });
        node.until_asleep(Duration::from_secs(29)..=Duration::from_secs(30)).await;
        node.skip(Duration::from_secs(31));
        let end = messages(&rest.await.unwrap()).pop_back().unwrap();
        assert_eq!(reason(&end["error"]), "request.too_slow", "{end}");
        assert_eq!(seen.given_up.load(SeqCst), 1);
    });
}

#[test]
fn a_stream_is_no_more_in_all_than_its_contract_says() {
    with(|node, seen| async move {
        let talk = request(TALK).header("authorization", "Bearer x");
        let (sender, answer) = begin(port(&node), talk);
        let mut body = answer.await.into_body();
        // Each is 303 bytes as protobuf, and a thousand are let through.
        let message = json!({"amount": "1", "currency": "x".repeat(298)});
        for _ in 0..3 {
            sender.say(&message);
            body.frame().await.unwrap().unwrap();
        }
        sender.say(&message);
        drop(sender);
        let end = messages(&body.collect().await.unwrap().to_bytes()).pop_back().unwrap();
        assert_eq!(reason(&end["error"]), "stream.too_large", "{end}");
        assert_eq!((seen.added.load(SeqCst), seen.given_up.load(SeqCst)), (3, 1));
    });
}

#[test]
fn a_stream_is_open_no_longer_than_its_contract_says() {
    with(|node, seen| async move {
        let (sender, answer) = begin(port(&node), request(ADD));
        let answer = tokio::spawn(async move { refusal(answer.await).await });
        for number in 1..=4 {
            sender.say(&amount(number));
            until(|| seen.added.load(SeqCst) == number).await;
            // One after another, each in time.
            node.skip(Duration::from_secs(25));
        }
        assert_eq!(reason(&answer.await.unwrap()), "stream.too_long");
        let talk = request(TALK).header("authorization", "Bearer x");
        let (_sender, answer) = begin(port(&node), talk);
        let rest = answer.await.into_body();
        node.skip(Duration::from_secs(86_400));
        let end = messages(&rest.collect().await.unwrap().to_bytes()).pop_back().unwrap();
        assert_eq!(reason(&end["error"]), "stream.too_long", "{end}");
        until(|| seen.given_up.load(SeqCst) == 2).await;
    });
}
