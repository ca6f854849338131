//! Roles, and who has them. Whoever changes one must have what it grants: before and after.

use stoa_auth_v1::{
    BatchGetRolesRequest, BatchGetRolesResponse, CreateRoleRequest, CreateRoleResponse,
    DeleteRoleRequest, DeleteRoleResponse, GetRoleRequest, GetRoleResponse, GrantRoleRequest,
    GrantRoleResponse, ListRoleGrantsRequest, ListRoleGrantsResponse, ListRolesRequest,
    ListRolesResponse, Reason, RevokeRoleRequest, RevokeRoleResponse, Role, RoleGrant,
    UpdateRoleRequest, UpdateRoleResponse,
};
use stoa_kit::{Error, Reason as _, Result, Tx, View, check_etag};
use stoa_users_v1::SetAdministratorRequest;

use super::has_all;
use crate::{model, store, token};

pub(super) fn create(tx: &mut Tx, request: CreateRoleRequest) -> Result<CreateRoleResponse> {
    if request.name == model::ADMINISTRATOR {
        return Err(built_in());
    }
    has_all(tx, &request.permissions)?;
    let CreateRoleRequest { name, description, permissions } = request.clone();
    let role = Role { name, description, ..role_of(permissions) };
    let role = tx.add_new(role, "name")?.ok_or_else(|| {
        Reason::RoleExists.because(format!("there is a role called `{}`", request.name))
    })?;
    Ok(CreateRoleResponse { role: role.into() })
}

pub(super) fn update(tx: &mut Tx, request: UpdateRoleRequest) -> Result<UpdateRoleResponse> {
    let before = changeable(tx, &request.name)?;
    has_all(tx, &request.permissions)?;
    check_etag(&request.etag, &before.etag)?;
    let Role { permissions, .. } = role_of(request.permissions.clone());
    let role = tx.save(Role { description: request.description.clone(), permissions, ..before })?;
    Ok(UpdateRoleResponse { role: role.into() })
}

pub(super) fn delete(tx: &mut Tx, request: DeleteRoleRequest) -> Result<DeleteRoleResponse> {
    changeable(tx, &request.name)?;
    store::delete_role(tx, &request.name)?;
    tx.touch("auth.role", &request.name);
    Ok(DeleteRoleResponse {})
}

pub(super) fn list(view: &View, request: ListRolesRequest) -> Result<ListRolesResponse> {
    let (roles, next_page_token) = view.list_all::<Role>("name").page(&request)?;
    let roles = roles.into_iter().map(shown).collect();
    Ok(ListRolesResponse { roles, next_page_token })
}

pub(super) fn get(view: &View, request: GetRoleRequest) -> Result<GetRoleResponse> {
    Ok(GetRoleResponse { role: shown(view.load(&request.name)?).into() })
}

pub(super) fn batch_get(
    view: &View, request: BatchGetRolesRequest,
) -> Result<BatchGetRolesResponse> {
    let roles = view.load_many(&request.ids)?.into_iter().map(shown).collect();
    Ok(BatchGetRolesResponse { roles })
}

pub(super) fn grant(tx: &mut Tx, request: GrantRoleRequest) -> Result<GrantRoleResponse> {
    let role = grantable(tx, &request.role)?;
    if token::user(tx, &request.user_id)?.is_none() {
        return Err(Error::not_found("user", &request.user_id));
    }
    store::insert_grant(tx, &request.user_id, &role.name)?;
    note(tx, &role, &request.user_id, true)?;
    tx.touch("auth.role", &role.name);
    let role_grant: Option<RoleGrant> = tx.get((&request.user_id, &role.name))?;
    Ok(GrantRoleResponse { role_grant: role_grant.into() })
}

pub(super) fn revoke(tx: &mut Tx, request: RevokeRoleRequest) -> Result<RevokeRoleResponse> {
    let role = grantable(tx, &request.role)?;
    if !tx.delete::<RoleGrant>((&request.user_id, &role.name))? {
        return Err(Error::not_found("grant of this role to", &request.user_id));
    }
    note(tx, &role, &request.user_id, false)?;
    tx.touch("auth.role", &role.name);
    Ok(RevokeRoleResponse {})
}

pub(super) fn list_grants(
    view: &View, request: ListRoleGrantsRequest,
) -> Result<ListRoleGrantsResponse> {
    let (role_grants, next_page_token) = view
        .list::<RoleGrant>("user_id, role")
        .owned_by(&request.user_id)
        .only("role", &request.role)
        .page(&request)?;
    Ok(ListRoleGrantsResponse { role_grants, next_page_token })
}

/// Tells `users` who administers: it sees to it that one of them stays active.
fn note(tx: &mut Tx, role: &Role, user_id: &str, administrator: bool) -> Result<()> {
    if role.built_in {
        tx.call(SetAdministratorRequest { id: user_id.to_owned(), administrator })?;
    }
    Ok(())
}

/// A role of these permissions, in order, each once.
pub(super) fn role_of(mut permissions: Vec<String>) -> Role {
    permissions.sort_unstable();
    permissions.dedup();
    Role { permissions, ..Role::default() }
}

/// A role as it is shown.
fn shown(role: Role) -> Role {
    Role { built_in: role.name == model::ADMINISTRATOR, ..role }
}

/// A role that the caller may grant and take away.
fn grantable(view: &View, name: &str) -> Result<Role> {
    let role = shown(view.load(name)?);
    has_all(view, &role.permissions)?;
    Ok(role)
}

/// A role that the caller may change.
fn changeable(view: &View, name: &str) -> Result<Role> {
    let role = grantable(view, name)?;
    if role.built_in { Err(built_in()) } else { Ok(role) }
}

fn built_in() -> Error {
    Reason::RoleBuiltIn.because(format!("`{}` belongs to Stoa", model::ADMINISTRATOR))
}
