//! Organizations, through their contract.

#![cfg(test)]

#[path = "it/near.rs"]
mod near;

use std::time::Duration;

use futures::future::join_all;
use stoa_kit::{Caller, Code, Result, Service};
use stoa_organizations_v1::*;
use stoa_testkit::{Node, both};
use stoa_users_v1::CreateUserRequest;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn services() -> Vec<Service> {
    vec![stoa_organizations::service(), stoa_tokens::service(), stoa_users::service()]
}

stoa_testkit::compliance!(stoa_organizations::service, services);

/// Somebody who has an account, and may create organizations.
async fn person(node: &Node, handle: &str) -> Caller {
    let email = format!("{handle}@example.com");
    let request = CreateUserRequest { handle: handle.into(), email, ..Default::default() };
    let user = node.call(&node.admin(), request).await.unwrap().user;
    node.user_with(&user.id, &["organizations.organizations.create"])
}

async fn create(node: &Node, owner: &Caller) -> String {
    let request = CreateOrganizationRequest { display_name: "Engines".into() };
    node.call(owner, request).await.unwrap().organization.id.clone()
}

async fn invite(
    node: &Node, by: &Caller, organization_id: &str, email: &str, role: Role,
) -> Result<String> {
    let (organization_id, email) = (organization_id.into(), email.into());
    let request =
        InviteMemberRequest { organization_id, email, role: role.into(), ..Default::default() };
    node.call(by, request).await.map(|reply| reply.secret)
}

async fn accept(node: &Node, by: &Caller, secret: &str) -> Result<Role> {
    let request = AcceptInvitationRequest { secret: secret.into() };
    node.call(by, request).await.map(|reply| reply.member.role.as_known().unwrap())
}

/// A member with a role, who came by an invitation.
async fn member(node: &Node, by: &Caller, organization: &str, handle: &str, role: Role) -> Caller {
    let person = person(node, handle).await;
    let email = format!("{handle}@example.com");
    let secret = invite(node, by, organization, &email, role).await.unwrap();
    assert_eq!(accept(node, &person, &secret).await.unwrap(), role);
    person
}

fn id(caller: &Caller) -> String {
    caller.user().unwrap().to_owned()
}

async fn set(
    node: &Node, by: &Caller, organization: &str, whom: &Caller, role: Role,
) -> Result<()> {
    let (organization_id, user_id) = (organization.into(), id(whom));
    let request = SetMemberRoleRequest { organization_id, user_id, role: role.into() };
    node.call(by, request).await.map(|_| ())
}

async fn remove(node: &Node, by: &Caller, organization: &str, whom: &Caller) -> Result<()> {
    let request = RemoveMemberRequest { organization_id: organization.into(), user_id: id(whom) };
    node.call(by, request).await.map(|_| ())
}

async fn roles(node: &Node, organization: &str) -> Vec<Role> {
    let request = ListMembersRequest { organization_id: organization.into(), ..Default::default() };
    let members = node.call(&node.admin(), request).await.unwrap().members;
    members.iter().map(|member| member.role.as_known().unwrap()).collect()
}

fn reason<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    outcome.unwrap_err().reason().to_owned()
}

