//! The root key, as its file has it: a line a version, the newest first.

use super::Seal;
use crate::{Code, Error, Result};

/// What the first line of every version begins with.
const KIND: &str = "stoa-root-1";
/// Bytes in front of what was wrapped, which say by which version.
const VERSION: usize = 8;

/// The root key. While another one is being taken it has two versions: what is wrapped anew is
/// wrapped by the newest, and what was wrapped by an older one still opens.
#[derive(Clone)]
pub struct Root(Vec<[u8; 32]>);

impl Root {
    /// A root key of one version.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(vec![secret])
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `ring.malformed`, saying which line is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let mut versions = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let secret = line.strip_prefix(KIND).and_then(|rest| unhex(rest.trim()));
            // The line is not repeated: it may be a key.
            versions.push(secret.ok_or_else(|| malformed(&format!("line {}", number + 1)))?);
        }
        if versions.is_empty() { Err(malformed("it is empty")) } else { Ok(Self(versions)) }
    }

    /// Writes the file.
    pub fn text(&self) -> String {
        let line = |secret: &[u8; 32]| {
            let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{KIND} {hex}\n")
        };
        self.0.iter().map(line).collect()
    }

    /// The same with a newer version in front.
    #[must_use]
    pub fn with(&self, secret: [u8; 32]) -> Self {
        Self([&[secret], self.0.as_slice()].concat())
    }

    /// The newest version alone.
    #[must_use]
    pub fn newest(&self) -> Self {
        Self(self.0.iter().take(1).copied().collect())
    }

    /// Whether something was wrapped by the newest version.
    pub fn is_newest(&self, wrapped: &[u8]) -> bool {
        self.0.first().is_some_and(|secret| wrapped.starts_with(&version(secret)))
    }

    /// Wraps a key of this name.
    ///
    /// # Errors
    /// `internal` where there is no version.
    pub fn wrap(&self, name: &str, key: &[u8; 32]) -> Result<Vec<u8>> {
        let secret = self.0.first().ok_or_else(|| malformed("it is empty"))?;
        let mut wrapped = version(secret).to_vec();
        wrapped.extend(Seal::new(*secret).seal(&[b"key", name.as_bytes()], key)?);
        Ok(wrapped)
    }

    /// Opens a key that was wrapped under this name; none where no version did.
    pub fn open(&self, name: &str, wrapped: &[u8]) -> Option<[u8; 32]> {
        let (by, sealed) = wrapped.split_at_checked(VERSION)?;
        let secret = self.0.iter().find(|secret| version(secret) == by)?;
        Seal::new(*secret).open(&[b"key", name.as_bytes()], sealed)?.try_into().ok()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Root(…)")
    }
}

/// What a version is called; it leads back to nothing.
fn version(secret: &[u8; 32]) -> [u8; VERSION] {
    Seal::new(*secret).derive(&[b"version"])
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut secret = [0; 32];
    let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    for (place, byte) in secret.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    digits.then_some(secret)
}

fn malformed(what: &str) -> Error {
    let message = format!("this is no file of a root key: {what}");
    Error::new(Code::FailedPrecondition, "ring.malformed", message)
        .help("Put the file back that was written when the database was made, or a copy of it.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_wrapped_opens_by_its_version_and_name() {
        let old = Root::new([1; 32]);
        let wrapped = old.wrap("a", &[7; 32]).unwrap();
        let both = old.with([2; 32]);
        for root in [&old, &both, &Root::parse(&both.text()).unwrap()] {
            assert_eq!(root.open("a", &wrapped), Some([7; 32]));
            assert_eq!(root.open("b", &wrapped), None);
        }
        assert!(old.is_newest(&wrapped) && !both.is_newest(&wrapped));
        assert_eq!(both.newest().open("a", &wrapped), None);
        assert_eq!(Root::new([3; 32]).open("a", &wrapped), None);
    }

    #[test]
    fn a_file_that_is_none_is_refused_without_being_shown() {
        let good = Root::new([1; 32]).text();
        for text in ["", "\n", "stoa-root-1 01", &good[1..], &good.replace('0', "+")] {
            let error = Root::parse(text).unwrap_err();
            assert_eq!(error.reason(), "ring.malformed", "{text}");
            assert!(!error.message().contains("01"), "{error}");
        }
    }
}
