//! A connection: from the name of a host to a channel that is as secure as its scheme says.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use stoa_kit::outbound::origin;
use stoa_kit::{Code, Error, Result};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::egress::Egress;

/// How long a connection may take: the name, the network, and TLS.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Finds the addresses of a name.
pub type Resolve = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Finds them as everybody on this machine does.
pub fn system() -> Resolve {
    Arc::new(|name| {
        Box::pin(async move {
            let found = lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Both ends of a channel.
pub(crate) trait Channel: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Channel for T {}

impl Connection for Box<dyn Channel> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Connector {
    egress: Arc<Egress>,
    /// Whether it makes connections to networks that are named although they are not public.
    private: bool,
    resolve: Resolve,
    tls: TlsConnector,
}

impl Connector {
    pub(crate) fn new(egress: Arc<Egress>, resolve: Resolve) -> Result<Self> {
        let wrong = |what: String| {
            Error::new(Code::FailedPrecondition, "http.configuration", what)
                .help("Give certificates in PEM, each between its BEGIN and its END.")
        };
        let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        let mut own = 0;
        for root in CertificateDer::pem_slice_iter(egress.roots.as_bytes()) {
            let root =
                root.map_err(|error| wrong(format!("`outbound_roots` is no PEM: {error}")))?;
            roots.add(root).map_err(|error| wrong(format!("a root is no certificate: {error}")))?;
            own += 1;
        }
        if own == 0 && !egress.roots.trim().is_empty() {
            return Err(wrong("`outbound_roots` holds no certificate".to_owned()));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { egress, private: true, resolve, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// The same, which goes to public addresses alone.
    pub(crate) fn public(&self) -> Self {
        Self { private: false, ..self.clone() }
    }

    async fn connect(self, address: Uri) -> Result<Box<dyn Channel>> {
        let usual = if address.scheme_str() == Some("https") { 443 } else { 80 };
        let host = address.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = address.port_u16().unwrap_or(usual);
        let sockets: Vec<_> = self
            .addresses(host, &address)
            .await?
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect();
        let socket = open(&sockets, &address).await?;
        if usual == 80 {
            return Ok(Box::new(socket));
        }
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| insecure(&address, "its name is none"))?;
        let secure = self.tls.connect(name, socket).await;
        Ok(Box::new(secure.map_err(|error| insecure(&address, error))?))
    }

    /// The addresses of a host, all of which may be reached.
    async fn addresses(&self, host: &str, address: &Uri) -> Result<Vec<IpAddr>> {
        let mut found = match host.parse() {
            Ok(literal) => vec![literal],
            Err(_) => (self.resolve)(host.to_owned()).await.unwrap_or_default(),
        };
        if found.is_empty() {
            let what = format!("nobody knows the address of {}", origin(address));
            return Err(Error::unavailable("http.no_address", what));
        }
        let may_reach = |found: &&IpAddr| self.egress.may_reach(**found, self.private);
        if let Some(refused) = found.iter().find(|found| !may_reach(found)) {
            let what =
                format!("{} is at an address that this node does not reach", origin(address));
            return Err(Error::new(Code::FailedPrecondition, "http.refused_address", what)
                .help(
                    "Name its network in `outbound_networks`, if it is meant to be reached; and its \
                     host in full in `outbound_hosts`, if users may send there.",
                )
                .cause(refused));
        }
        found.truncate(ADDRESSES_MAX);
        Ok(found)
    }
}

/// Opens a connection to the first address that answers, none of which is waited for so long that
/// there is no time for the next.
async fn open(sockets: &[SocketAddr], address: &Uri) -> Result<TcpStream> {
    let each = CONNECT_MAX / 2 / u32::try_from(sockets.len()).unwrap_or(1).max(1);
    for socket in sockets {
        if let Ok(Ok(stream)) = timeout(each, TcpStream::connect(socket)).await {
            // A small request must not wait for acknowledgements.
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
    }
    let what = format!("{} takes no connection", origin(address));
    Err(Error::unavailable("http.unreachable", what))
}

fn insecure(address: &Uri, cause: impl std::fmt::Display) -> Error {
    let what = format!("the connection to {} is not secure", origin(address));
    Error::unavailable("http.tls", what).cause(cause)
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Channel>>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let slow = Error::unavailable(
                "http.timeout",
                format!("{} takes no connection in time", origin(&address)),
            );
            let connected = timeout(CONNECT_MAX, connector.connect(address)).await;
            connected.map_err(|_| slow)?.map(TokioIo::new)
        })
    }
}
