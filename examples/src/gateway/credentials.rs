//! What proves identities: our keys, the authorities we trust, EAP users, post-quantum keys, address pools. Answers
//! the endpoint's questions about them.

use super::{
    certificates::{
        Authorities, Facts, Refusal, load_chain, load_key, load_public_key, public_key,
    },
    config::{self, Config, ConfigError, Proof, Scheme},
    glue,
    pool::Pool,
};
use crypto_suite::{HashId, Secret, SignatureId, WeakAlgorithm, WeakAlgorithms};
use getrandom::SysRng;
use ike_sm::config::Identity;
use ike_sm::config::v2::{
    AddressOptions, AddressRequest, Assign, AuthOptions, Credential, EapMethod, EapUsers,
    LocalAuth, Ppk, RemoteAuth, SendCertificate, Wanted,
};
use ike_sm::v2::proof::schemes_of_key;
use ike_sm::{Answer, EapPassword, IkeId, Question, UserGrant};
use rand_core::{CryptoRng, UnwrapErr};
use rustls_pki_types::{PrivateKeyDer, UnixTime};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};
use toml::Spanned;

/// Passwords that a user may try beyond the first.
const RETRIES: u8 = 2;

/// What the file names, loaded.
#[derive(Debug, Default)]
pub struct Credentials {
    peers: BTreeMap<String, OfPeer>,
    users: BTreeMap<String, User>,
    pools: Vec<Pool>,
    /// What works, and will surprise.
    warnings: Vec<ConfigError>,
}

/// A user of EAP.
#[derive(Debug)]
struct User {
    password: Secret,
    /// What it may have of each peer that it may be.
    grants: BTreeMap<String, UserGrant>,
}

#[derive(Debug, Default)]
struct OfPeer {
    chain: Vec<Vec<u8>>,
    /// Our public key, where it goes out as it is (RFC 7670).
    raw_key: Option<Vec<u8>>,
    schemes: Vec<SignatureId>,
    key: Option<Arc<PrivateKeyDer<'static>>>,
    trust: Trust,
    ppk: Option<(Vec<u8>, Secret)>,
    pool: Option<String>,
}

/// What a peer's key is known by. The threads that look at certificates share it.
#[derive(Debug, Clone, Default)]
struct Trust {
    /// The peer's public key, where it is known.
    peers_key: Option<Vec<u8>>,
    authorities: Arc<RwLock<Authorities>>,
}

impl Credentials {
    /// Loads what `config` names.
    ///
    /// # Errors
    /// A file cannot be read, or is not what it should be: where the file names it.
    pub fn load(config: &Config) -> Result<Self, ConfigError> {
        Self::load_at(config, UnixTime::now())
    }

    fn load_at(config: &Config, now: UnixTime) -> Result<Self, ConfigError> {
        let mut all = Self {
            pools: config.pool.iter().map(Pool::new).collect(),
            warnings: config.overlaps(),
            ..Self::default()
        };
        for user in &config.eap_user {
            let name = user.name.get_ref();
            if let Some(address) = &user.address {
                let owner = Identity::User(name.clone());
                let pools = all.pools.iter_mut();
                pools.for_each(|pool| pool.reserve(&owner, *address.get_ref()));
            }
            let peers = config.peer.iter().filter(|peer| user.may_be(peer));
            let grant = |peer: &config::Peer| {
                let tunnels = peer.tunnel.iter().filter(|t| user.may_have(t));
                let grant = UserGrant::children(tunnels.map(|t| t.name.get_ref().clone()));
                (peer.name.get_ref().clone(), grant)
            };
            let user = User {
                password: secret(&user.password),
                grants: peers.map(grant).collect(),
            };
            all.users.insert(name.clone(), user);
        }
        for peer in &config.peer {
            if let Some(auth) = &peer.auth {
                let mut loading = Loading {
                    config,
                    peer,
                    now,
                    own: OfPeer::default(),
                    trusted: Authorities::default(),
                    warnings: &mut all.warnings,
                };
                loading.load(auth)?;
                let Loading {
                    mut own, trusted, ..
                } = loading;
                own.trust.authorities = Arc::new(RwLock::new(trusted));
                all.peers.insert(peer.name.get_ref().clone(), own);
            }
        }
        Ok(all)
    }

