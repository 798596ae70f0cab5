//! Fragmenting before encryption: the look-ahead decision and an IPv4 fragmenter
//! (RFC 4301 §8, RFC 791 §3.2).
//!
//! Fragments made after encryption are reassembled by the decrypting gateway, on its slow path.
//! Tunnel mode can fragment the inner packet first, and the far host reassembles.

use core::net::IpAddr;

use crate::ip::{IPV4_HEADER_LEN, IpError, IpHeader, write_v4_checksum};
use crate::outer::DontFragment;
use crate::overhead::Overhead;

/// The least MTU of an IPv6 link (RFC 8200 §5).
const IPV6_MIN_MTU: usize = 1280;

/// What to do with a packet before it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The packet fits as it is: seal it.
    Fits,
    /// Fragment it to this MTU first ([`Fragments`]), then seal each fragment.
    FragmentFirst {
        /// The longest inner packet that fits.
        mtu: usize,
    },
    /// Drop it and tell its source this MTU ([`write_too_big`](crate::write_too_big)).
    TooBig {
        /// The longest inner packet that fits.
        mtu: usize,
    },
    /// Seal it and let the sealed packet be fragmented, by the sender's stack or on the way.
    FragmentAfter,
}

/// Decides how a packet crosses a path of `path_mtu` octets.
///
/// Tunnel mode: an IPv4 packet without DF is fragmented first; with DF its source is told, unless
/// the policy clears DF on the outer header, which asks the network to fragment. IPv6 has no DF:
/// its source is always told, but never less than 1280 (RFC 8200 §5). Transport mode protects
/// whole datagrams (RFC 4303 §3.3.4), so nothing is fragmented first.
#[must_use]
pub fn look_ahead(
    header: &IpHeader,
    overhead: &Overhead,
    path_mtu: usize,
    tunnel: bool,
    df: DontFragment,
) -> Fit {
    if overhead.sealed_len(header.total_len) <= path_mtu {
        return Fit::Fits;
    }
    let mtu = overhead.max_inner(path_mtu);
    match header.source {
        IpAddr::V6(_) if header.total_len <= IPV6_MIN_MTU => Fit::FragmentAfter,
        IpAddr::V6(_) => Fit::TooBig {
            mtu: mtu.max(IPV6_MIN_MTU),
        },
        IpAddr::V4(_) if df == DontFragment::Clear && header.dont_fragment => Fit::FragmentAfter,
        IpAddr::V4(_) if header.dont_fragment => Fit::TooBig { mtu },
        IpAddr::V4(_) if tunnel => Fit::FragmentFirst { mtu },
        IpAddr::V4(_) => Fit::FragmentAfter,
    }
}

/// Why a packet was not fragmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// The packet is not sound IP.
    #[error(transparent)]
    Ip(#[from] IpError),
    /// IPv6 packets are fragmented by their source alone.
    #[error("IPv6 packets are not fragmented on the way")]
    Ipv6,
    /// Don't Fragment is set: the source has to send less.
    #[error("don't fragment is set")]
    DontFragment,
    /// The MTU does not hold the header and eight octets.
    #[error("MTU {0} is too small")]
    Mtu(usize),
    /// The buffer is shorter than the fragment.
    #[error("buffer of {available} octets, {needed} needed")]
    Buffer {
        /// Octets that the fragment takes.
        needed: usize,
        /// Octets that the buffer has.
        available: usize,
    },
}

/// Cuts an IPv4 packet into fragments, one call each, into the caller's buffers.
///
/// Options without the copied flag go with the first fragment only (RFC 791 §3.1); a packet that
/// is a fragment itself is cut further.
#[derive(Debug)]
pub struct Fragments<'p> {
    header: &'p [u8],
    payload: &'p [u8],
    mtu: usize,
    /// Octets of payload that were given out.
    done: usize,
    /// Flags and offset of the packet itself.
    field: u16,
}

