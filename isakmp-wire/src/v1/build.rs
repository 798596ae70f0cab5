//! Writes the payloads of IKEv1.

use core::net::IpAddr;

use super::{
    CertEncoding, ConfigType, Doi, IdType, Identity, NotifyType, PayloadType, Proposal, Situation,
    Transform, Writer,
};
use crate::attribute::AttributeWriter;
use crate::error::BuildError;
use crate::registry::ProtocolId;
use crate::writer::{Buffer, Chain, Written, u8_field, u16_field};

/// What the closures that fill a payload give back.
type Filled = Result<(), BuildError>;

impl<'s> Writer<'s> {
    /// Appends an SA payload of the IPsec DOI (RFC 2407 §4.6.1), whose proposals `fill` writes.
    ///
    /// # Errors
    /// What `fill` returns, and [`BuildError`] of a length that does not fit.
    pub fn sa(
        &mut self,
        situation: Situation,
        fill: impl FnOnce(&mut SaWriter<'_, 's>) -> Filled,
    ) -> Result<Written, BuildError> {
        self.compose(PayloadType::SA, 0, |out| {
            let [a, b, c, d] = Doi::IPSEC.0.to_be_bytes();
            let [e, f, g, h] = situation.0.to_be_bytes();
            out.put(&[a, b, c, d, e, f, g, h])?;
            fill(&mut SaWriter {
                out,
                chain: Chain::nested(),
            })
        })
    }

