//! An embedded IP stack with one address, which answers pings and can send some.

use ipnet::IpNet;
use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium},
    socket::icmp,
    time::Instant,
    wire::{HardwareAddress, Icmpv4Packet, Icmpv4Repr, IpAddress, IpCidr, Ipv4Address},
};
use std::{collections::VecDeque, io, net::Ipv4Addr, time::Duration};

/// Packets that wait in either direction; more are dropped as a full device would.
const QUEUE: usize = 256;
/// Identifier of our pings.
const IDENT: u16 = 0x4950;

/// The stack.
pub struct Stack {
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    wires: Wires,
    pinger: Option<Pinger>,
}

/// Sends echo requests and remembers what came of them.
#[derive(Debug, Clone)]
pub struct Pinger {
    /// Whom.
    pub target: Ipv4Addr,
    /// How many.
    pub count: u16,
    /// How often.
    pub interval: Duration,
    /// When each was sent.
    sent: Vec<Duration>,
    /// Round-trip time of each answered one; `None` is open.
    answered: Vec<Option<Duration>>,
}

impl Pinger {
    /// `count` requests to `target`, one each `interval`.
    #[must_use]
    pub const fn new(target: Ipv4Addr, count: u16, interval: Duration) -> Self {
        Self {
            target,
            count,
            interval,
            sent: Vec::new(),
            answered: Vec::new(),
        }
    }

    /// Requests sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent.len()
    }

    /// Answers received, with their sequence number and round-trip time.
    pub fn answers(&self) -> impl Iterator<Item = (usize, Duration)> + '_ {
        self.answered
            .iter()
            .enumerate()
            .filter_map(|(n, rtt)| rtt.map(|rtt| (n, rtt)))
    }

    /// When the next request is due.
    fn due(&self) -> Option<Duration> {
        if self.sent.len() >= usize::from(self.count) {
            return None;
        }
        Some(
            self.sent
                .last()
                .map_or(Duration::ZERO, |last| *last + self.interval),
        )
    }

    fn answer(&mut self, sequence: u16, now: Duration) {
        let n = usize::from(sequence);
        if let (Some(slot @ None), Some(sent)) = (self.answered.get_mut(n), self.sent.get(n)) {
            *slot = Some(now.saturating_sub(*sent));
        }
    }
}

impl Stack {
    /// A stack with the address `address`, whose every other address lies behind the gateway.
    #[must_use]
    pub fn new(address: IpNet, mtu: u16) -> Self {
        let mut wires = Wires {
            mtu: mtu.into(),
            to_stack: VecDeque::new(),
            from_stack: VecDeque::new(),
        };
        let config = Config::new(HardwareAddress::Ip);
        let mut interface = Interface::new(config, &mut wires, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            let cidr = IpCidr::new(IpAddress::from(address.addr()), address.prefix_len());
            // An empty list has room for one.
            let _ = addresses.push(cidr);
        });
        // There is no link layer: any next hop does.
        let _ = interface
            .routes_mut()
            .add_default_ipv4_route(Ipv4Address::new(0, 0, 0, 1));
        let buffer =
            || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 16], vec![0; 16 * 128]);
        let mut socket = icmp::Socket::new(buffer(), buffer());
        // A fresh socket binds.
        let _ = socket.bind(icmp::Endpoint::Ident(IDENT));
        let mut sockets = SocketSet::new(Vec::new());
        let socket = sockets.add(socket);
        Self {
            interface,
            sockets,
            socket,
            wires,
            pinger: None,
        }
    }

    /// Starts pinging.
    pub fn ping(&mut self, pinger: Pinger) {
        self.pinger = Some(pinger);
    }

    /// How the pings are doing.
    #[must_use]
    pub const fn pinger(&self) -> Option<&Pinger> {
        self.pinger.as_ref()
    }

    /// Takes one packet that wants out.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let packet = self
            .wires
            .from_stack
            .pop_front()
            .ok_or(io::ErrorKind::WouldBlock)?;
        let room = buffer
            .get_mut(..packet.len())
            .ok_or(io::ErrorKind::InvalidInput)?;
        room.copy_from_slice(&packet);
        Ok(packet.len())
    }

    /// Delivers one packet.
    pub fn send(&mut self, packet: &[u8]) {
        if self.wires.to_stack.len() < QUEUE {
            self.wires.to_stack.push_back(packet.into());
        }
    }

    /// Works off what was delivered and what is due.
    pub fn poll(&mut self, now: Duration) {
        self.send_ping(now);
        let at = instant(now);
        self.interface.poll(at, &mut self.wires, &mut self.sockets);
        let socket = self.sockets.get_mut::<icmp::Socket<'_>>(self.socket);
        while let Ok((payload, _)) = socket.recv() {
            let Ok(packet) = Icmpv4Packet::new_checked(payload) else {
                continue;
            };
            let reply = Icmpv4Repr::parse(&packet, &ChecksumCapabilities::default());
            if let (Ok(Icmpv4Repr::EchoReply { seq_no, .. }), Some(pinger)) =
                (reply, &mut self.pinger)
            {
                pinger.answer(seq_no, now);
            }
        }
    }

    /// When it wants to work next.
    pub fn next_deadline(&mut self, now: Duration) -> Option<Duration> {
        let at = instant(now);
        let own = self
            .interface
            .poll_delay(at, &self.sockets)
            .map(|d| now + Duration::from(d));
        let waiting = (!self.wires.to_stack.is_empty()).then_some(now);
        let due = self.pinger.as_ref().and_then(Pinger::due);
        [own, waiting, due].into_iter().flatten().min()
    }

    fn send_ping(&mut self, now: Duration) {
        let Some(pinger) = &mut self.pinger else {
            return;
        };
        if pinger.due().is_none_or(|due| due > now) {
            return;
        }
        let Ok(seq_no) = u16::try_from(pinger.sent.len()) else {
            return;
        };
        let request = Icmpv4Repr::EchoRequest {
            ident: IDENT,
            seq_no,
            data: b"through the tunnel",
        };
        let socket = self.sockets.get_mut::<icmp::Socket<'_>>(self.socket);
        if let Ok(payload) = socket.send(request.buffer_len(), IpAddress::Ipv4(pinger.target)) {
            let mut packet = Icmpv4Packet::new_unchecked(payload);
            request.emit(&mut packet, &ChecksumCapabilities::default());
            pinger.sent.push(now);
            pinger.answered.push(None);
        }
    }
}

