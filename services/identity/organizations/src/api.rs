//! The contract's functions.

use stoa_kit::{Access, Ctx, Error, Reason as _, Resource as _, Result, Tx, View};
use stoa_organizations_v1::*;
use stoa_tokens_v1::{
    ConsumeTokenRequest, IssueTokenRequest, RevokeTokensRequest, StoreTokenRequest,
};
use stoa_users_v1::{LookupUserRequest, LookupUserRequestBy};

use crate::{model, store, teams};

/// Whoever was granted this does what an owner may, in every organization.
const MANAGE_ALL: &str = "organizations.organizations.manage_all";
/// Organizations that are let go of at once where somebody is erased.
const LEFT_AT_ONCE: i64 = 1_000;
/// Members of whom `users` is told in one commit.
const TOLD_AT_ONCE: i64 = 200;

/// Keeps the promises of `stoa.organizations.v1`.
pub(crate) struct Api;

impl OrganizationsService for Api {
    fn create_organization(
        &self, tx: &mut Tx, request: CreateOrganizationRequest,
    ) -> Result<CreateOrganizationResponse> {
        let user_id = user(tx)?;
        let (id, display_name) = (tx.new_id("org"), request.display_name);
        let organization = tx.add(Organization { id, display_name, ..Organization::default() })?;
        let organization_id = organization.id.clone();
        tx.emit(&OrganizationCreated { organization_id: organization_id.clone() });
        join(tx, organization_id, user_id, Role::Owner)?;
        Ok(CreateOrganizationResponse { organization: organization.into() })
    }

    fn get_organization(
        &self, view: &View, request: GetOrganizationRequest,
    ) -> Result<GetOrganizationResponse> {
        Ok(GetOrganizationResponse { organization: seen(view, &request.id)?.into() })
    }

    fn batch_get_organizations(
        &self, view: &View, request: BatchGetOrganizationsRequest,
    ) -> Result<BatchGetOrganizationsResponse> {
        let mut organizations = Vec::new();
        for id in &request.ids {
            if is_seen(view, id)? {
                organizations.extend(view.get::<Organization>(id)?);
            }
        }
        Ok(BatchGetOrganizationsResponse { organizations })
    }

    fn list_organizations(
        &self, view: &View, request: ListOrganizationsRequest,
    ) -> Result<ListOrganizationsResponse> {
        let page = view.page(&request, 1)?;
        let mut organizations = match (view.access::<Organization>(), view.caller().user()) {
            (Access::All, _) => {
                view.all("id > $1 ORDER BY id LIMIT $2", (page.after(), page.limit()))?
            }
            (_, Some(user)) => store::of_member(view, user, page.after(), page.limit())?,
            (_, None) => Vec::new(),
        };
        let next_page_token = page.cut(&mut organizations, |one| vec![one.id.clone()])?;
        Ok(ListOrganizationsResponse { organizations, next_page_token })
    }

    fn delete_organization(
        &self, tx: &mut Tx, request: DeleteOrganizationRequest,
    ) -> Result<DeleteOrganizationResponse> {
        model::may_give(role(tx, &request.id)?, Role::Owner)?;
        store::delete(tx, &request.id)?;
        tx.emit(&OrganizationDeleted { organization_id: request.id });
        Ok(DeleteOrganizationResponse {})
    }

    fn list_members(
        &self, view: &View, request: ListMembersRequest,
    ) -> Result<ListMembersResponse> {
        seen(view, &request.organization_id)?;
        let list = view.list_all::<Member>("user_id");
        let (members, next_page_token) =
            list.only("organization_id", &request.organization_id).page(&request)?;
        Ok(ListMembersResponse { members, next_page_token })
    }

