//! What a node offers: its services and their methods.

use stoa_contract::{Kind, Permission};
use stoa_kit::registry::no_such_method;
use stoa_kit::{Error, Result, View};

use crate::contract::{
    self as system, ExplainAccessRequest, ExplainAccessResponse, ListServicesRequest,
    ListServicesResponse, Method,
};

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

/// Who may call a method, and whether the caller may.
pub(super) fn explain(view: &View, request: ExplainAccessRequest) -> Result<ExplainAccessResponse> {
    let method = view.registry().called(&request.method)?.method;
    if method.permission == Permission::Internal {
        return Err(no_such_method(&request.method));
    }
    let refusal = view.caller().authorize(method).err();
    let told = |what: fn(&Error) -> &str| refusal.as_ref().map_or("", what).to_owned();
    Ok(ExplainAccessResponse {
        permission: permission_of(method).to_owned(),
        kind: kind_of(method).to_owned(),
        subject: view.caller().subject.to_string(),
        allowed: refusal.is_none(),
        reason: told(Error::reason),
        message: told(Error::message),
        next: told(Error::next),
    })
}

fn describe(method: &stoa_contract::Method) -> Method {
    Method {
        name: method.name.to_owned(),
        kind: kind_of(method).to_owned(),
        permission: permission_of(method).to_owned(),
        doc: method.doc.to_owned(),
    }
}

fn kind_of(method: &stoa_contract::Method) -> &'static str {
    match method.kind {
        Kind::Query => "query",
        Kind::Command => "command",
        Kind::Effect => "effect",
    }
}

fn permission_of(method: &stoa_contract::Method) -> &'static str {
    match method.permission {
        Permission::Public => "public",
        Permission::Authenticated => "authenticated",
        Permission::Internal => "internal",
        Permission::Named(name) => name,
    }
}
