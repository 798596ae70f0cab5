//! Records as text: in the words of IOS debug output, one short line per message, or JSON.

mod cisco;
mod compact;
mod json;
mod v2;
mod words;

use crate::event::Record;

impl Record {
    /// Text in the words of IOS debug output; several lines for some records, each ended by a line
    /// feed.
    #[must_use]
    pub const fn cisco(&self) -> Cisco<'_> {
        Cisco(self)
    }

    /// One short line, or nothing for records that this style does not show.
    #[must_use]
    pub const fn compact(&self) -> Compact<'_> {
        Compact(self)
    }

    /// One JSON object without a line feed.
    #[must_use]
    pub const fn json(&self) -> Json<'_> {
        Json(self)
    }
}

/// [`Record::cisco`].
#[derive(Clone, Copy, Debug)]
pub struct Cisco<'a>(&'a Record);

/// [`Record::compact`].
#[derive(Clone, Copy, Debug)]
pub struct Compact<'a>(&'a Record);

/// [`Record::json`].
#[derive(Clone, Copy, Debug)]
pub struct Json<'a>(&'a Record);

#[cfg(test)]
mod tests;
