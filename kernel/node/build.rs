//! Generates the node's own contract.

fn main() {
    stoa_codegen::contracts(&["system"]);
}
