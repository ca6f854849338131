//! A catalogue of ninety services: what its schema costs.

use stoa_graphql::{GraphQl, Introspection};
use stoa_testkit::{Cost, made_up};

use crate::lending::contract::CONTRACT;

#[test]
fn ninety_services_have_a_schema_within_a_second() {
    let contracts = made_up(&CONTRACT, 90);
    let (_kept, cost) = Cost::of(|| {
        let graphql = GraphQl::new(Introspection::Off);
        graphql.prepare(&contracts).unwrap();
        graphql
    });
    cost.is_bearable();
}
