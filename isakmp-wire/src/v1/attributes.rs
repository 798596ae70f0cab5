//! The attributes of a transform, read by their class.

use super::{
    AuthenticationAlgorithm, AuthenticationMethod, EncapsulationMode, EncryptionAlgorithm,
    GroupDescription, GroupType, HashAlgorithm, LifeType, Phase1Class, Phase2Class,
};
use crate::attribute::{Attribute, AttributeWriter, Attributes};
use crate::error::{BuildError, ErrorKind, ParseError};

/// One attribute of a `KEY_IKE` transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase1Attribute<'a> {
    /// Encryption Algorithm, class 1 (RFC 2409 App. A).
    Encryption(EncryptionAlgorithm),
    /// Hash Algorithm, class 2.
    Hash(HashAlgorithm),
    /// Authentication Method, class 3.
    Authentication(AuthenticationMethod),
    /// Group Description, class 4: the number of a registered group.
    Group(GroupDescription),
    /// Group Type, class 5, for a group that is given by its numbers.
    GroupType(GroupType),
    /// Life Type: the unit of the duration that follows.
    LifeType(LifeType),
    /// Life Duration, in the unit of the Life Type before it.
    LifeDuration(u64),
    /// PRF; no value is registered.
    Prf(u16),
    /// Key Length in bits, for ciphers with keys of several lengths.
    KeyLength(u16),
    /// An attribute of a class without a view, as received.
    Other(Attribute<'a>),
}

impl<'a> TryFrom<Attribute<'a>> for Phase1Attribute<'a> {
    type Error = ParseError;

    /// Fails on a basic class in variable form, and on a duration that is not 1 to 8 octets.
    fn try_from(attribute: Attribute<'a>) -> Result<Self, ParseError> {
        let class = Phase1Class(attribute.class);
        let basic = || attribute.basic(class.name().unwrap_or("attribute"));
        Ok(match class {
            Phase1Class::ENCRYPTION_ALGORITHM => Self::Encryption(basic()?.into()),
            Phase1Class::HASH_ALGORITHM => Self::Hash(basic()?.into()),
            Phase1Class::AUTHENTICATION_METHOD => Self::Authentication(basic()?.into()),
            Phase1Class::GROUP_DESCRIPTION => Self::Group(basic()?.into()),
            Phase1Class::GROUP_TYPE => Self::GroupType(basic()?.into()),
            Phase1Class::LIFE_TYPE => Self::LifeType(basic()?.into()),
            Phase1Class::LIFE_DURATION => Self::LifeDuration(duration(&attribute)?),
            Phase1Class::PRF => Self::Prf(basic()?),
            Phase1Class::KEY_LENGTH => Self::KeyLength(basic()?),
            _ => Self::Other(attribute),
        })
    }
}

/// One attribute of an AH, ESP or IPCOMP transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase2Attribute<'a> {
    /// SA Life Type: the unit of the duration that follows.
    LifeType(LifeType),
    /// SA Life Duration in that unit.
    LifeDuration(u64),
    /// Group Description: the quick mode has perfect forward secrecy with this group.
    Group(GroupDescription),
    /// Encapsulation Mode: tunnel or transport, and whether ESP goes in UDP.
    Encapsulation(EncapsulationMode),
    /// Authentication Algorithm: the HMAC of ESP or AH.
    Authentication(AuthenticationAlgorithm),
    /// Key Length in bits, for ciphers with keys of several lengths.
    KeyLength(u16),
    /// Key Rounds, for ciphers with a variable number of rounds.
    KeyRounds(u16),
    /// Extended Sequence Number: 1 for 64 bits.
    ExtendedSequenceNumber(u16),
    /// An attribute of a class without a view, as received.
    Other(Attribute<'a>),
}

impl<'a> TryFrom<Attribute<'a>> for Phase2Attribute<'a> {
    type Error = ParseError;

    /// Fails on a basic class in variable form, and on a duration that is not 1 to 8 octets.
    fn try_from(attribute: Attribute<'a>) -> Result<Self, ParseError> {
        let class = Phase2Class(attribute.class);
        let basic = || attribute.basic(class.name().unwrap_or("attribute"));
        Ok(match class {
            Phase2Class::SA_LIFE_TYPE => Self::LifeType(basic()?.into()),
            Phase2Class::SA_LIFE_DURATION => Self::LifeDuration(duration(&attribute)?),
            Phase2Class::GROUP_DESCRIPTION => Self::Group(basic()?.into()),
            Phase2Class::ENCAPSULATION_MODE => Self::Encapsulation(basic()?.into()),
            Phase2Class::AUTHENTICATION_ALGORITHM => Self::Authentication(basic()?.into()),
            Phase2Class::KEY_LENGTH => Self::KeyLength(basic()?),
            Phase2Class::KEY_ROUNDS => Self::KeyRounds(basic()?),
            Phase2Class::EXTENDED_SEQUENCE_NUMBER => Self::ExtendedSequenceNumber(basic()?),
            _ => Self::Other(attribute),
        })
    }
}

