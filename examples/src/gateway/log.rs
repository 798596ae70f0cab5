//! The explained negotiation, printed as it happens.

use super::config::LogStyle;
use crate::process::log::{self, Logging, line};
use ike_sm::explain::Record;

/// Sets up the program's log in the words of `style`.
#[must_use]
pub fn install(style: LogStyle) -> Logging {
    Logging::install(match style {
        LogStyle::Json => |lines| json(&log::lost_text(lines)),
        LogStyle::Cisco | LogStyle::Compact => log::lost_text,
    })
}

/// Where records go.
pub struct Log {
    style: LogStyle,
    /// Before each line of text.
    prefix: String,
}

impl Log {
    /// Tells the program's log in `style`, `prefix` before each line of text.
    #[must_use]
    pub fn new(style: LogStyle, prefix: impl Into<String>) -> Self {
        Self {
            style,
            prefix: prefix.into(),
        }
    }

    /// One record of a protocol machine. Returns how many lines it has.
    pub fn record(&self, record: &Record) -> usize {
        match self.style {
            LogStyle::Cisco => self.lines(&record.cisco().to_string()),
            LogStyle::Compact => self.lines(&record.compact().to_string()),
            LogStyle::Json => {
                line(&record.json().to_string());
                1
            }
        }
    }

    /// What the gateway itself does.
    pub fn note(&self, text: &str) {
        match self.style {
            LogStyle::Json => line(&json(text)),
            LogStyle::Cisco | LogStyle::Compact => {
                self.lines(text);
            }
        }
    }

    fn lines(&self, text: &str) -> usize {
        let lines = text
            .lines()
            .map(|each| line(&format!("{}{each}", self.prefix)));
        lines.count()
    }
}

fn json(text: &str) -> String {
    serde_json::json!({ "gateway": text }).to_string()
}
