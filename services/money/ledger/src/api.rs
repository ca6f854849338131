//! The contract's functions.

mod shares;

use std::time::Duration;

use stoa_kit::{Error, Micros, Reason as _, Resource as _, Result, Tx, View, v1::Money};
use stoa_ledger_v1::*;

use crate::model::{self, Posting, Step};
use crate::{jobs, store};

/// Whoever was granted this says when a transfer was true.
const BACKDATE: &str = "ledger.transfers.backdate";
/// How long a transfer is pending if nobody says.
const PENDING: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The service.
pub(crate) struct Ledger;

impl LedgerService for Ledger {
    fn create_account(
        &self, tx: &mut Tx, request: CreateAccountRequest,
    ) -> Result<CreateAccountResponse> {
        let account = Account {
            id: tx.new_id("acc"),
            code: request.code,
            owner_id: request.owner_id,
            currency: request.currency,
            kind: request.kind,
            floor: request.floor,
            metadata: request.metadata,
            create_time: tx.now().timestamp(),
            ..Account::default()
        };
        if !open(tx, &account)? {
            return Err(Reason::AccountExists
                .because(format!("another account has the code `{}`", account.code)));
        }
        Ok(CreateAccountResponse { account: account.into() })
    }

    fn ensure_account(
        &self, tx: &mut Tx, request: EnsureAccountRequest,
    ) -> Result<EnsureAccountResponse> {
        // An account of the house is made once, and looked for ever after.
        if request.owner_id.is_empty()
            && let Some(found) = store::account_of_code(tx, &request.code)?
        {
            return ensured(tx, found, &request.currency);
        }
        let account = Account {
            id: tx.new_id("acc"),
            code: request.code,
            owner_id: request.owner_id,
            currency: request.currency,
            kind: request.kind,
            create_time: tx.now().timestamp(),
            ..Account::default()
        };
        // Owners are many and new ones come at once: to look first for what is not there yet
        // collides with whoever makes its neighbours.
        if open(tx, &account)? {
            return Ok(EnsureAccountResponse { id: account.id, currency: account.currency });
        }
        let found = store::account_of_code(tx, &account.code)?
            .ok_or_else(|| Error::not_found("account", &account.code))?;
        ensured(tx, found, &account.currency)
    }

    fn close_account(
        &self, tx: &mut Tx, request: CloseAccountRequest,
    ) -> Result<CloseAccountResponse> {
        let mut account = existing(tx, &request.account)?;
        if let Some(transfer) = store::pending_on(tx, &account.id)? {
            return Err(Reason::TransfersPending
                .because(format!("transfer `{transfer}` is pending on account `{}`", account.id)));
        }
        if account.balance != 0 {
            return Err(Reason::AccountNotEmpty.because(format!(
                "account `{}` holds {} {}",
                account.id, account.balance, account.currency
            )));
        }
        if !store::close_account(tx, &account.id)? {
            return Err(model::closed(&account.id));
        }
        account.close_time = tx.now().timestamp();
        tx.emit(&AccountClosed { account_id: account.id.clone() });
        tx.touch(Account::TYPE, &account.id);
        Ok(CloseAccountResponse { account: account.into() })
    }

    fn get_account(&self, view: &View, request: GetAccountRequest) -> Result<GetAccountResponse> {
        Ok(GetAccountResponse { account: visible(view, &request.account)?.into() })
    }

    fn list_accounts(
        &self, view: &View, request: ListAccountsRequest,
    ) -> Result<ListAccountsResponse> {
        let (accounts, next_page_token) = view
            .list::<Account>("id")
            .owned_by(&request.owner_id)
            .only("currency", &request.currency)
            .only("kind", request.kind)
            .whole("the books have few currencies, and five kinds of accounts")
            .page(&request)?;
        let ids: Vec<String> = accounts.into_iter().map(|account| account.id).collect();
        Ok(ListAccountsResponse { accounts: store::accounts(view, &ids)?, next_page_token })
    }

