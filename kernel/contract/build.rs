//! Generates the messages that every contract shares: `stoa.v1` and `google.rpc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    stoa_codegen::Build::new("../../proto").messages_of(&["stoa.v1", "google.rpc"])
}
