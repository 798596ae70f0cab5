//! What proves identities in IKEv2: our keys, the authorities we trust, EAP users, post-quantum keys, address pools. Answers
//! the endpoint's questions about them.

use super::{
    certificates::{Authorities, load_chain, load_key, public_key},
    config::{self, Config, Proof, Scheme},
    pool::Pool,
};
use crypto_suite::{HashId, Secret, SignatureId, WeakAlgorithm, WeakAlgorithms};
use ike_sm::config::v2::{
    AddressOptions, AddressRequest, Assign, AuthOptions, Credential, EapMethod, LocalAuth, Ppk,
    RemoteAuth, SendCertificate, Wanted,
};
use ike_sm::v2::proof::schemes_of_key;
use ike_sm::{Answer, IkeId, Question};
use rand_core::CryptoRng;
use rustls_pki_types::{PrivateKeyDer, UnixTime};
use std::{collections::BTreeMap, path::Path};

/// Passwords that a user may try beyond the first.
const RETRIES: u8 = 2;

/// What the file names, loaded.
#[derive(Debug, Default)]
pub struct Credentials {
    peers: BTreeMap<String, OfPeer>,
    passwords: BTreeMap<String, Secret>,
    pools: Vec<Pool>,
}

#[derive(Debug, Default)]
struct OfPeer {
    chain: Vec<Vec<u8>>,
    schemes: Vec<SignatureId>,
    key: Option<PrivateKeyDer<'static>>,
    authorities: Authorities,
    ppk: Option<(Vec<u8>, Secret)>,
    pool: Option<String>,
}

impl Credentials {
    /// Loads what `config` names.
    ///
    /// # Errors
    /// A file cannot be read, or is not what it should be.
    pub fn load(config: &Config) -> Result<Self, String> {
        let mut all = Self {
            pools: config.pool.iter().map(Pool::new).collect(),
            ..Self::default()
        };
        for user in &config.eap_user {
            all.passwords
                .insert(user.name.clone(), secret(&user.password));
        }
        for peer in &config.peer {
            if let Some(auth) = &peer.auth {
                all.peers
                    .insert(peer.name.get_ref().clone(), OfPeer::load(auth)?);
            }
        }
        Ok(all)
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
            Proof::Signature => LocalAuth::Signature(Credential {
                chain: own.chain.clone(),
                schemes: own.schemes.clone(),
                send: SendCertificate::Always,
            }),
            Proof::Eap => LocalAuth::Eap {
                user: auth.user.clone().unwrap_or_default(),
                eap_only: auth.eap_only,
            },
        };
        options.remote = match auth.remote.get_ref() {
            Proof::PreShare => RemoteAuth::Psk,
            Proof::Signature => RemoteAuth::Signature {
                schemes: Vec::new(),
                authorities: own.authorities.key_hashes.clone(),
            },
            Proof::Eap => RemoteAuth::Eap {
                method: EapMethod::MsChapV2 {
                    ask_identity: true,
                    retries: RETRIES,
                },
                eap_only: auth.eap_only,
            },
        };
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
            options.assign = Assign::IfAsked;
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
                identity,
            } => Answer::PublicKey(match self.peers.get(peer) {
                Some(own) => own.authorities.verify(chain, identity, UnixTime::now()),
                None => Err("no authority is configured for this peer".into()),
            }),
            Question::EapPassword { user, .. } => {
                let name = user.rsplit('\\').next().unwrap_or(user);
                Answer::EapPassword(self.passwords.get(name).cloned())
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
                user,
                request,
            } => {
                let owner = user.clone().unwrap_or_else(|| identity.to_string());
                Answer::Addresses(
                    self.pool_of(peer)
                        .and_then(|p| p.lease(ike.number(), &owner, request)),
                )
            }
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
        let scheme = crypto_suite::DEFAULT.signature(scheme)?;
        let key = scheme.signing_key(key.secret_der()).ok()?;
        key.sign(rng, &[octets]).ok()
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

impl OfPeer {
    fn load(auth: &config::Auth) -> Result<Self, String> {
        let mut own = Self {
            ppk: auth
                .ppk
                .as_ref()
                .map(|p| (p.id.clone().into_bytes(), secret(&p.secret))),
            pool: auth.pool.as_ref().map(|name| name.get_ref().clone()),
            ..Self::default()
        };
        for path in &auth.authority.0 {
            own.authorities.load(path)?;
        }
        if let (Some(certificate), Some(key)) = (&auth.certificate, &auth.private_key) {
            own.load_pair(certificate, key, auth.scheme)?;
        }
        Ok(own)
    }

    fn load_pair(
        &mut self,
        certificate: &Path,
        key: &Path,
        scheme: Option<Scheme>,
    ) -> Result<(), String> {
        self.chain = load_chain(certificate)?;
        let public = self.chain.first().map(|der| public_key(der));
        let public = public.unwrap_or_else(|| Err("no certificate".into()))?;
        self.schemes = schemes_of_key(&public);
        if scheme == Some(Scheme::RsaPkcs1) {
            self.schemes
                .retain(|s| !matches!(s, SignatureId::RsaPss(_)));
        }
        self.schemes
            .retain(|s| *s != SignatureId::RsaPkcs1(HashId::Sha1));
        let loaded = load_key(key)?;
        let first = self.schemes.first().copied();
        let first = first.and_then(|id| crypto_suite::DEFAULT.signature(id));
        let signer = first.and_then(|s| s.signing_key(loaded.secret_der()).ok());
        let fits = signer.is_some_and(|signer| signer.public_key() == public);
        if !fits {
            let (key, certificate) = (key.display(), certificate.display());
            return Err(format!("{key} is not the key of {certificate}"));
        }
        self.key = Some(loaded);
        Ok(())
    }
}

fn secret(psk: &config::Psk) -> Secret {
    Secret::new(psk.octets().to_vec())
}
