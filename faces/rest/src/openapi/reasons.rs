//! Why methods refuse: for reasons of their contract, of what their service calls in the same commit, and
//! of the node, as far as these can meet them.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use stoa_contract::described::Described;
use stoa_contract::{Binding, Code, Contract, Kind, Method, Permission};
use stoa_kit::{Error, Registry};

use crate::problem::status_of;

/// Which methods a reason of the node can meet.
#[derive(Clone, Copy)]
enum Of {
    All,
    /// Those that are not for everybody.
    Known,
    /// Those that write, or reach outside.
    Changing,
    /// Those that reach outside.
    Effects,
    /// Those that take an etag.
    Tagged,
    /// Those with a body.
    Body,
    /// Those without one.
    Bodiless,
}

/// What the node refuses (`docs/spec/requests.md`).
const NODE: [(Of, &[(Code, &str, &str)]); 7] = [
    (
        Of::All,
        &[
            (Code::InvalidArgument, "request.invalid", "fields break a rule, each with its path"),
            (Code::InvalidArgument, "request.inner", "it leads to a request that breaks a rule"),
            (Code::InvalidArgument, "request.path", "the path is not UTF-8"),
            (Code::InvalidArgument, "request.query", "the query is not UTF-8"),
            (Code::InvalidArgument, "request.header", "a header of ours is not as it has to be"),
            (Code::Canceled, "request.truncated", "the body broke off"),
            (Code::FailedPrecondition, "tenant.suspended", "the tenant is suspended"),
            (Code::Unauthenticated, "auth.malformed", "the header is not `Bearer <token>`"),
            (Code::PermissionDenied, "tenant.header", "the header names a tenant, and may not"),
            (Code::PermissionDenied, "tenant.mismatch", "several tenants are meant"),
            (Code::NotFound, "tenant.unknown", "the header names no tenant"),
            (Code::NotFound, "resource.not_found", "there is none, or it is somebody else's"),
            (Code::DeadlineExceeded, "request.too_slow", "the body did not come in time"),
            (Code::ResourceExhausted, "request.too_large", "the body is too large"),
            (Code::Unimplemented, "request.compressed", "the body is compressed"),
            (Code::ResourceExhausted, "node.rate", "too many calls a second"),
            (Code::ResourceExhausted, "node.crowded", "too many bytes are on their way"),
            (Code::Internal, "internal", "a fault of ours"),
            (Code::Unavailable, "store.unavailable", "the store cannot serve now"),
            (Code::DeadlineExceeded, "request.deadline", "it is too late; it may still happen"),
        ],
    ),
    (
        Of::Known,
        &[
            (Code::Unauthenticated, "auth.required", "nobody is signed in"),
            (Code::Unauthenticated, "auth.token_invalid", "a token is forged, expired or revoked"),
            (Code::PermissionDenied, "auth.permission_denied", "the permission is missing"),
        ],
    ),
    (
        Of::Changing,
        &[
            (Code::InvalidArgument, "idempotency.malformed", "the key is none"),
            (Code::InvalidArgument, "idempotency.anonymous", "a key without a caller"),
            (Code::InvalidArgument, "idempotency.key_reused", "the key of another request"),
            (Code::FailedPrecondition, "request.fence", "no service here hands out the fence"),
            (Code::AlreadyExists, "idempotency.withheld", "it happened, and its reply was secret"),
            (Code::Aborted, "store.conflict", "others kept changing the same rows"),
            (Code::ResourceExhausted, "tenant.rate", "too many commits of the tenant a second"),
            (Code::ResourceExhausted, "tenant.jobs", "too many jobs of the tenant are waiting"),
        ],
    ),
    (
        Of::Effects,
        &[
            (Code::InvalidArgument, "request.dry_run", "what it does outside cannot be undone"),
            (Code::Aborted, "idempotency.in_progress", "a call with this key is at work"),
            (Code::Aborted, "idempotency.overtaken", "another call took this key over"),
        ],
    ),
    (Of::Tagged, &[(Code::Aborted, "request.etag", "it was changed in the meantime")]),
    (
        Of::Body,
        &[
            (Code::InvalidArgument, "json.malformed", "the body is no JSON"),
            (Code::Unimplemented, "request.content_type", "the body is something else than JSON"),
        ],
    ),
    (Of::Bodiless, &[(Code::InvalidArgument, "request.body", "there is a body")]),
];

impl Of {
    fn has(self, method: &Method, binding: &Binding) -> bool {
        match self {
            Self::All => true,
            Self::Known => method.permission != Permission::Public,
            Self::Changing => method.kind != Kind::Query,
            Self::Effects => method.kind == Kind::Effect,
            Self::Tagged => method.request.field("etag").is_some(),
            Self::Body => !binding.body.is_empty(),
            Self::Bodiless => binding.body.is_empty(),
        }
    }
}

/// What is said of each status, line by line.
type Lines = BTreeMap<StatusCode, Vec<String>>;

/// Why the methods of one contract refuse.
pub(super) struct Reasons(Lines);

impl Reasons {
    pub(super) fn new(registry: &Registry, described: &Described, contract: &Contract) -> Self {
        let mut lines = Lines::new();
        for reason in described.reasons(contract) {
            let line = format!("- `{}`: {}", reason.name, reason.help);
            lines.entry(status(reason.code, &reason.name)).or_default().push(line);
        }
        for other in called(registry, contract) {
            let mut names: BTreeMap<StatusCode, Vec<String>> = BTreeMap::new();
            for reason in described.reasons(other) {
                let name = format!("`{}`", reason.name);
                names.entry(status(reason.code, &reason.name)).or_default().push(name);
            }
            for (status, names) in names {
                let line = format!("- {}: of what is called in turn", names.join(", "));
                lines.entry(status).or_default().push(line);
            }
        }
        Self(lines)
    }

    /// What one method refuses, as asked for in one way: by its status, in words.
    pub(super) fn of(&self, method: &Method, binding: &Binding) -> BTreeMap<StatusCode, String> {
        let mut lines = Lines::new();
        for (_, reasons) in NODE.iter().filter(|(of, _)| of.has(method, binding)) {
            for (code, name, when) in *reasons {
                let line = format!("- `{name}`: {when}");
                lines.entry(status(*code, name)).or_default().push(line);
            }
        }
        for (status, own) in &self.0 {
            lines.entry(*status).or_default().extend(own.iter().cloned());
        }
        lines.into_iter().map(|(status, lines)| (status, lines.join("\n"))).collect()
    }
}

fn status(code: Code, reason: &str) -> StatusCode {
    status_of(&Error::new(code, reason.to_owned(), ""))
}

/// The contracts of what a service needs, and of what that needs: an error of any undoes the whole call.
fn called(registry: &Registry, contract: &Contract) -> Vec<&'static Contract> {
    let find = |name: &str| registry.services().iter().find(|service| service.name == name);
    let needs = |name: &str| find(name).map_or(&[][..], |service| service.needs);
    let (mut seen, mut left) = (BTreeSet::new(), needs(contract.name).to_vec());
    while let Some(name) = left.pop() {
        if seen.insert(name) {
            left.extend(needs(name));
        }
    }
    seen.into_iter().filter_map(|name| find(name)?.contract).collect()
}
