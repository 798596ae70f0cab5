//! `[limits]`: how much others may make the gateway keep and compute.

use super::words::Seconds;
use serde::Deserialize;
use std::num::NonZeroUsize;

/// Bounds on IKE SAs. What is absent is as the library has it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Limits {
    /// IKE SAs of authenticated peers.
    pub ike_sas: Option<NonZeroUsize>,
    /// Negotiations that others started and that are not authenticated.
    pub half_open: Option<NonZeroUsize>,
    /// How long such a one may take.
    pub half_open_time: Option<Seconds>,
    /// Those of one address that has shown that our answers arrive.
    pub half_open_per_address: Option<NonZeroUsize>,
    /// The same for a /24 or /56.
    pub half_open_per_prefix: Option<NonZeroUsize>,
    /// Those of one address that has not.
    pub unproved_per_address: Option<NonZeroUsize>,
    /// The same for a /24 or /56.
    pub unproved_per_prefix: Option<NonZeroUsize>,
    /// So many of them make us ask for cookies.
    pub cookies_from: Option<NonZeroUsize>,
    /// Aggressive modes answered a second.
    pub aggressive_per_second: Option<NonZeroUsize>,
    /// Those of a /24 or /56.
    pub aggressive_per_prefix: Option<NonZeroUsize>,
    /// IKE SAs of one identity, of all its devices together.
    pub ike_sas_per_identity: Option<NonZeroUsize>,
    /// SAs of one peer that it has replaced and not deleted.
    pub replaced_per_peer: Option<NonZeroUsize>,
}
