//! What is wrong with a contract, collected so that one build shows all of it.

use std::fmt;

/// One thing wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file as people see it: `proto/stoa/ledger/v1/ledger.proto`; empty if there is none.
    pub file: String,
    /// The line, counted from 1; 0 where no line is known.
    pub line: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Everything wrong with the contracts of one build.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Nothing if nothing is wrong; otherwise itself, in the order of files and lines.
    pub(crate) fn into_result(mut self) -> Result<(), Self> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort();
        self.0.dedup();
        Err(self)
    }

    pub(crate) fn one(message: impl fmt::Display) -> Self {
        Self(vec![Problem { file: String::new(), line: 0, message: message.to_string() }])
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => f.write_str(&self.message),
            (file, 0) => write!(f, "{file}: {}", self.message),
            (file, line) => write!(f, "{file}:{line}: {}", self.message),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