    /// Appends a KE payload with a public value.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn key_exchange(&mut self, public: &[u8]) -> Result<Written, BuildError> {
        self.payload(PayloadType::KEY_EXCHANGE, public)
    }

    /// Appends a NONCE payload.
    ///
    /// # Errors
    /// [`BuildError::BadLength`] outside of 8 to 256 octets (RFC 2409 §5).
    pub fn nonce(&mut self, nonce: &[u8]) -> Result<Written, BuildError> {
        if !(8..=256).contains(&nonce.len()) {
            return Err(BuildError::BadLength {
                what: "Nonce Data",
                length: nonce.len(),
            });
        }
        self.payload(PayloadType::NONCE, nonce)
    }

    /// Appends a HASH payload; see [`Writer::placeholder`] for one that covers what follows it.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn hash(&mut self, hash: &[u8]) -> Result<Written, BuildError> {
        self.payload(PayloadType::HASH, hash)
    }

    /// Appends a SIG payload.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn signature(&mut self, signature: &[u8]) -> Result<Written, BuildError> {
        self.payload(PayloadType::SIGNATURE, signature)
    }

    /// Appends a VID payload, whose body is the vendor ID.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn vendor_id(&mut self, vendor_id: &[u8]) -> Result<Written, BuildError> {
        self.payload(PayloadType::VENDOR_ID, vendor_id)
    }

    /// Appends an ID payload. For a type without an [`Identity`] of its own see
    /// [`Writer::identification_data`].
    ///
    /// # Errors
    /// [`BuildError::BadLength`] for a subnet or range of two address families.
    pub fn identification(
        &mut self,
        identity: &Identity<'_>,
        protocol: u8,
        port: u16,
    ) -> Result<Written, BuildError> {
        let id_type = identity.id_type();
        self.identification_raw(id_type, protocol, port, |out| identity.write(out))
    }

    /// Appends an ID payload with its data as octets: what a state machine has signed or hashed
    /// before.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn identification_data(
        &mut self,
        id_type: IdType,
        protocol: u8,
        port: u16,
        data: &[u8],
    ) -> Result<Written, BuildError> {
        self.identification_raw(id_type, protocol, port, |out| out.put(data))
    }

    fn identification_raw(
        &mut self,
        id_type: IdType,
        protocol: u8,
        port: u16,
        data: impl FnOnce(&mut Buffer<'s>) -> Filled,
    ) -> Result<Written, BuildError> {
        let [high, low] = port.to_be_bytes();
        self.compose(PayloadType::IDENTIFICATION, 0, |out| {
            out.put(&[id_type.0, protocol, high, low])?;
            data(out)
        })
    }

    /// Appends a CERT payload.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn certificate(
        &mut self,
        encoding: CertEncoding,
        data: &[u8],
    ) -> Result<Written, BuildError> {
        self.compose(PayloadType::CERTIFICATE, 0, |out| {
            out.put(&[encoding.0])?;
            out.put(data)
        })
    }

    /// Appends a CR payload; an empty authority asks for any.
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn certificate_request(
        &mut self,
        encoding: CertEncoding,
        authority: &[u8],
    ) -> Result<Written, BuildError> {
        self.compose(PayloadType::CERTIFICATE_REQUEST, 0, |out| {
            out.put(&[encoding.0])?;
            out.put(authority)
        })
    }

    /// Appends an N payload of the IPsec DOI.
    ///
    /// # Errors
    /// [`BuildError::TooLong`] for an SPI above 255 octets.
    pub fn notification(
        &mut self,
        protocol_id: ProtocolId,
        spi: &[u8],
        notify_type: NotifyType,
        data: &[u8],
    ) -> Result<Written, BuildError> {
        self.notification_with(protocol_id, spi, notify_type, |out| out.out.put(data))
    }

    /// Appends an N payload whose data are attributes, which `fill` writes: RESPONDER-LIFETIME.
    ///
    /// # Errors
    /// What `fill` returns, and [`BuildError::TooLong`] for an SPI above 255 octets.
    pub fn notification_with(
        &mut self,
        protocol_id: ProtocolId,
        spi: &[u8],
        notify_type: NotifyType,
        fill: impl FnOnce(&mut AttributeWriter<'_, 's>) -> Filled,
    ) -> Result<Written, BuildError> {
        let spi_size = u8_field("SPI Size", spi.len())?;
        self.compose(PayloadType::NOTIFICATION, 0, |out| {
            out.put(&Doi::IPSEC.0.to_be_bytes())?;
            out.put(&[protocol_id.0, spi_size])?;
            out.put(&notify_type.0.to_be_bytes())?;
            out.put(spi)?;
            fill(&mut AttributeWriter { out })
        })
    }

    /// Appends a D payload that names SAs of one protocol.
    ///
    /// # Errors
    /// [`BuildError::BadLength`] for SPIs of different lengths, of none, or of more than 255
    /// octets.
    pub fn delete<S: AsRef<[u8]>>(
        &mut self,
        protocol_id: ProtocolId,
        spis: &[S],
    ) -> Result<Written, BuildError> {
        let count = u16_field("# of SPIs", spis.len())?;
        let length = spis.first().map_or(0, |spi| spi.as_ref().len());
        let spi_size = u8_field("SPI Size", length)?;
        let odd = spis.iter().find(|spi| spi.as_ref().len() != length);
        if length == 0 || odd.is_some() {
            let length = odd.map_or(0, |spi| spi.as_ref().len());
            return Err(BuildError::BadLength {
                what: "SPI",
                length,
            });
        }
        self.compose(PayloadType::DELETE, 0, |out| {
            out.put(&Doi::IPSEC.0.to_be_bytes())?;
            out.put(&[protocol_id.0, spi_size])?;
            out.put(&count)?;
            spis.iter().try_for_each(|spi| out.put(spi.as_ref()))
        })
    }

    /// Appends an ATTR payload of mode-config or XAUTH, whose attributes `fill` writes.
    ///
    /// # Errors
    /// What `fill` returns.
    pub fn configuration(
        &mut self,
        config_type: ConfigType,
        identifier: u16,
        fill: impl FnOnce(&mut AttributeWriter<'_, 's>) -> Filled,
    ) -> Result<Written, BuildError> {
        let [high, low] = identifier.to_be_bytes();
        self.compose(PayloadType::ATTRIBUTES, 0, |out| {
            out.put(&[config_type.0, 0, high, low])?;
            fill(&mut AttributeWriter { out })
        })
    }

    /// Appends a NAT-D payload under the number that both sides use: [`PayloadType::NAT_D`] or
    /// [`PayloadType::NAT_D_DRAFT`].
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn nat_d(&mut self, number: PayloadType, hash: &[u8]) -> Result<Written, BuildError> {
        self.payload(number, hash)
    }

    /// Appends a NAT-OA payload under the number that both sides use: [`PayloadType::NAT_OA`] or
    /// [`PayloadType::NAT_OA_DRAFT`].
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn nat_oa(&mut self, number: PayloadType, address: IpAddr) -> Result<Written, BuildError> {
        let id_type = Identity::Address(address).id_type();
        self.compose(number, 0, |out| {
            out.put(&[id_type.0, 0, 0, 0])?;
            put_address(out, address)
        })
    }

    /// Appends fragment `number` of a message; it must be the only payload.
    ///
    /// # Errors
    /// [`BuildError::BadLength`] for number 0 or no data.
    pub fn fragment(
        &mut self,
        id: u16,
        number: u8,
        last: bool,
        data: &[u8],
    ) -> Result<Written, BuildError> {
        if number == 0 || data.is_empty() {
            return Err(BuildError::BadLength {
                what: "Fragment_Data",
                length: data.len(),
            });
        }
        let [high, low] = id.to_be_bytes();
        self.compose(PayloadType::FRAGMENT, 0, |out| {
            out.put(&[high, low, number, u8::from(last)])?;
            out.put(data)
        })
    }

    /// Pads with zero octets to a multiple of the cipher's block (RFC 2409 App. B). The header is
    /// not encrypted; the length in it covers the padding.
    ///
    /// # Errors
    /// [`BuildError::SinkFull`].
    pub fn pad_to(&mut self, block_len: usize) -> Result<(), BuildError> {
        let body = self.out.len().saturating_sub(crate::Header::LEN);
        let padded = body
            .checked_next_multiple_of(block_len.max(1))
            .unwrap_or(body);
        self.out.zeros(padded.saturating_sub(body))
    }
}

/// Writes the proposals of an SA.
pub struct SaWriter<'w, 's> {
    out: &'w mut Buffer<'s>,
    chain: Chain,
}

