//! Attributes payload of mode-config and XAUTH (draft-dukes-ike-mode-cfg-02 §3.2).
//!
//! ```text
//! | Type | RESERVED | Identifier (2) | Attributes |
//! ```

use super::{ConfigType, Payload};
use crate::attribute::Attributes;
use crate::error::ParseError;
use crate::reader::Reader;

/// A validated Attributes payload. Its attributes may hold a password, so it has no `Debug` of
/// them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Configuration<'a> {
    /// Whether attributes are asked for, given, set or acknowledged.
    pub config_type: ConfigType,
    /// The identifier that request and reply of a transaction share.
    pub identifier: u16,
    /// The attributes; see [`super::ConfigAttribute`].
    pub attributes: Attributes<'a>,
}

impl<'a> Configuration<'a> {
    /// Validates the payload.
    ///
    /// # Errors
    /// An attribute beyond the end: "the entire payload MUST be discarded".
    pub fn parse(payload: &Payload<'a>) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let [config_type, _, high, low] = reader.array("Type")?;
        Ok(Self {
            config_type: ConfigType(config_type),
            identifier: u16::from_be_bytes([high, low]),
            attributes: Attributes::parse(reader.rest(), reader.offset(), usize::MAX)?,
        })
    }
}

impl core::fmt::Debug for Configuration<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Configuration")
            .field("config_type", &self.config_type)
            .field("identifier", &self.identifier)
            .finish_non_exhaustive()
    }
}
