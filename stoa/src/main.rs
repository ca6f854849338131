//! The binary: every service of the standard catalogue, and a shop to look at.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    stoa::Catalogue::standard().with(stoa::sample::service).main()
}