both! {
    async fn nobody_gives_takes_or_invites_to_a_role_above_their_own(node: Node) {
        let ada = person(&node, "ada").await;
        let org = create(&node, &ada).await;
        let bob = member(&node, &ada, &org, "bob", Role::Admin).await;
        let eve = member(&node, &bob, &org, "eve", Role::Member).await;
        let low = "organizations.role_too_low";
        assert_eq!(reason(invite(&node, &bob, &org, "x@example.com", Role::Owner).await), low);
        assert_eq!(reason(invite(&node, &eve, &org, "x@example.com", Role::Member).await), low);
        assert_eq!(reason(set(&node, &bob, &org, &ada, Role::Member).await), low);
        assert_eq!(reason(set(&node, &bob, &org, &bob, Role::Owner).await), low);
        assert_eq!(reason(set(&node, &eve, &org, &eve, Role::Admin).await), low);
        assert_eq!(reason(remove(&node, &bob, &org, &ada).await), low);
        assert_eq!(reason(remove(&node, &eve, &org, &bob).await), low);
        set(&node, &bob, &org, &eve, Role::Admin).await.unwrap();
        set(&node, &ada, &org, &bob, Role::Owner).await.unwrap();
        remove(&node, &bob, &org, &ada).await.unwrap();
        assert_eq!(reason(node.call(&ada, GetOrganizationRequest { id: org.clone() }).await), "resource.not_found");
        remove(&node, &eve, &org, &eve).await.unwrap();
        assert_eq!(roles(&node, &org).await, [Role::Owner]);
    }

    async fn who_is_no_member_finds_nothing(node: Node) {
        let (ada, eve) = (person(&node, "ada").await, person(&node, "eve").await);
        let org = create(&node, &ada).await;
        let missing = "resource.not_found";
        assert_eq!(reason(invite(&node, &eve, &org, "x@example.com", Role::Member).await), missing);
        assert_eq!(reason(remove(&node, &eve, &org, &ada).await), missing);
        assert_eq!(reason(node.call(&eve, DeleteOrganizationRequest { id: org.clone() }).await), missing);
        let list = ListMembersRequest { organization_id: org.clone(), ..Default::default() };
        assert_eq!(reason(node.call(&eve, list).await), missing);
        let all = node.call(&eve, ListOrganizationsRequest::default()).await.unwrap();
        assert!(all.organizations.is_empty());
    }

    async fn an_owner_stays_also_where_two_leave_at_once(node: Node) {
        let ada = person(&node, "ada").await;
        let org = create(&node, &ada).await;
        assert_eq!(reason(remove(&node, &ada, &org, &ada).await), "organizations.last_owner");
        assert_eq!(reason(set(&node, &ada, &org, &ada, Role::Admin).await), "organizations.last_owner");
        let mut owners = vec![ada.clone()];
        for n in 0..5 {
            owners.push(member(&node, &ada, &org, &format!("owner{n}"), Role::Owner).await);
        }
        let leaving = owners.iter().enumerate().map(|(n, owner)| {
            let (node, org) = (node.clone(), org.clone());
            async move {
                match n % 2 {
                    0 => remove(&node, owner, &org, owner).await,
                    _ => set(&node, owner, &org, owner, Role::Member).await,
                }
            }
        });
        let outcomes = join_all(leaving).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1);
        let owners = roles(&node, &org).await.into_iter().filter(|role| *role == Role::Owner);
        assert_eq!(owners.count(), 1);
    }

    async fn an_invitation_is_for_its_address_and_for_one_use(node: Node) {
        let ada = person(&node, "ada").await;
        let org = create(&node, &ada).await;
        let (bob, eve) = (person(&node, "bob").await, person(&node, "eve").await);
        let secret = invite(&node, &ada, &org, " Bob@Example.com".trim(), Role::Member).await.unwrap();
        assert_eq!(reason(accept(&node, &eve, &secret).await), "organizations.other_address");
        assert_eq!(accept(&node, &bob, &secret).await.unwrap(), Role::Member, "it is not spent");
        assert_eq!(reason(accept(&node, &bob, &secret).await), "tokens.not_good");
        let list = ListInvitationsRequest { organization_id: org.clone(), ..Default::default() };
        assert!(node.call(&ada, list).await.unwrap().invitations.is_empty());
        // Whoever is more already stays what they are.
        set(&node, &ada, &org, &bob, Role::Admin).await.unwrap();
        let secret = invite(&node, &ada, &org, "bob@example.com", Role::Member).await.unwrap();
        assert_eq!(accept(&node, &bob, &secret).await.unwrap(), Role::Admin);
    }

    async fn one_that_has_expired_fails_and_bars_nobody_from_the_next(node: Node) {
        let ada = person(&node, "ada").await;
        let org = create(&node, &ada).await;
        let bob = person(&node, "bob").await;
        let address = "bob@example.com";
        let first = invite(&node, &ada, &org, address, Role::Admin).await.unwrap();
        node.advance(8 * DAY).await;
        assert_eq!(reason(accept(&node, &bob, &first).await), "tokens.not_good");
        assert_eq!(roles(&node, &org).await.len(), 1);
        let second = invite(&node, &ada, &org, address, Role::Admin).await.unwrap();
        let third = invite(&node, &ada, &org, address, Role::Member).await.unwrap();
        assert_eq!(reason(accept(&node, &bob, &second).await), "tokens.not_good", "a newer one is there");
        let list = ListInvitationsRequest { organization_id: org.clone(), ..Default::default() };
        let open = node.call(&ada, list).await.unwrap().invitations;
        assert_eq!(open.len(), 1, "one for an address");
        let revoke = RevokeInvitationRequest { organization_id: org.clone(), id: open[0].id.clone() };
        node.call(&ada, revoke.clone()).await.unwrap();
        assert_eq!(reason(accept(&node, &bob, &third).await), "tokens.not_good");
        node.call(&ada, revoke).await.unwrap();
        let last = invite(&node, &ada, &org, address, Role::Member).await.unwrap();
        assert_eq!(accept(&node, &bob, &last).await.unwrap(), Role::Member);
    }

    async fn what_is_deleted_takes_all_with_it(node: Node) {
        let ada = person(&node, "ada").await;
        let org = create(&node, &ada).await;
        let bob = member(&node, &ada, &org, "bob", Role::Admin).await;
        let eve = person(&node, "eve").await;
        let secret = invite(&node, &ada, &org, "eve@example.com", Role::Member).await.unwrap();
        let delete = DeleteOrganizationRequest { id: org.clone() };
        assert_eq!(reason(node.call(&bob, delete.clone()).await), "organizations.role_too_low");
        node.call(&ada, delete).await.unwrap();
        let error = accept(&node, &eve, &secret).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, "organizations.revoked"));
        for caller in [&ada, &bob] {
            let all = node.call(caller, ListOrganizationsRequest::default()).await.unwrap();
            assert!(all.organizations.is_empty());
        }
    }
}

