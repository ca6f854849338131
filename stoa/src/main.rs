//! The binary: every service of the standard catalogue.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    stoa::Catalogue::standard().main()
}
