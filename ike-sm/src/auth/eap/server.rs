//! The authenticator and its method: our side of the responder.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crypto_suite::{Provider, Secret};
use isakmp_wire::v2::{Eap, EapCode};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;

use super::mschapv2::{Algorithms, Challenges, Packet, write};
use super::{Code, MAX_IDENTITY, MAX_ROUNDS, message};
use crate::event::EapMessage;
use crate::model::{EapError, EapType};

/// An authentication under way.
#[derive(Debug)]
pub struct Server {
    algorithms: Algorithms,
    /// How we call ourselves in the challenge.
    name: String,
    /// Identifier of the request that is out.
    identifier: u8,
    rounds: u8,
    /// Further passwords that the client may try.
    retries: u8,
    state: State,
}

enum State {
    IdentityAsked,
    Challenged([u8; 16]),
    /// The password of this user is being looked up.
    Checking {
        challenges: Challenges,
        response: [u8; 24],
    },
    SuccessTold {
        user: String,
        msk: Secret,
    },
    FailureTold,
    Over,
}

impl fmt::Debug for State {
    /// The name alone: who sees challenge and response can try passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdentityAsked => "IdentityAsked",
            Self::Challenged(_) => "Challenged",
            Self::Checking { .. } => "Checking",
            Self::SuccessTold { .. } => "SuccessTold",
            Self::FailureTold => "FailureTold",
            Self::Over => "Over",
        })
    }
}

/// What follows from a message.
#[derive(Debug)]
pub enum ServerStep {
    /// Send this request.
    Request(EapMessage),
    /// Look up the password of this user, then call [`Server::password`].
    NeedPassword {
        /// The user name as the client sent it, perhaps with a domain before a backslash.
        user: String,
    },
    /// The client knows the password: send this EAP-Success; its AUTH must be made with the MSK.
    Success {
        /// EAP-Success.
        message: EapMessage,
        /// Whom the password belongs to.
        user: String,
        /// Master session key, 64 octets.
        msk: Secret,
    },
    /// It is over: send this EAP-Failure.
    Failure {
        /// EAP-Failure.
        message: EapMessage,
        /// Why, for our records.
        why: EapError,
    },
}

impl Server {
    /// Starts with a request for the identity, or with the challenge when `ask_identity` is not
    /// set.
    ///
    /// # Errors
    /// [`EapError::Crypto`] when the provider lacks the method.
    pub fn start(
        provider: &Provider,
        name: impl Into<String>,
        ask_identity: bool,
        retries: u8,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, EapMessage), EapError> {
        let mut first = [0; 1];
        rng.fill_bytes(&mut first);
        let [identifier] = first;
        let mut server = Self {
            algorithms: Algorithms::of(provider)?,
            name: name.into(),
            identifier,
            rounds: 1,
            retries,
            state: State::IdentityAsked,
        };
        let request = if ask_identity {
            message(Code::Request, identifier, Some((EapType::IDENTITY, &[])))
        } else {
            server.challenge(rng)
        };
        Ok((server, request.into()))
    }

    /// Handles a message of the client.
    pub fn handle(&mut self, eap: &Eap<'_>, rng: &mut dyn CryptoRng) -> ServerStep {
        match self.react(eap, rng) {
            Ok(step) => step,
            Err(why) => self.fail(why),
        }
    }

