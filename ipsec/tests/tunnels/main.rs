//! Two `Tunnels` on a link in virtual time: IKE and ESP together, with loss, restarts, routers and
//! attackers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

mod fitting;
mod halves;
mod hostile;
mod kit;
mod life;
mod policy;
mod updates;
