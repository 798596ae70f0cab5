//! What every long-running program here owes the machine it runs on: a log that nobody's reading habits can stop, no more
//! rights than it needs, a control socket that is its own, and a word about files that others can read.

pub mod files;
pub mod log;
pub mod privileges;
pub mod socket;

use std::{
    fmt,
    io::{self, Write},
};

/// Prints the answer of a command as it is. A reader that has heard enough and gone is no reason to panic, as `print!`
/// would.
pub fn answer(text: fmt::Arguments<'_>) {
    let _ = io::stdout().lock().write_fmt(text);
}

/// [`answer`] with a line, in the words of `println!`.
macro_rules! answer_line {
    ($($arg:tt)*) => { $crate::process::answer(format_args!("{}\n", format_args!($($arg)*))) };
}
pub(crate) use answer_line;
