//! Invalidations that other instances announce on the stream. Nothing depends on it: it makes changes visible in milliseconds,
//! the lease makes them certain.

use crate::cache::context::Context;
use crate::error::Fault;
use crate::near::Observed;
use crate::protocol::Announcement;
use crate::push::Listener;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

pub struct Announcements(pub Weak<Context>);

impl Context {
    fn announced(self: &Arc<Self>, announcement: &Announcement) {
        if announcement.from == self.membership.id() {
            return;
        }
        let mut record = announcement.record.clone();
        if self.signed {
            // Whoever signs does not believe what anybody can say: it supersedes what it names, and moves nothing.
            record.previous = None;
        }
        let observed = self.watermark.observe(&record);
        if observed == Observed::Known {
            return;
        }
        if let (Some(store), Some(token)) = (&self.store, &announcement.sync) {
            store.present(token);
        }
        let notes = &announcement.record.notes;
        if observed == Observed::Applied {
            if self.membership.note(notes, self.watermark.tick()) {
                self.acknowledge();
            }
        } else if notes.acknowledge && self.membership.is_member() {
            // A receipt waits for it.
            let context = self.clone();
            self.beside(async move { context.validate(Vec::new()).await.map(drop) });
        }
    }
}

impl Listener for Announcements {
    fn connected(&self) {
        let Some(context) = self.0.upgrade() else {
            return;
        };
        context.push_open.store(true, Ordering::SeqCst);
        // Counted when that has had its effect, so that whoever sees the count sees that too.
        context.stats.push_connects.increment();
        context.stats.pushed(context.clock.monotonic());
        context.state_log.push_open();
    }

    fn message(self: Arc<Self>, message: &str) {
        let Some(context) = self.0.upgrade() else {
            return;
        };
        if let Some(announcement) = Announcement::parse(message) {
            context.announced(&announcement);
        }
        context.told.notify_waiters();
        context.stats.pushes.increment();
        context.stats.pushed(context.clock.monotonic());
    }

    fn ended(&self) {
        if let Some(context) = self.0.upgrade() {
            context.push_open.store(false, Ordering::SeqCst);
            // So that the next read has it opened again, even under a lease of minutes, and sees what was missed.
            context.watermark.renew_soon();
        }
    }

    fn failed(&self, fault: &Fault) {
        if let Some(context) = self.0.upgrade() {
            context.stats.last_push_fault.note(fault);
            context.state_log.push_lost(fault);
            context.watermark.renew_soon();
        }
    }
}
