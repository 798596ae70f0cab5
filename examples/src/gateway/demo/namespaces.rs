//! The demo over TUN devices, in two network namespaces.
//!
//! Each gateway is a process of its own that leaves for a new namespace when it starts. The namespaces, and the cable
//! between them, live as long as the processes: nothing is left behind, however the demo ends.

use super::{
    EAST_TUN as EAST, PATIENCE, PINGS, Side, WEST_TUN as WEST, Wish, configuration, show_tables,
    tell_files,
};
use crate::{
    gateway::{
        config::{Config, Version},
        inside::Inside,
        run::{self, Options},
    },
    net::{netlink::Netlink, tun::Tun},
    process::files,
};
use etherparse::{IcmpEchoHeader, Icmpv4Header, Icmpv4Type, Ipv4HeaderSlice};
use ipnet::IpNet;
use nix::{
    sched::{CloneFlags, unshare},
    sys::{prctl::set_pdeathsig, signal::Signal},
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddrV4},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

macro_rules! tell {
    ($($arg:tt)*) => { crate::process::log::line(&format!($($arg)*)) };
}

const CABLE: [&str; 2] = ["outer-east", "outer-west"];
const IDENT: u16 = 0x4950;

/// Runs both gateways as processes of their own.
///
/// # Errors
/// A process, a namespace, a device or an answer is not to be had.
pub(super) fn run(folder: &Path, wish: Wish) -> io::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        let what = "`demo --tun` makes network namespaces and TUN devices: it needs root";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    let mut west = Process::spawn(&WEST, folder, wish)?;
    west.expect("ready")?;
    let mut east = Process::spawn(&EAST, folder, wish)?;
    east.expect("ready")?;
    east.say(&west.child.id().to_string())?;
    east.expect("cabled")?;
    west.say("go")?;
    west.expect("up")?;
    west.pass_on();
    east.say("go")?;
    east.pass_on();
    let status = east.child.wait()?;
    // Hearing no more from us, west ends too.
    drop(west.child.stdin.take());
    let other = west.child.wait()?;
    if !status.success() || !other.success() {
        return Err(io::Error::other("the demo failed"));
    }
    tell_files(folder);
    Ok(())
}

/// One of the two processes, from the outside.
struct Process {
    child: Child,
    lines: Option<BufReader<std::process::ChildStdout>>,
}

