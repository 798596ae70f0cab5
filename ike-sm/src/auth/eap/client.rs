//! The peer: our side of the initiator.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crypto_suite::{Provider, Secret};
use isakmp_wire::v2::{Eap, EapCode};
use rand_core::CryptoRng;

use super::mschapv2::{Algorithms, Challenges, Packet, failure_error, write};
use super::{Code, MAX_ROUNDS, message};
use crate::event::EapMessage;
use crate::model::{EapError, EapType};

/// An authentication under way.
#[derive(Debug)]
pub struct Client {
    algorithms: Algorithms,
    /// Our identity and user name.
    user: String,
    /// NtPasswordHash: the password itself is not needed.
    hash: Secret,
    rounds: u8,
    /// Another method that the server has offered.
    other: Option<EapType>,
    state: State,
}

enum State {
    /// The method has not begun.
    Waiting,
    Responded {
        challenges: Challenges,
        response: [u8; 24],
    },
    /// The server has shown that it knows the password.
    Done(Secret),
    /// We were refused; EAP-Failure is to come.
    Refused(EapError),
}

impl fmt::Debug for State {
    /// The name alone: who sees challenge and response can try passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("Waiting"),
            Self::Responded { .. } => f.write_str("Responded"),
            Self::Done(_) => f.write_str("Done"),
            Self::Refused(why) => f.debug_tuple("Refused").field(why).finish(),
        }
    }
}

/// What follows from a message.
#[derive(Debug)]
pub enum ClientStep {
    /// Send this response.
    Response(EapMessage),
    /// EAP-Success after the method: AUTH is made with the MSK.
    Success {
        /// Master session key, 64 octets.
        msk: Secret,
    },
}

impl Client {
    /// Waits for the server's first request. The password is UTF-8.
    ///
    /// # Errors
    /// [`EapError::Crypto`] when the provider lacks the method; [`EapError::Malformed`] for a
    /// password that is no UTF-8.
    pub fn new(
        provider: &Provider,
        user: impl Into<String>,
        password: &Secret,
    ) -> Result<Self, EapError> {
        let algorithms = Algorithms::of(provider)?;
        let text = core::str::from_utf8(password.expose()).map_err(|_| EapError::Malformed)?;
        Ok(Self {
            algorithms,
            user: user.into(),
            hash: algorithms.password_hash(text),
            rounds: 0,
            other: None,
            state: State::Waiting,
        })
    }

    /// Handles a message of the server.
    ///
    /// # Errors
    /// Any [`EapError`]: the authentication has failed, nothing is sent.
    pub fn handle(
        &mut self,
        eap: &Eap<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<ClientStep, EapError> {
        match (eap.code, &self.state) {
            (EapCode::Success, State::Done(msk)) => {
                return Ok(ClientStep::Success { msk: msk.clone() });
            }
            (EapCode::Success, _) => return Err(EapError::PrematureSuccess),
            (EapCode::Failure, State::Refused(why)) => return Err(*why),
            (EapCode::Failure, State::Waiting) => {
                // RFC 3748 §5.3.1: it has nothing else, or does not want ours.
                return Err(self.other.map_or(EapError::Failure, EapError::NoMethod));
            }
            (EapCode::Failure, _) => return Err(EapError::Failure),
            (EapCode::Response, _) => return Err(EapError::Unexpected),
            (EapCode::Request, _) => {}
        }
        if self.rounds >= MAX_ROUNDS {
            return Err(EapError::TooManyRounds);
        }
        self.rounds = self.rounds.saturating_add(1);
        let identifier = eap.identifier;
        let respond = |eap_type, data: &[u8]| {
            let response = message(Code::Response, identifier, Some((eap_type, data)));
            Ok(ClientStep::Response(response.into()))
        };
        match EapType(eap.eap_type.unwrap_or(0)) {
            EapType::IDENTITY if matches!(self.state, State::Waiting) => {
                respond(EapType::IDENTITY, self.user.as_bytes())
            }
            // RFC 3748 §5.2: a notification is always answered, with nothing.
            EapType::NOTIFICATION => respond(EapType::NOTIFICATION, &[]),
            EapType::MSCHAPV2 => {
                let data = self.method(eap.data, rng)?;
                respond(EapType::MSCHAPV2, &data)
            }
            EapType::NAK | EapType::IDENTITY => Err(EapError::Unexpected),
            // RFC 3748 §5.3.1: another method before ours has begun gets a Nak with ours.
            other if matches!(self.state, State::Waiting) => {
                self.other = Some(other);
                respond(EapType::NAK, &[EapType::MSCHAPV2.0])
            }
            other => Err(EapError::NoMethod(other)),
        }
    }

    fn method(&mut self, data: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, EapError> {
        match (Packet::parse(data)?, &self.state) {
            (Packet::Challenge { id, challenge }, State::Waiting) => {
                let mut client = [0; 16];
                rng.fill_bytes(&mut client);
                let challenges = Challenges {
                    server: challenge,
                    client,
                    name: self.user.clone(),
                };
                let response = self.algorithms.nt_response(&self.hash, &challenges);
                let data = write::response(id, &challenges, &response);
                self.state = State::Responded {
                    challenges,
                    response,
                };
                Ok(data)
            }
            (
                Packet::Success { message, .. },
                State::Responded {
                    challenges,
                    response,
                },
            ) => {
                // RFC 2759 §5: the session MUST end when the authenticator response is missing or
                // incorrect.
                let received = message.get(..42).ok_or(EapError::WrongServer)?;
                if !self
                    .algorithms
                    .check_authenticator(&self.hash, response, challenges, received)
                {
                    return Err(EapError::WrongServer);
                }
                self.state = State::Done(self.algorithms.msk(&self.hash, response));
                Ok(write::SUCCESS_ACKNOWLEDGED.into())
            }
            // The password is configured: another try would be the same again.
            (Packet::Failure { message, .. }, State::Responded { .. }) => {
                self.state = State::Refused(EapError::Refused(failure_error(message)));
                Ok(write::FAILURE_ACKNOWLEDGED.into())
            }
            _ => Err(EapError::Unexpected),
        }
    }
}
