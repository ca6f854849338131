//! The ledger, through its contract.

#![cfg(test)]

#[path = "it/books.rs"]
mod books;
#[path = "it/conservation.rs"]
mod conservation;
#[path = "it/shares.rs"]
mod shares;
#[path = "it/watched.rs"]
mod watched;

use std::time::Duration;

use books::{MINUTE, hold, legs, named, open, pay, reason, transfer};
use futures::future::join_all;
use stoa_kit::{Code, Micros, Service};
use stoa_ledger_v1::{
    AccountKind, BatchCreateTransfersRequest, CloseAccountRequest, CreateAccountRequest,
    CreateTransferRequest, EnsureAccountRequest, GetBalanceRequest, GetStatementRequest,
    GetTransferRequest, GetTrialBalanceRequest, ListAccountsRequest, ListTransfersRequest,
    PostTransferRequest, ReverseTransferRequest, TransferState, VoidTransferRequest,
};
use stoa_testkit::both;

const ASSET: AccountKind = AccountKind::ACCOUNT_KIND_ASSET;
const LIABILITY: AccountKind = AccountKind::ACCOUNT_KIND_LIABILITY;
const INCOME: AccountKind = AccountKind::ACCOUNT_KIND_INCOME;

fn services() -> Vec<Service> {
    vec![stoa_ledger::service()]
}

stoa_testkit::compliance!(stoa_ledger::service, services);

both! {
    async fn a_transfer_moves_what_it_says(node: Node) {
        let (cash, wallet) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        pay(&node, &cash, &wallet, 500).await.unwrap();
        pay(&node, &wallet, &cash, 120).await.unwrap();
        assert_eq!(named(&node, &cash).await.balance, 380);
        assert_eq!(named(&node, &wallet).await.balance, 380);
    }
}

both! {
    async fn an_account_is_found_by_its_code_and_the_code_is_unique(node: Node) {
        let create = CreateAccountRequest {
            code: "customers/1234".into(),
            currency: "USD".into(),
            kind: LIABILITY.into(),
            metadata: [("tier".to_owned(), "gold".to_owned())].into(),
            ..CreateAccountRequest::default()
        };
        let made = node.call(&node.admin(), create.clone()).await.unwrap();
        let error = node.call(&node.admin(), create.clone()).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::AlreadyExists, "ledger.account_exists"));
        let found = named(&node, "customers/1234").await;
        assert_eq!(found, *made.account);
        assert_eq!(found.metadata["tier"], "gold");
        let cash = open(&node, ASSET, None).await;
        let moved = pay(&node, &cash, "customers/1234", 5).await.unwrap();
        assert_eq!(moved.legs[0].credit, found.id);
        let like_an_id = CreateAccountRequest { code: "acc_1".into(), ..create };
        let error = node.call(&node.admin(), like_an_id).await.unwrap_err();
        assert_eq!(error.violations()[0].path, "code");
    }
}

both! {
    async fn an_account_on_demand_is_opened_once_and_left_as_it_is(node: Node) {
        let request = EnsureAccountRequest {
            code: "sales/USD".into(),
            currency: "USD".into(),
            kind: INCOME.into(),
            ..EnsureAccountRequest::default()
        };
        let first = node.call(&node.system(), request.clone()).await.unwrap();
        let other = EnsureAccountRequest { currency: "EUR".into(), ..request };
        assert_eq!(node.call(&node.system(), other).await.unwrap(), first);
        assert_eq!(named(&node, "sales/USD").await.id, first.id);
    }
}

both! {
    async fn a_code_that_a_service_computes_is_closed_for_no_longer_than_it_is_needed(node: Node) {
        let request = EnsureAccountRequest {
            code: "customers/usr_1".into(),
            owner_id: "usr_1".into(),
            currency: "USD".into(),
            kind: ASSET.into(),
        };
        let first = node.call(&node.system(), request.clone()).await.unwrap();
        let close = CloseAccountRequest { account: first.id.clone() };
        node.call(&node.admin(), close).await.unwrap();
        let other = EnsureAccountRequest { currency: "EUR".into(), ..request.clone() };
        node.call(&node.system(), other).await.unwrap();
        assert!(named(&node, &first.id).await.close_time.is_set(), "it is of no use to that one");
        assert_eq!(node.call(&node.system(), request).await.unwrap(), first);
        assert!(!named(&node, &first.id).await.close_time.is_set());
        let sales = open(&node, INCOME, None).await;
        pay(&node, "customers/usr_1", &sales, 5).await.unwrap();
    }
}