    fn batch_get_accounts(
        &self, view: &View, request: BatchGetAccountsRequest,
    ) -> Result<BatchGetAccountsResponse> {
        let accounts = store::accounts(view, &request.ids)?;
        Ok(BatchGetAccountsResponse { accounts: view.visible_many(accounts, &request.ids)? })
    }

    fn share_account(
        &self, tx: &mut Tx, request: ShareAccountRequest,
    ) -> Result<ShareAccountResponse> {
        shares::share(tx, &request)
    }

    fn unshare_account(
        &self, tx: &mut Tx, request: UnshareAccountRequest,
    ) -> Result<UnshareAccountResponse> {
        shares::unshare(tx, &request)
    }

    fn create_transfer(
        &self, tx: &mut Tx, request: CreateTransferRequest,
    ) -> Result<CreateTransferResponse> {
        Ok(CreateTransferResponse { transfer: create(tx, request, "")?.into() })
    }

    fn batch_create_transfers(
        &self, tx: &mut Tx, request: BatchCreateTransfersRequest,
    ) -> Result<BatchCreateTransfersResponse> {
        let mut transfers = Vec::with_capacity(request.requests.len());
        for (index, request) in request.requests.into_iter().enumerate() {
            transfers.push(create(tx, request, &format!("requests[{index}]."))?);
        }
        Ok(BatchCreateTransfersResponse { transfers })
    }

    fn post_transfer(
        &self, tx: &mut Tx, request: PostTransferRequest,
    ) -> Result<PostTransferResponse> {
        let transfer = post_held(tx, pending(tx, &request.id)?)?;
        Ok(PostTransferResponse { transfer: transfer.into() })
    }

    fn void_transfer(
        &self, tx: &mut Tx, request: VoidTransferRequest,
    ) -> Result<VoidTransferResponse> {
        let pending = pending(tx, &request.id)?;
        let transfer = release(tx, pending, TransferState::TRANSFER_STATE_VOIDED)?;
        Ok(VoidTransferResponse { transfer: transfer.into() })
    }

    fn reverse_transfer(
        &self, tx: &mut Tx, request: ReverseTransferRequest,
    ) -> Result<ReverseTransferResponse> {
        let transfer = reverse(tx, tx.load(&request.id)?, request.description)?;
        Ok(ReverseTransferResponse { transfer: transfer.into() })
    }

    fn get_transfer(
        &self, view: &View, request: GetTransferRequest,
    ) -> Result<GetTransferResponse> {
        Ok(GetTransferResponse { transfer: view.load::<Transfer>(&request.id)?.into() })
    }

    fn batch_get_transfers(
        &self, view: &View, request: BatchGetTransfersRequest,
    ) -> Result<BatchGetTransfersResponse> {
        Ok(BatchGetTransfersResponse { transfers: view.load_many(&request.ids)? })
    }

    fn list_transfers(
        &self, view: &View, request: ListTransfersRequest,
    ) -> Result<ListTransfersResponse> {
        let mut transfers;
        let next_page_token;
        if request.account.is_empty() {
            let page = view.page(&request, 1)?;
            transfers = store::transfers(view, page.before(), page.limit())?;
            next_page_token = page.cut(&mut transfers, |transfer| vec![transfer.id.clone()])?;
        } else {
            let page = view.page(&request, 2)?;
            let account = existing(view, &request.account)?;
            let before = (Micros(page.number(0, i64::MAX)?), page.key(1));
            transfers = store::transfers_of(view, &account.id, before, page.limit())?;
            next_page_token = page.cut(&mut transfers, |transfer| {
                vec![model::effective(transfer).0.to_string(), transfer.id.clone()]
            })?;
        }
        Ok(ListTransfersResponse { transfers, next_page_token })
    }

    fn get_balance(&self, view: &View, request: GetBalanceRequest) -> Result<GetBalanceResponse> {
        let account = visible(view, &request.account)?;
        let amount = match request.time.as_option().map(Micros::of) {
            None => account.balance,
            Some(time) => balance_before(view, &account, Micros(time.0.saturating_add(1)))?,
        };
        let balance = Money { amount, currency: account.currency };
        Ok(GetBalanceResponse { balance: balance.into(), time: request.time })
    }

