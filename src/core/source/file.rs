//! A source in a file: one row as JSON, read anew at each load. For development and for servers without a database.

use crate::core::error::Fault;
use crate::core::http::{CONTENT_CAP_BYTES, Deadline};
use crate::core::source::{Row, Source};
use async_trait::async_trait;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::time::timeout_at;

pub struct RowFile {
    path: PathBuf,
}

impl RowFile {
    pub fn new(path: PathBuf) -> Self {
        RowFile { path }
    }
}

#[async_trait]
impl Source for RowFile {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn load(&self, deadline: Deadline) -> Result<Option<Row>, Fault> {
        let path = self.path.clone();
        // A file can hang too (a network mount, a pipe); the thread that waits for it is not ours to wait for.
        let reading = tokio::task::spawn_blocking(move || read(&path));
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
    serde_json::from_slice(&text).map_err(|_| Fault::Malformed {
        expected: "one row as a JSON object",
    })
}
