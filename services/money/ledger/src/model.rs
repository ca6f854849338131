//! What accounts and transfers are, and the rules that need no store.

use stoa_kit::{Error, Micros, Reason as _, Result};
use stoa_ledger_v1::{AccountKind, Leg, Reason, Transfer, TrialBalance, TrialBalanceLine};

/// A balance stays within this, either way: far enough from the end of 64 bits that a sum of
/// two of them, of what is held and of what moves cannot pass it.
pub(crate) const BALANCE_MAX: i64 = 1_000_000_000_000_000_000;

/// How identifiers of accounts begin; codes must not.
pub(crate) const ACCOUNT_PREFIX: &str = "acc_";

/// What a transfer has to know of an account.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) id: String,
    pub(crate) code: Option<String>,
    pub(crate) currency: String,
    pub(crate) kind: AccountKind,
    pub(crate) floor: Option<i64>,
    /// The balance without what is held, where there is a floor.
    pub(crate) available: i64,
    pub(crate) closed: bool,
}

/// What a transfer does to one account, all its legs together.
#[derive(Debug)]
pub(crate) struct Posting {
    pub(crate) party: Party,
    pub(crate) debit: i64,
    pub(crate) credit: i64,
}

/// A change of a balance and of what is held on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) balance: i64,
    pub(crate) held: i64,
}

/// A step in the life of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It takes and gives, having held nothing.
    Post,
    /// It holds what it will take.
    Hold,
    /// It takes what it held, and gives.
    PostHeld,
    /// It gives back what it held.
    Release,
}

impl Posting {
    /// By how much the balance grows, seen from the side that the account grows on.
    pub(crate) fn growth(&self) -> i64 {
        growth(self.party.kind, self.debit, self.credit)
    }

    /// What a step changes on the account. Only what an account would lose is held, and only
    /// where there is a floor to hold it against.
    pub(crate) fn change(&self, step: Step) -> Change {
        let growth = self.growth();
        let hold = if self.party.floor.is_some() { (-growth).max(0) } else { 0 };
        match step {
            Step::Post => Change { balance: growth, held: 0 },
            Step::Hold => Change { balance: 0, held: hold },
            Step::PostHeld => Change { balance: growth, held: -hold },
            Step::Release => Change { balance: 0, held: -hold },
        }
    }
}

impl Change {
    /// Whether nothing changes.
    pub(crate) fn is_none(self) -> bool {
        self.balance == 0 && self.held == 0
    }

    /// How much more is available afterwards.
    pub(crate) fn available(self) -> i64 {
        self.balance - self.held
    }
}

/// What the legs of a transfer do to each of its accounts. Legs name accounts as the caller
/// does; afterwards they name them by their identifiers.
pub(crate) fn postings(legs: &mut [Leg], parties: Vec<Party>) -> Result<Vec<Posting>> {
    let mut postings: Vec<Posting> =
        parties.into_iter().map(|party| Posting { party, debit: 0, credit: 0 }).collect();
    for leg in legs {
        let debit = place(&postings, &leg.debit)?;
        let credit = place(&postings, &leg.credit)?;
        if debit == credit {
            let id = &postings[debit].party.id;
            return Err(Reason::SameAccount.because(format!("`{id}` would transfer to itself")));
        }
        postings[debit].debit = add(postings[debit].debit, leg.amount)?;
        postings[credit].credit = add(postings[credit].credit, leg.amount)?;
        leg.debit.clone_from(&postings[debit].party.id);
        leg.credit.clone_from(&postings[credit].party.id);
    }
    Ok(postings)
}

fn place(postings: &[Posting], name: &str) -> Result<usize> {
    let named = |party: &Party| party.id == name || party.code.as_deref() == Some(name);
    postings
        .iter()
        .position(|posting| named(&posting.party))
        .ok_or_else(|| Error::not_found("account", name))
}

