//! The contract's functions.

use buffa::EnumValue;
use stoa_kit::{Access, Error, Event, Page, Reason as _, Result, Tx, View, Wanted as _};
use stoa_users_v1::*;

use crate::{model, preferences, store, visibility};

/// Whoever was granted this changes any user.
pub(crate) const UPDATE_ALL: &str = "users.users.update_all";

/// The service.
pub(crate) struct Users;

impl UsersService for Users {
    fn create_user(&self, tx: &mut Tx, request: CreateUserRequest) -> Result<CreateUserResponse> {
        let user = User {
            id: tx.new_id("usr"),
            handle: request.handle,
            email: request.email,
            display_name: request.display_name,
            locale: request.locale,
            time_zone: request.time_zone,
            preferences: request.preferences,
            state: UserState::Active.into(),
            ..User::default()
        };
        claim(tx, &user.handle, &user.id, Reason::HandleTaken)?;
        claim(tx, &user.email, &user.id, Reason::EmailTaken)?;
        let key = model::normal(&user.handle);
        let user = tx.add_with(user, "handle_key", &key)?;
        tx.emit(&UserCreated { user_id: user.id.clone() });
        Ok(CreateUserResponse { user: user.into() })
    }

    fn get_user(&self, view: &View, request: GetUserRequest) -> Result<GetUserResponse> {
        Ok(GetUserResponse { user: visibility::one(view, &request.id)?.into() })
    }

    fn list_users(&self, view: &View, request: ListUsersRequest) -> Result<ListUsersResponse> {
        let page = view.page(&request, 1)?;
        let (from, to) = model::range(&request.handle_prefix);
        let (names, state) = ((&*from, &*to), request.state);
        let mut users = match view.access::<User>() {
            Access::All => store::list(view, names, state, page.after(), page.limit())?,
            Access::Own(own) => others(view, &own, names, state, &page)?,
            Access::Granted(_) | Access::None => Vec::new(),
        };
        let next_page_token = page.cut(&mut users, |user| vec![model::normal(&user.handle)])?;
        Ok(ListUsersResponse { users: visibility::shown(view, users)?, next_page_token })
    }

    fn batch_get_users(
        &self, view: &View, request: BatchGetUsersRequest,
    ) -> Result<BatchGetUsersResponse> {
        let found = store::some(view, &request.ids)?;
        let shown = visibility::shown(view, found)?;
        let of = |id: &String| shown.iter().find(|user| user.id == *id).cloned();
        Ok(BatchGetUsersResponse { users: request.ids.iter().filter_map(of).collect() })
    }

    fn update_user(&self, tx: &mut Tx, request: UpdateUserRequest) -> Result<UpdateUserResponse> {
        let before = tx.load::<User>(&request.id)?;
        let own = tx.caller().user() == Some(before.id.as_str());
        if !own && !tx.is_nested() && !tx.caller().may(UPDATE_ALL) {
            return Err(Reason::NotYours.because("the profile of somebody else"));
        }
        let mut user = before.clone();
        request.apply(&mut user)?;
        rename(tx, &before.handle, &user.handle, &user.id, Reason::HandleTaken)?;
        if rename(tx, &before.email, &user.email, &user.id, Reason::EmailTaken)? {
            may_move(tx, &before)?;
        }
        let key = model::normal(&user.handle);
        let user = tx.save_with(user, "handle_key", &key)?;
        Ok(UpdateUserResponse { user: user.into() })
    }

    fn disable_user(
        &self, tx: &mut Tx, request: DisableUserRequest,
    ) -> Result<DisableUserResponse> {
        if tx.caller().user() == Some(request.id.as_str()) {
            return Err(Reason::OwnAccount.because("you cannot disable yourself"));
        }
        one_stays(tx, &request.id)?;
        let disabled = UserDisabled { user_id: request.id.clone() };
        let user = set_state(tx, &request.id, UserState::Disabled, &disabled)?;
        Ok(DisableUserResponse { user: user.into() })
    }

    fn enable_user(&self, tx: &mut Tx, request: EnableUserRequest) -> Result<EnableUserResponse> {
        let enabled = UserEnabled { user_id: request.id.clone() };
        let user = set_state(tx, &request.id, UserState::Active, &enabled)?;
        Ok(EnableUserResponse { user: user.into() })
    }

    fn set_administrator(
        &self, tx: &mut Tx, request: SetAdministratorRequest,
    ) -> Result<SetAdministratorResponse> {
        if request.administrator {
            store::appoint(tx, &request.id)?;
        } else {
            one_stays(tx, &request.id)?;
            store::dismiss(tx, &request.id)?;
        }
        Ok(SetAdministratorResponse {})
    }

    fn set_visibility(
        &self, tx: &mut Tx, request: SetVisibilityRequest,
    ) -> Result<SetVisibilityResponse> {
        Ok(SetVisibilityResponse { visibility: visibility::set(tx, request)?.into() })
    }

    fn get_visibility(
        &self, view: &View, request: GetVisibilityRequest,
    ) -> Result<GetVisibilityResponse> {
        Ok(GetVisibilityResponse { visibility: visibility::get(view, &request.user_id)?.into() })
    }

    fn define_preference(
        &self, tx: &mut Tx, request: DefinePreferenceRequest,
    ) -> Result<DefinePreferenceResponse> {
        preferences::define(tx, request)
    }

    fn list_preference_definitions(
        &self, view: &View, request: ListPreferenceDefinitionsRequest,
    ) -> Result<ListPreferenceDefinitionsResponse> {
        preferences::list(view, request)
    }