fn instant(now: Duration) -> Instant {
    Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

/// The device of the stack: two queues.
struct Wires {
    mtu: usize,
    to_stack: VecDeque<Vec<u8>>,
    from_stack: VecDeque<Vec<u8>>,
}

struct RxToken(Vec<u8>);
struct TxToken<'a>(&'a mut VecDeque<Vec<u8>>);

impl smoltcp::phy::RxToken for RxToken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl smoltcp::phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut packet = vec![0; length];
        let result = f(&mut packet);
        if self.0.len() < QUEUE {
            self.0.push_back(packet);
        }
        result
    }
}

impl Device for Wires {
    type RxToken<'a> = RxToken;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _: Instant) -> Option<(RxToken, TxToken<'_>)> {
        let packet = self.to_stack.pop_front()?;
        Some((RxToken(packet), TxToken(&mut self.from_stack)))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        Some(TxToken(&mut self.from_stack))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Carries packets from one stack to the other.
    fn carry(from: &mut Stack, to: &mut Stack) {
        let mut buffer = [0; 2048];
        while let Ok(n) = from.recv(&mut buffer) {
            to.send(&buffer[..n]);
        }
    }

    #[test]
    fn one_stack_pings_the_other() {
        let mut a = Stack::new("10.10.1.1/24".parse().unwrap(), 1400);
        let mut b = Stack::new("10.10.2.1/24".parse().unwrap(), 1400);
        a.ping(Pinger::new(
            Ipv4Addr::new(10, 10, 2, 1),
            3,
            Duration::from_millis(100),
        ));
        let mut now = Duration::from_millis(1);
        for _ in 0..100 {
            a.poll(now);
            carry(&mut a, &mut b);
            b.poll(now);
            carry(&mut b, &mut a);
            a.poll(now);
            now += Duration::from_millis(10);
        }
        let pinger = a.pinger().unwrap();
        assert_eq!((pinger.sent(), pinger.answers().count()), (3, 3));
    }

    #[test]
    fn the_next_ping_is_announced() {
        let mut a = Stack::new("10.10.1.1/24".parse().unwrap(), 1400);
        a.ping(Pinger::new(
            Ipv4Addr::new(10, 10, 2, 1),
            2,
            Duration::from_secs(1),
        ));
        let now = Duration::from_secs(5);
        a.poll(now);
        assert_eq!(a.next_deadline(now), Some(Duration::from_secs(6)));
    }
}
