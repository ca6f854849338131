//! Replies, for people and for programs.

mod cell;
mod record;
mod table;

use serde_json::Value as Json;
use stoa_kit::{Error, Result};

use crate::contracts::Method;

/// How a reply is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, as the contract has it.
    Json,
    /// The same as YAML.
    Yaml,
    /// For people: what fits.
    Table,
    /// For people: all of it.
    Wide,
}

/// Where a reply is written.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// How.
    pub format: Format,
    /// How many columns a line has; nothing where it has no end.
    pub width: Option<usize>,
    /// Whether what stands out is told by colour.
    pub colour: bool,
}

impl Format {
    /// Every format, by what people type.
    pub const WORDS: [(&str, Self); 4] =
        [("json", Self::Json), ("yaml", Self::Yaml), ("table", Self::Table), ("wide", Self::Wide)];

    /// A format by its word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, format)| *format)
    }
}

impl Page {
    /// Writes the reply of a method; one of a stream by the way on one line, where it is JSON.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, method: &Method, reply: &Json) -> Result<String> {
        let text = match self.format {
            Format::Json if method.streams() => {
                serde_json::to_string(reply).map_err(Error::internal)?
            }
            Format::Json => serde_json::to_string_pretty(reply).map_err(Error::internal)?,
            Format::Yaml if method.streams() => {
                format!("---\n{}", serde_yaml_ng::to_string(reply).map_err(Error::internal)?)
            }
            Format::Yaml => serde_yaml_ng::to_string(reply).map_err(Error::internal)?,
            Format::Table | Format::Wide => record::reply(self, &method.descriptor.output(), reply),
        };
        Ok(format!("{}\n", text.trim_end()))
    }

    fn is_wide(&self) -> bool {
        self.format == Format::Wide || self.width.is_none()
    }

    /// A heading.
    fn heading(&self, text: &str) -> String {
        match self.colour {
            true => format!("\x1b[1m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}