    fn undefine_preference(
        &self, tx: &mut Tx, request: UndefinePreferenceRequest,
    ) -> Result<UndefinePreferenceResponse> {
        preferences::undefine(tx, &request.key)?;
        Ok(UndefinePreferenceResponse {})
    }

    fn set_preference(
        &self, tx: &mut Tx, request: SetPreferenceRequest,
    ) -> Result<SetPreferenceResponse> {
        Ok(SetPreferenceResponse { preference: preferences::set(tx, request)?.into() })
    }

    fn clear_preference(
        &self, tx: &mut Tx, request: ClearPreferenceRequest,
    ) -> Result<ClearPreferenceResponse> {
        preferences::clear(tx, request)?;
        Ok(ClearPreferenceResponse {})
    }

    fn get_preferences(
        &self, view: &View, request: GetPreferencesRequest,
    ) -> Result<GetPreferencesResponse> {
        Ok(GetPreferencesResponse { preferences: preferences::get(view, request)? })
    }

    fn set_affiliation(
        &self, tx: &mut Tx, request: SetAffiliationRequest,
    ) -> Result<SetAffiliationResponse> {
        let SetAffiliationRequest { user_id, organization_id, member, administrator } = request;
        match member {
            true => store::affiliate(tx, &user_id, &organization_id, administrator)?,
            false => store::part(tx, &user_id, &organization_id)?,
        }
        Ok(SetAffiliationResponse {})
    }

    fn drop_affiliations(
        &self, tx: &mut Tx, request: DropAffiliationsRequest,
    ) -> Result<DropAffiliationsResponse> {
        store::dissolve(tx, &request.organization_id)?;
        Ok(DropAffiliationsResponse {})
    }

    fn lookup_user(&self, view: &View, request: LookupUserRequest) -> Result<LookupUserResponse> {
        let (id, login) = match request.by {
            Some(LookupUserRequestBy::Id(id)) => (Some(id), String::new()),
            Some(LookupUserRequestBy::Login(login)) => {
                let login = model::normal(&login);
                (store::owner(view, &login)?, login)
            }
            None => (None, String::new()),
        };
        let user = match id {
            Some(id) => view.get(&id)?,
            None => None,
        };
        Ok(LookupUserResponse { user: user.into(), login })
    }
}

/// Lets go of a user who is erased: what they are found by, and what others call them by.
pub(crate) fn erase(tx: &mut Tx, id: &str) -> Result<()> {
    let Some(user) = tx.get::<User>(id)? else { return Ok(()) };
    one_stays(tx, id)?;
    store::release(tx, &model::normal(&user.handle))?;
    store::release(tx, &model::normal(&user.email))?;
    store::dismiss(tx, id)?;
    store::forget(tx, id)?;
    tx.delete::<User>(id)?;
    Ok(())
}

/// A page of the caller, and of those who show them their handle.
fn others(
    view: &View, own: &str, names: (&str, &str), state: EnumValue<UserState>, page: &Page,
) -> Result<Vec<User>> {
    let mut users: Vec<User> = view.get(own)?.into_iter().collect();
    users.retain(|user| {
        (!state.is_given() || user.state == state) && model::matches(user, names, page.after())
    });
    // What is never shown is not asked for either.
    if !state.is_given() {
        users.extend(store::open(view, names, page.after(), page.limit())?);
        users.extend(store::near(view, own, names, page.after(), page.limit())?);
    }
    users.sort_by_cached_key(|user| model::normal(&user.handle));
    users.dedup_by(|one, other| one.id == other.id);
    users.truncate(usize::try_from(page.limit()).unwrap_or(usize::MAX));
    Ok(users)
}

/// Gives a user another state, and tells of it, unless they have it: for those who were granted the
/// method itself.
fn set_state(tx: &mut Tx, id: &str, state: UserState, event: &impl Event) -> Result<User> {
    let user = tx.get::<User>(id)?.ok_or_else(|| Error::not_found("user", id))?;
    if user.state == state {
        return Ok(user);
    }
    tx.emit(event);
    tx.save(User { state: state.into(), ..user })
}

/// Refuses to lose the last administrator who is active.
fn one_stays(view: &View, id: &str) -> Result<()> {
    match store::is_last_administrator(view, id)? {
        true => Err(Reason::LastAdministrator.because("this is the last active administrator")),
        false => Ok(()),
    }
}

fn claim(tx: &mut Tx, name: &str, user: &str, taken: Reason) -> Result<()> {
    // The name is not repeated: errors are logged, and it is personal.
    match store::claim(tx, &model::normal(name), user)? {
        true => Ok(()),
        false => Err(taken.because("it belongs to somebody else")),
    }
}

/// Claims a new name and gives the old one back; false where they are the same to us.
fn rename(tx: &mut Tx, old: &str, new: &str, user: &str, taken: Reason) -> Result<bool> {
    if model::normal(old) == model::normal(new) {
        return Ok(false);
    }
    claim(tx, new, user, taken)?;
    store::release(tx, &model::normal(old))?;
    Ok(true)
}

/// Refuses to give a user another address to whoever found an open session, or would come to more by
/// it than they may: with links by mail, whose the address is, theirs is the account.
fn may_move(tx: &Tx, user: &User) -> Result<()> {
    let caller = tx.caller();
    if store::administers(tx, &user.id)? && !caller.may("*") {
        return Err(Reason::NotYours.because("the address of an administrator"));
    }
    match caller.user() {
        Some(_) if !tx.is_nested() => tx.step_up(model::ADDRESS_STEP_UP),
        _ => Ok(()),
    }
}