/// Whether the accounts take part in a transfer of this currency.
pub(crate) fn admit(currency: &str, postings: &[Posting]) -> Result<()> {
    for Posting { party, .. } in postings {
        if party.currency != currency {
            return Err(Reason::CurrencyMismatch.because(format!(
                "account `{}` keeps {}, the transfer moves {currency}",
                party.id, party.currency
            )));
        }
        if party.closed {
            return Err(closed(&party.id));
        }
    }
    Ok(())
}

/// Whether each account can bear a step, as far as was read. Refusing here, before anything is
/// written, is cheap; what makes it certain is the guard in the statement that writes.
pub(crate) fn afford(postings: &[Posting], step: Step) -> Result<()> {
    for posting in postings {
        let change = posting.change(step).available();
        let after = add(posting.party.available, change)?;
        if change < 0 && posting.party.floor.is_some_and(|floor| after < floor) {
            return Err(insufficient(&posting.party.id));
        }
    }
    Ok(())
}

pub(crate) fn insufficient(account: &str) -> Error {
    Reason::InsufficientFunds.because(format!("account `{account}` does not have that much"))
}

pub(crate) fn closed(account: &str) -> Error {
    Reason::AccountClosed.because(format!("account `{account}` is closed"))
}

pub(crate) fn not_pending(transfer: &str) -> Error {
    Reason::TransferNotPending.because(format!("transfer `{transfer}` is not pending"))
}

pub(crate) fn overflow() -> Error {
    Reason::Overflow.because("a total would become too large")
}

/// A sum that a balance can hold.
pub(crate) fn add(total: i64, amount: i64) -> Result<i64> {
    total
        .checked_add(amount)
        .filter(|sum| (-BALANCE_MAX..=BALANCE_MAX).contains(sum))
        .ok_or_else(overflow)
}

/// By how much debits and credits make the balance of an account grow.
pub(crate) fn growth(kind: AccountKind, debit: i64, credit: i64) -> i64 {
    if grows_by_debit(kind) { debit - credit } else { credit - debit }
}

/// Whether debits make the balance of such an account grow: its normal side.
pub(crate) fn grows_by_debit(kind: AccountKind) -> bool {
    matches!(kind, AccountKind::ACCOUNT_KIND_ASSET | AccountKind::ACCOUNT_KIND_EXPENSE)
}

/// Trial balances from what the accounts hold, by currency and kind, in the order of currencies.
pub(crate) fn trial_balances(sums: Vec<(String, AccountKind, i128)>) -> Result<Vec<TrialBalance>> {
    let mut balances: Vec<TrialBalance> = Vec::new();
    for (currency, kind, sum) in sums {
        if balances.last().is_none_or(|last| last.currency != currency) {
            balances.push(TrialBalance { currency, ..TrialBalance::default() });
        }
        let Some(balance) = balances.last_mut() else { continue };
        let debit = if grows_by_debit(kind) { sum } else { -sum };
        let side = |held: i128| i64::try_from(held.max(0)).map_err(|_| overflow());
        let line =
            TrialBalanceLine { kind: kind.into(), debit: side(debit)?, credit: side(-debit)? };
        balance.debit = balance.debit.checked_add(line.debit).ok_or_else(overflow)?;
        balance.credit = balance.credit.checked_add(line.credit).ok_or_else(overflow)?;
        balance.lines.push(line);
    }
    for balance in &mut balances {
        balance.lines.sort_by_key(|line| line.kind.to_i32());
    }
    Ok(balances)
}

/// The legs that undo others.
pub(crate) fn swapped(legs: &[Leg]) -> Vec<Leg> {
    let swap = |leg: &Leg| Leg {
        debit: leg.credit.clone(),
        credit: leg.debit.clone(),
        amount: leg.amount,
    };
    legs.iter().map(swap).collect()
}

/// When a transfer is true.
pub(crate) fn effective(transfer: &Transfer) -> Micros {
    transfer.effective_time.as_option().map(Micros::of).unwrap_or_default()
}
