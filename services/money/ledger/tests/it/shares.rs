//! Who sees an account besides its owner.

use std::time::Duration;

use stoa_kit::{Caller, Code};
use stoa_ledger_v1::{
    Account, AccountKind, CloseAccountRequest, CreateAccountRequest, GetAccountRequest,
    GetBalanceRequest, GetStatementRequest, ListAccountsRequest, ShareAccountRequest,
    UnshareAccountRequest,
};
use stoa_testkit::{Node, both};

use crate::{books, services};

async fn open(node: &Node, owner: &str) -> String {
    let account = CreateAccountRequest {
        currency: "USD".into(),
        owner_id: owner.into(),
        kind: AccountKind::Liability.into(),
        floor: Some(0),
        ..CreateAccountRequest::default()
    };
    // Identifiers are in the order of their time.
    node.pass(Duration::from_secs(1));
    node.call(&node.admin(), account).await.unwrap().account.id.clone()
}

async fn share(node: &Node, caller: &Caller, account: &str, viewer: &str) -> Vec<String> {
    let request = ShareAccountRequest { account: account.into(), viewer_id: viewer.into() };
    node.call(caller, request).await.unwrap().viewer_ids
}

/// What a list shows to somebody, two accounts a page.
async fn listed(node: &Node, caller: &Caller, owner: &str) -> Vec<Account> {
    let list = ListAccountsRequest {
        owner_id: owner.into(),
        page_size: 2,
        ..ListAccountsRequest::default()
    };
    let pages = node.pages(caller, list).await.unwrap();
    pages.into_iter().flat_map(|page| page.accounts).collect()
}

both! {
    async fn a_shared_account_is_seen_and_nothing_else_is_done_with_it(node: Node) {
        let (ada, bob) = (node.user("usr_ada"), node.user("usr_bob"));
        let (one, two) = (open(&node, "usr_ada").await, open(&node, "usr_ada").await);
        let own = open(&node, "usr_bob").await;
        let late = open(&node, "usr_ada").await;
        let cash = books::open(&node, AccountKind::Asset, None).await;
        books::pay(&node, &cash, &two, 70).await.unwrap();
        for account in [&two, &late] {
            assert_eq!(share(&node, &ada, account, "usr_bob").await, ["usr_bob"]);
            assert_eq!(share(&node, &ada, account, "usr_bob").await, ["usr_bob"], "as before");
        }
        let ids = |accounts: &[Account]| accounts.iter().map(|a| a.id.clone()).collect::<Vec<_>>();
        let seen = listed(&node, &bob, "").await;
        assert_eq!(ids(&seen), [two.as_str(), &own, &late], "among their own, in the order of all");
        assert_eq!(seen[0].balance, 70);
        assert_eq!(ids(&listed(&node, &bob, "usr_ada").await), [two.as_str(), &late]);
        assert_eq!(ids(&listed(&node, &bob, "usr_bob").await), [own.as_str()]);
        assert_eq!(ids(&listed(&node, &ada, "").await), [one.as_str(), &two, &late]);
        assert_eq!(listed(&node, &node.user("usr_eve"), "").await, []);
        let get = |account: &str| GetAccountRequest { account: account.into() };
        assert_eq!(node.call(&bob, get(&two)).await.unwrap().account.balance, 70);
        let balance = GetBalanceRequest { account: two.clone(), ..GetBalanceRequest::default() };
        assert_eq!(node.call(&bob, balance).await.unwrap().balance.amount, 70);
        let entries = GetStatementRequest { account: two.clone(), ..GetStatementRequest::default() };
        assert_eq!(node.call(&bob, entries).await.unwrap().entries.len(), 1);
        for (who, account) in [(&bob, &one), (&node.user("usr_eve"), &two), (&node.nobody(), &two)] {
            node.call(who, get(account)).await.unwrap_err();
        }
        let on = ShareAccountRequest { account: two.clone(), viewer_id: "usr_eve".into() };
        let error = node.call(&bob, on).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::PermissionDenied, "ledger.not_yours"));
        let close = CloseAccountRequest { account: two.clone() };
        assert_eq!(node.call(&bob, close).await.unwrap_err().code(), Code::PermissionDenied);
    }
}

both! {
    async fn what_is_hidden_again_is_gone_at_the_next_call(node: Node) {
        let (ada, bob) = (node.user("usr_ada"), node.account_with("svc_bob", &[]));
        let account = open(&node, "usr_ada").await;
        share(&node, &ada, &account, "svc_bob").await;
        share(&node, &ada, &account, "usr_eve").await;
        let get = GetAccountRequest { account: account.clone() };
        node.call(&bob, get.clone()).await.unwrap();
        let hide = UnshareAccountRequest { account: account.clone(), viewer_id: "svc_bob".into() };
        let left = node.call(&ada, hide).await.unwrap().viewer_ids;
        assert_eq!(left, ["usr_eve"]);
        assert_eq!(node.call(&bob, get).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(listed(&node, &bob, "").await, []);
        assert_eq!(listed(&node, &node.user("usr_eve"), "").await.len(), 1);
    }
}
