//! The daemon's TOML file. Every error names the file, the line and the field.
//!
//! ```toml
//! [daemon]
//! socket = "/run/vrrp.sock"
//!
//! [[router]]
//! name = "lan"
//! interface = "eth0"
//! vrid = 5
//! addresses = ["10.0.0.254/24"]
//! priority = 150
//! preempt-delay = 60
//! address-check = "drop" # what has other addresses; without the word version 2 drops it and version 3 logs it
//! track = [{ interface = "eth1", decrement = 100 }]
//! ```

use crate::gateway::config::ConfigError;
use ipnet::IpNet;
use serde::Deserialize;
use std::{
    fs,
    net::IpAddr,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};
use toml::Spanned;
use vrrp::{
    Accept, AddressCheck, Announce, ChecksumReading, Family, Interval, Password, Priority, Track,
    TrackEffect, Version, Vrid,
};

/// Where `status` finds the daemon.
pub const DEFAULT_SOCKET: &str = "/run/vrrp.sock";

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The Unix socket of `status`.
    pub socket: PathBuf,
    /// The virtual routers.
    pub routers: Vec<Router>,
    /// Tracked objects; a router's [`Track::object`] is the place in this list.
    pub objects: Vec<Object>,
}

/// One virtual router.
#[derive(Debug, Clone)]
pub struct Router {
    /// Its name in messages.
    pub name: String,
    /// The interface it runs on.
    pub interface: String,
    /// The protocol's part.
    pub protocol: vrrp::Config,
    /// The addresses with their prefix lengths.
    pub addresses: Vec<IpNet>,
    /// Whether it uses the virtual MAC address, on a macvlan interface.
    pub virtual_mac: bool,
    /// The source address, where it is not the interface's first.
    pub source: Option<IpAddr>,
    /// Name of its sync group.
    pub sync_group: Option<String>,
}

