//! The contract's functions.

use std::collections::BTreeMap;

use stoa_inventory_v1::*;
use stoa_kit::{Error, Micros, Reason as _, Result, Tx, View};

use crate::{model, store};

/// Keeps the promises of `stoa.inventory.v1`.
pub(crate) struct Inventory;

/// How many reservations expire in one commit, so that it stays short.
const CHUNK: i64 = 200;

/// Takes from one row of stock: the row as it is then, or nothing if there is less.
type Take = fn(&mut Tx, &str, &str, i64) -> Result<Option<Stock>>;

impl InventoryService for Inventory {
    fn receive(&self, tx: &mut Tx, request: ReceiveRequest) -> Result<ReceiveResponse> {
        let location = model::location(request.location);
        let mut stock = Vec::new();
        for (sku, quantity) in model::totals(&request.lines) {
            stock.extend(store::receive(tx, &sku, &location, quantity)?);
        }
        Ok(ReceiveResponse { stock })
    }

    fn issue(&self, tx: &mut Tx, request: IssueRequest) -> Result<IssueResponse> {
        let location = model::location(request.location);
        let stock = take(tx, &model::totals(&request.lines), &location, store::issue)?;
        Ok(IssueResponse { stock })
    }

    fn reserve(&self, tx: &mut Tx, request: ReserveRequest) -> Result<ReserveResponse> {
        let location = model::location(request.location);
        let lines = model::totals(&request.lines);
        take(tx, &lines, &location, store::reserve)?;
        let reservation = tx.add(Reservation {
            id: tx.new_id("rsv"),
            state: ReservationState::Held.into(),
            location,
            lines: model::lines(lines),
            expire_time: tx.after(model::hold(request.hold_seconds)).timestamp(),
            ..Reservation::default()
        })?;
        Ok(ReserveResponse { reservation: reservation.into() })
    }

    fn commit_reservation(
        &self, tx: &mut Tx, request: CommitReservationRequest,
    ) -> Result<CommitReservationResponse> {
        // Goods whose time is over are not to be had, even if the timer has not come by yet.
        let held = store::end(tx, &request.id, ReservationState::Committed, tx.now())?;
        let Some(reservation) = held else { return Err(ended(tx, &request.id)?) };
        for line in &reservation.lines {
            let taken = store::take(tx, &line.sku, &reservation.location, line.quantity)?;
            whole(taken, &reservation.id)?;
        }
        Ok(CommitReservationResponse { reservation: reservation.into() })
    }

    fn release(&self, tx: &mut Tx, request: ReleaseRequest) -> Result<ReleaseResponse> {
        let held = store::end(tx, &request.id, ReservationState::Released, Micros(i64::MIN))?;
        let Some(reservation) = held else { return Err(ended(tx, &request.id)?) };
        for line in &reservation.lines {
            let back = store::put_back(tx, &line.sku, &reservation.location, line.quantity)?;
            whole(back, &reservation.id)?;
        }
        Ok(ReleaseResponse { reservation: reservation.into() })
    }

    fn get_reservation(
        &self, view: &View, request: GetReservationRequest,
    ) -> Result<GetReservationResponse> {
        Ok(GetReservationResponse { reservation: view.load::<Reservation>(&request.id)?.into() })
    }

    fn batch_get_reservations(
        &self, view: &View, request: BatchGetReservationsRequest,
    ) -> Result<BatchGetReservationsResponse> {
        Ok(BatchGetReservationsResponse { reservations: view.load_many(&request.ids)? })
    }

    fn get_stock(&self, view: &View, request: GetStockRequest) -> Result<GetStockResponse> {
        let stock = view.all("sku = $1 ORDER BY location", &request.sku)?;
        Ok(GetStockResponse { stock })
    }

    fn list_stock(&self, view: &View, request: ListStockRequest) -> Result<ListStockResponse> {
        let (stock, next_page_token) = view.list_all("sku, location").page(&request)?;
        Ok(ListStockResponse { stock, next_page_token })
    }

    fn release_expired(
        &self, tx: &mut Tx, _request: ReleaseExpiredRequest,
    ) -> Result<ReleaseExpiredResponse> {
        let overdue = store::overdue(tx, CHUNK)?;
        // The same goods stand in many reservations, so each row of stock is changed once, and
        // in the order in which everybody changes them.
        let mut back: BTreeMap<(String, String), i64> = BTreeMap::new();
        for Reservation { id, .. } in &overdue {
            let ended = store::end(tx, id, ReservationState::Expired, Micros(i64::MIN))?;
            let Some(Reservation { location, lines, .. }) = ended else { continue };
            for line in lines {
                *back.entry((line.sku, location.clone())).or_insert(0) += line.quantity;
            }
            tx.emit(&ReservationExpired { reservation_id: id.clone() });
        }
        for ((sku, location), quantity) in &back {
            let done = store::put_back(tx, sku, location, *quantity)?;
            whole(done, sku)?;
        }
        tx.again(overdue.len() as i64 == CHUNK);
        Ok(ReleaseExpiredResponse { count: overdue.len() as i32 })
    }
}

/// Takes every line or fails, naming the first SKU that there is too little of.
fn take(
    tx: &mut Tx, lines: &BTreeMap<String, i64>, location: &str, take: Take,
) -> Result<Vec<Stock>> {
    let mut stock = Vec::with_capacity(lines.len());
    for (sku, quantity) in lines {
        match take(tx, sku, location, *quantity)? {
            Some(row) => stock.push(row),
            None => return Err(out_of_stock(tx, sku, location, *quantity)?),
        }
    }
    Ok(stock)
}

fn out_of_stock(view: &View, sku: &str, location: &str, quantity: i64) -> Result<Error> {
    let stock: Option<Stock> = view.get((sku, location))?;
    let available = stock.map_or(0, |stock| stock.available);
    Ok(Reason::OutOfStock.because(format!(
        "{quantity} of `{sku}` were asked for at `{location}`, {available} are available"
    )))
}

/// Why a reservation cannot be ended.
fn ended(view: &View, id: &str) -> Result<Error> {
    let reservation: Reservation = view.load(id)?;
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
