//! What would be answered otherwise after a change.

use std::collections::BTreeSet;

use stoa_access_v1::{CheckRequest, Decision, Flip, ListObjectsRequest, ListUsersRequest};

/// Flips that are told at once.
pub(crate) const FLIPS_MAX: usize = 1_000;

pub(crate) fn flip(check: CheckRequest, before: Decision, after: Decision) -> Flip {
    Flip { check: check.into(), before: before.into(), after: after.into() }
}

/// The objects of one list that are not in the other.
pub(crate) fn objects(
    list: &ListObjectsRequest, before: &BTreeSet<String>, after: &BTreeSet<String>,
) -> Vec<Flip> {
    differing(before, after, |object| CheckRequest {
        user: list.user.clone(),
        relation: list.relation.clone(),
        object: object.to_owned(),
        context: list.context.clone(),
        model_id: list.model_id.clone(),
        attributes: list.attributes.clone(),
    })
}

/// The users of one list who are not in the other.
pub(crate) fn users(
    list: &ListUsersRequest, before: &BTreeSet<String>, after: &BTreeSet<String>,
) -> Vec<Flip> {
    differing(before, after, |user| CheckRequest {
        user: user.to_owned(),
        relation: list.relation.clone(),
        object: list.object.clone(),
        context: list.context.clone(),
        model_id: list.model_id.clone(),
        attributes: list.attributes.clone(),
    })
}

fn differing(
    before: &BTreeSet<String>, after: &BTreeSet<String>, check: impl Fn(&str) -> CheckRequest,
) -> Vec<Flip> {
    let said = |names: &BTreeSet<String>, name: &str| Decision {
        allowed: names.contains(name),
        reason: String::new(),
    };
    let differ = before.symmetric_difference(after);
    differ.map(|name| flip(check(name), said(before, name), said(after, name))).collect()
}
