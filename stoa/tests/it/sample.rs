//! The shop that a node with nothing on it can load, through the contract.

use std::collections::BTreeSet;
use std::time::Duration;

use stoa::sample::contract::{GetShopRequest, LoadShopRequest, Shop};
use stoa_kit::{Code, Service};
use stoa_ledger_v1::GetTrialBalanceRequest;
use stoa_orders_v1::{ListOrdersRequest, Order};
use stoa_testkit::{Node, both};
use stoa_users_v1::CreateUserRequest;

/// Until background work looks again.
const SOON: Duration = Duration::from_secs(2);

fn services() -> Vec<Service> {
    let standard = stoa::Catalogue::standard().with(stoa::sample::service);
    standard.services(&["sample".to_owned()]).unwrap()
}

async fn load(node: &Node, purchases: i32) -> Result<Shop, stoa_kit::Error> {
    let request = LoadShopRequest { purchases };
    Ok(node.call(&node.admin(), request).await?.shop.into_option().unwrap())
}

async fn orders(node: &Node) -> Vec<Order> {
    let request = ListOrdersRequest { page_size: 100, ..ListOrdersRequest::default() };
    let pages = node.pages(&node.admin(), request).await.unwrap();
    pages.into_iter().flat_map(|page| page.orders).collect()
}

/// The shop, and whether it can be loaded.
async fn look(node: &Node) -> (Option<Shop>, bool) {
    let seen = node.call(&node.admin(), GetShopRequest::default()).await.unwrap();
    (seen.shop.into_option(), seen.can_load)
}

both! {
    async fn a_node_with_nothing_loads_a_shop(node: Node) {
        assert_eq!(look(&node).await, (None, true));
        let begun = load(&node, 12).await.unwrap();
        assert_eq!((begun.purchases, begun.loaded), (12, 0));
        node.advance(SOON).await;
        let (shop, can_load) = look(&node).await;
        let shop = shop.unwrap();
        assert_eq!((shop.loaded, can_load), (12, false));
        assert!(shop.finish_time.is_set());

        // Each purchase is an order, and the books say what the orders say.
        let orders = orders(&node).await;
        assert_eq!(orders.len(), 12);
        let customers: BTreeSet<&str> = orders.iter().map(|order| &*order.customer_id).collect();
        assert!(customers.len() > 9, "{}", customers.len());
        let spent: i64 = orders.iter().map(|order| order.total.amount).sum();
        let request = GetTrialBalanceRequest::default();
        let trial = node.call(&node.admin(), request).await.unwrap();
        let sums: Vec<_> = trial.balances.iter().map(|one| (one.debit, one.credit)).collect();
        assert_eq!(sums, [(spent, spent)]);
    }

    async fn a_shop_is_not_mixed_with_what_people_made(node: Node) {
        for handle in ["ada", "grace"] {
            let (handle, email) = (handle.to_owned(), format!("{handle}@example.com"));
            let request = CreateUserRequest { handle, email, ..CreateUserRequest::default() };
            node.call(&node.admin(), request).await.unwrap();
        }
        assert_eq!(look(&node).await, (None, false));
        let refused = load(&node, 1).await.unwrap_err();
        assert_eq!(refused.reason(), "sample.not_empty");
        node.advance(SOON).await;
        assert!(orders(&node).await.is_empty());
    }

    async fn a_shop_is_loaded_once_and_by_whoever_may(node: Node) {
        let request = LoadShopRequest { purchases: 1 };
        let refused = node.call(&node.user("usr_1"), request).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        load(&node, 1).await.unwrap();
        assert_eq!(load(&node, 1).await.unwrap_err().reason(), "sample.not_empty");
        node.advance(SOON).await;
        assert_eq!(orders(&node).await.len(), 1);
    }
}