fn duration(attribute: &Attribute<'_>) -> Result<u64, ParseError> {
    attribute.number().ok_or_else(|| {
        let octets = attribute.octets().unwrap_or_default().len();
        ParseError::new(
            ErrorKind::InvalidValue,
            attribute.offset,
            "Life Duration",
            octets,
        )
    })
}

/// Everything a phase 1 transform offers; `None` for what it leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Phase1 {
    /// The encryption algorithm, if the transform names one.
    pub encryption: Option<EncryptionAlgorithm>,
    /// Key length in bits, for ciphers of variable key length.
    pub key_length: Option<u16>,
    /// The hash algorithm, if the transform names one.
    pub hash: Option<HashAlgorithm>,
    /// The authentication method, if the transform names one.
    pub authentication: Option<AuthenticationMethod>,
    /// The Diffie-Hellman group, if the transform names one by number.
    pub group: Option<GroupDescription>,
    /// Negotiated PRF; no value is registered.
    pub prf: Option<u16>,
    /// The lifetime in seconds, if the transform limits time.
    pub life_seconds: Option<u64>,
    /// The lifetime in kilobytes, if the transform limits traffic.
    pub life_kilobytes: Option<u64>,
    /// The first class that none of the fields holds (RFC 2409 App. A: groups given in full, and
    /// private classes). Not written.
    pub unsupported: Option<Phase1Class>,
}

impl Phase1 {
    /// Reads attributes of a `KEY_IKE` transform, in whatever order they stand.
    ///
    /// # Errors
    /// What [`Phase1Attribute::try_from`] refuses, a duration without its unit, or two attributes
    /// that contradict each other (RFC 2407 §4.5.2).
    pub fn read(attributes: Attributes<'_>) -> Result<Self, ParseError> {
        let mut read = Self::default();
        let mut unit = None;
        for attribute in attributes {
            let at = &attribute;
            match Phase1Attribute::try_from(attribute)? {
                Phase1Attribute::Encryption(value) => set(&mut read.encryption, value, at)?,
                Phase1Attribute::KeyLength(value) => set(&mut read.key_length, value, at)?,
                Phase1Attribute::Hash(value) => set(&mut read.hash, value, at)?,
                Phase1Attribute::Authentication(value) => set(&mut read.authentication, value, at)?,
                Phase1Attribute::Group(value) => set(&mut read.group, value, at)?,
                Phase1Attribute::Prf(value) => set(&mut read.prf, value, at)?,
                Phase1Attribute::LifeType(value) => unit = Some(value),
                Phase1Attribute::LifeDuration(value) => match unit.take() {
                    Some(LifeType::SECONDS) => set(&mut read.life_seconds, value, at)?,
                    Some(LifeType::KILOBYTES) => set(&mut read.life_kilobytes, value, at)?,
                    unit => return Err(no_unit(at, unit)),
                },
                // A type beside a description only repeats it.
                Phase1Attribute::GroupType(GroupType::MODP) => {}
                Phase1Attribute::GroupType(_) | Phase1Attribute::Other(_) => {
                    read.unsupported.get_or_insert(Phase1Class(attribute.class));
                }
            }
        }
        Ok(read)
    }
}

/// Everything a phase 2 transform offers; `None` for what it leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Phase2 {
    /// The lifetime in seconds, if the transform limits time.
    pub life_seconds: Option<u64>,
    /// The lifetime in kilobytes, if the transform limits traffic.
    pub life_kilobytes: Option<u64>,
    /// The Diffie-Hellman group of perfect forward secrecy, if the transform asks for it.
    pub group: Option<GroupDescription>,
    /// The encapsulation mode, if the transform names one.
    pub encapsulation: Option<EncapsulationMode>,
    /// The integrity algorithm, if the transform names one.
    pub authentication: Option<AuthenticationAlgorithm>,
    /// Key length in bits, for ciphers of variable key length.
    pub key_length: Option<u16>,
    /// Extended sequence numbers (RFC 4304 §2).
    pub esn: bool,
    /// The first class that none of the fields holds. Not written.
    pub unsupported: Option<Phase2Class>,
}

