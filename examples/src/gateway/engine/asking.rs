//! Questions of the IKE machine: answered at once, or by a worker while packets go on.

use super::Engine;
use crate::gateway::workers::Work;
use ike_sm::{Answer, Event, Question, Ticket};
use std::time::Duration;

impl Engine {
    /// The endpoint asks.
    pub(super) fn asked(&mut self, ticket: Ticket, question: &Question, now: Duration) {
        let unproved = self.endpoint().is_unproved(ticket);
        let workers = self.workers.as_ref();
        let work = workers.and_then(|workers| Some((workers, self.credentials.work(question)?)));
        if let Some((workers, (compute, refusal))) = work {
            let work = Work {
                ticket,
                unproved,
                compute,
                refusal,
            };
            let asked = |ticket: &Ticket| self.endpoint().is_asked(*ticket);
            let Some(out) = workers.submit(work, asked) else {
                return;
            };
            self.count("computations that were too many");
            return self.tell(Event::Answer(out.ticket, out.refusal), now);
        }
        let answer = self.answer(question);
        self.tell(Event::Answer(ticket, answer), now);
    }

    /// Hands over what the workers have finished.
    pub fn finished_work(&mut self, now: Duration) {
        while let Some((ticket, answer)) = self.next_answer() {
            self.tell(Event::Answer(ticket, answer), now);
        }
    }

    fn next_answer(&self) -> Option<(Ticket, Answer)> {
        self.workers.as_ref()?.finished()
    }
}

#[cfg(test)]
mod tests;
