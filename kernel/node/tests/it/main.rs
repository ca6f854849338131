//! What a node does, for callers and in the background, whatever goes wrong: nothing is lost,
//! nothing happens twice, and what cannot be done stands aside where people see it.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail this way, and stand outside the world"
)]

mod autobahn;
mod batch;
mod calls;
mod catalogue;
mod chores;
mod commits;
mod dry;
mod echo;
mod effects;
mod exactly_once;
mod faces;
mod fences;
mod jobs;
mod kills;
mod leases;
mod load;
mod logs;
mod loops;
mod messages;
mod mutated;
mod notes;
mod outbound;
mod parking;
mod personal;
mod ports;
mod principals;
mod raw;
mod records;
mod settings;
mod sockets;
mod streams;
mod subscriptions;
mod sweeping;
mod tenants;
mod timers;
mod topics;

/// Makes `case::sqlite` and `case::postgres` of each function `case` of an engine.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            #[test]
            fn sqlite() {
                super::$case(stoa_testkit::Engine::Sqlite);
            }

            #[test]
            fn postgres() {
                super::$case(stoa_testkit::Engine::Postgres);
            }
        }
    )+};
}
pub(crate) use on_both;
