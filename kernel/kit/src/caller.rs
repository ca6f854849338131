//! Who calls, and what they may.

use std::sync::Arc;

use stoa_contract::{Method, Permission};

/// The tenant of a node that has one.
pub const MAIN: &str = "main";

/// Who calls, as authentication found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant the call is about.
    pub tenant: Arc<str>,
    /// `user:usr_…`, `service:key_…`, `anonymous`, or `system` for jobs, timers and
    /// subscriptions.
    pub subject: Arc<str>,
    /// What they were granted.
    pub permissions: Arc<[Pattern]>,
    /// The session or key they came with; empty for others.
    pub credential: Arc<str>,
    /// What their credential was made for, where that is not all that they may.
    pub scope: Option<Arc<[Pattern]>>,
}

/// A permission with wildcards by segment: `ledger.*.create`, `orders.*`, `*`.
///
/// `*` stands for one segment, and as the last one for all that follow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Reads a pattern; none if a segment is empty or has other characters than `a-z0-9_*`.
    pub fn parse(text: &str) -> Option<Self> {
        let segment = |segment: &str| {
            segment == "*"
                || (!segment.is_empty()
                    && segment
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
        };
        (text.len() <= 128 && text.split('.').all(segment)).then(|| Self(text.into()))
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it grants a permission, or all that another pattern grants.
    pub fn grants(&self, permission: &str) -> bool {
        let mut wanted = permission.split('.');
        let mut granted = self.0.split('.').peekable();
        while let Some(segment) = granted.next() {
            let Some(next) = wanted.next() else { return false };
            if segment == "*" && granted.peek().is_none() {
                return true;
            }
            if segment != "*" && segment != next {
                return false;
            }
        }
        wanted.next().is_none()
    }
}

impl Caller {
    /// Nobody in particular.
    pub fn anonymous(tenant: &str) -> Self {
        Self::of(tenant, "anonymous", &[])
    }

    /// The node itself: jobs, timers, subscriptions.
    pub fn system(tenant: &str) -> Self {
        Self::of(tenant, "system", &["*"])
    }

    /// A caller with these permissions; patterns that do not parse grant nothing.
    pub fn of(tenant: &str, subject: &str, permissions: &[&str]) -> Self {
        Self {
            tenant: tenant.into(),
            subject: subject.into(),
            permissions: permissions.iter().filter_map(|text| Pattern::parse(text)).collect(),
            credential: "".into(),
            scope: None,
        }
    }

    /// Whether nobody signed in.
    pub fn is_anonymous(&self) -> bool {
        &*self.subject == "anonymous"
    }

    /// Whether this is the node itself.
    pub fn is_system(&self) -> bool {
        &*self.subject == "system"
    }

    /// The user's id, where the caller is a user.
    pub fn user(&self) -> Option<&str> {
        self.subject.strip_prefix("user:")
    }

    /// Whether they were granted a permission.
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.iter().any(|pattern| pattern.grants(permission))
    }

    /// Whether they may call a method over a face. What is open to all who signed in is open to a
    /// credential of a scope only where the scope names the method, as
    /// [`scope`](Method::scope) does: `orders.place_order`, `orders.*`, `*`.
    pub fn may_call(&self, method: &Method) -> bool {
        match method.permission {
            Permission::Public => true,
            Permission::Authenticated => match &self.scope {
                Some(scope) => {
                    let wanted = method.scope();
                    scope.iter().any(|pattern| pattern.grants(&wanted))
                }
                None => !self.is_anonymous(),
            },
            Permission::Internal => self.is_system(),
            Permission::Named(name) => self.may(name),
        }
    }
}

/// Which rows of a resource a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Every row.
    All,
    /// The rows that this user owns, and those granted one by one.
    Own(String),
    /// Only those granted one by one, to this subject.
    Granted(String),
    /// No row.
    None,
}

impl Access {
    /// The owner to filter a list by, in the form statements take it: `NULL` for no filter.
    /// `$n` is then used as `($n IS NULL OR owner = $n)`.
    pub fn owner(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Own(owner) => Some(owner),
            Self::Granted(_) | Self::None => Some(""),
        }
    }
}
