//! A point-to-point GRE tunnel over IPv4, in one page of crate use.

fn main() -> std::process::ExitCode {
    examples::gre::main()
}
