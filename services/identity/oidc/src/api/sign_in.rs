//! People who are sent to another provider, and come back.

use stoa_auth_v1::{LinkAccountRequest, NewSession, OpenSessionRequest};
use stoa_kit::{Error, Reason as _, Result, Tx, View};
use stoa_oidc_v1::*;
use stoa_users_v1::{CreateUserRequest, LookupUserRequest, LookupUserRequestBy, User};

use super::identities;
use crate::model::{self, Kind};
use crate::store;

pub(super) fn start(tx: &mut Tx, request: StartSignInRequest) -> Result<StartSignInResponse> {
    let StartSignInRequest { provider_id, return_path, user_id, session_id } = request;
    if tx.get::<Provider>(&provider_id)?.is_none() {
        return Err(Error::not_found("provider", &provider_id));
    }
    let return_path = if return_path.is_empty() { "/".to_owned() } else { return_path };
    if !model::is_path_of_ours(&return_path) {
        let message = "must be a path on this node";
        return Err(Error::field("return_path", "return_path", message));
    }
    let sign_in = SignIn {
        id: tx.new_id("sin"),
        provider_id,
        user_id,
        session_id,
        return_path,
        expire_time: tx.after(model::SIGN_IN_LIFE).timestamp(),
    };
    Ok(StartSignInResponse { sign_in_id: tx.add(sign_in)?.id })
}

pub(super) fn resume(view: &View, request: ResumeSignInRequest) -> Result<ResumeSignInResponse> {
    let sign_in = match Kind::SignIn.read(view, &request.state)? {
        Some(id) => view.get::<SignIn>(&id)?.filter(|one| !one.user_id.is_empty()),
        None => None,
    };
    let sign_in = sign_in.ok_or_else(not_good)?;
    let present = store::present(view, &request.session_token)?;
    // Whoever follows an address that somebody else was given links nothing.
    if present.is_none_or(|present| present.session.id != sign_in.session_id) {
        return Err(not_good());
    }
    Ok(ResumeSignInResponse { sign_in_id: sign_in.id, provider_id: sign_in.provider_id })
}

pub(super) fn write(view: &View, request: WriteSignInRequest) -> Result<WriteSignInResponse> {
    let WriteSignInRequest { sign_in_id, provider_id } = request;
    let provider = view.get::<Provider>(&provider_id)?;
    let provider = provider.ok_or_else(|| Error::not_found("provider", &provider_id))?;
    let follows =
        |purpose: &str| Ok::<_, Error>(model::hex(&view.fingerprint(purpose, &sign_in_id)?));
    Ok(WriteSignInResponse {
        client_secret: store::providers::secret(view, &provider_id)?.to_string(),
        discovered: view.get::<Discovered>(&provider_id)?.into(),
        provider: provider.into(),
        state: Kind::SignIn.write(view, &sign_in_id)?,
        nonce: follows("nonce")?,
        code_verifier: format!("{}{}", follows("verifier")?, follows("verifier, on")?),
        browser: browser(view, &sign_in_id)?,
    })
}

/// By what the browser is known that was sent.
fn browser(view: &View, sign_in_id: &str) -> Result<String> {
    Ok(model::hex(&view.fingerprint("browser", sign_in_id)?))
}

pub(super) fn store_discovered(
    tx: &mut Tx, request: StoreDiscoveredRequest,
) -> Result<StoreDiscoveredResponse> {
    let found = request.discovered.into_option().unwrap_or_default();
    // The provider may be gone meanwhile.
    if tx.get::<Provider>(&found.provider_id)?.is_some() {
        match tx.get::<Discovered>(&found.provider_id)? {
            Some(_) => tx.save(found)?,
            None => tx.add(found)?,
        };
    }
    Ok(StoreDiscoveredResponse {})
}

pub(super) fn take(tx: &mut Tx, request: TakeSignInRequest) -> Result<TakeSignInResponse> {
    let id = Kind::SignIn.read(tx, &request.state)?.ok_or_else(not_good)?;
    // What another browser brings is spent by nobody: whoever was sent may still come.
    if !model::equal(browser(tx, &id)?.as_bytes(), request.browser.as_bytes()) {
        return Err(not_good());
    }
    let sign_in = store::providers::take(tx, &id)?;
    let sign_in = sign_in.filter(|sign_in| sign_in.provider_id == request.provider_id);
    Ok(TakeSignInResponse { sign_in: sign_in.ok_or_else(|| not_good().remembered())?.into() })
}

