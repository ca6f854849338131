//! What an application wants of the person at a browser. It is looked at when they come, and again in the
//! commit that gives the code.

use stoa_kit::{Error, Micros, Reason as _, Result, Tx, View};
use stoa_oidc_v1::*;

use super::sessions;
use crate::model;
use crate::store::{self, Present};

/// What a request comes to, once it is clear that the application may be answered.
enum Checked {
    /// The application is told that it is wrong.
    Wrong(Error),
    /// Somebody has to sign in.
    SignIn,
    /// A person is there; whether they have to be asked.
    Present { client: Box<Client>, scopes: Vec<String>, present: Box<Present>, asks: bool },
}

pub(super) fn prepare(
    view: &View, request: PrepareAuthorizationRequest,
) -> Result<PrepareAuthorizationResponse> {
    let query = request.query.into_option().unwrap_or_default();
    let mut reply = PrepareAuthorizationResponse::default();
    match check(view, &query, &request.session_token)? {
        Checked::Wrong(error) => {
            reply.step = Step::Error.into();
            (reply.error, reply.error_description) = told(&error);
        }
        Checked::SignIn => reply.step = Step::SignIn.into(),
        Checked::Present { client, scopes, present, asks } => {
            reply.step = if asks { Step::Consent } else { Step::Ready }.into();
            reply.page_code = present.page_code(view, &query.text)?;
            (reply.client_name, reply.scopes) = (client.name, scopes);
            reply.handle = present.user.handle;
        }
    }
    Ok(reply)
}

pub(super) fn authorize(tx: &mut Tx, request: AuthorizeRequest) -> Result<AuthorizeResponse> {
    let query = request.query.into_option().unwrap_or_default();
    let wrong = |error: &Error| {
        let (error, error_description) = told(error);
        Ok(AuthorizeResponse { family_id: String::new(), error, error_description })
    };
    let (client, scopes, present, asks) = match check(tx, &query, &request.session_token)? {
        Checked::Wrong(error) => return wrong(&error),
        Checked::SignIn => {
            return wrong(&Reason::LoginRequired.because("the session has ended meanwhile"));
        }
        Checked::Present { client, scopes, present, asks } => (client, scopes, present, asks),
    };
    if asks {
        present.check_page(tx, &query.text, &request.page_code)?;
        give(tx, &present.user.id, &client.id, &scopes)?;
    }
    if scopes.iter().any(|scope| scope == model::OPENID) {
        sessions::note(tx, &client.id, &present.session)?;
    }
    let family = tx.add(Family {
        id: tx.new_id("fam"),
        client_id: client.id,
        user_id: present.user.id.clone(),
        state: FamilyState::Code.into(),
        scopes,
        redirect_uri: query.redirect_uri,
        nonce: query.nonce,
        code_challenge: query.code_challenge,
        session_id: present.session.id.clone(),
        auth_time: present.auth_time().timestamp(),
        methods: present.session.methods.clone(),
        expire_time: tx.after(model::CODE_LIFE).timestamp(),
        ..Family::default()
    })?;
    Ok(AuthorizeResponse { family_id: family.id, ..AuthorizeResponse::default() })
}

/// Adds to what somebody granted to an application.
fn give(tx: &mut Tx, user_id: &str, client_id: &str, scopes: &[String]) -> Result<()> {
    let granted = match store::grant(tx, user_id, client_id)? {
        Some(mut grant) => {
            let more = scopes.iter().filter(|scope| !grant.scopes.contains(scope)).cloned();
            let more: Vec<String> = more.collect();
            grant.scopes.extend(more);
            tx.save(grant)?.scopes
        }
        None => {
            let grant = Grant {
                id: tx.new_id("gra"),
                user_id: user_id.into(),
                client_id: client_id.into(),
                scopes: scopes.to_vec(),
                ..Grant::default()
            };
            tx.add(grant)?.scopes
        }
    };
    let (user_id, client_id) = (user_id.into(), client_id.into());
    tx.emit(&GrantGiven { user_id, client_id, scopes: granted });
    Ok(())
}

/// What an application is told of an error.
fn told(error: &Error) -> (String, String) {
    let name = error.reason().strip_prefix("oidc.").unwrap_or("server_error");
    (name.to_owned(), error.message().to_owned())
}

