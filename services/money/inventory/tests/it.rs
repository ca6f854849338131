//! The inventory, through its contract.

#![cfg(test)]

mod interleavings;

use std::time::Duration;

use futures::future::join_all;
use stoa_inventory_v1::*;
use stoa_kit::{Error, Service};
use stoa_testkit::{Node, both};

fn services() -> Vec<Service> {
    vec![stoa_inventory::service()]
}

stoa_testkit::compliance!(stoa_inventory::service, services);

fn lines(lines: &[(&str, i64)]) -> Vec<StockLine> {
    let line =
        |(sku, quantity): &(&str, i64)| StockLine { sku: (*sku).into(), quantity: *quantity };
    lines.iter().map(line).collect()
}

async fn receive(node: &Node, goods: &[(&str, i64)]) {
    let request = ReceiveRequest { lines: lines(goods), location: String::new() };
    node.call(&node.admin(), request).await.unwrap();
}

async fn issue(node: &Node, goods: &[(&str, i64)]) -> Result<IssueResponse, Error> {
    let request = IssueRequest { lines: lines(goods), location: String::new() };
    node.call(&node.admin(), request).await
}

async fn reserve(node: &Node, goods: &[(&str, i64)], seconds: i32) -> Result<Reservation, Error> {
    let request =
        ReserveRequest { lines: lines(goods), location: String::new(), hold_seconds: seconds };
    Ok(node.call(&node.admin(), request).await?.reservation.unwrap())
}

async fn commit(node: &Node, id: &str) -> Result<Reservation, Error> {
    let request = CommitReservationRequest { id: id.into() };
    Ok(node.call(&node.admin(), request).await?.reservation.unwrap())
}

async fn release(node: &Node, id: &str) -> Result<Reservation, Error> {
    let request = ReleaseRequest { id: id.into() };
    Ok(node.call(&node.admin(), request).await?.reservation.unwrap())
}

async fn state(node: &Node, id: &str) -> ReservationState {
    let request = GetReservationRequest { id: id.into() };
    let reply = node.call(&node.admin(), request).await.unwrap();
    reply.reservation.state.as_known().unwrap()
}

/// Available and reserved at `main`.
async fn stock(node: &Node, sku: &str) -> (i64, i64) {
    let request = GetStockRequest { sku: sku.into() };
    let reply = node.call(&node.admin(), request).await.unwrap();
    reply.stock.first().map_or((0, 0), |stock| (stock.available, stock.reserved))
}

