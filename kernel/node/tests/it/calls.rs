//! A call inside of a command is part of it.

use stoa_kit::Service;
use stoa_testkit::both;

use crate::echo::{self, AT_ONCE, BITTER, LATER, TRYING, heard};
use crate::messages::{Insist, Poison, Refuse, Said, Shrug};

fn services() -> Vec<Service> {
    vec![echo::service()]
}

both! {
    async fn a_refusal_that_is_ignored_undoes_the_command(node: Node) {
        let admin = node.admin();
        node.call(&admin, Shrug::new("sweet", 1)).await.unwrap();
        node.call(&admin, Poison::new("bad", BITTER)).await.unwrap();
        let error = node.call(&admin, Shrug::new("bad", 1)).await.unwrap_err();
        assert_eq!(error.reason(), "echo.bitter");
        assert_eq!((heard(&node, "sweet").await, heard(&node, "bad").await), (vec![1], vec![]));
    }
}

both! {
    async fn a_refusal_that_is_remembered_is_committed_each_time(node: Node) {
        for _ in 0..2 {
            let refused = node.call_with_key(&node.admin(), "one-key", Refuse::new("a", 7)).await;
            assert_eq!(refused.unwrap_err().reason(), "echo.refused");
        }
        assert_eq!(heard(&node, "a").await, [7, 7]);
    }
}

both! {
    async fn a_refusal_is_remembered_of_what_called_it_only_whole(node: Node) {
        let insist = async |how| node.call(&node.admin(), Insist::new("a", how)).await;
        assert_eq!(insist(AT_ONCE).await.unwrap_err().reason(), "echo.refused");
        assert_eq!(heard(&node, "a").await, [AT_ONCE]);
        assert_eq!(insist(LATER).await.unwrap_err().reason(), "internal");
        insist(TRYING).await.unwrap();
        assert_eq!(heard(&node, "a").await, [AT_ONCE], "what was tried is undone");
        let said: Vec<_> = node.events::<Said>().await;
        assert_eq!(said, [Said::new("a", TRYING)]);
    }
}
