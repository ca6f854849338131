//! Who calls, and what they may.

use std::sync::Arc;
use std::time::Duration;

use stoa_contract::{Code, Error, Method, Permission, Result};

use crate::Micros;
use crate::registry::no_such_method;

/// The tenant that is there from the first start. Who administers it runs the cell.
pub const MAIN: &str = "main";

/// Who calls, as authentication found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant the call is about.
    pub tenant: Arc<str>,
    /// `user:usr_…`, `service:svc_…`, `anonymous`, or `system` for jobs, timers and
    /// subscriptions.
    pub subject: Arc<str>,
    /// What they were granted.
    pub permissions: Arc<[Pattern]>,
    /// The session or key they came with; empty for others.
    pub credential: Arc<str>,
    /// What their credential was made for, where that is not all that they may.
    pub scope: Option<Arc<[Pattern]>>,
    /// How they proved who they are, where they came with a session.
    pub proof: Option<Arc<Proof>>,
}

/// How somebody proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// By which methods, as RFC 8176 calls them where it does: `pwd`, `otp`.
    pub methods: Vec<String>,
    /// When they last did.
    pub time: Micros,
    /// Whether that is as strong as what they have: a password is not, for who has a second factor.
    pub full: bool,
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
        // Most name one thing, and every call asks.
        if !self.0.contains('*') {
            return &*self.0 == permission;
        }
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
            proof: None,
        }
    }

    /// Their subject and tenant, by which they are told from all others of the cell.
    pub fn full_name(&self) -> String {
        format!("{}@{}", self.subject, self.tenant)
    }

    /// Whether they belong to the main tenant, from which the cell is run.
    pub fn is_main(&self) -> bool {
        &*self.tenant == MAIN
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

    /// The user's id.
    ///
    /// # Errors
    /// `auth.no_user` where the caller is not a user.
    pub fn person(&self) -> Result<&str> {
        self.user().ok_or_else(|| {
            Error::new(Code::FailedPrecondition, "auth.no_user", "only a user can do this")
                .help("Sign in as a user instead of using a key of a service account.")
        })
    }

    /// Who owns what the caller creates, by their id: a user, or a service account.
    pub fn owner(&self) -> Option<&str> {
        self.user().or_else(|| self.subject.strip_prefix("service:"))
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

    /// Refuses what they may not call over a face.
    ///
    /// # Errors
    /// `auth.required` of strangers, `auth.permission_denied`, and `node.no_such_method` of what is on no
    /// face: the answer is the same as for a method that is not there.
    pub fn authorize(&self, method: &Method) -> Result<()> {
        if method.permission == Permission::Internal && !self.is_system() {
            return Err(no_such_method(method.path));
        }
        if self.may_call(method) {
            return Ok(());
        }
        if self.is_anonymous() {
            return Err(Error::new(Code::Unauthenticated, "auth.required", "nobody is signed in")
                .help("Send `Authorization: Bearer <token>` with a session's or a key's token."));
        }
        let (message, help) = match method.permission {
            Permission::Named(name) => (
                format!("this needs the permission `{name}`"),
                "Ask somebody who may grant roles for one with this permission.",
            ),
            _ => (
                format!("the scope of this key does not name `{}`", method.scope()),
                "Use a key whose permissions name the method, or sign in.",
            ),
        };
        Err(Error::new(Code::PermissionDenied, "auth.permission_denied", message).help(help))
    }

    /// Refuses whoever did not prove within this time who they are, by the strongest that they have.
    /// The node itself has nothing to prove.
    ///
    /// # Errors
    /// `auth.step_up_required`; a key always fails, since it says nothing of who holds it.
    pub fn step_up(&self, within: Duration, now: Micros) -> Result<()> {
        let fresh = |proof: &Arc<Proof>| proof.full && now <= proof.time.after(within);
        if self.is_system() || self.proof.as_ref().is_some_and(fresh) {
            return Ok(());
        }
        let message = "this takes a proof, of a moment ago, of who you are";
        Err(Error::new(Code::PermissionDenied, "auth.step_up_required", message).help(
            "Call `auth.StepUp` with the session, by the strongest that you have, and try again; a key cannot.",
        ))
    }
}

/// Which rows of a resource a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Every row.
    All,
    /// The rows that this user or service account owns.
    Own(String),
    /// Those, and the rows of others that were granted to them one by one.
    Granted(String),
    /// No row.
    None,
}

impl Access {
    /// Whether a row may be seen because this is its owner; what belongs to nobody has an empty one.
    pub fn shows(&self, owner: &str) -> bool {
        match self {
            Self::All => true,
            Self::Own(own) | Self::Granted(own) => !owner.is_empty() && own == owner,
            Self::None => false,
        }
    }

    /// Lists rows of the owner that a request names, or of everybody where it names none: as far
    /// as they may be seen. `rows` is told whose rows to read, everybody's if nobody's in
    /// particular, and is not asked where there is nothing to show.
    ///
    /// # Errors
    /// Those of `rows`, and `internal` for rows that can be granted, which [`View::list`] finds.
    ///
    /// [`View::list`]: crate::View::list
    pub fn list<T>(
        &self, wanted: &str, rows: impl FnOnce(Option<&str>) -> Result<Vec<T>>,
    ) -> Result<Vec<T>> {
        let wanted = Some(wanted).filter(|wanted| !wanted.is_empty());
        match (self, wanted) {
            (Self::All, wanted) => rows(wanted),
            (Self::Own(own), wanted) if wanted.is_none_or(|wanted| wanted == own) => {
                rows(Some(own))
            }
            (Self::Own(_) | Self::None, _) => Ok(Vec::new()),
            (Self::Granted(_), _) => Err(Error::internal("what is granted is listed by view.list")),
        }
    }
}
