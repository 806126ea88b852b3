//! What the link to Upstash puts on the wire.

use crate::server::{ScriptedServer, answer, read_request};
use crate::world::{World, deadline};
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt;

/// The headers of a request in lower case, and its body.
fn parts(request: &str) -> (String, String) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn commands_that_are_sent_together_are_one_transaction_and_carry_the_newest_token() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    let server = ScriptedServer::start(move |number, mut stream| {
        let seen = seen.clone();
        async move {
            let request = read_request(&mut stream).await;
            let body = if request.starts_with("POST /multi-exec ") {
                r#"[{"result":1},{"result":7},{"result":[null]}]"#
            } else {
                r#"{"result":7}"#
            };
            seen.lock().unwrap().push(request);
            let headers = format!("connection: close\r\nupstash-sync-token: t{number}\r\n");
            let _ = stream.write_all(&answer("200 OK", &headers, body)).await;
        }
    })
    .await;
    let world = World::at(&server.url(), "secret".into());
    let store = &world.store;
    world.validate().await;
    let listing = || Some(("a1", "line".to_owned()));
    for _ in 0..2 {
        let validated = store.validate(deadline(), listing(), vec!["key".into()]);
        assert!(validated.await.unwrap().listed);
    }
    world.validate().await;
    assert_eq!(store.sync_token().as_deref(), Some("t3"));
    let requests = requests.lock().unwrap();
    let paths: Vec<_> = requests
        .iter()
        .map(|it| it.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(paths, ["/", "/multi-exec", "/multi-exec", "/"]);
    assert!(!parts(&requests[0]).0.contains("upstash-sync-token"));
    for (number, request) in requests.iter().enumerate().skip(1) {
        let token = format!("upstash-sync-token: t{}", number - 1);
        assert!(parts(request).0.contains(&token), "{request}");
    }
    let (members, sequence) = (&world.keys.members, &world.keys.sequence);
    let body =
        format!(r#"[["HSET","{members}","a1","line"],["INCRBY","{sequence}","0"],["MGET","key"]]"#);
    assert_eq!(parts(&requests[1]).1, body);
}

#[tokio::test]
async fn the_bridge_gives_tokens_for_transactions_as_for_commands() {
    for world in [World::redis(), World::without_redis()] {
        world.seed().await;
        let first = world.store.sync_token().unwrap();
        let listing = Some(("a1", "line".to_owned()));
        world
            .store
            .validate(deadline(), listing, vec![])
            .await
            .unwrap();
        assert_ne!(world.store.sync_token().unwrap(), first);
    }
}
