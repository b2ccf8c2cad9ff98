//! Every kind of fault in every phase, as a client sees it at the socket: what comes, whether the write happened, what
//! the journal says, and what becomes of the connection.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use mock_aquera::{Application, Auth, Exchange, Fault, MockAquera, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::client::{Client, finish, http, start, user};
use crate::raw::{Came, PATIENCE, Raw, RawReply};

/// What is left after one POST that a fault has struck.
struct Struck {
    came: Came,
    took: Duration,
    /// Whether the user was made.
    made: bool,
    exchange: Exchange,
    /// What the next request on the same connection comes to.
    next: Came,
}

/// Sends a POST that the rule strikes, and then a GET over the same connection.
async fn strike(rule: &str) -> Struck {
    let mock = start().await;
    let application = mock.default_application();
    application.add_fault(rule.parse().unwrap());
    let mut raw = Raw::connect(mock.addr()).await;
    let since = Instant::now();
    raw.ask("POST", "/scim/Users", &user("a", json!({})).to_string()).await;
    let came = raw.read().await;
    let took = since.elapsed();
    let exchange = application.journal().pop().unwrap();
    let canonical = rule.parse::<Fault>().unwrap().to_string();
    assert_eq!(
        (exchange.fault.as_ref(), exchange.faults.as_slice()),
        (Some(&canonical), &[canonical.clone()][..])
    );
    assert_eq!((exchange.method.as_str(), exchange.path.as_str()), ("POST", "/scim/Users"));
    let made = application.user_count() == 1;
    assert_eq!(exchange.changes.len(), usize::from(made), "{rule}: the journal tells what happened");
    assert_eq!(exchange.downstream.len(), usize::from(made), "{rule}");
    raw.ask("GET", "/scim/Users", "").await;
    let next = raw.read().await;
    let other = Client::of(&mock).get("/ServiceProviderConfig").await;
    assert!(matches!(other.status, 200 | 401), "{rule}: the server is there for others");
    Struck { came, took, made, exchange, next }
}

impl Struck {
    /// The write happened or not, this is in the journal, and the connection stays or ends.
    #[track_caller]
    fn check(self, rule: &str, made: bool, journaled: u16, stays: bool) -> Self {
        assert_eq!(self.made, made, "{rule}");
        assert_eq!(self.exchange.status, StatusCode::from_u16(journaled).ok(), "{rule}");
        match &self.next {
            Came::Reply(reply) => {
                assert!(stays, "{rule}: {reply:?}");
                assert!(matches!(reply.status, 200 | 401), "{rule}: {reply:?}");
            }
            Came::Closed(rest) | Came::Reset(rest) => {
                assert!(!stays && rest.is_empty(), "{rule}: {rest:?}");
            }
        }
        self
    }
}

fn json(reply: &RawReply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

#[tokio::test]
async fn a_status_takes_the_place_of_the_reply() {
    for (phase, made) in [("before", false), ("after", true)] {
        let rule = format!(
            "status=429 scim-type=tooMany detail=\"not now\" retry-after=\"Mon, 23 Nov 2026 10:00:00 GMT\" phase={phase}"
        );
        let struck = strike(&rule).await.check(&rule, made, 429, true);
        let reply = struck.came.reply();
        assert_eq!((reply.status, reply.header("retry-after")), (429, Some("Mon, 23 Nov 2026 10:00:00 GMT")));
        assert_eq!(reply.header("content-type"), Some("application/scim+json"));
        assert_eq!(
            json(&reply),
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                "status": "429", "scimType": "tooMany", "detail": "not now",
            })
        );
        assert_eq!(struck.exchange.response_body, Some(json(&reply)));
    }
}

#[tokio::test]
async fn a_latency_holds_the_true_reply_back() {
    for phase in ["before", "after"] {
        for latency in ["80ms", "uniform(80ms,90ms)", "lognormal(80ms,0)"] {
            let rule = format!("latency={latency} phase={phase}");
            let struck = strike(&rule).await.check(&rule, true, 201, true);
            assert!(struck.took >= Duration::from_millis(80), "{rule}: {:?}", struck.took);
            let reply = struck.came.reply();
            assert_eq!((reply.status, &json(&reply)["userName"]), (201, &json!("a")));
        }
    }
}