impl Process {
    fn spawn(side: &Side, folder: &Path, wish: Wish) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["demo-side", side.name, "--log", wish.log.word()])
            .args((wish.version == Version::Ikev1).then_some("--ikev1"))
            .arg("--dir")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = child.stdout.take().map(BufReader::new);
        Ok(Self { child, lines })
    }

    fn expect(&mut self, word: &str) -> io::Result<()> {
        let mut line = String::new();
        if let Some(lines) = &mut self.lines {
            lines.read_line(&mut line)?;
        }
        if line.trim_end() == word {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "a gateway said `{}` instead of `{word}`",
            line.trim_end()
        )))
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.child
            .stdin
            .as_mut()
            .map_or(Ok(()), |stdin| writeln!(stdin, "{line}"))
    }

    /// Shows all that it prints from now on.
    fn pass_on(&mut self) {
        if let Some(lines) = self.lines.take() {
            thread::spawn(move || {
                for line in lines.lines().map_while(Result::ok) {
                    tell!("{line}");
                }
            });
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already, mostly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One of the two processes, from the inside.
///
/// # Errors
/// As [`run`].
pub(super) fn side(name: &str, folder: PathBuf, wish: Wish) -> io::Result<()> {
    let east = name == EAST.name;
    let (side, other) = if east { (&EAST, &WEST) } else { (&WEST, &EAST) };
    // However the parent ends, we end with it.
    set_pdeathsig(Signal::SIGTERM)?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    let mut netlink = Netlink::open()?;
    say("ready");
    let cable = if east {
        let [near, far] = CABLE;
        netlink.add_veth(near, far)?;
        let pid = hear()?.parse().map_err(io::Error::other)?;
        let index = netlink.link_index(far)?;
        netlink.move_to(index, pid)?;
        say("cabled");
        near
    } else {
        CABLE[1]
    };
    hear()?;
    for (link, address) in [
        ("lo", IpNet::from(std::net::IpAddr::V4(side.inner))),
        (cable, net24(side.outer)?),
    ] {
        let index = netlink.link_index(link)?;
        netlink.set_up(index)?;
        netlink.add_address(index, address)?;
    }
    let file = folder.join(format!("{name}.toml"));
    let written = configuration(side, other, None, wish.version);
    files::secret_file(&file)?.write_all(written.as_bytes())?;
    let config = Config::load(&file).map_err(io::Error::other)?;
    let tun = Tun::create(&config.gateway.tun, config.gateway.mtu)?;
    let options = Options {
        log: Some(wish.log),
        prefix: format!("{name} | "),
        keylog: east.then(|| folder.join("keys")),
        pcap: east.then(|| folder.join("demo.pcap")),
        control: None,
        signals: true,
        confine: false,
    };
    let (mut runner, mut engine) = run::open(config, options, Inside::Tun(tun))?;
    let waker = runner.waker();
    let (tell, told) = mpsc::channel();
    // The routes stand when the gateway turns for the first time: before, the kernel knows no way.
    let (begin, begun) = mpsc::channel();
    let mut begin = Some(begin);
    if east {
        // The first turn waits for nothing.
        waker.wake()?;
        thread::spawn(move || {
            if begun.recv().is_ok() {
                ping(side.inner, other.inner, &tell);
            }
            drop(tell);
            let _ = waker.wake();
        });
    } else {
        say("up");
        thread::spawn(move || {
            // Until the parent has gone, or hangs up.
            let _ = io::stdin().read_to_end(&mut Vec::new());
            drop(tell);
            let _ = waker.wake();
        });
    }
    let mut answered = 0;
    runner.run(&mut engine, |engine, now| {
        if let Some(begin) = begin.take() {
            // The other end has nobody who waits.
            let _ = begin.send(());
        }
        loop {
            match told.try_recv() {
                Ok(Ok(line)) => {
                    answered += 1;
                    tell!("{name} | {line}");
                }
                Ok(Err(line)) => tell!("{name} | {line}"),
                Err(mpsc::TryRecvError::Empty) => return ControlFlow::Continue(()),
                Err(mpsc::TryRecvError::Disconnected) => {
                    if east {
                        show_tables(name, &engine.status(now));
                    }
                    return ControlFlow::Break(());
                }
            }
        }
    })?;
    if east && answered < PINGS {
        return Err(io::Error::other(format!(
            "{answered} of {PINGS} pings were answered"
        )));
    }
    Ok(())
}

/// Tells the parent, in the order of the log.
fn say(line: &str) {
    tell!("{line}");
}

fn hear() -> io::Result<String> {
    let mut line = String::new();
    if io::stdin().read_line(&mut line)? == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the parent has gone",
        ));
    }
    Ok(line.trim_end().into())
}

fn net24(address: Ipv4Addr) -> io::Result<IpNet> {
    IpNet::new(address.into(), 24).map_err(io::Error::other)
}

/// Sends the pings one after the other and tells what became of each.
fn ping(from: Ipv4Addr, to: Ipv4Addr, tell: &mpsc::Sender<Result<String, String>>) {
    for n in 0..PINGS {
        let line = match ping_once(from, to, n) {
            Ok(time) => {
                let time = time.as_secs_f64() * 1000.0;
                Ok(format!(
                    "ping {} of {PINGS} to {to}: answer after {time:.1} ms",
                    n + 1
                ))
            }
            Err(e) => Err(format!("ping {} of {PINGS} to {to}: {e}", n + 1)),
        };
        if tell.send(line).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn ping_once(from: Ipv4Addr, to: Ipv4Addr, sequence: u16) -> io::Result<Duration> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.bind(&SocketAddrV4::new(from, 0).into())?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    let payload = b"through the tunnel";
    let echo = IcmpEchoHeader {
        id: IDENT,
        seq: sequence,
    };
    let mut packet = Icmpv4Header::with_checksum(Icmpv4Type::EchoRequest(echo), payload)
        .to_bytes()
        .to_vec();
    packet.extend_from_slice(payload);
    let start = Instant::now();
    socket.send_to(&packet, &SocketAddrV4::new(to, 0).into())?;
    let mut buffer = [0; 1500];
    while start.elapsed() < PATIENCE {
        let n = match (&socket).read(&mut buffer) {
            Ok(n) => n,
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                continue;
            }
            Err(e) => return Err(e),
        };
        let bytes = buffer.get(..n).unwrap_or_default();
        let answer = Ipv4HeaderSlice::from_slice(bytes).ok().and_then(|ip| {
            let (icmp, _) = Icmpv4Header::from_slice(bytes.get(ip.slice().len()..)?).ok()?;
            Some(icmp.icmp_type)
        });
        if answer == Some(Icmpv4Type::EchoReply(echo)) {
            return Ok(start.elapsed());
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"))
}
