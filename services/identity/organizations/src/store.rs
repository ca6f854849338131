//! The rows of organizations.

use stoa_kit::{Micros, Result, Tx, View};
use stoa_organizations_v1::{Invitation, Member, Organization, Role, Team};
use stoa_users_v1::{DropAffiliationsRequest, SetAffiliationRequest};

/// What addresses are known by.
pub(crate) fn address(view: &View, email: &str) -> Result<[u8; 16]> {
    view.fingerprint("address", &crate::model::normal(email))
}

/// The organizations that somebody belongs to, after one of them.
pub(crate) fn of_member(
    view: &View, user: &str, after: &str, limit: i64,
) -> Result<Vec<Organization>> {
    view.select::<Organization>(
        "SELECT {o} FROM organizations_member m JOIN organizations_organization o \
         ON o.tenant = m.tenant AND o.id = m.organization_id WHERE m.tenant = :tenant \
         AND m.user_id = $1 AND m.organization_id > $2 ORDER BY m.organization_id LIMIT $3",
        (user, after, limit),
    )
}

/// Makes somebody a member, or gives them another role, and tells `users`.
pub(crate) fn put_member(tx: &mut Tx, member: Member) -> Result<Member> {
    tell(tx, &member)?;
    match tx.get::<Member>((&member.organization_id, &member.user_id))? {
        Some(before) => tx.save_with(Member { role: member.role, ..before }, "told", (true,)),
        None => tx.add_with(member, "told", (true,)),
    }
}

/// Lets somebody be a member no longer, and tells `users`.
pub(crate) fn drop_member(tx: &mut Tx, organization_id: &str, user_id: &str) -> Result<()> {
    let (organization_id, user_id) = (organization_id.to_owned(), user_id.to_owned());
    tx.delete::<Member>((&organization_id, &user_id))?;
    tx.call(SetAffiliationRequest { organization_id, user_id, ..Default::default() })?;
    Ok(())
}

/// Tells `users` who belongs to what, which says by it who sees whom.
fn tell(tx: &mut Tx, member: &Member) -> Result<()> {
    let Member { organization_id, user_id, role, .. } = member.clone();
    let administrator = role == Role::Admin || role == Role::Owner;
    tx.call(SetAffiliationRequest { organization_id, user_id, member: true, administrator })?;
    Ok(())
}

/// Whether there are members of whom `users` was not told: those from before it asked.
pub(crate) fn next_untold(view: &View) -> Result<Option<Micros>> {
    let untold = view.row::<(Micros,)>(
        "SELECT create_time FROM organizations_member WHERE tenant = :tenant AND told = $1 \
         ORDER BY organization_id, user_id LIMIT 1",
        (false,),
    )?;
    Ok(untold.map(|(since,)| since))
}

/// Tells `users` of some of them.
pub(crate) fn tell_untold(tx: &mut Tx, most: i64) -> Result<()> {
    let untold: Vec<Member> =
        tx.all("told = $1 ORDER BY organization_id, user_id LIMIT $2", (false, most))?;
    for member in &untold {
        tell(tx, member)?;
        tx.execute(
            "UPDATE organizations_member SET told = $3 WHERE tenant = :tenant \
             AND organization_id = $1 AND user_id = $2",
            (&member.organization_id, &member.user_id, true),
        )?;
    }
    tx.again(untold.len() as i64 == most);
    Ok(())
}

/// Whether a user is the one owner of an organization.
pub(crate) fn is_last_owner(view: &View, organization: &str, user: &str) -> Result<bool> {
    let owners = view.rows::<(String,)>(
        "SELECT user_id FROM organizations_member WHERE tenant = :tenant \
         AND organization_id = $1 AND role = 'owner' ORDER BY user_id LIMIT 2",
        (organization,),
    )?;
    Ok(matches!(owners.as_slice(), [(only,)] if only == user))
}

/// Whether anybody else belongs to an organization.
pub(crate) fn has_others(view: &View, organization: &str, user: &str) -> Result<bool> {
    let other = view.row::<(String,)>(
        "SELECT user_id FROM organizations_member WHERE tenant = :tenant \
         AND organization_id = $1 AND user_id <> $2 ORDER BY user_id LIMIT 1",
        (organization, user),
    )?;
    Ok(other.is_some())
}

/// The organizations that a user belongs to, the first of them.
pub(crate) fn organizations_of(view: &View, user: &str, most: i64) -> Result<Vec<String>> {
    let found = view.rows::<(String,)>(
        "SELECT organization_id FROM organizations_member WHERE tenant = :tenant \
         AND user_id = $1 ORDER BY organization_id LIMIT $2",
        (user, most),
    )?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// The invitation of an address.
pub(crate) fn invitation(
    view: &View, organization: &str, address: [u8; 16],
) -> Result<Option<Invitation>> {
    view.find::<Invitation>(
        "organization_id = $1 AND address = $2",
        (organization, address.as_slice()),
    )
}

/// Whether an invitation was sent to this address. The address itself may be gone, with its inviter.
pub(crate) fn is_invited(view: &View, id: &str, email: &str) -> Result<bool> {
    let found = view.row::<(String,)>(
        "SELECT id FROM organizations_invitation WHERE tenant = :tenant AND id = $1 AND address = $2",
        (id, address(view, email)?.as_slice()),
    )?;
    Ok(found.is_some())
}

/// Deletes what was sent to somebody's address and not accepted.
pub(crate) fn uninvite(tx: &mut Tx, email: &str) -> Result<()> {
    let address = address(tx, email)?;
    tx.execute(
        "DELETE FROM organizations_invitation WHERE tenant = :tenant AND address = $1",
        (address.as_slice(),),
    )?;
    Ok(())
}

/// The teams of an organization that somebody is in.
pub(crate) fn teams_of(view: &View, organization: &str, user: &str) -> Result<Vec<String>> {
    let found = view.rows::<(String,)>(
        "SELECT team_id FROM organizations_team_member WHERE tenant = :tenant \
         AND organization_id = $1 AND user_id = $2 ORDER BY team_id",
        (organization, user),
    )?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Who is in a team.
pub(crate) fn members_of(view: &View, team: &str) -> Result<Vec<String>> {
    let found = view.rows::<(String,)>(
        "SELECT user_id FROM organizations_team_member WHERE tenant = :tenant \
         AND team_id = $1 ORDER BY user_id",
        (team,),
    )?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Deletes a team, and who is in it.
pub(crate) fn delete_team(tx: &mut Tx, team: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM organizations_team_member WHERE tenant = :tenant AND team_id = $1",
        (team,),
    )?;
    tx.delete::<Team>(team)?;
    Ok(())
}

/// Deletes an organization, with all that belongs to it.
pub(crate) fn delete(tx: &mut Tx, organization: &str) -> Result<()> {
    const ALL: [&str; 4] = [
        "DELETE FROM organizations_team_member WHERE tenant = :tenant AND organization_id = $1",
        "DELETE FROM organizations_team WHERE tenant = :tenant AND organization_id = $1",
        "DELETE FROM organizations_member WHERE tenant = :tenant AND organization_id = $1",
        "DELETE FROM organizations_invitation WHERE tenant = :tenant AND organization_id = $1",
    ];
    for sql in ALL {
        tx.execute(sql, (organization,))?;
    }
    tx.delete::<Organization>(organization)?;
    tx.call(DropAffiliationsRequest { organization_id: organization.to_owned() })?;
    Ok(())
}