#[tokio::test]
async fn latencies_add_up_and_to_what_else_strikes() {
    let mock = start().await;
    let application = mock.default_application();
    for rule in ["latency=40ms", "latency=50ms phase=after", "status=503"] {
        application.add_fault(rule.parse().unwrap());
    }
    let since = Instant::now();
    assert_eq!(Client::of(&mock).get("/Users").await.status, 503);
    assert!(since.elapsed() >= Duration::from_millis(90));
    let exchange = application.journal().pop().unwrap();
    assert_eq!(exchange.fault.as_deref(), Some("status=503"), "the one that decided comes first");
    assert_eq!(exchange.faults.len(), 3);
}

#[tokio::test]
async fn a_client_that_gives_up_during_a_latency_is_in_the_journal() {
    for (phase, made) in [("before", false), ("after", true)] {
        let mock = start().await;
        let application = mock.default_application();
        let fault = application.scoped_fault(format!("latency=1h phase={phase}").parse().unwrap());
        let mut raw = Raw::connect(mock.addr()).await;
        raw.ask("POST", "/scim/Users", &user("a", json!({})).to_string()).await;
        while fault.struck() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(raw.is_silent(Duration::from_millis(50)).await);
        drop(raw);
        let came = application.wait_for(mock_aquera::JournalQuery::new(), 1, PATIENCE).await.unwrap();
        assert_eq!(came[0].status, None, "{phase}");
        assert_eq!(came[0].changes.len(), usize::from(made), "{phase}");
        assert_eq!(came[0].faults, [format!("latency=3600s{}", if made { " phase=after" } else { "" })]);
        assert_eq!(application.user_count(), usize::from(made), "{phase}");
    }
}

#[tokio::test]
async fn a_hang_says_nothing_until_its_time_is_over_or_the_client_goes() {
    for (phase, made) in [("before", false), ("after", true)] {
        let rule = format!("hang=60ms phase={phase}");
        let struck = strike(&rule).await.check(&rule, made, 0, false);
        assert!(struck.took >= Duration::from_millis(60));
        assert_eq!(struck.came.closed(), b"");

        let mock = start().await;
        let application = mock.default_application();
        application.add_fault(format!("hang phase={phase}").parse().unwrap());
        let mut raw = Raw::connect(mock.addr()).await;
        raw.ask("POST", "/scim/Users", &user("a", json!({})).to_string()).await;
        application.wait_for(mock_aquera::JournalQuery::new(), 1, PATIENCE).await.unwrap();
        assert!(raw.is_silent(Duration::from_millis(100)).await, "{phase}");
        assert_eq!(application.user_count(), usize::from(made));
        assert_eq!(application.journal()[0].status, None);
        drop(raw);
        tokio::time::timeout(PATIENCE, mock.stop()).await.unwrap();
    }
}

#[tokio::test]
async fn a_reset_is_one_at_the_socket() {
    for (phase, made) in [("before", false), ("after", true)] {
        let rule = format!("reset phase={phase}");
        let struck = strike(&rule).await.check(&rule, made, 0, false);
        assert_eq!(struck.came, Came::Reset(Vec::new()), "{phase}");
    }
}

#[tokio::test]
async fn an_empty_reply_is_an_orderly_end_without_a_byte() {
    for (phase, made) in [("before", false), ("after", true)] {
        let rule = format!("empty-reply phase={phase}");
        let struck = strike(&rule).await.check(&rule, made, 0, false);
        assert_eq!(struck.came.closed(), b"", "{phase}");
    }
}

