//! The gateway's command line.

fn main() -> std::process::ExitCode {
    examples::gateway::cli::main()
}
