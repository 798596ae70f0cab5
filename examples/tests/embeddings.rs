//! The programs that show how `ipsec` is embedded: short, and they work.
#![allow(missing_docs, unreachable_pub)]

use std::io::Write;

#[path = "../examples/embed_mio.rs"]
mod embed_mio;
#[path = "../examples/embed_std.rs"]
mod embed_std;
#[path = "../examples/embed_tokio.rs"]
mod embed_tokio;

/// Lines that an embedding may have, as rustfmt writes it.
const MOST: usize = 100;

fn is_short(name: &str, program: &str) {
    let lines = program.lines().count();
    // Past the test runner, which keeps what is printed to itself.
    let _ = writeln!(std::io::stderr(), "{name}: {lines} lines");
    assert!(lines <= MOST, "{name} has {lines} lines");
}

#[test]
fn std_five_pings_cross() {
    is_short("embed_std", include_str!("../examples/embed_std.rs"));
    embed_std::main().unwrap();
}

#[test]
fn mio_five_pings_cross() {
    is_short("embed_mio", include_str!("../examples/embed_mio.rs"));
    embed_mio::main().unwrap();
}

#[test]
fn tokio_five_pings_cross() {
    is_short("embed_tokio", include_str!("../examples/embed_tokio.rs"));
    embed_tokio::main().unwrap();
}

/// What README shows is in the program.
#[test]
fn readme_shows_the_loop_of_embed_std() {
    let trimmed = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let readme = include_str!("../../README.md");
    let (_, shown) = readme.split_once("```rust\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    assert!(shown.lines().count() > 30);
    let program = trimmed(include_str!("../examples/embed_std.rs"));
    assert!(program.contains(trimmed(shown).trim()), "{shown}");
}
