//! Generates the contracts of identity.

fn main() {
    stoa_codegen::contracts(&["auth", "users"]);
}