    fn set_member_role(
        &self, tx: &mut Tx, request: SetMemberRoleRequest,
    ) -> Result<SetMemberRoleResponse> {
        let wanted = request.role.as_known().unwrap_or_default();
        let SetMemberRoleRequest { organization_id, user_id, .. } = request;
        let own = role(tx, &organization_id)?;
        let member = member(tx, &organization_id, &user_id)?;
        model::may_give(own, of(&member))?;
        model::may_give(own, wanted)?;
        if wanted != Role::Owner {
            one_stays(tx, &organization_id, &user_id)?;
        }
        let member = join(tx, organization_id, user_id, wanted)?;
        Ok(SetMemberRoleResponse { member: member.into() })
    }

    fn remove_member(
        &self, tx: &mut Tx, request: RemoveMemberRequest,
    ) -> Result<RemoveMemberResponse> {
        let RemoveMemberRequest { organization_id, user_id } = request;
        let own = role(tx, &organization_id)?;
        let member = member(tx, &organization_id, &user_id)?;
        if tx.caller().user() != Some(user_id.as_str()) {
            model::may_give(own, of(&member))?;
        }
        one_stays(tx, &organization_id, &user_id)?;
        leave(tx, organization_id, user_id)?;
        Ok(RemoveMemberResponse {})
    }

    async fn invite_member(
        &self, ctx: &Ctx, request: InviteMemberRequest,
    ) -> Result<InviteMemberResponse> {
        let secret = model::secret(ctx.secret("invitation"));
        let inviter_id = ctx.caller().owner().unwrap_or_default().to_owned();
        let store =
            StoreInvitationRequest { invite: request.into(), secret: secret.clone(), inviter_id };
        Ok(InviteMemberResponse { invitation: ctx.call(store).await?.invitation, secret })
    }

    fn tell_members(&self, tx: &mut Tx, _: TellMembersRequest) -> Result<TellMembersResponse> {
        store::tell_untold(tx, TOLD_AT_ONCE)?;
        Ok(TellMembersResponse {})
    }

    fn put_team(&self, tx: &mut Tx, request: PutTeamRequest) -> Result<PutTeamResponse> {
        teams::put(tx, request)
    }

    fn drop_team(&self, tx: &mut Tx, request: DropTeamRequest) -> Result<DropTeamResponse> {
        teams::drop(tx, request)
    }

    fn store_invitation(
        &self, tx: &mut Tx, request: StoreInvitationRequest,
    ) -> Result<StoreInvitationResponse> {
        let StoreInvitationRequest { invite, secret, inviter_id } = request;
        let InviteMemberRequest { organization_id, email, role: wanted, ttl_seconds } =
            invite.into_option().unwrap_or_default();
        let wanted = wanted.as_known().filter(|role| *role != Role::Unspecified);
        let wanted = wanted.unwrap_or(Role::Member);
        model::may_give(role(tx, &organization_id)?, wanted)?;
        let (ttl, address) = (model::ttl(ttl_seconds), store::address(tx, &email)?);
        let before = store::invitation(tx, &organization_id, address)?;
        let invitation = Invitation {
            id: before.as_ref().map_or_else(|| tx.new_id("inv"), |before| before.id.clone()),
            organization_id,
            email,
            role: wanted.into(),
            inviter_id,
            create_time: before
                .as_ref()
                .map(|before| before.create_time.clone())
                .unwrap_or_default(),
            expire_time: tx.after(ttl).timestamp(),
        };
        let invitation = match before {
            Some(_) => tx.save_with(invitation, "address", (address.as_slice(),))?,
            None => tx.add_with(invitation, "address", (address.as_slice(),))?,
        };
        let token = IssueTokenRequest {
            purpose: model::PURPOSE.into(),
            subject: invitation.id.clone(),
            ttl_seconds: i32::try_from(ttl.as_secs()).unwrap_or(i32::MAX),
            ..IssueTokenRequest::default()
        };
        tx.call(StoreTokenRequest { token: token.into(), secret, owner: String::new() })?;
        let Invitation { id: invitation_id, organization_id, .. } = invitation.clone();
        tx.emit(&MemberInvited { organization_id, invitation_id });
        Ok(StoreInvitationResponse { invitation: invitation.into() })
    }

