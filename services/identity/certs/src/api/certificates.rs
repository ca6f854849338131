//! Certificates: issued, revoked, and shown.

use stoa_certs_v1::*;
use stoa_kit::{Ctx, Error, Micros, Reason as _, Result, Tx, View};
use x509_cert::der::{DecodePem as _, Encode as _};
use x509_cert::request::CertReq;

use crate::crypto::{self, Leaf, Request};
use crate::store::{acme, certificates, roots};
use crate::{face, model};

pub(super) async fn issue(
    ctx: Ctx, request: IssueCertificateRequest,
) -> Result<IssueCertificateResponse> {
    let csr = csr_of(&request.csr)?;
    let sign = SignCertificateRequest {
        authority_id: request.authority_id,
        csr,
        ttl_seconds: request.ttl_seconds,
        ..SignCertificateRequest::default()
    };
    let stored = issue_from(&ctx, sign).await?;
    let (from, to) = (&stored.certificate.create_time, &stored.certificate.expire_time);
    let half = Micros::of(to).since(Micros::of(from)) / 2;
    Ok(IssueCertificateResponse {
        renew_time: Micros::of(from).after(half).timestamp(),
        certificate: stored.certificate,
        chain: stored.chain,
    })
}

/// Signs a certificate on a snapshot, and keeps it: none is handed out that could not be revoked.
pub(crate) async fn issue_from(
    ctx: &Ctx, sign: SignCertificateRequest,
) -> Result<StoreCertificateResponse> {
    let order_id = sign.order_id.clone();
    let serial = model::serial(ctx.secret("serial")).to_vec();
    let certificate = ctx.call(SignCertificateRequest { serial, ..sign }).await?.certificate;
    ctx.call(StoreCertificateRequest { certificate, order_id }).await
}

/// A request that is PEM, as DER.
fn csr_of(text: &str) -> Result<Vec<u8>> {
    let request = CertReq::from_pem(text).ok().and_then(|request| request.to_der().ok());
    request.ok_or_else(|| Error::field("csr", "csr", "must be a request (PKCS #10), as PEM"))
}

pub(super) fn sign(
    view: &View, request: SignCertificateRequest,
) -> Result<SignCertificateResponse> {
    let authority = view
        .get::<Authority>(&request.authority_id)?
        .ok_or_else(|| Error::not_found("certs.authority", &request.authority_id))?;
    let asked = Request::read(&request.csr)?;
    let account_id = match &*request.order_id {
        "" => String::new(),
        id => ordered(view, id, &asked.names)?.account_id,
    };
    let workload = match model::spiffe_id(&asked.names) {
        Some(_) if asked.names.len() > 1 => {
            return Err(Reason::BadCsr.because("beside a SPIFFE ID it has other names"));
        }
        Some(id) => Some(certificates::workload(view, &authority.id, id)?),
        None => None,
    };
    let (root, signer) = roots::signer(view, &authority.id)?;
    let settings: Settings = view.settings()?;
    let life = model::life(&authority, workload.as_ref(), request.ttl_seconds);
    let now = view.now();
    let to = model::whole(now.after(life)).min(Micros::of(&root.expire_time));
    let leaf = Leaf {
        names: &asked.names,
        public: asked.public,
        serial: &request.serial,
        from: now.before(model::SKEW),
        to,
        crl: face::crl_address(&settings, &root.id),
    };
    let certificate = Certificate {
        serial: model::hex(&request.serial),
        authority_id: authority.id,
        root_id: root.id,
        workload_id: workload.map(|workload| workload.id).unwrap_or_default(),
        account_id,
        certificate: crypto::pem(&crypto::sign_leaf(&signer, leaf)?)?,
        expire_time: to.timestamp(),
        names: asked.names,
        ..Certificate::default()
    };
    Ok(SignCertificateResponse { certificate: certificate.into() })
}

