//! The log of a program: `tracing` events, printed as they are, one line each, on standard output.
//!
//! A reader that does not keep up, or has gone, costs lines and nothing else: between the program and standard output
//! is a [`Queue`] of at most [`LIMIT`] octets with a thread of its own behind it.

mod queue;

pub use queue::Queue;

use std::{
    fmt,
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    time::Duration,
};
use tracing::{Event, Subscriber, field::Field};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Octets of lines that wait for a slow reader; as much again may be under way to it.
pub const LIMIT: usize = 1 << 20;
/// How long the end of a program waits for a reader that takes nothing.
const FAREWELL: Duration = Duration::from_secs(1);

/// The log while this value lives; its end waits for what is still on its way.
pub struct Logging {
    queue: Queue,
}

impl Logging {
    /// Collects what is logged from now on; nothing is printed before [`start`](Self::start). `lost` words the line
    /// that says how many lines are missing in its place.
    #[must_use]
    pub fn install(lost: fn(u64) -> String) -> Self {
        let queue = Queue::new(LIMIT, lost);
        let subscriber = tracing_subscriber::fmt()
            .event_format(Plain)
            .with_max_level(tracing::Level::INFO)
            .with_writer({
                let queue = queue.clone();
                move || queue.clone()
            })
            .finish();
        // A program has one log: a second one stays silent.
        let _ = tracing::subscriber::set_global_default(subscriber);
        Self { queue }
    }

    /// Begins to print. The thread behind it has the rights that its caller has at this moment.
    pub fn start(&self) {
        match io::stdout().as_fd().try_clone_to_owned() {
            // Not through `io::stdout`: a reader that blocks us must not block those who wait for its lock.
            Ok(stdout) => self.queue.start(File::from(stdout)),
            Err(_) => self.queue.start(io::sink()),
        }
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.start();
        // What a reader has not taken by then is lost, as it would be any other way.
        let _ = self.queue.flush(FAREWELL);
    }
}

/// The words about lost lines in a log of text.
#[must_use]
pub fn lost_text(lines: u64) -> String {
    let (lines, are) = if lines == 1 {
        ("1 line".to_owned(), "is")
    } else {
        (format!("{lines} lines"), "are")
    };
    format!("{lines} lost: the log is read too slowly and {are} missing here")
}

/// Logs `text`; each of its lines is one of the log.
pub fn line(text: &str) {
    tracing::info!("{text}");
}

/// An event is its message and nothing else.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        struct Message<'a, 'w>(&'a mut Writer<'w>, fmt::Result);
        impl tracing::field::Visit for Message<'_, '_> {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                if field.name() == "message" {
                    self.1 = writeln!(self.0, "{value:?}");
                }
            }
        }
        let mut message = Message(&mut writer, Ok(()));
        event.record(&mut message);
        message.1
    }
}

impl Write for Queue {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.push(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
