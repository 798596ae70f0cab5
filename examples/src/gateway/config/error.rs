//! Where in the file a mistake is: line, and the field's path found again from its byte span.

use std::{fmt, io, ops::Range};
use toml::de::{DeTable, DeValue};

/// A configuration file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as it was named.
    pub file: String,
    /// Line, counted from 1; `None` when the file could not be read at all.
    pub line: Option<usize>,
    /// Path of the field, such as `peer[0].tunnel[1].local`.
    pub field: Option<String>,
    /// What is wrong with it.
    pub what: String,
}

impl ConfigError {
    pub(crate) fn unreadable(file: &str, error: &io::Error) -> Self {
        Self {
            file: file.into(),
            line: None,
            field: None,
            what: error.to_string(),
        }
    }

    pub(crate) fn at(file: &str, text: &str, span: Option<Range<usize>>, what: &str) -> Self {
        let line = span
            .as_ref()
            .map(|s| text.bytes().take(s.start).filter(|b| *b == b'\n').count() + 1);
        let field = span
            .and_then(|s| field_at(text, &s))
            .map(|field| match missing_field(what) {
                Some(name) if field.is_empty() => name.to_owned(),
                Some(name) => format!("{field}.{name}"),
                None => field,
            })
            .filter(|f| !f.is_empty());
        Self {
            file: file.into(),
            line,
            field,
            what: what.trim_end().into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ": {field}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for ConfigError {}

/// serde reports an absent field at its table; the path should still end in the field's name.
fn missing_field(what: &str) -> Option<&str> {
    what.strip_prefix("missing field `")?.split('`').next()
}

/// The innermost key whose value covers `span`.
fn field_at(text: &str, span: &Range<usize>) -> Option<String> {
    let table = DeTable::parse(text).ok()?;
    let mut path = String::new();
    descend_table(table.get_ref(), span, &mut path);
    Some(path)
}

fn covers(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn descend_table(table: &DeTable<'_>, span: &Range<usize>, path: &mut String) -> bool {
    for (key, value) in table {
        let mark = path.len();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key.get_ref());
        if covers(&key.span(), span) || descend(value, span, path) {
            return true;
        }
        path.truncate(mark);
    }
    false
}

fn descend(value: &toml::Spanned<DeValue<'_>>, span: &Range<usize>, path: &mut String) -> bool {
    let inside = match value.get_ref() {
        DeValue::Table(table) => descend_table(table, span, path),
        DeValue::Array(array) => array.iter().enumerate().any(|(index, item)| {
            let mark = path.len();
            path.push_str(&format!("[{index}]"));
            let found = descend(item, span, path);
            if !found {
                path.truncate(mark);
            }
            found
        }),
        _ => false,
    };
    inside || covers(&value.span(), span)
}
