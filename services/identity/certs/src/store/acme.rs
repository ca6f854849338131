//! The rows of ACME: accounts, orders, what is proved for them, and nonces that were used.

use stoa_certs_v1::{
    Account, AccountState, Authorization, AuthorizationState, Order, OrderState, Reason, SpentNonce,
};
use stoa_kit::{Error, Micros, Reason as _, Result, Tx, View};

use crate::model;

/// What nonces follow from.
const NONCE: &str = "nonce";

/// A nonce, which is kept nowhere until it is used.
pub(crate) fn nonce(view: &View, chance: &[u8]) -> Result<String> {
    model::nonce(view.now(), chance, |says| view.fingerprint(NONCE, says))
}

/// Spends a nonce: whoever comes second is refused.
pub(crate) fn spend(tx: &mut Tx, nonce: &str) -> Result<()> {
    let bad = |message| Err(Reason::BadNonce.because(message));
    let made = model::nonce_time(nonce, |says| tx.fingerprint(NONCE, says))?;
    let Some(made) = made else { return bad("the nonce is none of ours") };
    let expire = made.after(model::NONCE_LIFE);
    if expire <= tx.now() {
        return bad("the nonce is too old");
    }
    let spent = SpentNonce { nonce: nonce.to_owned(), expire_time: expire.timestamp() };
    match tx.add_new(spent, "nonce")? {
        Some(_) => Ok(()),
        None => bad("the nonce was used before"),
    }
}

/// An account of an authority, by its key.
pub(crate) fn account_of_key(
    view: &View, authority_id: &str, thumbprint: &str,
) -> Result<Option<Account>> {
    view.find::<Account>("authority_id = $1 AND thumbprint = $2", (authority_id, thumbprint))
}

/// An account that may do what it asks.
pub(crate) fn valid_account(view: &View, id: &str) -> Result<Account> {
    let found = view.get::<Account>(id)?;
    let good = found.filter(|account| account.state == AccountState::Valid);
    good.ok_or_else(|| Reason::Unauthorized.because("the account was deactivated"))
}

/// Refuses another order where nothing came yet of too many.
pub(crate) fn may_order(view: &View, account_id: &str) -> Result<()> {
    let open = view.row::<(i64,)>(
        "SELECT COUNT(*) FROM certs_order \
         WHERE tenant = :tenant AND account_id = $1 AND state = 'pending'",
        account_id,
    )?;
    if open.is_some_and(|(open,)| open >= model::ORDERS_MAX) {
        let message = "too many orders of the account are pending";
        return Err(Error::exhausted(Reason::RateLimited.name(), message, model::NONCE_LIFE));
    }
    Ok(())
}

/// An order of an account.
pub(crate) fn order(view: &View, account_id: &str, id: &str) -> Result<Order> {
    let found = view.get::<Order>(id)?.filter(|order| order.account_id == account_id);
    found.map(|order| as_of(view.now(), order)).ok_or_else(unknown)
}

/// The orders of an account, the oldest first.
pub(crate) fn orders(view: &View, account_id: &str) -> Result<Vec<Order>> {
    view.all::<Order>("account_id = $1 ORDER BY id LIMIT 1000", account_id)
}

/// An order as it is by now: nothing comes of one that is over.
fn as_of(now: Micros, mut order: Order) -> Order {
    let open = order.state == OrderState::Pending || order.state == OrderState::Ready;
    if open && Micros::of(&order.expire_time) <= now {
        order.state = OrderState::Invalid.into();
    }
    order
}

/// What an account has to prove, or proved.
pub(crate) fn authorization(view: &View, account_id: &str, id: &str) -> Result<Authorization> {
    let found = view.get::<Authorization>(id)?.filter(|one| one.account_id == account_id);
    found.ok_or_else(unknown)
}

/// Keeps what a proof came to, and what follows for the order.
pub(crate) fn decide(
    tx: &mut Tx, mut authorization: Authorization, state: AuthorizationState, problem: String,
) -> Result<Authorization> {
    authorization.state = state.into();
    authorization.problem = problem;
    if state == AuthorizationState::Valid {
        authorization.validate_time = tx.now().timestamp();
    }
    let authorization = tx.save(authorization)?;
    let Some(mut order) = tx.get::<Order>(&authorization.order_id)? else {
        return Ok(authorization);
    };
    if order.state != OrderState::Pending && order.state != OrderState::Ready {
        return Ok(authorization);
    }
    if state != AuthorizationState::Valid {
        order.state = OrderState::Invalid.into();
        order.problem.clone_from(&authorization.problem);
        tx.save(order)?;
        return Ok(authorization);
    }
    let left = tx.row::<(i64,)>(
        "SELECT COUNT(*) FROM certs_authorization \
         WHERE tenant = :tenant AND order_id = $1 AND state <> 'valid'",
        &order.id,
    )?;
    if left == Some((0,)) {
        order.state = OrderState::Ready.into();
        tx.save(order)?;
    }
    Ok(authorization)
}

/// Whether an account has proved that a host is theirs, and that is not over.
pub(crate) fn has_proved(view: &View, account_id: &str, name: &str) -> Result<bool> {
    let found = view.row::<(i64,)>(
        "SELECT expire_time FROM certs_authorization WHERE tenant = :tenant AND account_id = $1 AND name = $2 \
         AND state = 'valid' AND expire_time > $3 LIMIT 1",
        (account_id, name, view.now()),
    )?;
    Ok(found.is_some())
}

fn unknown() -> Error {
    Reason::UnknownPath.because("the account has nothing of this identifier")
}