    fn get_statement(
        &self, view: &View, request: GetStatementRequest,
    ) -> Result<GetStatementResponse> {
        let page = view.page(&request, 3)?;
        let account = visible(view, &request.account)?;
        let start = request.start_time.as_option().map(Micros::of);
        let end = request.end_time.as_option().map_or(Micros(i64::MAX), Micros::of);
        // A token carries the balance that its page ends with, so that the pages of a statement
        // agree, and none but the first adds up what came before it.
        let after = page.number(0, start.map_or(i64::MIN, |start| start.0))?;
        let after = (Micros(after), page.key(1));
        let opening_balance = match (&page.after, start) {
            (Some(_), _) => page.number(2, 0)?,
            (None, Some(start)) => balance_before(view, &account, start)?,
            (None, None) => 0,
        };
        let mut entries = store::entries(view, &account.id, after, end, page.limit())?;
        let kind = account.kind.as_known().unwrap_or_default();
        let mut balance = opening_balance;
        for entry in &mut entries {
            balance = model::add(balance, model::growth(kind, entry.debit, entry.credit))?;
            entry.balance = balance;
        }
        let next_page_token = page.cut(&mut entries, |entry| {
            let time = entry.effective_time.as_option().map_or(0, |time| Micros::of(time).0);
            vec![time.to_string(), entry.transfer_id.clone(), entry.balance.to_string()]
        })?;
        Ok(GetStatementResponse {
            currency: account.currency,
            opening_balance,
            closing_balance: entries.last().map_or(opening_balance, |entry| entry.balance),
            entries,
            next_page_token,
        })
    }

    fn get_trial_balance(
        &self, view: &View, request: GetTrialBalanceRequest,
    ) -> Result<GetTrialBalanceResponse> {
        let balances = model::trial_balances(store::sums(view, &request.currency)?)?;
        Ok(GetTrialBalanceResponse { balances })
    }

    fn expire_transfers(
        &self, tx: &mut Tx, _request: ExpireTransfersRequest,
    ) -> Result<ExpireTransfersResponse> {
        Ok(ExpireTransfersResponse { expired: jobs::expire(tx)? as i32 })
    }

    fn fold_totals(&self, tx: &mut Tx, _request: FoldTotalsRequest) -> Result<FoldTotalsResponse> {
        Ok(FoldTotalsResponse { folded: jobs::fold(tx)? as i32 })
    }
}

/// Opens an account; false if its code is taken.
fn open(tx: &mut Tx, account: &Account) -> Result<bool> {
    if account.code.starts_with(model::ACCOUNT_PREFIX) {
        return Err(Error::field("code", "code.prefix", "must not look like an identifier"));
    }
    let opened = store::insert_account(tx, account)?;
    if opened {
        tx.emit(&AccountOpened { account_id: account.id.clone() });
        tx.touch(Account::TYPE, &account.id);
    }
    Ok(opened)
}

/// An account that was there. One that was closed is open again if it is of use: its name was
/// computed, and whoever computed it has no other.
fn ensured(
    tx: &mut Tx, (id, currency, closed): (String, String, bool), wanted: &str,
) -> Result<EnsureAccountResponse> {
    if closed && currency == wanted {
        store::reopen_account(tx, &id)?;
        tx.emit(&AccountReopened { account_id: id.clone() });
        tx.touch(Account::TYPE, &id);
    }
    Ok(EnsureAccountResponse { id, currency })
}

