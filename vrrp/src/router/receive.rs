//! Advertisements and what they do (RFC 3768 §7.1, §6.4; RFC 9568 §7.1, §6.4).

use core::time::Duration;

use super::{ASSERTS_PER_INTERVAL, Counters, Master, Router};
use crate::actions::Actions;
use crate::config::AddressCheck;
use crate::event::{DropReason, Outcome, Reason, State, Warning};
use crate::{Advertisement, AuthType, ParseError, Priority, Version};

impl Router {
    /// Takes an advertisement that is parsed already, as [`Event::Received`] does with the bytes.
    ///
    /// [`Event::Received`]: crate::Event::Received
    pub fn advertisement(
        &mut self,
        advertisement: &Advertisement<'_>,
        now: Duration,
        actions: &mut Actions,
    ) -> Outcome {
        let warning = match self.check(advertisement) {
            Ok(warning) => warning,
            Err(reason) => {
                self.counters.drop_for(&reason);
                let warning = match reason {
                    DropReason::WeAreOwner if advertisement.priority().is_owner() => {
                        Some(Warning::SecondOwner {
                            address: advertisement.source(),
                        })
                    }
                    // RFC 3768 §7.1: "the receiver SHOULD log the event", whatever becomes of it.
                    DropReason::AddressList => Some(Warning::AddressesDiffer),
                    _ => None,
                };
                if let Some(warning) = warning {
                    self.warn(warning, now, actions);
                }
                return Outcome::Dropped(reason);
            }
        };
        Counters::count(&mut self.counters.received);
        if advertisement.priority() == Priority::STOP {
            Counters::count(&mut self.counters.priority_zero_received);
        }
        if let Some(warning) = warning {
            self.warn(warning, now, actions);
        }
        match self.state {
            State::Backup => self.receive_as_backup(advertisement, now),
            State::Master => self.receive_as_master(advertisement, now, actions),
            // `check` has refused it.
            State::Initialize => {}
        }
        Outcome::Handled
    }

    /// Everything that can be wrong, before anything changes.
    fn check(&self, packet: &Advertisement<'_>) -> Result<Option<Warning>, DropReason> {
        let config = &self.config;
        if packet.ttl() < config.accept.min_ttl {
            return Err(DropReason::Packet(ParseError::Ttl(packet.ttl())));
        }
        if packet.version() != config.version {
            return Err(DropReason::VersionMismatch(packet.version()));
        }
        if packet.vrid() != config.vrid {
            return Err(DropReason::UnknownVrid(packet.vrid()));
        }
        if packet.family() != config.family() {
            return Err(DropReason::Family);
        }
        let local = self.local.filter(|_| self.state != State::Initialize);
        let local = local.ok_or(DropReason::NotRunning)?;
        // A multicast packet may come back, from our own socket or through a bridge: no other router
        // has sent it.
        if packet.source() == local {
            return Err(DropReason::OwnPacket);
        }
        if config.peers.is_empty() {
            if packet.destination() != config.family().group() {
                return Err(DropReason::Destination(packet.destination()));
            }
        } else if !config.peers.contains(&packet.source()) {
            return Err(DropReason::UnknownPeer(packet.source()));
        } else if packet.destination() == config.family().group() {
            return Err(DropReason::Destination(packet.destination()));
        }
        self.check_authentication(packet)?;
        // RFC 9568 §7.1: "It MUST verify that […] the local router is not the IPvX address owner".
        if config.priority.is_owner() {
            return Err(DropReason::WeAreOwner);
        }
        let addresses_fit = self.addresses_fit(packet);
        // RFC 3768 §7.1: a list that differs is dropped, unless the owner sends it. In version 3 that is
        // a choice: RFC 9568 §7.1 has it logged.
        if !addresses_fit
            && config.address_check == AddressCheck::Drop
            && !packet.priority().is_owner()
        {
            return Err(DropReason::AddressList);
        }
        let interval_fits = packet.interval() == config.interval;
        // RFC 3768 §7.1: "MUST verify that the Adver Interval in the packet is the same as" ours.
        if !interval_fits && config.version == Version::V2 && !config.learn_interval {
            return Err(DropReason::IntervalMismatch(packet.interval()));
        }
        if !addresses_fit && config.address_check != AddressCheck::Off {
            return Ok(Some(Warning::AddressesDiffer));
        }
        if !interval_fits && config.version == Version::V3 {
            return Ok(Some(Warning::IntervalDiffers {
                found: packet.interval(),
            }));
        }
        if packet.priority() == self.effective_priority() {
            return Ok(Some(Warning::SamePriority {
                address: packet.source(),
            }));
        }
        Ok(None)
    }

