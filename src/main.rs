//! The binary: everything is in the library.

/// Every row is many short texts that one thread makes and another drops: the system's allocator takes a sixth of
/// all processor time for them, this one much less.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    bulk_topup::cli::main()
}