both! {
    async fn an_exchange_happens_whole_or_not_at_all(node: Node) {
        let (dollars, euros) = (
            open(&node, LIABILITY, Some(0)).await,
            books::open_in(&node, "EUR", LIABILITY, Some(0)).await,
        );
        let (till, safe) = (
            open(&node, ASSET, None).await,
            books::open_in(&node, "EUR", ASSET, None).await,
        );
        let one = |currency: &str, debit: &str, credit: &str, amount| CreateTransferRequest {
            currency: currency.into(),
            legs: legs(&[(debit, credit, amount)]),
            ..CreateTransferRequest::default()
        };
        let exchange = async |requests| {
            node.call(&node.admin(), BatchCreateTransfersRequest { requests }).await
        };
        pay(&node, &till, &dollars, 100).await.unwrap();
        let done = exchange(vec![
            one("USD", &dollars, &till, 100),
            one("EUR", &safe, &euros, 90),
        ]);
        assert_eq!(done.await.unwrap().transfers.len(), 2);
        assert_eq!(named(&node, &dollars).await.balance, 0);
        assert_eq!(named(&node, &euros).await.balance, 90);
        let back = exchange(vec![
            one("USD", &till, &dollars, 101),
            one("EUR", &euros, &safe, 91),
        ]);
        assert_eq!(reason(back.await), "ledger.insufficient_funds");
        assert_eq!(named(&node, &dollars).await.balance, 0, "the first half is undone");
        let books = node.call(&node.admin(), GetTrialBalanceRequest::default()).await.unwrap();
        assert!(books.balances.iter().all(|balance| balance.debit == balance.credit));
    }
}

both! {
    async fn a_failing_leg_undoes_all(node: Node) {
        let (cash, one) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        let two = open(&node, LIABILITY, Some(0)).await;
        pay(&node, &cash, &one, 100).await.unwrap();
        let all = legs(&[(&one, &cash, 60), (&cash, &two, 60), (&two, &cash, 61)]);
        let error = transfer(&node, all, |_| ()).await.unwrap_err();
        assert_eq!(error.reason(), "ledger.insufficient_funds");
        assert_eq!(named(&node, &one).await.balance, 100);
        assert_eq!(named(&node, &two).await.balance, 0);
        assert_eq!(named(&node, &cash).await.balance, 100);
        // The legs count together: what comes in covers what goes out.
        let all = legs(&[(&one, &two, 60), (&two, &cash, 60)]);
        let moved = transfer(&node, all, |_| ()).await.unwrap();
        assert_eq!(moved.legs.len(), 2);
        assert_eq!(named(&node, &two).await.balance, 0);
        assert_eq!(named(&node, &cash).await.balance, 40);
    }
}

both! {
    async fn who_cannot_take_part_is_told_why(node: Node) {
        let (cash, sales) = (open(&node, ASSET, None).await, open(&node, INCOME, None).await);
        let euros = books::open_in(&node, "EUR", ASSET, None).await;
        assert_eq!(reason(pay(&node, &cash, &cash, 1).await), "ledger.same_account");
        assert_eq!(reason(pay(&node, &cash, &euros, 1).await), "ledger.currency_mismatch");
        assert_eq!(reason(pay(&node, &cash, "nobody", 1).await), "resource.not_found");
        pay(&node, &cash, &sales, 1).await.unwrap();
        let close = |account: &str| CloseAccountRequest { account: account.into() };
        let error = node.call(&node.admin(), close(&cash)).await.unwrap_err();
        assert_eq!(error.reason(), "ledger.account_not_empty");
        pay(&node, &sales, &cash, 1).await.unwrap();
        let closed = node.call(&node.admin(), close(&cash)).await.unwrap();
        assert!(closed.account.close_time.is_set());
        assert_eq!(reason(pay(&node, &cash, &sales, 1).await), "ledger.account_closed");
        let error = node.call(&node.admin(), close(&cash)).await.unwrap_err();
        assert_eq!(error.reason(), "ledger.account_closed");
    }
}

