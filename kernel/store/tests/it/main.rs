//! What a store must do, on either engine. Every case is a function of an engine, and
//! [`on_both`] makes two tests of it: one cannot be had without the other.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail this way"
)]

mod batches;
mod cell;
mod clocks;
mod closing;
mod faults;
mod files;
mod keys;
mod migrations;
mod money;
mod postgres_only;
mod records;
mod sqlite_only;
mod statements;
mod transactions;
mod values;

/// Makes `case::sqlite` and `case::postgres` of each function `case`.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            #[test]
            fn sqlite() {
                super::$case(crate::cell::On::Sqlite);
            }

            #[test]
            fn postgres() {
                super::$case(crate::cell::On::Postgres);
            }
        }
    )+};
}
pub(crate) use on_both;
