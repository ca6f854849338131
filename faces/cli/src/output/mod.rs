//! Replies, for people and for programs.

mod cell;
mod record;
mod screen;
mod table;

use serde_json::{Value as Json, json};
use stoa_kit::{Error, Result};

use crate::contracts::Method;

pub use screen::Screen;

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
    /// Writes the reply of a method.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, method: &Method, reply: &Json) -> Result<String> {
        let text = match self.format {
            _ if method.streams() => return self.one_of_many(method, reply),
            Format::Json | Format::Yaml => self.data(reply)?,
            Format::Table | Format::Wide => record::reply(self, &method.descriptor.output(), reply),
        };
        Ok(format!("{}\n", text.trim_end()))
    }

    /// Writes a reply that others follow: as JSON on one line.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn one_of_many(&self, method: &Method, reply: &Json) -> Result<String> {
        let text = match self.format {
            Format::Json => serde_json::to_string(reply).map_err(Error::internal)?,
            Format::Yaml => format!("---\n{}", self.data(reply)?),
            Format::Table | Format::Wide => record::reply(self, &method.descriptor.output(), reply),
        };
        Ok(format!("{}\n", text.trim_end()))
    }

    /// Writes what a command that was undone would have replied and written.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn dry_run(&self, method: &Method, reply: &Json, told: &Json) -> Result<String> {
        if matches!(self.format, Format::Json | Format::Yaml) {
            let both = json!({"dryRun": told, "reply": reply});
            return Ok(format!("{}\n", self.data(&both)?.trim_end()));
        }
        let mut out = format!("{}\n{}\n", self.write(method, reply)?, self.heading("would write"));
        for kind in ["rows", "events", "jobs"] {
            for (name, count) in told[kind].as_object().into_iter().flatten() {
                let kind = if *count == 1 { kind.trim_end_matches('s') } else { kind };
                out += &format!("  {count} {kind} of {}\n", cell::clean(name));
            }
        }
        out += "nothing was written\n";
        Ok(out)
    }

    /// JSON as programs take it.
    fn data(&self, value: &Json) -> Result<String> {
        match self.format {
            Format::Yaml => serde_yaml_ng::to_string(value).map_err(Error::internal),
            _ => serde_json::to_string_pretty(value).map_err(Error::internal),
        }
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