impl Phase2 {
    /// Reads attributes of an AH, ESP or IPCOMP transform, or of RESPONDER-LIFETIME, in whatever
    /// order they stand.
    ///
    /// # Errors
    /// What [`Phase2Attribute::try_from`] refuses, a duration without its unit, or two attributes
    /// that contradict each other (RFC 2407 §4.5.2).
    pub fn read(attributes: Attributes<'_>) -> Result<Self, ParseError> {
        let mut read = Self::default();
        let mut unit = None;
        for attribute in attributes {
            let at = &attribute;
            match Phase2Attribute::try_from(attribute)? {
                Phase2Attribute::LifeType(value) => unit = Some(value),
                Phase2Attribute::LifeDuration(value) => match unit.take() {
                    Some(LifeType::SECONDS) => set(&mut read.life_seconds, value, at)?,
                    Some(LifeType::KILOBYTES) => set(&mut read.life_kilobytes, value, at)?,
                    unit => return Err(no_unit(at, unit)),
                },
                Phase2Attribute::Group(value) => set(&mut read.group, value, at)?,
                Phase2Attribute::Encapsulation(value) => set(&mut read.encapsulation, value, at)?,
                Phase2Attribute::Authentication(value) => set(&mut read.authentication, value, at)?,
                Phase2Attribute::KeyLength(value) => set(&mut read.key_length, value, at)?,
                Phase2Attribute::ExtendedSequenceNumber(1) => read.esn = true,
                Phase2Attribute::KeyRounds(_)
                | Phase2Attribute::ExtendedSequenceNumber(_)
                | Phase2Attribute::Other(_) => {
                    read.unsupported.get_or_insert(Phase2Class(attribute.class));
                }
            }
        }
        Ok(read)
    }
}

/// RFC 2407 §4.5.2: an attribute may repeat, "so long as the different attribute entries do not
/// conflict".
fn set<T: Copy + PartialEq>(
    field: &mut Option<T>,
    value: T,
    attribute: &Attribute<'_>,
) -> Result<(), ParseError> {
    if field.is_some_and(|present| present != value) {
        let class = usize::from(attribute.class);
        let kind = ErrorKind::AttributeConflict;
        return Err(ParseError::new(
            kind,
            attribute.offset,
            "Attribute Type",
            class,
        ));
    }
    *field = Some(value);
    Ok(())
}

/// RFC 2407 §4.5: a duration "MUST always follow an SA Life Type".
fn no_unit(attribute: &Attribute<'_>, unit: Option<LifeType>) -> ParseError {
    let unit = unit.map_or(0, |unit| usize::from(unit.0));
    ParseError::new(ErrorKind::InvalidValue, attribute.offset, "Life Type", unit)
}

impl AttributeWriter<'_, '_> {
    /// The attributes of a `KEY_IKE` transform: encryption, key length, hash, authentication,
    /// group, PRF, lifetimes; durations as variable attributes of 4 or 8 octets.
    ///
    /// # Errors
    /// [`BuildError::SinkFull`].
    pub fn phase1(&mut self, offer: &Phase1) -> Result<(), BuildError> {
        self.optional(Phase1Class::ENCRYPTION_ALGORITHM, offer.encryption)?;
        self.optional(Phase1Class::KEY_LENGTH, offer.key_length)?;
        self.optional(Phase1Class::HASH_ALGORITHM, offer.hash)?;
        self.optional(Phase1Class::AUTHENTICATION_METHOD, offer.authentication)?;
        self.optional(Phase1Class::GROUP_DESCRIPTION, offer.group)?;
        self.optional(Phase1Class::PRF, offer.prf)?;
        let (unit, duration) = (Phase1Class::LIFE_TYPE, Phase1Class::LIFE_DURATION);
        self.life(unit, duration, LifeType::SECONDS, offer.life_seconds)?;
        self.life(unit, duration, LifeType::KILOBYTES, offer.life_kilobytes)
    }

    /// The attributes of a phase 2 transform: lifetimes, group, encapsulation, authentication,
    /// key length, ESN; durations as variable attributes of 4 or 8 octets.
    ///
    /// # Errors
    /// [`BuildError::SinkFull`].
    pub fn phase2(&mut self, offer: &Phase2) -> Result<(), BuildError> {
        let (unit, duration) = (Phase2Class::SA_LIFE_TYPE, Phase2Class::SA_LIFE_DURATION);
        self.life(unit, duration, LifeType::SECONDS, offer.life_seconds)?;
        self.life(unit, duration, LifeType::KILOBYTES, offer.life_kilobytes)?;
        self.optional(Phase2Class::GROUP_DESCRIPTION, offer.group)?;
        self.optional(Phase2Class::ENCAPSULATION_MODE, offer.encapsulation)?;
        self.optional(Phase2Class::AUTHENTICATION_ALGORITHM, offer.authentication)?;
        self.optional(Phase2Class::KEY_LENGTH, offer.key_length)?;
        self.optional(
            Phase2Class::EXTENDED_SEQUENCE_NUMBER,
            offer.esn.then_some(1_u16),
        )
    }

    fn optional(
        &mut self,
        class: impl Into<u16>,
        value: Option<impl Into<u16>>,
    ) -> Result<(), BuildError> {
        match value {
            Some(value) => self.basic(class, value),
            None => Ok(()),
        }
    }

    fn life(
        &mut self,
        unit_class: impl Into<u16>,
        duration_class: impl Into<u16>,
        unit: LifeType,
        value: Option<u64>,
    ) -> Result<(), BuildError> {
        match value {
            Some(value) => {
                self.basic(unit_class, unit)?;
                self.number(duration_class, value)
            }
            None => Ok(()),
        }
    }
}
