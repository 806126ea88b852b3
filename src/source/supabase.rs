//! Supabase over its REST protocol (PostgREST): the one active row of a table.

use crate::error::Fault;
use crate::http::{Deadline, Http};
use crate::source::{Row, Source};
use async_trait::async_trait;
use reqwest::Url;
use reqwest::header::ACCEPT;
use serde_json::Value;

pub struct Supabase {
    http: Http,
    url: Url,
    key: String,
}

impl Supabase {
    /// `base` is the project's URL, with or without `/rest/v1`.
    pub fn new(http: Http, base: &Url, key: String, table: &str, columns: &str) -> Self {
        let mut url = table_url(base, table);
        // The newest first, should two rows ever be active.
        url.set_query(Some(&format!(
            "select={columns}&status=eq.active&order=updated_at.desc&limit=1"
        )));
        Supabase { http, url, key }
    }
}

/// Where a table is; `base` is the project's URL, with or without `/rest/v1`.
pub(super) fn table_url(base: &Url, table: &str) -> Url {
    let mut url = base.clone();
    let path = base
        .path()
        .trim_end_matches('/')
        .trim_end_matches("/rest/v1")
        .to_owned();
    url.set_path(&format!("{path}/rest/v1/{table}"));
    url
}

#[async_trait]
impl Source for Supabase {
    fn name(&self) -> &'static str {
        "supabase"
    }

    async fn load(&self, deadline: Deadline) -> Result<Option<Row>, Fault> {
        let answer = self
            .http
            .exchange(deadline, |client| {
                client
                    .get(self.url.clone())
                    .header("apikey", &self.key)
                    .bearer_auth(&self.key)
                    .header(ACCEPT, "application/json")
            })
            .await?;
        match answer.status {
            200 => rows(&answer.body),
            status => Err(Fault::of_status(status)),
        }
    }
}

/// The first of an array of rows.
pub(crate) fn rows(body: &[u8]) -> Result<Option<Row>, Fault> {
    let malformed = Fault::Malformed {
        expected: "an array of rows",
    };
    let Ok(Value::Array(rows)) = serde_json::from_slice(body) else {
        return Err(malformed);
    };
    match rows.into_iter().next() {
        None => Ok(None),
        Some(Value::Object(row)) => Ok(Some(row)),
        Some(_) => Err(malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::http::Trust;
    use std::sync::Arc;

    fn http(base: &str) -> Http {
        let (trust, clock) = (Trust::new(None).unwrap(), Arc::new(SystemClock));
        Http::new(&base.parse().unwrap(), &trust, clock).unwrap()
    }

    #[test]
    fn the_active_row_is_asked_for_wherever_the_base_ends() {
        let expected = "https://x.supabase.co/rest/v1/t?select=a,b&status=eq.active&order=updated_at.desc&limit=1";
        for base in [
            "https://x.supabase.co",
            "https://x.supabase.co/",
            "https://x.supabase.co/rest/v1",
            "https://x.supabase.co/rest/v1/",
        ] {
            let source =
                Supabase::new(http(base), &base.parse().unwrap(), "key".into(), "t", "a,b");
            assert_eq!(source.url.as_str(), expected, "{base}");
        }
    }

    #[test]
    fn no_row_is_an_answer_and_anything_but_rows_is_a_fault() {
        assert_eq!(rows(b"[]"), Ok(None));
        assert_eq!(rows(br#"[{"id":1},{"id":2}]"#).unwrap().unwrap()["id"], 1);
        for body in [
            "",
            "{}",
            "[1]",
            "null",
            "<html>",
            r#"{"message":"JWT expired"}"#,
            "[{",
        ] {
            assert!(rows(body.as_bytes()).is_err(), "{body}");
        }
    }
}
