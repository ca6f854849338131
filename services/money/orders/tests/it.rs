//! Orders, through the contract.

#![cfg(test)]

mod interleavings;
mod shop;

use std::time::Duration;

use futures::future::join_all;
use shop::*;
use stoa_catalog_v1::SetPriceRequest;
use stoa_kit::{Code, Micros, Service};
use stoa_ledger_v1::{
    AccountKind, CloseAccountRequest, CreateTransferRequest, GetAccountRequest, GetTransferRequest,
    Leg,
};
use stoa_orders_v1::*;
use stoa_testkit::{Node, both};

fn services() -> Vec<Service> {
    vec![
        stoa_catalog::service(),
        stoa_inventory::service(),
        stoa_ledger::service(),
        stoa_notify::service(),
        stoa_orders::service(),
        stoa_users::service(),
    ]
}

stoa_testkit::compliance!(stoa_orders::service, services);

/// Every page of a list, read two at a time.
async fn pages(node: &Node, as_user: &str, wide: bool, list: ListOrdersRequest) -> Vec<String> {
    let permissions: &[&str] = if wide { &["orders.orders.read_all"] } else { &[] };
    let caller = node.user_with(as_user, permissions);
    let list = ListOrdersRequest { page_size: 2, ..list };
    let pages = node.pages(&caller, list).await.unwrap();
    pages.into_iter().flat_map(|page| page.orders).map(|order| order.id).collect()
}