#[tokio::test]
async fn garbage_is_as_long_as_asked_for_and_the_same_for_the_same_seed() {
    let mut seen = Vec::new();
    for (phase, made) in [("before", false), ("after", true), ("before", false)] {
        let rule = format!("garbage=64 phase={phase}");
        let struck = strike(&rule).await.check(&rule, made, 0, false);
        let bytes = struck.came.closed();
        assert!(bytes.len() == 64 && !bytes.starts_with(b"HTTP/"), "{bytes:?}");
        seen.push(bytes);
    }
    assert_eq!(seen[0], seen[2]);
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_malformed_chunk_follows_a_whole_head() {
    let struck = strike("malformed-chunk").await.check("malformed-chunk", true, 201, false);
    let text = String::from_utf8(struck.came.closed()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 ") && head.to_lowercase().contains("transfer-encoding: chunked"));
    let size = body.lines().next().unwrap();
    assert!(usize::from_str_radix(size, 16).is_err(), "`{size}` is no size of a chunk");
    assert!(body.contains("\"userName\":\"a\""));
}

#[tokio::test]
async fn a_truncated_body_ends_at_its_fraction() {
    for (fraction, part) in [(0.0, 0.0), (0.25, 0.25), (0.5, 0.5)] {
        let rule = format!("truncate={fraction}");
        let struck = strike(&rule).await.check(&rule, true, 201, false);
        let whole = struck.exchange.response_body.unwrap().to_string().len();
        let text = String::from_utf8(struck.came.closed()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.to_lowercase().contains(&format!("content-length: {whole}")), "{head}");
        #[expect(clippy::cast_precision_loss, reason = "a body is short")]
        let (is, wanted) = (body.len() as f64, whole as f64 * part);
        assert!(is <= wanted && wanted < is + 1.0, "{rule}: {is} of {whole}");
    }
}

#[tokio::test]
async fn a_dribble_comes_whole_and_slowly_and_the_connection_stays() {
    let struck = strike("dribble=64/2ms").await.check("dribble=64/2ms", true, 201, true);
    let reply = struck.came.reply();
    assert_eq!(json(&reply)["userName"], json!("a"));
    let pauses = u32::try_from((reply.head.len() + reply.body.len()) / 64).unwrap();
    assert!(struck.took >= Duration::from_millis(2) * pauses.saturating_sub(1), "{:?}", struck.took);
}

#[tokio::test]
async fn a_wrong_length_is_off_by_what_was_asked_for() {
    let struck = strike("wrong-length=+10").await.check("wrong-length=+10", true, 201, false);
    let whole = struck.exchange.response_body.unwrap().to_string().len();
    let text = String::from_utf8(struck.came.closed()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains(&format!("content-length: {}", whole + 10)), "{head}");
    assert_eq!(body.len(), whole, "and the true body");

    let struck = strike("wrong-length=-1").await;
    assert!(struck.made);
    let mut reply = struck.came.reply();
    assert_eq!(struck.next.closed(), b"}", "the byte too many is there, and then the end");
    reply.body.push(b'}');
    assert_eq!(Some(json(&reply)), struck.exchange.response_body);
}

#[tokio::test]
async fn a_wrong_type_is_claimed_of_the_true_reply_under_any_profile() {
    let struck = strike("wrong-type=text/html").await.check("wrong-type=text/html", true, 201, true);
    let reply = struck.came.reply();
    assert_eq!(reply.header("content-type"), Some("text/html"));
    assert_eq!(json(&reply)["userName"], json!("a"));

    let profile = mock_aquera::Profile::from_toml(
        "name = \"json\"\nsummary = \"JSON\"\n[replies]\ncontent-type = \"json\"\n[errors]\ncontent-type = \"json\"\n",
    );
    let mock = MockAquera::builder().profile(profile.unwrap()).start().await.unwrap();
    mock.default_application().add_fault("wrong-type=text/html times=2".parse().unwrap());
    let client = Client::of(&mock);
    for (path, kind) in [("/Users", "text/html"), ("/Users/x", "text/html"), ("/Users", "application/json")] {
        assert_eq!(client.get(path).await.header("content-type"), kind, "{path}");
    }
}

#[tokio::test]
async fn close_after_is_a_whole_reply_that_did_not_announce_the_end() {
    let struck = strike("close-after").await.check("close-after", true, 201, false);
    let reply = struck.came.reply();
    assert_eq!((reply.header("connection"), &json(&reply)["userName"]), (None, &json!("a")));
    assert_eq!(struck.next, Came::Closed(Vec::new()));
}

#[tokio::test]
async fn refused_connections_are_refused_and_later_taken_again() {
    let mock = start().await;
    let application = mock.default_application();
    application.add_fault("refuse=300ms".parse().unwrap());
    let mut raw = Raw::connect(mock.addr()).await;
    raw.ask("POST", "/scim/Users", &user("a", json!({})).to_string()).await;
    assert_eq!(raw.read().await.reply().status, 201, "the request that set it off is answered");
    let refused = TcpStream::connect(mock.addr()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    raw.ask("GET", "/scim/Users", "").await;
    assert_eq!(raw.read().await.reply().status, 200, "a connection that is open stays");
    let since = Instant::now();
    while let Err(error) = TcpStream::connect(mock.addr()).await {
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(since.elapsed() < PATIENCE, "never taken again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(Client::of(&mock).get("/Users").await.status, 200);
    let journal = application.journal();
    assert_eq!(journal[0].status, Some(StatusCode::CREATED));
    assert_eq!(journal[0].fault.as_deref(), Some("refuse=300ms"));
}

/// A fault that never lets its own request be wrong, whatever it is to the others.
#[tokio::test]
async fn a_refusal_in_either_phase_carries_its_own_request_out() {
    for phase in ["before", "after"] {
        let mock = start().await;
        let application = mock.default_application();
        application.add_fault(format!("refuse=1ms phase={phase}").parse().unwrap());
        assert_eq!(Client::of(&mock).post("/Users", &user("a", json!({}))).await.status, 201);
        assert_eq!(application.user_count(), 1, "{phase}");
    }
}

#[tokio::test]
async fn credentials_that_are_right_are_refused_once() {
    for (phase, made) in [("before", false), ("after", true)] {
        let rule = format!("unauthorized phase={phase}");
        let struck = strike(&rule).await.check(&rule, made, 401, true);
        let reply = struck.came.reply();
        assert!(reply.header("www-authenticate").unwrap().contains("error=\"invalid_token\""), "{reply:?}");
        assert_eq!(json(&reply)["status"], json!("401"));
        assert_eq!(struck.next.reply().status, 200);
    }
}

#[tokio::test]
async fn a_password_is_refused_in_the_words_for_a_password() {
    let mock = MockAquera::builder().auth(Auth::basic("ann", "pw")).start().await.unwrap();
    for (rule, about) in
        [("unauthorized", "wrong password"), ("revoke", "locked"), ("expire-token", "locked")]
    {
        let fault = mock.default_application().scoped_fault(rule.parse().unwrap());
        let ask = || finish(http().get(format!("{}/Users", mock.scim_url())).basic_auth("ann", Some("pw")));
        let refused = ask().await;
        assert!(refused.scim_error(401, None).contains(about), "{rule}: {refused:?}");
        assert!(refused.header("www-authenticate").starts_with("Basic "), "{rule}: {refused:?}");
        drop(fault);
        assert_eq!(ask().await.status, 200, "{rule}");
    }
}

#[tokio::test]
async fn where_nobody_needs_credentials_a_401_has_its_challenge_all_the_same() {
    let mock = MockAquera::builder().auth(Auth::none()).start().await.unwrap();
    mock.default_application().add_fault("unauthorized".parse().unwrap());
    let answer = finish(http().get(format!("{}/Users", mock.scim_url()))).await;
    answer.scim_error(401, None);
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"mock-aquera\"");
}

/// A mock whose credentials are those of one OAuth client.
async fn with_oauth() -> (MockAquera, Application) {
    let mock = MockAquera::builder().auth(Auth::oauth("client", "s3cret")).start().await.unwrap();
    let application = mock.default_application();
    (mock, application)
}

async fn token(mock: &MockAquera) -> String {
    let request = http()
        .post(format!("http://{}/oauth/token", mock.addr()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials&client_id=client&client_secret=s3cret");
    let answer = finish(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

async fn status_with(mock: &MockAquera, token: &str) -> (u16, String) {
    let answer = finish(http().get(format!("{}/Users", mock.scim_url())).bearer_auth(token)).await;
    (answer.status, answer.header("www-authenticate").to_owned())
}

#[tokio::test]
async fn a_token_that_expires_is_replaced_by_another_one() {
    for (phase, made) in [("before", 0), ("after", 1)] {
        let (mock, application) = with_oauth().await;
        let (first, other) = (token(&mock).await, token(&mock).await);
        application.add_fault(format!("expire-token method=POST phase={phase}").parse().unwrap());
        let mut raw = Raw::connect(mock.addr()).await;
        raw.ask_as(&first, "POST", "/scim/Users", &user("a", json!({})).to_string()).await;
        let reply = raw.read().await.reply();
        assert_eq!((reply.status, application.user_count()), (401, made), "{phase}");
        assert!(reply.header("www-authenticate").unwrap().contains("expired access token"));
        let (status, challenge) = status_with(&mock, &first).await;
        assert!(status == 401 && challenge.contains("expired access token"), "it stays expired");
        assert_eq!(status_with(&mock, &other).await.0, 200, "nobody else's token does");
        assert_eq!(status_with(&mock, &token(&mock).await).await.0, 200);
        let journal = serde_json::to_string(&application.journal()).unwrap();
        assert!(!journal.contains("s3cret") && !journal.contains(&first) && !journal.contains(&other));
    }
}

#[tokio::test]
async fn a_fixed_token_that_expired_is_good_again_once_the_rule_goes() {
    let mock = start().await;
    let (application, client) = (mock.default_application(), Client::of(&mock));
    let other = application.scoped_fault(Fault::status(503).method("DELETE"));
    {
        let _expiry = application.scoped_fault("expire-token".parse().unwrap());
        assert_eq!([client.get("/Users").await.status, client.get("/Users").await.status], [401, 401]);
    }
    assert_eq!(client.get("/Users").await.status, 200);
    drop(other);
    application.add_fault("expire-token".parse().unwrap());
    let unrelated = application.scoped_fault(Fault::status(503).method("DELETE"));
    assert_eq!(client.get("/Users").await.status, 401);
    drop(unrelated);
    assert_eq!(client.get("/Users").await.status, 401, "the rule that took it is still there");
    application.clear_faults();
    assert_eq!(client.get("/Users").await.status, 200);
}

#[tokio::test]
async fn credentials_are_revoked_in_mid_run() {
    let (mock, application) = with_oauth().await;
    application.clock().freeze_at("2026-11-23T10:00:00Z".parse().unwrap());
    let first = token(&mock).await;
    let revoked = application.scoped_fault("revoke after=2 ttl=60s".parse().unwrap());
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(status_with(&mock, &first).await.0);
    }
    assert_eq!(statuses, [200, 200, 401, 401]);
    let (status, challenge) = status_with(&mock, &token(&mock).await).await;
    assert!(status == 401 && challenge.contains("revoked"), "another token is no better: {challenge}");
    assert_eq!((revoked.state().unwrap().spent, revoked.struck()), (false, 3));
    application.clock().advance(jiff::SignedDuration::from_secs(61));
    assert_eq!(status_with(&mock, &first).await.0, 200, "its time is over");
    drop(revoked);

    let (_, by_removal) = (status_with(&mock, &first).await, application.scoped_fault(Fault::revoke()));
    assert_eq!(status_with(&mock, &first).await.0, 401);
    drop(by_removal);
    assert_eq!(status_with(&mock, &first).await.0, 200);
}

#[tokio::test]
async fn wrong_credentials_are_told_before_any_fault_and_what_is_no_reply_has_no_body() {
    let mock = start().await;
    let application = mock.default_application();
    let id = application.seed_user(user("a", json!({})));
    application.add_fault("truncate=0.5 method=DELETE".parse().unwrap());
    let mut raw = Raw::connect(mock.addr()).await;
    raw.ask_as("wrong", "DELETE", &format!("/scim/Users/{id}"), "").await;
    assert_eq!(raw.read().await.reply().status, 401);
    raw.ask("DELETE", &format!("/scim/Users/{id}"), "").await;
    let cut = raw.read().await.closed();
    assert!(cut.starts_with(b"HTTP/1.1 204") && !cut.ends_with(b"\r\n\r\n"), "of a 204 the head is cut");
    assert_eq!(application.user_count(), 0);
}
