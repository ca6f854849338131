//! What an event says of a person: sealed in the log, opened for whoever subscribes, and gone with
//! the person's key.

use serde_json::json;
use stoa_contract::{Check, Contract, EventType, Kind, Method, Permission, Shape};
use stoa_kit::v1::Money;
use stoa_kit::{Event, Message, Methods, Migration, Request, Result, Service, Start, Tx};
use stoa_testkit::{Engine, Node, run};

use crate::echo;

crate::on_both!(what_an_event_says_of_a_person_goes_with_their_key);

const CONTRACT: &Contract = &Contract {
    name: "diary",
    full_name: "stoa.diary.v1.DiaryService",
    doc: "Hears confessions.",
    methods: &[Confess::METHOD],
    events: &[EventType::of::<Confessed>()],
    descriptors: &[],
};

const TABLES: &[Migration] = &[Migration::expand(
    "0001_diary",
    "CREATE TABLE diary_heard (tenant TEXT NOT NULL, ear TEXT NOT NULL, id TEXT NOT NULL,
         number BIGINT NOT NULL, PRIMARY KEY (tenant, ear, id))",
)];

/// Confesses a number.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Confess(Money);

/// It was confessed: the number is about whom the currency names.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Confessed(Money);

stoa_testkit::wraps!(Confess);
stoa_testkit::wraps!(Confessed);

impl Message for Confess {
    const NAME: &'static str = "stoa.diary.v1.Confess";
    const SHAPE: &'static Shape = Money::SHAPE;

    fn check(&self, _: &mut Check) {}
}

impl Message for Confessed {
    const NAME: &'static str = "stoa.diary.v1.Confessed";
    const SHAPE: &'static Shape = Money::SHAPE;
    const PERSONAL: bool = true;

    fn check(&self, _: &mut Check) {}

    fn take_personal(&mut self) -> Vec<(String, Self)> {
        let amount = std::mem::take(&mut self.0.amount);
        vec![(self.0.currency.clone(), Self(Money { amount, ..Money::default() }))]
    }
}

impl Event for Confessed {
    const TOPIC: &'static str = "diary.confessed";

    fn subject(&self) -> &str {
        &self.0.currency
    }
}

impl Request for Confess {
    type Reply = Money;
    const METHOD: &'static Method = &Method {
        path: "stoa.diary.v1.DiaryService/Confess",
        service: "diary",
        name: "Confess",
        kind: Kind::Command,
        permission: Permission::Public,
        request: Money::SHAPE,
        reply: Money::SHAPE,
        ..*<crate::messages::Say as Request>::METHOD
    };
}

fn methods() -> Methods {
    Methods::new(CONTRACT).tells_of_people().command(|tx, said: Confess| {
        tx.emit(&Confessed(said.0));
        Ok(Money::default())
    })
}

/// The service, as it hears by this ear what the log still holds.
fn heard_by(ear: &'static str) -> Service {
    let hear = move |tx: &mut Tx, said: Confessed| -> Result<()> {
        const HEAR: &str = "INSERT INTO diary_heard (tenant, ear, id, number) \
             VALUES (:tenant, $1, $2, $3)";
        tx.execute(HEAR, (ear, tx.new_id("x"), said.0.amount)).map(|_| ())
    };
    let service = Service::new(methods()).migrations(TABLES).erases(|_, _| Ok(()));
    service.on::<Confessed>(ear, Start::Oldest, 1, hear)
}

async fn heard(node: &Node) -> Vec<i64> {
    const HEARD: &str = "SELECT number FROM diary_heard WHERE tenant = :tenant ORDER BY number \
         /* whole: a test's */";
    let rows: Vec<(i64,)> = echo::rows(node.inner(), HEARD).await;
    rows.into_iter().map(|(number,)| number).collect()
}

fn what_an_event_says_of_a_person_goes_with_their_key(engine: Engine) {
    let said = |amount| Confess(Money { amount, currency: "usr_1".to_owned() });
    run(engine, vec![heard_by("first")], |node| async move {
        node.call(&node.admin(), said(42)).await.unwrap();
        node.settle().await;
        assert_eq!(heard(&node).await, [42]);
        let kept: Vec<Confessed> = node.events().await;
        assert_eq!(kept, [Confessed(said(0).0)], "read as it is kept, it says nothing of them");

        let subject = json!({"subject": "usr_1"});
        echo::system(&node, "EraseSubject", subject).await.unwrap();
        node.call(&node.admin(), said(43)).await.unwrap();
        let node = node.crash(vec![heard_by("second")]).await;
        node.settle().await;
        // What came before and after the end of the key, by an ear that comes later.
        assert_eq!(heard(&node).await, [0, 0, 42]);
    });
}

#[test]
fn who_is_told_of_people_says_where_that_stays() {
    let error = Service::new(methods()).check().unwrap_err();
    assert_eq!(error.reason(), "node.catalogue");
    assert!(error.next().contains(".erases"), "{error:?}");
}