    fn list_invitations(
        &self, view: &View, request: ListInvitationsRequest,
    ) -> Result<ListInvitationsResponse> {
        model::may_give(role(view, &request.organization_id)?, Role::Member)?;
        let list = view.list_all::<Invitation>("id");
        let (invitations, next_page_token) =
            list.only("organization_id", &request.organization_id).page(&request)?;
        Ok(ListInvitationsResponse { invitations, next_page_token })
    }

    fn revoke_invitation(
        &self, tx: &mut Tx, request: RevokeInvitationRequest,
    ) -> Result<RevokeInvitationResponse> {
        let own = role(tx, &request.organization_id)?;
        model::may_give(own, Role::Member)?;
        let invitation = tx.get::<Invitation>(&request.id)?;
        let here = |it: &Invitation| it.organization_id == request.organization_id;
        if let Some(invitation) = invitation.filter(here) {
            model::may_give(own, invitation.role.as_known().unwrap_or_default())?;
            let (subject, purpose) = (invitation.id, model::PURPOSE.into());
            tx.call(RevokeTokensRequest { subject, purpose })?;
            tx.delete::<Invitation>(&request.id)?;
        }
        Ok(RevokeInvitationResponse {})
    }

    fn accept_invitation(
        &self, tx: &mut Tx, request: AcceptInvitationRequest,
    ) -> Result<AcceptInvitationResponse> {
        let user_id = user(tx)?;
        let (secret, purpose) = (request.secret, model::PURPOSE.into());
        let spend = ConsumeTokenRequest { secret, purpose, ..ConsumeTokenRequest::default() };
        let invitation_id = tx.call(spend)?.token.subject.clone();
        let invitation = tx.get::<Invitation>(&invitation_id)?;
        let invitation =
            invitation.ok_or_else(|| Reason::Revoked.because("the invitation was taken back"))?;
        let by = Some(LookupUserRequestBy::Id(user_id.clone()));
        let user = tx.call(LookupUserRequest { by })?.user.into_option().unwrap_or_default();
        if !store::is_invited(tx, &invitation.id, &user.email)? {
            return Err(Reason::OtherAddress.because("somebody else was invited"));
        }
        tx.delete::<Invitation>(&invitation.id)?;
        let wanted = invitation.role.as_known().unwrap_or_default();
        let organization_id = invitation.organization_id;
        let organization = tx.get::<Organization>(&organization_id)?;
        let organization =
            organization.ok_or_else(|| Error::not_found("organization", &organization_id))?;
        let known = tx.get::<Member>((&organization_id, &user_id))?;
        let member = match known.filter(|known| of(known) as i32 >= wanted as i32) {
            Some(known) => known,
            None => join(tx, organization_id, user_id, wanted)?,
        };
        Ok(AcceptInvitationResponse { organization: organization.into(), member: member.into() })
    }

    fn create_team(&self, tx: &mut Tx, request: CreateTeamRequest) -> Result<CreateTeamResponse> {
        teams::create(tx, request)
    }

    fn get_team(&self, view: &View, request: GetTeamRequest) -> Result<GetTeamResponse> {
        teams::get(view, request)
    }

    fn batch_get_teams(
        &self, view: &View, request: BatchGetTeamsRequest,
    ) -> Result<BatchGetTeamsResponse> {
        teams::batch_get(view, request)
    }

    fn list_teams(&self, view: &View, request: ListTeamsRequest) -> Result<ListTeamsResponse> {
        teams::list(view, request)
    }

    fn delete_team(&self, tx: &mut Tx, request: DeleteTeamRequest) -> Result<DeleteTeamResponse> {
        teams::delete(tx, request)
    }

    fn add_team_member(
        &self, tx: &mut Tx, request: AddTeamMemberRequest,
    ) -> Result<AddTeamMemberResponse> {
        teams::add(tx, request)
    }

    fn remove_team_member(
        &self, tx: &mut Tx, request: RemoveTeamMemberRequest,
    ) -> Result<RemoveTeamMemberResponse> {
        teams::remove(tx, request)
    }

