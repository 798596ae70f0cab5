//! A point-to-point GRE tunnel between a TUN device and a raw socket, with keepalives: the `gre` crate in use.
//! On SIGTERM or SIGINT it prints what `show interface tunnel` would.

pub mod status;
pub mod tunnel;

#[cfg(test)]
mod tests;

use crate::{
    net::{netlink::Netlink, raw_gre::RawGre, raw_gre::path_mtu, tun::Tun},
    process::{
        log::{self, Logging, line},
        privileges,
    },
};
use clap::Parser;
use getrandom::SysRng;
use ipnet::IpNet;
use mio::{Events, Interest, Poll, Token};
use rand_core::UnwrapErr;
use signal_hook_mio::v1_0::Signals;
use std::{
    io,
    net::IpAddr,
    process::ExitCode,
    time::{Duration, Instant},
};
use tunnel::{Encapsulated, HEADROOM, Out, Settings, Times, Tunnel};

const TUN: Token = Token(0);
const RAW: Token = Token(1);
const SIGNALS: Token = Token(2);
/// What a path carries that the kernel knows nothing about, octets.
const ETHERNET: usize = 1500;
/// How often the kernel is asked what the path carries.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Parser)]
#[command(name = "gre", about = "A GRE tunnel with keepalives")]
struct Arguments {
    /// Our tunnel end.
    #[arg(long)]
    local: IpAddr,
    /// The peer's tunnel end.
    #[arg(long)]
    remote: IpAddr,
    /// Name of the TUN device.
    #[arg(long, default_value = "gre1")]
    device: String,
    /// Address and prefix length of the TUN device.
    #[arg(long)]
    address: IpNet,
    /// Key of the tunnel.
    #[arg(long)]
    key: Option<u32>,
    /// Send checksums.
    #[arg(long)]
    checksum: bool,
    /// Send sequence numbers, and keep their order.
    #[arg(long)]
    sequence: bool,
    /// Octets that the path carries; absent, the kernel is asked.
    #[arg(long)]
    path_mtu: Option<usize>,
    /// Seconds between keepalives.
    #[arg(long)]
    keepalive: Option<f64>,
    /// Unanswered keepalives until the line protocol is down.
    #[arg(long, default_value_t = 3)]
    retries: u8,
}

/// What `main` does.
#[must_use]
pub fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gre: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> io::Result<()> {
    let log = Logging::install(log::lost_text);
    let mut program = Program::open(arguments)?;
    // All is open, and no other thread runs yet.
    privileges::confine(false)?;
    log.start();
    program.run()
}

struct Program {
    start: Instant,
    /// When the kernel is to be asked again what the path carries; not where that is given.
    ask: Option<Duration>,
    tunnel: Tunnel,
    tun: Tun,
    raw: RawGre,
}

impl Program {
    fn open(arguments: Arguments) -> io::Result<Self> {
        let start = Instant::now();
        let (local, remote) = (arguments.local, arguments.remote);
        let fixed = arguments.path_mtu;
        let path = fixed.or_else(|| path_mtu(remote).ok()).unwrap_or(ETHERNET);
        let mut settings = Settings::new(arguments.device, local, remote, path);
        settings.addresses = vec![arguments.address];
        settings.key = arguments.key;
        settings.checksum = arguments.checksum;
        settings.sequence = arguments.sequence;
        settings.mtu = path.saturating_sub(settings.overhead());
        settings.keepalive = match arguments.keepalive {
            None => None,
            Some(period) => Some(Times {
                period: Duration::try_from_secs_f64(period).map_err(io::Error::other)?,
                retries: arguments.retries,
                ..Times::default()
            }),
        };
        let mtu = u16::try_from(settings.mtu).map_err(io::Error::other)?;
        let tun = Tun::create(&settings.name, mtu)?;
        Netlink::open()?.add_address(tun.index(), arguments.address)?;
        Ok(Self {
            tun,
            raw: RawGre::open(local.is_ipv6(), Some(local))?,
            ask: fixed.is_none().then_some(ASK_INTERVAL),
            tunnel: Tunnel::new(settings, start.elapsed()).map_err(io::Error::other)?,
            start,
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut self.tun, TUN, Interest::READABLE)?;
        registry.register(&mut self.raw, RAW, Interest::READABLE)?;
        let mut signals = Signals::new([libc::SIGTERM, libc::SIGINT, libc::SIGHUP])?;
        registry.register(&mut signals, SIGNALS, Interest::READABLE)?;
        let mut events = Events::with_capacity(16);
        loop {
            let now = self.start.elapsed();
            let wait = self.tunnel.next_deadline().map(|at| at.saturating_sub(now));
            match poll.poll(&mut events, wait) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.tunnel
                .deadline(self.start.elapsed(), &mut UnwrapErr(SysRng));
            self.carry_out();
            for event in &events {
                match event.token() {
                    TUN => self.read_device(),
                    RAW => self.read_network(),
                    _ => {
                        // SIGHUP asks for nothing that there is.
                        if signals.pending().any(|signal| signal != libc::SIGHUP) {
                            let status = self.tunnel.status(self.start.elapsed()).to_string();
                            line(status.trim_end_matches('\n'));
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    fn carry_out(&mut self) {
        for out in self.tunnel.take_out() {
            match out {
                Out::Send(packet) => self.send(&packet),
                Out::Deliver(packet) => self.deliver(&packet),
                Out::Line(up) => {
                    let word = if up { "up" } else { "down" };
                    let time = self.start.elapsed();
                    line(&format!("{time:?} line protocol is {word}"));
                }
            }
        }
    }

    fn read_device(&mut self) {
        let now = self.start.elapsed();
        if self.ask.is_some_and(|at| at <= now) {
            self.ask = Some(now + ASK_INTERVAL);
            if let Ok(fitting) = path_mtu(self.tunnel.settings().remote) {
                self.tunnel.set_fitting(fitting);
            }
        }
        let mut buffer = vec![0; HEADROOM + 65_536];
        while let Ok(length) = self
            .tun
            .recv(buffer.get_mut(HEADROOM..).unwrap_or_default())
        {
            let range = HEADROOM..HEADROOM + length;
            let now = self.start.elapsed();
            match self.tunnel.outbound(&mut buffer, range, now) {
                Ok(Encapsulated::InPlace(range)) => {
                    self.send(buffer.get(range).unwrap_or_default());
                }
                Ok(Encapsulated::Parts(parts)) => parts.iter().for_each(|part| self.send(part)),
                // Counted.
                Err(_) => {}
            }
            self.carry_out();
        }
    }

    fn read_network(&mut self) {
        let mut buffer = vec![0; 65_536];
        while let Ok(length) = self.raw.recv(&mut buffer) {
            let packet = buffer.get_mut(..length).unwrap_or_default();
            let now = self.start.elapsed();
            if let Ok(Some(range)) = self
                .tunnel
                .inbound(packet, false, now, &mut UnwrapErr(SysRng))
            {
                self.deliver(buffer.get(range).unwrap_or_default());
            }
            self.carry_out();
        }
    }

    fn deliver(&mut self, packet: &[u8]) {
        if let Err(error) = self.tun.send(packet) {
            self.tunnel.lost(error.to_string().into());
        }
    }

    fn send(&mut self, packet: &[u8]) {
        let to = self.tunnel.settings().remote;
        if let Err(error) = self.raw.send(packet, to) {
            self.tunnel.lost(error.to_string().into());
        }
    }
}
