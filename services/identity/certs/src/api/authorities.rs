//! Authorities, their roots, and the bundles by which others verify.

use stoa_certs_v1::*;
use stoa_kit::{Error, Reason as _, Result, Tx, View};

use crate::model;
use crate::store::roots;

pub(super) fn create(
    tx: &mut Tx, request: CreateAuthorityRequest,
) -> Result<CreateAuthorityResponse> {
    let life = model::seconds_or(request.life_max_seconds, model::LIFE);
    let authority = Authority {
        id: tx.new_id("cau"),
        name: request.name,
        trust_domain: request.trust_domain,
        life_max_seconds: life.as_secs() as i32,
        acme_open: request.acme_open,
        ..Authority::default()
    };
    let taken =
        || Reason::AuthorityExists.because("there is an authority of this name or trust domain");
    let named = tx.find::<Authority>("name = $1", &authority.name)?;
    let trusted = tx.find::<Authority>("trust_domain = $1", &authority.trust_domain)?;
    if named.or(trusted).is_some() {
        return Err(taken());
    }
    let authority = tx.add(authority)?;
    let root = roots::add(tx, &authority)?;
    tx.emit(&AuthorityCreated { authority_id: authority.id.clone() });
    Ok(CreateAuthorityResponse { authority: authority.into(), root: root.into() })
}

pub(super) fn get(view: &View, request: GetAuthorityRequest) -> Result<GetAuthorityResponse> {
    Ok(GetAuthorityResponse { authority: view.load::<Authority>(&request.id)?.into() })
}

pub(super) fn batch_get(
    view: &View, request: BatchGetAuthoritiesRequest,
) -> Result<BatchGetAuthoritiesResponse> {
    Ok(BatchGetAuthoritiesResponse { authorities: view.load_many(&request.ids)? })
}

pub(super) fn list(
    view: &View, request: ListAuthoritiesRequest,
) -> Result<ListAuthoritiesResponse> {
    let (authorities, next_page_token) = view.list::<Authority>("name, id").page(&request)?;
    Ok(ListAuthoritiesResponse { authorities, next_page_token })
}

pub(super) fn update(
    tx: &mut Tx, request: UpdateAuthorityRequest,
) -> Result<UpdateAuthorityResponse> {
    let mut authority = tx.load::<Authority>(&request.id)?;
    request.apply(&mut authority)?;
    let authority = tx.save(authority)?;
    tx.emit(&AuthorityUpdated { authority_id: authority.id.clone() });
    Ok(UpdateAuthorityResponse { authority: authority.into() })
}

pub(super) fn rotate(
    tx: &mut Tx, request: RotateAuthorityRequest,
) -> Result<RotateAuthorityResponse> {
    let authority = tx.load::<Authority>(&request.id)?;
    Ok(RotateAuthorityResponse { root: roots::add(tx, &authority)?.into() })
}

pub(super) fn retire_root(tx: &mut Tx, request: RetireRootRequest) -> Result<RetireRootResponse> {
    let root =
        tx.get::<Root>(&request.id)?.ok_or_else(|| Error::not_found("certs.root", &request.id))?;
    let authority = tx.load::<Authority>(&root.authority_id)?;
    Ok(RetireRootResponse { root: roots::retire(tx, &authority, root)?.into() })
}

pub(super) fn rotate_due(tx: &mut Tx, _: RotateDueRootsRequest) -> Result<RotateDueRootsResponse> {
    roots::rotate_due(tx)?;
    Ok(RotateDueRootsResponse {})
}

pub(super) fn bundle(view: &View, request: GetBundleRequest) -> Result<GetBundleResponse> {
    let authority = view.load::<Authority>(&request.authority_id)?;
    let roots = roots::bundle(view, &authority.id)?;
    Ok(GetBundleResponse {
        trust_domain: authority.trust_domain,
        certificates: roots.iter().map(|root| root.certificate.as_str()).collect(),
        sequence: roots.last().map_or(0, |root| root.number),
        // Whoever asks at the last moment still has a root before it signs.
        refresh_seconds: (model::BUNDLE_KEPT.as_secs() / 2) as i32,
        roots,
    })
}