/// A tracked object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// Up while the interface is running.
    Interface(String),
    /// Up or down as `vrrp track` says; up at first.
    Named(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    daemon: DaemonSection,
    #[serde(default, rename = "router")]
    routers: Vec<RouterSection>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct DaemonSection {
    socket: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RouterSection {
    name: Spanned<String>,
    interface: Spanned<String>,
    vrid: Spanned<u8>,
    #[serde(default)]
    version: Option<Spanned<u8>>,
    addresses: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    priority: Option<Spanned<u8>>,
    /// Seconds.
    #[serde(default)]
    interval: Option<Spanned<f64>>,
    #[serde(default = "yes")]
    preempt: bool,
    #[serde(default)]
    preempt_delay: Option<Spanned<f64>>,
    #[serde(default)]
    startup_delay: Option<Spanned<f64>>,
    #[serde(default = "yes")]
    virtual_mac: bool,
    /// Whether a master takes packets to the addresses for itself; RFC 9568 §6.1 would have it off, and pings fail then.
    #[serde(default = "yes")]
    accept: bool,
    #[serde(default)]
    learn_interval: bool,
    #[serde(default)]
    password: Option<Spanned<String>>,
    #[serde(default)]
    checksum: Checksum,
    /// What becomes of an advertisement with other addresses; absent, what the version's RFC says.
    #[serde(default)]
    address_check: Option<Check>,
    #[serde(default)]
    peers: Option<Spanned<Vec<IpAddr>>>,
    #[serde(default)]
    source: Option<Spanned<IpAddr>>,
    #[serde(default)]
    min_ttl: Option<u8>,
    #[serde(default)]
    sync_group: Option<String>,
    #[serde(default)]
    track: Option<Spanned<Vec<Spanned<TrackSection>>>>,
    #[serde(default)]
    announce: Option<Spanned<AnnounceSection>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TrackSection {
    interface: Option<String>,
    name: Option<String>,
    decrement: Option<u8>,
    #[serde(default)]
    fault: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct AnnounceSection {
    rounds: u8,
    /// Seconds; 0 is never.
    early: Option<f64>,
    /// Seconds.
    gap: f64,
    /// Seconds.
    refresh: Option<f64>,
}

/// What version 3 sends over IPv4. RFC 5798 routers want the pseudo-header; those that know RFC
/// 9568 take both.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Checksum {
    Message,
    #[default]
    PseudoHeader,
}

/// What becomes of an advertisement with other addresses than ours: nothing, a line in the log (version 3, RFC 9568
/// §7.1), or a line in the log and it is dropped (version 2, RFC 3768 §7.1).
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Check {
    Off,
    Warn,
    Drop,
}

const fn yes() -> bool {
    true
}

/// Reads and checks the file at `path`.
///
/// # Errors
/// The file cannot be read, is not TOML, or says something no router can run with.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|e| ConfigError::unreadable(&name, &e))?;
    parse(&name, &text)
}

/// Parses and checks `text`; `name` stands for the file in errors.
///
/// # Errors
/// As [`load`].
pub fn parse(name: &str, text: &str) -> Result<Config, ConfigError> {
    let at = |span, what: &str| ConfigError::at(name, text, span, what);
    let file: File = toml::from_str(text).map_err(|e| at(e.span(), e.message()))?;
    let mut config = Config {
        socket: file.daemon.socket.unwrap_or_else(|| DEFAULT_SOCKET.into()),
        routers: Vec::new(),
        objects: Vec::new(),
    };
    for section in file.routers {
        let router = section
            .resolve(&mut config)
            .map_err(|(span, what)| at(Some(span), &what))?;
        config.routers.push(router);
    }
    if config.routers.is_empty() {
        return Err(at(None, "no `[[router]]`"));
    }
    Ok(config)
}

type Mistake = (Range<usize>, String);

impl RouterSection {
    fn resolve(self, config: &mut Config) -> Result<Router, Mistake> {
        let name = self.name.get_ref().clone();
        if config.routers.iter().any(|router| router.name == name) {
            return Err((self.name.span(), format!("a second router `{name}`")));
        }
        if self.interface.get_ref().is_empty() || self.interface.get_ref().len() > 15 {
            return Err((self.interface.span(), "1 to 15 characters".into()));
        }
        let vrid = Vrid::new(*self.vrid.get_ref())
            .ok_or_else(|| (self.vrid.span(), "1 to 255".to_owned()))?;
        let version = match self.version.as_ref().map(|v| (*v.get_ref(), v.span())) {
            None | Some((3, _)) => Version::V3,
            Some((2, _)) => Version::V2,
            Some((_, span)) => return Err((span, "2 or 3".into())),
        };
        let addresses: Vec<IpNet> = self
            .addresses
            .get_ref()
            .iter()
            .map(network)
            .collect::<Result<_, _>>()?;
        let ips: Vec<IpAddr> = addresses.iter().map(IpNet::addr).collect();
        let family = ips.first().map_or(Family::V4, |ip| Family::of(*ip));
        if let Some(taken) = config.routers.iter().find(|router| {
            router.interface == *self.interface.get_ref()
                && router.protocol.vrid == vrid
                && router.protocol.family() == family
        }) {
            return Err((
                self.vrid.span(),
                format!("router `{}` has it already", taken.name),
            ));
        }
        let mut protocol = vrrp::Config::new(version, vrid, &ips);
        protocol.accept_mode = self.accept;
        protocol.preempt = self.preempt;
        protocol.learn_interval = self.learn_interval;
        protocol.checksum = match self.checksum {
            Checksum::Message => ChecksumReading::Message,
            Checksum::PseudoHeader => ChecksumReading::PseudoHeader,
        };
        if let Some(check) = self.address_check {
            protocol.address_check = match check {
                Check::Off => AddressCheck::Off,
                Check::Warn => AddressCheck::Warn,
                Check::Drop => AddressCheck::Drop,
            };
        }
        protocol.accept = Accept {
            min_ttl: self.min_ttl.unwrap_or(255),
            ..Accept::STANDARD
        };
        if let Some(priority) = &self.priority {
            protocol.priority = Priority(*priority.get_ref());
        }
        if let Some(interval) = &self.interval {
            protocol.interval = centiseconds(interval)?;
        }
        if let Some(delay) = &self.preempt_delay {
            protocol.preempt_delay = seconds(*delay.get_ref(), delay.span())?;
        }
        if let Some(delay) = &self.startup_delay {
            protocol.startup_delay = seconds(*delay.get_ref(), delay.span())?;
        }
        if let Some(text) = &self.password {
            let password = Password::new(text.get_ref().as_bytes());
            protocol.password =
                Some(password.ok_or_else(|| (text.span(), "at most eight octets".to_owned()))?);
        }
        if let Some(peers) = &self.peers {
            protocol.peers.clone_from(peers.get_ref());
        }
        if let Some(source) = &self.source
            && Family::of(*source.get_ref()) != family
        {
            return Err((source.span(), "not of the addresses' family".into()));
        }
        for track in self.track.iter().flat_map(|tracks| tracks.get_ref()) {
            protocol.tracks.push(track_of(track, &mut config.objects)?);
        }
        if let Some(announce) = &self.announce {
            let section = announce.get_ref();
            let time = |value| seconds(value, announce.span());
            protocol.announce = Announce {
                rounds: section.rounds,
                early: match section.early {
                    None => Announce::default().early,
                    Some(0.0) => None,
                    Some(early) => Some(time(early)?),
                },
                gap: time(section.gap)?,
                refresh: section.refresh.map(time).transpose()?,
            };
        }
        protocol
            .check()
            .map_err(|error| (self.span_of(&error), error.to_string()))?;
        Ok(Router {
            name,
            interface: self.interface.into_inner(),
            protocol,
            addresses,
            virtual_mac: self.virtual_mac,
            source: self.source.map(Spanned::into_inner),
            sync_group: self.sync_group,
        })
    }

    /// The field a mistake is in.
    fn span_of(&self, error: &vrrp::ConfigError) -> Range<usize> {
        use vrrp::ConfigError as E;
        let span = |span: Option<Range<usize>>| span.unwrap_or_else(|| self.name.span());
        match error {
            E::Family(address)
                if self
                    .peers
                    .as_ref()
                    .is_some_and(|p| p.get_ref().contains(address)) =>
            {
                span(self.peers.as_ref().map(Spanned::span))
            }
            E::AddressCount(_) | E::Family(_) | E::NotLinkLocal(_) => self.addresses.span(),
            E::Version2WithIpv6 => span(self.version.as_ref().map(Spanned::span)),
            E::PriorityZero => span(self.priority.as_ref().map(Spanned::span)),
            E::Interval { .. } => span(self.interval.as_ref().map(Spanned::span)),
            E::PasswordInVersion3 => span(self.password.as_ref().map(Spanned::span)),
            E::Peers(_) => span(self.peers.as_ref().map(Spanned::span)),
            E::Tracks(_) => span(self.track.as_ref().map(Spanned::span)),
            E::AnnounceTime => span(self.announce.as_ref().map(Spanned::span)),
            _ => self.name.span(),
        }
    }
}

fn network(text: &Spanned<String>) -> Result<IpNet, Mistake> {
    let value = text.get_ref();
    value
        .parse()
        .or_else(|_| value.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| (text.span(), format!("`{value}` is no address")))
}

fn seconds(value: f64, span: Range<usize>) -> Result<Duration, Mistake> {
    Duration::try_from_secs_f64(value).map_err(|e| (span, e.to_string()))
}

fn centiseconds(interval: &Spanned<f64>) -> Result<Interval, Mistake> {
    let time = seconds(*interval.get_ref(), interval.span())?;
    // What was meant in centiseconds: 0.29 s is not exact in binary.
    let rounded = (time + Duration::from_millis(5)).as_millis() / 10;
    let exact = Duration::from_millis(u64::try_from(rounded * 10).unwrap_or(u64::MAX));
    let off = exact.abs_diff(time);
    u16::try_from(rounded)
        .ok()
        .filter(|_| off < Duration::from_micros(1))
        .and_then(Interval::from_centiseconds)
        .ok_or_else(|| {
            (
                interval.span(),
                "hundredths of a second, at least one".into(),
            )
        })
}

fn track_of(track: &Spanned<TrackSection>, objects: &mut Vec<Object>) -> Result<Track, Mistake> {
    let section = track.get_ref();
    let object = match (&section.interface, &section.name) {
        (Some(interface), None) => Object::Interface(interface.clone()),
        (None, Some(name)) => Object::Named(name.clone()),
        _ => return Err((track.span(), "either `interface` or `name`".into())),
    };
    let effect = match (section.decrement, section.fault) {
        (Some(by), false) => TrackEffect::Decrement(by),
        (None, true) => TrackEffect::Fault,
        _ => return Err((track.span(), "either `decrement` or `fault = true`".into())),
    };
    let at = objects
        .iter()
        .position(|known| *known == object)
        .unwrap_or_else(|| {
            objects.push(object);
            objects.len() - 1
        });
    let object = u32::try_from(at).map_err(|e| (track.span(), e.to_string()))?;
    Ok(Track { object, effect })
}

#[cfg(test)]
mod tests;
