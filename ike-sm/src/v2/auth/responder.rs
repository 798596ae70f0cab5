//! The responder's side.
//!
//! `<-- HDR, SK {IDr, [CERT,] AUTH, …}`, with EAP instead of the Child SA until the initiator is
//! proven.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crypto_suite::Secret;
use isakmp_wire::v2::{AuthMethod, NotifyType};

use super::evidence::{
    Auth, Evidence, Signing, check, mic, shared_key, shown, signature_job, vouched,
};
use super::identity::{Claimed, claimed, own_body};
use super::payloads::{Asked as CertificatesAsked, Outgoing, Received};
use super::{Env, Failure, Proven, Step};
use crate::auth::certificates::Shown;
use crate::auth::eap::{MAX_ROUNDS, Server, ServerStep};
use crate::auth::guesses::Admission;
use crate::config::v2::{EapMethod, LocalAuth, RemoteAuth};
use crate::event::{Answer, AuthRecord, EapAnswer, EapMessage, Question};
use crate::model::{AuthFault, EapError, Identity};
use crate::v2::keys::Sender;

const US: Sender = Sender::Responder;
const PEER: Sender = Sender::Initiator;

/// An authentication of a peer under way.
#[derive(Debug)]
pub(crate) struct Responder {
    id_body: Vec<u8>,
    peer: Claimed,
    stage: Stage,
    /// Whose password is being checked, in the spelling of the account.
    account: Option<String>,
    asked: Option<Asked>,
    /// AUTH of the message in hand, until it is checked.
    auth: Option<Auth>,
    ppk: PpkState,
    shown: Shown,
    shared_key: Option<Secret>,
    /// The certificates that the initiator asks for.
    certificates: CertificatesAsked,
    /// It takes EAP alone as our proof.
    eap_only: bool,
    signing: Option<Signing>,
    ours: Option<(AuthMethod, Vec<u8>)>,
}

/// The question that is open.
#[derive(Debug)]
enum Asked {
    Ppk,
    SharedKey,
    Certificate,
    Signature,
    Password(String),
    Eap,
}

#[derive(Debug)]
enum Stage {
    /// The first request is worked on.
    First,
    /// Our server has asked something.
    Local(Server),
    /// A server outside has, so many times.
    External(u8),
    /// EAP-Success is out; AUTH with the MSK is to come.
    Succeeded { msk: Secret, user: String },
}

/// What is known of the PPK (RFC 8784 §3).
#[derive(Debug)]
enum PpkState {
    /// The initiator has named none yet.
    Open,
    /// It is being looked up; what NO_PPK_AUTH said.
    Wanted {
        id: Vec<u8>,
        without: Option<Vec<u8>>,
    },
    Used(Secret),
    Unused,
}

impl PpkState {
    fn key(&self) -> Option<&Secret> {
        match self {
            Self::Used(key) => Some(key),
            _ => None,
        }
    }
}

impl Responder {
    /// Takes the first request.
    pub(crate) fn start(
        env: &mut Env<'_>,
        received: &Received<'_>,
    ) -> Result<(Self, Step), Failure> {
        let peer = claimed(env, received)?;
        let mut this = Self {
            id_body: own_body(env),
            peer,
            stage: Stage::First,
            account: None,
            asked: None,
            auth: received.authentication.map(Auth::from),
            ppk: PpkState::Open,
            shown: shown(received.certificates)?,
            shared_key: None,
            certificates: CertificatesAsked::read(received.certificate_requests),
            eap_only: received
                .notify(NotifyType::EAP_ONLY_AUTHENTICATION)
                .is_some(),
            signing: None,
            ours: None,
        };
        match (&env.peer.auth.remote, &this.auth) {
            (RemoteAuth::Eap { .. }, None) => {}
            (RemoteAuth::Eap { .. }, Some(_)) => return Err(AuthFault::Unexpected("AUTH").into()),
            (_, None) => return Err(AuthFault::Missing("AUTH").into()),
            (_, Some(_)) => this.read_ppk(env, received)?,
        }
        let step = this.first(env)?;
        Ok((this, step))
    }

