//! Accounts and lists that are watched.

use std::time::Duration;

use stoa_kit::{Code, Result};
use stoa_ledger_v1::{CreateAccountRequest, GetAccountRequest, ListAccountsRequest};
use stoa_testkit::{Node, Watched, both};

use crate::books::{open, pay};
use crate::{ASSET, LIABILITY, services};

async fn watch(node: &Node, account: &str, etag: &str) -> Result<Watched<GetAccountRequest>> {
    node.watch(&node.admin(), GetAccountRequest { account: account.into() }, etag).await
}

/// The balance that is told next.
async fn balance(watch: &mut Watched<GetAccountRequest>) -> i64 {
    watch.next().await.expect("it is new").account.balance
}

both! {
    async fn who_watches_is_told_what_is_and_what_becomes_of_it(node: Node) {
        let (cash, wallet) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        let mut watch = watch(&node, &wallet, "").await.unwrap();
        assert_eq!(balance(&mut watch).await, 0);
        for (amount, sum) in [(500, 500), (20, 520), (3, 523)] {
            let position = watch.position;
            pay(&node, &cash, &wallet, amount).await.unwrap();
            assert_eq!(balance(&mut watch).await, sum);
            assert!(watch.position >= position, "positions grow");
        }
        // Of many changes at once the last one counts, and it comes.
        for _ in 0..50 {
            pay(&node, &cash, &wallet, 1).await.unwrap();
        }
        let mut told = 1;
        while balance(&mut watch).await < 573 {
            told += 1;
        }
        assert!(told < 50, "who is slow is told less often");
    }

    async fn what_happens_elsewhere_is_not_even_looked_at(node: Node) {
        let (cash, other) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        let mine = open(&node, LIABILITY, Some(0)).await;
        let mut watch = watch(&node, &mine, "").await.unwrap();
        assert_eq!(balance(&mut watch).await, 0);
        let before = node.reads();
        for _ in 0..20 {
            pay(&node, &cash, &other, 1).await.unwrap();
            node.skip(Duration::from_millis(100));
        }
        pay(&node, &cash, &mine, 7).await.unwrap();
        assert_eq!(balance(&mut watch).await, 7);
        // What was told of before the first look, and not yet heard of, may cost another one.
        assert!(node.reads() - before <= 3, "{}", node.reads() - before);
    }

    async fn who_comes_back_is_told_only_what_they_have_not_seen(node: Node) {
        let (cash, wallet) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        let mut first = watch(&node, &wallet, "").await.unwrap();
        assert_eq!(balance(&mut first).await, 0);
        let mut back = watch(&node, &wallet, &first.etag).await.unwrap();
        assert!(back.next().await.is_none(), "nothing is new");
        pay(&node, &cash, &wallet, 4).await.unwrap();
        assert_eq!(balance(&mut back).await, 4);
        drop(back);
        pay(&node, &cash, &wallet, 4).await.unwrap();
        let mut back = watch(&node, &wallet, &first.etag).await.unwrap();
        assert_eq!(balance(&mut back).await, 8, "what it is now, at once");
    }

    async fn a_list_is_told_again_when_it_grows(node: Node) {
        let request = ListAccountsRequest { page_size: 10, ..ListAccountsRequest::default() };
        let mut list = node.watch(&node.admin(), request, "").await.unwrap();
        for length in 0..4 {
            assert_eq!(list.next().await.unwrap().accounts.len(), length);
            open(&node, ASSET, None).await;
        }
    }

    async fn many_who_watch_the_same_look_once(node: Node) {
        let (cash, wallet) = (open(&node, ASSET, None).await, open(&node, LIABILITY, Some(0)).await);
        let mut all = Vec::new();
        for _ in 0..100 {
            let mut watch = watch(&node, &wallet, "").await.unwrap();
            assert_eq!(balance(&mut watch).await, 0);
            all.push(watch);
        }
        let before = node.reads();
        pay(&node, &cash, &wallet, 5).await.unwrap();
        for watch in &mut all {
            assert_eq!(balance(watch).await, 5);
        }
        assert!(node.reads() - before <= 3, "{}", node.reads() - before);
    }

    async fn what_cannot_be_watched_says_why(node: Node) {
        let admin = node.admin();
        let create = node.watch(&admin, CreateAccountRequest::default(), "").await;
        assert_eq!(create.err().unwrap().reason(), "watch.not_a_query");
        assert_eq!(watch(&node, "", "").await.err().unwrap().reason(), "request.invalid");
        let mut missing = watch(&node, "acc_00000000000000000000000000", "").await.unwrap();
        assert_eq!(missing.fails().await.code(), Code::NotFound);
        let request = GetAccountRequest { account: "acc_1".into() };
        let stranger = node.watch(&node.nobody(), request, "").await;
        assert_eq!(stranger.err().unwrap().reason(), "auth.required");
        let jobs = node.inner().registry().method("stoa.system.v1.SystemService/ListJobs").unwrap();
        let request = jobs.decode_request(b"{}", stoa_kit::contract::Format::Json).unwrap();
        let mut jobs = node.inner().watch(&admin, jobs.method, request, "").await.unwrap();
        assert_eq!(jobs.next().await.err().unwrap().reason(), "watch.untold");
    }
}
