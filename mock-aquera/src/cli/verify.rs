//! `mock-aquera verify [URL] EXPECTATION…`: what came in, judged from a shell.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::client::{Answer, Server};
use super::serve::CA_FILE;
use super::{Exit, Failure, SERVER};
use crate::application::ApplicationName;
use crate::parse_message;
use crate::verify::{Expectation, Verification};

/// How long the server may take to look through a journal.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug, Args)]
#[command(
    after_help = "An expectation is words such as 'POST /Users status=201 times=1', JSON as POST ./verify takes it, \
    @FILE with such JSON (one, an array, or several), or - for standard input.\n\
    Words: a method, a path, operation=, resource-type=, id=, user-name=, patch-path=, status=, fault=, since-seq=, \
    contains=, header.NAME=, body/POINTER=, body-includes=JSON, times=1 (or 1.., ..3, 1..3, never; at least once unless \
    said).\n\n\
    Exit codes: 0 all are satisfied; 1 one is not; 2 bad command line or expectation; 3 the server cannot be reached."
)]
pub(super) struct Options {
    /// The server's URL or HOST:PORT, that of administration where it has its own [default: http://127.0.0.1:8080]; then
    /// what is expected
    #[arg(value_name = "URL|EXPECTATION", required = true)]
    arguments: Vec<String>,
    /// The application whose journal is asked [default: that of a SCIM URL, or `default`]
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// The bearer token of administration
    #[arg(long, value_name = "TOKEN", env = "MOCK_AQUERA_ADMIN_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The authority to trust, as PEM, where the URL begins with https
    #[arg(long, value_name = "FILE", default_value = CA_FILE)]
    ca: PathBuf,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Exit, Failure> {
    let url = options.arguments.first().and_then(|first| url_of(first));
    let written = &options.arguments[usize::from(url.is_some())..];
    let url = url.unwrap_or_else(|| SERVER.to_owned());
    let mut expectations = Vec::new();
    for one in written {
        expectations.extend(expectations_of(one)?);
    }
    if expectations.is_empty() {
        let advice = "one looks like 'POST /Users status=201 times=1'";
        return Err(Failure::usage(format!("verify: an expectation is missing; {advice}")));
    }
    let server = Server::of(&url, &options.ca)?;
    let (prefix, of_url) = place(&server.path);
    let name = options.app.as_deref().or(of_url).unwrap_or(crate::route::DEFAULT_APPLICATION);
    let name: ApplicationName = name.parse().map_err(|_| {
        Failure::usage(format!("use --app {name}: a name is 1 to 64 letters, digits, hyphens or underscores"))
    })?;
    let path = format!("{prefix}/_mock/applications/{}/verify", name.as_str());
    let token = options.token.as_deref().filter(|token| !token.is_empty());
    if token.is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(Failure::usage("use --token: a token is visible ASCII without spaces"));
    }
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let headers = format!("Content-Type: application/json\r\n{authorization}");
    let mut text = String::new();
    let mut satisfied = 0;
    for expectation in &expectations {
        let body = serde_json::to_vec(expectation).map_err(|error| Failure::failed(error.to_string()))?;
        let answer = server.ask("POST", &path, &headers, &body, PATIENCE);
        let unreached = |why: String| Failure { exit: Exit::Unreachable, message: why };
        let answer = answer.map_err(|error| unreached(format!("reach {}: {error}", server.name())))?;
        let verification = verification(&answer).map_err(|refused| match refused {
            Some(error) => Failure::usage(format!("verify {expectation}: {error}")),
            None => unreached(format!(
                "find the administration of a mock-aquera at {}: {path} answers {}{}",
                server.name(),
                answer.status,
                answer.told()
            )),
        })?;
        satisfied += usize::from(verification.satisfied);
        let written =
            if options.json { tell_json(&mut text, &answer) } else { tell(&mut text, &verification) };
        written.map_err(|error| Failure::failed(error.to_string()))?;
    }
    let all = expectations.len();
    let summary = if options.json {
        json!({"type": "summary", "satisfied": satisfied, "failed": all - satisfied}).to_string()
    } else {
        format!("{satisfied} of {all} satisfied")
    };
    writeln!(io::stdout(), "{text}{summary}")?;
    Ok(if satisfied == all { Exit::Done } else { Exit::Failed })
}

/// A server as the first argument names it; `None` if that is an expectation.
fn url_of(written: &str) -> Option<String> {
    if written.contains("://") && !written.contains(['=', '{', ' ']) {
        return Some(written.to_owned());
    }
    if !written.is_empty() && written.len() <= 5 && written.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("http://127.0.0.1:{written}"));
    }
    let (host, port) = crate::host::split_port(written);
    let is_port = port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let is_host = crate::host::is_host(host.as_bytes());
    (is_port && is_host).then(|| format!("http://{written}"))
}

/// What stands in front of the paths of a server, and the application that the URL names. Nothing is sent to find it out: a
/// request to a SCIM endpoint would be one that the journal holds.
fn place(path: &str) -> (&str, Option<&str>) {
    let path = path.trim_end_matches('/');
    if let Some((prefix, below)) = split_at_segment(path, "/_mock") {
        let name = below.strip_prefix("/applications/").and_then(|name| name.split('/').next());
        return (prefix, name.filter(|name| !name.is_empty()));
    }
    let base = ["/scim", "/oauth/token"].into_iter().find_map(|end| split_at_segment(path, end));
    let base = base.map_or(path, |(base, _)| base);
    match base.rsplit_once("/apps/") {
        Some((prefix, name)) if !name.contains('/') => (prefix, Some(name)),
        _ => (base, None),
    }
}