/// Creates a transfer; `at` is where its request stands in what was sent.
fn create(tx: &mut Tx, request: CreateTransferRequest, at: &str) -> Result<Transfer> {
    let effective = effective_time(tx, &request, at)?;
    let expires = expire_time(tx, &request, at)?;
    let transfer = Transfer {
        id: tx.new_id("trf"),
        currency: request.currency,
        legs: request.legs,
        description: request.description,
        reference: request.reference,
        metadata: request.metadata,
        effective_time: effective.timestamp(),
        create_time: tx.now().timestamp(),
        expire_time: expires.map(Micros::timestamp).unwrap_or_default(),
        ..Transfer::default()
    };
    if request.pending { hold(tx, transfer) } else { post(tx, transfer) }
}

/// Moves what a transfer says, at once.
fn post(tx: &mut Tx, mut transfer: Transfer) -> Result<Transfer> {
    let postings = admitted(tx, &mut transfer, Step::Post)?;
    transfer.state = TransferState::TRANSFER_STATE_POSTED.into();
    change(tx, &postings, Step::Post)?;
    tx.add(transfer.clone())?;
    enter(tx, &transfer, &postings)?;
    Ok(transfer)
}

/// Holds what a transfer will take.
fn hold(tx: &mut Tx, mut transfer: Transfer) -> Result<Transfer> {
    let postings = admitted(tx, &mut transfer, Step::Hold)?;
    transfer.state = TransferState::TRANSFER_STATE_PENDING.into();
    change(tx, &postings, Step::Hold)?;
    tx.add(transfer.clone())?;
    for posting in &postings {
        store::insert_hold(tx, &transfer, &posting.party.id)?;
    }
    tx.emit(&TransferHeld { transfer_id: transfer.id.clone() });
    Ok(transfer)
}

/// Moves what a pending transfer holds.
fn post_held(tx: &mut Tx, mut transfer: Transfer) -> Result<Transfer> {
    let postings = admitted(tx, &mut transfer, Step::PostHeld)?;
    for posting in &postings {
        store::delete_hold(tx, &transfer, &posting.party.id)?;
    }
    // What was not said to have happened earlier happens now.
    if transfer.effective_time == transfer.create_time {
        transfer.effective_time = tx.now().timestamp();
    }
    settle(tx, &mut transfer, TransferState::TRANSFER_STATE_POSTED)?;
    change(tx, &postings, Step::PostHeld)?;
    enter(tx, &transfer, &postings)?;
    Ok(transfer)
}

/// Gives back what a pending transfer holds, because it was voided or has expired.
pub(crate) fn release(
    tx: &mut Tx, mut transfer: Transfer, state: TransferState,
) -> Result<Transfer> {
    let parties = store::parties(tx, &transfer.legs)?;
    let postings = model::postings(&mut transfer.legs, parties)?;
    settle(tx, &mut transfer, state)?;
    change(tx, &postings, Step::Release)?;
    let transfer_id = transfer.id.clone();
    match state {
        TransferState::TRANSFER_STATE_EXPIRED => tx.emit(&TransferExpired { transfer_id }),
        _ => tx.emit(&TransferVoided { transfer_id }),
    }
    Ok(transfer)
}

/// Moves back what a posted transfer moved.
fn reverse(tx: &mut Tx, original: Transfer, description: String) -> Result<Transfer> {
    let id = &original.id;
    if original.state != TransferState::TRANSFER_STATE_POSTED {
        let moved_nothing = format!("transfer `{id}` moved nothing");
        return Err(Reason::TransferNotPosted.because(moved_nothing));
    }
    let reversal = Transfer {
        id: tx.new_id("trf"),
        legs: model::swapped(&original.legs),
        description,
        effective_time: tx.now().timestamp(),
        create_time: tx.now().timestamp(),
        reverses: id.clone(),
        currency: original.currency,
        reference: original.reference,
        ..Transfer::default()
    };
    if !store::mark_reversed(tx, id, &reversal.id)? {
        let before = format!("transfer `{id}` was reversed before");
        return Err(Reason::AlreadyReversed.because(before));
    }
    post(tx, reversal)
}

