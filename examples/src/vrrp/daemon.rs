//! The loop: packets, deadlines, links and signals in, actions out.

use super::config::{Config, Object, Router};
use super::control::Control;
use super::filter::Filter;
use super::link::{Holder, Interface};
use crate::{
    net::netlink::{Link, Netlink, Watch},
    process::{
        log::{self, Logging, line},
        privileges,
    },
};
use ipnet::IpNet;
use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use signal_hook_mio::v1_0::Signals;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    net::IpAddr,
    time::{Duration, Instant},
};
use vrrp::{Action, Actions, Family, RouterKey, Show, Speaker, SpeakerAction, SpeakerEvent, State};

const CONTROL: Token = Token(0);
const SIGNALS: Token = Token(1);
const LINKS: Token = Token(2);
const FIRST_RECEIVER: usize = 3;

/// Runs until SIGTERM or SIGINT; `warnings` are told first.
pub(super) fn run(config: Config, warnings: &[String]) -> io::Result<()> {
    let log = Logging::install(log::lost_text);
    warnings
        .iter()
        .for_each(|warning| line(&format!("warning: {warning}")));
    let control = Control::bind(&config.socket)?;
    let mut daemon = Daemon::new(config)?;
    // All is open, and no other thread runs yet.
    privileges::confine(false)?;
    log.start();
    let result = daemon.serve(control);
    daemon.stop();
    result
}

struct Daemon {
    start: Instant,
    speaker: Speaker,
    actions: Actions<SpeakerAction>,
    netlink: Netlink,
    interfaces: BTreeMap<u32, Interface>,
    instances: BTreeMap<RouterKey, Instance>,
    objects: Vec<Object>,
    /// Packets that were no advertisements at all.
    malformed: BTreeMap<String, u64>,
}

struct Instance {
    name: String,
    addresses: Vec<IpNet>,
    source: Option<IpAddr>,
    holder: Holder,
    virtual_mac: bool,
    /// What keeps packets to the addresses out, without Accept_Mode.
    filter: Option<Filter>,
}

impl Daemon {
    fn new(config: Config) -> io::Result<Self> {
        let mut daemon = Self {
            start: Instant::now(),
            speaker: Speaker::new(),
            actions: Actions::new(),
            netlink: Netlink::open()?,
            interfaces: BTreeMap::new(),
            instances: BTreeMap::new(),
            objects: config.objects,
            malformed: BTreeMap::new(),
        };
        let mut groups: BTreeMap<String, Vec<RouterKey>> = BTreeMap::new();
        let links = daemon.netlink.links()?;
        for router in config.routers {
            let group = router.sync_group.clone();
            let key = daemon.add(router, &links)?;
            if let Some(group) = group {
                groups.entry(group).or_default().push(key);
            }
        }
        for (name, members) in groups {
            let named = |e| io::Error::other(format!("sync group `{name}`: {e}"));
            daemon.speaker.synchronise(&members).map_err(named)?;
        }
        Ok(daemon)
    }

