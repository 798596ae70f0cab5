//! The initiator's side.
//!
//! `HDR, SK {IDi, [CERT,] [CERTREQ,] [IDr,] AUTH, …} -->`, or without AUTH when it wants EAP.

use alloc::vec::Vec;

use crypto_suite::Secret;
use isakmp_wire::v2::{AuthMethod, NotifyType, PpkIdType};

use super::evidence::{
    Auth, Evidence, Signing, check, mic, shared_key, shown, signature_job, vouched,
};
use super::identity::{Claimed, body_of, claimed, expected, own_body};
use super::payloads::{Outgoing, Received};
use super::{Env, Failure, Proven, Step};
use crate::auth::certificates::Shown;
use crate::auth::eap::{Client, ClientStep};
use crate::config::v2::{LocalAuth, RemoteAuth};
use crate::event::{Answer, AuthRecord, Question};
use crate::model::{AuthFault, RemoteIdentity};
use crate::v2::keys::Sender;

const US: Sender = Sender::Initiator;
const PEER: Sender = Sender::Responder;

/// An authentication of ours under way.
#[derive(Debug)]
pub(crate) struct Initiator {
    id_body: Vec<u8>,
    asked: Option<Asked>,
    stage: Stage,
    ppk: Option<Secret>,
    shared_key: Option<Secret>,
    client: Option<Client>,
    signing: Option<Signing>,
    /// Our AUTH data, with the PPK where there is one.
    auth: Option<Vec<u8>>,
    /// Our AUTH data without it (NO_PPK_AUTH).
    no_ppk_auth: Option<Vec<u8>>,
    peer: Option<Claimed>,
}

/// The question that is open.
#[derive(Debug)]
enum Asked {
    Ppk,
    SharedKey,
    Password,
    Signature,
    NoPpkSignature,
    Certificate {
        shown: Shown,
        auth: Auth,
        next: Option<ClientStep>,
    },
}

#[derive(Debug)]
enum Stage {
    /// Secrets and signatures for the first request are gathered.
    Preparing,
    FirstSent,
    Eap,
    /// AUTH with the MSK is out.
    LastSent(Secret),
}

impl Initiator {
    /// Begins: gathers what the first request needs.
    pub(crate) fn start(env: &mut Env<'_>) -> Result<(Self, Step), Failure> {
        let mut this = Self {
            id_body: own_body(env),
            asked: None,
            stage: Stage::Preparing,
            ppk: None,
            shared_key: None,
            client: None,
            signing: None,
            auth: None,
            no_ppk_auth: None,
            peer: None,
        };
        // RFC 8784 §3: the initiator MUST abort when a mandatory PPK is not supported there.
        if !env.use_ppk && ppk_required(env) {
            return Err(AuthFault::NoPpk.into());
        }
        let step = this.prepare(env)?;
        Ok((this, step))
    }

    /// Takes the answer to the question of the last step.
    pub(crate) fn answer(&mut self, env: &mut Env<'_>, answer: Answer) -> Result<Step, Failure> {
        let asked = self.asked.take().ok_or(AuthFault::WrongAnswer)?;
        match (asked, answer) {
            (Asked::Ppk, Answer::Ppk(ppk)) => {
                // Both sides have agreed on one: the responder would refuse a request without.
                self.ppk = Some(ppk.ok_or(AuthFault::NoPpk)?);
            }
            (Asked::SharedKey, Answer::Psk(key)) => {
                self.shared_key = Some(key.ok_or(AuthFault::NoPsk)?);
            }
            (Asked::Password, Answer::EapPassword(password)) => {
                let password = password.ok_or(AuthFault::NoPsk)?;
                let LocalAuth::Eap { user, .. } = &env.peer.auth.local else {
                    return Err(AuthFault::Config.into());
                };
                let password = &password.password;
                self.client = Some(Client::new(env.provider, user.clone(), password)?);
            }
            (Asked::Signature, Answer::Signature(signature)) => {
                self.auth = Some(self.signed(signature)?);
            }
            (Asked::NoPpkSignature, Answer::Signature(signature)) => {
                self.no_ppk_auth = Some(self.signed(signature)?);
            }
            (Asked::Certificate { shown, auth, next }, Answer::PublicKey(answer)) => {
                let key = vouched(env, &shown, answer)?;
                return self.judge(env, &auth, &Evidence::PublicKey(&key), next);
            }
            (Asked::Certificate { shown, auth, next }, Answer::Verified(answer)) => {
                let done = vouched(env, &shown, answer)?;
                return self.judge(env, &auth, &Evidence::Verified(&done), next);
            }
            _ => return Err(AuthFault::WrongAnswer.into()),
        }
        self.prepare(env)
    }

