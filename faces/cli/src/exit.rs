//! What a program ends with, by the kind of error: the codes of BSD's `sysexits.h`, as far as it has
//! a word for it.

use stoa_contract::Code;
use stoa_kit::Error;

/// How a program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The status.
    pub status: u8,
    /// When.
    pub when: &'static str,
}

const fn exit(status: u8, when: &'static str) -> Exit {
    Exit { status, when }
}

const USAGE: Exit = exit(64, "the command line says no request");
const INVALID: Exit = exit(65, "the request breaks a rule");
const NOT_FOUND: Exit = exit(66, "there is no such thing, or none that you may see");
const UNAVAILABLE: Exit = exit(69, "the node does not answer, or cannot serve now");
const INTERNAL: Exit = exit(70, "a fault of the node");
const CONFLICT: Exit = exit(73, "it is there already, or the state does not allow it");
const LATER: Exit = exit(75, "a limit was reached, or time ran out: try again later");
const UNKNOWN: Exit = exit(76, "the node has no such method");
const DENIED: Exit = exit(77, "you may not, or nobody is signed in");
const CONFIG: Exit = exit(78, "a setting or a profile is wrong");

/// Every way in which a program ends that did not do what it was told.
pub const EXITS: [Exit; 10] =
    [USAGE, INVALID, NOT_FOUND, UNAVAILABLE, INTERNAL, CONFLICT, LATER, UNKNOWN, DENIED, CONFIG];

impl Exit {
    /// A command line that says no request.
    pub const USAGE: Self = USAGE;

    /// How a program ends that failed for this reason.
    pub fn of(error: &Error) -> Self {
        match error.reason().split('.').next() {
            Some("cli") => return USAGE,
            Some("config" | "client") if error.code() == Code::InvalidArgument => return CONFIG,
            _ => {}
        }
        match error.code() {
            Code::InvalidArgument | Code::OutOfRange => INVALID,
            Code::NotFound => NOT_FOUND,
            Code::Unavailable => UNAVAILABLE,
            Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => CONFLICT,
            Code::ResourceExhausted | Code::DeadlineExceeded | Code::Canceled => LATER,
            Code::Unimplemented => UNKNOWN,
            Code::PermissionDenied | Code::Unauthenticated => DENIED,
            Code::Unspecified | Code::Unknown | Code::Internal | Code::DataLoss => INTERNAL,
        }
    }
}