impl<'s> SaWriter<'_, 's> {
    /// Appends a proposal.
    ///
    /// # Errors
    /// What `fill` returns; [`BuildError::TooLong`] for an SPI above 255 octets or more than 255
    /// transforms.
    pub fn proposal(
        &mut self,
        number: u8,
        protocol_id: ProtocolId,
        spi: &[u8],
        fill: impl FnOnce(&mut ProposalWriter<'_, 's>) -> Filled,
    ) -> Result<(), BuildError> {
        let spi_size = u8_field("SPI Size", spi.len())?;
        let start = self.out.len();
        self.chain.link(self.out, PayloadType::PROPOSAL.0, start)?;
        let head = [number, protocol_id.0, spi_size, 0];
        self.out.element("Payload Length", head, |out| {
            out.put(spi)?;
            let mut transforms = ProposalWriter {
                out,
                chain: Chain::nested(),
                count: 0,
            };
            fill(&mut transforms)?;
            let count = u8_field("# of Transforms", transforms.count)?;
            // RFC 2408 §3.5: # of Transforms is octet 7 of the proposal.
            out.patch(start.saturating_add(7), &[count])
        })
    }

    /// Appends the answer to a proposal: its number and protocol, the responder's own SPI, and the
    /// one
    /// chosen transform with its attributes unchanged (RFC 2409 §5: the responder "MUST NOT modify
    /// attributes").
    ///
    /// # Errors
    /// As [`Self::proposal`].
    pub fn choose(
        &mut self,
        proposal: &Proposal<'_>,
        spi: &[u8],
        transform: &Transform<'_>,
    ) -> Result<(), BuildError> {
        self.proposal(proposal.number, proposal.protocol_id, spi, |p| {
            p.copy(transform)
        })
    }
}

/// Writes the transforms of a proposal.
pub struct ProposalWriter<'w, 's> {
    out: &'w mut Buffer<'s>,
    chain: Chain,
    count: usize,
}

impl<'s> ProposalWriter<'_, 's> {
    /// Appends a transform.
    ///
    /// # Errors
    /// What `fill` returns.
    pub fn transform(
        &mut self,
        number: u8,
        id: impl Into<u8>,
        fill: impl FnOnce(&mut AttributeWriter<'_, 's>) -> Result<(), BuildError>,
    ) -> Result<(), BuildError> {
        let id = id.into();
        let start = self.out.len();
        self.chain.link(self.out, PayloadType::TRANSFORM.0, start)?;
        self.out
            .element("Payload Length", [number, id, 0, 0], |out| {
                fill(&mut AttributeWriter { out })
            })?;
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Appends a received transform, its attributes unchanged.
    ///
    /// # Errors
    /// As [`Self::transform`].
    pub fn copy(&mut self, transform: &Transform<'_>) -> Result<(), BuildError> {
        self.transform(transform.number, transform.id, |t| {
            t.copy(transform.attributes())
        })
    }
}

impl core::fmt::Debug for SaWriter<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SaWriter").finish_non_exhaustive()
    }
}

impl core::fmt::Debug for ProposalWriter<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ProposalWriter")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl Identity<'_> {
    /// The ID type of the identity; 0 for [`Self::Other`].
    #[must_use]
    pub const fn id_type(&self) -> IdType {
        match self {
            Self::Address(IpAddr::V4(_)) => IdType::IPV4_ADDR,
            Self::Address(IpAddr::V6(_)) => IdType::IPV6_ADDR,
            Self::Subnet(IpAddr::V4(_), _) => IdType::IPV4_ADDR_SUBNET,
            Self::Subnet(IpAddr::V6(_), _) => IdType::IPV6_ADDR_SUBNET,
            Self::Range(IpAddr::V4(_), _) => IdType::IPV4_ADDR_RANGE,
            Self::Range(IpAddr::V6(_), _) => IdType::IPV6_ADDR_RANGE,
            Self::Fqdn(_) => IdType::FQDN,
            Self::UserFqdn(_) => IdType::USER_FQDN,
            Self::Dn(_) => IdType::DER_ASN1_DN,
            Self::GeneralName(_) => IdType::DER_ASN1_GN,
            Self::KeyId(_) => IdType::KEY_ID,
            Self::List(_) => IdType::LIST,
            Self::Other(_) => IdType(0),
        }
    }

    fn write(&self, out: &mut Buffer<'_>) -> Filled {
        match *self {
            Self::Address(address) => put_address(out, address),
            Self::Subnet(first, second) | Self::Range(first, second) => {
                if first.is_ipv4() != second.is_ipv4() {
                    return Err(BuildError::BadLength {
                        what: "Identification Data",
                        length: 20,
                    });
                }
                put_address(out, first)?;
                put_address(out, second)
            }
            Self::Fqdn(data)
            | Self::UserFqdn(data)
            | Self::Dn(data)
            | Self::GeneralName(data)
            | Self::KeyId(data)
            | Self::List(data)
            | Self::Other(data) => out.put(data),
        }
    }
}

fn put_address(out: &mut Buffer<'_>, address: IpAddr) -> Filled {
    match address {
        IpAddr::V4(address) => out.put(&address.octets()),
        IpAddr::V6(address) => out.put(&address.octets()),
    }
}
