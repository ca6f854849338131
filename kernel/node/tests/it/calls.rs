//! A call inside of a command is part of it.

use stoa_kit::Service;
use stoa_testkit::both;

use crate::echo::{self, BITTER, heard};
use crate::messages::{Poison, Shrug};

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
