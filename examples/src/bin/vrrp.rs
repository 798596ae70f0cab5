//! The VRRP daemon's command line.

fn main() -> std::process::ExitCode {
    examples::vrrp::cli::main()
}
