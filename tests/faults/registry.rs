//! The registry client against a real registry, and against answers that a real one cannot be
//! made to give.

use std::path::Path;

use tailwater::{
    config::SchemaRegistry,
    encode::{Registry, RegistryError},
    error::{Failure, Verdict},
};
use testkit::{Reply, Request, StubServer, xtask::stack::StackAddress};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

fn client(settings: &str) -> Registry {
    Registry::new(&toml::from_str::<SchemaRegistry>(settings).unwrap()).unwrap()
}

fn at(url: &str) -> Registry {
    client(&format!("url = \"{url}\""))
}

fn real() -> String {
    StackAddress::from_environment().unwrap().registry_url
}

fn record(name: &str, fields: &str) -> String {
    format!(r#"{{"type":"record","name":"{name}","fields":[{fields}]}}"#)
}

/// Gives every schema this id, and has this schema under it.
fn gives(id: u32, schema: &str) -> StubServer {
    let schema = serde_json::json!({ "schema": schema }).to_string();
    StubServer::replying(move |request: &Request| -> Reply {
        if request.path == format!("/schemas/ids/{id}") {
            ("200 OK", schema.clone())
        } else if request.method == "POST" {
            ("200 OK", format!("{{\"id\":{id}}}"))
        } else {
            ("404 Not Found", r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned())
        }
    })
    .unwrap()
}

const ID: &str = r#"{"name":"id","type":"int"}"#;

#[tokio::test]
async fn a_schema_keeps_its_id_and_its_text() {
    let (url, subject) = (real(), "encode.keeps.id-value");
    let registry = at(&url);
    registry.probe().await.unwrap();
    let schema = record("Keeps", r#"{"name":"s","type":"string","default":"\"é\\"}"#);
    let id = registry.register(subject, &schema).await.unwrap();
    assert_eq!(registry.register(subject, &schema).await.unwrap(), id);
    assert_eq!(at(&url).register(subject, &schema).await.unwrap(), id, "another client");
    // The test kit's client waits in its own way, which this thread may not.
    let read = std::thread::spawn(move || testkit::Registry::new(url).schema(id.0).unwrap());
    assert_eq!(read.join().unwrap().text, schema);
}

#[tokio::test]
async fn what_is_known_needs_no_registry() {
    let stub = gives(7, "\"int\"");
    let registry = at(&stub.url());
    let id = registry.register("known-value", "\"int\"").await.unwrap();
    drop(stub);
    assert_eq!(registry.register("known-value", "\"int\"").await.unwrap(), id);
    let error = registry.register("known-value", "\"long\"").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn an_id_is_looked_up_for_the_schema_that_was_sent() {
    let sent =
        r#"{"type":"record","name":"R","fields":[{"name":"f","type":"float","default":1.0}]}"#;
    let arranged =
        r#"{"name":"R", "fields":[{"default":1,"type":"float","name":"f"}], "type":"record"}"#;
    let stub = gives(7, arranged);
    assert_eq!(at(&stub.url()).register("any-value", sent).await.unwrap().0, 7);
    for other in [sent.replace("float", "int"), sent.replace("\"f\"", "\"g\""), "{}".to_owned()] {
        let stub = gives(7, &other);
        let registry = at(&stub.url());
        for _ in 0..2 {
            let error = registry.register("any-value", sent).await.unwrap_err();
            assert!(!error.is_transient());
            let failure = Failure::from(error);
            assert_eq!(
                (failure.verdict, failure.reason.name()),
                (Verdict::Halt, "registry_schema_mismatch")
            );
            assert!(failure.message.contains("the id 7 for any-value"), "{failure}");
        }
    }
}

#[tokio::test]
async fn an_id_that_the_registry_does_not_know_itself_is_looked_up_again() {
    let stub = StubServer::replying(|request: &Request| match request.method.as_str() {
        "POST" => ("200 OK", r#"{"id":7}"#.to_owned()),
        _ => ("404 Not Found", r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned()),
    })
    .unwrap();
    let error = at(&stub.url()).register("any-value", "\"int\"").await.unwrap_err();
    assert!(error.is_transient());
    let failure = Failure::from(error);
    assert_eq!((failure.verdict, failure.reason.name()), (Verdict::Recycle, "registry_id_unknown"));
}

#[tokio::test]
async fn what_is_registered_needs_no_right_to_write() {
    // GIVEN a registry that lets this account read only, and has one schema
    let stub = StubServer::replying(|request: &Request| match request.path.as_str() {
        "/subjects/theirs-value" if request.body.contains("int") => {
            ("200 OK", r#"{"subject":"theirs-value","id":7,"version":1}"#.to_owned())
        }
        "/subjects/theirs-value" => {
            ("404 Not Found", r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned())
        }
        "/schemas/ids/7" => ("200 OK", r#"{"schema":"\"int\""}"#.to_owned()),
        _ => ("403 Forbidden", r#"{"error_code":40301,"message":"may not write"}"#.to_owned()),
    })
    .unwrap();
    let registry = at(&stub.url());
    // THEN that one is found, and any other needs the right
    assert_eq!(registry.register("theirs-value", "\"int\"").await.unwrap().0, 7);
    let error = registry.register("theirs-value", "\"long\"").await.unwrap_err();
    assert!(matches!(error, RegistryError::Denied { status: 403, .. }), "{error}");
}

#[tokio::test]
async fn an_id_that_the_registry_lost_is_noticed_and_forgotten() {
    let (first, second) = (record("Lost", ID), record("Lost", ""));
    let schemas = std::sync::Arc::new(std::sync::Mutex::new(vec![first.clone(), second.clone()]));
    let held = std::sync::Arc::clone(&schemas);
    let stub = StubServer::replying(move |request: &Request| {
        let schemas = held.lock().unwrap();
        let posted =
            |schema: &String| request.body.contains(&serde_json::to_string(schema).unwrap());
        let asked = request.path.rsplit('/').next().unwrap().parse::<usize>().ok();
        let found = match request.method.as_str() {
            "POST" => schemas.iter().position(posted).map(|id| serde_json::json!({ "id": id })),
            _ => asked
                .and_then(|id| schemas.get(id))
                .map(|schema| serde_json::json!({ "schema": schema })),
        };
        found.map_or(("404 Not Found", "{}".to_owned()), |found| ("200 OK", found.to_string()))
    })
    .unwrap();
    let registry = at(&stub.url());
    assert!(registry.check_in_use().await.unwrap(), "nothing is in use");
    for (subject, schema) in [("a-value", &first), ("b-value", &second)] {
        registry.register(subject, schema).await.unwrap();
    }
    for _ in 0..3 {
        assert!(registry.check_in_use().await.unwrap());
    }
    // WHEN the second is gone
    schemas.lock().unwrap().pop();
    // THEN one of two looks sees it
    let looks = [registry.check_in_use().await.unwrap(), registry.check_in_use().await.unwrap()];
    assert_eq!(looks.iter().filter(|is_there| !**is_there).count(), 1, "{looks:?}");
    while registry.check_in_use().await.unwrap() {}
    registry.recheck_in_use().await.unwrap();
    let failure = Failure::from(registry.take_lost().unwrap());
    assert_eq!(
        (failure.verdict, failure.reason.name()),
        (Verdict::Recycle, "registry_schemas_lost")
    );
    assert!(failure.message.contains("b-value"), "{failure}");
    assert!(registry.take_lost().is_none(), "it is said once");
    assert!(registry.check_in_use().await.unwrap(), "nothing is in use any more");
}

#[tokio::test]
async fn a_subject_lists_what_it_has() {
    let registry = at(&real());
    // A registry that outlives the test process keeps the subject.
    let subject = &format!("encode.tells-{}-value", std::process::id());
    assert_eq!(registry.latest(subject).await.unwrap(), None);
    let [first, second] = [ID, r#"{"name":"id","type":"long"}"#].map(|id| record("Tells", id));
    assert!(registry.find(subject, &first).await.unwrap().is_none());
    let ids = [
        registry.register(subject, &first).await.unwrap(),
        registry.register(subject, &second).await.unwrap(),
    ];
    let fresh = at(&real());
    for (schema, id) in [&first, &second].into_iter().zip(ids) {
        assert_eq!(fresh.find(subject, schema).await.unwrap(), Some(id));
        assert_eq!(fresh.schema(id).await.unwrap().as_ref(), Some(schema));
    }
    assert!(fresh.find(subject, &record("Tells", "")).await.unwrap().is_none());
    let latest = fresh.latest(subject).await.unwrap().unwrap();
    assert_eq!((latest.id, latest.schema), (ids[1], second));
    assert_eq!(fresh.schema(tailwater::encode::SchemaId(999_999)).await.unwrap(), None);
}

#[tokio::test]
async fn an_incompatible_schema_halts_with_the_registrys_words_and_is_not_remembered() {
    let subject = "encode.refused-value";
    let registry = at(&real());
    let first = registry.register(subject, &record("Refused", ID)).await.unwrap();
    let required = record("Refused", &format!(r#"{ID},{{"name":"more","type":"int"}}"#));
    for _ in 0..2 {
        let error = registry.register(subject, &required).await.unwrap_err();
        assert!(!error.is_transient());
        let failure = Failure::from(error);
        assert_eq!(
            (failure.verdict, failure.reason.name()),
            (Verdict::Halt, "schema_incompatible")
        );
        assert!(failure.message.contains(subject), "{failure}");
        assert!(failure.message.contains("ncompatible"), "{failure}");
    }
    let optional = record(
        "Refused",
        &format!(r#"{ID},{{"name":"more","type":["null","int"],"default":null}}"#),
    );
    assert_ne!(registry.register(subject, &optional).await.unwrap(), first);
}

#[tokio::test]
async fn a_text_that_is_no_schema_is_refused() {
    let error = at(&real()).register("encode.bad-value", r#"{"type":"x"}"#).await.unwrap_err();
    let failure = Failure::from(error);
    assert_eq!(
        (failure.verdict, failure.reason.name()),
        (Verdict::Halt, "schema_refused"),
        "{failure}"
    );
}

/// What the client says to asking an address and to registering there.
async fn failures(url: &str) -> [Failure; 2] {
    let registry = at(url);
    [
        registry.probe().await.unwrap_err().into(),
        registry.register("any-value", "\"int\"").await.unwrap_err().into(),
    ]
}

#[tokio::test]
async fn a_path_without_the_api_is_named_with_the_right_ones() {
    let url = real();
    let origin = url.split("/apis").next().unwrap();
    for wrong in [origin.to_owned(), format!("{origin}/apis/ccompat/v1/")] {
        for failure in failures(&wrong).await {
            assert_eq!(
                (failure.verdict, failure.reason.name()),
                (Verdict::Halt, "registry_path_wrong")
            );
            let tried = format!("{}/subjects", wrong.trim_end_matches('/'));
            assert!(failure.message.contains(&tried), "{failure}");
            assert!(failure.hint.contains("/apis/ccompat/v6"), "{failure}");
        }
    }
}

#[tokio::test]
async fn every_bad_answer_has_its_own_sentence() {
    let page = "<html><body>Welcome</body></html>";
    for (status, kind, body, verdict, reason, words) in [
        ("401 Unauthorized", "text/html", page, Verdict::Config, "registry_access_denied", "401"),
        (
            "403 Forbidden",
            "application/json",
            "{}",
            Verdict::Config,
            "registry_access_denied",
            "403",
        ),
        ("404 Not Found", "text/html", page, Verdict::Halt, "registry_path_wrong", "/subjects"),
        ("200 OK", "text/html", page, Verdict::Halt, "registry_path_wrong", "a web page"),
        ("200 OK", "application/json", "{}", Verdict::Halt, "registry_path_wrong", "expected JSON"),
        ("200 OK", "application/json", "{\"id\":-1}", Verdict::Halt, "registry_path_wrong", "JSON"),
        ("302 Found", "text/html", page, Verdict::Halt, "registry_path_wrong", "a web page"),
        ("400 Bad Request", "text/html", page, Verdict::Halt, "registry_path_wrong", "a web page"),
        (
            "500 Internal Server Error",
            "text/html",
            page,
            Verdict::Recycle,
            "registry_unavailable",
            "500",
        ),
        (
            "503 Service Unavailable",
            "application/json",
            r#"{"error_code":50301,"message":"no leader"}"#,
            Verdict::Recycle,
            "registry_unavailable",
            "503: no leader",
        ),
        (
            "429 Too Many Requests",
            "text/plain",
            "",
            Verdict::Recycle,
            "registry_unavailable",
            "429",
        ),
        ("408 Request Timeout", "text/plain", "", Verdict::Recycle, "registry_unavailable", "408"),
    ] {
        let stub = StubServer::start(status, kind, body).unwrap();
        for failure in failures(&stub.url()).await {
            assert_eq!(
                (failure.verdict, failure.reason.name()),
                (verdict, reason),
                "{status} {failure}"
            );
            assert!(failure.message.contains(words), "{status} {failure}");
        }
    }
}

#[tokio::test]
async fn a_port_without_tls_or_without_a_server_is_named() {
    let plain = real().replace("http://", "https://");
    for failure in failures(&plain).await {
        assert_eq!(
            (failure.verdict, failure.reason.name()),
            (Verdict::Config, "registry_tls_refused")
        );
        assert!(failure.message.contains("does not speak TLS"), "{failure}");
    }
    let nobody = StubServer::start("200 OK", "text/plain", "").unwrap().url();
    for failure in failures(&nobody).await {
        assert_eq!(
            (failure.verdict, failure.reason.name()),
            (Verdict::Recycle, "registry_unreachable")
        );
        assert!(failure.message.contains(&nobody), "{failure}");
        assert!(failure.message.contains("refused"), "{failure}");
    }
    for failure in failures("http://no-such-host.invalid:1").await {
        assert_eq!(
            (failure.verdict, failure.reason.name()),
            (Verdict::Recycle, "registry_unreachable")
        );
        assert!(failure.message.contains("no-such-host.invalid"), "{failure}");
    }
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_is_down_but_not_when_it_refuses() {
    let nobody = StubServer::start("200 OK", "text/plain", "").unwrap().url();
    let fine = gives(9, "\"int\"");
    let denied = StubServer::start("401 Unauthorized", "text/plain", "").unwrap();
    let id = at(&format!("{nobody}, {}", fine.url())).register("a", "\"int\"").await.unwrap();
    assert_eq!(id.0, 9);
    let error = at(&format!("{},{}", denied.url(), fine.url())).register("a", "\"int\"").await;
    assert!(matches!(error, Err(RegistryError::Denied { status: 401, .. })), "{error:?}");
}

/// Sends one request to a listener of ours and returns what arrived, without the body.
async fn head(settings: impl Fn(&str) -> String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let registry = client(&settings(&listener.local_addr().unwrap().to_string()));
    let serve = async {
        let mut requests = Vec::new();
        for body in [r#"{"id":1}"#, r#"{"schema":"\"int\""}"#] {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                assert_ne!(connection.read_buf(&mut request).await.unwrap(), 0);
            }
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            connection.write_all(answer.as_bytes()).await.unwrap();
            requests.push(String::from_utf8(request).unwrap());
        }
        requests.swap_remove(0)
    };
    let (request, id) = tokio::join!(serve, registry.register("a b#?/%-value", "\"int\""));
    id.unwrap();
    request.split("\r\n\r\n").next().unwrap().to_owned()
}

#[tokio::test]
async fn the_path_is_kept_and_the_subject_is_escaped() {
    let request = head(|address| format!("url = \"http://{address}/base/path/\"")).await;
    assert!(
        request.starts_with("POST /base/path/subjects/a%20b%23%3F%2F%25-value HTTP/1.1"),
        "{request}"
    );
    assert!(request.contains("content-type: application/vnd.schemaregistry.v1+json"), "{request}");
    assert!(!request.contains("authorization"), "{request}");
}

#[tokio::test]
async fn users_and_tokens_are_shown_to_the_registry() {
    let basic = "authorization: Basic dXNlcjpwYXNz";
    for (url, more, expected) in [
        ("http://", "username = \"user\"\npassword = \"pass\"", basic),
        ("http://user:pass@", "", basic),
        ("http://else:wrong@", "username = \"user\"\npassword = \"pass\"", basic),
        ("http://", "bearer_token = \"token\"", "authorization: Bearer token"),
    ] {
        let request = head(|address| format!("url = \"{url}{address}\"\n{more}")).await;
        assert!(request.contains(expected), "{request}");
    }
}

#[tokio::test]
async fn no_message_has_a_secret() {
    let stub = StubServer::start("401 Unauthorized", "text/plain", "").unwrap();
    let url = stub.url().replace("http://", "http://someone:hunter2@");
    for failure in failures(&format!("{url}?token=hunter2")).await {
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
        assert!(!failure.to_string().contains("someone"), "{failure}");
    }
    let settings = format!("url = \"{url}\"\nbearer_token = \"hunter2\"");
    assert!(!format!("{:?}", client(&settings)).contains("hunter2"));
}

#[test]
fn settings_that_cannot_be_right_are_named() {
    let missing = Path::new("/nowhere/ca.pem").display();
    let no_certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (settings, reason, words) in [
        ("url = \"ftp://localhost\"".to_owned(), "registry_url_invalid", "schema_registry.url"),
        ("url = \"http://a, \"".to_owned(), "registry_url_invalid", "schema_registry.url"),
        (
            format!("url = \"http://a\"\nca_file = \"{missing}\""),
            "registry_ca_file_unusable",
            "/nowhere/ca.pem",
        ),
        (
            format!("url = \"http://a\"\nca_file = \"{no_certificate}\""),
            "registry_ca_file_unusable",
            "no PEM certificate",
        ),
    ] {
        let error = Registry::new(&toml::from_str(&settings).unwrap()).unwrap_err();
        let failure = Failure::from(error);
        assert_eq!((failure.verdict, failure.reason.name()), (Verdict::Config, reason));
        assert!(failure.message.contains(words), "{failure}");
    }
}