fn not_good() -> Error {
    Reason::SignInNotGood.because("nobody was sent with this from here, or not in this browser")
}

pub(super) fn finish(tx: &mut Tx, request: FinishSignInRequest) -> Result<FinishSignInResponse> {
    let sign_in = request.sign_in.as_option().cloned().unwrap_or_default();
    let provider = tx.get::<Provider>(&sign_in.provider_id)?;
    let provider = provider.ok_or_else(|| Error::not_found("provider", &sign_in.provider_id))?;
    if !sign_in.user_id.is_empty() {
        return link(tx, &sign_in, &request);
    }
    let user_id = match store::providers::identity(tx, &provider.id, &request.subject)? {
        Some(identity) => identity.user_id,
        None => {
            let user_id = newcomer(tx, &provider, &request)?;
            identities::add(tx, &user_id, &request, &provider.id)?;
            user_id
        }
    };
    if store::user(tx, &user_id)?.is_none() {
        return Err(no_account());
    }
    let (token_hash, ticket_hash) = (request.token_hash, request.ticket_hash);
    let session = NewSession { token_hash, label: provider.display_name, ticket_hash };
    let open = OpenSessionRequest {
        user_id: user_id.clone(),
        session: session.into(),
        address: request.address,
    };
    let opened = tx.call(open)?;
    Ok(FinishSignInResponse {
        user_id,
        opened: opened.session.is_set(),
        second_factor: opened.second_factor.is_set(),
        expire_time: opened.session.expire_time.clone(),
    })
}

/// Links the account there with the one in whose session that was asked for, if it goes on.
fn link(
    tx: &mut Tx, sign_in: &SignIn, request: &FinishSignInRequest,
) -> Result<FinishSignInResponse> {
    let user_id = sign_in.user_id.clone();
    let session = store::session(tx, &user_id, &sign_in.session_id)?;
    if session.is_none() || store::user(tx, &user_id)?.is_none() {
        return Err(Reason::LoginRequired.because("the session has ended meanwhile"));
    }
    identities::add(tx, &user_id, request, &sign_in.provider_id)?;
    Ok(FinishSignInResponse { user_id, ..FinishSignInResponse::default() })
}

/// The account of somebody who comes for the first time: the one that has their address, where the provider is
/// believed, and otherwise a new one, where it may be made.
fn newcomer(tx: &mut Tx, provider: &Provider, request: &FinishSignInRequest) -> Result<String> {
    let email = request.email.trim();
    if email.is_empty() || !request.email_verified || !provider.trusts_email {
        return Err(no_account());
    }
    let Some(known) = lookup(tx, email)? else {
        return if provider.creates_accounts { create(tx, request) } else { Err(no_account()) };
    };
    let user_id = known.id;
    if store::user(tx, &user_id)?.is_none() {
        return Err(no_account());
    }
    let note = LinkAccountRequest { user_id: user_id.clone(), email: email.to_owned() };
    let noted = tx.call(note)?;
    if !noted.linked {
        return Err(no_account());
    }
    if noted.ended {
        // Whoever had the account before somebody showed that the address is theirs has nothing of it.
        store::end_all(tx, &user_id)?;
    }
    Ok(user_id)
}

fn create(tx: &mut Tx, request: &FinishSignInRequest) -> Result<String> {
    let email = request.email.trim().to_owned();
    let called = match &*request.preferred_username {
        "" => &email,
        name => name,
    };
    let mut handle = model::handle(called);
    if lookup(tx, &handle)?.is_some() {
        handle = format!("{handle}-{:08x}", tx.random() >> 32);
    }
    let display_name = model::shortened(&request.name, 120);
    let user =
        CreateUserRequest { handle, email: email.clone(), display_name, ..Default::default() };
    let user_id = tx.call(user)?.user.id.clone();
    tx.call(LinkAccountRequest { user_id: user_id.clone(), email })?;
    Ok(user_id)
}

fn lookup(view: &View, login: &str) -> Result<Option<User>> {
    let by = Some(LookupUserRequestBy::Login(login.to_owned()));
    Ok(view.call(LookupUserRequest { by })?.user.into_option())
}

/// The same whatever the reason is: nobody learns here who has an account.
fn no_account() -> Error {
    Reason::NoAccount.because("no account here belongs to the one there")
}
