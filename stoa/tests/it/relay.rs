//! What stands between a client and a node: it can be cut, and speak TLS.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// It ends when it is dropped.
pub(crate) struct Relay {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    open: Arc<Mutex<Vec<AbortHandle>>>,
    _runtime: Runtime,
}

impl Relay {
    /// Hands everything on to a node.
    pub(crate) fn to(node: SocketAddr) -> Self {
        Self::start(node, None)
    }

    /// The same, for clients that speak TLS.
    pub(crate) fn over_tls(node: SocketAddr, tls: TlsAcceptor) -> Self {
        Self::start(node, Some(tls))
    }

    fn start(node: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::<Mutex<Vec<AbortHandle>>>::default();
        let all = Arc::clone(&open);
        runtime.spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                let tls = tls.clone();
                let connection = tokio::spawn(async move {
                    match tls {
                        None => hand_on(peer, node).await,
                        Some(tls) => {
                            // Whoever does not believe the certificate goes away.
                            if let Ok(peer) = tls.accept(peer).await {
                                hand_on(peer, node).await;
                            }
                        }
                    }
                });
                all.lock().unwrap().push(connection.abort_handle());
            }
        });
        Self { address, open, _runtime: runtime }
    }

    /// Breaks off every connection.
    pub(crate) fn cut(&self) {
        self.open.lock().unwrap().drain(..).for_each(|connection| connection.abort());
    }
}

async fn hand_on(mut peer: impl AsyncRead + AsyncWrite + Unpin, node: SocketAddr) {
    if let Ok(mut node) = TcpStream::connect(node).await {
        // However it ends, it has ended.
        let _ = copy_bidirectional(&mut peer, &mut node).await;
    }
}
