//! The gateway's TOML file, in the words of the field: `isakmp-policy`, `transform-set`, `peer`, `tunnel`, `psk`.
//!
//! Every error names the file, the line and the field. What parses here is consistent: names resolve, networks of one
//! tunnel are of one family, and defaults are filled in.

mod auth;
mod error;
mod gre;
mod ikev2;
mod limits;
mod model;
mod overlap;
mod words;
mod workers;

#[cfg(test)]
mod tests;

pub use auth::*;
pub use error::ConfigError;
pub use gre::*;
pub use ikev2::{Ikev2Policy, Quirks, RedirectWhen};
pub use limits::Limits;
pub use model::*;
pub use words::*;
pub use workers::WorkerThreads;

use crate::process::files;
use model::Source;
use std::{
    collections::BTreeSet,
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or says something that does not make sense.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|e| ConfigError::unreadable(&name, &e))?;
        Self::parse(&name, &text)
    }

    /// Parses and checks `text`; `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        let mut config: Self =
            toml::from_str(text).map_err(|e| ConfigError::at(name, text, e.span(), e.message()))?;
        config.source = Source {
            name: name.into(),
            text: text.to_owned().into(),
        };
        let resolved = config.resolve();
        resolved.map_err(|(span, what)| config.mistake(span, &what))?;
        Ok(config)
    }

    /// What is wrong with the modes of the files that hold secrets: this one, and those that it names.
    #[must_use]
    pub fn exposed(&self) -> Vec<String> {
        let auth = || self.peer.iter().filter_map(|peer| peer.auth.as_ref());
        let here = self.psk.iter().any(|psk| psk.secret_file.is_none())
            || !self.eap_user.is_empty()
            || auth().any(|auth| auth.ppk.is_some());
        let here = here.then(|| PathBuf::from(&self.source.name));
        let keys = auth().filter_map(|auth| Some(auth.private_key.as_ref()?.get_ref()));
        let secrets = self
            .psk
            .iter()
            .filter_map(|psk| Some(psk.secret_file.as_ref()?.get_ref()));
        let named: BTreeSet<PathBuf> = here
            .into_iter()
            .chain(keys.chain(secrets).cloned())
            .collect();
        named
            .iter()
            .filter_map(|path| files::exposed(path))
            .collect()
    }

    /// A mistake at this place of the file.
    pub(super) fn mistake(&self, span: Range<usize>, what: &str) -> ConfigError {
        let Source { name, text } = &self.source;
        ConfigError::at(name, text, Some(span), what)
    }
}