    /// Takes the answer to the question of the last step.
    pub(crate) fn answer(&mut self, env: &mut Env<'_>, answer: Answer) -> Result<Step, Failure> {
        let asked = self.asked.take().ok_or(AuthFault::WrongAnswer)?;
        match (asked, answer) {
            (Asked::Ppk, Answer::Ppk(key)) => self.settle_ppk(env, key)?,
            (Asked::SharedKey, Answer::Psk(key)) => {
                self.shared_key = Some(key.ok_or(AuthFault::NoPsk)?);
            }
            (Asked::Certificate, Answer::PublicKey(answer)) => {
                let key = vouched(env, &self.shown, answer)?;
                self.check(env, &Evidence::PublicKey(&key))?;
            }
            (Asked::Certificate, Answer::Verified(answer)) => {
                let done = vouched(env, &self.shown, answer)?;
                self.check(env, &Evidence::Verified(&done))?;
            }
            (Asked::Signature, Answer::Signature(signature)) => {
                let signing = self.signing.ok_or(AuthFault::WrongAnswer)?;
                let signature = signature.ok_or(AuthFault::NoSignature)?;
                self.ours = Some((signing.method, signing.data(&signature)?));
            }
            (Asked::Password(user), Answer::EapPassword(account)) => {
                let Stage::Local(server) = &mut self.stage else {
                    return Err(AuthFault::WrongAnswer.into());
                };
                let password = account.as_ref().map(|account| &account.password);
                let step = server.password(password, env.rng);
                if matches!(step, ServerStep::Request(_)) && !server.refuses() {
                    let limits = &env.config.limits.guesses;
                    env.guesses.right(env.now, Some(&user), env.remote, limits);
                }
                let name = account.and_then(|account| account.user);
                self.account = name.or_else(|| Some(without_domain(&user).into()));
                if server.refuses() {
                    env.note(AuthRecord::WrongPassword { user });
                }
                return self.served(env, step);
            }
            (Asked::Eap, Answer::Eap(answer)) => return self.passed(env, answer),
            _ => return Err(AuthFault::WrongAnswer.into()),
        }
        match &self.stage {
            Stage::Succeeded { msk, .. } => {
                let msk = msk.clone();
                self.last(env, &msk)
            }
            _ => self.first(env),
        }
    }

    /// Takes a further request.
    pub(crate) fn receive(
        &mut self,
        env: &mut Env<'_>,
        received: &Received<'_>,
    ) -> Result<Step, Failure> {
        match &mut self.stage {
            Stage::First => Err(AuthFault::Unexpected("a request").into()),
            Stage::Local(server) => {
                let eap = received.eap.ok_or(AuthFault::Missing("EAP"))?;
                let step = server.handle(&eap, env.rng);
                self.served(env, step)
            }
            Stage::External(rounds) => {
                let eap = received.eap.ok_or(AuthFault::Missing("EAP"))?;
                if *rounds >= MAX_ROUNDS {
                    return Err(EapError::TooManyRounds.into());
                }
                *rounds = rounds.saturating_add(1);
                Ok(self.ask_server(env, Some(eap.message.to_vec())))
            }
            Stage::Succeeded { msk, .. } => {
                let msk = msk.clone();
                let auth = received.authentication.ok_or(AuthFault::Missing("AUTH"))?;
                self.auth = Some(auth.into());
                self.read_ppk(env, received)?;
                self.last(env, &msk)
            }
        }
    }