async fn team(node: &Node, by: &Caller, organization: &str) -> Result<String> {
    let request =
        CreateTeamRequest { organization_id: organization.into(), display_name: "Cards".into() };
    node.call(by, request).await.map(|reply| reply.team.id.clone())
}

async fn add(node: &Node, by: &Caller, team_id: &str, whom: &Caller) -> Result<()> {
    let request = AddTeamMemberRequest { team_id: team_id.into(), user_id: id(whom) };
    node.call(by, request).await.map(|_| ())
}

/// Who is in a team.
async fn people(node: &Node, team_id: &str) -> Vec<String> {
    let request = ListTeamMembersRequest { team_id: team_id.into(), ..Default::default() };
    let members = node.call(&node.admin(), request).await.unwrap().members;
    members.into_iter().map(|member| member.user_id).collect()
}

both! {
    async fn who_leaves_an_organization_leaves_its_teams(node: Node) {
        let ada = person(&node, "ada").await;
        let (one, other) = (create(&node, &ada).await, create(&node, &ada).await);
        let bob = member(&node, &ada, &one, "bob", Role::Member).await;
        let cards = team(&node, &ada, &one).await.unwrap();
        let wheels = team(&node, &ada, &other).await.unwrap();
        for team in [&cards, &cards] {
            add(&node, &ada, team, &bob).await.unwrap();
        }
        add(&node, &ada, &wheels, &ada).await.unwrap();
        let stranger = add(&node, &ada, &wheels, &bob).await;
        assert_eq!(reason(stranger), "organizations.not_a_member");
        assert_eq!(people(&node, &cards).await, [id(&bob)]);
        assert_eq!(node.events::<TeamMemberAdded>().await.len(), 2, "once each");
        remove(&node, &bob, &one, &bob).await.unwrap();
        assert!(people(&node, &cards).await.is_empty());
        assert_eq!(people(&node, &wheels).await, [id(&ada)]);
        let delete = DeleteOrganizationRequest { id: other };
        node.call(&ada, delete).await.unwrap();
        let gone = node.fails(&node.admin(), GetTeamRequest { id: wheels }).await;
        assert_eq!(gone.reason(), "resource.not_found");
    }

    async fn members_have_no_say_in_teams_but_may_leave_them(node: Node) {
        let ada = person(&node, "ada").await;
        let org = create(&node, &ada).await;
        let bob = member(&node, &ada, &org, "bob", Role::Member).await;
        let eve = person(&node, "eve").await;
        let cards = team(&node, &ada, &org).await.unwrap();
        add(&node, &ada, &cards, &bob).await.unwrap();
        let low = "organizations.role_too_low";
        assert_eq!(reason(team(&node, &bob, &org).await), low);
        assert_eq!(reason(add(&node, &bob, &cards, &bob).await), low);
        assert_eq!(reason(node.call(&bob, DeleteTeamRequest { id: cards.clone() }).await), low);
        assert_eq!(reason(add(&node, &eve, &cards, &eve).await), "resource.not_found");
        let take = |user_id: String| RemoveTeamMemberRequest { team_id: cards.clone(), user_id };
        assert_eq!(reason(node.call(&bob, take(id(&ada))).await), low);
        node.call(&bob, take(id(&bob))).await.unwrap();
        assert!(people(&node, &cards).await.is_empty());
    }

    async fn who_is_erased_is_invited_no_more(node: Node) {
        let ada = person(&node, "ada").await;
        let org = create(&node, &ada).await;
        let bob = person(&node, "bob").await;
        invite(&node, &ada, &org, "bob@example.com", Role::Member).await.unwrap();
        let erase = serde_json::json!({"subject": id(&bob)});
        node.ask(&node.admin(), "EraseSubject", erase).await.unwrap();
        let request = ListInvitationsRequest { organization_id: org, ..Default::default() };
        assert_eq!(node.call(&ada, request).await.unwrap().invitations, []);
    }
}
