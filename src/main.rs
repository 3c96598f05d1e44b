//! The binary: everything is in the library.

fn main() -> std::process::ExitCode {
    bulk_topup::cli::main()
}
