//! Passkeys, with an authenticator of the test's own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ciborium::Value as Cbor;
use futures::future::join_all;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use stoa_auth_v1::{
    BeginPasskeyRegistrationRequest, BeginPasskeySignInRequest, FinishPasskeyRegistrationRequest,
    FinishPasskeySignInRequest, FinishPasskeySignInResponse, ListFactorsRequest,
    RemovePasskeyRequest, StepUpRequest, StepUpRequestProof, VerifySecondFactorRequest,
    VerifySecondFactorRequestProof,
};
use stoa_kit::{Caller, Code, Result, Service};
use stoa_testkit::{Node, both};

use crate::{MINUTE, PASSWORD, bearer, fails, person, sign_in};

fn services() -> Vec<Service> {
    crate::services()
}

/// What holds a passkey.
#[derive(Clone)]
struct Device {
    key: SigningKey,
    id: Vec<u8>,
    user: String,
    verifies: bool,
    /// The flags of being able to be synchronized, and of being so.
    backup: (bool, bool),
    count: u32,
    origin: String,
    domain: String,
}

impl Device {
    fn new(seed: u8) -> Self {
        Self {
            key: SigningKey::from_slice(&[seed; 32]).unwrap(),
            id: vec![seed; 20],
            user: String::new(),
            verifies: true,
            backup: (true, true),
            count: 0,
            origin: "http://localhost:8080".to_owned(),
            domain: "localhost".to_owned(),
        }
    }

    fn data(&self, attested: bool) -> Vec<u8> {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = 1
            | flag(self.verifies, 4)
            | flag(self.backup.0, 8)
            | flag(self.backup.1, 16)
            | flag(attested, 64);
        let mut data = Sha256::digest(self.domain.as_bytes()).to_vec();
        data.push(flags);
        data.extend(self.count.to_be_bytes());
        if attested {
            data.extend([0; 16]);
            data.extend((self.id.len() as u16).to_be_bytes());
            data.extend(&self.id);
            data.extend(self.cose());
        }
        data
    }

    fn cose(&self) -> Vec<u8> {
        let point = self.key.verifying_key().to_sec1_point(false);
        let bytes = point.as_bytes();
        let int = |number: i64| Cbor::Integer(number.into());
        let map = Cbor::Map(vec![
            (int(1), int(2)),
            (int(3), int(-7)),
            (int(-1), int(1)),
            (int(-2), Cbor::Bytes(bytes[1..33].to_vec())),
            (int(-3), Cbor::Bytes(bytes[33..65].to_vec())),
        ]);
        let mut cose = Vec::new();
        ciborium::into_writer(&map, &mut cose).unwrap();
        cose
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        json!({
            "type": kind, "challenge": options["challenge"], "origin": self.origin,
            "crossOrigin": false,
        })
        .to_string()
        .into_bytes()
    }

    /// A RegistrationResponseJSON.
    fn make(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        self.user = options["user"]["id"].as_str().unwrap().to_owned();
        let object = Cbor::Map(vec![
            (Cbor::Text("fmt".into()), Cbor::Text("none".into())),
            (Cbor::Text("attStmt".into()), Cbor::Map(Vec::new())),
            (Cbor::Text("authData".into()), Cbor::Bytes(self.data(true))),
        ]);
        let mut attestation = Vec::new();
        ciborium::into_writer(&object, &mut attestation).unwrap();
        self.json(&json!({
            "clientDataJSON": BASE64.encode(self.client_data("webauthn.create", &options)),
            "attestationObject": BASE64.encode(attestation),
            "transports": ["internal"],
        }))
    }

    /// An AuthenticationResponseJSON.
    fn sign(&self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        let (data, client_data) = (self.data(false), self.client_data("webauthn.get", &options));
        let signed = [data.as_slice(), &Sha256::digest(&client_data)].concat();
        let signature: Signature = self.key.sign(&signed);
        self.json(&json!({
            "clientDataJSON": BASE64.encode(client_data),
            "authenticatorData": BASE64.encode(data),
            "signature": BASE64.encode(signature.to_der().as_bytes()),
            "userHandle": self.user,
        }))
    }

    fn json(&self, response: &Value) -> String {
        let id = BASE64.encode(&self.id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "response": response,
            "authenticatorAttachment": "platform", "clientExtensionResults": {},
        })
        .to_string()
    }
}

async fn signed_in(node: &Node, login: &str) -> Caller {
    bearer(node, &sign_in(node, login, PASSWORD).await.unwrap().token).await.unwrap()
}

