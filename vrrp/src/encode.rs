//! Advertisements to send, as message, IP packet or Ethernet frame.

use core::net::IpAddr;

use crate::checksum::Sum;
use crate::packet::{AUTH_DATA_LEN, FIXED_LEN};
use crate::{
    AuthType, ChecksumReading, EncodeError, Family, Interval, Priority, Version, Vrid, frame,
};

/// The fields of an advertisement to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The version of the packet, on which its layout depends.
    pub version: Version,
    /// The number of the virtual router.
    pub vrid: Vrid,
    /// The sender's priority; [`Priority::STOP`] when it gives up being master.
    pub priority: Priority,
    /// Time between advertisements. Version 2 sends whole seconds.
    pub interval: Interval,
    /// Version 2 simple-text password, zero-filled (RFC 2338 §5.3.10).
    pub password: Option<&'a [u8; 8]>,
    /// Addresses of the virtual router, 1 to 255 of one family.
    pub addresses: &'a [IpAddr],
    /// IP source: the interface's primary or link-local address.
    pub source: IpAddr,
    /// IP destination: the group, or a unicast peer.
    pub destination: IpAddr,
    /// Which checksum version 3 sends over IPv4.
    pub reading: ChecksumReading,
}

impl Message<'_> {
    /// Octets of the VRRP message.
    #[must_use]
    pub fn len(&self) -> usize {
        let auth = if self.version == Version::V2 {
            AUTH_DATA_LEN
        } else {
            0
        };
        let address = Family::of(self.source).address_len();
        FIXED_LEN
            .saturating_add(self.addresses.len().saturating_mul(address))
            .saturating_add(auth)
    }

    /// Never: the fixed fields alone are eight octets.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Writes the VRRP message to the start of `out`; gives back its length.
    ///
    /// # Errors
    /// Addresses, interval or output that do not fit. `out` is unchanged then.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let len = self.len();
        let available = out.len();
        let fixed = self.fixed_fields()?;
        let out = out.get_mut(..len).ok_or(EncodeError::Output {
            needed: len,
            available,
        })?;
        let password = self.password.filter(|_| self.version == Version::V2);
        let auth: &[u8] = match (self.version, password) {
            (Version::V2, Some(password)) => password,
            (Version::V2, None) => &[0; AUTH_DATA_LEN],
            (Version::V3, _) => &[],
        };
        let mut at = 0;
        put(out, &mut at, &fixed);
        for address in self.addresses {
            match address {
                IpAddr::V4(address) => put(out, &mut at, &address.octets()),
                IpAddr::V6(address) => put(out, &mut at, &address.octets()),
            }
        }
        put(out, &mut at, auth);
        let mut sum = Sum::ZERO.octets(out);
        if self.has_pseudo_header() {
            sum = sum.pseudo_header(self.source, self.destination, len);
        }
        let mut at = 6;
        put(out, &mut at, &sum.finish().to_be_bytes());
        Ok(len)
    }

    /// Writes IP header and message to the start of `out`: 20 or 40 octets more than
    /// [`len`](Self::len). TTL 255, DSCP CS6 (RFC 4594 §3.1: network control).
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_packet(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let header_len = frame::ip_header_len(self.source);
        let needed = header_len.saturating_add(self.len());
        let available = out.len();
        let whole = out
            .get_mut(..needed)
            .ok_or(EncodeError::Output { needed, available })?;
        let (header, message) = whole.split_at_mut(header_len);
        let len = self.write(message)?;
        frame::ip_header(
            header,
            self.source,
            self.destination,
            crate::PROTOCOL_VRRP,
            len,
        );
        Ok(needed)
    }

    /// Writes a whole Ethernet frame from the virtual router's MAC address to the group's
    /// (RFC 9568 §7.2); multicast only.
    ///
    /// # Errors
    /// As [`write`](Self::write); [`EncodeError::Family`] for a unicast destination, whose link
    /// address is not known here.
    pub fn write_frame(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let family = Family::of(self.source);
        if self.destination != family.group() {
            return Err(EncodeError::Family);
        }
        let ip_len = frame::ip_header_len(self.source).saturating_add(self.len());
        let needed = frame::ETHERNET_LEN.saturating_add(ip_len);
        let available = out.len();
        let whole = out
            .get_mut(..needed)
            .ok_or(EncodeError::Output { needed, available })?;
        let (ethernet, packet) = whole.split_at_mut(frame::ETHERNET_LEN);
        self.write_packet(packet)?;
        frame::ethernet(
            ethernet,
            frame::group_mac(family),
            self.vrid.mac(family),
            family,
        );
        Ok(needed)
    }

    fn has_pseudo_header(&self) -> bool {
        match (self.version, Family::of(self.source)) {
            (Version::V2, _) => false,
            (Version::V3, Family::V6) => true,
            (Version::V3, Family::V4) => self.reading == ChecksumReading::PseudoHeader,
        }
    }

    /// Everything before the addresses, checksum zero.
    fn fixed_fields(&self) -> Result<[u8; FIXED_LEN], EncodeError> {
        let family = Family::of(self.source);
        let count = u8::try_from(self.addresses.len())
            .ok()
            .filter(|count| *count > 0)
            .ok_or(EncodeError::AddressCount(self.addresses.len()))?;
        let foreign = |address: &IpAddr| Family::of(*address) != family;
        if foreign(&self.destination)
            || self.addresses.iter().any(foreign)
            || (self.version == Version::V2 && family == Family::V6)
        {
            return Err(EncodeError::Family);
        }
        let [high, low] = self.interval_field()?;
        let first = (self.version.number() << 4) | 1;
        Ok([
            first,
            self.vrid.value(),
            self.priority.0,
            count,
            high,
            low,
            0,
            0,
        ])
    }

    fn interval_field(&self) -> Result<[u8; 2], EncodeError> {
        let centiseconds = self.interval.centiseconds();
        let refused = EncodeError::Interval(centiseconds);
        match self.version {
            Version::V2 => {
                let auth = if self.password.is_some() {
                    AuthType::SIMPLE
                } else {
                    AuthType::NONE
                };
                if centiseconds.checked_rem(100) != Some(0) {
                    return Err(refused);
                }
                let seconds = centiseconds.checked_div(100).unwrap_or(0);
                Ok([auth.0, u8::try_from(seconds).map_err(|_| refused)?])
            }
            // RFC 9568 §5.2.7: twelve bits.
            Version::V3 => match u16::try_from(centiseconds) {
                Ok(field) if field < 0x1000 => Ok(field.to_be_bytes()),
                _ => Err(refused),
            },
        }
    }
}

/// Copies `octets` to `out` at `at` and moves on.
pub(crate) fn put(out: &mut [u8], at: &mut usize, octets: &[u8]) {
    let end = at.saturating_add(octets.len());
    if let Some(room) = out.get_mut(*at..end) {
        room.copy_from_slice(octets);
    }
    *at = end;
}