    fn react(&mut self, eap: &Eap<'_>, rng: &mut dyn CryptoRng) -> Result<ServerStep, EapError> {
        if eap.code != EapCode::Response || eap.identifier != self.identifier {
            return Err(EapError::Unexpected);
        }
        if self.rounds >= MAX_ROUNDS {
            return Err(EapError::TooManyRounds);
        }
        self.rounds = self.rounds.saturating_add(1);
        let eap_type = EapType(eap.eap_type.unwrap_or(0));
        if eap_type == EapType::NAK {
            let wanted = eap.data.first().copied().unwrap_or(0);
            return Err(EapError::Nak(EapType(wanted)));
        }
        if let State::IdentityAsked = self.state {
            if eap_type != EapType::IDENTITY {
                return Err(EapError::Unexpected);
            }
            if eap.data.len() > MAX_IDENTITY {
                return Err(EapError::Malformed);
            }
            // What it says is not proven; the name beside the response will be.
            self.identifier = self.identifier.wrapping_add(1);
            return Ok(ServerStep::Request(self.challenge(rng).into()));
        }
        if eap_type != EapType::MSCHAPV2 {
            return Err(EapError::Unexpected);
        }
        let packet = Packet::parse(eap.data)?;
        match (core::mem::replace(&mut self.state, State::Over), packet) {
            (
                State::Challenged(server),
                Packet::Response {
                    id,
                    client,
                    response,
                    name,
                },
            ) if id == self.identifier => {
                let user = name.clone();
                let challenges = Challenges {
                    server,
                    client,
                    name,
                };
                self.state = State::Checking {
                    challenges,
                    response,
                };
                Ok(ServerStep::NeedPassword { user })
            }
            (State::SuccessTold { user, msk }, Packet::SuccessAcknowledged) => {
                let message = message(Code::Success, self.identifier, None).into();
                Ok(ServerStep::Success { message, user, msk })
            }
            (State::FailureTold, _) => Err(EapError::WrongPassword),
            (State::Challenged(_), Packet::FailureAcknowledged) => Err(EapError::WrongPassword),
            _ => Err(EapError::Unexpected),
        }
    }

    /// The password that was asked for, in UTF-8; `None` for a user that there is not.
    pub fn password(&mut self, password: Option<&Secret>, rng: &mut dyn CryptoRng) -> ServerStep {
        let State::Checking {
            challenges,
            response,
        } = core::mem::replace(&mut self.state, State::Over)
        else {
            return self.fail(EapError::Unexpected);
        };
        let known = password.and_then(|p| core::str::from_utf8(p.expose()).ok());
        // An unknown user costs the same time as a wrong password.
        let hash = self
            .algorithms
            .password_hash(known.unwrap_or("no such user"));
        let expected = self.algorithms.nt_response(&hash, &challenges);
        let right: bool = expected.ct_eq(&response).into();
        self.identifier = self.identifier.wrapping_add(1);
        let data = if right && known.is_some() {
            let authenticator =
                self.algorithms
                    .authenticator_response(&hash, &response, &challenges);
            self.state = State::SuccessTold {
                msk: self.algorithms.msk(&hash, &response),
                user: challenges.name,
            };
            write::success(self.identifier, &authenticator)
        } else {
            let mut next = [0; 16];
            rng.fill_bytes(&mut next);
            let retry = self.retries > 0;
            self.retries = self.retries.saturating_sub(1);
            let data = write::failure(self.identifier, retry, &next);
            if retry {
                // RFC 2759 §9.1.4: the response to the new challenge has the next identifier.
                self.state = State::Challenged(next);
            } else {
                self.state = State::FailureTold;
            }
            data
        };
        let body = Some((EapType::MSCHAPV2, &data[..]));
        ServerStep::Request(message(Code::Request, self.identifier, body).into())
    }

    /// Whether the password that was looked up last was not the client's.
    #[must_use]
    pub const fn refuses(&self) -> bool {
        matches!(self.state, State::Challenged(_) | State::FailureTold)
    }

    /// Ends it without a look at what the client has sent: EAP-Failure.
    pub fn give_up(&mut self) -> EapMessage {
        self.state = State::Over;
        super::failure(self.identifier).into()
    }

    fn challenge(&mut self, rng: &mut dyn CryptoRng) -> Vec<u8> {
        let mut challenge = [0; 16];
        rng.fill_bytes(&mut challenge);
        self.state = State::Challenged(challenge);
        let data = write::challenge(self.identifier, &challenge, &self.name);
        let body = Some((EapType::MSCHAPV2, &data[..]));
        message(Code::Request, self.identifier, body)
    }

    fn fail(&mut self, why: EapError) -> ServerStep {
        self.state = State::Over;
        ServerStep::Failure {
            message: super::failure(self.identifier).into(),
            why,
        }
    }
}