both! {
    async fn an_account_is_not_closed_while_a_transfer_waits_for_it(node: Node) {
        let (cash, wallet) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        let fund = pay(&node, &cash, &wallet, 100).await.unwrap().id;
        let close = |account: &str| CloseAccountRequest { account: account.into() };
        let refused = async |account: &str| {
            let error = node.call(&node.admin(), close(account)).await.unwrap_err();
            (error.code(), error.reason().to_owned())
        };
        let pending = (Code::FailedPrecondition, "ledger.transfers_pending".to_owned());
        // It would pay into one account and takes from the other: both stay open for it.
        let (till, held) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(-5)).await);
        let posted = hold(&node, &held, &till, 5, MINUTE).await.unwrap().id;
        assert_eq!(refused(&till).await, pending);
        assert_eq!(refused(&held).await, pending);
        let voided = hold(&node, &wallet, &till, 70, MINUTE).await.unwrap().id;
        node.call(&node.admin(), PostTransferRequest { id: posted.clone() }).await.unwrap();
        node.call(&node.admin(), VoidTransferRequest { id: voided }).await.unwrap();
        hold(&node, &wallet, &till, 20, MINUTE).await.unwrap();
        assert_eq!(refused(&till).await, pending, "posted and voided ones do not hide it");
        node.advance(MINUTE + Duration::from_secs(2)).await;
        for id in [posted, fund] {
            let reverse = ReverseTransferRequest { id, ..ReverseTransferRequest::default() };
            node.call(&node.admin(), reverse).await.unwrap();
        }
        for account in [&till, &held, &wallet, &cash] {
            node.call(&node.admin(), close(account)).await.unwrap();
        }
    }
}

