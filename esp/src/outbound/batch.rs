//! Sealing several packets with one call to the key.

use core::time::Duration;

use crypto_suite::{CryptoError, Layout, SealJob};

use super::{Outbound, SealError, SealOptions, Sealed, Staged};
use crate::buffer::PacketBuf;

/// Packets handed to the key at once; longer batches go in pieces of this size.
pub const BATCH: usize = 16;

impl Outbound {
    /// Seals `packets` in order; `results` gets one entry each, as [`seal`](Self::seal) would
    /// give. Packets beyond the shorter of the two slices are left alone. Allocates nothing.
    pub fn seal_batch(
        &mut self,
        packets: &mut [PacketBuf<'_>],
        results: &mut [Result<Sealed, SealError>],
        now: Duration,
    ) {
        for (packets, results) in packets.chunks_mut(BATCH).zip(results.chunks_mut(BATCH)) {
            self.seal_chunk(packets, results, now);
        }
    }

    fn seal_chunk(
        &mut self,
        packets: &mut [PacketBuf<'_>],
        results: &mut [Result<Sealed, SealError>],
        now: Duration,
    ) {
        let mut staged: [Option<Staged>; BATCH] = [const { None }; BATCH];
        for ((packet, result), slot) in packets.iter_mut().zip(&mut *results).zip(&mut staged) {
            let plan = self.plan(packet, now);
            match plan.and_then(|plan| self.stage(packet, plan, SealOptions::default(), now)) {
                Ok(done) => *slot = Some(done),
                Err(error) => {
                    self.counters.errors = self.counters.errors.saturating_add(1);
                    *result = Err(error);
                }
            }
        }
        let mut outcomes = [Ok(()); BATCH];
        {
            let mut ready = packets
                .iter_mut()
                .zip(&staged)
                .filter_map(|(packet, staged)| {
                    let staged = staged.as_ref()?;
                    let esp = packet.as_mut_slice().get_mut(staged.esp_at..)?;
                    Some(job(esp, staged.layout, staged.sealed.sequence))
                });
            let mut jobs: [SealJob<'_>; BATCH] = core::array::from_fn(|_| {
                ready
                    .next()
                    .unwrap_or_else(|| job(&mut [], Layout::esp(None), 0))
            });
            let count = staged.iter().flatten().count();
            self.key
                .seal_batch(jobs.get_mut(..count).unwrap_or_default());
            for (outcome, job) in outcomes.iter_mut().zip(&jobs) {
                *outcome = job.result;
            }
        }
        let mut outcomes = outcomes.into_iter();
        for ((packet, result), staged) in packets.iter_mut().zip(results).zip(&staged) {
            if let Some(staged) = staged {
                let outcome = outcomes.next().unwrap_or(Err(CryptoError::KeyInvalid));
                *result = self.finish(packet, staged, outcome);
            }
        }
    }
}

fn job(packet: &mut [u8], layout: Layout, seq: u64) -> SealJob<'_> {
    // A key that forgets a job has not sealed it.
    SealJob {
        packet,
        layout,
        seq,
        result: Err(CryptoError::KeyInvalid),
    }
}