/// # Errors
/// What is shown to the person and sent nowhere, because nobody knows that the address is the application's.
fn check(view: &View, query: &AuthorizationQuery, session_token: &str) -> Result<Checked> {
    let nowhere = |what: &'static str| Err(Reason::InvalidRequest.because(what));
    if matches!(&*query.repeated_parameter, "client_id" | "redirect_uri") {
        return nowhere("a parameter that says who asks is there twice");
    }
    let Some(client) = view.get::<Client>(&query.client_id)? else {
        return nowhere("there is no such application");
    };
    if !client.redirect_uris.contains(&query.redirect_uri) {
        return nowhere("the address for the answer is not one of the application's");
    }
    let scopes = model::scopes(&query.scope);
    if let Err(error) = check_query(&client, query, &scopes) {
        return Ok(Checked::Wrong(error));
    }
    let prompts: Vec<&str> = query.prompt.split(' ').filter(|prompt| !prompt.is_empty()).collect();
    let silent = prompts.contains(&"none");
    if silent && prompts.len() > 1 {
        let message = "`prompt=none` stands alone";
        return Ok(Checked::Wrong(Reason::InvalidRequest.because(message)));
    }
    let present = store::present(view, session_token)?;
    let present = present.filter(|present| is_fresh(view, present, query, &prompts));
    let Some(present) = present else {
        let required = || Reason::LoginRequired.because("nobody is signed in, or not lately");
        return Ok(if silent { Checked::Wrong(required()) } else { Checked::SignIn });
    };
    let granted = store::grant(view, &present.user.id, &client.id)?.unwrap_or_default();
    let covers = scopes.iter().all(|scope| granted.scopes.contains(scope));
    let asks = prompts.contains(&"consent") || !(client.first_party || covers);
    if asks && silent {
        let message = "the person has not granted this yet";
        return Ok(Checked::Wrong(Reason::ConsentRequired.because(message)));
    }
    let (client, present) = (client.into(), present.into());
    Ok(Checked::Present { client, scopes, present, asks })
}

fn check_query(client: &Client, query: &AuthorizationQuery, scopes: &[String]) -> Result<()> {
    if !query.repeated_parameter.is_empty() {
        return Err(Reason::InvalidRequest.because("a parameter is there twice"));
    }
    if query.has_object {
        return Err(Reason::RequestNotSupported.because("requests as objects are not taken"));
    }
    if !client.grant_types.iter().any(|grant| grant == model::CODE) {
        return Err(Reason::UnauthorizedClient.because("the application may not have codes"));
    }
    if query.response_type != "code" {
        return Err(Reason::UnsupportedResponseType.because("only `code` is answered"));
    }
    if !matches!(&*query.response_mode, "" | "query") {
        return Err(Reason::InvalidRequest.because("only `response_mode=query` is answered"));
    }
    // Without a method a challenge would be the secret itself.
    if query.code_challenge_method != "S256" || !model::is_challenge(&query.code_challenge) {
        return Err(Reason::InvalidRequest.because("a code takes a challenge of the method `S256`"));
    }
    if query.nonce.len() > 512 {
        return Err(Reason::InvalidRequest.because("the nonce is longer than 512 bytes"));
    }
    if !(query.max_age.is_empty() || query.max_age.parse::<u32>().is_ok()) {
        return Err(Reason::InvalidRequest.because("`max_age` is a number of seconds"));
    }
    if scopes.is_empty() {
        return Err(Reason::InvalidScope.because("nothing is asked for"));
    }
    model::check_scopes(scopes, &client.scopes)
}

/// Whether somebody proved who they are as lately as the application wants. Who was sent to sign in because
/// of it comes back with the time from which on it is good.
fn is_fresh(view: &View, present: &Present, query: &AuthorizationQuery, prompts: &[&str]) -> bool {
    let proved = present.auth_time();
    if let Ok(after) = query.signed_in_after.parse::<i64>() {
        return model::seconds(proved) >= after;
    }
    let age = query.max_age.parse::<u32>().ok();
    let old = |age: u32| view.now().since(proved).as_secs() > u64::from(age);
    !prompts.contains(&"login") && !age.is_some_and(old)
}

/// When a family's person proved who they are.
pub(super) fn auth_time(family: &Family) -> i64 {
    model::seconds(Micros::of(&family.auth_time))
}
