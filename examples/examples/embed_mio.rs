//! IPsec embedded in mio: two ends in two threads, with one UDP socket each, on loopback. The first of five pings brings the tunnel up.
//!
//! `cargo run -p examples --example embed_mio`

#![allow(clippy::disallowed_methods)] // a program may read the clock

use examples::ping::Host;
use ipsec::{Action, Actions, Buffer, Command, Config, Event, Path, Received, Sent, Tunnels};
use ipsec::{Selector, Site, crypto_suite::DEFAULT, rand_core::UnwrapErr};
use mio::{Events, Interest, Poll, Token, net::UdpSocket};
use std::{error::Error, thread, time::Instant};

type Res<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The loop of one end, which stands before `host`, until the IKE SA ends. Returns how many pings of
/// the host were answered.
fn run(mut socket: UdpSocket, own: Site, other: Site, mut host: Host) -> Res<u16> {
    let config = Config::site_to_site("site", own, other, &b"a long random string"[..]);
    let mut tunnels = Tunnels::new(config, &DEFAULT)?;
    let (clock, mut rng) = (Instant::now(), UnwrapErr(getrandom::SysRng));
    let (mut actions, mut buffer, mut ending) = (Actions::new(), Buffer::new(4096), false);
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    let readable = Interest::READABLE;
    poll.registry().register(&mut socket, Token(0), readable)?;
    loop {
        let now = clock.elapsed();
        // What the host sends.
        while let Some(inner) = host.pop() {
            let mut packet = buffer.fill(&inner);
            if let Sent::Send(to) = tunnels.inner(&mut packet, now, &mut rng, &mut actions) {
                socket.send_to(packet.as_slice(), to.path.remote)?;
            }
        }
        // A command: the host is content.
        if host.is_done() && !ending {
            let command = Command::Terminate {
                peer: "site".into(),
            };
            let _outcome = tunnels.command(command, now, &mut rng, &mut actions);
            ending = true;
        }
        // A deadline; then what follows from all that.
        tunnels.deadline(now, &mut rng, &mut actions);
        while let Some(action) = actions.pop() {
            match action {
                Action::Send(to, datagram) => {
                    socket.send_to(&datagram, to.path.remote)?;
                }
                Action::Deliver(packet) => host.push(&packet),
                Action::Event(Event::IkeDown { .. }) => return Ok(host.answered()),
                Action::Event(event) => print!("{event}"),
                _ => {}
            }
        }
        // Datagrams, or the next deadline.
        let next = tunnels.next_deadline().map(|deadline| deadline.at);
        let wait = next.map(|at| at.saturating_sub(clock.elapsed()));
        poll.poll(&mut events, wait)?;
        while let Ok((len, remote)) = socket.recv_from(buffer.space()) {
            let path = Path::nat_traversal(socket.local_addr()?, remote);
            let (mut packet, now) = (buffer.packet(len), clock.elapsed());
            match tunnels.datagram(path, &mut packet, now, &mut rng, &mut actions) {
                Received::Deliver(_) => host.push(packet.as_slice()),
                Received::Dropped(why) => println!("from {remote}: {why}"),
                _ => {}
            }
        }
    }
}

/// A socket, and the site that it is the door of.
fn site(address: [u8; 4], network: [u8; 4]) -> Res<(UdpSocket, Site)> {
    let socket = UdpSocket::bind((address, 0).into())?;
    let network = Selector::subnet(network.into(), 24).ok_or("network")?;
    let site = Site::at(socket.local_addr()?, network);
    Ok((socket, site))
}

/// Both ends.
pub fn main() -> Res<()> {
    let (near, here) = site([127, 0, 0, 1], [10, 1, 0, 0])?;
    let (far, there) = site([127, 0, 0, 2], [10, 2, 0, 0])?;
    let hosts = ([10, 1, 0, 1], [10, 2, 0, 1]);
    let answering = Host::new(hosts.1, hosts.0, 0);
    let other = thread::spawn(move || run(far, there, here, answering));
    let answered = run(near, here, there, Host::new(hosts.0, hosts.1, 5))?;
    other.join().map_err(|_| "the other end")??;
    println!("{answered} of 5 pings were answered");
    if answered == 5 {
        Ok(())
    } else {
        Err("lost".into())
    }
}
