//! Two gateways negotiate a tunnel and ping through it.
//!
//! Unprivileged: two threads, IKE and ESP over real UDP sockets on loopback, an embedded IP stack behind each. As root
//! on request: two processes in network namespaces of their own, with TUN devices.

/// Logs a line, in its order among those of both gateways.
macro_rules! say {
    ($($arg:tt)*) => { crate::process::log::line(&format!($($arg)*)) };
}

mod namespaces;

use super::{
    config::{Config, LogStyle, Version},
    engine::Engine,
    inside::{Inside, Pinger, Stack},
    run::{self, Options, Runner},
    status::{self, Status},
};
use crate::process::files;
use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

const PINGS: u16 = 5;
/// The whole demo takes less.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long west waits for the deletes at the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// One of the two gateways.
#[derive(Clone, Copy)]
pub(super) struct Side {
    name: &'static str,
    outer: Ipv4Addr,
    inner: Ipv4Addr,
    network: &'static str,
}

pub(super) const EAST: Side = Side {
    name: "east",
    outer: Ipv4Addr::new(127, 0, 0, 1),
    inner: Ipv4Addr::new(10, 10, 1, 1),
    network: "10.10.1.0/24",
};
pub(super) const WEST: Side = Side {
    name: "west",
    outer: Ipv4Addr::new(127, 0, 0, 2),
    inner: Ipv4Addr::new(10, 10, 2, 1),
    network: "10.10.2.0/24",
};

/// What the caller wants of the demo.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// How the negotiation is printed.
    pub log: LogStyle,
    /// The version of IKE.
    pub version: Version,
}

const EAST_TUN: Side = Side {
    outer: Ipv4Addr::new(192, 0, 2, 1),
    ..EAST
};
const WEST_TUN: Side = Side {
    outer: Ipv4Addr::new(192, 0, 2, 2),
    ..WEST
};

/// Runs the demo; its files go to `folder`, or to a new one. With `tun` it needs root.
///
/// # Errors
/// The sockets or files cannot be had, the tunnel does not come up, or a ping goes unanswered.
pub fn run(folder: Option<PathBuf>, wish: Wish, tun: bool) -> io::Result<()> {
    let folder = match folder {
        Some(folder) => folder,
        None => std::env::temp_dir().join(format!("gateway-demo-{}", std::process::id())),
    };
    files::secret_folder(&folder)?;
    if tun {
        namespaces::run(&folder, wish)
    } else {
        loopback(&folder, wish)
    }
}

/// One side of the demo in its namespace: what the binary runs when the demo starts it anew.
///
/// # Errors
/// As [`run()`].
pub fn side(name: &str, folder: PathBuf, wish: Wish) -> io::Result<()> {
    namespaces::side(name, folder, wish)
}

fn loopback(folder: &Path, wish: Wish) -> io::Result<()> {
    let ports = free_ports()?;
    let (mut west, mut far) = start(&WEST, &EAST, ports, wish, folder, false)?;
    let (mut east, mut near) = start(&EAST, &WEST, ports, wish, folder, true)?;

    let stop = Arc::new(AtomicBool::new(false));
    let waker = west.waker();
    let answering = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            // East's deletes are on the way when the word to stop comes.
            let mut end = None;
            let stopped = |engine: &mut Engine, now| {
                if stop.load(Ordering::Acquire) {
                    end.get_or_insert(now + FAREWELL);
                }
                let over = end.is_some_and(|end| now >= end || !engine.has_pairs());
                if over {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            west.run(&mut far, stopped).map(drop)
        }
    });
    let result = pings(&mut east, &mut near);
    stop.store(true, Ordering::Release);
    waker.wake()?;
    let other = answering
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("west panicked")));
    result.and(other)?;

    tell_files(folder);
    Ok(())
}

fn tell_files(folder: &Path) {
    let shown = folder.display();
    say!("\n{PINGS} pings, {PINGS} answers: the first one waited for the tunnel and was not lost.");
    say!("Configurations: {shown}/east.toml, {shown}/west.toml");
    say!("Capture: {shown}/demo.pcap; the keys to it are in {shown}/keys. To read it decrypted:");
    say!("  WIRESHARK_CONFIG_DIR={shown}/keys tshark -r {shown}/demo.pcap");
}

fn show_tables(name: &str, status: &Status) {
    let sessions = status::ikev2_sa(status);
    if sessions.is_empty() {
        say!(
            "\n{name}# show crypto isakmp sa\n{}",
            status::isakmp_sa(status)
        );
        say!(
            "{name}# show crypto isakmp sa detail\n{}",
            status::isakmp_sa_detail(status)
        );
    } else {
        say!("\n{name}# show crypto isakmp sa\n{sessions}");
    }
    say!("{name}# show crypto ipsec sa\n{}", status::ipsec_sa(status));
}

