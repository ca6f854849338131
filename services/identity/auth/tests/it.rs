//! Auth, through its contract.

#![cfg(test)]

#[path = "it/factors.rs"]
mod factors;
#[path = "it/keys.rs"]
mod keys;
#[path = "it/links.rs"]
mod links;
#[path = "it/passkeys.rs"]
mod passkeys;
#[path = "it/passwords.rs"]
mod passwords;
#[path = "it/roles.rs"]
mod roles;
#[path = "it/sessions.rs"]
mod sessions;
#[path = "it/setup.rs"]
mod setup;
#[path = "it/tenants.rs"]
mod tenants;

use std::time::Duration;

use stoa_auth_v1::{
    CreateRoleRequest, GrantRoleRequest, SetPasswordRequest, SignInRequest, SignInResponse,
};
use stoa_kit::{Caller, Code, Error, Micros, Result, Service};
use stoa_testkit::Node;
use stoa_users_v1::CreateUserRequest;

const PASSWORD: &str = "correct horse battery";
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn services() -> Vec<Service> {
    vec![
        stoa_auth::service(),
        stoa_notify::service(),
        stoa_tokens::service(),
        stoa_users::service(),
    ]
}

stoa_testkit::compliance!(stoa_auth::service, services);

/// A user without a password.
async fn create(node: &Node, handle: &str) -> String {
    let request = CreateUserRequest {
        handle: handle.into(),
        email: format!("{handle}@example.com"),
        ..CreateUserRequest::default()
    };
    node.call(&node.admin(), request).await.unwrap().user.id.clone()
}

/// A user whose password is [`PASSWORD`].
async fn person(node: &Node, handle: &str) -> String {
    let user_id = create(node, handle).await;
    let request = SetPasswordRequest { user_id: user_id.clone(), password: PASSWORD.into() };
    node.call(&node.admin(), request).await.unwrap();
    user_id
}

async fn sign_in_from(
    node: &Node, address: &str, login: &str, password: &str,
) -> Result<SignInResponse> {
    let request =
        SignInRequest { login: login.into(), password: password.into(), label: "laptop".into() };
    node.call_from(address, &node.nobody(), request).await
}

async fn sign_in(node: &Node, login: &str, password: &str) -> Result<SignInResponse> {
    sign_in_from(node, "192.0.2.1", login, password).await
}

/// The caller whom the node finds behind a token.
async fn bearer(node: &Node, token: &str) -> Result<Caller> {
    node.inner().authenticate(token).await
}

/// Grants a new role with these permissions.
async fn grant(node: &Node, user_id: &str, role: &str, permissions: &[&str]) {
    let request = CreateRoleRequest {
        name: role.into(),
        description: String::new(),
        permissions: texts(permissions),
    };
    node.call(&node.admin(), request).await.unwrap();
    let request = GrantRoleRequest { role: role.into(), user_id: user_id.into() };
    node.call(&node.admin(), request).await.unwrap();
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The code of a secret that is shown at a time.
fn code(secret: &[u8], now: Micros) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let step = (now.0 / 30_000_000) as u64;
    let mac = Hmac::<sha1::Sha1>::new_from_slice(secret).unwrap();
    let mac = mac.chain_update(step.to_be_bytes()).finalize().into_bytes();
    let offset = usize::from(mac[19] & 15);
    let number = u32::from_be_bytes(mac[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// The bytes of a secret that was shown in Base32.
fn secret(shown: &str) -> Vec<u8> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in shown.bytes() {
        let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".bytes().position(|it| it == letter).unwrap();
        held = (held << 5 | value as u32) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}

#[track_caller]
fn fails<T>(outcome: Result<T>, code: Code, reason: &str) -> Error {
    let error = outcome.err().expect("it succeeded");
    assert_eq!((error.code(), error.reason()), (code, reason), "{error:?}");
    error
}
