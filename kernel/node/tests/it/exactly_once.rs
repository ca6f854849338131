//! The cursor of a subscription moves in the commit of what its events caused: a failure at any
//! point of it leaves neither or both.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use stoa_node::Background;
use stoa_store::{Fault, Faults};
use stoa_testkit::{Engine, Node, run_with_faults, settled};

use crate::echo::{self, all_heard, all_said};
use crate::messages::Say;

crate::on_both!(a_failure_at_every_point_of_a_reaction_repeats_nothing);

/// Points passed until the one that fails; none fails while it is 0.
type Countdown = Arc<AtomicI64>;

/// Fails once, when the countdown comes to its end.
fn failing(countdown: &Countdown) -> Faults {
    let countdown = Arc::clone(countdown);
    Faults::new(move |_| {
        let counted = countdown.fetch_update(SeqCst, SeqCst, |left| (left > 0).then(|| left - 1));
        (counted == Ok(1)).then_some(Fault::Fail)
    })
}

fn a_failure_at_every_point_of_a_reaction_repeats_nothing(engine: Engine) {
    let countdown = Countdown::default();
    let faults = failing(&countdown);
    run_with_faults(engine, vec![echo::service()], faults, |node| async move {
        let mut background = Background::new(node.inner()).await.unwrap();
        for point in 1.. {
            for subject in ["a", "b", "c"] {
                node.call(&node.admin(), Say::new(subject, point)).await.unwrap();
            }
            countdown.store(point, SeqCst);
            catch_up(&mut background, &node).await;
            assert_eq!(all_heard(node.inner()).await, all_said(node.inner()).await, "{point}");
            if countdown.swap(0, SeqCst) > 0 {
                assert!(point > 10, "a reaction passes more points than {point}");
                return;
            }
        }
    });
}

/// Steps until everything was heard, also what a step that failed left due.
async fn catch_up(background: &mut Background, node: &Node) {
    let said = all_said(node.inner()).await.len();
    let hearing = async {
        loop {
            settled(node.inner()).await;
            let rests = matches!(background.step().await, Ok(false));
            if rests && all_heard(node.inner()).await.len() >= said {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), hearing).await.expect("all is heard");
}