    /// Checks type and password of version 2 (RFC 2338 §5.3.6, §5.3.10).
    fn check_authentication(&self, packet: &Advertisement<'_>) -> Result<(), DropReason> {
        let expected = match self.config.password {
            Some(_) => AuthType::SIMPLE,
            None => AuthType::NONE,
        };
        // RFC 2338 §5.3.6: one "that does not match the locally configured authentication method MUST
        // be discarded".
        if packet.auth_type() != expected {
            return Err(DropReason::AuthTypeMismatch(packet.auth_type()));
        }
        match &self.config.password {
            // RFC 2338 §5.3.10: a packet whose string "does not match the locally configured
            // authentication string MUST be discarded".
            Some(password) if !password.matches(packet.auth_data()) => Err(DropReason::Password),
            _ => Ok(()),
        }
    }

    /// Whether the packet lists the configured addresses, in whatever order.
    fn addresses_fit(&self, packet: &Advertisement<'_>) -> bool {
        let ours = &self.config.addresses;
        if packet.addresses().eq(ours.iter().copied()) {
            return true;
        }
        packet.address_count() == ours.len()
            && packet.addresses().all(|address| ours.contains(&address))
            && ours
                .iter()
                .all(|address| packet.addresses().any(|theirs| theirs == *address))
    }

    /// RFC 9568 §6.4.2, with the preempt delay.
    fn receive_as_backup(&mut self, packet: &Advertisement<'_>, now: Duration) {
        if packet.priority() == Priority::STOP {
            self.timers.master_down = Some(now.saturating_add(self.skew_time()));
            self.timers.master_stopped = true;
            self.timers.preempt = None;
            self.master = None;
            return;
        }
        self.master = Some(master_of(packet));
        self.heard = now;
        let lower = packet.priority() < self.effective_priority();
        if lower && self.config.preempt {
            if self.config.preempt_delay.is_zero() {
                // Discarded: the timer runs out, and we take over.
                return;
            }
            let until = now.saturating_add(self.config.preempt_delay);
            self.timers.preempt.get_or_insert(until);
        } else {
            self.timers.preempt = None;
        }
        self.master_interval = packet.interval();
        self.timers.master_down = Some(now.saturating_add(self.master_down_interval()));
        self.timers.master_stopped = false;
    }

    /// What a master does with an advertisement that it has accepted (RFC 9568 §6.4.3).
    fn receive_as_master(
        &mut self,
        packet: &Advertisement<'_>,
        now: Duration,
        actions: &mut Actions,
    ) {
        let priority = self.effective_priority();
        if packet.priority() == Priority::STOP {
            self.send(priority, actions);
            self.timers.advertise = Some(now.saturating_add(self.config.interval.duration()));
            return;
        }
        let rank = (packet.priority(), Some(packet.source()));
        if rank > (priority, self.local) {
            self.release(actions);
            let master = master_of(packet);
            self.master_interval = packet.interval();
            let Master {
                address, priority, ..
            } = master;
            self.enter_backup(Reason::BetterMaster { address, priority }, now, actions);
            self.master = Some(master);
            self.heard = now;
        } else if self.config.assert_master && self.asserts < ASSERTS_PER_INTERVAL {
            // RFC 9568 §6.4.3: assert the {Active} state, and correct the learning bridges.
            self.asserts = self.asserts.saturating_add(1);
            self.send(priority, actions);
            self.announce(actions);
        }
    }
}

fn master_of(packet: &Advertisement<'_>) -> Master {
    Master {
        address: packet.source(),
        priority: packet.priority(),
        interval: packet.interval(),
    }
}