    /// What works, and will surprise: certificates that have ended, chains that lead nowhere.
    #[must_use]
    pub fn warnings(&self) -> &[ConfigError] {
        &self.warnings
    }

    /// Tells the endpoint's configuration what the file says of its peers.
    pub fn configure(&self, config: &Config, ike: &mut ike_sm::config::Config) {
        // The file has no word for a signature over SHA-1, so nobody can have wished for one.
        ike.weak = WeakAlgorithm::ALL
            .iter()
            .filter(|weak| **weak != WeakAlgorithm::Sha1Signature && ike.weak.permits(**weak))
            .fold(WeakAlgorithms::NONE, |all, weak| all.with(*weak));
        for peer in &mut ike.peers {
            let written = config.peer.iter().find(|p| *p.name.get_ref() == peer.name);
            if let Some(written) = written {
                peer.auth = self.auth_options(written);
                peer.addresses_inside = Self::address_options(written);
            }
        }
    }

    /// How a peer is authenticated, for the endpoint.
    #[must_use]
    pub fn auth_options(&self, peer: &config::Peer) -> AuthOptions {
        let mut options = AuthOptions::default();
        let (Some(auth), Some(own)) = (&peer.auth, self.peers.get(peer.name.get_ref())) else {
            return options;
        };
        options.local = match auth.local.get_ref() {
            Proof::PreShare => LocalAuth::Psk,
            Proof::Signature | Proof::RawKey => LocalAuth::Signature(Credential {
                chain: own.chain.clone(),
                raw_key: own.raw_key.clone(),
                schemes: own.schemes.clone(),
                send: match auth.send_certificate {
                    config::SendCertificate::Never => SendCertificate::Never,
                    config::SendCertificate::IfAsked => SendCertificate::IfAsked,
                    config::SendCertificate::Always => SendCertificate::Always,
                },
            }),
            Proof::Eap => LocalAuth::Eap {
                user: auth.user.clone().unwrap_or_default(),
                eap_only: auth.eap_only,
            },
        };
        let trusted = own.trust.authorities();
        options.remote = match auth.remote.get_ref() {
            Proof::PreShare => RemoteAuth::Psk,
            proof @ (Proof::Signature | Proof::RawKey) => RemoteAuth::Signature {
                schemes: Vec::new(),
                authorities: trusted.key_hashes.clone(),
                authority_names: trusted.names.clone(),
                raw_key: *proof == Proof::RawKey,
            },
            Proof::Eap => RemoteAuth::Eap {
                method: EapMethod::MsChapV2 {
                    ask_identity: true,
                    retries: RETRIES,
                },
                eap_only: auth.eap_only,
            },
        };
        // Which user may be which peer is written there, and may be more than the peer's identity says.
        options.users = EapUsers::Asked;
        options.ppk = auth.ppk.as_ref().map(|ppk| Ppk {
            id: ppk.id.clone().into_bytes(),
            required: ppk.required,
        });
        options
    }

    /// Addresses inside the tunnel, for the endpoint.
    #[must_use]
    pub fn address_options(peer: &config::Peer) -> AddressOptions {
        let mut options = AddressOptions::default();
        let Some(auth) = &peer.auth else {
            return options;
        };
        if auth.request_address {
            let mut request = AddressRequest::default();
            request.ipv4 = Wanted::Any;
            request.split_dns = true;
            options.request = request;
        }
        if auth.pool.is_some() {
            options.assign = Assign::Required;
        }
        options
    }

