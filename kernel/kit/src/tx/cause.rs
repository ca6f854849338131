//! Why a method runs.

/// Why a method runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked, over a face.
    Request,
    /// An event was delivered.
    Event {
        /// Its identifier.
        id: String,
        /// How many reactions in a row led to it.
        depth: i64,
    },
    /// A job came due.
    Job {
        /// Its identifier.
        id: String,
        /// How many reactions in a row led to it.
        depth: i64,
    },
    /// A timer fired, by its name.
    Timer(String),
    /// What a subscription feeds is filled, by the subscription's name.
    Fill(String),
    /// Records of commits are taken, by the name of whoever takes them.
    Records(String),
}

impl Cause {
    /// How many reactions in a row lead to what is emitted or enqueued because of it.
    pub(super) fn depth(&self) -> i64 {
        match self {
            Self::Event { depth, .. } => depth + 1,
            Self::Job { depth, .. } => *depth,
            Self::Request | Self::Timer(_) | Self::Fill(_) | Self::Records(_) => 0,
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Request => f.write_str("request"),
            Self::Event { id, .. } => write!(f, "event:{id}"),
            Self::Job { id, .. } => write!(f, "job:{id}"),
            Self::Timer(name) => write!(f, "timer:{name}"),
            Self::Fill(name) => write!(f, "fill:{name}"),
            Self::Records(name) => write!(f, "records:{name}"),
        }
    }
}
