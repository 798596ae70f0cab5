//! Notification data that has a structure of its own, by the notify type that carries it.
//!
//! Reading gives `None` when the octets do not fit; the notify type is the caller's to check.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{GatewayIdType, IpcompTransform, Notify, NotifyType, PpkIdType, Writer};
use crate::error::BuildError;
use crate::writer::{Written, u8_field};

/// Where REDIRECT points, or REDIRECTED_FROM comes from (RFC 5685 §9.2, §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gateway<'a> {
    /// An IPv4 or IPv6 address.
    Address(IpAddr),
    /// A fully qualified domain name; without a NUL octet.
    Fqdn(&'a [u8]),
}

/// Data of IKEV2_MESSAGE_ID_SYNC (RFC 6311 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageIdSync {
    /// Nonce, the same in request and response.
    pub nonce: [u8; 4],
    /// Message ID of the sender's next request.
    pub expected_send: u32,
    /// Message ID the sender expects in the next request it receives.
    pub expected_receive: u32,
}

impl<'a> Notify<'a> {
    /// Reads an address: ADDITIONAL_IP4_ADDRESS of 4 octets, ADDITIONAL_IP6_ADDRESS of 16 (RFC 4555
    /// §4.2).
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        address(self.data)
    }

    /// Reads gateway and nonce of REDIRECT; the nonce is empty outside of IKE_SA_INIT and in
    /// REDIRECTED_FROM.
    #[must_use]
    pub fn redirect(&self) -> Option<(Gateway<'a>, &'a [u8])> {
        let (&[id_type, length], rest) = self.data.split_first_chunk::<2>()?;
        let (identity, nonce) = rest.split_at_checked(usize::from(length))?;
        let gateway = match GatewayIdType(id_type) {
            GatewayIdType::IPV4 if identity.len() == 4 => Gateway::Address(address(identity)?),
            GatewayIdType::IPV6 if identity.len() == 16 => Gateway::Address(address(identity)?),
            GatewayIdType::FQDN if !identity.is_empty() && !identity.contains(&0) => {
                Gateway::Fqdn(identity)
            }
            _ => return None,
        };
        // RFC 5685 §9.2: the nonce is the Ni of the request, of 16 to 256 octets.
        matches!(nonce.len(), 0 | 16..=256).then_some((gateway, nonce))
    }

    /// Reads the data of IKEV2_MESSAGE_ID_SYNC; `None` if its length is wrong.
    #[must_use]
    pub fn message_id_sync(&self) -> Option<MessageIdSync> {
        let (nonce, rest) = self.data.split_first_chunk::<4>()?;
        let (send, rest) = rest.split_first_chunk::<4>()?;
        let receive: [u8; 4] = rest.try_into().ok()?;
        Some(MessageIdSync {
            nonce: *nonce,
            expected_send: u32::from_be_bytes(*send),
            expected_receive: u32::from_be_bytes(receive),
        })
    }

    /// Reads the delta of IPSEC_REPLAY_COUNTER_SYNC: 4 octets, or 8 with ESN (RFC 6311 §6.4).
    #[must_use]
    pub fn replay_counter_delta(&self) -> Option<u64> {
        match self.data.len() {
            4 => self.u32().map(u64::from),
            _ => self.data.try_into().ok().map(u64::from_be_bytes),
        }
    }

    /// Reads type and value of the identity in PPK_IDENTITY (RFC 8784 §5.1); `None` for the empty
    /// one of
    /// a response.
    #[must_use]
    pub fn ppk_identity(&self) -> Option<(PpkIdType, &'a [u8])> {
        let (id_type, identity) = self.data.split_first()?;
        Some((PpkIdType(*id_type), identity))
    }

    /// Reads CPI, transform and its attributes in IPCOMP_SUPPORTED (RFC 7296 §2.22).
    #[must_use]
    pub fn ipcomp(&self) -> Option<(u16, IpcompTransform, &'a [u8])> {
        let (&[high, low, transform], attributes) = self.data.split_first_chunk::<3>()?;
        Some((
            u16::from_be_bytes([high, low]),
            IpcompTransform(transform),
            attributes,
        ))
    }
}

impl Writer<'_> {
    /// Appends REDIRECT with the `Ni` of an IKE_SA_INIT request, or with no nonce in another
    /// exchange; or
    /// REDIRECTED_FROM, with none.
    ///
    /// # Errors
    /// [`BuildError::TooLong`] for a name above 255 octets.
    pub fn redirect(
        &mut self,
        notify_type: NotifyType,
        gateway: &Gateway<'_>,
        nonce: &[u8],
    ) -> Result<Written, BuildError> {
        let (v4, v6);
        let (id_type, identity): (_, &[u8]) = match *gateway {
            Gateway::Address(IpAddr::V4(address)) => {
                v4 = address.octets();
                (GatewayIdType::IPV4, &v4)
            }
            Gateway::Address(IpAddr::V6(address)) => {
                v6 = address.octets();
                (GatewayIdType::IPV6, &v6)
            }
            Gateway::Fqdn(name) => (GatewayIdType::FQDN, name),
        };
        let length = u8_field("GW Ident Len", identity.len())?;
        self.notify_parts(notify_type, &[&[id_type.0, length], identity, nonce])
    }

    /// Appends IKEV2_MESSAGE_ID_SYNC (RFC 6311 §6.3).
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn message_id_sync(&mut self, sync: &MessageIdSync) -> Result<Written, BuildError> {
        let (send, receive) = (
            sync.expected_send.to_be_bytes(),
            sync.expected_receive.to_be_bytes(),
        );
        self.notify_parts(
            NotifyType::IKEV2_MESSAGE_ID_SYNC,
            &[&sync.nonce, &send, &receive],
        )
    }

    /// Appends SIGNATURE_HASH_ALGORITHMS (RFC 7427 §4).
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn signature_hash_algorithms(
        &mut self,
        algorithms: &[super::HashAlgorithm],
    ) -> Result<Written, BuildError> {
        let [high, low] = NotifyType::SIGNATURE_HASH_ALGORITHMS.0.to_be_bytes();
        self.compose(super::PayloadType::NOTIFY, 0, |out| {
            out.put(&[0, 0, high, low])?;
            algorithms
                .iter()
                .try_for_each(|algorithm| out.put(&algorithm.0.to_be_bytes()))
        })
    }

    fn notify_parts(
        &mut self,
        notify_type: NotifyType,
        parts: &[&[u8]],
    ) -> Result<Written, BuildError> {
        let [high, low] = notify_type.0.to_be_bytes();
        self.compose(super::PayloadType::NOTIFY, 0, |out| {
            out.put(&[0, 0, high, low])?;
            parts.iter().try_for_each(|part| out.put(part))
        })
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets)
            .ok()
            .map(|octets| Ipv4Addr::from(octets).into()),
        _ => <[u8; 16]>::try_from(octets)
            .ok()
            .map(|octets| Ipv6Addr::from(octets).into()),
    }
}