    /// Works on the first request as far as it goes without an answer.
    fn first(&mut self, env: &mut Env<'_>) -> Result<Step, Failure> {
        if let Some(question) = self.ppk_question(env) {
            return Ok(self.ask(Asked::Ppk, question));
        }
        let config = &env.peer.auth;
        let (remote_psk, local_psk) = (
            matches!(config.remote, RemoteAuth::Psk),
            matches!(config.local, LocalAuth::Psk),
        );
        if (remote_psk || local_psk) && self.shared_key.is_none() {
            match shared_key(env, Some(self.peer.identity.clone())) {
                Ok(key) => self.shared_key = Some(key),
                Err(question) => return Ok(self.ask(Asked::SharedKey, *question)),
            }
        }
        if let Some(auth) = &self.auth {
            if !remote_psk {
                let job = signature_job(env, PEER, &self.peer, auth, self.ppk.key())?;
                let question = self.shown.vouch(env.peer, &self.peer.identity, job);
                return Ok(self.ask(Asked::Certificate, question));
            }
            let key = self.shared_key.clone().ok_or(AuthFault::NoPsk)?;
            self.check(env, &Evidence::Secret(&key))?;
        }
        let skip = matches!(config.remote, RemoteAuth::Eap { eap_only: true, .. }) && self.eap_only;
        if self.ours.is_none()
            && !skip
            && let Some(question) = self.prove(env)?
        {
            return Ok(self.ask(Asked::Signature, question));
        }
        match &config.remote {
            RemoteAuth::Eap { method, .. } => self.begin_eap(env, *method),
            _ => {
                let out = self.first_response(env);
                Ok(self.done(out, None))
            }
        }
    }

    fn ask(&mut self, asked: Asked, question: Question) -> Step {
        self.asked = Some(asked);
        Step::Ask(question)
    }

    fn ask_at(&mut self, env: &Env<'_>, at: Duration, asked: Asked, question: Question) -> Step {
        match self.ask(asked, question) {
            Step::Ask(question) if at > env.now => Step::AskAt(at, question),
            step => step,
        }
    }

    /// Checks AUTH, which is then done with.
    fn check(&mut self, env: &mut Env<'_>, evidence: &Evidence<'_>) -> Result<(), AuthFault> {
        let auth = self.auth.take().ok_or(AuthFault::Missing("AUTH"))?;
        check(env, PEER, &self.peer, &auth, evidence, self.ppk.key())
    }

    /// Makes our AUTH, or asks for the signature in it.
    fn prove(&mut self, env: &mut Env<'_>) -> Result<Option<Question>, AuthFault> {
        match &env.peer.auth.local {
            LocalAuth::Psk => {
                let method = AuthMethod::SHARED_KEY;
                env.note(AuthRecord::Ours {
                    method,
                    scheme: None,
                });
                let key = self.shared_key.as_ref().ok_or(AuthFault::NoPsk)?;
                let data = mic(env, US, &self.id_body, key, self.ppk.key())?;
                self.ours = Some((method, data));
                Ok(None)
            }
            LocalAuth::Signature(credential) => {
                let signing = Signing::choose(env, credential)?;
                self.signing = Some(signing);
                let question = signing.question(env, US, &self.id_body, self.ppk.key())?;
                Ok(Some(question))
            }
            LocalAuth::Eap { .. } => Err(AuthFault::Config),
        }
    }

    /// IDr, [CERT,] [AUTH]
    fn first_response(&mut self, env: &Env<'_>) -> Outgoing {
        let mut out = Outgoing::default();
        out.id_responder(&self.id_body);
        if let (LocalAuth::Signature(credential), Some(_)) = (&env.peer.auth.local, &self.ours) {
            out.credential(credential, self.certificates);
        }
        if let Some((method, data)) = self.ours.take() {
            out.authentication(method, data);
        }
        if self.ppk.key().is_some() {
            out.notify(NotifyType::PPK_IDENTITY, Vec::new());
        }
        out
    }

    fn begin_eap(&mut self, env: &mut Env<'_>, method: EapMethod) -> Result<Step, Failure> {
        match method {
            EapMethod::MsChapV2 {
                ask_identity,
                retries,
            } => {
                let name = env
                    .peer
                    .local_id
                    .as_ref()
                    .map_or_else(String::new, |id| alloc::format!("{id}"));
                let (server, request) =
                    Server::start(env.provider, name, ask_identity, retries, env.rng)?;
                self.stage = Stage::Local(server);
                let mut out = self.first_response(env);
                out.and_eap(request.0);
                Ok(Step::Send(out))
            }
            EapMethod::External => {
                // Whose password is tried is the server's business, and how often.
                let limits = &env.config.limits.guesses;
                let admission = env.guesses.admit(env.now, None, env.remote, limits);
                let Admission::At(at) = admission else {
                    return Err(AuthFault::TooManyGuesses.into());
                };
                self.stage = Stage::External(0);
                Ok(match self.ask_server(env, None) {
                    Step::Ask(question) if at > env.now => Step::AskAt(at, question),
                    step => step,
                })
            }
        }
    }

