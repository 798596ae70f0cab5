//! Attributes of IKEv1 in words.

use alloc::string::String;
use core::fmt::{self, Write};

use isakmp_wire::registry::v1::{
    AuthenticationMethod, EncryptionAlgorithm, HashAlgorithm, Phase1Class,
};

use super::attribute::{Attribute, AttributeValue};

/// The value of a phase 1 attribute in one word.
pub(crate) fn phase1_value(a: &Attribute) -> String {
    let mut out = String::new();
    let name = match (Phase1Class(a.class), basic(a)) {
        (Phase1Class::ENCRYPTION_ALGORITHM, Some(v)) => EncryptionAlgorithm(v).name(),
        (Phase1Class::HASH_ALGORITHM, Some(v)) => HashAlgorithm(v).name(),
        (Phase1Class::AUTHENTICATION_METHOD, Some(v)) => match AuthenticationMethod(v) {
            AuthenticationMethod::PRE_SHARED_KEY => Some("pre-share"),
            AuthenticationMethod::RSA_SIGNATURES => Some("RSA sig"),
            other => other.name(),
        },
        _ => None,
    };
    // Writing to a String cannot fail.
    let _ = match name {
        Some(name) => out.write_str(name),
        None => write!(out, "{}", Shown(a)),
    };
    out
}

pub(crate) fn basic(a: &Attribute) -> Option<u16> {
    match a.value {
        AttributeValue::Basic(v) => Some(v),
        AttributeValue::Variable(_) => None,
    }
}

/// A number in decimal, or the bytes of what is none.
pub(crate) struct Shown<'a>(pub(crate) &'a Attribute);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.number(), &self.0.value) {
            (Some(number), _) => write!(f, "{number}"),
            (None, AttributeValue::Variable(bytes)) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|b| write!(f, "{b:02X}"))
            }
            (None, AttributeValue::Basic(v)) => write!(f, "{v}"),
        }
    }
}
