//! One control and one data plane in one object, for programs with one thread.

use core::time::Duration;

use bytes::Bytes;
use crypto_suite::Provider;
use esp::PacketBuf;
use ike_sm::{Answer, ChildId, Command, Outcome, Path, Question, Ticket};
use nat_t::Datagram;
use rand_core::CryptoRng;

use crate::actions::{Actions, Transmit};
use crate::config::{Config, ConfigError};
use crate::control::{Control, ControlAction};
use crate::data::{Arrival, DataAction, DataPlane, Dropped, Egress, IcmpOutcome, Ingress};
use crate::event::Event;
use crate::message::Deadline;

/// What [`Tunnels`] want done, besides the packet that they were given.
#[derive(Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send this datagram: an IKE message, a keepalive, a packet that has waited, a piece of one.
    Send(Transmit, Bytes),
    /// Give this IP packet to the inside.
    Deliver(Bytes),
    /// Answer this with [`Tunnels::answer`].
    Ask(Ticket, Question),
    /// This has happened.
    Event(Event),
}

/// What became of a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Received {
    /// The buffer holds an inner IP packet, which came in on this pair: it goes to the inside.
    Deliver(ChildId),
    /// It is done with; what follows from it is among the actions.
    Done,
    /// It was an IKE message, and this became of it.
    Ike(Outcome),
    /// It goes nowhere.
    Dropped(Dropped),
}

/// What became of a packet from the inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Sent {
    /// The buffer holds what is sent.
    Send(Transmit),
    /// The packet is sent as it is: a policy says so.
    Bypass,
    /// It is done with: it waits for its pair of IPsec SAs, its pieces are among the actions, or its
    /// source is told that it is too big.
    Done,
    /// It goes nowhere.
    Dropped(Dropped),
}

/// IPsec with all its peers: datagrams, inner packets, deadlines and commands in; datagrams, inner
/// packets and events out.
///
/// What goes through is worked on in the caller's buffer: what became of it is the value that a call
/// returns. All else that follows is in the caller's [`Actions`] when the call returns.
#[derive(Debug)]
pub struct Tunnels {
    control: Control,
    data: DataPlane,
    /// What each machine wants, handed on within the call that made it.
    from_control: Actions<ControlAction>,
    from_data: Actions<DataAction>,
}

impl Tunnels {
    /// Puts the two machines together.
    ///
    /// # Errors
    /// The first fault of the configuration, with the place and the field that it is in.
    pub fn new(
        config: impl Into<Config>,
        provider: &'static Provider,
    ) -> Result<Self, ConfigError> {
        let config = config.into();
        let mut data = DataPlane::new(config.data.clone(), provider);
        let control = Control::new(config, provider)?;
        let mut from_data = Actions::new();
        data.update(control.policies(), Duration::ZERO, &mut from_data);
        Ok(Self {
            control,
            data,
            from_control: Actions::new(),
            from_data,
        })
    }

    /// A UDP datagram has arrived. On a path with [`Path::natt`] it may be IKE, ESP or a keepalive
    /// (RFC 3948 §2), on one without it is IKE. Transport mode wants
    /// [`INBOUND_HEADROOM`](crate::INBOUND_HEADROOM) octets free before it.
    pub fn datagram(
        &mut self,
        path: Path,
        packet: &mut PacketBuf<'_>,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<Action>,
    ) -> Received {
        let message = if path.natt {
            match nat_t::classify(packet.as_slice()) {
                Datagram::Ike(message) => message,
                Datagram::Esp(_) => {
                    return self.esp(&Arrival::udp(&path), packet, now, rng, actions);
                }
                Datagram::Keepalive => return Received::Done,
                Datagram::Malformed(why) => return Received::Dropped(Dropped::Malformed(why)),
            }
        } else {
            packet.as_slice()
        };
        let control = &mut self.control;
        let outcome = control.datagram(path, message, now, rng, &mut self.from_control);
        self.hand_on(now, rng, actions);
        Received::Ike(outcome)
    }

    /// A packet of ESP has arrived, from a raw socket or out of UDP; it begins with its SPI.
    pub fn esp(
        &mut self,
        arrival: &Arrival,
        packet: &mut PacketBuf<'_>,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<Action>,
    ) -> Received {
        let opened = self.data.open(arrival, packet, now, &mut self.from_data);
        self.hand_on(now, rng, actions);
        match opened {
            Ok(Ingress::Deliver(child)) => Received::Deliver(child),
            Ok(Ingress::Done) => Received::Done,
            Err(why) => Received::Dropped(why),
        }
    }

