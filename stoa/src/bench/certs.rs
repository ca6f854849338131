//! Whoever asks an authority for certificates.

use std::sync::Arc;

use serde_json::json;
use stoa_kit::Result;

use super::load::{Case, Random, Way};
use crate::setup::{Api, text};
use crate::wire::Prefix;

/// A request for a certificate: of P-256, for two names.
const CSR: &str = "-----BEGIN CERTIFICATE REQUEST-----\\n\
     MIIBDjCBtQIBADAXMRUwEwYDVQQDDAxzaG9wLmV4YW1wbGUwWTATBgcqhkjOPQIB\\n\
     BggqhkjOPQMBBwNCAAQIE9kAnqiXYsFnT8UkhsmggQ8SO7mUvuuFJwrh1hKT8mvm\\n\
     1UaVZH+OHZMLKonGXZ4y2hdbVkjrnjtNDiKmbHoooDwwOgYJKoZIhvcNAQkOMS0w\\n\
     KzApBgNVHREEIjAgggxzaG9wLmV4YW1wbGWCEHd3dy5zaG9wLmV4YW1wbGUwCgYI\\n\
     KoZIzj0EAwIDSAAwRQIgbksPfUHFWTqy/aCjm0T4eEZ0wAMjtPqsypR0MMOU+oQC\\n\
     IQC8w2vMIftvAHR5uLb9u2yK9+s2N3vyU6Iyb1LHNXA9pQ==\\n\
     -----END CERTIFICATE REQUEST-----";

/// The authority that is asked.
pub(crate) struct Issuer {
    authority_id: String,
}

impl Issuer {
    pub(crate) async fn prepare(admin: &mut Api) -> Result<Self> {
        let made = admin.call("certs", "CreateAuthority", &json!({"name": "bench"}), None).await?;
        Ok(Self { authority_id: text(&made.body["authority"]["id"]).to_owned() })
    }

    /// Each is read, signed and kept.
    pub(crate) fn certificates(&self, token: &str) -> Case {
        let id = &self.authority_id;
        let request = format!("{{\"authority_id\":\"{id}\",\"csr\":\"{CSR}\\n\"}}");
        let body =
            move |_: &mut Random, out: &mut Vec<u8>| out.extend_from_slice(request.as_bytes());
        Case {
            name: "issue_certificate",
            callers: 64,
            way: Way::Post(Prefix::call("/stoa.certs.v1.CertsService/IssueCertificate", token)),
            keyed: false,
            body: Arc::new(body),
            told: None,
        }
    }
}