    /// Answers a question; none where it is not about credentials.
    pub fn answer(&mut self, question: &Question, rng: &mut dyn CryptoRng) -> Option<Answer> {
        Some(match question {
            Question::Sign {
                peer,
                scheme,
                octets,
            } => Answer::Signature(self.sign(peer, *scheme, octets, rng)),
            Question::VerifyCertificate {
                peer,
                chain,
                raw_key,
                identity,
                ..
            } => Answer::PublicKey(match self.peers.get(peer) {
                Some(own) => own
                    .trust
                    .key_of(chain, raw_key.as_deref(), identity)
                    .map_err(|refusal| refusal.to_string()),
                None => Err("no authority is configured for this peer".into()),
            }),
            Question::EapPassword { user, .. } => {
                let name = user.rsplit('\\').next().unwrap_or(user);
                let known = self.users.get(name);
                Answer::EapPassword(known.map(|u| EapPassword::of(name, u.password.clone())))
            }
            Question::AuthorizeUser { peer, user, .. } => {
                let known = self.users.get(user);
                Answer::User(known.and_then(|u| u.grants.get(peer)).cloned())
            }
            Question::Ppk { peer, id } => {
                let known = self.peers.get(peer).and_then(|own| own.ppk.as_ref());
                let known = known.filter(|(own, _)| own == id);
                Answer::Ppk(known.map(|(_, key)| key.clone()))
            }
            Question::AssignAddress {
                ike,
                peer,
                identity,
                request,
            } => Answer::Addresses(
                self.pool_of(peer)
                    .and_then(|p| p.lease(ike.number(), identity, request)),
            ),
            _ => return None,
        })
    }

    fn pool_of(&mut self, peer: &str) -> Option<&mut Pool> {
        let name = self.peers.get(peer)?.pool.as_ref()?;
        self.pools.iter_mut().find(|pool| pool.name() == name)
    }

    fn sign(
        &self,
        peer: &str,
        scheme: SignatureId,
        octets: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Option<Vec<u8>> {
        let key = self.peers.get(peer)?.key.as_ref()?;
        sign(key, scheme, octets, rng)
    }

    /// What another thread may compute, and the answer if it does not; none where the question is for
    /// [`answer`](Self::answer).
    #[must_use]
    pub fn work(&self, question: &Question) -> Option<(Compute, Answer)> {
        Some(match question {
            Question::KeyExchange(job) => {
                let job = job.clone();
                let compute = move || Answer::KeyExchange(Some(job.run()));
                (Box::new(compute), Answer::KeyExchange(None))
            }
            Question::Sign {
                peer,
                scheme,
                octets,
            } => {
                let key = self.peers.get(peer)?.key.clone()?;
                let (scheme, octets) = (*scheme, octets.clone());
                let compute = move || {
                    let rng = &mut UnwrapErr(SysRng);
                    Answer::Signature(sign(&key, scheme, &octets, rng))
                };
                (Box::new(compute), Answer::Signature(None))
            }
            Question::VerifyCertificate {
                peer,
                chain,
                raw_key,
                identity,
                signature,
            } => {
                let trust = self.peers.get(peer)?.trust.clone();
                let (chain, raw_key) = (chain.clone(), raw_key.clone());
                let (identity, signature) = (identity.clone(), signature.clone());
                let compute = move || {
                    let verdict = trust.key_of(&chain, raw_key.as_deref(), &identity);
                    let verdict = verdict.map_err(|refusal| refusal.to_string());
                    Answer::Verified(verdict.map(|key| signature.verify(&key)))
                };
                let busy = "more certificates came than can be looked at".to_owned();
                (Box::new(compute), Answer::Verified(Err(busy)))
            }
            _ => return None,
        })
    }

    /// An IKE SA is up, perhaps in the place of another.
    pub fn established(&mut self, ike: IkeId, replaces: Option<IkeId>) {
        if let Some(old) = replaces {
            self.pools
                .iter_mut()
                .for_each(|pool| pool.replaced(old.number(), ike.number()));
        }
    }

    /// An IKE SA has ended.
    pub fn closed(&mut self, ike: IkeId) {
        self.pools
            .iter_mut()
            .for_each(|pool| pool.released(ike.number()));
    }

    /// The pools.
    #[must_use]
    pub fn pools(&self) -> &[Pool] {
        &self.pools
    }
}

/// Computes an answer on whatever thread.
pub type Compute = Box<dyn FnOnce() -> Answer + Send>;

fn sign(
    key: &PrivateKeyDer<'_>,
    scheme: SignatureId,
    octets: &[u8],
    rng: &mut dyn CryptoRng,
) -> Option<Vec<u8>> {
    let scheme = crypto_suite::DEFAULT.signature(scheme)?;
    let key = scheme.signing_key(key.secret_der()).ok()?;
    key.sign(rng, &[octets]).ok()
}

impl Trust {
    fn authorities(&self) -> RwLockReadGuard<'_, Authorities> {
        let authorities = self.authorities.read();
        authorities.unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that the peer must have, if what it shows is what it should be.
    fn key_of(
        &self,
        chain: &[Vec<u8>],
        raw_key: Option<&[u8]>,
        identity: &Identity,
    ) -> Result<Vec<u8>, Refusal> {
        match &self.peers_key {
            // The configuration vouches for it, and for whom it belongs to: the endpoint has compared the identity.
            Some(known) if raw_key.is_none_or(|shown| shown == known) => Ok(known.clone()),
            Some(_) => Err(Refusal::OtherKey),
            None => {
                let all = self.authorities.write();
                all.unwrap_or_else(PoisonError::into_inner).refresh();
                let now = UnixTime::now();
                self.authorities().verify(chain, identity, now)
            }
        }
    }
}

/// The files of one peer, being loaded.
struct Loading<'l> {
    config: &'l Config,
    peer: &'l config::Peer,
    now: UnixTime,
    own: OfPeer,
    trusted: Authorities,
    warnings: &'l mut Vec<ConfigError>,
}

