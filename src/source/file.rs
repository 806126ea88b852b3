//! A source in a file: one row as JSON, read anew at each load. For development and for servers without a database.

use crate::error::Fault;
use crate::http::{CONTENT_CAP_BYTES, Deadline};
use crate::source::{Row, Source};
use async_trait::async_trait;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::timeout_at;

pub struct RowFile {
    path: PathBuf,
    /// Held by the one read that is under way. A file can hang (a network mount, a pipe), and its thread with it; no
    /// second one is sent after it.
    reading: Arc<Mutex<()>>,
}

impl RowFile {
    pub fn new(path: PathBuf) -> Self {
        RowFile {
            path,
            reading: Arc::default(),
        }
    }
}

#[async_trait]
impl Source for RowFile {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn load(&self, deadline: Deadline) -> Result<Option<Row>, Fault> {
        let path = self.path.clone();
        let reading = async {
            let turn = self.reading.clone().lock_owned().await;
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                read(&path)
            })
            .await
        };
        match timeout_at(deadline.at(), reading).await {
            Err(_) => Err(deadline.fault()),
            Ok(Err(_)) => Err(Fault::Interrupted),
            Ok(Ok(row)) => row.map(Some),
        }
    }
}

fn read(path: &Path) -> Result<Row, Fault> {
    let unreadable = |error: io::Error| Fault::Unreadable { kind: error.kind() };
    let cap = 2 * CONTENT_CAP_BYTES;
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(cap as u64 + 1)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    if text.len() > cap {
        return Err(Fault::TooLarge { cap_bytes: cap });
    }
    // Editors on Windows begin a file with a byte order mark.
    let json = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    serde_json::from_slice(json).map_err(|_| Fault::Malformed {
        expected: "one row as a JSON object",
    })
}
