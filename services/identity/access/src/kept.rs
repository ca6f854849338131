//! Models as they were read, so that one is not read again with each call.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};

use stoa_kit::{Error, Result};

use crate::language;
use crate::model::Model;

/// Models that are kept; of 64 KiB each at the most.
const KEPT_MAX: usize = 128;

/// Whose model it is, and which.
type Key = (Arc<str>, String);

/// Models by tenant and identifier.
///
/// **Invariant:** what it gives is what reading the text again would give: one of another text is none.
#[derive(Default)]
pub(crate) struct Kept(
    #[allow(
        clippy::disallowed_types,
        reason = "what is kept follows from a text that the store keeps"
    )]
    std::sync::Mutex<Models>,
);

#[derive(Default)]
struct Models {
    known: BTreeMap<Key, (String, Arc<Model>)>,
    /// The first is the one that was kept first, and goes first.
    order: VecDeque<Key>,
}

impl Kept {
    /// The model that a text describes.
    ///
    /// # Errors
    /// `internal` for what is no model, which is never written.
    pub(crate) fn read(&self, tenant: &Arc<str>, id: &str, text: &str) -> Result<Arc<Model>> {
        let key = (Arc::clone(tenant), id.to_owned());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, model)) = kept.known.get(&key)
            && known == text
        {
            return Ok(Arc::clone(model));
        }
        let model = Arc::new(language::read(text).map_err(Error::internal)?);
        if kept.known.insert(key.clone(), (text.to_owned(), Arc::clone(&model))).is_none() {
            kept.order.push_back(key);
        }
        while kept.order.len() > KEPT_MAX {
            if let Some(first) = kept.order.pop_front() {
                kept.known.remove(&first);
            }
        }
        Ok(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_of_another_text_is_another_one_and_the_first_goes_first() {
        let (kept, tenant) = (Kept::default(), Arc::from("main"));
        let of = |name: &str| format!("model\n  schema 1.1\ntype {name}\n");
        let read = |id: &str, name: &str| kept.read(&tenant, id, &of(name)).unwrap();
        let first = read("mdl_0", "user");
        assert!(Arc::ptr_eq(&first, &read("mdl_0", "user")));
        assert!(read("mdl_0", "robot").types.contains_key("robot"));
        let first = read("mdl_0", "robot");
        for number in 1..KEPT_MAX {
            read(&format!("mdl_{number}"), "user");
        }
        assert!(Arc::ptr_eq(&first, &read("mdl_0", "robot")));
        read("mdl_more", "user");
        assert!(!Arc::ptr_eq(&first, &read("mdl_0", "robot")));
        let other = kept.read(&Arc::from("other"), "mdl_0", &of("robot")).unwrap();
        assert!(!Arc::ptr_eq(&other, &read("mdl_0", "robot")));
        assert!(kept.read(&tenant, "mdl_0", "type").is_err());
    }
}
