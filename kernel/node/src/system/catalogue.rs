//! What a node offers: its services and their methods.

use stoa_contract::{Kind, Permission};
use stoa_kit::{Result, View};

use crate::contract::{self as system, ListServicesRequest, ListServicesResponse, Method};

pub(super) fn list(view: &View, _: ListServicesRequest) -> Result<ListServicesResponse> {
    let services = view.registry().services().iter().filter_map(|service| {
        let contract = service.contract?;
        let shown = contract.methods.iter().filter(|m| m.permission != Permission::Internal);
        Some(system::Service {
            name: contract.name.to_owned(),
            full_name: contract.full_name.to_owned(),
            doc: contract.doc.to_owned(),
            needs: service.needs.iter().map(|need| (*need).to_owned()).collect(),
            methods: shown.map(|method| describe(method)).collect(),
        })
    });
    Ok(ListServicesResponse { services: services.collect() })
}

fn describe(method: &stoa_contract::Method) -> Method {
    Method {
        name: method.name.to_owned(),
        kind: match method.kind {
            Kind::Query => "query",
            Kind::Command => "command",
            Kind::Effect => "effect",
        }
        .to_owned(),
        permission: match method.permission {
            Permission::Public => "public",
            Permission::Authenticated => "authenticated",
            Permission::Internal => "internal",
            Permission::Named(name) => name,
        }
        .to_owned(),
        doc: method.doc.to_owned(),
    }
}