both! {
    async fn the_last_coins_are_spent_once(node: Node) {
        let (cash, wallet) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        pay(&node, &cash, &wallet, 7).await.unwrap();
        let outcomes = join_all((0..64).map(|_| async {
            loop {
                // Whoever lost a race without a verdict asks again, as any client would.
                match pay(&node, &wallet, &cash, 1).await {
                    Err(error) if matches!(error.code(), Code::Aborted | Code::Unavailable) => {}
                    outcome => return outcome,
                }
            }
        }))
        .await;
        let (paid, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!(paid.len(), 7);
        for error in refused {
            assert_eq!(reason(error), "ledger.insufficient_funds");
        }
        let wallet = named(&node, &wallet).await;
        assert_eq!((wallet.balance, wallet.available), (0, 0));
    }
}

both! {
    async fn a_pending_transfer_holds_until_it_expires(node: Node) {
        let (cash, wallet) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        pay(&node, &cash, &wallet, 100).await.unwrap();
        let held = hold(&node, &wallet, &cash, 80, MINUTE).await.unwrap();
        assert_eq!(held.state, TransferState::TRANSFER_STATE_PENDING);
        let now = named(&node, &wallet).await;
        assert_eq!((now.balance, now.held, now.available), (100, 80, 20));
        assert_eq!(named(&node, &cash).await.balance, 100);
        assert_eq!(reason(pay(&node, &wallet, &cash, 21).await), "ledger.insufficient_funds");
        assert_eq!(reason(hold(&node, &wallet, &cash, 21, MINUTE).await), "ledger.insufficient_funds");
        node.advance(MINUTE + Duration::from_secs(2)).await;
        let now = named(&node, &wallet).await;
        assert_eq!((now.balance, now.held, now.available), (100, 0, 100));
        let get = GetTransferRequest { id: held.id.clone() };
        let expired = node.call(&node.admin(), get).await.unwrap().transfer;
        assert_eq!(expired.state, TransferState::TRANSFER_STATE_EXPIRED);
        assert!(expired.settle_time.is_set());
        let error = node.call(&node.admin(), PostTransferRequest { id: held.id }).await.unwrap_err();
        assert_eq!(error.reason(), "ledger.transfer_not_pending");
    }
}

both! {
    async fn more_transfers_expire_than_one_commit_bears(node: Node) {
        let (cash, wallet) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        pay(&node, &cash, &wallet, 150).await.unwrap();
        for _ in 0..150 {
            hold(&node, &wallet, &cash, 1, MINUTE).await.unwrap();
        }
        assert_eq!(named(&node, &wallet).await.held, 150);
        node.advance(MINUTE + Duration::from_secs(2)).await;
        // Twice the timer alone would not do: full chunks go on by themselves.
        node.advance(Duration::from_secs(1)).await;
        assert_eq!(named(&node, &wallet).await.held, 0);
    }
}

both! {
    async fn a_pending_transfer_is_posted_or_voided_once(node: Node) {
        let (cash, wallet) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        pay(&node, &cash, &wallet, 100).await.unwrap();
        let first = hold(&node, &wallet, &cash, 30, MINUTE).await.unwrap().id;
        let second = hold(&node, &wallet, &cash, 70, MINUTE).await.unwrap().id;
        node.advance(Duration::from_secs(9)).await;
        let post = |id: &str| PostTransferRequest { id: id.into() };
        let void = |id: &str| VoidTransferRequest { id: id.into() };
        let posted = node.call(&node.admin(), post(&first)).await.unwrap().transfer;
        assert_eq!(posted.effective_time, posted.settle_time);
        assert!(Micros::of(&posted.create_time) < Micros::of(&posted.effective_time));
        let voided = node.call(&node.admin(), void(&second)).await.unwrap().transfer;
        assert_eq!(voided.state, TransferState::TRANSFER_STATE_VOIDED);
        let now = named(&node, &wallet).await;
        assert_eq!((now.balance, now.held), (70, 0));
        for id in [&first, &second] {
            let error = node.call(&node.admin(), post(id)).await.unwrap_err();
            assert_eq!(error.reason(), "ledger.transfer_not_pending");
            let error = node.call(&node.admin(), void(id)).await.unwrap_err();
            assert_eq!(error.reason(), "ledger.transfer_not_pending");
        }
        let reverse = ReverseTransferRequest { id: second, ..ReverseTransferRequest::default() };
        let error = node.call(&node.admin(), reverse).await.unwrap_err();
        assert_eq!(error.reason(), "ledger.transfer_not_posted");
    }
}

both! {
    async fn a_transfer_is_reversed_once_under_a_race(node: Node) {
        let (cash, wallet) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        let id = pay(&node, &cash, &wallet, 100).await.unwrap().id;
        let outcomes = join_all((0..16).map(|_| async {
            loop {
                let reverse = ReverseTransferRequest { id: id.clone(), description: "Oops".into() };
                match node.call(&node.admin(), reverse).await {
                    Err(error) if matches!(error.code(), Code::Aborted | Code::Unavailable) => {}
                    outcome => return outcome,
                }
            }
        }))
        .await;
        let (done, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!(done.len(), 1);
        for error in refused {
            assert_eq!(reason(error), "ledger.already_reversed");
        }
        assert_eq!(named(&node, &wallet).await.balance, 0);
        let get = GetTransferRequest { id: id.clone() };
        let original = node.call(&node.admin(), get).await.unwrap().transfer;
        let get = GetTransferRequest { id: original.reversed_by.clone() };
        let reversal = node.call(&node.admin(), get).await.unwrap().transfer;
        assert_eq!(reversal.reverses, id);
        assert_eq!(reversal.legs[0].debit, wallet);
    }
}

both! {
    async fn a_total_beyond_its_bounds_is_refused(node: Node) {
        const MOST: i64 = 1_000_000_000_000_000_000;
        let (cash, sales) = (open(&node, ASSET, None).await, open(&node, INCOME, None).await);
        let wallet = open(&node, LIABILITY, Some(0)).await;
        for account in [&sales, &wallet] {
            let cash = open(&node, ASSET, None).await;
            pay(&node, &cash, account, MOST).await.unwrap();
            assert_eq!(reason(pay(&node, &cash, account, MOST).await), "ledger.overflow");
            assert_eq!(named(&node, account).await.balance, MOST);
        }
        // The books of several such accounts are added up without harm.
        let all = node.call(&node.admin(), GetTrialBalanceRequest::default()).await.unwrap();
        assert_eq!(all.balances[0].debit, 2 * MOST);
        assert_eq!(all.balances[0].credit, 2 * MOST);
        let twelve = vec![(cash.as_str(), sales.as_str(), MOST); 12];
        assert_eq!(reason(transfer(&node, legs(&twelve), |_| ()).await), "ledger.overflow");
    }
}

both! {
    async fn only_few_say_that_it_happened_earlier(node: Node) {
        let (cash, sales) = (open(&node, ASSET, None).await, open(&node, INCOME, None).await);
        let now = pay(&node, &cash, &sales, 1).await.unwrap().effective_time;
        let at = |moment: Micros| CreateTransferRequest {
            currency: "USD".into(),
            legs: legs(&[(&cash, &sales, 10)]),
            effective_time: moment.timestamp(),
            ..CreateTransferRequest::default()
        };
        let clerk = node.user_with("usr_clerk", &["ledger.transfers.create"]);
        let earlier = Micros::of(&now).before(MINUTE);
        let error = node.call(&clerk, at(earlier)).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::PermissionDenied, "ledger.backdating_denied"));
        let booker = node.user_with("usr_booker", &["ledger.transfers.*"]);
        let moved = node.call(&booker, at(earlier)).await.unwrap().transfer;
        assert_eq!(Micros::of(&moved.effective_time), earlier);
        assert!(Micros::of(&moved.create_time) > earlier);
        let later = Micros::of(&now).after(MINUTE);
        let error = node.call(&booker, at(later)).await.unwrap_err();
        assert_eq!(error.violations()[0].path, "effective_time");
    }
}

