//! The way to a node: where it is, and a connection to it, in the clear or over TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use stoa_kit::{Code, Error, Result};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// Why nothing was sent.
pub(crate) const UNREACHABLE: &str = "client.unreachable";
/// Where systems keep the authorities that they believe: Debian and Alpine, Fedora, SUSE, BSD and Mac.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Where a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Its host, and its port where that is said.
    pub(crate) authority: String,
    host: String,
    port: u16,
    is_secure: bool,
}

impl Origin {
    /// The node at a URL such as `http://127.0.0.1:8080` or `https://stoa.example`.
    ///
    /// # Errors
    /// `client.url` for anything else.
    pub(crate) fn read(url: &str) -> Result<Self> {
        Self::of(url).ok_or_else(|| {
            let message = format!("`{url}` is not a node's URL");
            Error::new(Code::InvalidArgument, "client.url", message)
                .help("Write it as https://stoa.example or http://127.0.0.1:8080.")
        })
    }

    fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let (is_secure, usual) = match uri.scheme_str()? {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return None,
        };
        let authority = uri.authority()?.as_str().to_owned();
        if uri.path().len() > 1 || uri.query().is_some() || authority.contains('@') {
            return None;
        }
        let host = uri.host()?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let (host, port) = (host.to_owned(), uri.port_u16().unwrap_or(usual));
        Some(Self { authority, host, port, is_secure })
    }

    /// Whether what is said on the way there can be heard by others: neither TLS hides it, nor does it
    /// stay on this machine.
    pub(crate) fn is_overheard(&self) -> bool {
        let loopback = |address: std::net::IpAddr| address.is_loopback();
        let at_home = self.host == "localhost" || self.host.parse().is_ok_and(loopback);
        !self.is_secure && !at_home
    }

    /// Connects, and over TLS believes the authorities in a file, or those that this machine believes.
    ///
    /// # Errors
    /// `client.unreachable`, and `client.tls` for a node that is not believed.
    pub(crate) async fn connect(
        &self, authorities: Option<&Path>,
    ) -> Result<SendRequest<Full<Bytes>>> {
        let socket = TcpStream::connect((&*self.host, self.port)).await.map_err(unreachable)?;
        socket.set_nodelay(true).map_err(unreachable)?;
        if !self.is_secure {
            return speak(TokioIo::new(socket)).await;
        }
        let name = ServerName::try_from(self.host.clone()).map_err(|error| unbelieved(&error))?;
        let secure = tls(authorities)?.connect(name, socket).await;
        speak(TokioIo::new(secure.map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(inner) => unbelieved(inner),
                None => unreachable(error),
            }
        })?))
        .await
    }
}

#[allow(clippy::disallowed_methods, reason = "a client's connection is driven in the background")]
async fn speak(
    way: impl Read + Write + Unpin + Send + 'static,
) -> Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = handshake(way).await.map_err(unreachable)?;
    // The connection ends when its sender is dropped.
    drop(tokio::spawn(connection));
    Ok(sender)
}

fn tls(authorities: Option<&Path>) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    match authorities.map(Path::to_owned).or_else(bundle) {
        Some(file) => {
            let read = certificates(&file).map_err(|error| unreadable(&file, error))?;
            roots.add_parsable_certificates(read);
            if roots.is_empty() {
                return Err(unreadable(&file, "it has no certificate"));
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(Error::internal)?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The authorities that this machine believes, where it says so in a file.
#[allow(clippy::disallowed_methods, reason = "SSL_CERT_FILE is how people say whom to believe")]
fn bundle() -> Option<PathBuf> {
    let said = std::env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty());
    let usual = || BUNDLES.iter().map(PathBuf::from).find(|file| file.is_file());
    said.map(PathBuf::from).or_else(usual)
}

fn certificates(
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_file_iter(file)?.collect()
}

fn unreadable(file: &Path, error: impl std::fmt::Display) -> Error {
    let message = format!("{}: {error}", file.display());
    Error::new(Code::InvalidArgument, "client.authorities", message)
        .help("Name a PEM file with the certificates of authorities: --ca FILE.")
}

fn unbelieved(error: &dyn std::fmt::Display) -> Error {
    let message = format!("the node is not known to be who it says: {error}");
    Error::new(Code::InvalidArgument, "client.tls", message).help(
        "Where its certificate is of an authority of your own, name that: `stoa login --ca FILE`.",
    )
}

fn unreachable(error: impl std::fmt::Display) -> Error {
    Error::unavailable(UNREACHABLE, format!("the node does not answer: {error}"))
        .help("Is it running? Start one with `stoa up`.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_a_node_is() {
        for (url, host, port, is_secure) in [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, false),
            ("http://[::1]:80/", "::1", 80, false),
            ("http://stoa.example", "stoa.example", 80, false),
            ("https://stoa.example", "stoa.example", 443, true),
        ] {
            let origin = Origin::read(url).unwrap();
            assert_eq!((&*origin.host, origin.port, origin.is_secure), (host, port, is_secure));
        }
        for url in
            ["", "https//x", "stoa.example", "ftp://x", "http://x/a", "http://a@x", "http://"]
        {
            assert_eq!(Origin::read(url).unwrap_err().reason(), "client.url", "{url}");
        }
    }

    #[test]
    fn only_what_leaves_this_machine_in_the_clear_is_overheard() {
        let is_overheard = |url| Origin::read(url).unwrap().is_overheard();
        for url in
            ["http://127.0.0.1:8080", "http://localhost", "http://[::1]", "https://x.example"]
        {
            assert!(!is_overheard(url), "{url}");
        }
        for url in ["http://x.example", "http://10.0.0.1:8080", "http://localhost.example"] {
            assert!(is_overheard(url), "{url}");
        }
    }
}
