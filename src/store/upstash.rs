//! Upstash Redis over its REST protocol: one POST with a JSON array for a command, or with an array of them as one transaction.
//! Everything that is sent together is one: a listing must not come apart from the sequence beside it, claims lose nothing by it, and
//! looks are a single MGET anyway.
//!
//! Plain JSON answers, without `Upstash-Encoding: base64`: everything this package writes is UTF-8, and a stranger's bytes
//! that are not come back altered, fail the hash and count as a miss.

use crate::error::Fault;
use crate::http::{Deadline, Http, Reply as Answer};
use crate::store::link::{Command, Link, Replies, Reply};
use crate::store::sync_token::SyncToken;
use async_trait::async_trait;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use std::sync::{Mutex, MutexGuard, PoisonError};

const SYNC_TOKEN: &str = "upstash-sync-token";

pub struct Upstash {
    http: Http,
    /// For one command, and for several.
    urls: [Url; 2],
    token: String,
    /// Never held across `.await`.
    sync: Mutex<SyncToken>,
}

impl Upstash {
    pub fn new(http: Http, url: Url, token: String) -> Self {
        let mut transaction = url.clone();
        transaction.set_path(&format!("{}/multi-exec", url.path().trim_end_matches('/')));
        Upstash {
            http,
            urls: [url, transaction],
            token,
            sync: Mutex::default(),
        }
    }

    fn sync(&self) -> MutexGuard<'_, SyncToken> {
        // A panic under this lock leaves a token that is whole all the same.
        self.sync.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Link for Upstash {
    async fn send(&self, deadline: Deadline, commands: Vec<Command>) -> Result<Replies, Fault> {
        let writes = commands.iter().any(Command::writes);
        let mut commands: Vec<_> = commands.into_iter().map(Command::into_words).collect();
        let one = commands.len() == 1;
        let (url, body) = if one {
            (&self.urls[0], serde_json::to_string(&commands.remove(0)))
        } else {
            (&self.urls[1], serde_json::to_string(&commands))
        };
        let body = body.map_err(|_| Fault::Malformed {
            expected: "commands",
        })?;
        let (number, sync_token) = self.sync().send();
        let answer = self.http.exchange(deadline, |client| {
            let request = client
                .post(url.clone())
                .bearer_auth(&self.token)
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
            match &sync_token {
                Some(token) => request.header(SYNC_TOKEN, token),
                None => request,
            }
        });
        let answer = answer.await?;
        let token = answer
            .headers
            .get(SYNC_TOKEN)
            .and_then(|it| it.to_str().ok());
        if let Some(token) = token {
            self.sync().keep(token, number, writes);
        }
        if one {
            return Ok(vec![result(&answer)]);
        }
        results(&answer)
    }

    fn sync_token(&self) -> Option<String> {
        self.sync().newest()
    }

    fn present(&self, token: &str) {
        self.sync().announced(token);
    }
}

/// The results of the commands of one transaction: a command that failed has an error of its own, and the others were done.
fn results(answer: &Answer) -> Result<Replies, Fault> {
    if answer.status == 200
        && let Ok(Value::Array(items)) = serde_json::from_slice(&answer.body)
    {
        let reply = |item| match item {
            Value::Object(envelope) => opened(envelope, true),
            _ => Err(Fault::Malformed {
                expected: "an object with a result",
            }),
        };
        return Ok(items.into_iter().map(reply).collect());
    }
    // Discarded as a whole: nothing was done.
    match result(answer) {
        Err(fault) => Err(fault),
        Ok(_) => Err(Fault::Malformed {
            expected: "an array of results",
        }),
    }
}

/// The result of one command, out of the answer's envelope.
pub(crate) fn result(answer: &Answer) -> Result<Reply, Fault> {
    match answer.status {
        200 | 400 => {}
        status => return Err(Fault::of_status(status)),
    }
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(envelope)) => opened(envelope, answer.status == 200),
        _ if answer.status == 200 => Err(Fault::Malformed {
            expected: "a JSON object",
        }),
        _ => Err(Fault::of_status(answer.status)),
    }
}

fn opened(mut envelope: Map<String, Value>, accepted: bool) -> Result<Reply, Fault> {
    if let Some(error) = envelope.get("error").filter(|error| !error.is_null()) {
        return Err(rejection(error.as_str().unwrap_or_default()));
    }
    match envelope.remove("result") {
        Some(result) if accepted => reply(result),
        Some(_) => Err(Fault::Status { status: 400 }),
        None => Err(Fault::Malformed {
            expected: "an object with a result",
        }),
    }
}

