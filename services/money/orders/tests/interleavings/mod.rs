//! Whatever is done at once and in whatever order, the four services agree.

use std::time::Duration;

use futures::future::join_all;
use proptest::collection::vec;
use proptest::prelude::{Strategy, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use stoa_inventory_v1::{ReserveRequest, StockLine};
use stoa_kit::Error;
use stoa_orders_v1::{Order, OrderState};
use stoa_testkit::{Engine, Node};

use crate::services;
use crate::shop::{self, imported, inbox, orders, sell, stock, transfers};

const STOCK: i64 = 12;
const USERS: [&str; 2] = ["usr_0", "usr_1"];

/// One thing that somebody does.
#[derive(Debug, Clone)]
enum Deed {
    Place(usize, i64),
    Import(usize, i64),
    Cancel(usize),
    Reserve(i64),
    Wait(u64),
}

fn deeds() -> impl Strategy<Value = Vec<Vec<Deed>>> {
    let deed = prop_oneof![
        4 => (0..USERS.len(), 1..4_i64).prop_map(|(user, count)| Deed::Place(user, count)),
        1 => (0..USERS.len(), 0..3_i64).prop_map(|(user, amount)| Deed::Import(user, amount)),
        3 => (0..8_usize).prop_map(Deed::Cancel),
        2 => (1..5_i64).prop_map(Deed::Reserve),
        1 => (1..40_u64).prop_map(Deed::Wait),
    ];
    // Each inner list is done at once.
    vec(vec(deed, 1..5), 1..6)
}

async fn act(node: &Node, deed: &Deed, placed: &[Order]) -> Result<Option<Order>, Error> {
    match deed {
        Deed::Place(user, count) => {
            shop::place(node, USERS[*user], &[("TEA", *count)]).await.map(Some)
        }
        Deed::Import(user, amount) => {
            let reply = node.call(&node.admin(), imported(USERS[*user], *amount)).await?;
            Ok(reply.order.into_option())
        }
        Deed::Cancel(index) => match placed.get(*index) {
            Some(order) => shop::cancel(node, &order.customer_id, &order.id).await.map(|_| None),
            None => Ok(None),
        },
        Deed::Reserve(count) => {
            let lines = vec![StockLine { sku: "TEA".into(), quantity: *count }];
            let request = ReserveRequest { lines, hold_seconds: 30, ..ReserveRequest::default() };
            node.call(&node.admin(), request).await.map(|_| None)
        }
        Deed::Wait(seconds) => {
            node.advance(Duration::from_secs(*seconds)).await;
            Ok(None)
        }
    }
}

/// Stock, books, orders and inboxes tell the same story.
async fn agree(node: &Node) {
    let (orders, transfers) = (orders(node).await, transfers(node).await);
    let (mut sold, mut earned, mut moved, mut told) = (0, 0, 0, 0);
    for order in &orders {
        let is_placed = order.state == OrderState::Placed;
        let is_paid = !order.transfer_id.is_empty();
        assert_eq!(is_paid, order.total.amount > 0, "{order:?}");
        assert_eq!(!order.reversal_id.is_empty(), is_paid && !is_placed, "{order:?}");
        for id in [&order.transfer_id, &order.reversal_id].into_iter().filter(|id| !id.is_empty()) {
            let of_order = |transfer: &&stoa_ledger_v1::Transfer| transfer.id == **id;
            let transfer = transfers.iter().find(of_order).expect("an order's transfer is there");
            assert_eq!(transfer.reference, order.id);
            moved += 1;
        }
        told += if is_placed { 1 } else { 2 };
        if is_placed {
            sold += order.lines[0].quantity;
            earned += order.total.amount;
        }
    }
    assert_eq!(moved, transfers.len(), "every transfer is an order's");
    assert_eq!(shop::earned(node).await, earned);
    let mut notifications = 0;
    for user in USERS {
        notifications += inbox(node, user).await.len();
    }
    assert_eq!(notifications, told);
    let (available, reserved) = stock(node, "TEA").await;
    assert!(available >= 0 && reserved >= 0, "{available} {reserved}");
    assert_eq!(available + reserved + sold, STOCK, "goods were made or lost");
}

fn check(engine: Engine, cases: u32) {
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&deeds(), |rounds| {
        stoa_testkit::run(engine, services(), |node| async move {
            sell(&node, "TEA", 495, STOCK).await;
            let mut placed = Vec::new();
            for round in &rounds {
                let acts = round.iter().map(|deed| act(&node, deed, &placed));
                for done in join_all(acts).await {
                    match done {
                        Ok(order) => placed.extend(order),
                        Err(error) => assert!(
                            ["inventory.out_of_stock", "orders.already_cancelled"]
                                .contains(&error.reason()),
                            "{error:?}"
                        ),
                    }
                }
                agree(&node).await;
            }
            node.advance(Duration::from_secs(60)).await;
            agree(&node).await;
            assert_eq!(stock(&node, "TEA").await.1, 0, "everything held came back");
        });
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn sqlite() {
    check(Engine::Sqlite, 24);
}

#[test]
fn postgres() {
    check(Engine::Postgres, 6);
}
