//! The service whose tools the conformance suite calls.

use futures::StreamExt;
use stoa_contract::v1::Content;
use stoa_kit::{Code, Ctx, Error, Result, Service, Stream, Tx, View};

use contract::{
    AudioContentRequest, AudioContentResponse, ElicitationRequest, ElicitationResponse,
    EmbeddedResourceRequest, EmbeddedResourceResponse, ErrorHandlingRequest, ErrorHandlingResponse,
    GetBinaryRequest, GetBinaryResponse, GetDataRequest, GetDataResponse, GetTextRequest,
    GetTextResponse, GetWatchedRequest, GetWatchedResponse, ImageContentRequest,
    ImageContentResponse, MultipleContentTypesRequest, MultipleContentTypesResponse,
    PromptWithArgumentsRequest, PromptWithArgumentsResponse, PromptWithEmbeddedResourceRequest,
    PromptWithEmbeddedResourceResponse, PromptWithImageRequest, PromptWithImageResponse,
    ReconnectionRequest, ReconnectionResponse, SimplePromptRequest, SimplePromptResponse,
    SimpleTextRequest, SimpleTextResponse, TestService, ToolWithLoggingRequest,
    ToolWithLoggingResponse, ToolWithProgressRequest, ToolWithProgressResponse,
};

pub(crate) mod contract {
    stoa_contract::contract!("test", "tests/proto");
}

struct Suite;

const TEXT: &str = "This is a simple text response for testing.";
/// A red dot.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde";

fn content(media_type: &str, data: impl Into<Vec<u8>>) -> Content {
    Content { media_type: media_type.to_owned(), data: data.into() }
}

fn png() -> Content {
    content("image/png", PNG)
}

fn texts<T: Send + 'static>(of: impl Fn(String) -> T) -> Stream<T> {
    let texts: Vec<_> = ["0", "50", "100"].map(|text| Ok(of(text.to_owned()))).into();
    futures::stream::iter(texts).boxed()
}

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
        Ok(texts(|text| ToolWithProgressResponse { text }))
    }

    fn elicitation(&self, _: &mut Tx, _: ElicitationRequest) -> Result<ElicitationResponse> {
        Ok(ElicitationResponse {})
    }

    fn reconnection(&self, _: &View, _: ReconnectionRequest) -> Result<ReconnectionResponse> {
        Ok(ReconnectionResponse { text: TEXT.to_owned() })
    }

    fn image_content(&self, _: &View, _: ImageContentRequest) -> Result<ImageContentResponse> {
        Ok(ImageContentResponse { content: png().into() })
    }

    fn audio_content(&self, _: &View, _: AudioContentRequest) -> Result<AudioContentResponse> {
        Ok(AudioContentResponse { content: content("audio/wav", b"RIFF\0\0\0\0WAVE").into() })
    }

    fn embedded_resource(
        &self, _: &View, _: EmbeddedResourceRequest,
    ) -> Result<EmbeddedResourceResponse> {
        Ok(EmbeddedResourceResponse { content: content("application/json", "{}").into() })
    }

    fn multiple_content_types(
        &self, _: &View, _: MultipleContentTypesRequest,
    ) -> Result<MultipleContentTypesResponse> {
        Ok(MultipleContentTypesResponse {
            contents: vec![content("text/plain", TEXT), png(), content("application/json", "{}")],
        })
    }

    async fn tool_with_logging(
        &self, _: &Ctx, _: ToolWithLoggingRequest,
    ) -> Result<Stream<ToolWithLoggingResponse>> {
        Ok(texts(|text| ToolWithLoggingResponse { text }))
    }

    fn get_text(&self, _: &View, _: GetTextRequest) -> Result<GetTextResponse> {
        Ok(GetTextResponse { content: content("text/plain", TEXT).into() })
    }

    fn get_binary(&self, _: &View, _: GetBinaryRequest) -> Result<GetBinaryResponse> {
        Ok(GetBinaryResponse { content: png().into() })
    }

    fn get_data(&self, _: &View, request: GetDataRequest) -> Result<GetDataResponse> {
        Ok(GetDataResponse { text: request.id })
    }

    fn get_watched(&self, _: &View, _: GetWatchedRequest) -> Result<GetWatchedResponse> {
        Ok(GetWatchedResponse { text: TEXT.to_owned() })
    }

    fn simple_prompt(&self, _: &View, _: SimplePromptRequest) -> Result<SimplePromptResponse> {
        Ok(SimplePromptResponse { content: content("text/plain", TEXT).into() })
    }

    fn prompt_with_arguments(
        &self, _: &View, request: PromptWithArgumentsRequest,
    ) -> Result<PromptWithArgumentsResponse> {
        let text = format!("Say {} and {}.", request.arg1, request.arg2);
        Ok(PromptWithArgumentsResponse { content: content("text/plain", text).into() })
    }

    fn prompt_with_embedded_resource(
        &self, _: &View, request: PromptWithEmbeddedResourceRequest,
    ) -> Result<PromptWithEmbeddedResourceResponse> {
        let text = format!("What is at {}?", request.resource_uri);
        let contents = vec![content("application/json", "{}"), content("text/plain", text)];
        Ok(PromptWithEmbeddedResourceResponse { contents })
    }

    fn prompt_with_image(
        &self, _: &View, _: PromptWithImageRequest,
    ) -> Result<PromptWithImageResponse> {
        Ok(PromptWithImageResponse {
            contents: vec![png(), content("text/plain", "What is this?")],
        })
    }
}

pub(crate) fn service() -> Service {
    Service::new(contract::serve(Suite))
}
