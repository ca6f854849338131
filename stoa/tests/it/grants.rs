//! Rows that are granted one by one, and rows by their identifiers: on the accounts of the ledger.

use stoa_kit::{Code, Result, Service, Tx, View};
use stoa_ledger_v1::Account;
use stoa_testkit::{Node, both};

fn services() -> Vec<Service> {
    vec![stoa_ledger::service()]
}

fn account(id: &str, owner: &str) -> Account {
    Account { id: id.into(), owner_id: owner.into(), currency: "EUR".into(), ..Account::default() }
}

async fn by_admin<T: Send + 'static>(
    node: &Node, change: impl Fn(&mut Tx) -> Result<T> + Send + 'static,
) -> Result<T> {
    node.change("ledger", &node.admin(), change).await
}

async fn to_admin<T: Send + 'static>(
    node: &Node, ask: impl Fn(&View) -> Result<T> + Send + 'static,
) -> Result<T> {
    node.view("ledger", &node.admin(), ask).await
}

async fn add(node: &Node, id: &'static str, owner: &'static str) {
    let added = by_admin(node, move |tx| tx.add(account(id, owner)));
    added.await.unwrap();
}

async fn grant(
    node: &Node, id: &'static str, to: &'static str, relation: &'static str,
) -> Result<bool> {
    let granted = move |tx: &mut Tx| tx.grant::<Account>(id, to, relation);
    by_admin(node, granted).await
}

/// What somebody sees of these accounts.
async fn seen(node: &Node, user: &str, ids: &'static [&'static str]) -> Vec<String> {
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    let ask = move |view: &View| {
        let found = view.load_many::<Account>(&ids)?;
        let one_by_one: Vec<Account> = ids.iter().filter_map(|id| view.load(id).ok()).collect();
        assert_eq!(found, one_by_one);
        Ok(found.into_iter().map(|account| account.id).collect())
    };
    node.view("ledger", &node.user(user), ask).await.unwrap()
}

both! {
    async fn rows_come_in_the_order_in_which_they_were_asked_for(node: Node) {
        for (id, owner) in [("acc_a", "usr_1"), ("acc_b", "usr_2"), ("acc_c", "usr_1"), ("acc_d", "")] {
            add(&node, id, owner).await;
        }
        assert!(grant(&node, "acc_b", "usr_1", "viewer").await.unwrap());
        assert!(!grant(&node, "acc_b", "usr_1", "viewer").await.unwrap(), "it was before");
        let all = ["acc_c", "none", "acc_b", "acc_a", "acc_d", "acc_c"].as_slice();
        assert_eq!(seen(&node, "usr_1", all).await, ["acc_c", "acc_b", "acc_a", "acc_c"]);
        assert_eq!(seen(&node, "usr_2", all).await, ["acc_b"]);
        assert_eq!(seen(&node, "usr_1", &[]).await, [""; 0]);
        let many = to_admin(&node, |view| {
            view.load_many::<Account>(&vec!["acc_a".to_owned(); 1_001])
        });
        assert_eq!(many.await.unwrap_err().violations()[0].path, "ids");
    }

    async fn what_was_granted_of_a_row_goes_with_it(node: Node) {
        add(&node, "acc_a", "usr_1").await;
        grant(&node, "acc_a", "usr_2", "viewer").await.unwrap();
        assert_eq!(seen(&node, "usr_2", &["acc_a"]).await, ["acc_a"]);
        let again = by_admin(&node, |tx| {
            assert!(tx.is_granted::<Account>("acc_a", "viewer").is_ok_and(|granted| !granted));
            assert!(tx.delete::<Account>("acc_a")?);
            tx.add(account("acc_a", "usr_1"))
        });
        again.await.unwrap();
        assert_eq!(seen(&node, "usr_2", &["acc_a"]).await, [""; 0]);
        let held = to_admin(&node, |view| view.holders::<Account>("acc_a"));
        assert_eq!(held.await.unwrap(), []);
    }

    async fn only_what_the_contract_names_can_be_granted(node: Node) {
        add(&node, "acc_a", "usr_1").await;
        for (to, relation) in [("usr_2", "owner"), ("usr_2", ""), ("", "viewer")] {
            let error = grant(&node, "acc_a", to, relation).await.unwrap_err();
            assert_eq!(error.code(), Code::Internal);
        }
        for chunk in 0..20 {
            let filled = by_admin(&node, move |tx| {
                (0..50).try_for_each(|number| {
                    let viewer = format!("usr_{chunk}_{number}");
                    tx.grant::<Account>("acc_a", &viewer, "viewer").map(|_| ())
                })
            });
            filled.await.unwrap();
        }
        let full = grant(&node, "acc_a", "usr_more", "viewer");
        assert_eq!(full.await.unwrap_err().reason(), "grant.too_many");
    }
}