both! {
    async fn the_last_ten_are_sold_exactly_once(node: Node) {
        receive(&node, &[("TEA", 10)]).await;
        let callers = (0..64).map(|caller| {
            let node = node.clone();
            async move {
                // Half of them take at once, half of them reserve first.
                if caller % 2 == 0 {
                    return issue(&node, &[("tea", 1)]).await.map(|_| ());
                }
                let reservation = reserve(&node, &[("TEA", 1)], 60).await?;
                commit(&node, &reservation.id).await.map(|_| ())
            }
        });
        let outcomes = join_all(callers).await;
        let sold = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(sold, 10);
        for error in outcomes.into_iter().filter_map(Result::err) {
            assert_eq!(error.reason(), "inventory.out_of_stock", "{error:?}");
            assert!(error.message().contains("`TEA`"), "{error}");
        }
        assert_eq!(stock(&node, "TEA").await, (0, 0));
    }

    async fn several_lines_are_taken_together_or_not_at_all(node: Node) {
        receive(&node, &[("A", 5), ("B", 1), ("a", 1)]).await;
        let error = reserve(&node, &[("A", 2), ("B", 2)], 60).await.unwrap_err();
        assert!(error.message().contains("`B`") && error.message().contains("1 are"), "{error}");
        let error = issue(&node, &[("A", 4), ("a", 3)]).await.unwrap_err();
        assert_eq!(error.reason(), "inventory.out_of_stock", "lines of a SKU are added up");
        assert_eq!((stock(&node, "A").await, stock(&node, "B").await), ((6, 0), (1, 0)));
        let reserved = reserve(&node, &[("B", 1), ("A", 1), ("a", 1)], 60).await.unwrap();
        assert_eq!(reserved.lines, lines(&[("A", 2), ("B", 1)]));
        assert_eq!((stock(&node, "A").await, stock(&node, "B").await), ((4, 2), (0, 1)));
    }

    async fn a_reservation_ends_once(node: Node) {
        receive(&node, &[("A", 5)]).await;
        let committed = reserve(&node, &[("A", 2)], 0).await.unwrap().id;
        let released = reserve(&node, &[("A", 1)], 0).await.unwrap().id;
        commit(&node, &committed).await.unwrap();
        release(&node, &released).await.unwrap();
        for id in [&committed, &released] {
            for again in [commit(&node, id).await, release(&node, id).await] {
                assert_eq!(again.unwrap_err().reason(), "inventory.reservation_closed");
            }
        }
        assert_eq!(state(&node, &committed).await, ReservationState::Committed);
        assert_eq!(state(&node, &released).await, ReservationState::Released);
        assert_eq!(stock(&node, "A").await, (3, 0));
        assert_eq!(commit(&node, "rsv_none").await.unwrap_err().reason(), "resource.not_found");
    }

    async fn a_reservation_expires_by_the_clock(node: Node) {
        receive(&node, &[("A", 5)]).await;
        let id = reserve(&node, &[("A", 2)], 60).await.unwrap().id;
        node.advance(Duration::from_secs(58)).await;
        assert_eq!((stock(&node, "A").await, state(&node, &id).await), ((3, 2), ReservationState::Held));
        node.advance(Duration::from_secs(4)).await;
        let expired = (stock(&node, "A").await, state(&node, &id).await);
        assert_eq!(expired, ((5, 0), ReservationState::Expired));
        for again in [commit(&node, &id).await, release(&node, &id).await] {
            assert_eq!(again.unwrap_err().reason(), "inventory.reservation_expired");
        }
        assert_eq!(stock(&node, "A").await, (5, 0));
    }

    async fn many_reservations_expire_in_chunks(node: Node) {
        receive(&node, &[("A", 500), ("B", 500)]).await;
        for index in 0..450 {
            let sku = if index % 2 == 0 { "A" } else { "B" };
            reserve(&node, &[(sku, 1)], 60).await.unwrap();
        }
        assert_eq!(stock(&node, "A").await, (275, 225));
        // A timer takes the first chunk, and jobs that follow each other take the rest.
        for seconds in [61, 1] {
            node.advance(Duration::from_secs(seconds)).await;
        }
        assert_eq!((stock(&node, "A").await, stock(&node, "B").await), ((500, 0), (500, 0)));
    }

    async fn stock_is_kept_by_location(node: Node) {
        receive(&node, &[("A", 1), ("B", 2)]).await;
        let cellar = ReceiveRequest { lines: lines(&[("A", 7)]), location: "cellar".into() };
        node.call(&node.admin(), cellar).await.unwrap();
        let request = IssueRequest { lines: lines(&[("A", 5)]), location: "cellar".into() };
        node.call(&node.admin(), request).await.unwrap();
        issue(&node, &[("A", 2)]).await.unwrap_err();
        let list = ListStockRequest { page_size: 1, ..ListStockRequest::default() };
        let pages = node.pages(&node.admin(), list).await.unwrap();
        let rows = pages.into_iter().flat_map(|page| page.stock);
        let seen: Vec<_> = rows.map(|row| (row.sku, row.location, row.available)).collect();
        let wanted = [("A", "cellar", 2), ("A", "main", 1), ("B", "main", 2)];
        let wanted = wanted.map(|(sku, place, left)| (sku.to_owned(), place.to_owned(), left));
        assert_eq!(seen, wanted);
    }
}
