//! What is known of statements that were seen before: by the address of a literal, or by what a
//! statement says that was put together at run time.
//!
//! **Invariant:** however many statements are put together at run time, only so many are kept.

use std::collections::HashMap;
use std::sync::Arc;

use quick_cache::unsync::Cache;
use stoa_kit::session::Sql;

/// Statements that were put together at run time and are kept.
const MADE_MAX: usize = 1_024;

/// A literal of a service: a look-up without hashing its text.
type Place = (u16, usize, usize);

/// What is known of statements.
pub(crate) struct Known<T> {
    literals: HashMap<Place, Arc<T>>,
    made: Cache<(u16, blake3::Hash), Arc<T>>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { literals: HashMap::new(), made: Cache::new(MADE_MAX) }
    }
}

impl<T> Known<T> {
    /// What is known of a statement of a service.
    pub(crate) fn get(&self, service: u16, sql: Sql<'_>) -> Option<Arc<T>> {
        match sql {
            Sql::Literal(text) => self.literals.get(&place(service, text)),
            Sql::Made(text) => self.made.get(&(service, hash(text))),
        }
        .map(Arc::clone)
    }

    /// Remembers what is known of a statement of a service.
    pub(crate) fn put(&mut self, service: u16, sql: Sql<'_>, known: &Arc<T>) {
        let known = Arc::clone(known);
        match sql {
            Sql::Literal(text) => {
                self.literals.insert(place(service, text), known);
            }
            Sql::Made(text) => self.made.insert((service, hash(text)), known),
        }
    }
}

fn place(service: u16, text: &'static str) -> Place {
    (service, text.as_ptr() as usize, text.len())
}

fn hash(text: &str) -> blake3::Hash {
    blake3::hash(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_made_at_run_time_are_known_by_what_they_say_and_only_so_many() {
        let mut known = Known::default();
        for number in 0..4 * MADE_MAX {
            known.put(0, Sql::Made(&format!("SELECT {number}")), &Arc::new(number));
            let again = known.get(0, Sql::Made(&format!("SELECT {number}")));
            assert_eq!(again.as_deref(), Some(&number));
        }
        assert_eq!(known.get(1, Sql::Made("SELECT 1")), None, "it is another service's");
        let kept = (0..4 * MADE_MAX)
            .filter(|number| known.get(0, Sql::Made(&format!("SELECT {number}"))).is_some());
        assert!(kept.count() <= MADE_MAX);
    }
}
