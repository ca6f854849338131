//! How a call fails: a code of a small closed set, a stable reason, words for people, the paths
//! of the fields at fault, and what to do next. The cause inside never leaves the process.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

pub use crate::v1::Code;

/// The result of everything a service does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed call.
#[derive(Clone)]
pub struct Error(Box<Body>);

#[derive(Clone)]
struct Body {
    code: Code,
    reason: Cow<'static, str>,
    message: Cow<'static, str>,
    help: Cow<'static, str>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
    remembered: bool,
    cause: Option<String>,
}

/// One field that breaks one rule.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// The field's path by the names of the contract: `legs[2].amount`.
    pub path: String,
    /// The rule it breaks, by its name in the contract: `string.min_len`.
    pub rule: Cow<'static, str>,
    /// The same for people.
    pub message: String,
}

/// The longest message of an error, in bytes.
const MESSAGE_MAX: usize = 512;
/// The longest path or message of a violation, in bytes.
const WORDS_MAX: usize = 256;
/// What the violations of one error may come to, in bytes. With it all details of an error stay
/// below 4 KiB, which every client of gRPC takes as a header.
const VIOLATIONS_MAX: usize = 2 << 10;
/// How much of a name that a request made up is repeated, in bytes.
const NAME_MAX: usize = 64;

/// A name from a request, as errors repeat it: so much of it that whoever wrote it knows it again.
/// Somebody who sends a lot must not be sent more.
pub(crate) fn shown(name: &str) -> Cow<'_, str> {
    clip(Cow::Borrowed(name), NAME_MAX)
}

/// Cuts a text to some bytes, and shows that it was cut.
fn clip(text: Cow<'_, str>, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return text;
    }
    let end = text.floor_char_boundary(bytes_max - '…'.len_utf8());
    Cow::Owned(format!("{}…", &text[..end]))
}

/// A reason that a contract declares: a value of its enum `Reason`.
pub trait Reason: Copy {
    /// The code it travels under.
    fn code(self) -> Code;
    /// Its stable name, `<service>.<reason>`.
    fn name(self) -> &'static str;
    /// What the caller can do next.
    fn help(self) -> &'static str;

    /// The error that gives this reason, with words about this one case.
    fn because(self, message: impl Into<Cow<'static, str>>) -> Error {
        Error::new(self.code(), self.name(), message).help(self.help())
    }
}

impl Error {
    /// An error of the kernel or a face; services use the reasons of their contract.
    pub fn new(
        code: Code, reason: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Body {
            code,
            reason: reason.into(),
            message: clip(message.into(), MESSAGE_MAX),
            help: Cow::Borrowed(""),
            violations: Vec::new(),
            retry_after: None,
            remembered: false,
            cause: None,
        }))
    }

    /// The request breaks rules of its contract. Of very many violations, or very long ones, only
    /// the beginning is told.
    pub fn invalid(mut violations: Vec<Violation>) -> Self {
        let message = match violations.as_slice() {
            [one] if one.path.is_empty() => one.message.clone(),
            [one] => format!("{}: {}", one.path, one.message),
            many => format!("{} fields break the rules of this method", many.len()),
        };
        let mut error = Self::new(Code::InvalidArgument, "request.invalid", message)
            .help("Correct the fields named in `violations` and send the request again.");
        let mut left = VIOLATIONS_MAX;
        violations.retain_mut(|violation| {
            for text in [&mut violation.path, &mut violation.message] {
                *text = clip(std::mem::take(text).into(), WORDS_MAX).into_owned();
            }
            let size = violation.path.len() + violation.rule.len() + violation.message.len();
            left = left.saturating_sub(size);
            left > 0
        });
        error.0.violations = violations;
        error
    }

    /// The same, on its way out of a method that another one called. The fields it names are those
    /// of a request that the outer caller never wrote: for them it is a rule of the inner method
    /// that stands in the way.
    #[must_use]
    pub fn out_of(self, method: &str) -> Self {
        let Some(first) = self.violations().first() else { return self };
        let message =
            format!("{method}, which this calls, refuses `{}`: {}", first.path, first.message);
        Self::new(self.code(), "request.inner", message).help(
            "Ask for something that does not lead there. If nothing you sent does, report it: the \
             service that was called is at fault.",
        )
    }

    /// The same, where what was asked is a part of a larger request: fields are named from there on.
    #[must_use]
    pub fn within(mut self, part: &str) -> Self {
        let error = &mut self.0;
        error.message = format!("{part}: {}", error.message).into();
        for violation in &mut error.violations {
            violation.path = match violation.path.as_str() {
                "" => part.to_owned(),
                path => format!("{part}.{path}"),
            };
        }
        self
    }

    /// One field is wrong in a way that only the code can see.
    pub fn field(path: impl Into<String>, rule: &'static str, message: impl Into<String>) -> Self {
        Self::invalid(vec![Violation {
            path: path.into(),
            rule: Cow::Borrowed(rule),
            message: message.into(),
        }])
    }

    /// There is no such thing, or none that this caller may see.
    pub fn not_found(what: &str, id: &str) -> Self {
        let message = format!("there is no {what} `{}`", shown(id));
        Self::new(Code::NotFound, "resource.not_found", message)
            .help("Check the identifier; a resource of somebody else looks the same as none.")
    }

    /// A fault of ours. The cause is logged, never sent.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(Code::Internal, "internal", "something went wrong on our side")
            .help("Retry with the same idempotency key; if it stays, report the trace id.")
            .cause(cause)
    }

    /// A panic of service code, as `catch_unwind` hands it over: a fault of ours like any other.
    pub fn panicked(panic: Box<dyn Any + Send>) -> Self {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("a panic");
        Self::internal(format!("panic: {text}"))
    }

    /// Not now: nothing is known to have happened.
    pub fn unavailable(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Unavailable, reason, message)
            .help("Retry with the same idempotency key after a short wait.")
    }

    /// Too much at once: come back after `wait`.
    pub fn exhausted(
        reason: &'static str, message: impl Into<Cow<'static, str>>, wait: Duration,
    ) -> Self {
        Self::new(Code::ResourceExhausted, reason, message)
            .help("Wait as long as `Retry-After` says, then try again.")
            .wait(wait)
    }

    /// Says what the caller can do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<Cow<'static, str>>) -> Self {
        self.0.help = help.into();
        self
    }

    /// Says how long to wait before trying again.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Has what was written until now committed, although the call fails: a wrong code has to be
    /// counted. It is so where the command was asked for by itself, or by an effect, or first of all
    /// by another command; for whoever asks again with the same idempotency key it is a new attempt.
    #[must_use]
    pub fn remembered(mut self) -> Self {
        self.0.remembered = true;
        self
    }

    /// Keeps, for the log alone, what lies behind the error.
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// The code, of the Connect set.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The stable reason programs can rely on.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Words for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next.
    pub fn next(&self) -> &str {
        &self.0.help
    }

    /// The fields at fault.
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// How long to wait before trying again, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether what was written before it is committed.
    pub fn is_remembered(&self) -> bool {
        self.0.remembered
    }

    /// What lies behind it, for the log.
    pub fn internal_cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason(), self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.code(), self.reason(), self.message())?;
        for violation in self.violations() {
            write!(f, "\n  {} ({}): {}", violation.path, violation.rule, violation.message)?;
        }
        if let Some(cause) = self.internal_cause() {
            write!(f, "\n  caused by {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
