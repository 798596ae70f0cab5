//! The loop: one thread, one poll, driven by the sockets and by the next deadline.

use super::{
    config::{Config, LogStyle},
    control::Control,
    credentials::Credentials,
    engine::{Engine, HEADROOM, Parts, TAILROOM},
    gre::GreTunnels,
    inside::Inside,
    log::Log,
    outside::{Door, Outside},
    workers::{MOST_WAITING, Workers},
};
use crate::{
    capture::{Capture, KeyFiles},
    net::{netlink::Watch, udp::RecvBuffers},
    process::privileges,
};
use mio::{Events, Interest, Poll, Token, Waker, event::Source, unix::SourceFd};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;
use std::{
    collections::BTreeSet,
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// Signals.
const SIGNALS: Token = Token(0);
/// The inner side.
const INSIDE: Token = Token(1);
/// Another thread wants attention.
const WAKER: Token = Token(2);
/// Links and addresses.
const LINKS: Token = Token(3);
/// The first socket of the outer side.
const OUTSIDE: Token = Token(16);
/// The first of the GRE sockets and devices.
const GRE: Token = Token(512);
/// The control socket; its clients have the tokens behind it.
const CONTROL: Token = Token(1024);

/// Packets taken from one source before the others have their turn.
const BUDGET: usize = 64;
/// How long deletes may take at the end.
const FAREWELL: Duration = Duration::from_millis(500);

/// What a gateway is started with, besides its configuration file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How records are printed.
    pub log: Option<LogStyle>,
    /// Before each line of text.
    pub prefix: String,
    /// Folder for Wireshark's key files.
    pub keylog: Option<PathBuf>,
    /// File for the packets of the outer side.
    pub pcap: Option<PathBuf>,
    /// Control socket; the configuration's, if absent.
    pub control: Option<PathBuf>,
    /// Stop at SIGTERM and SIGINT; SIGHUP changes nothing.
    pub signals: bool,
    /// Give up the rights that are not needed once everything is open, see [`privileges::confine`].
    pub confine: bool,
}

/// Opens sockets and files, and puts a gateway together.
///
/// # Errors
/// One of them cannot be opened; the error says which.
pub fn open(config: Config, options: Options, inside: Inside) -> io::Result<(Runner, Engine)> {
    let poll = Poll::new()?;
    let mut inside = inside;
    let mut links = None;
    if let Inside::Tun(tun) = &mut inside {
        tun.register(poll.registry(), INSIDE, Interest::READABLE)?;
        let watch = Watch::open()?;
        SourceFd(&watch.fd()).register(poll.registry(), LINKS, Interest::READABLE)?;
        links = Some(watch);
    }
    let mut outside = Outside::open(&config, poll.registry(), OUTSIDE)?;
    let gre = GreTunnels::open(&config, poll.registry(), GRE)?;
    if let Some(path) = &options.pcap {
        outside.record(Capture::create(path).map_err(|e| named(path, &e))?);
    }
    let keys = match &options.keylog {
        Some(folder) => {
            let files = KeyFiles::create(folder).map_err(|e| named(folder, &e))?;
            files.decode_ports(config.gateway.port, config.gateway.natt_port)?;
            Some(files)
        }
        None => None,
    };
    let control = match options.control.or_else(|| config.gateway.control.clone()) {
        Some(path) => {
            let control = Control::listen(&path, poll.registry(), CONTROL);
            // It names its path.
            Some(control?)
        }
        None => None,
    };
    let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
    let log = Log::new(options.log.unwrap_or(LogStyle::Compact), options.prefix);
    for warning in config.exposed() {
        log.note(&format!("warning: {warning}"));
    }
    let credentials = Credentials::load(&config).map_err(io::Error::other)?;
    if options.confine {
        // All files are open and no other thread runs: what begins from here on has no more rights than this.
        privileges::confine(keys.is_some())?;
    }
    let workers = match config.gateway.workers.0 {
        0 => None,
        threads => {
            let waker = Arc::clone(&waker);
            // A loop that cannot be woken looks at its next deadline.
            let wake = move || drop(waker.wake());
            Some(Workers::start(threads, MOST_WAITING, wake)?)
        }
    };
    let engine = Engine::new(
        config,
        Parts {
            outside,
            inside,
            gre,
            log,
            keys,
            credentials,
            workers,
        },
    )?;
    let runner = Runner::new(poll, waker, control, links, options.signals)?;
    Ok((runner, engine))
}

