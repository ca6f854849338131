//! HTTP as others speak it: ACME (RFC 8555), and lists of what is revoked (RFC 5280, 4.2.1.13).
//!
//! What is decided is decided by methods of the contract; here it is read and written. Nothing that a
//! request says of its host becomes an address: those are the operator's.

mod acme;
mod jws;
mod orders;
mod words;

use stoa_certs_v1::*;
use stoa_kit::v1::{HttpRequest, HttpResponse};
use stoa_kit::{Ctx, Manners, Reason as _, Result};

pub(crate) use words::PROBLEM;
use words::{answer, with};

/// The largest request: one for a certificate of 100 names is far below.
pub(crate) const BODY_MAX: usize = 64 << 10;
/// How clients of ACME read a refusal of the door's. They are known by their keys, and by nothing of Stoa's.
pub(crate) const MANNERS: Manners = Manners { token: None, refuse: words::refuse };

pub(crate) async fn serve_acme(ctx: Ctx, request: ServeAcmeRequest) -> Result<ServeAcmeResponse> {
    let http = request.http.into_option().unwrap_or_default();
    Ok(ServeAcmeResponse { http: acme::serve(&ctx, &http).await.into() })
}

pub(crate) async fn serve_crl(ctx: Ctx, request: ServeCrlRequest) -> Result<ServeCrlResponse> {
    let http = request.http.into_option().unwrap_or_default();
    let known = matches!(&*http.method, "GET" | "HEAD");
    let root_id = http.path.strip_prefix("/crl/").filter(|_| known).unwrap_or_default();
    Ok(ServeCrlResponse { http: crl(&ctx, &http, root_id).await?.into() })
}

/// The list of a root: signed now if something was revoked since the last one was, so that whoever asks is told.
async fn crl(ctx: &Ctx, http: &HttpRequest, root_id: &str) -> Result<HttpResponse> {
    if root_id.is_empty() {
        return Err(Reason::UnknownPath.because("lists are at `/crl/<root>`, and are got"));
    }
    let last = ctx.call(GetCrlRequest { root_id: root_id.into() }).await?;
    let (crl, number) = match last.due {
        true => {
            let signed = ctx.call(SignCrlRequest { root_id: root_id.into() }).await?;
            (signed.crl, signed.number)
        }
        false => (last.crl, last.number),
    };
    let tag = format!("\"{number}\"");
    let known = http.headers.iter().any(|one| one.name == "if-none-match" && one.value == tag);
    let said = if known { answer(304, Vec::new()) } else { answer(200, crl) };
    let said = with(said, "content-type", "application/pkix-crl");
    // Whoever keeps it asks each time whether it still holds.
    Ok(with(with(said, "etag", &tag), "cache-control", "no-cache"))
}

/// Where the list of a root is to be had; empty where nobody said how the node is known.
pub(crate) fn crl_address(settings: &Settings, root_id: &str) -> String {
    match &*settings.address {
        "" => String::new(),
        address => format!("{address}/crl/{root_id}"),
    }
}