    /// An IP packet from the inside wants out. `packet` has [`HEADROOM`](crate::HEADROOM) octets free
    /// before it and [`TAILROOM`](crate::TAILROOM) behind it.
    pub fn inner(
        &mut self,
        packet: &mut PacketBuf<'_>,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<Action>,
    ) -> Sent {
        let sealed = self.data.seal(packet, now, &mut self.from_data);
        let sent = match sealed {
            Ok(Egress::Send(transmit)) => Sent::Send(transmit),
            Ok(Egress::Bypass) => Sent::Bypass,
            Ok(Egress::Held { .. } | Egress::TooBig { .. }) => Sent::Done,
            Ok(Egress::Fragment(how)) => {
                let (whole, data) = (packet.as_slice(), &mut self.data);
                let (pieces, lost) = data.pieces(whole, how, now, &mut self.from_data);
                for (to, piece) in pieces {
                    actions.push(Action::Send(to, piece));
                }
                lost.map_or(Sent::Done, Sent::Dropped)
            }
            Err(why) => Sent::Dropped(why),
        };
        self.hand_on(now, rng, actions);
        sent
    }

    /// An ICMP message has arrived on the outside; `message` is the IP packet with it.
    pub fn icmp(
        &mut self,
        message: &[u8],
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<Action>,
    ) -> IcmpOutcome {
        let outcome = self.data.icmp(message, now, rng, &mut self.from_data);
        self.hand_on(now, rng, actions);
        outcome
    }

    /// The operator wants something: a tunnel up or down, a rekey.
    pub fn command(
        &mut self,
        command: Command,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<Action>,
    ) -> Outcome {
        let control = &mut self.control;
        let outcome = control.command(command, now, rng, &mut self.from_control);
        self.hand_on(now, rng, actions);
        outcome
    }

    /// The answer to a question is there. An answer to a question that is no longer open is dropped.
    pub fn answer(
        &mut self,
        ticket: Ticket,
        answer: Answer,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<Action>,
    ) -> Outcome {
        let control = &mut self.control;
        let outcome = control.answer(ticket, answer, now, rng, &mut self.from_control);
        self.hand_on(now, rng, actions);
        outcome
    }

    /// The time given by [`next_deadline`](Self::next_deadline) has come. Too early is harmless.
    pub fn deadline(
        &mut self,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<Action>,
    ) {
        self.data.deadline(now, &mut self.from_data);
        self.hand_on(now, rng, actions);
        self.control.deadline(now, rng, &mut self.from_control);
        self.hand_on(now, rng, actions);
    }

    /// When [`deadline`](Self::deadline) wants to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        let machines = [self.control.next_deadline(), self.data.next_deadline()];
        machines
            .into_iter()
            .flatten()
            .min_by_key(|deadline| deadline.at)
    }

    /// The IKE side: its SAs and children, for tables.
    #[must_use]
    pub const fn control(&self) -> &Control {
        &self.control
    }

    /// The packet side: its pairs and policies, for tables.
    #[must_use]
    pub const fn data(&self) -> &DataPlane {
        &self.data
    }

    /// The packet side, to tell it of the links that packets leave on.
    pub const fn data_mut(&mut self) -> &mut DataPlane {
        &mut self.data
    }

    /// Carries the messages between the two machines, and the rest out. What control has decided
    /// comes first: its updates are in the order in which they must be done.
    fn hand_on(&mut self, now: Duration, rng: &mut dyn CryptoRng, actions: &mut Actions<Action>) {
        loop {
            if let Some(action) = self.from_control.pop() {
                match action {
                    ControlAction::Send(path, datagram) => {
                        actions.push(Action::Send(Transmit::ike(path), datagram));
                    }
                    ControlAction::Update(update) => {
                        self.data.update(update, now, &mut self.from_data);
                    }
                    ControlAction::Ask(ticket, question) => {
                        actions.push(Action::Ask(ticket, question));
                    }
                    ControlAction::Event(event) => actions.push(Action::Event(event)),
                }
            } else if let Some(action) = self.from_data.pop() {
                match action {
                    DataAction::Send(transmit, datagram) => {
                        actions.push(Action::Send(transmit, datagram));
                    }
                    DataAction::Deliver { packet, .. } => actions.push(Action::Deliver(packet)),
                    DataAction::Notice(notice) => {
                        // A notice that control has no use for changes nothing.
                        let control = &mut self.control;
                        let _outcome = control.notice(notice, now, rng, &mut self.from_control);
                    }
                    DataAction::Event(event) => actions.push(Action::Event(event)),
                }
            } else {
                return;
            }
        }
    }
}
