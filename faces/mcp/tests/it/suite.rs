//! The service whose tools the conformance suite calls.

use futures::StreamExt;
use stoa_kit::{Code, Ctx, Error, Result, Service, Stream, Tx, View};

use contract::{
    ElicitationRequest, ElicitationResponse, ErrorHandlingRequest, ErrorHandlingResponse,
    ReconnectionRequest, ReconnectionResponse, SimpleTextRequest, SimpleTextResponse, TestService,
    ToolWithProgressRequest, ToolWithProgressResponse,
};

pub(crate) mod contract {
    stoa_contract::contract!("test", "tests/proto");
}

struct Suite;

const TEXT: &str = "This is a simple text response for testing.";

impl TestService for Suite {
    fn simple_text(&self, _: &View, _: SimpleTextRequest) -> Result<SimpleTextResponse> {
        Ok(SimpleTextResponse { text: TEXT.to_owned() })
    }

    fn error_handling(&self, _: &View, _: ErrorHandlingRequest) -> Result<ErrorHandlingResponse> {
        let message = "This tool intentionally returns an error for testing";
        Err(Error::new(Code::FailedPrecondition, "test.failed", message).help("Nothing."))
    }

    async fn tool_with_progress(
        &self, _: &Ctx, _: ToolWithProgressRequest,
    ) -> Result<Stream<ToolWithProgressResponse>> {
        let texts = ["0", "50", "100"].map(|text| ToolWithProgressResponse { text: text.into() });
        Ok(futures::stream::iter(texts.map(Ok)).boxed())
    }

    fn elicitation(&self, _: &mut Tx, _: ElicitationRequest) -> Result<ElicitationResponse> {
        Ok(ElicitationResponse {})
    }

    fn reconnection(&self, _: &View, _: ReconnectionRequest) -> Result<ReconnectionResponse> {
        Ok(ReconnectionResponse { text: TEXT.to_owned() })
    }
}

pub(crate) fn service() -> Service {
    Service::new(contract::serve(Suite))
}