/// Opens one side on loopback. The one that records pings the other.
pub(super) fn start(
    side: &Side,
    other: &Side,
    ports: [u16; 2],
    wish: Wish,
    folder: &Path,
    record: bool,
) -> io::Result<(Runner, Engine)> {
    let file = folder.join(format!("{}.toml", side.name));
    let written = configuration(side, other, Some(ports), wish.version);
    files::secret_file(&file)?.write_all(written.as_bytes())?;
    let config = Config::load(&file).map_err(io::Error::other)?;
    let network = format!("{}/24", side.inner)
        .parse()
        .map_err(io::Error::other)?;
    let mut stack = Stack::new(network, config.gateway.mtu);
    if record {
        stack.ping(Pinger::new(other.inner, PINGS, Duration::from_millis(200)));
    }
    let options = Options {
        log: Some(wish.log),
        prefix: format!("{} | ", side.name),
        keylog: record.then(|| folder.join("keys")),
        pcap: record.then(|| folder.join("demo.pcap")),
        control: None,
        signals: false,
        confine: false,
    };
    run::open(config, options, Inside::Stack(Box::new(stack)))
}

/// Runs east until all pings are answered, telling of each, and shows its tables.
fn pings(east: &mut Runner, near: &mut Engine) -> io::Result<()> {
    let mut told = 0;
    let answered = east.run(near, |engine, now| {
        let Some(pinger) = engine.inside.stack().and_then(Stack::pinger) else {
            return ControlFlow::Break(false);
        };
        for (n, time) in pinger.answers().skip(told) {
            let time = time.as_secs_f64() * 1000.0;
            say!(
                "east | ping {} of {PINGS} to {}: answer after {time:.1} ms",
                n + 1,
                pinger.target
            );
            told += 1;
        }
        if told < usize::from(PINGS) {
            let late = now > PATIENCE;
            return if late {
                ControlFlow::Break(false)
            } else {
                ControlFlow::Continue(())
            };
        }
        show_tables(EAST.name, &engine.status(now));
        ControlFlow::Break(true)
    })?;
    match answered {
        Some(true) => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("{told} of {PINGS} pings were answered"),
        )),
    }
}

/// A side's file; with `ports` for a process without privileges.
fn configuration(side: &Side, other: &Side, ports: Option<[u16; 2]>, version: Version) -> String {
    let policy = match version {
        Version::Ikev1 => {
            "[[isakmp-policy]]\npriority = 10\nencryption = \"aes-256\"\nhash = \"sha256\"\nauthentication = \"pre-share\"\n\
             group = 14\n"
        }
        Version::Ikev2 => {
            "[[ikev2-policy]]\npriority = 10\nencryption = \"aes-256-gcm\"\nprf = \"sha384\"\ngroup = 20\n"
        }
    };
    let (transform, pfs) = match version {
        Version::Ikev1 => ("encryption = \"aes-256\"\nhash = \"sha256\"\n", 14),
        Version::Ikev2 => ("encryption = \"aes-256-gcm\"\n", 20),
    };
    let (ports, nat) = match ports {
        Some([ike, natt]) => (
            format!("# Unprivileged: not 500 and 4500.\nport = {ike}\nnatt-port = {natt}\n"),
            "# Unprivileged: ESP goes in UDP.\nnat-traversal = \"force\"\n",
        ),
        None => (String::new(), ""),
    };
    format!(
        r#"# One of the two gateways of `gateway demo`.
[gateway]
name = "{name}"
listen = "{outer}"
{ports}
{policy}lifetime = 28800

[[transform-set]]
name = "strong"
{transform}
[[psk]]
peer = "{peer}"
secret = "only for the demo"

[[peer]]
name = "{peer_name}"
version = "{version}"
address = "{peer}"
{nat}dpd = {{ interval = 10, retry = 2, retries = 3 }}

[[peer.tunnel]]
name = "{name}-to-{peer_name}"
local = "{network}"
remote = "{peer_network}"
transform-set = "strong"
pfs = {pfs}
lifetime = 3600
lifetime-kilobytes = 4608000
start = "on-demand"
"#,
        name = side.name,
        outer = side.outer,
        network = side.network,
        peer = other.outer,
        peer_name = other.name,
        peer_network = other.network,
    )
}

/// Two UDP ports that are free at both addresses.
pub(super) fn free_ports() -> io::Result<[u16; 2]> {
    let mut found = Vec::new();
    let mut held = Vec::new();
    for _ in 0..100 {
        let probe = UdpSocket::bind(SocketAddr::from((EAST.outer, 0)))?;
        let port = probe.local_addr()?.port();
        held.push(probe);
        if UdpSocket::bind((IpAddr::from(WEST.outer), port)).is_ok() {
            found.push(port);
        }
        if let [ike, natt] = *found {
            return Ok([ike, natt]);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        "no two free UDP ports on loopback",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configurations_are_sound_and_fit_each_other() {
        for version in [Version::Ikev1, Version::Ikev2] {
            let parse =
                |a, b| Config::parse("demo", &configuration(a, b, Some([1, 2]), version)).unwrap();
            let (east, west) = (parse(&EAST, &WEST), parse(&WEST, &EAST));
            let [near, far] = [&east, &west].map(|c| &c.peer[0].tunnel[0]);
            assert_eq!(near.local.get_ref(), far.remote.get_ref());
            assert_eq!(
                east.gateway.listen.0,
                west.peer[0].hosts().collect::<Vec<_>>()
            );
            super::super::glue::ike_config(&east, true).unwrap();
            Config::parse("demo", &configuration(&EAST_TUN, &WEST_TUN, None, version)).unwrap();
        }
    }
}