/// What is in front of whole segments of a path, and what is behind them.
fn split_at_segment<'p>(path: &'p str, segments: &str) -> Option<(&'p str, &'p str)> {
    let is_whole =
        |(at, _): &(usize, &str)| matches!(path.as_bytes().get(at + segments.len()), None | Some(b'/'));
    let (at, _) = path.match_indices(segments).find(is_whole)?;
    Some((&path[..at], &path[at + segments.len()..]))
}

/// What one argument expects.
fn expectations_of(written: &str) -> Result<Vec<Expectation>, Failure> {
    let failed = |of: &str, error: &dyn std::fmt::Display| Failure::usage(format!("read {of}: {error}"));
    if written == "-" {
        let mut text = Vec::new();
        let read = io::stdin().read_to_end(&mut text);
        read.map_err(|error| failed("standard input", &error))?;
        return several(&text, "standard input");
    }
    if let Some(file) = written.strip_prefix('@') {
        let text = fs::read(file).map_err(|error| failed(file, &error))?;
        return several(&text, file);
    }
    if written.trim_start().starts_with(['{', '[']) {
        return several(written.as_bytes(), "the expectation");
    }
    let parsed = written.parse();
    parsed.map(|one| vec![one]).map_err(|error| failed(&format!("the expectation `{written}`"), &error))
}

/// The expectations in a JSON text: one, an array of them, or several one after another.
fn several(text: &[u8], of: &str) -> Result<Vec<Expectation>, Failure> {
    let failed = |line: usize, column: usize, message: &str| {
        Failure::usage(format!("read {of}: line {line}, column {column}: {message}"))
    };
    let (pieces, mistakes) = crate::data::pieces(text);
    if let Some(mistake) = mistakes.first() {
        return Err(failed(mistake.line, mistake.column, &mistake.message));
    }
    let read = |piece: &crate::data::Piece<'_>| {
        parse_message::read_object(piece.text).map_err(|mistake| {
            let column = if mistake.line <= 1 { piece.column + mistake.column - 1 } else { mistake.column };
            failed(piece.line + mistake.line.saturating_sub(1), column, &mistake.message)
        })
    };
    pieces.iter().map(read).collect()
}

/// What the server says; an error of administration, or nothing that administration would answer.
fn verification(answer: &Answer) -> Result<Verification, Option<String>> {
    if answer.status == "200" {
        return serde_json::from_slice(&answer.body).map_err(|_| None);
    }
    let body: Value = serde_json::from_slice(&answer.body).map_err(|_| None)?;
    let error = body["error"].as_str().filter(|_| answer.status.starts_with('4')).map(str::to_owned);
    Err(error.map(|error| match answer.status.as_str() {
        "401" => format!("{error}; --token gives it"),
        _ => error,
    }))
}

fn tell(text: &mut String, verification: &Verification) -> std::fmt::Result {
    let told = verification.to_string();
    let mut lines = told.lines();
    let word = if verification.satisfied { "ok    " } else { "FAILED" };
    writeln!(text, "{word}  {}", lines.next().unwrap_or_default())?;
    // Which requests fit is of interest where there were too many of them.
    lines.filter(|_| !verification.satisfied).try_for_each(|line| writeln!(text, "        {line}"))
}

fn tell_json(text: &mut String, answer: &Answer) -> std::fmt::Result {
    let mut told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if let Value::Object(members) = &mut told {
        members.insert("type".to_owned(), "expectation".into());
    }
    writeln!(text, "{told}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_is_told_from_an_expectation() {
        for (written, url) in [
            ("http://localhost:8080/scim", Some("http://localhost:8080/scim")),
            ("https://h/mock/_mock", Some("https://h/mock/_mock")),
            ("127.0.0.1:8081", Some("http://127.0.0.1:8081")),
            ("localhost:8081", Some("http://localhost:8081")),
            ("[::1]:8081", Some("http://[::1]:8081")),
            ("8081", Some("http://127.0.0.1:8081")),
            ("POST", None),
            ("POST /Users", None),
            ("method=POST", None),
            ("contains=http://x", None),
            ("-", None),
            ("@8080", None),
            ("{}", None),
        ] {
            assert_eq!(url_of(written).as_deref(), url, "{written}");
        }
    }

    #[test]
    fn application_and_prefix_are_those_of_the_url() {
        for (path, expected) in [
            ("/", ("", None)),
            ("/scim", ("", None)),
            ("/scim/", ("", None)),
            ("/apps/hr/scim", ("", Some("hr"))),
            ("/_mock", ("", None)),
            ("/mock/_mock/applications", ("/mock", None)),
            ("/mock/apps/hr/scim", ("/mock", Some("hr"))),
            ("/mock", ("/mock", None)),
            ("/scim/Users", ("", None)),
            ("/scim/Users/apps/hr", ("", None)),
            ("/scimitar", ("/scimitar", None)),
            ("/apps/hr/scim/v2/Users", ("", Some("hr"))),
            ("/apps/hr", ("", Some("hr"))),
            ("/apps/hr/oauth/token", ("", Some("hr"))),
            ("/oauth/token", ("", None)),
            ("/_mocking/_mock/applications/hr/journal", ("/_mocking", Some("hr"))),
        ] {
            assert_eq!(place(path), expected, "{path}");
        }
    }
}