both! {
    async fn an_order_changes_four_services(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        sell(&node, "MUG", 1_250, 10).await;
        let order = place(&node, "usr_1", &[("tea", 2), ("MUG", 1)]).await.unwrap();
        assert_eq!(*order.total, usd(2_240));
        assert_eq!((stock(&node, "TEA").await, stock(&node, "MUG").await), ((8, 0), (9, 0)));
        assert_eq!(balance(&node, "customers/usr_1").await, Some(2_240));
        assert_eq!(balance(&node, "sales/USD").await, Some(2_240));
        let told = inbox(&node, "usr_1").await;
        assert_eq!(told.len(), 1);
        assert!(told[0].text.contains(&order.id) && told[0].text.contains("22.40 USD"), "{told:?}");
        let get = GetTransferRequest { id: order.transfer_id.clone() };
        let transfer = node.call(&node.admin(), get).await.unwrap().transfer.unwrap();
        assert_eq!((transfer.reference, transfer.legs[0].amount), (order.id.clone(), 2_240));
        let get = GetOrderRequest { id: order.id.clone() };
        let read = node.call(&node.user("usr_1"), get).await.unwrap().order.unwrap();
        assert_eq!(read, order);
        assert_eq!(earned(&node).await, 2_240);
    }

    async fn a_customer_owes_and_sees_what_they_owe(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        place(&node, "usr_1", &[("TEA", 1)]).await.unwrap();
        let get = GetAccountRequest { account: "customers/usr_1".into() };
        let account = node.call(&node.user("usr_1"), get).await.unwrap().account.unwrap();
        assert_eq!(account.kind, AccountKind::ACCOUNT_KIND_ASSET);
        assert_eq!((&*account.owner_id, account.balance), ("usr_1", 495));
    }

    async fn a_second_currency_has_an_account_of_its_own(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        place(&node, "usr_1", &[("TEA", 1)]).await.unwrap();
        for _ in 0..2 {
            node.call(&node.user("usr_1"), cart(&[("TEA", 1)], "SEK")).await.unwrap();
        }
        assert_eq!(balance(&node, "customers/usr_1").await, Some(495));
        assert_eq!(balance(&node, "customers/usr_1/SEK").await, Some(990));
        assert_eq!(balance(&node, "sales/SEK").await, Some(990));
    }

    async fn what_fails_leaves_nothing_behind(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        sell(&node, "MUG", 1_250, 0).await;
        let error = place(&node, "usr_1", &[("TEA", 2), ("MUG", 1)]).await.unwrap_err();
        assert_eq!(error.reason(), "inventory.out_of_stock");
        assert!(error.message().contains("`MUG`"), "{error}");
        let error = node.call(&node.user("usr_1"), cart(&[("TEA", 1)], "EUR")).await.unwrap_err();
        assert_eq!(error.reason(), "catalog.no_price");
        let error = place(&node, "usr_1", &[("NONE", 1)]).await.unwrap_err();
        assert_eq!(error.reason(), "catalog.unknown_sku");
        assert_eq!(stock(&node, "TEA").await, (10, 0));
        assert_eq!((orders(&node).await, transfers(&node).await), (vec![], vec![]));
        assert_eq!(inbox(&node, "usr_1").await, []);
        assert_eq!(balance(&node, "customers/usr_1").await, None);
    }

    async fn the_last_ten_are_sold_exactly_once(node: Node) {
        sell(&node, "TEA", 100, 10).await;
        let callers = (0..64).map(|caller| {
            let (node, user) = (node.clone(), format!("usr_{}", caller % 4));
            async move { place(&node, &user, &[("TEA", 1)]).await }
        });
        let outcomes = join_all(callers).await;
        let sold = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        for error in outcomes.into_iter().filter_map(Result::err) {
            assert_eq!(error.reason(), "inventory.out_of_stock", "{error:?}");
        }
        assert_eq!((sold, stock(&node, "TEA").await), (10, (0, 0)));
        assert_eq!((orders(&node).await.len(), transfers(&node).await.len()), (10, 10));
        assert_eq!(earned(&node).await, 1_000);
    }

    async fn an_order_is_cancelled_once(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        let order = place(&node, "usr_1", &[("TEA", 3)]).await.unwrap();
        let race = (0..16).map(|_| {
            let (node, id) = (node.clone(), order.id.clone());
            async move { cancel(&node, "usr_1", &id).await }
        });
        let outcomes = join_all(race).await;
        let (done, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!((done.len(), refused.len()), (1, 15));
        for error in refused.into_iter().filter_map(Result::err) {
            assert_eq!(error.reason(), "orders.already_cancelled", "{error:?}");
        }
        let cancelled = &orders(&node).await[0];
        assert_eq!(cancelled.state, OrderState::Cancelled);
        assert!(!cancelled.reversal_id.is_empty());
        assert_eq!(stock(&node, "TEA").await, (10, 0));
        assert_eq!(balance(&node, "customers/usr_1").await, Some(0));
        let told = inbox(&node, "usr_1").await;
        let templates: Vec<_> = told.iter().map(|told| told.template.as_str()).collect();
        assert_eq!(told.len(), 2);
        assert!(templates.contains(&"orders.cancelled"), "{templates:?}");
        assert_eq!((transfers(&node).await.len(), earned(&node).await), (2, 0));
    }

    async fn an_order_is_its_customers(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        let order = place(&node, "usr_1", &[("TEA", 1)]).await.unwrap();
        let other = place(&node, "usr_2", &[("TEA", 1)]).await.unwrap();
        let get = GetOrderRequest { id: order.id.clone() };
        let hidden = node.call(&node.user("usr_2"), get.clone()).await.unwrap_err();
        let none = GetOrderRequest { id: "ord_none".into() };
        let none = node.call(&node.user("usr_2"), none).await.unwrap_err();
        assert_eq!((hidden.code(), hidden.reason()), (none.code(), none.reason()));
        let error = cancel(&node, "usr_2", &order.id).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
        let all = ListOrdersRequest::default();
        assert_eq!(pages(&node, "usr_2", false, all.clone()).await, [other.id]);
        let of_another = ListOrdersRequest { customer_id: "usr_1".into(), ..all };
        assert_eq!(pages(&node, "usr_2", false, of_another).await, [""; 0]);
        let staff = node.user_with("usr_3", &["orders.orders.read_all"]);
        assert!(node.call(&staff, get).await.is_ok(), "staff see every order");
        let cancel = CancelOrderRequest { id: order.id };
        let error = node.call(&staff, cancel.clone()).await.unwrap_err();
        assert_eq!(error.reason(), "orders.not_yours", "to see is not to cancel");
        let permissions = ["orders.orders.read_all", "orders.orders.cancel_all"];
        node.call(&node.user_with("usr_3", &permissions), cancel).await.unwrap();
        assert_eq!(inbox(&node, "usr_1").await.len(), 2, "the customer is told, not the staff");
    }

    async fn a_list_is_stable_while_orders_come(node: Node) {
        sell(&node, "TEA", 1, 100).await;
        let mut placed = Vec::new();
        for index in 0..9 {
            let user = format!("usr_{}", index % 2);
            placed.push(place(&node, &user, &[("TEA", 1)]).await.unwrap().id);
            node.advance(Duration::from_millis(1)).await;
        }
        for index in [2, 3, 5] {
            cancel(&node, &format!("usr_{}", index % 2), &placed[index]).await.unwrap();
        }
        let wanted = |keep: fn(usize) -> bool| -> Vec<String> {
            let kept = (0..9).rev().filter(|index| keep(*index));
            kept.map(|index| placed[index].clone()).collect()
        };
        let list = |customer: &str, state| ListOrdersRequest {
            customer_id: customer.into(),
            state,
            ..ListOrdersRequest::default()
        };
        let any = OrderState::Unspecified.into();
        let cancelled = OrderState::Cancelled.into();
        assert_eq!(pages(&node, "usr_9", true, list("", any)).await, wanted(|_| true));
        assert_eq!(
            pages(&node, "usr_9", true, list("", cancelled)).await,
            wanted(|index| [2, 3, 5].contains(&index))
        );
        assert_eq!(
            pages(&node, "usr_9", true, list("usr_1", cancelled)).await,
            wanted(|index| [3, 5].contains(&index))
        );
        assert_eq!(
            pages(&node, "usr_1", false, list("", any)).await,
            wanted(|index| index % 2 == 1)
        );
        let staff = node.admin();
        let two = ListOrdersRequest { page_size: 2, ..ListOrdersRequest::default() };
        let first = node.call(&staff, two.clone()).await.unwrap();
        place(&node, "usr_1", &[("TEA", 1)]).await.unwrap();
        let rest = ListOrdersRequest { page_token: first.next_page_token, page_size: 100, ..two };
        let rest = node.call(&staff, rest).await.unwrap().orders;
        let seen = first.orders.into_iter().chain(rest).map(|order| order.id);
        assert_eq!(seen.collect::<Vec<_>>(), wanted(|_| true), "what came later moved nothing");
    }

    async fn an_import_is_true_when_it_was_made(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        let clerk = node.user_with("usr_9", &["orders.orders.import"]);
        let request = imported("usr_1", 1_177);
        let order = node.call(&clerk, request.clone()).await.unwrap().order.unwrap();
        assert_eq!((&*order.customer_id, order.total.amount), ("usr_1", 1_177));
        assert_eq!(order.effective_time, request.effective_time);
        assert!(Micros::of(&order.create_time) > Micros::of(&order.effective_time));
        let transfer = transfers(&node).await.remove(0);
        assert_eq!(transfer.effective_time, request.effective_time);
        assert_eq!(balance(&node, "customers/usr_1").await, Some(1_177));
        assert_eq!((stock(&node, "TEA").await, inbox(&node, "usr_1").await.len()), ((9, 0), 1));
        let future = Micros::of(&order.create_time).after(Duration::from_secs(60));
        let future = ImportOrderRequest { effective_time: future.timestamp(), ..request.clone() };
        let error = node.call(&clerk, future).await.unwrap_err();
        assert_eq!(error.violations()[0].path, "effective_time");
        let negative = ImportOrderRequest { amount: usd(-1).into(), ..request };
        let error = node.call(&clerk, negative).await.unwrap_err();
        assert_eq!(error.violations()[0].path, "amount.amount");
    }

    async fn an_import_needs_its_permission(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        for caller in [node.user("usr_1"), node.user_with("usr_1", &["orders.orders.read_all"])] {
            let error = node.call(&caller, imported("usr_1", 1)).await.unwrap_err();
            assert_eq!(error.code(), Code::PermissionDenied);
        }
        let error = node.call(&node.nobody(), imported("usr_1", 1)).await.unwrap_err();
        assert_eq!(error.code(), Code::Unauthenticated);
        assert_eq!(stock(&node, "TEA").await, (10, 0));
    }

    async fn nothing_is_transferred_for_nothing(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        let order = node.call(&node.admin(), imported("usr_1", 0)).await.unwrap().order.unwrap();
        assert_eq!((&*order.transfer_id, order.total.amount), ("", 0));
        let free = SetPriceRequest { sku: "TEA".into(), price: usd(0).into() };
        node.call(&node.admin(), free).await.unwrap();
        let gift = place(&node, "usr_1", &[("TEA", 1)]).await.unwrap();
        assert_eq!((stock(&node, "TEA").await, inbox(&node, "usr_1").await.len()), ((8, 0), 2));
        for id in [order.id, gift.id] {
            let cancelled = cancel(&node, "usr_1", &id).await.unwrap();
            assert_eq!((cancelled.state, &*cancelled.reversal_id), (OrderState::Cancelled.into(), ""));
        }
        assert_eq!(transfers(&node).await, []);
        assert_eq!((stock(&node, "TEA").await, inbox(&node, "usr_1").await.len()), ((10, 0), 4));
    }

    async fn a_key_places_an_order_once(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        let caller = node.user("usr_1");
        let request = cart(&[("TEA", 1)], "USD");
        let first = node.call_with_key(&caller, "key", request.clone()).await.unwrap();
        let second = node.call_with_key(&caller, "key", request).await.unwrap();
        assert_eq!(first, second);
        assert_eq!((stock(&node, "TEA").await, orders(&node).await.len()), ((9, 0), 1));
    }

    async fn an_order_costs_what_was_expected_or_is_none(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        let caller = node.user("usr_1");
        let wanted = PlaceOrderRequest {
            expected_total: usd(990).into(),
            ..cart(&[("TEA", 2)], "USD")
        };
        let dearer = SetPriceRequest { sku: "TEA".into(), price: usd(500).into() };
        node.call(&node.admin(), dearer).await.unwrap();
        let error = node.call(&caller, wanted.clone()).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "orders.price_changed"));
        assert_eq!(error.message(), "the cart costs 10.00 USD now, not 9.90 USD");
        assert_eq!((stock(&node, "TEA").await, orders(&node).await.len()), ((10, 0), 0));
        let agreed = PlaceOrderRequest { expected_total: usd(1_000).into(), ..wanted };
        let order = node.call(&caller, agreed).await.unwrap().order.unwrap();
        assert_eq!(*order.total, usd(1_000));
    }

    async fn an_account_that_somebody_closed_stops_no_order(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        let first = place(&node, "usr_1", &[("TEA", 1)]).await.unwrap();
        cancel(&node, "usr_1", &first.id).await.unwrap();
        let close = async |account: &str| {
            let request = CloseAccountRequest { account: account.into() };
            node.call(&node.admin(), request).await.unwrap();
        };
        for account in ["customers/usr_1", "sales/USD"] {
            close(account).await;
        }
        let second = place(&node, "usr_1", &[("TEA", 2)]).await.unwrap();
        assert_eq!(balance(&node, "customers/usr_1").await, Some(990));
        // Somebody pays elsewhere, the account is empty and closed, and the goods come back.
        let legs = vec![Leg { debit: "sales/USD".into(), credit: "customers/usr_1".into(), amount: 990 }];
        let paid = CreateTransferRequest { currency: "USD".into(), legs, ..Default::default() };
        node.call(&node.admin(), paid).await.unwrap();
        close("customers/usr_1").await;
        cancel(&node, "usr_1", &second.id).await.unwrap();
        assert_eq!(balance(&node, "customers/usr_1").await, Some(-990));
    }

    async fn a_list_shows_what_get_shows(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        let owners = ["usr_1", "usr_2", "svc_1", "svc_2"];
        for owner in owners {
            node.call(&node.admin(), imported(owner, 5)).await.unwrap();
        }
        let callers = [
            node.user("usr_1"),
            node.user("usr_2"),
            node.account_with("svc_1", &[]),
            node.account_with("svc_2", &[]),
        ];
        let everything = orders(&node).await;
        for (caller, owner) in callers.iter().zip(owners) {
            let listed = node.call(caller, ListOrdersRequest::default()).await.unwrap().orders;
            assert_eq!(listed.len(), 1);
            assert_eq!(listed[0].customer_id, owner);
            for order in &everything {
                let get = GetOrderRequest { id: order.id.clone() };
                assert_eq!(node.call(caller, get).await.is_ok(), order.customer_id == owner);
            }
        }
        let nobody = node.call(&node.nobody(), ListOrdersRequest::default()).await;
        assert_eq!(nobody.unwrap_err().code(), Code::Unauthenticated);
    }

    async fn a_page_token_is_good_for_one_caller_and_one_list(node: Node) {
        sell(&node, "TEA", 495, 10).await;
        for _ in 0..3 {
            place(&node, "usr_1", &[("TEA", 1)]).await.unwrap();
        }
        let list = ListOrdersRequest { page_size: 1, ..ListOrdersRequest::default() };
        let first = node.call(&node.user("usr_1"), list.clone()).await.unwrap();
        let page_token = first.next_page_token;
        assert!(!page_token.is_empty() && page_token.len() < 120, "{page_token}");
        let next = ListOrdersRequest { page_token: page_token.clone(), page_size: 2, ..list };
        assert_eq!(node.call(&node.user("usr_1"), next.clone()).await.unwrap().orders.len(), 2);
        let placed = OrderState::Placed.into();
        let others = [
            (node.admin(), next.clone()),
            (node.user("usr_1"), ListOrdersRequest { state: placed, ..next.clone() }),
            (node.user("usr_1"), ListOrdersRequest { page_token: page_token[1..].into(), ..next }),
        ];
        for (caller, request) in others {
            let error = node.call(&caller, request).await.unwrap_err();
            assert_eq!(error.violations()[0].path, "page_token");
        }
    }
}
