//! What a reply holds that has a form of its own, as an agent takes it in: pictures, sounds, texts,
//! documents.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rmcp::model::{ContentBlock, ResourceContents};
use serde_json::Value as Json;
use stoa_contract::{Shape, Value};

/// A [`Content`](stoa_contract::v1::Content) of a reply.
pub(crate) struct Part {
    media_type: String,
    /// In base64, as it came.
    data: String,
}

/// Takes the contents out of a reply, in the order of the contract: they stand beside it.
pub(crate) fn take(shape: &'static Shape, reply: &mut Json) -> Vec<Part> {
    let mut parts = Vec::new();
    if shape.has_content() {
        collect(shape, reply, &mut parts);
    }
    parts
}

fn collect(shape: &'static Shape, message: &mut Json, parts: &mut Vec<Part>) {
    let Json::Object(fields) = message else { return };
    for field in shape.fields {
        let (Value::Message(of) | Value::List(of) | Value::Map(of)) = field.value else { continue };
        let Some(held) = fields.get_mut(field.json) else { continue };
        if !of.is_content() {
            each(held, field.value, |message| collect(of, message, parts));
            continue;
        }
        each(held, field.value, |content| parts.push(Part::of(content)));
        fields.remove(field.json);
    }
}

fn each(held: &mut Json, value: Value, mut then: impl FnMut(&mut Json)) {
    match (value, held) {
        (Value::List(_), Json::Array(all)) => all.iter_mut().for_each(then),
        (Value::Map(_), Json::Object(all)) => all.values_mut().for_each(then),
        (_, one) => then(one),
    }
}

/// Contents as blocks of a result, of what is read at an address: the first there, each other one
/// there with its number behind a `#`.
pub(crate) fn blocks(parts: Vec<Part>, address: &str) -> Vec<ContentBlock> {
    let blocks = parts.into_iter().enumerate().map(|(nth, part)| match nth {
        0 => part.block(address),
        _ => part.block(&format!("{address}#{nth}")),
    });
    blocks.collect()
}

impl Part {
    fn of(content: &mut Json) -> Self {
        let mut text = |name: &str| match content.get_mut(name).map(Json::take) {
            Some(Json::String(text)) => text,
            _ => String::new(),
        };
        Self { media_type: text("mediaType"), data: text("data") }
    }

    /// As a block of a result: what is no text, picture or sound is a resource, under an address.
    fn block(self, address: &str) -> ContentBlock {
        match self.media_type.split('/').next() {
            Some("image") => ContentBlock::image(self.data, self.media_type),
            Some("audio") => ContentBlock::audio(self.data, self.media_type),
            Some("text") => match self.text() {
                Some(text) => ContentBlock::text(text),
                None => ContentBlock::resource(self.contents(address)),
            },
            _ => ContentBlock::resource(self.contents(address)),
        }
    }

    /// As what is read at an address.
    pub(crate) fn contents(self, address: &str) -> ResourceContents {
        let contents = match self.text() {
            Some(text) => ResourceContents::text(text, address),
            None => ResourceContents::blob(self.data, address),
        };
        contents.with_mime_type(self.media_type)
    }

    /// The text that it is, if it says so.
    fn text(&self) -> Option<String> {
        let essence = self.media_type.split(';').next().unwrap_or_default().trim_end();
        let is_text = essence.starts_with("text/")
            || ["/json", "+json", "/xml", "+xml", "/yaml"].iter().any(|end| essence.ends_with(end));
        let bytes = is_text.then(|| BASE64_STANDARD.decode(&self.data).ok()).flatten()?;
        String::from_utf8(bytes).ok()
    }
}
