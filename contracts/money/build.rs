//! Generates the contracts of this context.

fn main() {
    stoa_codegen::contracts(&["catalog", "inventory", "ledger", "orders"]);
}
