//! Reflection of gRPC: what can be called, for clients that have no contracts.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use connectrpc::dispatcher::{RequestStream, StreamingResult, UnaryResult};
use connectrpc::{CodecFormat, Dispatcher, MethodDescriptor, Payload, RequestContext, Router};
use connectrpc_reflection::Reflector;
use stoa_kit::{Error, Registry, Result};

/// Made once somebody asks: it holds every comment of every contract.
pub(crate) struct Reflection {
    registry: Arc<Registry>,
    made: OnceLock<Router>,
}

impl Reflection {
    pub(crate) fn new(registry: &Arc<Registry>) -> Self {
        Self { registry: Arc::clone(registry), made: OnceLock::new() }
    }

    fn router(&self) -> &Router {
        self.made.get_or_init(|| {
            make(&self.registry).unwrap_or_else(|error| {
                tracing::error!(error = ?error, "the contracts cannot be reflected");
                Router::new()
            })
        })
    }
}

fn make(registry: &Registry) -> Result<Router> {
    let contracts = registry.services().iter().filter_map(|service| service.contract);
    let reflector = Reflector::from_descriptor_set_bytes(stoa_contract::IMPORTS);
    let mut reflector = reflector.map_err(Error::internal)?;
    for contract in contracts.clone() {
        reflector.add_descriptor_set_bytes(contract.descriptors).map_err(Error::internal)?;
    }
    let names: Vec<_> = contracts.map(|contract| contract.full_name).collect();
    Ok(connectrpc_reflection::install(Router::new(), reflector.with_services(names)))
}

impl Dispatcher for Reflection {
    fn lookup(&self, path: &str) -> Option<MethodDescriptor> {
        path.starts_with("grpc.reflection.").then(|| self.router().lookup(path))?
    }

    fn call_unary(
        &self, path: &str, ctx: RequestContext, request: Payload, format: CodecFormat,
    ) -> UnaryResult {
        self.router().call_unary(path, ctx, request, format)
    }

    fn call_server_streaming(
        &self, path: &str, ctx: RequestContext, request: Bytes, format: CodecFormat,
    ) -> StreamingResult {
        self.router().call_server_streaming(path, ctx, request, format)
    }

    fn call_client_streaming(
        &self, path: &str, ctx: RequestContext, requests: RequestStream, format: CodecFormat,
    ) -> UnaryResult {
        self.router().call_client_streaming(path, ctx, requests, format)
    }

    fn call_bidi_streaming(
        &self, path: &str, ctx: RequestContext, requests: RequestStream, format: CodecFormat,
    ) -> StreamingResult {
        self.router().call_bidi_streaming(path, ctx, requests, format)
    }
}
