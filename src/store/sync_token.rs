//! The sync token of a store with replicas: whoever presents the newest is answered no older state than it names. Nothing depends
//! on it: it spares loads from the source where a replica lags.
//!
//! Tokens are opaque, so their order is kept here, by the commands that they came with.

/// What an announced token may hold. One has some tens of bytes; as a header, a long one would have each command refused.
const TOKEN_CAP_BYTES: usize = 512;

#[derive(Default)]
pub struct SyncToken {
    token: Option<String>,
    /// Commands sent so far; each has a number.
    sent: u64,
    /// The token of a command counts only if that was sent after this one: answers overtake each other. After a write or an
    /// announcement it is the last command that was sent until then.
    floor: u64,
}

impl SyncToken {
    /// The number of the next command, and the token to present with it.
    pub fn send(&mut self) -> (u64, Option<String>) {
        self.sent += 1;
        (self.sent, self.token.clone())
    }

    pub fn newest(&self) -> Option<String> {
        self.token.clone()
    }

    /// The token that came with the answer to command `number`.
    pub fn keep(&mut self, token: &str, number: u64, writes: bool) {
        if number > self.floor && is_token(token) {
            self.token = Some(token.to_owned());
            self.floor = if writes { self.sent } else { number };
        }
    }

    /// The token of an announcement that was news.
    pub fn announced(&mut self, token: &str) {
        if is_token(token) {
            self.token = Some(token.to_owned());
            self.floor = self.sent;
        }
    }
}

/// Whether a header can hold it.
fn is_token(token: &str) -> bool {
    (1..=TOKEN_CAP_BYTES).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_token_does_not_replace_that_of_a_write() {
        let mut sync = SyncToken::default();
        let [early_read, write, overlapping_read] = [(); 3].map(|()| sync.send().0);
        sync.keep("write", write, true);
        sync.keep("early", early_read, false);
        sync.keep("overlapping", overlapping_read, false);
        assert_eq!(sync.newest().as_deref(), Some("write"));
        let [overtaken, later] = [(); 2].map(|()| sync.send().0);
        sync.keep("later", later, false);
        sync.keep("overtaken", overtaken, false);
        assert_eq!(sync.newest().as_deref(), Some("later"));
    }

    #[test]
    fn an_announced_token_is_presented_until_a_later_command_brought_another() {
        let mut sync = SyncToken::default();
        let (under_way, _) = sync.send();
        sync.announced("announced");
        sync.keep("under", under_way, false);
        let (later, presented) = sync.send();
        assert_eq!(presented.as_deref(), Some("announced"));
        sync.keep("later", later, false);
        assert_eq!(sync.newest().as_deref(), Some("later"));
    }

    #[test]
    fn what_no_header_can_hold_is_no_token() {
        let mut sync = SyncToken::default();
        for token in ["", "a\nb", "é", &"x".repeat(TOKEN_CAP_BYTES + 1)] {
            sync.announced(token);
            assert_eq!(sync.newest(), None);
        }
    }
}