both! {
    async fn a_statement_pages_through_a_period_and_balances_are_known_as_of_a_time(node: Node) {
        let (cash, wallet) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        let mut times = Vec::new();
        for amount in 1..=9 {
            let moved = pay(&node, &cash, &wallet, amount).await.unwrap();
            times.push(Micros::of(&moved.effective_time));
            node.advance(MINUTE).await;
        }
        // Between the second and the third, but learnt last.
        let between = times[1].after(MINUTE / 2);
        let back = |request: &mut CreateTransferRequest| request.effective_time = between.timestamp();
        transfer(&node, legs(&[(&cash, &wallet, 100)]), back).await.unwrap();
        let as_of = |moment: Micros| GetBalanceRequest { account: wallet.clone(), time: moment.timestamp() };
        for (moment, expected) in [
            (times[0].before(MINUTE), 0),
            (times[0], 1),
            (times[1], 3),
            (between.before(Duration::from_micros(1)), 3),
            (between, 103),
            (times[8], 145),
        ] {
            let balance = node.call(&node.admin(), as_of(moment)).await.unwrap().balance;
            assert_eq!((balance.amount, balance.currency.as_str()), (expected, "USD"));
        }
        let request = GetStatementRequest {
            account: wallet.clone(),
            start_time: times[1].timestamp(),
            end_time: times[7].timestamp(),
            page_size: 3,
            ..GetStatementRequest::default()
        };
        let pages = node.pages(&node.admin(), request).await.unwrap();
        let (mut seen, mut expected_opening) = (Vec::new(), 1);
        for page in &pages {
            assert_eq!(page.opening_balance, expected_opening);
            expected_opening = page.closing_balance;
            seen.extend(page.entries.iter().map(|entry| (entry.credit, entry.balance)));
        }
        let expected =
            [(2, 3), (100, 103), (3, 106), (4, 110), (5, 115), (6, 121), (7, 128)];
        assert_eq!(seen, expected);
        assert_eq!(pages.len(), 3);
    }
}

both! {
    async fn a_transfer_with_a_key_happens_once(node: Node) {
        let (cash, sales) = (open(&node, ASSET, None).await, open(&node, INCOME, None).await);
        let request = CreateTransferRequest {
            currency: "USD".into(),
            legs: legs(&[(&cash, &sales, 10)]),
            ..CreateTransferRequest::default()
        };
        let admin = node.admin();
        let first = node.call_with_key(&admin, "k", request.clone()).await.unwrap();
        let again = node.call_with_key(&admin, "k", request.clone()).await.unwrap();
        assert_eq!(first, again);
        assert_eq!(named(&node, &sales).await.balance, 10);
        let other = CreateTransferRequest { reference: "another".into(), ..request };
        let error = node.call_with_key(&admin, "k", other).await.unwrap_err();
        assert_eq!(error.reason(), "idempotency.key_reused");
    }
}

