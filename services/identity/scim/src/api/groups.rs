//! Groups: teams of the one organization that the settings name.

use serde_json::{Value, json};
use stoa_kit::{Error, Micros, Reason as _, Result, Tx, View};
use stoa_organizations_v1::{
    DropTeamRequest, GetTeamRequest, ListTeamMembersRequest, PutTeamRequest,
};
use stoa_scim_v1::*;

use super::{check_version, complete, read_document, wanted};
use crate::model::{self, Object, invalid_value, schema};
use crate::{face, store};

/// Members that are read at once.
const PAGE: i32 = 1_000;

pub(super) fn find(view: &View, id: &str) -> Result<Option<Object>> {
    let Some(group) = view.get::<Group>(id)? else { return Ok(None) };
    shown(view, group)
}

pub(super) fn all(view: &View) -> Result<Vec<Object>> {
    let groups = store::groups(view)?;
    if groups.len() as i64 > store::SCAN_MAX {
        return Err(Reason::TooMany.because("there are more groups than are looked at"));
    }
    let shown = groups.into_iter().map(|group| shown(view, group));
    Ok(shown.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// A group as it is, with who is in its team; none where the team is gone.
fn shown(view: &View, group: Group) -> Result<Option<Object>> {
    let team = match view.call(GetTeamRequest { id: group.team_id.clone() }) {
        Ok(reply) => reply.team.into_option().unwrap_or_default(),
        Err(error) if error.reason() == "resource.not_found" => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut document = read_document(&group.document)?;
    document.insert("displayName".into(), team.display_name.into());
    let settings: Settings = view.settings()?;
    let base = face::base(&settings);
    let member = |id: String| {
        let place = format!("{base}/Users/{id}");
        json!({"value": id, "$ref": place, "type": "User"})
    };
    let members: Vec<Value> = members(view, &group.team_id)?.into_iter().map(member).collect();
    if !members.is_empty() {
        document.insert("members".into(), members.into());
    }
    let times = (Micros::of(&group.create_time), Micros::of(&group.update_time));
    complete(view, Kind::Group, &group.team_id, document, times).map(Some)
}

/// Who is in a team of those whom a directory made.
fn members(view: &View, team_id: &str) -> Result<Vec<String>> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request =
            ListTeamMembersRequest { team_id: team_id.into(), page_size: PAGE, page_token };
        let page = view.call(request)?;
        all.extend(page.members.into_iter().map(|member| member.user_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

pub(super) fn write(tx: &mut Tx, request: &WriteResourceRequest) -> Result<String> {
    let settings: Settings = tx.settings()?;
    if settings.organization_id.is_empty() {
        let message = "no organization is named whose teams the groups are";
        return Err(Reason::NotSupported.because(message));
    }
    let (group, before) = match &*request.id {
        "" => (None, None),
        id => {
            let before = find(tx, id)?.ok_or_else(|| Error::not_found("resource", id))?;
            check_version(&before, &request.version)?;
            (tx.get::<Group>(id)?, Some(before))
        }
    };
    let mut document = wanted(Kind::Group, before.as_ref(), request)?;
    let display_name = model::shortened(model::text(&document, "displayName"));
    let user_ids = wanted_members(tx, document.remove("members"))?;
    document.remove("displayName");
    let team = PutTeamRequest {
        team_id: request.id.clone(),
        organization_id: settings.organization_id,
        display_name,
        user_ids,
    };
    let team_id = tx.call(team)?.team.id.clone();
    let document = Value::Object(document).to_string();
    match group {
        Some(group) => tx.save(Group { document, ..group })?,
        None => tx.add(Group { team_id: team_id.clone(), document, ..Group::default() })?,
    };
    Ok(team_id)
}

/// The accounts of members: people whom the directory made.
fn wanted_members(view: &View, members: Option<Value>) -> Result<Vec<String>> {
    let members = members.unwrap_or_default();
    let mut ids: Vec<String> = Vec::new();
    for member in members.as_array().map(Vec::as_slice).unwrap_or_default() {
        let id = member["value"].as_str().unwrap_or_default();
        if ids.iter().any(|known| known == id) {
            continue;
        }
        if view.get::<Person>(id)?.is_none() {
            return Err(invalid_value("a member is nobody whom the directory made"));
        }
        ids.push(id.to_owned());
    }
    if ids.len() > schema::MEMBERS_MAX {
        return Err(invalid_value("there are more than 10,000 members"));
    }
    Ok(ids)
}

pub(super) fn forget(tx: &mut Tx, request: &DropResourceRequest) -> Result<()> {
    let now = find(tx, &request.id)?;
    let now = now.ok_or_else(|| Error::not_found("resource", &request.id))?;
    check_version(&now, &request.version)?;
    tx.delete::<Group>(&request.id)?;
    tx.call(DropTeamRequest { team_id: request.id.clone() })?;
    Ok(())
}
