//! Lifetimes that a responder tells (RFC 2407 §4.5.4, §4.6.3.1).

use core::time::Duration;

use isakmp_wire::registry::v1::{LifeType, Phase2Class};
use isakmp_wire::v1::Notification;
use isakmp_wire::{AttributeWriter, BuildError, Limits};

use super::attribute::{Attribute, Collector, copy};
use crate::config::Lifetime;

/// Writes the attribute list of a RESPONDER-LIFETIME notification.
///
/// # Errors
/// No room.
pub fn write_lifetime(
    lifetime: &Lifetime,
    out: &mut AttributeWriter<'_, '_>,
) -> Result<(), BuildError> {
    for attribute in lifetime_attributes(lifetime) {
        attribute.write(out)?;
    }
    Ok(())
}

/// The lifetime in a RESPONDER-LIFETIME notification. A time that is not named is without end, so
/// that the smaller of it and another lifetime is the other one.
///
/// `None` when the data is no such attribute list or names nothing.
#[must_use]
pub fn read_lifetime(notification: &Notification<'_>, limits: &Limits) -> Option<Lifetime> {
    let attributes = copy(notification.attributes(limits).ok()?);
    let (life_type, duration) = (Phase2Class::SA_LIFE_TYPE.0, Phase2Class::SA_LIFE_DURATION.0);
    let collector = Collector::new(&attributes, life_type, duration);
    let endless = Lifetime {
        time: Duration::MAX,
        kilobytes: None,
    };
    let told = collector.lifetime().ok()?.or(endless);
    (told != endless).then_some(told)
}

/// Type and duration of the time, then of the volume if there is one.
pub(super) fn lifetime_attributes(lifetime: &Lifetime) -> alloc::vec::Vec<Attribute> {
    let (life_type, duration) = (Phase2Class::SA_LIFE_TYPE, Phase2Class::SA_LIFE_DURATION);
    let word = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let mut list = alloc::vec![
        Attribute::basic(life_type, LifeType::SECONDS),
        Attribute::word(duration, word(lifetime.time.as_secs())),
    ];
    if let Some(kilobytes) = lifetime.kilobytes {
        list.push(Attribute::basic(life_type, LifeType::KILOBYTES));
        list.push(Attribute::word(duration, word(kilobytes)));
    }
    list
}