    fn list_team_members(
        &self, view: &View, request: ListTeamMembersRequest,
    ) -> Result<ListTeamMembersResponse> {
        teams::list_members(view, request)
    }
}

/// Lets go of somebody who is erased. What nobody else belongs to goes with them, and so does what they
/// were invited to.
pub(crate) fn erase(tx: &mut Tx, user_id: &str) -> Result<()> {
    let by = Some(LookupUserRequestBy::Id(user_id.to_owned()));
    let user = tx.call(LookupUserRequest { by })?.user.into_option().unwrap_or_default();
    if !user.email.is_empty() {
        store::uninvite(tx, &user.email)?;
    }
    for organization_id in store::organizations_of(tx, user_id, LEFT_AT_ONCE)? {
        if store::has_others(tx, &organization_id, user_id)? {
            one_stays(tx, &organization_id, user_id)?;
            leave(tx, organization_id, user_id.to_owned())?;
        } else {
            store::delete(tx, &organization_id)?;
            tx.emit(&OrganizationDeleted { organization_id });
        }
    }
    Ok(())
}

/// The user who calls.
fn user(view: &View) -> Result<String> {
    let user = view.caller().user().map(str::to_owned);
    user.ok_or_else(|| Reason::NotAUser.because("only users belong to organizations"))
}

/// Whether the caller may see an organization, if it is there.
pub(crate) fn is_seen(view: &View, id: &str) -> Result<bool> {
    match (view.access::<Organization>(), view.caller().user()) {
        (Access::All, _) => Ok(true),
        (_, Some(user)) => Ok(view.get::<Member>((id, user))?.is_some()),
        (_, None) => Ok(false),
    }
}

/// An organization that the caller may see.
pub(crate) fn seen(view: &View, id: &str) -> Result<Organization> {
    let found = if is_seen(view, id)? { view.get::<Organization>(id)? } else { None };
    found.ok_or_else(|| Error::not_found("organization", id))
}

/// What the caller is in an organization that they see.
pub(crate) fn role(view: &View, organization: &str) -> Result<Role> {
    let caller = view.caller();
    if caller.may(MANAGE_ALL) {
        return seen(view, organization).map(|_| Role::Owner);
    }
    let member = match caller.user() {
        Some(user) => view.get::<Member>((organization, user))?,
        None => None,
    };
    match member {
        Some(member) => Ok(of(&member)),
        None if caller.may(Organization::WIDE) => {
            Err(Reason::RoleTooLow.because("this is for members"))
        }
        None => Err(Error::not_found("organization", organization)),
    }
}

/// What a member is.
fn of(member: &Member) -> Role {
    member.role.as_known().unwrap_or_default()
}

fn member(view: &View, organization: &str, user: &str) -> Result<Member> {
    view.get::<Member>((organization, user))?.ok_or_else(|| Error::not_found("member", user))
}

/// Refuses to lose the last owner.
fn one_stays(view: &View, organization: &str, user: &str) -> Result<()> {
    match store::is_last_owner(view, organization, user)? {
        true => Err(Reason::LastOwner.because("this is the last owner")),
        false => Ok(()),
    }
}

pub(crate) fn join(
    tx: &mut Tx, organization_id: String, user_id: String, role: Role,
) -> Result<Member> {
    let member = Member { organization_id, user_id, role: role.into(), ..Member::default() };
    let member = store::put_member(tx, member)?;
    let Member { organization_id, user_id, role, .. } = member.clone();
    tx.emit(&MemberChanged { organization_id, user_id, role });
    Ok(member)
}

fn leave(tx: &mut Tx, organization_id: String, user_id: String) -> Result<()> {
    store::drop_member(tx, &organization_id, &user_id)?;
    teams::leave_all(tx, &organization_id, &user_id)?;
    tx.emit(&MemberRemoved { organization_id, user_id });
    Ok(())
}