    fn ask_server(&mut self, env: &Env<'_>, message: Option<Vec<u8>>) -> Step {
        let question = Question::Eap {
            peer: env.peer.name.clone(),
            identity: self.peer.identity.clone(),
            message: message.map(EapMessage),
        };
        self.ask(Asked::Eap, question)
    }

    /// What our own EAP server wants.
    fn served(&mut self, env: &mut Env<'_>, step: ServerStep) -> Result<Step, Failure> {
        match step {
            ServerStep::Request(message) => Ok(Step::Send(Outgoing::eap(message.0))),
            ServerStep::NeedPassword { user } => {
                let question = Question::EapPassword {
                    peer: env.peer.name.clone(),
                    user: user.clone(),
                    ours: false,
                };
                let limits = &env.config.limits.guesses;
                let admission = env.guesses.admit(env.now, Some(&user), env.remote, limits);
                match (admission, &mut self.stage) {
                    (Admission::Refused, Stage::Local(server)) => Err(Failure {
                        fault: AuthFault::TooManyGuesses,
                        eap: Some(server.give_up().0),
                    }),
                    (Admission::Refused, _) => Err(AuthFault::TooManyGuesses.into()),
                    (Admission::At(at), _) => {
                        let wait = at.saturating_sub(env.now);
                        if !wait.is_zero() {
                            let user = user.clone();
                            env.note(AuthRecord::PasswordWaits { user, wait });
                        }
                        Ok(self.ask_at(env, at, Asked::Password(user), question))
                    }
                }
            }
            ServerStep::Success { message, msk, .. } => {
                let user = self.account.take().ok_or(EapError::Unexpected)?;
                Ok(self.succeeded(env, message, user, msk))
            }
            ServerStep::Failure { message, why } => Err(Failure {
                fault: why.into(),
                eap: Some(message.0),
            }),
        }
    }

    /// What the EAP server outside says.
    fn passed(&mut self, env: &mut Env<'_>, answer: EapAnswer) -> Result<Step, Failure> {
        let (code, message) = match &answer {
            EapAnswer::Request(message) => (1, message),
            EapAnswer::Success { message, .. } => (3, message),
            EapAnswer::Failure(message) => (4, message),
        };
        let length = u16::try_from(message.0.len()).map_err(|_| EapError::Malformed)?;
        let [high, low] = length.to_be_bytes();
        // RFC 3748 §4: code, identifier, length.
        match message.0.first_chunk() {
            Some(&[c, _, h, l]) if [c, h, l] == [code, high, low] => {}
            _ => return Err(EapError::Malformed.into()),
        }
        match answer {
            EapAnswer::Request(message) => match self.stage {
                Stage::External(0) => {
                    let mut out = self.first_response(env);
                    out.and_eap(message.0);
                    Ok(Step::Send(out))
                }
                _ => Ok(Step::Send(Outgoing::eap(message.0))),
            },
            // RFC 7296 §2.16: a method without a key can be taken over in the middle.
            EapAnswer::Success { msk, .. } if msk.is_empty() => {
                Err(EapError::PrematureSuccess.into())
            }
            // Nothing was asked of the peer yet.
            EapAnswer::Success { .. } if matches!(self.stage, Stage::External(0)) => {
                Err(EapError::PrematureSuccess.into())
            }
            EapAnswer::Success { message, msk, user } => {
                let limits = &env.config.limits.guesses;
                env.guesses.right(env.now, None, env.remote, limits);
                Ok(self.succeeded(env, message, user, msk))
            }
            EapAnswer::Failure(message) => Err(Failure {
                fault: EapError::WrongPassword.into(),
                eap: Some(message.0),
            }),
        }
    }