impl Loading<'_> {
    fn fault<T>(&self, place: &Spanned<T>) -> impl Fn(String) -> ConfigError + use<'_, T> {
        let span = place.span();
        move |what| self.config.mistake(span.clone(), &what)
    }

    fn warn<T>(&mut self, place: &Spanned<T>, what: &str) {
        self.warnings.push(self.config.mistake(place.span(), what));
    }

    fn load(&mut self, auth: &config::Auth) -> Result<(), ConfigError> {
        let ppk = auth.ppk.as_ref();
        self.own.ppk = ppk.map(|p| (p.id.clone().into_bytes(), secret(&p.secret)));
        self.own.pool = auth.pool.as_ref().map(|name| name.get_ref().clone());
        self.trusted.unknown_status(auth.unknown_status);
        let purposes = &auth.key_purposes.0;
        self.trusted.accept_purposes(purposes);
        for path in &auth.authority.get_ref().0 {
            let odd = self.trusted.load(path, self.now);
            for odd in odd.map_err(self.fault(&auth.authority))? {
                self.warn(&auth.authority, &odd);
            }
        }
        for path in &auth.crl.get_ref().0 {
            let odd = self.trusted.load_crl(path, self.now);
            for odd in odd.map_err(self.fault(&auth.crl))? {
                self.warn(&auth.crl, &odd);
            }
        }
        if let Some(path) = &auth.public_key {
            let key = load_public_key(path.get_ref()).map_err(self.fault(path))?;
            if schemes_of_key(&key).is_empty() {
                let what = format!("{}: a key that is not known here", path.get_ref().display());
                return Err(self.fault(path)(what));
            }
            self.own.trust.peers_key = Some(key);
        }
        let Some(key) = &auth.private_key else {
            return Ok(());
        };
        match &auth.certificate {
            Some(certificate) => {
                let chain = load_chain(certificate.get_ref()).map_err(self.fault(certificate))?;
                let public = chain.first().map(|der| public_key(der));
                let public = public.unwrap_or(Err(Refusal::Nothing));
                let public = public.map_err(|e| {
                    self.fault(certificate)(format!("{}: {e}", certificate.get_ref().display()))
                })?;
                self.load_key(key, Some((certificate.get_ref(), public)), auth.scheme)?;
                self.own.chain = chain;
                self.look_at_chain(auth, certificate)
            }
            None => {
                let public = self.load_key(key, None, auth.scheme)?;
                self.own.raw_key = Some(public);
                Ok(())
            }
        }
    }

    /// Loads our private key; its public key.
    fn load_key(
        &mut self,
        path: &Spanned<PathBuf>,
        certificate: Option<(&Path, Vec<u8>)>,
        scheme: Option<Scheme>,
    ) -> Result<Vec<u8>, ConfigError> {
        let loaded = load_key(path.get_ref()).map_err(self.fault(path))?;
        let public = public_of(&loaded).ok_or_else(|| {
            self.fault(path)(format!(
                "{}: a key that is not known here: RSA of 2048 to 8192 bits, P-256, P-384, P-521 and Ed25519 are",
                path.get_ref().display()
            ))
        })?;
        if let Some((file, wanted)) = certificate
            && wanted != public
        {
            let (key, certificate) = (path.get_ref().display(), file.display());
            return Err(self.fault(path)(format!(
                "{key} is not the key of {certificate}"
            )));
        }
        let mut schemes = schemes_of_key(&public);
        if scheme == Some(Scheme::RsaPkcs1) {
            schemes.retain(|s| !matches!(s, SignatureId::RsaPss(_)));
        }
        schemes.retain(|s| *s != SignatureId::RsaPkcs1(HashId::Sha1));
        self.own.schemes = schemes;
        self.own.key = Some(Arc::new(loaded));
        Ok(public)
    }

    /// Tells what a peer may dislike about our certificates.
    fn look_at_chain(
        &mut self,
        auth: &config::Auth,
        place: &Spanned<PathBuf>,
    ) -> Result<(), ConfigError> {
        let chain = self.own.chain.clone();
        let file = place.get_ref().display();
        let mut above = Authorities::default();
        for (number, der) in chain.iter().enumerate() {
            let facts = Facts::read(der);
            let facts = facts.map_err(|e| self.fault(place)(format!("{file}: {e}")))?;
            if let Some(refusal) = facts.outside_its_time(self.now) {
                self.warn(place, &format!("{file}: {refusal}"));
            }
            let fit = match number.checked_sub(1) {
                None => facts.must_sign(),
                Some(between) => facts.must_issue(between),
            };
            if let Err(refusal) = fit {
                self.warn(place, &format!("{file}: {refusal}"));
            }
            if number > 0 {
                above
                    .add(der.clone())
                    .map_err(|e| self.fault(place)(format!("{file}: {e}")))?;
            } else if let Some(id) = &self.peer.local_id
                && let Err(refusal) = facts.must_name(&glue::identity(id))
            {
                self.warn(place, &format!("{file}: local-id {refusal}"));
            }
        }
        // Its time is told already.
        let stranger =
            |all: &Authorities| all.lead(&chain, self.now) == Err(Refusal::UnknownIssuer);
        if chain.len() > 1 && stranger(&above) {
            let what = format!("{file}: none of the certificates behind the first has issued it");
            self.warn(place, &what);
        } else if !auth.authority.get_ref().0.is_empty() && stranger(&self.trusted) {
            let what = format!(
                "{file}: none of `authority` has issued it: a peer that trusts the same ones will refuse us"
            );
            self.warn(place, &what);
        }
        Ok(())
    }
}

/// The public key of a private one, a DER `SubjectPublicKeyInfo`.
fn public_of(key: &PrivateKeyDer<'_>) -> Option<Vec<u8>> {
    let schemes = crypto_suite::DEFAULT.signatures.iter();
    let mut signers = schemes.filter_map(|scheme| scheme.signing_key(key.secret_der()).ok());
    signers.next().map(|signer| signer.public_key().to_vec())
}

fn secret(psk: &config::Psk) -> Secret {
    Secret::new(psk.octets().to_vec())
}

#[cfg(test)]
mod tests;
