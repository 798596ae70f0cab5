//! Stateless cookies of IKE_SA_INIT (RFC 7296 §2.6): `version | prf(secret, Ni, address, port,
//! SPIi)`.
//!
//! Nothing is kept per initiator. The secret changes with time; the one before it is good for one
//! more period, so that a cookie that was given out just before the change is still taken.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crypto_suite::{Digest, Prf, Secret};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;

/// Length of the secrets, bytes.
const SECRET_LEN: usize = 32;
/// RFC 7296 §2.6: a cookie has 1 to 64 octets, the first of which is the version here.
const MAX_MAC: usize = 63;

/// What a cookie is bound to.
#[derive(Clone, Copy, Debug)]
pub struct CookieInput<'a> {
    /// Where the IKE_SA_INIT request came from.
    pub source: SocketAddr,
    /// SPIi.
    pub spi_i: &'a [u8; 8],
    /// Ni, without its header.
    pub ni: &'a [u8],
}

/// A cookie: 2 to 64 octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    octets: [u8; 64],
    len: usize,
}

impl AsRef<[u8]> for Cookie {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or(&[])
    }
}

/// Makes and checks cookies.
pub struct Cookies {
    prf: &'static dyn Prf,
    period: Duration,
    current: Generation,
    previous: Option<Generation>,
}

struct Generation {
    version: u8,
    secret: Secret,
    since: Duration,
}

impl Cookies {
    /// Draws the first secret. `period` is how long a secret makes cookies, and how long it is
    /// taken after that.
    pub fn new(
        prf: &'static dyn Prf,
        period: Duration,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        Self {
            prf,
            period,
            current: Generation::draw(0, now, rng),
            previous: None,
        }
    }

    /// The cookie of this request. Changes the secret first when its period is over.
    pub fn make(
        &mut self,
        input: &CookieInput<'_>,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Cookie {
        if now.saturating_sub(self.current.since) >= self.period {
            let next = Generation::draw(self.current.version.wrapping_add(1), now, rng);
            self.previous = Some(core::mem::replace(&mut self.current, next));
        }
        let mac = self.current.mac(self.prf, input);
        let mut cookie = Cookie {
            octets: [0; 64],
            len: 1,
        };
        let all = core::iter::once(&self.current.version).chain(mac.as_ref().iter().take(MAX_MAC));
        for (to, from) in cookie.octets.iter_mut().zip(all) {
            *to = *from;
        }
        cookie.len = mac.len().min(MAX_MAC).saturating_add(1);
        cookie
    }

    /// Whether `cookie` was made for this request, by a secret that is still good at `now`.
    /// Compares in constant time.
    #[must_use]
    pub fn check(&self, cookie: &[u8], input: &CookieInput<'_>, now: Duration) -> bool {
        let Some((version, mac)) = cookie.split_first() else {
            return false;
        };
        let mut known = core::iter::once(&self.current).chain(&self.previous);
        let Some(generation) = known.find(|g| g.version == *version) else {
            return false;
        };
        // Made within one period from then, taken for one more.
        let age = now.saturating_sub(generation.since);
        if age >= self.period.saturating_mul(2) {
            return false;
        }
        let expected = generation.mac(self.prf, input);
        let expected = expected.as_ref();
        let expected = expected.get(..MAX_MAC).unwrap_or(expected);
        bool::from(expected.ct_eq(mac))
    }
}

impl Generation {
    fn draw(version: u8, since: Duration, rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = zeroize::Zeroizing::new([0; SECRET_LEN]);
        rng.fill_bytes(&mut *bytes);
        Self {
            version,
            secret: Secret::from(&bytes[..]),
            since,
        }
    }

    fn mac(&self, prf: &dyn Prf, input: &CookieInput<'_>) -> Digest {
        let (v4, v6);
        let address: &[u8] = match input.source.ip() {
            IpAddr::V4(address) => {
                v4 = address.octets();
                &v4
            }
            IpAddr::V6(address) => {
                v6 = address.octets();
                &v6
            }
        };
        // All but Ni have fixed lengths once the first octet has told the family.
        let family = [u8::try_from(address.len()).unwrap_or(0)];
        let port = input.source.port().to_be_bytes();
        prf.prf(
            self.secret.expose(),
            &[&family, address, &port, input.spi_i, input.ni],
        )
    }
}

impl core::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Cookies")
            .field("period", &self.period)
            .field("version", &self.current.version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
