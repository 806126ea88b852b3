//! The lines of an event stream, out of chunks of any size. Pure.
//!
//! Upstash sends one event per `data:` line, with or without a blank line after it, so each such line is an event here; a
//! multi-line event of the SSE specification does not occur. Lines end with LF, CRLF or CR; comments and other fields are
//! left out. A line is only read as text once it is whole, so a chunk may end inside a character.

/// What a line may hold; a longer one is dropped. An announcement has some hundred bytes.
pub(crate) const LINE_CAP_BYTES: usize = 64 << 10;

#[derive(Default)]
pub struct Lines {
    line: Vec<u8>,
    /// The line is longer than the cap: the rest of it is dropped too.
    overlong: bool,
}

impl Lines {
    /// The events that end in this chunk.
    pub fn feed(&mut self, chunk: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        for &byte in chunk {
            if byte == b'\n' || byte == b'\r' {
                if !self.overlong {
                    events.extend(event(&self.line));
                }
                self.line.clear();
                self.overlong = false;
            } else if self.line.len() < LINE_CAP_BYTES {
                self.line.push(byte);
            } else {
                self.overlong = true;
            }
        }
        events
    }
}

fn event(line: &[u8]) -> Option<String> {
    let value = line.strip_prefix(b"data:")?;
    let value = value.strip_prefix(b" ").unwrap_or(value);
    Some(String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(stream: &[u8], chunk_bytes: usize) -> Vec<String> {
        let mut lines = Lines::default();
        let chunks = stream.chunks(chunk_bytes);
        chunks.flat_map(|chunk| lines.feed(chunk)).collect()
    }

    #[test]
    fn every_framing_gives_the_same_events_in_chunks_of_any_size() {
        let framings = [
            "data: one\n\ndata: zw\u{F6}lf \u{1F333}, b\n\n",
            "data: one\ndata: zw\u{F6}lf \u{1F333}, b\n",
            "data: one\r\n\r\ndata: zw\u{F6}lf \u{1F333}, b\r\n\r\n",
            "data: one\r\rdata: zw\u{F6}lf \u{1F333}, b\r\r",
            "data:one\n\ndata:zw\u{F6}lf \u{1F333}, b\n\n",
            ": keep-alive\n\ndata: one\n: ping\ndata: zw\u{F6}lf \u{1F333}, b\n\n",
            "event: message\nid: 1\nretry: 5\ndata: one\n\ndata: zw\u{F6}lf \u{1F333}, b\n\n",
        ];
        for framing in framings {
            for chunk_bytes in 1..=framing.len() {
                assert_eq!(
                    events(framing.as_bytes(), chunk_bytes),
                    ["one", "zw\u{F6}lf \u{1F333}, b"],
                    "{framing:?} in chunks of {chunk_bytes}"
                );
            }
        }
    }

    #[test]
    fn an_unfinished_line_is_no_event() {
        assert_eq!(events(b"data: whole\ndata: half", 3), ["whole"]);
    }

    #[test]
    fn an_overlong_line_is_dropped_and_the_next_one_read() {
        let stream = format!("data: {}\ndata: next\n", "x".repeat(LINE_CAP_BYTES));
        assert_eq!(events(stream.as_bytes(), 1000), ["next"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_chunks_make_no_difference(
            stream in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'd')], 0..300),
            chunk_bytes in 1_usize..50,
        ) {
            prop_assert_eq!(events(&stream, chunk_bytes), events(&stream, 300));
        }
    }
}
