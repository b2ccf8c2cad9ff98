//! A server in front of the mock that changes what it answers, and what the program says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use conformance::report::{CaseResult, Report, Verdict, json};
use conformance::subject::server::client;
use conformance::subject::server::client::{Answer, Client, Credentials, Manners};
use mock_aquera::{Auth, MockAquera, Profile};
use serde_json::Value;

pub(super) const TOKEN: &str = "a-long-token";

/// A request to a broken server.
pub(super) struct Seen {
    pub(super) method: String,
    /// Below the base URL.
    pub(super) path: String,
    pub(super) query: String,
    /// The body that is sent on if the request is not answered at once.
    pub(super) text: String,
    /// The same where it is JSON.
    pub(super) body: Value,
    /// The number of the request, from 1.
    pub(super) number: usize,
}

type Instead = Box<dyn Fn(&mut Seen) -> Option<Answer> + Send + Sync>;
type Change = Box<dyn Fn(&Seen, &mut Answer) + Send + Sync>;

/// A server in front of a mock.
pub(super) struct Broken {
    pub(super) url: String,
    pub(super) mock: MockAquera,
    pub(super) seen: Arc<Mutex<Vec<String>>>,
}

struct Front {
    own: String,
    upstream: String,
    client: Client,
    instead: Instead,
    change: Change,
    count: AtomicUsize,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Broken {
    pub(super) async fn start(profile: &str, instead: Instead, change: Change) -> Self {
        let mock = MockAquera::builder()
            .auth(Auth::bearer(TOKEN))
            .profile(Profile::builtin(profile).expect("a profile"))
            .start()
            .await
            .expect("a mock");
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let own = format!("http://{}/scim", listener.local_addr().expect("an address"));
        let upstream = mock.scim_url();
        let manners = Manners { retries: 0, ..Manners::default() };
        let client =
            Client::new(&upstream, Credentials::Bearer(TOKEN.to_owned()), manners).expect("a client");
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let front = Front {
            own: own.clone(),
            upstream,
            client,
            instead,
            change,
            count: AtomicUsize::new(0),
            seen: seen.clone(),
        };
        let router = Router::new().fallback(serve).with_state(Arc::new(front));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url: own, mock, seen }
    }

    pub(super) async fn changed(change: impl Fn(&Seen, &mut Answer) + Send + Sync + 'static) -> Self {
        Self::start("rfc", Box::new(|_| None), Box::new(change)).await
    }

    pub(super) async fn answering(
        instead: impl Fn(&mut Seen) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        Self::start("rfc", Box::new(instead), Box::new(|_, _| {})).await
    }

    /// Creates a resource at the mock.
    pub(super) async fn create(&self, path: &str, body: &Value) {
        let client = Client::new(&self.url, Credentials::Bearer(TOKEN.to_owned()), Manners::default());
        let request = client::Request {
            method: "POST".to_owned(),
            path: path.to_owned(),
            body: Some(body.to_string()),
            ..client::Request::default()
        };
        let (_, answer) = client.expect("a client").send(&request).await;
        assert_eq!(answer.expect("an answer").status, 201);
    }

    /// Runs the program against the server.
    pub(super) async fn judged(&self, arguments: &[&str]) -> Judged {
        self.run("server", arguments).await
    }

    pub(super) async fn run(&self, command: &str, arguments: &[&str]) -> Judged {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("report.json");
        let mut program = Command::new(env!("CARGO_BIN_EXE_conformance"));
        program.args([command, &self.url, "--bearer", TOKEN, "--seed", "7"]).args(arguments);
        program.arg("--report").arg(format!("json={}", file.display()));
        program.env("GITHUB_ACTIONS", "true").env_remove("GITHUB_STEP_SUMMARY");
        let output = tokio::task::spawn_blocking(move || program.output()).await.expect("a task");
        let output = output.expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        Judged {
            code: output.status.code(),
            out: text(&output.stdout),
            error: text(&output.stderr),
            report: json::read(&written).ok(),
            bytes: written.len(),
        }
    }

    /// A server that takes its time with reads of users, so that a run is under way when a signal comes.
    pub(super) async fn unhurried() -> Self {
        Self::answering(|seen| {
            if seen.method == "GET" && seen.path.starts_with("/Users/") {
                std::thread::sleep(std::time::Duration::from_millis(300));
            }
            None
        })
        .await
    }

