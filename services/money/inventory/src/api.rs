//! The contract's functions.

use std::collections::BTreeMap;

use stoa_kit::{Error, Micros, Page, Reason as _, Result, Schedule, Tx, View};
use stoa_money::inventory::*;

use crate::store::StockRow;
use crate::{model, store};

/// Keeps the promises of `stoa.inventory.v1`.
pub(crate) struct Inventory;

/// How many reservations expire in one commit, so that it stays short.
const CHUNK: i64 = 200;

/// Takes from one row of stock: the row as it is then, or nothing if there is less.
type Take = fn(&mut Tx<'_>, &str, &str, i64) -> Result<Option<StockRow>>;

impl InventoryService for Inventory {
    fn receive(&self, tx: &mut Tx<'_>, request: ReceiveRequest) -> Result<ReceiveResponse> {
        let location = model::location(request.location);
        let mut stock = Vec::new();
        for (sku, quantity) in model::totals(&request.lines) {
            stock.extend(store::receive(tx, &sku, &location, quantity)?.map(model::stock));
        }
        Ok(ReceiveResponse { stock })
    }

    fn issue(&self, tx: &mut Tx<'_>, request: IssueRequest) -> Result<IssueResponse> {
        let location = model::location(request.location);
        let stock = take(tx, &model::totals(&request.lines), &location, store::issue)?;
        Ok(IssueResponse { stock })
    }

    fn reserve(&self, tx: &mut Tx<'_>, request: ReserveRequest) -> Result<ReserveResponse> {
        let id = tx.new_id("rsv");
        let location = model::location(request.location);
        let lines = model::totals(&request.lines);
        take(tx, &lines, &location, store::reserve)?;
        let expires = tx.after(model::hold(request.hold_seconds));
        store::insert_reservation(tx, &id, &location, expires)?;
        for (sku, quantity) in &lines {
            store::insert_line(tx, &id, sku, *quantity)?;
        }
        Ok(ReserveResponse { reservation: reservation(tx, &id)?.into() })
    }

    fn commit_reservation(
        &self,
        tx: &mut Tx<'_>,
        request: CommitReservationRequest,
    ) -> Result<CommitReservationResponse> {
        // Goods whose time is over are not to be had, even if the timer has not come by yet.
        if !store::end(tx, &request.id, "committed", tx.now())? {
            return Err(ended(tx, &request.id)?);
        }
        let reservation = reservation(tx, &request.id)?;
        for line in &reservation.lines {
            let taken = store::take(tx, &line.sku, &reservation.location, line.quantity)?;
            whole(taken, &reservation.id)?;
        }
        Ok(CommitReservationResponse { reservation: reservation.into() })
    }

    fn release(&self, tx: &mut Tx<'_>, request: ReleaseRequest) -> Result<ReleaseResponse> {
        if !store::end(tx, &request.id, "released", Micros(i64::MIN))? {
            return Err(ended(tx, &request.id)?);
        }
        let reservation = reservation(tx, &request.id)?;
        for line in &reservation.lines {
            let back = store::put_back(tx, &line.sku, &reservation.location, line.quantity)?;
            whole(back, &reservation.id)?;
        }
        Ok(ReleaseResponse { reservation: reservation.into() })
    }

    fn get_reservation(
        &self,
        view: &View<'_>,
        request: GetReservationRequest,
    ) -> Result<GetReservationResponse> {
        Ok(GetReservationResponse { reservation: reservation(view, &request.id)?.into() })
    }

    fn get_stock(&self, view: &View<'_>, request: GetStockRequest) -> Result<GetStockResponse> {
        let rows = store::stock_of(view, &model::normalise(&request.sku))?;
        Ok(GetStockResponse { stock: rows.into_iter().map(model::stock).collect() })
    }

    fn list_stock(&self, view: &View<'_>, request: ListStockRequest) -> Result<ListStockResponse> {
        let page = Page::read(request.page_size, &request.page_token, 2)?;
        let mut rows = store::stock(view, (page.key(0), page.key(1)), page.limit())?;
        let next_page_token = page.cut(&mut rows, |row| vec![row.0.clone(), row.1.clone()]);
        let stock = rows.into_iter().map(model::stock).collect();
        Ok(ListStockResponse { stock, next_page_token })
    }

    fn release_expired(
        &self,
        tx: &mut Tx<'_>,
        _request: ReleaseExpiredRequest,
    ) -> Result<ReleaseExpiredResponse> {
        let overdue = store::overdue(tx, CHUNK)?;
        // The same goods stand in many reservations, so each row of stock is changed once, and
        // in the order in which everybody changes them.
        let mut back: BTreeMap<(String, String), i64> = BTreeMap::new();
        for (id, location) in &overdue {
            if !store::end(tx, id, "expired", Micros(i64::MIN))? {
                continue;
            }
            for (sku, quantity) in store::lines(tx, id)? {
                *back.entry((sku, location.clone())).or_insert(0) += quantity;
            }
            tx.emit(&ReservationExpired { reservation_id: id.clone() });
        }
        for ((sku, location), quantity) in &back {
            let done = store::put_back(tx, sku, location, *quantity)?;
            whole(done, sku)?;
        }
        if overdue.len() as i64 == CHUNK {
            tx.enqueue(&ReleaseExpiredRequest::default(), Schedule::default())?;
        }
        Ok(ReleaseExpiredResponse { count: overdue.len() as i32 })
    }
}

/// Takes every line or fails, naming the first SKU that there is too little of.
fn take(
    tx: &mut Tx<'_>,
    lines: &BTreeMap<String, i64>,
    location: &str,
    take: Take,
) -> Result<Vec<Stock>> {
    let mut stock = Vec::with_capacity(lines.len());
    for (sku, quantity) in lines {
        match take(tx, sku, location, *quantity)? {
            Some(row) => stock.push(model::stock(row)),
            None => return Err(out_of_stock(tx, sku, location, *quantity)?),
        }
    }
    Ok(stock)
}

fn out_of_stock(view: &View<'_>, sku: &str, location: &str, quantity: i64) -> Result<Error> {
    let available = store::available(view, sku, location)?;
    Ok(Reason::OutOfStock.because(format!(
        "{quantity} of `{sku}` were asked for at `{location}`, {available} are available"
    )))
}

fn reservation(view: &View<'_>, id: &str) -> Result<Reservation> {
    let row = store::reservation(view, id)?.ok_or_else(|| Error::not_found("reservation", id))?;
    Ok(model::reservation(row, store::lines(view, id)?))
}

/// Why a reservation cannot be ended.
fn ended(view: &View<'_>, id: &str) -> Result<Error> {
    let reservation = reservation(view, id)?;
    Ok(match reservation.state.as_known() {
        Some(ReservationState::Held | ReservationState::Expired) => {
            Reason::ReservationExpired.because(format!("reservation `{id}` has run out"))
        }
        _ => Reason::ReservationClosed.because(format!("reservation `{id}` has ended before")),
    })
}

/// What a reservation holds is there, or the tables are broken.
fn whole(done: bool, what: &str) -> Result<()> {
    if done { Ok(()) } else { Err(Error::internal(format!("less is reserved than {what} holds"))) }
}