/// An order of which all is proved, for just these names.
fn ordered(view: &View, id: &str, names: &[String]) -> Result<Order> {
    let order = view.get::<Order>(id)?.unwrap_or_default();
    let over = Micros::of(&order.expire_time) <= view.now();
    if order.state != OrderState::Ready || over {
        return Err(Reason::OrderNotReady.because("the order is not ready"));
    }
    if order.names != names {
        return Err(Reason::BadCsr.because("its names are not those of the order"));
    }
    Ok(order)
}

pub(super) fn store(
    tx: &mut Tx, request: StoreCertificateRequest,
) -> Result<StoreCertificateResponse> {
    let certificate = request.certificate.into_option().unwrap_or_default();
    // What allowed it may have gone since it was signed.
    let order = match &*request.order_id {
        "" => None,
        id => Some(ordered(tx, id, &certificate.names)?),
    };
    if !certificate.workload_id.is_empty()
        && tx.get::<Workload>(&certificate.workload_id)?.is_none()
    {
        return Err(Reason::NotRegistered.because("no workload has this SPIFFE ID"));
    }
    let chain = chain(tx, &certificate)?;
    let certificate = certificates::add(tx, certificate)?;
    let order = match order {
        Some(mut order) => {
            order.state = OrderState::Valid.into();
            order.serial.clone_from(&certificate.serial);
            Some(tx.save(order)?)
        }
        None => None,
    };
    Ok(StoreCertificateResponse { certificate: certificate.into(), chain, order: order.into() })
}

/// A certificate and the root that signed it, as PEM.
fn chain(view: &View, certificate: &Certificate) -> Result<String> {
    let root = view.get::<Root>(&certificate.root_id)?.unwrap_or_default();
    Ok(format!("{}{}", certificate.certificate, root.certificate))
}

pub(super) fn revoke(
    tx: &mut Tx, request: RevokeCertificateRequest,
) -> Result<RevokeCertificateResponse> {
    let certificate = tx.load::<Certificate>(&request.serial)?;
    let reason = request.reason.as_known().unwrap_or_default();
    let certificate = certificates::revoke(tx, certificate, reason)?;
    Ok(RevokeCertificateResponse { certificate: certificate.into() })
}

pub(super) fn revoke_for_acme(
    tx: &mut Tx, request: RevokeForAcmeRequest,
) -> Result<RevokeForAcmeResponse> {
    let unknown = || Reason::Unauthorized.because("the certificate is none of this authority's");
    let shown = crypto::read_pem(&request.certificate).ok_or_else(unknown)?;
    let serial = model::hex(shown.tbs_certificate().serial_number().as_bytes());
    let found = tx.get::<Certificate>(&serial)?;
    let certificate = found
        .filter(|one| {
            one.authority_id == request.authority_id && one.certificate == request.certificate
        })
        .ok_or_else(unknown)?;
    let account = &*request.account_id;
    if !(account.is_empty() || certificate.account_id == account) {
        // Who has proved since that all of its names are theirs may end it (RFC 8555, 7.6).
        for name in &certificate.names {
            if !acme::has_proved(tx, account, name)? {
                return Err(Reason::Unauthorized.because("the certificate is another account's"));
            }
        }
    }
    let reason = request.reason.as_known().unwrap_or_default();
    certificates::revoke(tx, certificate, reason)?;
    Ok(RevokeForAcmeResponse {})
}

pub(super) fn get(view: &View, request: GetCertificateRequest) -> Result<GetCertificateResponse> {
    Ok(GetCertificateResponse { certificate: view.load::<Certificate>(&request.serial)?.into() })
}

pub(super) fn batch_get(
    view: &View, request: BatchGetCertificatesRequest,
) -> Result<BatchGetCertificatesResponse> {
    Ok(BatchGetCertificatesResponse { certificates: view.load_many(&request.ids)? })
}

pub(super) fn list(
    view: &View, request: ListCertificatesRequest,
) -> Result<ListCertificatesResponse> {
    let (certificates, next_page_token) = view
        .list::<Certificate>("create_time DESC, serial_number DESC")
        .only("authority_id", &request.authority_id)
        .only("workload_id", &request.workload_id)
        .page(&request)?;
    Ok(ListCertificatesResponse { certificates, next_page_token })
}
