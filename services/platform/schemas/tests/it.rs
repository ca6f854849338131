//! Schemas, through its contract.

#![cfg(test)]

mod it {
    mod registry;
    mod rules;
    mod subjects;
    mod validation;
}

use serde_json::Value;
use stoa_kit::{Caller, Error, Result, Service};
use stoa_schemas_v1::{RegisterSchemaRequest, Version};
use stoa_testkit::Node;

/// Schemas alone.
fn services() -> Vec<Service> {
    vec![stoa_schemas::service()]
}

stoa_testkit::compliance!(stoa_schemas::service, services);

/// Whoever works with schemas.
fn ada(node: &Node) -> Caller {
    node.user_with("usr_ada", &["schemas.*"])
}

async fn register(node: &Node, subject: &str, schema: &Value) -> Result<Version, Error> {
    let request = RegisterSchemaRequest { subject: subject.into(), schema: schema.to_string() };
    Ok(node.call(&ada(node), request).await?.version.into_option().unwrap())
}
