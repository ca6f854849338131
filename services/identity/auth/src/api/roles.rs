//! Roles, and who has them. Whoever changes one must have what it grants: before and after.

use stoa_auth_v1::{
    CreateRoleRequest, CreateRoleResponse, DeleteRoleRequest, DeleteRoleResponse, GrantRoleRequest,
    GrantRoleResponse, ListRoleGrantsRequest, ListRoleGrantsResponse, ListRolesRequest,
    ListRolesResponse, Reason, RevokeRoleRequest, RevokeRoleResponse, Role, RoleGrant,
    UpdateRoleRequest, UpdateRoleResponse,
};
use stoa_kit::{Error, Page, Reason as _, Result, Tx, View};
use stoa_users_v1::SetAdministratorRequest;

use super::{has_all, shown};
use crate::{model, store, token};

pub(super) fn create(tx: &mut Tx<'_>, request: &CreateRoleRequest) -> Result<CreateRoleResponse> {
    if request.name == model::ADMINISTRATOR {
        return Err(built_in());
    }
    has_all(tx, &request.permissions)?;
    let role = store::insert_role(tx, &request.name, &request.description, &request.permissions)?;
    let role = role.ok_or_else(|| {
        Reason::RoleExists.because(format!("there is a role called `{}`", request.name))
    })?;
    tx.touch("auth.role", &role.name);
    Ok(CreateRoleResponse { role: role.into() })
}

pub(super) fn update(tx: &mut Tx<'_>, request: &UpdateRoleRequest) -> Result<UpdateRoleResponse> {
    let before = changeable(tx, &request.name)?;
    has_all(tx, &request.permissions)?;
    if !request.etag.is_empty() && request.etag != before.etag {
        return Err(Reason::EtagMismatch.because("the role was changed in the meantime"));
    }
    let role = store::update_role(tx, &request.name, &request.description, &request.permissions)?;
    tx.touch("auth.role", &request.name);
    Ok(UpdateRoleResponse { role: role.into() })
}

pub(super) fn delete(tx: &mut Tx<'_>, request: &DeleteRoleRequest) -> Result<DeleteRoleResponse> {
    changeable(tx, &request.name)?;
    store::delete_role(tx, &request.name)?;
    tx.touch("auth.role", &request.name);
    Ok(DeleteRoleResponse {})
}

pub(super) fn list(view: &View<'_>, request: &ListRolesRequest) -> Result<ListRolesResponse> {
    let page = Page::read(request.page_size, &request.page_token, 1)?;
    let mut roles = store::roles(view, page.after(), page.limit())?;
    let next_page_token = page.cut(&mut roles, |role| vec![role.name.clone()]);
    Ok(ListRolesResponse { roles, next_page_token })
}

pub(super) fn grant(tx: &mut Tx<'_>, request: &GrantRoleRequest) -> Result<GrantRoleResponse> {
    let role = grantable(tx, &request.role)?;
    if token::user(tx, &request.user_id)?.is_none() {
        return Err(Error::not_found("user", &request.user_id));
    }
    store::insert_grant(tx, &request.user_id, &role.name)?;
    note(tx, &role, &request.user_id, true)?;
    tx.touch("auth.role", &role.name);
    let role_grant = store::grant(tx, &request.user_id, &role.name)?;
    Ok(GrantRoleResponse { role_grant: role_grant.into() })
}

pub(super) fn revoke(tx: &mut Tx<'_>, request: &RevokeRoleRequest) -> Result<RevokeRoleResponse> {
    let role = grantable(tx, &request.role)?;
    if !store::delete_grant(tx, &request.user_id, &role.name)? {
        return Err(Error::not_found("grant of this role to", &request.user_id));
    }
    note(tx, &role, &request.user_id, false)?;
    tx.touch("auth.role", &role.name);
    Ok(RevokeRoleResponse {})
}

pub(super) fn list_grants(
    view: &View<'_>,
    request: &ListRoleGrantsRequest,
) -> Result<ListRoleGrantsResponse> {
    let page = Page::read(request.page_size, &request.page_token, 2)?;
    let user = shown(&view.access::<RoleGrant>(), &request.user_id);
    let role = (!request.role.is_empty()).then_some(request.role.as_str());
    let after = (page.key(0), page.key(1));
    let mut role_grants = store::grants(view, user.as_deref(), role, after, page.limit())?;
    let next_page_token =
        page.cut(&mut role_grants, |grant| vec![grant.user_id.clone(), grant.role.clone()]);
    Ok(ListRoleGrantsResponse { role_grants, next_page_token })
}

/// Tells `users` who administers: it sees to it that one of them stays active.
fn note(tx: &mut Tx<'_>, role: &Role, user_id: &str, administrator: bool) -> Result<()> {
    if role.built_in {
        tx.call(SetAdministratorRequest { id: user_id.to_owned(), administrator })?;
    }
    Ok(())
}

/// A role that the caller may grant and take away.
fn grantable(view: &View<'_>, name: &str) -> Result<Role> {
    let role = store::role(view, name)?.ok_or_else(|| Error::not_found("role", name))?;
    has_all(view, &role.permissions)?;
    Ok(role)
}

/// A role that the caller may change.
fn changeable(view: &View<'_>, name: &str) -> Result<Role> {
    let role = grantable(view, name)?;
    if role.built_in { Err(built_in()) } else { Ok(role) }
}

fn built_in() -> Error {
    Reason::RoleBuiltIn.because(format!("`{}` belongs to Stoa", model::ADMINISTRATOR))
}
