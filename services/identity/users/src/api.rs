//! The contract's functions.

use stoa_kit::{Access, Error, Reason as _, Result, Tx, View};
use stoa_users_v1::{
    BatchGetUsersRequest, BatchGetUsersResponse, CreateUserRequest, CreateUserResponse,
    DisableUserRequest, DisableUserResponse, EnableUserRequest, EnableUserResponse, GetUserRequest,
    GetUserResponse, ListUsersRequest, ListUsersResponse, LookupUserRequest, LookupUserRequestBy,
    LookupUserResponse, Reason, SetAdministratorRequest, SetAdministratorResponse,
    UpdateUserRequest, UpdateUserResponse, User, UserCreated, UserDisabled, UserEnabled,
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
            ..User::default()
        };
        claim(tx, &user.handle, &user.id, Reason::HandleTaken)?;
        claim(tx, &user.email, &user.id, Reason::EmailTaken)?;
        let key = model::normal(&user.handle);
        let user = tx.add_with(user, "handle_key", &key)?;
        tx.emit(&UserCreated { user_id: user.id.clone() });
        Ok(CreateUserResponse { user: existing(tx, &user.id)?.into() })
    }

    fn get_user(&self, view: &View, request: GetUserRequest) -> Result<GetUserResponse> {
        let user = view.visible(store::user(view, &request.id)?, &request.id)?;
        Ok(GetUserResponse { user: user.into() })
    }

    fn list_users(&self, view: &View, request: ListUsersRequest) -> Result<ListUsersResponse> {
        let page = view.page(&request, 1)?;
        let (from, to) = model::range(&request.handle_prefix);
        let disabled = model::is_disabled(request.state.as_known().unwrap_or_default());
        let mut users = match view.access::<User>() {
            Access::All => store::list(view, (&from, &to), disabled, page.after(), page.limit())?,
            Access::Own(id) => {
                let mut own: Vec<User> = store::user(view, &id)?.into_iter().collect();
                own.retain(|user| model::matches(user, (&from, &to), disabled, page.after()));
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
        let (users, _missing) =
            view.visible_many(store::users(view, &request.ids)?, &request.ids)?;
        Ok(BatchGetUsersResponse { users })
    }

    fn update_user(&self, tx: &mut Tx, request: UpdateUserRequest) -> Result<UpdateUserResponse> {
        let before = tx.visible(store::user(tx, &request.id)?, &request.id)?;
        let own = tx.caller().user() == Some(before.id.as_str());
        if !own && !tx.is_nested() && !tx.caller().may(UPDATE_ALL) {
            return Err(Reason::NotYours.because("the profile of somebody else"));
        }
        let mut user = before.clone();
        request.apply(&mut user)?;
        rename(tx, &before.handle, &user.handle, &user.id, Reason::HandleTaken)?;
        rename(tx, &before.email, &user.email, &user.id, Reason::EmailTaken)?;
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
        let user = existing(tx, &request.id)?;
        one_stays(tx, &request.id)?;
        if store::disable(tx, &request.id)? {
            tx.save(user)?;
            tx.emit(&UserDisabled { user_id: request.id.clone() });
        }
        Ok(DisableUserResponse { user: existing(tx, &request.id)?.into() })
    }

    fn enable_user(&self, tx: &mut Tx, request: EnableUserRequest) -> Result<EnableUserResponse> {
        let user = existing(tx, &request.id)?;
        if store::enable(tx, &request.id)? {
            tx.save(user)?;
            tx.emit(&UserEnabled { user_id: request.id.clone() });
        }
        Ok(EnableUserResponse { user: existing(tx, &request.id)?.into() })
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
            Some(id) => store::user(view, &id)?,
            None => None,
        };
        Ok(LookupUserResponse { user: user.into(), login })
    }
}

/// Lets go of a user who is erased: what they are found by, and what others call them by.
pub(crate) fn erase(tx: &mut Tx, id: &str) -> Result<()> {
    let Some(user) = store::user(tx, id)? else { return Ok(()) };
    one_stays(tx, id)?;
    store::release(tx, &model::normal(&user.handle))?;
    store::release(tx, &model::normal(&user.email))?;
    store::dismiss(tx, id)?;
    store::enable(tx, id)?;
    tx.delete::<User>(id)?;
    Ok(())
}

/// A user, for those who were granted the method itself.
fn existing(view: &View, id: &str) -> Result<User> {
    store::user(view, id)?.ok_or_else(|| Error::not_found("user", id))
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

/// Claims a new name and gives the old one back, where they are not the same to us.
fn rename(tx: &mut Tx, old: &str, new: &str, user: &str, taken: Reason) -> Result<()> {
    if model::normal(old) == model::normal(new) {
        return Ok(());
    }
    claim(tx, new, user, taken)?;
    store::release(tx, &model::normal(old))
}
