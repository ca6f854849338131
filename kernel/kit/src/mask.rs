//! Field masks: which fields of a resource an update changes.

use buffa_types::google::protobuf::FieldMask;

use crate::{Code, Error, Result};

/// The fields that an update names: those of its mask, or without one those that are filled.
#[derive(Debug, Clone, Copy)]
pub struct Mask<'a>(Option<&'a [String]>);

impl<'a> Mask<'a> {
    /// Reads the mask of an update of these fields.
    ///
    /// # Errors
    /// `request.invalid` at `update_mask` for a path that is none of them.
    pub fn read(mask: Option<&'a FieldMask>, fields: &[&str]) -> Result<Self> {
        let paths = mask.map(|mask| mask.paths.as_slice()).filter(|paths| !paths.is_empty());
        let unknown =
            paths.and_then(|paths| paths.iter().find(|path| !fields.contains(&path.as_str())));
        match unknown {
            None => Ok(Self(paths)),
            Some(path) => {
                let message = format!("`{path:.64}` is none of {}", fields.join(", "));
                Err(Error::field("update_mask", "field_mask", message))
            }
        }
    }

    /// Whether a field is to be changed; `filled` says whether the request has a value for it.
    pub fn names(&self, field: &str, filled: bool) -> bool {
        self.0.map_or(filled, |paths| paths.iter().any(|path| path == field))
    }

    /// The same for a field that must not become empty.
    ///
    /// # Errors
    /// `request.invalid` at the field where it is named and not filled.
    pub fn names_required(&self, field: &'static str, filled: bool) -> Result<bool> {
        match self.names(field, filled) {
            true if !filled => Err(Error::field(field, "required", "is required")),
            named => Ok(named),
        }
    }
}

/// Whether a resource still is what the caller read: `given` is the etag that they sent, and an
/// empty one does not ask.
///
/// # Errors
/// `request.etag` where it was changed in the meantime.
pub fn check_etag(given: &str, current: &str) -> Result<()> {
    if given.is_empty() || given == current {
        return Ok(());
    }
    Err(Error::new(Code::Aborted, "request.etag", "it was changed in the meantime")
        .help("Read it again, and send the change with the new etag."))
}
