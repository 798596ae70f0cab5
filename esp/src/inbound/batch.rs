//! Opening several packets with one call to the key.

use core::time::Duration;

use crypto_suite::{CryptoError, Layout, OpenJob};

use super::{Decrypted, Inbound, OpenError, Opened, Outer, Prechecked};
use crate::buffer::PacketBuf;

/// Packets handed to the key at once; longer batches go in pieces of this size.
const BATCH: usize = 16;

impl Inbound {
    /// Opens `packets`, each beginning with its SPI, in order; `results` gets one entry each, as
    /// [`open`](Self::open) would give. Packets beyond the shorter of the two slices are left
    /// alone. All share one `outer`. Allocates nothing.
    pub fn open_batch(
        &mut self,
        packets: &mut [PacketBuf<'_>],
        results: &mut [Result<Opened, OpenError>],
        outer: &Outer,
        now: Duration,
    ) {
        for (packets, results) in packets.chunks_mut(BATCH).zip(results.chunks_mut(BATCH)) {
            self.open_chunk(packets, results, outer, now);
        }
    }

    fn open_chunk(
        &mut self,
        packets: &mut [PacketBuf<'_>],
        results: &mut [Result<Opened, OpenError>],
        outer: &Outer,
        now: Duration,
    ) {
        let mut prechecked: [Option<Prechecked>; BATCH] = [None; BATCH];
        for ((packet, result), slot) in packets.iter().zip(&mut *results).zip(&mut prechecked) {
            match self.precheck(packet.as_slice(), now) {
                Ok(passed) => *slot = Some(passed),
                Err(error) => *result = Err(error),
            }
        }
        let mut outcomes = [Err(CryptoError::IntegrityFailed); BATCH];
        {
            let mut ready = packets
                .iter_mut()
                .zip(&prechecked)
                .filter_map(|(packet, passed)| {
                    passed
                        .as_ref()
                        .map(|passed| job(packet.as_mut_slice(), passed.layout))
                });
            let mut jobs: [OpenJob<'_>; BATCH] = core::array::from_fn(|_| {
                ready
                    .next()
                    .unwrap_or_else(|| job(&mut [], Layout::esp(None)))
            });
            let count = prechecked.iter().flatten().count();
            self.key
                .open_batch(jobs.get_mut(..count).unwrap_or_default());
            for (outcome, job) in outcomes.iter_mut().zip(&jobs) {
                *outcome = job.result;
            }
        }
        let mut outcomes = outcomes.into_iter();
        for ((packet, result), passed) in packets.iter_mut().zip(results).zip(&prechecked) {
            if let Some(passed) = passed {
                *result = match outcomes.next().unwrap_or(Err(CryptoError::IntegrityFailed)) {
                    Ok(()) => {
                        let decrypted = Decrypted {
                            sequence: passed.sequence,
                        };
                        self.commit(packet, decrypted, outer, now)
                    }
                    Err(error) => Err(self.crypto_error(error, packet.len())),
                };
            }
            self.tally(result);
        }
    }
}

fn job(packet: &mut [u8], layout: Layout) -> OpenJob<'_> {
    // A key that forgets a job has not verified it.
    OpenJob {
        packet,
        layout,
        result: Err(CryptoError::IntegrityFailed),
    }
}
