//! The explained negotiation, printed as it happens.

use super::config::LogStyle;
use ike_sm::explain::Record;
use std::io::{self, Write};

/// Where records go.
pub struct Log {
    style: LogStyle,
    /// Before each line of text.
    prefix: String,
}

impl Log {
    /// Prints to standard output in `style`, `prefix` before each line of text.
    #[must_use]
    pub fn new(style: LogStyle, prefix: impl Into<String>) -> Self {
        Self {
            style,
            prefix: prefix.into(),
        }
    }

    /// One record of a protocol machine.
    pub fn record(&self, record: &Record) {
        match self.style {
            LogStyle::Cisco => self.lines(&record.cisco().to_string()),
            LogStyle::Compact => self.lines(&record.compact().to_string()),
            LogStyle::Json => line(&record.json().to_string()),
        }
    }

    /// What the gateway itself does.
    pub fn note(&self, text: &str) {
        match self.style {
            LogStyle::Json => line(&serde_json::json!({ "gateway": text }).to_string()),
            LogStyle::Cisco | LogStyle::Compact => self.lines(text),
        }
    }

    fn lines(&self, text: &str) {
        for each in text.lines() {
            line(&format!("{}{each}", self.prefix));
        }
    }
}

/// One write per line: two gateways may share the terminal. A reader that went away is no reason to stop.
pub(crate) fn line(text: &str) {
    let _ = io::stdout()
        .lock()
        .write_all(format!("{text}\n").as_bytes());
}