both! {
    async fn users_see_their_own_accounts_and_no_others(node: Node) {
        let cash = open(&node, ASSET, None).await;
        let own = |owner: &str| CreateAccountRequest {
            owner_id: owner.into(),
            currency: "USD".into(),
            kind: LIABILITY.into(),
            floor: Some(0),
            ..CreateAccountRequest::default()
        };
        let ada = node.call(&node.admin(), own("usr_ada")).await.unwrap().account.id.clone();
        let bob = node.call(&node.admin(), own("usr_bob")).await.unwrap().account.id.clone();
        pay(&node, &cash, &ada, 5).await.unwrap();
        let user = node.user("usr_ada");
        let list = |owner: &str| ListAccountsRequest { owner_id: owner.into(), ..ListAccountsRequest::default() };
        let listed = node.call(&user, list("")).await.unwrap().accounts;
        assert_eq!(listed.iter().map(|account| &account.id).collect::<Vec<_>>(), [&ada]);
        assert_eq!(node.call(&user, list("usr_bob")).await.unwrap().accounts, []);
        assert_eq!(node.call(&node.admin(), list("usr_bob")).await.unwrap().accounts.len(), 1);
        assert_eq!(node.call(&node.admin(), list("")).await.unwrap().accounts.len(), 3);
        let statement = |account: &str| GetStatementRequest { account: account.into(), ..GetStatementRequest::default() };
        assert_eq!(node.call(&user, statement(&ada)).await.unwrap().closing_balance, 5);
        let balance = |account: &str| GetBalanceRequest { account: account.into(), ..GetBalanceRequest::default() };
        for hidden in [&bob, &cash] {
            assert_eq!(reason(books::seen(&node, &user, hidden).await), "resource.not_found");
            assert_eq!(reason(node.call(&user, statement(hidden)).await), "resource.not_found");
            assert_eq!(reason(node.call(&user, balance(hidden)).await), "resource.not_found");
        }
    }
}

both! {
    async fn accounts_are_listed_by_page_kind_and_currency(node: Node) {
        let mut assets = Vec::new();
        for _ in 0..5 {
            assets.push(open(&node, ASSET, None).await);
            open(&node, INCOME, None).await;
        }
        books::open_in(&node, "EUR", ASSET, None).await;
        let list = ListAccountsRequest {
            kind: ASSET.into(),
            currency: "USD".into(),
            page_size: 2,
            ..ListAccountsRequest::default()
        };
        let pages = node.pages(&node.admin(), list).await.unwrap();
        let accounts = pages.into_iter().flat_map(|page| page.accounts);
        let seen: Vec<String> = accounts.map(|account| account.id).collect();
        assets.sort();
        assert_eq!(seen, assets);
    }
}

both! {
    async fn transfers_of_an_account_are_listed_newest_first(node: Node) {
        let (cash, wallet) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        let other = open(&node, INCOME, None).await;
        let mut expected = Vec::new();
        for amount in 1..=6 {
            node.advance(Duration::from_secs(1)).await;
            pay(&node, &cash, &other, 1).await.unwrap();
            let moved = match amount % 3 {
                0 => hold(&node, &cash, &wallet, amount, MINUTE).await.unwrap(),
                _ => pay(&node, &cash, &wallet, amount).await.unwrap(),
            };
            expected.insert(0, moved.id);
        }
        node.advance(Duration::from_secs(1)).await;
        let post = PostTransferRequest { id: expected[3].clone() };
        node.call(&node.admin(), post).await.unwrap();
        // Posted only now, it is the newest.
        let posted = expected.remove(3);
        expected.insert(0, posted);
        let mut request =
            ListTransfersRequest { account: wallet, page_size: 4, ..ListTransfersRequest::default() };
        let first = node.call(&node.admin(), request.clone()).await.unwrap();
        request.page_token = first.next_page_token;
        let second = node.call(&node.admin(), request).await.unwrap();
        assert_eq!(second.next_page_token, "");
        let seen = first.transfers.into_iter().chain(second.transfers);
        assert_eq!(seen.map(|transfer| transfer.id).collect::<Vec<_>>(), expected);
        let all = ListTransfersRequest { page_size: 7, ..ListTransfersRequest::default() };
        let all = node.call(&node.admin(), all).await.unwrap();
        assert_eq!(all.transfers.len(), 7);
        assert!(all.transfers.windows(2).all(|two| two[0].id > two[1].id));
    }
}