    /// Takes a response.
    pub(crate) fn receive(
        &mut self,
        env: &mut Env<'_>,
        received: &Received<'_>,
    ) -> Result<Step, Failure> {
        match &self.stage {
            Stage::Preparing => Err(AuthFault::Unexpected("a response").into()),
            Stage::FirstSent => self.first_response(env, received),
            Stage::Eap => {
                let next = self.eap(env, received)?;
                self.go_on(env, next)
            }
            Stage::LastSent(msk) => {
                let msk = msk.clone();
                self.settle_ppk(env, received)?;
                let auth = received.authentication.ok_or(AuthFault::Missing("AUTH"))?;
                let peer = self.peer.clone().ok_or(AuthFault::Config)?;
                let evidence = Evidence::Secret(&msk);
                check(env, PEER, &peer, &auth.into(), &evidence, self.ppk.as_ref())?;
                self.done()
            }
        }
    }

    fn prepare(&mut self, env: &mut Env<'_>) -> Result<Step, Failure> {
        let auth = &env.peer.auth;
        if env.use_ppk && self.ppk.is_none() {
            let ppk = auth.ppk.as_ref().ok_or(AuthFault::Config)?;
            let (peer, id) = (env.peer.name.clone(), ppk.id.clone());
            return Ok(self.ask(Asked::Ppk, Question::Ppk { peer, id }));
        }
        let shared = matches!(auth.local, LocalAuth::Psk) || matches!(auth.remote, RemoteAuth::Psk);
        if shared && self.shared_key.is_none() {
            let peer = expected(env);
            match shared_key(env, peer) {
                Ok(key) => self.shared_key = Some(key),
                Err(question) => return Ok(self.ask(Asked::SharedKey, *question)),
            }
        }
        let second = self.ppk.is_some() && !ppk_required(env);
        match &auth.local {
            LocalAuth::Eap { user, .. } if self.client.is_none() => {
                let question = Question::EapPassword {
                    peer: env.peer.name.clone(),
                    user: user.clone(),
                    ours: true,
                };
                return Ok(self.ask(Asked::Password, question));
            }
            LocalAuth::Eap { .. } => {}
            LocalAuth::Psk => {
                let method = AuthMethod::SHARED_KEY;
                env.note(AuthRecord::Ours {
                    method,
                    scheme: None,
                });
                let key = self.shared_key.as_ref().ok_or(AuthFault::NoPsk)?;
                self.auth = Some(mic(env, US, &self.id_body, key, self.ppk.as_ref())?);
                if second {
                    self.no_ppk_auth = Some(mic(env, US, &self.id_body, key, None)?);
                }
            }
            LocalAuth::Signature(credential) => {
                let signing = match self.signing {
                    Some(signing) => signing,
                    None => Signing::choose(env, credential)?,
                };
                self.signing = Some(signing);
                let (id, ppk) = (&self.id_body, self.ppk.as_ref());
                if self.auth.is_none() {
                    let question = signing.question(env, US, id, ppk)?;
                    return Ok(self.ask(Asked::Signature, question));
                }
                if second && self.no_ppk_auth.is_none() {
                    let question = signing.question(env, US, id, None)?;
                    return Ok(self.ask(Asked::NoPpkSignature, question));
                }
            }
        }
        self.stage = Stage::FirstSent;
        Ok(Step::Send(self.first_request(env)))
    }

    fn ask(&mut self, asked: Asked, question: Question) -> Step {
        self.asked = Some(asked);
        Step::Ask(question)
    }

    fn signed(&self, signature: Option<Vec<u8>>) -> Result<Vec<u8>, AuthFault> {
        let signature = signature.ok_or(AuthFault::NoSignature)?;
        let signing = self.signing.ok_or(AuthFault::WrongAnswer)?;
        signing.data(&signature)
    }

    fn first_request(&mut self, env: &Env<'_>) -> Outgoing {
        let mut out = Outgoing::default();
        out.id_initiator(&self.id_body);
        if let LocalAuth::Signature(credential) = &env.peer.auth.local {
            out.credential(credential, env.asked);
        }
        out.certificate_request(&env.peer.auth.remote);
        if let RemoteIdentity::Is(identity) = &env.peer.remote_id {
            out.id_responder(&body_of(identity));
        }
        let method = self.signing.map_or(AuthMethod::SHARED_KEY, |s| s.method);
        if let Some(data) = self.auth.take() {
            out.authentication(method, data);
            self.announce_ppk(env, &mut out);
        }
        if let LocalAuth::Eap { eap_only: true, .. } = env.peer.auth.local {
            out.notify(NotifyType::EAP_ONLY_AUTHENTICATION, Vec::new());
        }
        out
    }

    /// N(PPK_IDENTITY) and N(NO_PPK_AUTH), beside AUTH (RFC 8784 §3).
    fn announce_ppk(&mut self, env: &Env<'_>, out: &mut Outgoing) {
        let Some(ppk) = env.peer.auth.ppk.as_ref().filter(|_| self.ppk.is_some()) else {
            return;
        };
        let id = [&[PpkIdType::FIXED.0][..], &ppk.id].concat();
        out.notify(NotifyType::PPK_IDENTITY, id);
        if let Some(data) = self.no_ppk_auth.take() {
            out.notify(NotifyType::NO_PPK_AUTH, data);
        }
    }

