//! Supabase as the source of a resource: the rows of a table that match an id, as JSON.

use crate::error::{CONFIG_INVALID, Fault};
use crate::http::{Deadline, Http};
use crate::resource::{Kind, Loaded, Loader};
use crate::source::supabase::table_url;
use async_trait::async_trait;
use reqwest::Url;
use reqwest::header::ACCEPT;
use serde_json::value::RawValue;

/// Which rows a resource is made of, in PostgREST's words.
#[derive(Clone, Debug)]
pub struct Rows {
    pub table: String,
    /// `None`: the one that PostgREST takes by itself.
    pub schema: Option<String>,
    pub select: String,
    /// The column that is to equal the id.
    pub matches: String,
    /// Columns that are to equal these texts, too.
    pub conditions: Vec<(String, String)>,
    pub order: Option<String>,
    pub limit: Option<u32>,
    /// Whether the value is the first row, and there is none without one; else it is all of them.
    pub single: bool,
}

pub struct SupabaseRows {
    http: Http,
    url: Url,
    key: String,
    rows: Rows,
}

impl SupabaseRows {
    /// `base` is the project's URL, with or without `/rest/v1`.
    pub fn new(http: Http, base: &Url, key: String, rows: Rows) -> Self {
        let url = table_url(base, &rows.table);
        SupabaseRows {
            http,
            url,
            key,
            rows,
        }
    }

    fn url_for(&self, id: &str) -> Url {
        let rows = &self.rows;
        let mut url = self.url.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("select", &rows.select);
        query.append_pair(&rows.matches, &format!("eq.{id}"));
        for (column, text) in &rows.conditions {
            query.append_pair(column, &format!("eq.{text}"));
        }
        if let Some(order) = &rows.order {
            query.append_pair("order", order);
        }
        let limit = if rows.single { Some(1) } else { rows.limit };
        if let Some(limit) = limit {
            query.append_pair("limit", &limit.to_string());
        }
        drop(query);
        url
    }
}

#[async_trait]
impl Loader for SupabaseRows {
    fn name(&self) -> &'static str {
        "supabase"
    }

    async fn load(&self, id: &str, deadline: Deadline) -> Result<Loaded, Fault> {
        let url = self.url_for(id);
        let answer = self
            .http
            .exchange(deadline, |client| {
                let request = client
                    .get(url.clone())
                    .header("apikey", &self.key)
                    .bearer_auth(&self.key)
                    .header(ACCEPT, "application/json");
                match &self.rows.schema {
                    Some(schema) => request.header("accept-profile", schema),
                    None => request,
                }
            })
            .await?;
        match answer.status {
            200 => loaded(answer.body, self.rows.single),
            status => Err(Fault::of_status(status)),
        }
    }
}

/// What an array of rows stands for.
fn loaded(body: Vec<u8>, single: bool) -> Result<Loaded, Fault> {
    let malformed = || Fault::Malformed {
        expected: "an array of rows",
    };
    let text = String::from_utf8(body).map_err(|_| malformed())?;
    let rows: Vec<&RawValue> = serde_json::from_str(&text).map_err(|_| malformed())?;
    if !rows.iter().all(|row| row.get().starts_with('{')) {
        return Err(malformed());
    }
    let json = |content: String| Loaded {
        kind: Kind::Json,
        content,
    };
    if !single {
        return Ok(json(text));
    }
    let first = rows.first().map(|row| json(row.get().to_owned()));
    Ok(first.unwrap_or(Loaded::NOTHING))
}

/// A source that is not configured.
pub struct Unconfigured {
    /// Why.
    pub reason: String,
}

#[async_trait]
impl Loader for Unconfigured {
    fn name(&self) -> &'static str {
        "supabase"
    }

    async fn load(&self, _: &str, _: Deadline) -> Result<Loaded, Fault> {
        Err(Fault::LoadFailed {
            word: CONFIG_INVALID.into(),
            message: self.reason.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::http::Trust;
    use std::sync::Arc;

    fn rows(single: bool) -> Rows {
        Rows {
            table: "lenses".into(),
            schema: None,
            select: "id,config".into(),
            matches: "slug".into(),
            conditions: vec![("status".into(), "on & off".into())],
            order: Some("created_at.desc".into()),
            limit: Some(5),
            single,
        }
    }

    fn url(rows: Rows, id: &str) -> String {
        let base: Url = "https://x.supabase.co/rest/v1/".parse().unwrap();
        let (trust, clock) = (Trust::new(None).unwrap(), Arc::new(SystemClock));
        let http = Http::new(&base, &trust, clock).unwrap();
        SupabaseRows::new(http, &base, "key".into(), rows)
            .url_for(id)
            .to_string()
    }

    #[test]
    fn an_id_is_a_value_and_never_a_part_of_the_query() {
        assert_eq!(
            url(rows(false), "a&limit=9#?/é"),
            "https://x.supabase.co/rest/v1/lenses?select=id%2Cconfig&slug=eq.a%26limit%3D9%23%3F%2F%C3%A9&status=eq.on+%26+off&order=created_at.desc&limit=5"
        );
        assert!(url(rows(true), "a").ends_with("&limit=1"));
    }

    #[test]
    fn rows_come_as_they_were_written() {
        let body = br#"[ {"b":1.10,"a":"x"}, {"b":2} ]"#;
        let text = |single| loaded(body.to_vec(), single).unwrap().content;
        assert_eq!(text(true), r#"{"b":1.10,"a":"x"}"#);
        assert_eq!(text(false).as_bytes(), body);
        assert_eq!(loaded(b"[]".to_vec(), true), Ok(Loaded::NOTHING));
        assert_eq!(loaded(b"[]".to_vec(), false).unwrap().content, "[]");
        for body in ["", "{}", "[1]", "null", "[{", r#"{"message":"no"}"#] {
            assert!(loaded(body.into(), false).is_err(), "{body}");
        }
    }
}
