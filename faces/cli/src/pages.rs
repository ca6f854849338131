//! Lists that come a page at a time.

use prost_reflect::FieldDescriptor;
use serde_json::{Map, Value as Json, json};
use stoa_contract::described::extension;

use crate::contracts::Method;
use crate::request::Ask;

impl Method {
    /// What asks for the page behind a reply; none where it is the last one.
    pub fn next_page(&self, reply: &Json) -> Option<String> {
        let token = reply.get("nextPageToken")?.as_str()?;
        (self.is_paged() && !token.is_empty()).then(|| token.to_owned())
    }

    /// Puts what a page lists behind what the pages before it list. What a page says besides is that of
    /// the last one.
    pub fn append(&self, all: &mut Json, page: Json) {
        let (Json::Object(all), Json::Object(page)) = (all, page) else { return };
        for (name, value) in page {
            match (all.get_mut(&name), value) {
                (Some(Json::Array(items)), Json::Array(more)) => items.extend(more),
                (_, value) => {
                    all.insert(name, value);
                }
            }
        }
    }
}

impl Ask {
    /// Lets pages be as long as the contract allows, unless the request says how long.
    pub fn widen(&mut self) {
        let size = self.method.descriptor.input().get_field_by_name("page_size");
        let Some((size, max)) = size.and_then(|size| Some((size.clone(), longest(&size)?))) else {
            return;
        };
        if let Json::Object(fields) = &mut self.request
            && !fields.contains_key(size.name())
        {
            fields.entry(size.json_name()).or_insert(json!(max));
        }
    }

    /// The same request for another page.
    pub fn page(&self, token: &str) -> Json {
        let mut fields: Map<String, Json> = self.request.as_object().cloned().unwrap_or_default();
        fields.remove("page_token");
        fields.insert("pageToken".to_owned(), token.into());
        fields.into()
    }
}

/// The largest number that the rules of a field allow.
fn longest(size: &FieldDescriptor) -> Option<i32> {
    let rules = extension(&size.options(), "buf.validate.field")?;
    let rules = rules.as_message()?.get_field_by_name("int32")?.into_owned();
    rules.as_message()?.get_field_by_name("lte")?.as_i32().filter(|max| *max > 0)
}
