//! A catalogue of ninety services: what it costs to describe it.

use std::sync::Arc;

use http::Request;
use stoa_node::Port;
use stoa_rest::Rest;
use stoa_testkit::{Engine, Meter, made_up, run};

use crate::shelf::{self, contract::CONTRACT};
use crate::{Shelf, listen};

#[test]
fn ninety_services_are_described_within_a_second_and_little_memory() {
    let many = made_up(&CONTRACT, 90).into_iter().map(shelf::named);
    run(Engine::Sqlite, many.chain([shelf::service()]).collect(), |node| async move {
        let meter = Meter::start();
        let rest = Arc::new(Rest::new(node.inner().registry()));
        let shelf = Shelf { port: Port::new(node.inner(), vec![rest], listen()).unwrap() };
        let of_one = shelf.get("/openapi.json?service=she07").await.json();
        let asked = Request::get("/openapi.json").header("authorization", "Bearer user:usr_ada");
        let all = shelf.send(asked, "").await;
        let cost = meter.read();
        let all = all.json();
        assert_eq!(all["tags"].as_array().unwrap().len(), 91 + 1, "the node describes itself, too");
        let paths = |document: &serde_json::Value| document["paths"].as_object().unwrap().len();
        assert!(paths(&all) > 90 * paths(&of_one));
        cost.is_bearable();
    });
}
