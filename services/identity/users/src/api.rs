//! The contract's functions.

use stoa_kit::{Access, Error, Event, Reason as _, Result, Tx, View, Wanted as _};
use stoa_users_v1::{
    BatchGetUsersRequest, BatchGetUsersResponse, CreateUserRequest, CreateUserResponse,
    DisableUserRequest, DisableUserResponse, EnableUserRequest, EnableUserResponse, GetUserRequest,
    GetUserResponse, ListUsersRequest, ListUsersResponse, LookupUserRequest, LookupUserRequestBy,
    LookupUserResponse, Reason, SetAdministratorRequest, SetAdministratorResponse,
    UpdateUserRequest, UpdateUserResponse, User, UserCreated, UserDisabled, UserEnabled, UserState,
    UsersService,
};

use crate::{model, store};

/// Whoever was granted this changes any user.
const UPDATE_ALL: &str = "users.users.update_all";

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
        let user = view.load::<User>(&request.id)?;
        Ok(GetUserResponse { user: user.into() })
    }

    fn list_users(&self, view: &View, request: ListUsersRequest) -> Result<ListUsersResponse> {
        let page = view.page(&request, 1)?;
        let (from, to) = model::range(&request.handle_prefix);
        let state = request.state;
        let mut users = match view.access::<User>() {
            Access::All => store::list(view, (&from, &to), state, page.after(), page.limit())?,
            Access::Own(id) => {
                let mut own: Vec<User> = view.get(&id)?.into_iter().collect();
                own.retain(|user| {
                    (!state.is_given() || user.state == state)
                        && model::matches(user, (&from, &to), page.after())
                });
                own
            }
            Access::Granted(_) | Access::None => Vec::new(),
        };
        let next_page_token = page.cut(&mut users, |user| vec![model::normal(&user.handle)])?;
        Ok(ListUsersResponse { users, next_page_token })
    }

    fn batch_get_users(
        &self, view: &View, request: BatchGetUsersRequest,
    ) -> Result<BatchGetUsersResponse> {
        Ok(BatchGetUsersResponse { users: view.load_many(&request.ids)? })
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
    tx.delete::<User>(id)?;
    Ok(())
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
