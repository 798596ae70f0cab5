//! Type data of EAP-MSCHAPv2: OpCode, MS-CHAPv2-ID, MS-Length (2), and by OpCode a value with its
//! size and a name, or a message. What a client answers to success and failure is the OpCode alone.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{EapError, MAX_NAME};

const CHALLENGE: u8 = 1;
const RESPONSE: u8 = 2;
const SUCCESS: u8 = 3;
const FAILURE: u8 = 4;

/// Longest message of success and failure that is looked at.
const MAX_MESSAGE: usize = 512;

#[cfg_attr(test, derive(PartialEq, Eq))]
pub(in crate::auth::eap) enum Packet<'a> {
    Challenge {
        id: u8,
        challenge: [u8; 16],
    },
    Response {
        id: u8,
        client: [u8; 16],
        response: [u8; 24],
        name: String,
    },
    /// From the server: `S=<auth_string> M=<message>`.
    Success {
        message: &'a [u8],
    },
    /// From the server: `E=… R=… C=… V=… M=…`.
    Failure {
        message: &'a [u8],
    },
    /// From the client.
    SuccessAcknowledged,
    /// From the client.
    FailureAcknowledged,
}

impl fmt::Debug for Packet<'_> {
    /// The kind alone: who sees challenge and response can try passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Challenge { .. } => "Challenge",
            Self::Response { .. } => "Response",
            Self::Success { .. } => "Success",
            Self::Failure { .. } => "Failure",
            Self::SuccessAcknowledged => "SuccessAcknowledged",
            Self::FailureAcknowledged => "FailureAcknowledged",
        })
    }
}

impl<'a> Packet<'a> {
    pub(in crate::auth::eap) fn parse(data: &'a [u8]) -> Result<Self, EapError> {
        let (&[op, id, high, low], body) = match data {
            [SUCCESS] => return Ok(Self::SuccessAcknowledged),
            [FAILURE] => return Ok(Self::FailureAcknowledged),
            _ => data.split_first_chunk::<4>().ok_or(EapError::Malformed)?,
        };
        if usize::from(u16::from_be_bytes([high, low])) != data.len() {
            return Err(EapError::Malformed);
        }
        Ok(match op {
            // The server's name says nothing that is proven: it is not looked at.
            CHALLENGE => Self::Challenge {
                id,
                challenge: *value::<16>(body)?.0,
            },
            RESPONSE => {
                let (value, name) = value::<49>(body)?;
                // RFC 2759 §4: peer challenge, 8 reserved octets, NT response, flags.
                let (client, rest) = value.split_first_chunk().ok_or(EapError::Malformed)?;
                let response = rest.get(8..).and_then(|rest| rest.first_chunk());
                let name = core::str::from_utf8(name).map_err(|_| EapError::Malformed)?;
                if name.len() > MAX_NAME || name.chars().any(char::is_control) {
                    return Err(EapError::Malformed);
                }
                Self::Response {
                    id,
                    client: *client,
                    response: *response.ok_or(EapError::Malformed)?,
                    name: name.into(),
                }
            }
            SUCCESS if body.len() <= MAX_MESSAGE => Self::Success { message: body },
            FAILURE if body.len() <= MAX_MESSAGE => Self::Failure { message: body },
            _ => return Err(EapError::Malformed),
        })
    }
}

/// A value of `N` octets behind its size, and the name that follows.
fn value<const N: usize>(body: &[u8]) -> Result<(&[u8; N], &[u8]), EapError> {
    let (size, body) = body.split_first().ok_or(EapError::Malformed)?;
    if usize::from(*size) != N {
        return Err(EapError::Malformed);
    }
    body.split_first_chunk().ok_or(EapError::Malformed)
}

/// The error code of a failure message (RFC 2759 §6): `E=` and decimal digits.
pub(in crate::auth::eap) fn failure_error(message: &[u8]) -> u32 {
    let text = core::str::from_utf8(message).unwrap_or("");
    let code = text.split(' ').find_map(|word| word.strip_prefix("E="));
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// Writes type data.
pub(in crate::auth::eap) mod write {
    use super::{CHALLENGE, FAILURE, RESPONSE, SUCCESS, Vec};
    use crate::auth::eap::mschapv2::Challenges;

    fn packet(op: u8, id: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        let length = u16::try_from(body.len().saturating_add(4)).unwrap_or(u16::MAX);
        let [high, low] = length.to_be_bytes();
        [&[op, id, high, low][..], &body].concat()
    }

    pub(in crate::auth::eap) fn challenge(id: u8, challenge: &[u8; 16], name: &str) -> Vec<u8> {
        packet(CHALLENGE, id, &[&[16], challenge, name.as_bytes()])
    }

    pub(in crate::auth::eap) fn response(
        id: u8,
        challenges: &Challenges,
        response: &[u8; 24],
    ) -> Vec<u8> {
        let name = challenges.name.as_bytes();
        packet(
            RESPONSE,
            id,
            &[&[49], &challenges.client, &[0; 8], response, &[0], name],
        )
    }

    pub(in crate::auth::eap) fn success(id: u8, authenticator: &[u8; 42]) -> Vec<u8> {
        packet(SUCCESS, id, &[authenticator, b" M=OK"])
    }

    /// RFC 2759 §6: authentication failure, with a challenge for the next try if there is one.
    pub(in crate::auth::eap) fn failure(id: u8, retry: bool, challenge: &[u8; 16]) -> Vec<u8> {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let nibbles = challenge.iter().flat_map(|b| [b >> 4, b & 15]);
        let digit = |n| DIGITS.get(usize::from(n)).copied().unwrap_or(b'0');
        let challenge: Vec<u8> = nibbles.map(digit).collect();
        let retry: &[u8] = if retry { b"1" } else { b"0" };
        packet(
            FAILURE,
            id,
            &[
                b"E=691 R=",
                retry,
                b" C=",
                &challenge,
                b" V=3 M=Authentication failed",
            ],
        )
    }

    pub(in crate::auth::eap) const SUCCESS_ACKNOWLEDGED: &[u8] = &[SUCCESS];
    pub(in crate::auth::eap) const FAILURE_ACKNOWLEDGED: &[u8] = &[FAILURE];
}