async fn register(node: &Node, caller: &Caller, device: &mut Device) -> Result<String> {
    let options = node.call(caller, BeginPasskeyRegistrationRequest {}).await?.options;
    let (passkey, label) = (device.make(&options), "key ring".to_owned());
    let request = FinishPasskeyRegistrationRequest { passkey, label };
    Ok(node.call(caller, request).await?.passkey.id.clone())
}

async fn begin(node: &Node, caller: &Caller, ticket: &str) -> String {
    let request = BeginPasskeySignInRequest { ticket: ticket.to_owned() };
    node.call(caller, request).await.unwrap().options
}

async fn finish(node: &Node, passkey: String) -> Result<FinishPasskeySignInResponse> {
    let request = FinishPasskeySignInRequest { passkey, label: "laptop".into() };
    node.call_from("192.0.2.1", &node.nobody(), request).await
}

async fn sign_in_with(node: &Node, device: &Device) -> Result<FinishPasskeySignInResponse> {
    let options = begin(node, &node.nobody(), "").await;
    finish(node, device.sign(&options)).await
}

#[track_caller]
fn refused<T>(outcome: Result<T>) {
    fails(outcome, Code::Unauthenticated, "auth.passkey_refused");
}

/// Somebody with a passkey.
async fn with_passkey(node: &Node, login: &str, seed: u8) -> Device {
    person(node, login).await;
    let mut device = Device::new(seed);
    register(node, &signed_in(node, login).await, &mut device).await.unwrap();
    device
}

both! {
    async fn a_passkey_signs_in_by_itself_and_by_the_strongest(node: Node) {
        let device = with_passkey(&node, "ada", 1).await;
        let opened = sign_in_with(&node, &device).await.unwrap();
        let caller = bearer(&node, &opened.token).await.unwrap();
        let proof = caller.proof.clone().unwrap();
        assert_eq!((&*proof.methods, proof.full), (&["passkey".to_owned()][..], true));
        let factors = node.call(&caller, ListFactorsRequest {}).await.unwrap();
        let passkey = &factors.passkeys[0];
        assert!(passkey.backed_up && passkey.last_use_time.is_set() && passkey.label == "key ring");
        // A passkey that counts nothing is as good as another.
        sign_in_with(&node, &device).await.unwrap();
    }
}

both! {
    async fn a_challenge_is_good_once_and_for_five_minutes(node: Node) {
        let device = with_passkey(&node, "ada", 1).await;
        let options = begin(&node, &node.nobody(), "").await;
        let outcomes = join_all((0..16).map(|_| finish(&node, device.sign(&options)))).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        let options = begin(&node, &node.nobody(), "").await;
        node.advance(5 * MINUTE).await;
        refused(finish(&node, device.sign(&options)).await);
        refused(finish(&node, device.sign("{\"challenge\": \"AAAA\"}")).await);
    }
}

both! {
    async fn what_asks_for_a_passkey_elsewhere_gets_nothing_that_is_good_here(node: Node) {
        let device = with_passkey(&node, "ada", 1).await;
        let origin = "https://evil.example".to_owned();
        refused(sign_in_with(&node, &Device { origin, ..device.clone() }).await);
        let domain = "evil.example".to_owned();
        refused(sign_in_with(&node, &Device { domain, ..device.clone() }).await);
        let key = SigningKey::from_slice(&[9; 32]).unwrap();
        refused(sign_in_with(&node, &Device { key, ..device.clone() }).await);
        let user = BASE64.encode("usr_somebody_else");
        refused(sign_in_with(&node, &Device { user, ..device.clone() }).await);
        let id = vec![77; 20];
        refused(sign_in_with(&node, &Device { id, ..device }).await);
    }
}

both! {
    async fn a_passkey_that_did_not_verify_its_user_is_no_proof_alone(node: Node) {
        let device = with_passkey(&node, "ada", 1).await;
        let device = Device { verifies: false, ..device };
        refused(sign_in_with(&node, &device).await);
        let asked = sign_in(&node, "ada", PASSWORD).await.unwrap();
        assert!(asked.token.is_empty());
        let ticket = asked.second_factor.ticket.clone();
        let options = begin(&node, &node.nobody(), &ticket).await;
        let passkey = VerifySecondFactorRequestProof::Passkey(device.sign(&options));
        let request = VerifySecondFactorRequest {
            ticket, proof: Some(passkey), ..Default::default()
        };
        let opened = node.call(&node.nobody(), request).await.unwrap();
        let caller = bearer(&node, &opened.token).await.unwrap();
        assert_eq!(caller.proof.unwrap().methods, ["pwd", "passkey"]);
    }
}