    fn succeeded(
        &mut self,
        env: &mut Env<'_>,
        message: EapMessage,
        user: String,
        msk: Secret,
    ) -> Step {
        env.note(AuthRecord::Eap {
            user: user.clone(),
            claimed: self.peer.identity.clone(),
        });
        self.stage = Stage::Succeeded { msk, user };
        Step::Send(Outgoing::eap(message.0))
    }

    /// Works on the request with AUTH that follows EAP-Success.
    fn last(&mut self, env: &mut Env<'_>, msk: &Secret) -> Result<Step, Failure> {
        if let Some(question) = self.ppk_question(env) {
            return Ok(self.ask(Asked::Ppk, question));
        }
        self.check(env, &Evidence::Secret(msk))?;
        let data = mic(env, US, &self.id_body, msk, self.ppk.key())?;
        let mut out = Outgoing::default();
        out.authentication(AuthMethod::SHARED_KEY, data);
        if self.ppk.key().is_some() {
            out.notify(NotifyType::PPK_IDENTITY, Vec::new());
        }
        let user = match &mut self.stage {
            Stage::Succeeded { user, .. } => Some(core::mem::take(user)),
            _ => None,
        };
        Ok(self.done(out, user))
    }

    /// What a message with AUTH says of a PPK (RFC 8784 §3, table 1).
    fn read_ppk(&mut self, env: &Env<'_>, received: &Received<'_>) -> Result<(), AuthFault> {
        if !env.use_ppk {
            self.ppk = PpkState::Unused;
            return if required(env) {
                Err(AuthFault::NoPpk)
            } else {
                Ok(())
            };
        }
        let id = received
            .notify(NotifyType::PPK_IDENTITY)
            .ok_or(AuthFault::NoPpk)?;
        // The first octet is the type; what follows is opaque or fixed, and looked up alike.
        let (_, id) = id.split_first().ok_or(AuthFault::NoPpk)?;
        self.ppk = PpkState::Wanted {
            id: id.to_vec(),
            without: received.notify(NotifyType::NO_PPK_AUTH).map(<[u8]>::to_vec),
        };
        Ok(())
    }

    fn ppk_question(&self, env: &Env<'_>) -> Option<Question> {
        match &self.ppk {
            PpkState::Wanted { id, .. } => Some(Question::Ppk {
                peer: env.peer.name.clone(),
                id: id.clone(),
            }),
            _ => None,
        }
    }

    fn settle_ppk(&mut self, env: &mut Env<'_>, key: Option<Secret>) -> Result<(), AuthFault> {
        let PpkState::Wanted { without, .. } = &mut self.ppk else {
            return Err(AuthFault::WrongAnswer);
        };
        let without = without.take();
        env.note(AuthRecord::Ppk {
            used: key.is_some(),
        });
        match (key, without) {
            (Some(key), _) => self.ppk = PpkState::Used(key),
            (None, Some(data)) if !required(env) => {
                // The method is the one that AUTH names.
                if let Some(auth) = &mut self.auth {
                    auth.data = data;
                }
                self.ppk = PpkState::Unused;
            }
            (None, _) => return Err(AuthFault::NoPpk),
        }
        Ok(())
    }

    /// RFC 7296 §2.16: policy goes by the identity that EAP has authenticated, `user`, where there is
    /// one; IDi is no more than a claim then.
    fn done(&mut self, out: Outgoing, user: Option<String>) -> Step {
        let ppk = match core::mem::replace(&mut self.ppk, PpkState::Unused) {
            PpkState::Used(key) => Some(key),
            _ => None,
        };
        let shown = self.peer.identity.clone();
        let (identity, claimed) = match user {
            Some(user) => (Identity::User(user), Some(shown)),
            None => (shown, None),
        };
        let proven = Proven {
            identity,
            claimed,
            ppk,
        };
        Step::Done(out, proven)
    }
}

/// The name of a user without what stands before a backslash, which MS-CHAPv2 leaves out as well
/// (RFC 2759 §4).
fn without_domain(user: &str) -> &str {
    user.rsplit('\\').next().unwrap_or(user)
}

fn required(env: &Env<'_>) -> bool {
    env.peer.auth.ppk.as_ref().is_some_and(|ppk| ppk.required)
}