    /// Runs the program until it has made something, and sends it these signals, one right after the other. Returns its
    /// exit code and what it wrote to stderr.
    #[cfg(unix)]
    pub(super) async fn interrupted(
        &self,
        command: &str,
        arguments: &[&str],
        signals: &[&str],
    ) -> (Option<i32>, String) {
        let program = tokio::process::Command::new(env!("CARGO_BIN_EXE_conformance"))
            .args([command, &self.url, "--bearer", TOKEN, "--jobs", "2"])
            .args(arguments)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the program runs");
        while self.left().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let id = program.id().expect("an id");
        let kills: Vec<_> = signals.iter().map(|signal| format!("kill {signal} {id}")).collect();
        assert!(Command::new("sh").args(["-c", &kills.join("; ")]).status().expect("a shell").success());
        let output = program.wait_with_output().await.expect("an end");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub(super) fn left(&self) -> BTreeMap<String, usize> {
        self.mock.default_application().counts().into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

pub(super) struct Judged {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) error: String,
    pub(super) report: Option<Report>,
    pub(super) bytes: usize,
}

impl Judged {
    pub(super) fn report(&self) -> &Report {
        self.report.as_ref().expect("a report")
    }

    pub(super) fn case(&self, id: &str) -> &CaseResult {
        self.report().cases.iter().find(|case| case.id == id).expect(id)
    }

    pub(super) fn with(&self, verdict: Verdict) -> Vec<String> {
        let cases = self.report().cases.iter().filter(|case| case.verdict == verdict);
        cases.map(|case| format!("{}: {}", case.id, case.because.as_deref().unwrap_or_default())).collect()
    }

    /// The first finding on the terminal.
    pub(super) fn first(&self) -> &str {
        self.out.lines().find(|line| line.contains("rfc76")).unwrap_or_default()
    }

    /// The connection test failed: one sentence, no case but that, nothing sent but the test.
    #[track_caller]
    pub(super) fn assert_unusable(&self, message: &str, next: &str) {
        assert_eq!(self.code, Some(3), "{}", self.error);
        assert_eq!(self.out, "");
        assert_eq!(self.with(Verdict::Error).len(), self.report().cases.len());
        let why = self.report().not_judged.as_ref().expect("a reason");
        assert!(why.message.contains(message) && why.next.contains(next), "{why:?}");
        let line = self.error.lines().next().unwrap_or_default();
        assert!(line.starts_with("error: connection test failed: "), "{line}");
        assert!(line.contains(message) && line.contains(next), "{line}");
        assert!(self.error.contains("::error title=conformance::connection test failed: "), "{}", self.error);
        assert!(!self.error.contains(TOKEN));
    }
}

async fn serve(State(front): State<Arc<Front>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix("/scim").unwrap_or_default().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let bytes = to_bytes(body, 1 << 24).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).replace(&front.own, &front.upstream);
    let mut seen = Seen {
        method: parts.method.to_string(),
        path,
        query,
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
        number: front.count.fetch_add(1, Ordering::SeqCst) + 1,
    };
    front.seen.lock().expect("a lock").push(format!("{} {}", seen.method, seen.path));
    let instead = (front.instead)(&mut seen);
    let mut answer = match instead {
        Some(answer) => answer,
        None => forward(&front, &seen, &parts.headers).await,
    };
    (front.change)(&seen, &mut answer);
    let text = answer.json.map_or(answer.text, |json| json.to_string());
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(answer.status).expect("a status");
    for (name, value) in answer.headers {
        if !["content-length", "transfer-encoding", "connection", "date"].contains(&name.as_str()) {
            let (name, value) = (HeaderName::try_from(name), HeaderValue::try_from(value));
            response.headers_mut().append(name.expect("a name"), value.expect("a value"));
        }
    }
    response
}

/// Returns the mock's answer, with the addresses of the broken server.
async fn forward(front: &Front, seen: &Seen, sent: &HeaderMap) -> Answer {
    let mut headers: Vec<(String, String)> = sent
        .iter()
        .filter(|(name, _)| !["host", "content-length", "connection"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    // The client adds its own where there is none.
    for name in ["authorization", "accept", "content-type"] {
        if !headers.iter().any(|(known, _)| known == name) {
            headers.push((name.to_owned(), String::new()));
        }
    }
    let query = if seen.query.is_empty() { String::new() } else { format!("?{}", seen.query) };
    let request = client::Request {
        method: seen.method.clone(),
        path: format!("{}{query}", seen.path),
        headers,
        body: (!seen.text.is_empty()).then(|| seen.text.clone()),
        ..client::Request::default()
    };
    let (_, answer) = front.client.send(&request).await;
    let mut answer = answer.unwrap_or_else(|| Answer { status: 502, ..Answer::default() });
    answer.text = answer.text.replace(&front.upstream, &front.own);
    for (_, value) in &mut answer.headers {
        *value = value.replace(&front.upstream, &front.own);
    }
    answer.json = serde_json::from_str(&answer.text).ok();
    answer
}

/// Whether a text comes for the first time.
pub(super) fn is_first(seen: &Mutex<BTreeSet<String>>, text: &str) -> bool {
    seen.lock().expect("no test panics with it").insert(text.to_owned())
}

pub(super) fn page(status: u16, text: &str, headers: &[(&str, &str)]) -> Answer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Answer { status, headers, text: text.to_owned(), ..Answer::default() }
}
