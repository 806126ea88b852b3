//! The sync token: who presents the newest to the store is answered no older state than it names, however far the replica
//! that answers lags behind. Tokens are opaque, so their order is kept here, by what they came with.

use crate::core::protocol::{Announcement, Generation, MAX_SAFE_INTEGER};
use reqwest::header::HeaderValue;

/// What an announced token may hold. One has some tens of bytes; as a header, a long one would have each command refused.
const TOKEN_CAP_BYTES: usize = 512;

#[derive(Default)]
pub struct Sync {
    token: Option<HeaderValue>,
    /// Commands sent so far; each has a number.
    sent: u64,
    /// The token of a command counts only if that was sent after this one: answers overtake each other, and an older token
    /// must not come back. After a write or an announcement it is the last command that was sent until then.
    floor: u64,
    /// The last command that was sent before the last invalidation, made here or announced, was known of.
    known_at: u64,
    /// The largest generation whose token was taken. A hint only, for announcements that come late: where the clocks that
    /// seeded it disagree, a token too few is kept and the replica's lag adds to the bound.
    generation: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

impl Sync {
    /// The number of the next command, and the token to present with it.
    pub fn send(&mut self) -> (u64, Option<HeaderValue>) {
        self.sent += 1;
        (self.sent, self.token.clone())
    }

    /// The token to present, as others may be told it.
    pub fn newest(&self) -> Option<String> {
        self.token.as_ref()?.to_str().ok().map(str::to_owned)
    }

    /// The token that came with the answer to command `number`.
    pub fn keep(&mut self, token: &HeaderValue, number: u64, access: Access) {
        if number > self.floor {
            self.token = Some(token.clone());
            self.floor = match access {
                Access::Read => number,
                Access::Write => self.sent,
            };
        }
    }

    /// An invalidation made here, by command `number`, opened this generation. Its token counts if it was sent after all others
    /// that are known, whatever they claim to be; if it overlapped one of them, only if it is the later of the two.
    pub fn committed(&mut self, token: &HeaderValue, number: u64, generation: &Generation) {
        if number > self.known_at || generation.number() > self.generation {
            self.take(token, generation);
        }
    }

    fn take(&mut self, token: &HeaderValue, generation: &Generation) {
        self.token = Some(token.clone());
        self.floor = self.sent;
        self.known_at = self.sent;
        self.generation = generation.number();
    }

    /// Another instance's invalidation, and the token to present from now on.
    pub fn announced(&mut self, announcement: &Announcement) {
        let possible = |text: &&str| (1..=TOKEN_CAP_BYTES).contains(&text.len());
        let token = announcement.sync.as_deref().filter(possible);
        // Nobody could announce one after the largest.
        let newer = self.generation + 1..=MAX_SAFE_INTEGER;
        if newer.contains(&announcement.generation.number())
            && let Some(Ok(token)) = token.map(HeaderValue::from_str)
        {
            self.take(&token, &announcement.generation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).unwrap()
    }

    fn kept(sync: &Sync) -> Option<String> {
        sync.newest()
    }

    fn announcement(generation: &str, sync: &str) -> Announcement {
        Announcement {
            generation: Generation::new(generation),
            sync: Some(sync.into()),
            from: "another".into(),
            scope: None,
        }
    }

    #[test]
    fn an_older_token_does_not_replace_that_of_a_write() {
        let mut sync = Sync::default();
        let [early_read, write, overlapping_read] = [(); 3].map(|()| sync.send().0);
        sync.keep(&token("write"), write, Access::Write);
        sync.keep(&token("early read"), early_read, Access::Read);
        sync.keep(&token("overlapping read"), overlapping_read, Access::Read);
        assert_eq!(kept(&sync).as_deref(), Some("write"));
        let [overtaken_read, later_read] = [(); 2].map(|()| sync.send().0);
        sync.keep(&token("later read"), later_read, Access::Read);
        sync.keep(&token("overtaken read"), overtaken_read, Access::Read);
        assert_eq!(kept(&sync).as_deref(), Some("later read"));
    }

    #[test]
    fn an_announced_token_is_presented_until_a_later_command_brought_another() {
        let mut sync = Sync::default();
        let (under_way, _) = sync.send();
        sync.announced(&announcement("5", "announced"));
        sync.keep(&token("under way"), under_way, Access::Read);
        let (later, presented) = sync.send();
        assert_eq!(presented, Some(token("announced")));
        sync.keep(&token("later"), later, Access::Read);
        assert_eq!(kept(&sync).as_deref(), Some("later"));
    }

    #[test]
    fn a_late_announcement_does_not_replace_the_token_of_a_later_invalidation() {
        let mut sync = Sync::default();
        sync.announced(&announcement("7", "seven"));
        sync.announced(&announcement("6", "six"));
        assert_eq!(kept(&sync).as_deref(), Some("seven"));
        let (number, _) = sync.send();
        sync.committed(&token("eight"), number, &Generation::new("8"));
        sync.announced(&announcement("7", "seven"));
        assert_eq!(kept(&sync).as_deref(), Some("eight"));
    }

    #[test]
    fn an_announcement_during_an_invalidation_does_not_cost_its_token() {
        let mut sync = Sync::default();
        let (number, _) = sync.send();
        sync.announced(&announcement("5", "announced"));
        sync.keep(&token("own"), number, Access::Write);
        sync.committed(&token("own"), number, &Generation::new("6"));
        assert_eq!(kept(&sync).as_deref(), Some("own"));
    }

    #[test]
    fn an_invalidation_whose_answer_comes_late_does_not_replace_the_token_of_a_later_one() {
        let mut sync = Sync::default();
        let [early, own] = [(); 2].map(|()| sync.send().0);
        sync.announced(&announcement("7", "seven"));
        sync.committed(&token("early"), early, &Generation::new("6"));
        assert_eq!(kept(&sync).as_deref(), Some("seven"));
        sync.committed(&token("eight"), own, &Generation::new("8"));
        sync.committed(&token("early"), early, &Generation::new("6"));
        assert_eq!(kept(&sync).as_deref(), Some("eight"));
    }

    #[test]
    fn an_announcement_that_cannot_be_does_no_lasting_harm() {
        let mut sync = Sync::default();
        sync.announced(&announcement(
            "18446744073709551615",
            "of the last generation",
        ));
        sync.announced(&announcement("5", &"x".repeat(TOKEN_CAP_BYTES + 1)));
        assert_eq!(kept(&sync), None);
        sync.announced(&announcement("9007199254740991", "of the largest"));
        let (number, _) = sync.send();
        sync.committed(&token("own"), number, &Generation::new("6"));
        assert_eq!(kept(&sync).as_deref(), Some("own"));
        sync.announced(&announcement("7", "seven"));
        assert_eq!(kept(&sync).as_deref(), Some("seven"));
    }

    #[test]
    fn a_token_that_no_header_can_hold_is_left_out() {
        let mut sync = Sync::default();
        sync.announced(&announcement("5", "a\nb"));
        sync.announced(&announcement("6", ""));
        assert_eq!(kept(&sync), None);
    }
}