both! {
    async fn a_passkey_that_counts_back_is_refused(node: Node) {
        let device = with_passkey(&node, "ada", 1).await;
        let at = |count| Device { count, ..device.clone() };
        sign_in_with(&node, &at(5)).await.unwrap();
        refused(sign_in_with(&node, &at(5)).await);
        refused(sign_in_with(&node, &at(4)).await);
        refused(sign_in_with(&node, &at(0)).await);
        sign_in_with(&node, &at(6)).await.unwrap();
    }
}

both! {
    async fn a_passkey_that_comes_to_be_synchronized_keeps_signing_in(node: Node) {
        person(&node, "ada").await;
        let mut device = Device { backup: (false, false), ..Device::new(1) };
        register(&node, &signed_in(&node, "ada").await, &mut device).await.unwrap();
        sign_in_with(&node, &device).await.unwrap();
        refused(sign_in_with(&node, &Device { backup: (false, true), ..device.clone() }).await);
        for backup in [(true, false), (true, true)] {
            sign_in_with(&node, &Device { backup, ..device.clone() }).await.unwrap();
        }
        refused(sign_in_with(&node, &device).await);
    }
}

both! {
    async fn a_challenge_for_one_thing_is_good_for_no_other(node: Node) {
        let device = with_passkey(&node, "ada", 1).await;
        let token = sign_in_with(&node, &device).await.unwrap().token;
        let caller = bearer(&node, &token).await.unwrap();
        let other = bearer(&node, &sign_in_with(&node, &device).await.unwrap().token).await.unwrap();
        let step_up = async |caller: &Caller, options: &str| {
            let proof = Some(StepUpRequestProof::Passkey(device.sign(options)));
            node.call(caller, StepUpRequest { proof }).await
        };
        let for_session = begin(&node, &caller, "").await;
        refused(finish(&node, device.sign(&for_session)).await);
        refused(step_up(&other, &for_session).await);
        let for_nobody = begin(&node, &node.nobody(), "").await;
        refused(step_up(&caller, &for_nobody).await);
        let ticket = sign_in(&node, "ada", PASSWORD).await.unwrap().second_factor.ticket.clone();
        let for_ticket = begin(&node, &node.nobody(), &ticket).await;
        refused(finish(&node, device.sign(&for_ticket)).await);
        node.advance(11 * MINUTE).await;
        let caller = bearer(&node, &token).await.unwrap();
        let begin_registration = BeginPasskeyRegistrationRequest {};
        let outcome = node.call(&caller, begin_registration.clone()).await;
        fails(outcome, Code::PermissionDenied, "auth.step_up_required");
        let options = begin(&node, &caller, "").await;
        step_up(&caller, &options).await.unwrap();
        let caller = bearer(&node, &token).await.unwrap();
        let options = node.call(&caller, begin_registration).await.unwrap().options;
        refused(step_up(&caller, &options).await);
    }
}

both! {
    async fn a_passkey_is_registered_once_for_whoever_began_and_removed_by_its_owner(node: Node) {
        let device = with_passkey(&node, "ada", 1).await;
        person(&node, "eve").await;
        let eve = signed_in(&node, "eve").await;
        let outcome = register(&node, &eve, &mut device.clone()).await;
        fails(outcome, Code::AlreadyExists, "auth.passkey_exists");
        let token = sign_in_with(&node, &device).await.unwrap().token;
        let ada = bearer(&node, &token).await.unwrap();
        let options = node.call(&ada, BeginPasskeyRegistrationRequest {}).await.unwrap().options;
        let (passkey, label) = (Device::new(2).make(&options), String::new());
        let request = FinishPasskeyRegistrationRequest { passkey, label };
        refused(node.call(&eve, request.clone()).await);
        let second = node.call(&ada, request.clone()).await.unwrap().passkey.id.clone();
        refused(node.call(&ada, request).await);
        let remove = RemovePasskeyRequest { id: second };
        let outcome = node.call(&eve, remove.clone()).await;
        fails(outcome, Code::NotFound, "resource.not_found");
        node.call(&ada, remove).await.unwrap();
        refused(sign_in_with(&node, &Device { user: device.user.clone(), ..Device::new(2) }).await);
        sign_in_with(&node, &device).await.unwrap();
    }
}
