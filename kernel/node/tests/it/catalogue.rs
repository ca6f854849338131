//! A catalogue of ninety services, made up here: a node starts with all of them, empty, and each
//! of them answers.

use std::time::Instant;

use stoa_contract::{Check, Contract, Format, Kind, Method, Permission, Shape};
use stoa_kit::v1::Money;
use stoa_kit::{Message, Methods, Migration, Request, Service};
use stoa_node::Body;
use stoa_testkit::{Engine, run};

crate::on_both!(ninety_services_start_empty_and_answer);

/// How many tables each of them has.
const TABLES: usize = 8;

/// The services, each of a type of its own: a request's type is what finds its method.
fn services() -> Vec<Service> {
    macro_rules! tens {
        ($($ten:literal)+) => {
            [$(
                service::<{ $ten * 10 }>, service::<{ $ten * 10 + 1 }>,
                service::<{ $ten * 10 + 2 }>, service::<{ $ten * 10 + 3 }>,
                service::<{ $ten * 10 + 4 }>, service::<{ $ten * 10 + 5 }>,
                service::<{ $ten * 10 + 6 }>, service::<{ $ten * 10 + 7 }>,
                service::<{ $ten * 10 + 8 }>, service::<{ $ten * 10 + 9 }>,
            )+]
        };
    }
    let all: [fn() -> Service; 90] = tens!(0 1 2 3 4 5 6 7 8);
    all.iter().map(|service| service()).collect()
}

fn ninety_services_start_empty_and_answer(engine: Engine) {
    let begun = Instant::now();
    run(engine, services(), |node| async move {
        println!("{engine:?}: 90 services are ready after {} ms", begun.elapsed().as_millis());
        for n in 0..90 {
            let path = format!("stoa.s{n:02}.v1.S{n:02}Service/Put");
            let bound = node.inner().registry().method(&path).unwrap();
            let asked = format!(r#"{{"amount":{n},"currency":"SEK"}}"#);
            let request = bound.decode_request(asked.as_bytes(), Format::Json).unwrap();
            let answer = node.dispatch(&path, &node.admin(), "", None, request).await.unwrap();
            let Body::Message(reply) = answer.body else { panic!("{path} streams") };
            let kept = reply.as_any().downcast_ref::<Money>().unwrap();
            assert_eq!((kept.amount, &*kept.currency), (n, "SEK"), "{path}");
        }
    });
}

/// The service with a number: a contract, eight tables with an index each, and one command.
fn service<const N: usize>() -> Service {
    let contract = Contract {
        name: Put::<N>::METHOD.service,
        full_name: leak(format!("stoa.s{N:02}.v1.S{N:02}Service")),
        doc: "Keeps an amount.",
        methods: Box::leak(Box::new([Put::<N>::METHOD])),
        events: &[],
        descriptors: &[],
    };
    let tables: String = (0..TABLES)
        .map(|table| {
            format!(
                "CREATE TABLE s{N:02}_t{table} (tenant TEXT NOT NULL, id TEXT NOT NULL, \
             amount BIGINT NOT NULL, currency TEXT NOT NULL, PRIMARY KEY (tenant, id));\n\
             CREATE INDEX s{N:02}_t{table}_currency ON s{N:02}_t{table} (tenant, currency);\n"
            )
        })
        .collect();
    let put = leak(format!(
        "INSERT INTO s{N:02}_t0 (tenant, id, amount, currency) VALUES (:tenant, $1, $2, $3) \
         RETURNING amount, currency"
    ));
    let methods =
        Methods::new(Box::leak(Box::new(contract))).command(move |tx, Put::<N>(money): Put<N>| {
            let id = tx.new_id("row");
            let kept = tx.row(put, (id, money.amount, &money.currency))?;
            let (amount, currency) = kept.unwrap_or_default();
            Ok(Money { amount, currency })
        });
    Service::new(methods)
        .migrations(Box::leak(Box::new([Migration::expand("0001_tables", leak(tables))])))
}

/// A manifest is made of what lives as long as the program.
fn leak(text: String) -> &'static str {
    text.leak()
}

/// What the service with a number is asked for.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Put<const N: usize>(Money);

impl<const N: usize> Put<N> {
    const SERVICE: [u8; 3] = numbered(*b"s##", N);
    const NAME: [u8; 15] = numbered(*b"stoa.s##.v1.Put", N);
    const PATH: [u8; 26] = numbered(*b"stoa.s##.v1.S##Service/Put", N);
}

/// Writes a number of two digits wherever there is `##`.
const fn numbered<const L: usize>(mut text: [u8; L], number: usize) -> [u8; L] {
    let digits = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
    let (mut at, mut written) = (0, 0);
    while at < L {
        if text[at] == b'#' {
            text[at] = digits[written % 2];
            written += 1;
        }
        at += 1;
    }
    text
}

const fn text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("names are ASCII"),
    }
}

impl<const N: usize> Request for Put<N> {
    type Reply = Money;
    const METHOD: &'static Method = &Method {
        path: text(&Self::PATH),
        service: text(&Self::SERVICE),
        name: "Put",
        doc: "",
        kind: Kind::Command,
        streams: false,
        takes_stream: None,
        batch_gets: None,
        permission: Permission::Authenticated,
        job: None,
        prompt: false,
        price: None,
        step_up: None,
        http: &[],
        request: Money::SHAPE,
        reply: Money::SHAPE,
    };
}

impl<const N: usize> Message for Put<N> {
    const NAME: &'static str = text(&Self::NAME);
    const SHAPE: &'static Shape = Money::SHAPE;

    fn check(&self, check: &mut Check) {
        self.0.check(check);
    }
}

stoa_testkit::wraps!([const N: usize] Put<N>);