    fn add(&mut self, router: Router, links: &[Link]) -> io::Result<RouterKey> {
        let Router {
            name,
            interface,
            mut protocol,
            addresses,
            virtual_mac,
            source,
            ..
        } = router;
        let named = |e: io::Error| io::Error::new(e.kind(), format!("router `{name}`: {e}"));
        let link = links
            .iter()
            .find(|link| link.name == interface)
            .ok_or_else(|| {
                named(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("no interface `{interface}`"),
                ))
            })?;
        let interface = match self.interfaces.entry(link.index) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Interface::open(link).map_err(named)?),
        };
        let family = protocol.family();
        interface
            .serve(family, !protocol.peers.is_empty())
            .map_err(named)?;
        let mut device = link.name.clone();
        let holder = if virtual_mac && !protocol.priority.is_owner() {
            let digit = if family == Family::V4 { 4 } else { 6 };
            device = format!("vr{digit}-{}-{}", link.index, protocol.vrid);
            let mac = protocol.vrid.mac(family);
            Holder::macvlan(&mut self.netlink, interface, &device, mac).map_err(named)?
        } else {
            Holder::Plain { index: link.index }
        };
        let filter = match protocol.accept_mode || protocol.priority.is_owner() {
            true => None,
            false => Some(Filter::install(&device, &addresses).map_err(named)?),
        };
        if !virtual_mac {
            protocol.announce_mac = Some(interface.mac);
        }
        let owner = protocol.priority.is_owner();
        let key = self
            .speaker
            .add(link.index, protocol)
            .map_err(io::Error::other)?;
        if !owner && !virtual_mac {
            // Left behind by a daemon that was killed: not ours while we are no master.
            let _ = holder.remove(&mut self.netlink, &addresses);
        }
        let instance = Instance {
            name,
            addresses,
            source,
            holder,
            virtual_mac,
            filter,
        };
        self.instances.insert(key, instance);
        Ok(key)
    }

    fn serve(&mut self, control: Control) -> io::Result<()> {
        let mut poll = Poll::new()?;
        let registry = poll.registry();
        let mut control = control;
        registry.register(&mut control.listener, CONTROL, Interest::READABLE)?;
        let mut signals = Signals::new([libc::SIGTERM, libc::SIGINT, libc::SIGHUP])?;
        registry.register(&mut signals, SIGNALS, Interest::READABLE)?;
        let watch = Watch::open()?;
        registry.register(&mut SourceFd(&watch.fd()), LINKS, Interest::READABLE)?;
        let mut receivers = Vec::new();
        for interface in self.interfaces.values() {
            for (v6, receiver) in [(false, &interface.v4), (true, &interface.v6)] {
                if let Some(receiver) = receiver {
                    let token = Token(FIRST_RECEIVER + receivers.len());
                    registry.register(&mut SourceFd(&receiver.fd()), token, Interest::READABLE)?;
                    receivers.push((interface.index, v6));
                }
            }
        }
        let mut events = Events::with_capacity(64);
        let mut buffer = vec![0; 65_536];
        self.refresh_links()?;
        loop {
            let wait = self
                .speaker
                .next_deadline()
                .map(|deadline| deadline.at.saturating_sub(self.start.elapsed()));
            if let Err(error) = poll.poll(&mut events, wait) {
                if error.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                return Err(error);
            }
            for event in &events {
                match event.token() {
                    CONTROL => control.serve(|request| self.answer(request)),
                    SIGNALS => {
                        for signal in signals.pending() {
                            if signal != libc::SIGHUP {
                                return Ok(());
                            }
                            line(
                                "SIGHUP: the configuration is not read again; nothing has changed",
                            );
                        }
                    }
                    LINKS => {
                        watch.drain();
                        self.refresh_links()?;
                    }
                    Token(other) => {
                        let at = other.checked_sub(FIRST_RECEIVER);
                        if let Some((index, v6)) = at.and_then(|at| receivers.get(at)) {
                            self.receive(*index, *v6, &mut buffer);
                        }
                    }
                }
            }
            self.handle(SpeakerEvent::Deadline);
        }
    }

    /// Stops all routers and takes everything off the machine again.
    fn stop(&mut self) {
        self.handle(SpeakerEvent::Shutdown);
        for instance in self.instances.values_mut() {
            drop(instance.filter.take());
            if let Err(error) = instance.holder.drop_link(&mut self.netlink) {
                line(&format!("vrrp: {}: {error}", instance.name));
            }
        }
    }

    fn handle(&mut self, event: SpeakerEvent<'_>) {
        let now = self.start.elapsed();
        // What is dropped is counted by its reason.
        let _ = self.speaker.handle(event, now, &mut self.actions);
        while let Some(SpeakerAction { router, action }) = self.actions.pop() {
            self.carry_out(router, action, now);
        }
    }

    fn receive(&mut self, index: u32, v6: bool, buffer: &mut [u8]) {
        let now = self.start.elapsed();
        loop {
            let Some(interface) = self.interfaces.get(&index) else {
                return;
            };
            let Some(receiver) = (if v6 { &interface.v6 } else { &interface.v4 }) else {
                return;
            };
            let speaker = &mut self.speaker;
            let actions = &mut self.actions;
            let malformed = &mut self.malformed;
            let taken = receiver.receive(buffer, |received| match received {
                Ok(packet) => {
                    let event = SpeakerEvent::Received {
                        interface: index,
                        packet,
                    };
                    // What is dropped is counted by its reason.
                    let _ = speaker.handle(event, now, actions);
                }
                Err(error) => *malformed.entry(error.to_string()).or_default() += 1,
            });
            if taken.is_err() {
                return;
            }
            while let Some(SpeakerAction { router, action }) = self.actions.pop() {
                self.carry_out(router, action, now);
            }
        }
    }

    fn carry_out(&mut self, key: RouterKey, action: Action, now: Duration) {
        let Some(instance) = self.instances.get(&key) else {
            return;
        };
        let Some(interface) = self.interfaces.get(&key.interface) else {
            return;
        };
        let mut buffer = [0; 8192];
        let written = |bytes: Result<usize, vrrp::EncodeError>| bytes.map_err(io::Error::other);
        let result = match action {
            Action::Send(transmit) if transmit.destination() == key.family.group() => {
                written(transmit.message().write_frame(&mut buffer)).and_then(|len| {
                    let frame = buffer.get_mut(..len).unwrap_or_default();
                    if !instance.virtual_mac
                        && let Some(source) = frame.get_mut(6..12)
                    {
                        source.copy_from_slice(&interface.mac.0);
                    }
                    interface.frames.send(frame)
                })
            }
            Action::Send(transmit) => written(transmit.write_packet(&mut buffer)).and_then(|len| {
                let packet = buffer.get(..len).unwrap_or_default();
                interface.send(packet, transmit.destination())
            }),
            Action::Announce(announcement) => written(announcement.write_frame(&mut buffer))
                .and_then(|len| interface.frames.send(buffer.get(..len).unwrap_or_default())),
            Action::AddAddresses(held) if !held.owned => {
                instance.holder.add(&mut self.netlink, &instance.addresses)
            }
            Action::RemoveAddresses(held) if !held.owned => instance
                .holder
                .remove(&mut self.netlink, &instance.addresses),
            Action::StateChanged { from, to, reason } => {
                let (from, to) = (from.name(), to.name());
                let time = now.as_secs_f64();
                let name = &instance.name;
                line(&format!("{time:.3} {name}: {from} -> {to} ({reason:?})"));
                Ok(())
            }
            Action::Warn(warning) => {
                let (time, name) = (now.as_secs_f64(), &instance.name);
                line(&format!("{time:.3} {name}: {warning:?}"));
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(error) = result {
            line(&format!("vrrp: {}: {error}", instance.name));
        }
    }

    /// Looks at all links and addresses, and tells the routers what changed.
    fn refresh_links(&mut self) -> io::Result<()> {
        let links = self.netlink.links()?;
        let addresses = self.netlink.addresses()?;
        let running = |name: &str| links.iter().any(|link| link.name == name && link.running);
        let up: Vec<(u32, bool)> = self
            .interfaces
            .values()
            .map(|i| (i.index, running(&i.name)))
            .collect();
        for (interface, up) in up {
            if !up {
                self.handle(SpeakerEvent::InterfaceDown { interface });
                continue;
            }
            let keys: Vec<RouterKey> = self
                .instances
                .keys()
                .filter(|key| key.interface == interface)
                .copied()
                .collect();
            for key in keys {
                if let Some(address) = self.source(&key, &addresses) {
                    let event = vrrp::Event::Startup { address };
                    self.handle(SpeakerEvent::Router { key, event });
                }
            }
        }
        for (object, place) in (0..).zip(self.objects.clone()) {
            if let Object::Interface(name) = place {
                self.handle(SpeakerEvent::Track {
                    object,
                    up: running(&name),
                });
            }
        }
        Ok(())
    }

    /// The address a router sends from: as configured, or the interface's first that is not
    /// virtual.
    fn source(&self, key: &RouterKey, addresses: &[(u32, IpAddr, u8)]) -> Option<IpAddr> {
        if let Some(source) = self.instances.get(key).and_then(|instance| instance.source) {
            return Some(source);
        }
        let virtual_ones = |ip: &IpAddr| {
            self.instances.iter().any(|(other, instance)| {
                let owner = self
                    .speaker
                    .router(other)
                    .is_some_and(|router| router.config().priority.is_owner());
                !owner
                    && other.interface == key.interface
                    && instance.addresses.iter().any(|net| net.addr() == *ip)
            })
        };
        let mut fitting = addresses.iter().filter_map(|(index, ip, _)| {
            let right = match (key.family, ip) {
                (Family::V4, IpAddr::V4(_)) => true,
                // RFC 9568 §5.1.2.1: the link-local address.
                (Family::V6, IpAddr::V6(ip)) => ip.is_unicast_link_local(),
                _ => false,
            };
            (right && *index == key.interface && !virtual_ones(ip)).then_some(*ip)
        });
        fitting.next()
    }

    fn answer(&mut self, request: &str) -> String {
        match request.split_once(' ').unwrap_or((request, "")) {
            ("status", "") => self.status(),
            ("track", rest) => {
                let (state, name) = rest.split_once(' ').unwrap_or((rest, ""));
                let named = Object::Named(name.to_owned());
                let at = self.objects.iter().position(|object| *object == named);
                match (at.and_then(|at| u32::try_from(at).ok()), state) {
                    (Some(object), "up" | "down") => {
                        self.handle(SpeakerEvent::Track {
                            object,
                            up: state == "up",
                        });
                        format!("{name} is {state}\n")
                    }
                    _ => format!("error: no tracked object `{name}`\n"),
                }
            }
            _ => format!("error: `{request}` is not understood\n"),
        }
    }

    fn status(&self) -> String {
        let now = self.start.elapsed();
        let mut text = String::new();
        for (key, router) in self.speaker.routers() {
            let Some(interface) = self.interfaces.get(&key.interface) else {
                continue;
            };
            let status = router.status(now);
            text += &Show {
                interface: &interface.name,
                status: &status,
            }
            .to_string();
            text.push('\n');
        }
        let masters = self
            .speaker
            .routers()
            .filter(|(_, router)| router.state() == State::Master)
            .count();
        text += &format!(
            "{} virtual routers, master of {masters}\n",
            self.instances.len()
        );
        for (reason, count) in &self.speaker.counters().dropped {
            text += &format!("Dropped for {reason}: {count}\n");
        }
        for (reason, count) in &self.malformed {
            text += &format!("Dropped for {reason}: {count}\n");
        }
        text
    }
}