impl<'p> Fragments<'p> {
    /// Prepares to cut `packet` to `mtu`.
    ///
    /// # Errors
    /// [`FragmentError`]: above all an IPv6 packet, or one with Don't Fragment set.
    pub fn new(packet: &'p [u8], mtu: usize) -> Result<Self, FragmentError> {
        let parsed = IpHeader::parse(packet)?;
        if parsed.source.is_ipv6() {
            return Err(FragmentError::Ipv6);
        }
        if parsed.dont_fragment {
            return Err(FragmentError::DontFragment);
        }
        if mtu < parsed.upper_offset.saturating_add(8) {
            return Err(FragmentError::Mtu(mtu));
        }
        let header = packet.get(..parsed.upper_offset).unwrap_or_default();
        let payload = packet
            .get(parsed.upper_offset..parsed.total_len)
            .unwrap_or_default();
        let field = header.get(6..).and_then(|rest| rest.first_chunk::<2>());
        let field = field.map_or(0, |field| u16::from_be_bytes(*field));
        Ok(Self {
            header,
            payload,
            mtu,
            done: 0,
            field,
        })
    }

    /// Writes the next fragment to the front of `out` and returns its length; `None` after the
    /// last.
    ///
    /// # Errors
    /// [`FragmentError::Buffer`]; the same fragment is written by the next call.
    pub fn next_into(&mut self, out: &mut [u8]) -> Option<Result<usize, FragmentError>> {
        let rest = self.payload.get(self.done..)?;
        let first = self.done == 0;
        if rest.is_empty() && !first {
            return None;
        }
        let mut options = [0u8; 40];
        let options_len = if first {
            0
        } else {
            self.copied_options(&mut options)
        };
        let header_len = if first {
            self.header.len()
        } else {
            IPV4_HEADER_LEN.saturating_add(options_len)
        };
        let room = self.mtu.saturating_sub(header_len);
        // All but the last are multiples of eight octets.
        let len = if rest.len() <= room {
            rest.len()
        } else {
            room & !7
        };
        let last = len == rest.len();
        let total = header_len.saturating_add(len);
        let available = out.len();
        let Some(fragment) = out.get_mut(..total) else {
            return Some(Err(FragmentError::Buffer {
                needed: total,
                available,
            }));
        };
        let (header, body) = fragment.split_at_mut_checked(header_len)?;
        let options = options.get(..options_len).unwrap_or_default();
        let base = self.header.get(..IPV4_HEADER_LEN).unwrap_or_default();
        let source = if first { self.header } else { base };
        header
            .iter_mut()
            .zip(source.iter().chain(options))
            .for_each(|(to, from)| *to = *from);
        body.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let units = u16::try_from(self.done / 8).unwrap_or(u16::MAX);
        let offset = (self.field & 0x1fff).saturating_add(units) & 0x1fff;
        // The last piece of a fragment that had more to come keeps its More Fragments.
        let more = if last { self.field & 0x2000 } else { 0x2000 };
        let words = u8::try_from(header_len / 4).unwrap_or(15);
        if let Some(version) = header.first_mut() {
            *version = 0x40 | words;
        }
        let length = u16::try_from(total).unwrap_or(u16::MAX).to_be_bytes();
        let field = (offset | more).to_be_bytes();
        for (at, value) in [(2, length), (6, field)] {
            if let Some(octets) = header
                .get_mut(at..)
                .and_then(|rest| rest.first_chunk_mut::<2>())
            {
                *octets = value;
            }
        }
        write_v4_checksum(fragment, header_len);
        // An empty payload makes one fragment, then none.
        self.done = if rest.is_empty() {
            usize::MAX
        } else {
            self.done.saturating_add(len)
        };
        Some(Ok(total))
    }

    /// Collects the options with the copied flag, padded to words; returns their length.
    fn copied_options(&self, out: &mut [u8; 40]) -> usize {
        let mut options = self.header.get(IPV4_HEADER_LEN..).unwrap_or_default();
        let mut used = 0usize;
        while let Some((kind, behind)) = options.split_first() {
            let len = match *kind {
                0 => break,
                1 => 1,
                _ => behind.first().map_or(0, |len| usize::from(*len)),
            };
            let Some(option) = options.get(..len).filter(|option| !option.is_empty()) else {
                break;
            };
            if kind & 0x80 != 0 {
                let to = out.get_mut(used..).unwrap_or_default();
                to.iter_mut().zip(option).for_each(|(to, from)| *to = *from);
                used = used.saturating_add(len);
            }
            options = options.get(len..).unwrap_or_default();
        }
        // The rest of the array is zero: End of Option List.
        used.next_multiple_of(4).min(out.len())
    }
}

#[cfg(test)]
mod tests;