    /// `<-- HDR, SK {IDr, [CERT,] AUTH, …}`, with EAP when there was no AUTH of ours.
    fn first_response(
        &mut self,
        env: &mut Env<'_>,
        received: &Received<'_>,
    ) -> Result<Step, Failure> {
        let peer = claimed(env, received)?;
        self.peer = Some(peer.clone());
        let (next, eap_only) = match &env.peer.auth.local {
            // What the EAP client says now goes out once the responder is proven.
            // RFC 5685 §6: the responder proves itself and wants no proof of us.
            LocalAuth::Eap { .. } if received.notify(NotifyType::REDIRECT).is_some() => {
                self.ppk = None;
                (None, false)
            }
            LocalAuth::Eap { eap_only, .. } => (Some(self.eap(env, received)?), *eap_only),
            _ if received.eap.is_some() => return Err(AuthFault::Unexpected("EAP").into()),
            _ => {
                self.settle_ppk(env, received)?;
                (None, false)
            }
        };
        match (received.authentication, next) {
            (Some(auth), next) => self.examine(env, received, &peer, auth.into(), next),
            // RFC 5998 §3: the MSK alone will prove both sides.
            (None, Some(next)) if eap_only => self.go_on(env, next),
            (None, _) => Err(AuthFault::Missing("AUTH").into()),
        }
    }

    fn examine(
        &mut self,
        env: &mut Env<'_>,
        received: &Received<'_>,
        peer: &Claimed,
        auth: Auth,
        next: Option<ClientStep>,
    ) -> Result<Step, Failure> {
        match &env.peer.auth.remote {
            RemoteAuth::Psk => {
                let key = self.shared_key.clone().ok_or(AuthFault::NoPsk)?;
                self.judge(env, &auth, &Evidence::Secret(&key), next)
            }
            RemoteAuth::Signature { .. } => {
                let shown = shown(received.certificates)?;
                // RFC 8784 §3: before EAP the responder does not know the PPK yet.
                let ppk = self.ppk.as_ref().filter(|_| next.is_none());
                let job = signature_job(env, PEER, peer, &auth, ppk)?;
                let question = shown.vouch(env.peer, &peer.identity, job);
                Ok(self.ask(Asked::Certificate { shown, auth, next }, question))
            }
            RemoteAuth::Eap { .. } => Err(AuthFault::Config.into()),
        }
    }

    /// Checks the responder's first AUTH and goes on.
    fn judge(
        &mut self,
        env: &mut Env<'_>,
        auth: &Auth,
        evidence: &Evidence<'_>,
        next: Option<ClientStep>,
    ) -> Result<Step, Failure> {
        let peer = self.peer.clone().ok_or(AuthFault::Config)?;
        // RFC 8784 §3: before EAP the responder does not know the PPK yet.
        let ppk = self.ppk.as_ref().filter(|_| next.is_none());
        check(env, PEER, &peer, auth, evidence, ppk)?;
        match next {
            Some(next) => self.go_on(env, next),
            None => self.done(),
        }
    }

    fn eap(&mut self, env: &mut Env<'_>, received: &Received<'_>) -> Result<ClientStep, Failure> {
        let eap = received.eap.ok_or(AuthFault::Missing("EAP"))?;
        let client = self.client.as_mut().ok_or(AuthFault::Config)?;
        Ok(client.handle(&eap, env.rng)?)
    }

    fn go_on(&mut self, env: &mut Env<'_>, next: ClientStep) -> Result<Step, Failure> {
        match next {
            ClientStep::Response(message) => {
                self.stage = Stage::Eap;
                Ok(Step::Send(Outgoing::eap(message.0)))
            }
            ClientStep::Success { msk } => {
                env.note(AuthRecord::EapSucceeded);
                let mut out = Outgoing::default();
                let data = mic(env, US, &self.id_body, &msk, self.ppk.as_ref())?;
                out.authentication(AuthMethod::SHARED_KEY, data);
                if self.ppk.is_some() && !ppk_required(env) {
                    self.no_ppk_auth = Some(mic(env, US, &self.id_body, &msk, None)?);
                }
                self.announce_ppk(env, &mut out);
                self.stage = Stage::LastSent(msk);
                Ok(Step::Send(out))
            }
        }
    }

    /// Whether the responder uses the PPK.
    fn settle_ppk(&mut self, env: &mut Env<'_>, received: &Received<'_>) -> Result<(), AuthFault> {
        if self.ppk.is_none() {
            return Ok(());
        }
        let used = received.notify(NotifyType::PPK_IDENTITY).is_some();
        if !used {
            if ppk_required(env) {
                return Err(AuthFault::NoPpk);
            }
            self.ppk = None;
        }
        env.note(AuthRecord::Ppk { used });
        Ok(())
    }

    fn done(&mut self) -> Result<Step, Failure> {
        let peer = self.peer.take().ok_or(AuthFault::Config)?;
        let proven = Proven {
            identity: peer.identity,
            claimed: None,
            ppk: self.ppk.take(),
        };
        Ok(Step::Done(Outgoing::default(), proven))
    }
}

fn ppk_required(env: &Env<'_>) -> bool {
    env.peer.auth.ppk.as_ref().is_some_and(|ppk| ppk.required)
}
