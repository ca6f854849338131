//! What is taken of a stream, and when.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use serde_json::json;
use stoa_kit::v1::Money;
use stoa_testkit::{Engine, until};

use super::{ADD, Add, Seen, amount, begin, framed, port, request, service, whole, with};

#[test]
fn messages_arrive_however_they_are_cut() {
    with(|node, _| async move {
        let all: Vec<u8> = (1..=20).flat_map(|number| framed(&amount(number))).collect();
        for size in [1, 3, 7, 64, all.len()] {
            let (mut sender, answer) = begin(port(&node), request(ADD));
            all.chunks(size).for_each(|piece| sender.send(piece.to_vec()));
            sender.end();
            let said = whole(answer.await).await;
            assert_eq!(said[0], amount(210), "in pieces of {size}: {said:?}");
        }
        // Whoever has but one message asks with that.
        assert_eq!(
            node.call(&node.nobody(), Add(Money { amount: 7, ..Money::default() }))
                .await
                .unwrap()
                .about()
                .1,
            7
        );
    });
}

#[test]
fn who_works_slowly_is_sent_to_slowly() {
    with(|node, seen| async move {
        seen.slow.store(true, SeqCst);
        let (mut sender, answer) = begin(port(&node), request(ADD));
        let answer = tokio::spawn(async move { whole(answer.await).await });
        (1..=100).for_each(|number| sender.say(&amount(number)));
        sender.end();
        for worked in 1..=50 {
            until(|| seen.added.load(SeqCst) == worked).await;
            let taken = sender.taken.load(SeqCst);
            assert!(taken <= worked + 3, "{taken} of a hundred were taken after {worked}");
            seen.go_on.notify_one();
        }
        seen.slow.store(false, SeqCst);
        seen.go_on.notify_one();
        assert_eq!(answer.await.unwrap()[0], amount(5_050));
    });
}

#[test]
fn what_was_worked_on_leaves_its_room_to_what_comes() {
    with(|node, seen| async move {
        // Thirty-two times what a stranger may have on its way.
        let message = framed(&json!({"amount": "1", "currency": "x".repeat(60_000)}));
        let (mut sender, answer) = begin(port(&node), request(ADD));
        (0..1_100).for_each(|_| sender.send(message.clone()));
        sender.end();
        let said = whole(answer.await).await;
        assert_eq!(said[0], amount(1_100), "{said:?}");
        assert_eq!(seen.added.load(SeqCst), 1_100);
    });
}

#[test]
fn a_stream_is_no_way_around_the_rate() {
    let seen = Arc::<Seen>::default();
    stoa_testkit::run_at_most(Engine::Sqlite, vec![service(&seen)], 20, |node| async move {
        let (mut sender, answer) = begin(port(&node), request(ADD));
        let answer = tokio::spawn(async move { whole(answer.await).await });
        (0..30).for_each(|_| sender.say(&amount(1)));
        sender.end();
        let begun = std::time::Instant::now();
        assert_eq!(answer.await.unwrap()[0], amount(30));
        // Twenty at once, the first of which came with the call.
        assert!(begun.elapsed() >= Duration::from_millis(450), "{:?}", begun.elapsed());
    });
}

#[test]
fn raw_http_is_taken_in_piece_by_piece() {
    with(|node, _| async move {
        let (mut sender, answer) = begin(port(&node), Request::put("/upload/x"));
        let answer = tokio::spawn(answer);
        for size in [60_000, 40_000] {
            sender.send(vec![0; size]);
        }
        sender.end();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status().as_u16(), 201);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], b"PUT 0: 60000 40000");

        let (sender, answer) =
            begin(port(&node), Request::put("/upload/x").version(http::Version::HTTP_2));
        sender.send(vec![0; 60_000]);
        sender.send(vec![0; 40_001]);
        assert_eq!(answer.await.status().as_u16(), 413);

        let (sender, answer) =
            begin(port(&node), Request::put("/upload/x").version(http::Version::HTTP_2));
        let answer = tokio::spawn(answer);
        sender.send(vec![0; 10]);
        until(|| sender.taken.load(SeqCst) == 1).await;
        node.until_asleep(Duration::from_secs(29)..=Duration::from_secs(30)).await;
        node.skip(Duration::from_secs(31));
        assert_eq!(answer.await.unwrap().status().as_u16(), 408);
    });
}