fn named(path: &Path, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

/// The loop and what it waits for.
pub struct Runner {
    poll: Poll,
    waker: Arc<Waker>,
    start: Instant,
    signals: Option<Signals>,
    control: Option<Control>,
    links: Option<Watch>,
    buffers: RecvBuffers,
    packet: Vec<u8>,
    /// Sources that may have more to read.
    ready: BTreeSet<Token>,
}

impl Runner {
    /// Waits with `poll`, which the engine's sockets are registered with.
    ///
    /// # Errors
    /// Signal handling cannot be set up.
    fn new(
        poll: Poll,
        waker: Arc<Waker>,
        control: Option<Control>,
        links: Option<Watch>,
        signals: bool,
    ) -> io::Result<Self> {
        let signals = if signals {
            let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
            signals.register(poll.registry(), SIGNALS, Interest::READABLE)?;
            Some(signals)
        } else {
            None
        };
        Ok(Self {
            poll,
            waker,
            start: Instant::now(),
            signals,
            control,
            links,
            buffers: RecvBuffers::new(),
            packet: vec![0; HEADROOM + 65_535 + TAILROOM],
            ready: BTreeSet::new(),
        })
    }

    /// Wakes the loop from another thread.
    #[must_use]
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Time since the loop was made.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Runs until a signal, or until `look`, which is called in every round, has seen enough. Then everything is
    /// deleted, towards the peers too.
    ///
    /// # Errors
    /// A socket is broken beyond use.
    pub fn run<T>(
        &mut self,
        engine: &mut Engine,
        mut look: impl FnMut(&mut Engine, Duration) -> ControlFlow<T>,
    ) -> io::Result<Option<T>> {
        engine.start(self.now())?;
        let result = loop {
            if self.round(engine, None)? {
                break None;
            }
            if let ControlFlow::Break(result) = look(engine, self.now()) {
                break Some(result);
            }
        };
        engine.shutdown(self.now());
        let end = self.now() + FAREWELL;
        while engine.is_busy() && self.now() < end {
            self.round(engine, Some(end))?;
        }
        engine.farewell(self.now());
        Ok(result)
    }

    /// One round, which waits no longer than this.
    #[cfg(test)]
    pub(super) fn turn(&mut self, engine: &mut Engine, most: Duration) -> io::Result<bool> {
        let limit = self.now() + most;
        self.round(engine, Some(limit))
    }

    /// Waits once and does what there is to do. Returns whether a signal asks for the end.
    fn round(&mut self, engine: &mut Engine, limit: Option<Duration>) -> io::Result<bool> {
        let now = self.now();
        engine.deadline(now);
        self.flush_inside(engine);
        // What a deadline has finished cannot wait for the next packet.
        self.answer(engine);
        let deadline = engine.next_deadline(now).into_iter().chain(limit).min();
        let timeout = if self.ready.is_empty() {
            deadline.map(|at| at.saturating_sub(self.now()))
        } else {
            Some(Duration::ZERO)
        };
        let mut events = Events::with_capacity(64);
        match self.poll.poll(&mut events, timeout) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        let mut end = false;
        for event in &events {
            match event.token() {
                SIGNALS => {
                    for signal in self.signals.iter_mut().flat_map(Signals::pending) {
                        if signal == SIGHUP {
                            engine.hang_up();
                        } else {
                            end = true;
                        }
                    }
                }
                WAKER => {}
                LINKS => {
                    if let Some(links) = &self.links {
                        links.drain();
                        engine.addresses_changed(self.start.elapsed());
                    }
                }
                token if token >= CONTROL => self.clients(engine, token)?,
                token => {
                    self.ready.insert(token);
                }
            }
        }
        engine.finished_work(self.now());
        for token in std::mem::take(&mut self.ready) {
            let more = match engine.outside.door(token) {
                _ if token >= GRE => {
                    engine.gre_ready(token.0 - GRE.0, BUDGET, self.start.elapsed())
                }
                _ if token == INSIDE => self.read_inside(engine),
                Some(Door::Udp(index)) => self.read_udp(engine, index)?,
                Some(Door::Raw(index)) => self.read_raw(engine, index),
                Some(Door::Icmp(index)) => self.read_icmp(engine, index),
                None => false,
            };
            if more {
                self.ready.insert(token);
            }
        }
        self.flush_inside(engine);
        self.answer(engine);
        Ok(end)
    }

    fn read_udp(&mut self, engine: &mut Engine, index: usize) -> io::Result<bool> {
        for _ in 0..BUDGET.div_ceil(quinn_udp::BATCH_SIZE) {
            if !engine.outside.recv_udp(index, &mut self.buffers)? {
                return Ok(false);
            }
            let now = self.start.elapsed();
            for (remote, local, payload) in self.buffers.datagrams() {
                let path = engine.outside.arrived(index, remote, local, payload);
                engine.datagram(path, payload, now);
            }
        }
        Ok(true)
    }

    fn read_raw(&mut self, engine: &mut Engine, index: usize) -> bool {
        for _ in 0..BUDGET {
            match engine.outside.recv_raw(index, &mut self.packet) {
                Ok((source, destination, range)) => {
                    let now = self.start.elapsed();
                    if let Some(packet) = self.packet.get_mut(range) {
                        engine.esp(destination, (source, 0).into(), false, packet, now);
                    }
                }
                Err(e) => return !matches!(e.kind(), io::ErrorKind::WouldBlock),
            }
        }
        true
    }

    fn read_icmp(&mut self, engine: &mut Engine, index: usize) -> bool {
        for _ in 0..BUDGET {
            match engine.outside.recv_icmp(index, &mut self.packet) {
                Ok(length) => {
                    let message = self.packet.get_mut(..length).unwrap_or_default();
                    engine.icmp(message, self.start.elapsed());
                }
                Err(e) => return !matches!(e.kind(), io::ErrorKind::WouldBlock),
            }
        }
        true
    }

    fn read_inside(&mut self, engine: &mut Engine) -> bool {
        for _ in 0..BUDGET {
            let end = self.packet.len() - TAILROOM;
            let Some(room) = self.packet.get_mut(HEADROOM..end) else {
                return false;
            };
            match engine.inside.recv(room) {
                Ok(length) => {
                    let now = self.start.elapsed();
                    engine.inner(&mut self.packet, HEADROOM..HEADROOM + length, now);
                }
                Err(_) => return false,
            }
        }
        true
    }

    /// An embedded stack announces nothing: what it sends is fetched.
    fn flush_inside(&mut self, engine: &mut Engine) {
        if !engine.inside.is_kernel() {
            while self.read_inside(engine) {}
        }
    }

    fn clients(&mut self, engine: &mut Engine, token: Token) -> io::Result<()> {
        let Some(control) = &mut self.control else {
            return Ok(());
        };
        for (client, request) in control.ready(token, self.poll.registry())? {
            engine.request(client, request, self.start.elapsed());
        }
        Ok(())
    }

    fn answer(&mut self, engine: &mut Engine) {
        if let Some(control) = &mut self.control {
            for (client, reply) in engine.take_finished() {
                control.reply(client, &reply, self.poll.registry());
            }
        }
    }
}
