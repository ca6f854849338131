//! Teams: some members of an organization, who leave them when they leave it.

use stoa_kit::{Error, Reason as _, Resource as _, Result, Tx, View};
use stoa_organizations_v1::*;

use crate::api::{is_seen, join, role, seen};
use crate::{model, store};

pub(crate) fn create(tx: &mut Tx, request: CreateTeamRequest) -> Result<CreateTeamResponse> {
    let CreateTeamRequest { organization_id, display_name } = request;
    model::may_give(role(tx, &organization_id)?, Role::Member)?;
    let id = tx.new_id("tem");
    let team = tx.add(Team { id, organization_id, display_name, ..Team::default() })?;
    let Team { id: team_id, organization_id, .. } = team.clone();
    tx.emit(&TeamCreated { organization_id, team_id });
    Ok(CreateTeamResponse { team: team.into() })
}

pub(crate) fn get(view: &View, request: GetTeamRequest) -> Result<GetTeamResponse> {
    Ok(GetTeamResponse { team: team(view, &request.id)?.into() })
}

pub(crate) fn batch_get(
    view: &View, request: BatchGetTeamsRequest,
) -> Result<BatchGetTeamsResponse> {
    let mut teams = Vec::new();
    for id in &request.ids {
        teams.extend(find(view, id)?);
    }
    Ok(BatchGetTeamsResponse { teams })
}

pub(crate) fn list(view: &View, request: ListTeamsRequest) -> Result<ListTeamsResponse> {
    seen(view, &request.organization_id)?;
    let list = view.list_all::<Team>("id");
    let (teams, next_page_token) =
        list.only("organization_id", &request.organization_id).page(&request)?;
    Ok(ListTeamsResponse { teams, next_page_token })
}

pub(crate) fn delete(tx: &mut Tx, request: DeleteTeamRequest) -> Result<DeleteTeamResponse> {
    let Team { id: team_id, organization_id, .. } = managed(tx, &request.id)?;
    store::delete_team(tx, &team_id)?;
    tx.emit(&TeamDeleted { organization_id, team_id });
    Ok(DeleteTeamResponse {})
}

pub(crate) fn add(tx: &mut Tx, request: AddTeamMemberRequest) -> Result<AddTeamMemberResponse> {
    let Team { organization_id, .. } = managed(tx, &request.team_id)?;
    let AddTeamMemberRequest { team_id, user_id } = request;
    if tx.get::<Member>((&organization_id, &user_id))?.is_none() {
        let message = format!("`{user_id}` does not belong to the organization");
        return Err(Reason::NotAMember.because(message));
    }
    if let Some(member) = tx.get::<TeamMember>((&team_id, &user_id))? {
        return Ok(AddTeamMemberResponse { member: member.into() });
    }
    tx.emit(&TeamMemberAdded { team_id: team_id.clone(), user_id: user_id.clone() });
    let member = TeamMember { team_id, user_id, organization_id, ..TeamMember::default() };
    Ok(AddTeamMemberResponse { member: tx.add(member)?.into() })
}

pub(crate) fn remove(
    tx: &mut Tx, request: RemoveTeamMemberRequest,
) -> Result<RemoveTeamMemberResponse> {
    let RemoveTeamMemberRequest { team_id, user_id } = request;
    match tx.caller().user() == Some(&*user_id) {
        true => team(tx, &team_id)?,
        false => managed(tx, &team_id)?,
    };
    leave(tx, team_id, user_id)?;
    Ok(RemoveTeamMemberResponse {})
}

pub(crate) fn list_members(
    view: &View, request: ListTeamMembersRequest,
) -> Result<ListTeamMembersResponse> {
    team(view, &request.team_id)?;
    let list = view.list_all::<TeamMember>("user_id");
    let (members, next_page_token) = list.only("team_id", &request.team_id).page(&request)?;
    Ok(ListTeamMembersResponse { members, next_page_token })
}

/// Makes a team what another service says that it is.
pub(crate) fn put(tx: &mut Tx, request: PutTeamRequest) -> Result<PutTeamResponse> {
    let PutTeamRequest { team_id, organization_id, display_name, user_ids } = request;
    let team = match &*team_id {
        "" => {
            seen(tx, &organization_id)?;
            let id = tx.new_id("tem");
            let team = tx.add(Team { id, organization_id, display_name, ..Team::default() })?;
            let Team { id: team_id, organization_id, .. } = team.clone();
            tx.emit(&TeamCreated { organization_id, team_id });
            team
        }
        id => {
            let team = team(tx, id)?;
            tx.save(Team { display_name, ..team })?
        }
    };
    let before = store::members_of(tx, &team.id)?;
    for user_id in before.iter().filter(|user_id| !user_ids.contains(user_id)) {
        leave(tx, team.id.clone(), user_id.clone())?;
    }
    for user_id in user_ids.into_iter().filter(|user_id| !before.contains(user_id)) {
        if tx.get::<Member>((&team.organization_id, &user_id))?.is_none() {
            join(tx, team.organization_id.clone(), user_id.clone(), Role::Member)?;
        }
        tx.emit(&TeamMemberAdded { team_id: team.id.clone(), user_id: user_id.clone() });
        let (team_id, organization_id) = (team.id.clone(), team.organization_id.clone());
        tx.add(TeamMember { team_id, user_id, organization_id, ..TeamMember::default() })?;
    }
    Ok(PutTeamResponse { team: team.into() })
}

/// Deletes a team for another service.
pub(crate) fn drop(tx: &mut Tx, request: DropTeamRequest) -> Result<DropTeamResponse> {
    if let Some(Team { id: team_id, organization_id, .. }) = tx.get::<Team>(&request.team_id)? {
        store::delete_team(tx, &team_id)?;
        tx.emit(&TeamDeleted { organization_id, team_id });
    }
    Ok(DropTeamResponse {})
}

/// Takes somebody who leaves an organization out of its teams.
pub(crate) fn leave_all(tx: &mut Tx, organization: &str, user: &str) -> Result<()> {
    let teams = store::teams_of(tx, organization, user)?;
    teams.into_iter().try_for_each(|team_id| leave(tx, team_id, user.to_owned()))
}

fn leave(tx: &mut Tx, team_id: String, user_id: String) -> Result<()> {
    if tx.delete::<TeamMember>((&team_id, &user_id))? {
        tx.touch(Team::TYPE, &team_id);
        tx.emit(&TeamMemberRemoved { team_id, user_id });
    }
    Ok(())
}

/// A team of an organization that the caller may see.
fn team(view: &View, id: &str) -> Result<Team> {
    find(view, id)?.ok_or_else(|| Error::not_found("team", id))
}

fn find(view: &View, id: &str) -> Result<Option<Team>> {
    let Some(team) = view.get::<Team>(id)? else { return Ok(None) };
    Ok(is_seen(view, &team.organization_id)?.then_some(team))
}

/// A team of an organization in whose members the caller has a say.
fn managed(view: &View, id: &str) -> Result<Team> {
    let team = team(view, id)?;
    model::may_give(role(view, &team.organization_id)?, Role::Member)?;
    Ok(team)
}
