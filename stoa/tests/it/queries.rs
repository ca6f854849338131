//! Queries that are put together at run time, on rows of the ledger.

use stoa_kit::{Code, Filter, Result, Service, View};
use stoa_ledger_v1::{Account, AccountKind, CreateAccountRequest};
use stoa_testkit::{Node, both};

fn services() -> Vec<Service> {
    vec![stoa_ledger::service()]
}

/// What somebody may look for.
#[derive(Debug)]
enum Ask {
    Currency(&'static str),
    NotOf(&'static str),
    Kinds(Vec<String>),
    FloorBelow(i64),
    NoFloor,
    All(Vec<Ask>),
    Any(Vec<Ask>),
}

impl Ask {
    /// A question, as chance will have it.
    fn drawn(chance: &mut u64, depth: u8) -> Self {
        let mut draw = |below: u64| {
            *chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (*chance >> 33) % below
        };
        match draw(if depth == 0 { 5 } else { 7 }) {
            0 => Self::Currency(["EUR", "USD", "' OR ''='"][draw(3) as usize]),
            1 => Self::NotOf(["usr_1", "usr_2"][draw(2) as usize]),
            2 => {
                let kinds = ["asset", "income", "equity"].into_iter();
                Self::Kinds(kinds.filter(|_| draw(2) == 0).map(str::to_owned).collect())
            }
            3 => Self::FloorBelow(draw(8) as i64),
            4 => Self::NoFloor,
            kind => {
                let count = draw(4);
                let inner = (0..count).map(|_| Self::drawn(chance, depth - 1)).collect();
                if kind == 5 { Self::All(inner) } else { Self::Any(inner) }
            }
        }
    }

    fn filter(&self) -> Filter<'_> {
        match self {
            Self::Currency(currency) => Filter::is("currency", *currency),
            Self::NotOf(owner) => Filter::is_not("owner_id", *owner),
            Self::Kinds(kinds) => Filter::among("kind", kinds.as_slice()),
            Self::FloorBelow(floor) => Filter::below("floor", *floor),
            Self::NoFloor => Filter::is("floor", None::<i64>),
            Self::All(inner) => Filter::all(inner.iter().map(Self::filter)),
            Self::Any(inner) => Filter::any(inner.iter().map(Self::filter)),
        }
    }

    fn holds(&self, account: &Account) -> bool {
        use stoa_contract::Words as _;
        match self {
            Self::Currency(currency) => account.currency == *currency,
            Self::NotOf(owner) => !account.owner_id.is_empty() && account.owner_id != *owner,
            Self::Kinds(kinds) => {
                let word = account.kind.as_known().unwrap_or_default().word();
                kinds.iter().any(|kind| kind == word)
            }
            Self::FloorBelow(floor) => account.floor.is_some_and(|own| own < *floor),
            Self::NoFloor => account.floor.is_none(),
            Self::All(inner) => inner.iter().all(|ask| ask.holds(account)),
            Self::Any(inner) => inner.iter().any(|ask| ask.holds(account)),
        }
    }
}

/// Accounts of each kind there is to be looked for.
async fn open(node: &Node) {
    use AccountKind::{ACCOUNT_KIND_ASSET, ACCOUNT_KIND_EQUITY, ACCOUNT_KIND_INCOME};
    let kinds = [ACCOUNT_KIND_ASSET, ACCOUNT_KIND_EQUITY, ACCOUNT_KIND_INCOME];
    for number in 0..36_usize {
        let account = CreateAccountRequest {
            currency: ["EUR", "USD"][number % 2].to_owned(),
            kind: kinds[number % 3].into(),
            owner_id: ["", "usr_1", "usr_2"][number / 2 % 3].to_owned(),
            floor: (number % 4 > 0).then_some((number % 8) as i64),
            ..CreateAccountRequest::default()
        };
        node.call(&node.admin(), account).await.unwrap();
    }
}

async fn ask<T: Send + 'static>(
    node: &Node, ask: impl Fn(&View) -> Result<T> + Send + 'static,
) -> Result<T> {
    node.view("ledger", &node.admin(), ask).await
}

/// Identifiers of the accounts for which a question holds.
fn found(view: &View, ask: &Ask) -> Result<Vec<String>> {
    let query = view.query::<Account>("id DESC").filter(ask.filter());
    let rows = query.whole("a test looks for anything").rows(100)?;
    Ok(rows.into_iter().map(|account| account.id).collect())
}

both! {
    async fn a_query_gives_what_its_conditions_say(node: Node) {
        open(&node).await;
        let asked = ask(&node, |view| {
            let mut all = view.query::<Account>("id").rows(100)?;
            all.reverse();
            assert_eq!(all.len(), 36);
            let mut chance = 7;
            for _ in 0..200 {
                let ask = Ask::drawn(&mut chance, 3);
                let held = all.iter().filter(|account| ask.holds(account));
                let held: Vec<String> = held.map(|account| account.id.clone()).collect();
                assert_eq!(found(view, &ask)?, held, "{ask:?}");
            }
            Ok(())
        });
        asked.await.unwrap();
    }

    async fn a_name_that_is_no_column_is_no_part_of_a_query(node: Node) {
        for name in ["nonsense", "tenant", "id = id OR id", "balance", ""] {
            for (column, order) in [(name, "id"), ("id", name)] {
                let asked = ask(&node, move |view| {
                    let filter = Filter::is(column, "acc_1");
                    view.query::<Account>(order).filter(filter).rows(9)
                });
                let error = asked.await.unwrap_err();
                assert_eq!(
                    (error.code(), error.reason()),
                    (Code::InvalidArgument, "query.column"),
                    "{name}"
                );
            }
        }
        let asked = ask(&node, |view| {
            let many = (0..200_i64).map(|number| Filter::is("floor", number));
            view.query::<Account>("id").filter(Filter::any(many)).rows(9)
        });
        assert_eq!(asked.await.unwrap_err().reason(), "query.too_long");
    }

    async fn a_query_reads_the_whole_only_where_it_says_so(node: Node) {
        let asked = ask(&node, |view| {
            view.query::<Account>("currency, id").rows(9)
        });
        assert_eq!(asked.await.unwrap_err().code(), Code::Internal);
        let asked = ask(&node, |view| {
            let mine = Filter::is("owner_id", "usr_1");
            view.query::<Account>("currency, id").filter(mine).rows(9)
        });
        assert_eq!(asked.await.unwrap().len(), 0, "it goes by the index of owners");
    }
}