/// What a transfer does to each account, once it is known that they take part and can bear it.
/// A new transfer has written nothing so far: to refuse it costs the rest of its batch nothing.
fn admitted(tx: &Tx, transfer: &mut Transfer, step: Step) -> Result<Vec<Posting>> {
    let parties = store::parties(tx, &transfer.legs)?;
    let postings = model::postings(&mut transfer.legs, parties)?;
    model::admit(&transfer.currency, &postings)?;
    model::afford(&postings, step)?;
    Ok(postings)
}

fn change(tx: &mut Tx, postings: &[Posting], step: Step) -> Result<()> {
    for posting in postings {
        store::change(tx, posting, step)?;
        tx.touch(Account::TYPE, &posting.party.id);
    }
    Ok(())
}

/// Enters a posted transfer into the books of its accounts.
fn enter(tx: &mut Tx, transfer: &Transfer, postings: &[Posting]) -> Result<()> {
    store::insert_entries(tx, transfer, postings)?;
    tx.emit(&TransferPosted {
        transfer_id: transfer.id.clone(),
        reverses: transfer.reverses.clone(),
    });
    Ok(())
}

/// Ends the time in which a transfer was pending.
fn settle(tx: &mut Tx, transfer: &mut Transfer, state: TransferState) -> Result<()> {
    if !store::settle(tx, &transfer.id, state, model::effective(transfer))? {
        return Err(model::not_pending(&transfer.id));
    }
    transfer.state = state.into();
    transfer.settle_time = tx.now().timestamp();
    Ok(())
}

/// A transfer that is pending: one whose time is over is not, whether or not the timer has seen
/// it.
fn pending(view: &View, id: &str) -> Result<Transfer> {
    let transfer: Transfer = view.load(id)?;
    let expires = transfer.expire_time.as_option().map(Micros::of);
    let over = expires.is_some_and(|time| time <= view.now());
    if over || transfer.state != TransferState::TRANSFER_STATE_PENDING {
        return Err(model::not_pending(id));
    }
    Ok(transfer)
}

/// An account, for those who were granted the method itself.
fn existing(view: &View, name: &str) -> Result<Account> {
    store::account(view, name)?.ok_or_else(|| Error::not_found("account", name))
}

/// An account, for those who may see it.
fn visible(view: &View, name: &str) -> Result<Account> {
    view.visible(store::account(view, name)?, name)
}

/// The balance that an account had before a time: what it has now, without what came since. The
/// end of the books is asked for more often than their beginning, and is read faster this way.
fn balance_before(view: &View, account: &Account, time: Micros) -> Result<i64> {
    let debited = store::moved_since(view, &account.id, time)?;
    let kind = account.kind.as_known().unwrap_or_default();
    model::add(account.balance, model::growth(kind, 0, debited))
}

/// When a transfer is true: now, unless somebody who may says otherwise.
fn effective_time(tx: &Tx, request: &CreateTransferRequest, at: &str) -> Result<Micros> {
    let Some(time) = request.effective_time.as_option().map(Micros::of) else {
        return Ok(tx.now());
    };
    if time > tx.now() {
        let rule = "timestamp.lt_now";
        let field = format!("{at}effective_time");
        return Err(Error::field(field, rule, "must not be in the future"));
    }
    if !tx.is_nested() && !tx.caller().may(BACKDATE) {
        return Err(Reason::BackdatingDenied
            .because("you may only create transfers that are true from now on"));
    }
    Ok(time)
}

/// When a transfer expires, if it will be pending.
fn expire_time(tx: &Tx, request: &CreateTransferRequest, at: &str) -> Result<Option<Micros>> {
    let field = || format!("{at}expire_time");
    let given = request.expire_time.as_option().map(Micros::of);
    match (request.pending, given) {
        (false, None) => Ok(None),
        (false, Some(_)) => Err(Error::field(field(), "pending", "is for pending transfers only")),
        (true, Some(time)) if time <= tx.now() => {
            Err(Error::field(field(), "timestamp.gt_now", "must be in the future"))
        }
        (true, given) => Ok(Some(given.unwrap_or(tx.after(PENDING)))),
    }
}