fn reply(result: Value) -> Result<Reply, Fault> {
    Ok(match result {
        Value::Null => Reply::Nil,
        Value::String(text) => Reply::Text(text),
        Value::Number(number) => number
            .as_i64()
            .map_or_else(|| Reply::Text(number.to_string()), Reply::Integer),
        Value::Array(items) => Reply::List(items.into_iter().map(reply).collect::<Result<_, _>>()?),
        Value::Bool(_) | Value::Object(_) => {
            return Err(Fault::Malformed {
                expected: "a reply of Redis",
            });
        }
    })
}

/// Of the store's words only the class is kept: the rest may quote keys and values.
fn rejection(error: &str) -> Fault {
    // Upstash's texts for a used-up plan, for example `ERR max requests limit exceeded. Limit: 500000, Usage: 500000.`
    if error.starts_with("ERR max") && error.contains("limit exceeded")
        || error.contains("quota exceeded")
    {
        return Fault::QuotaExceeded;
    }
    let code = error.split_whitespace().next().unwrap_or_default();
    let known =
        !code.is_empty() && code.len() <= 16 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    Fault::Rejected {
        code: if known { code } else { "an error" }.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderMap;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }

    #[test]
    fn an_answer_is_a_result_or_a_fault_of_one_class() {
        assert_eq!(result(&answer(200, r#"{"result":null}"#)), Ok(Reply::Nil));
        assert_eq!(
            result(&answer(200, r#"{"result":1,"error":null}"#)),
            Ok(Reply::Integer(1))
        );
        assert_eq!(
            result(&answer(200, r#"{"result":[1,"2"]}"#)),
            Ok(Reply::List(vec![
                Reply::Integer(1),
                Reply::Text("2".into())
            ]))
        );
        for (status, body, class) in [
            (
                401,
                r#"{"error":"WRONGPASS invalid or missing auth token"}"#,
                "unauthorized",
            ),
            (403, "", "unauthorized"),
            (429, "slow down", "quota"),
            (
                400,
                r#"{"error":"ERR max requests limit exceeded. Limit: 500000, Usage: 500000."}"#,
                "quota",
            ),
            (
                400,
                r#"{"error":"ERR DB capacity quota exceeded"}"#,
                "quota",
            ),
            (
                200,
                r#"{"error":"ERR max daily request limit exceeded. Limit: 10000, Usage: 10001."}"#,
                "quota",
            ),
            (
                400,
                r#"{"error":"WRONGTYPE Operation against a key"}"#,
                "rejected",
            ),
            (400, "<html>", "status"),
            (400, r#"{"result":1}"#, "status"),
            (502, "<html>Bad Gateway</html>", "status"),
            (204, "", "status"),
            (200, "<html>", "malformed"),
            (200, "", "malformed"),
            (200, r#"{"resul"#, "malformed"),
            (200, "[]", "malformed"),
            (200, "{}", "malformed"),
            (200, r#"{"error":null}"#, "malformed"),
        ] {
            let fault = result(&answer(status, body)).expect_err(body);
            assert_eq!(fault.class(), class, "{status} {body}");
        }
    }

    #[test]
    fn of_the_stores_words_only_the_code_is_kept() {
        let message = rejection("WRONGTYPE canary").to_string()
            + &rejection("canary").to_string()
            + &rejection("").to_string();
        assert!(
            message.contains("WRONGTYPE") && !message.contains("canary"),
            "{message}"
        );
    }

    #[test]
    fn each_of_several_commands_has_its_own_result() {
        let body = r#"[{"result":"1"},{"error":"WRONGTYPE no"},{"result":null},7]"#;
        let replies = results(&answer(200, body)).unwrap();
        assert_eq!(replies[0], Ok(Reply::Text("1".into())));
        assert_eq!(replies[1].as_ref().map_err(Fault::class), Err("rejected"));
        assert_eq!(replies[2], Ok(Reply::Nil));
        assert!(replies[3].is_err());
        for (status, body, class) in [
            (401, "", "unauthorized"),
            (
                400,
                r#"{"error":"ERR max requests limit exceeded. Limit: 1"}"#,
                "quota",
            ),
            (
                400,
                r#"{"error":"EXECABORT Transaction discarded because of previous errors."}"#,
                "rejected",
            ),
            (200, r#"{"error":"ERR max request size"}"#, "rejected"),
            (200, r#"{"result":1}"#, "malformed"),
            (502, "[]", "status"),
        ] {
            assert_eq!(
                results(&answer(status, body)).unwrap_err().class(),
                class,
                "{body}"
            );
        }
    }
}
