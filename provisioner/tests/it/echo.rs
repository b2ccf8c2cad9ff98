//! A target that repeats the request, with credentials and personal data, in every place of a response.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::scripted::{Answer, Asked, raw_target};
use crate::support::{ALL_DISABLE, Bench, but, user};

/// The place where a response repeats the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Location,
    LocationWithoutBody,
    ContentType,
    ETag,
    Challenge,
    RetryAfter,
    OtherHeader,
    HeaderName,
    ReasonPhrase,
    StatusLine,
    NewId,
    FoundId,
    Version,
    Title,
    UserName,
    ExternalId,
    Key,
    Number,
    Detail,
    DetailOfTest,
    ScimType,
    Redirect,
    ContentTypeOfTest,
    SplitChunk,
    ChunkExtension,
    ChunkSize,
    Html,
    Discovery,
}

const PLACES: [Place; 28] = [
    Place::Location,
    Place::LocationWithoutBody,
    Place::ContentType,
    Place::ETag,
    Place::Challenge,
    Place::RetryAfter,
    Place::OtherHeader,
    Place::HeaderName,
    Place::ReasonPhrase,
    Place::StatusLine,
    Place::NewId,
    Place::FoundId,
    Place::Version,
    Place::Title,
    Place::UserName,
    Place::ExternalId,
    Place::Key,
    Place::Number,
    Place::Detail,
    Place::DetailOfTest,
    Place::ScimType,
    Place::Redirect,
    Place::ContentTypeOfTest,
    Place::SplitChunk,
    Place::ChunkExtension,
    Place::ChunkSize,
    Place::Html,
    Place::Discovery,
];

struct Reply {
    status: u16,
    reason: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn scim(status: u16, body: &Value) -> Reply {
    let headers = vec![("content-type".to_owned(), "application/scim+json".to_owned())];
    Reply { status, reason: "Answer".to_owned(), headers, body: body.to_string() }
}

fn error(status: u16, detail: &str, scim_type: &str) -> Reply {
    let urn = "urn:ietf:params:scim:api:messages:2.0:Error";
    scim(
        status,
        &json!({ "schemas": [urn], "status": status.to_string(), "detail": detail, "scimType": scim_type }),
    )
}

/// Answers as a target that knows only brook and refuses to change him; `echo` stands at `place`.
fn reply(place: Place, echo: &str, asked: &Asked) -> Vec<u8> {
    let at =
        |wanted: Place, otherwise: &str| if place == wanted { echo.to_owned() } else { otherwise.to_owned() };
    let is_test = asked.path.contains("count=1");
    let mut account = json!({
        "id": at(Place::FoundId, "7"), "userName": at(Place::UserName, "brook"), "title": at(Place::Title, "Owner"),
        "externalId": at(Place::ExternalId, "2"), "active": true, "meta": { "version": at(Place::Version, "W/\"1\"") },
    });
    if place == Place::Key {
        account[echo] = json!(true);
    }
    if place == Place::Number {
        account["title"] = serde_json::from_str(echo).unwrap_or(json!("none"));
    }
    let list = |resources: &[Value]| {
        let urn = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
        scim(200, &json!({ "schemas": [urn], "totalResults": resources.len(), "Resources": resources }))
    };
    let mut reply = match (asked.method.as_str(), place) {
        (_, Place::Challenge) => error(401, "no", "none"),
        (_, Place::RetryAfter) if !is_test => error(429, "later", "none"),
        (_, Place::Redirect) => Reply { status: 302, ..error(302, "elsewhere", "none") },
        (_, Place::DetailOfTest) if is_test => error(418, echo, echo),
        (_, Place::Html) if !is_test => Reply { body: format!("<html>{echo}"), ..error(502, "", "") },
        ("GET", Place::Discovery) if asked.path.ends_with("Config") => {
            scim(200, &json!({ "patch": { "supported": echo }, "documentationUri": echo, echo: echo }))
        }
        ("GET", _) if asked.path.ends_with("Config") => error(404, "no discovery here", "none"),
        ("GET", _) if is_test => list(&[]),
        ("GET", _) if asked.path.contains("brook") => list(&[account]),
        ("GET", _) if asked.path.contains('?') => list(&[]),
        ("GET", _) => scim(200, &account),
        ("POST", Place::NewId) => scim(201, &json!({ "id": echo })),
        ("POST", Place::Detail | Place::ScimType | Place::ContentType) => {
            error(400, &at(Place::Detail, "no"), &at(Place::ScimType, "invalidValue"))
        }
        ("POST", Place::LocationWithoutBody) => Reply { body: String::new(), ..scim(201, &json!({})) },
        ("POST", _) => scim(201, &json!({ "id": "8" })),
        (_, _) => error(400, &at(Place::Detail, "no"), &at(Place::ScimType, "invalidValue")),
    };
    let header = match place {
        Place::Location | Place::LocationWithoutBody => Some(("location", format!("/scim/Users/{echo}"))),
        Place::Redirect => Some(("location", format!("https://elsewhere.example.com/{echo}?x={echo}"))),
        Place::ETag => Some(("etag", format!("\"{echo}\""))),
        Place::Challenge => Some(("www-authenticate", format!("{echo} realm={echo}"))),
        Place::RetryAfter => Some(("retry-after", echo.to_owned())),
        Place::OtherHeader => Some(("x-request-id", echo.to_owned())),
        Place::HeaderName => Some((echo, "x".to_owned())),
        Place::ContentTypeOfTest if is_test => Some(("content-type", echo.to_owned())),
        Place::ContentType if reply.status == 400 => Some(("content-type", echo.to_owned())),
        _ => None,
    };
    if let Some((name, value)) = header {
        if name == "content-type" {
            reply.headers.clear();
            reply = Reply { body: "no JSON".to_owned(), ..reply };
        }
        reply.headers.push((name.to_owned(), value));
    }
    if place == Place::ReasonPhrase {
        reply = Reply { reason: echo.to_owned(), ..reply };
    }
    let first_line = match place {
        Place::StatusLine if !is_test => format!("HTTP/1.1 {echo}"),
        _ => format!("HTTP/1.1 {} {}", reply.status, reply.reason),
    };
    let mut headers = String::new();
    for (name, value) in &reply.headers {
        write!(headers, "{name}: {value}\r\n").unwrap();
    }
    let head = format!("{first_line}\r\n{headers}connection: close\r\n");
    let whole = || format!("{head}content-length: {}\r\n\r\n{}", reply.body.len(), reply.body);
    let chunked = |body: &str| format!("{head}transfer-encoding: chunked\r\n\r\n{body}");
    match place {
        _ if is_test => whole(),
        Place::SplitChunk if reply.status == 400 => {
            // The secret is cut in two: no chunk holds it.
            let body = error(400, echo, "invalidValue").body;
            let middle = body.find(&json!(echo).to_string()[1..4]).unwrap() + 4;
            let (one, two) =
                body.split_at((middle..body.len()).find(|at| body.is_char_boundary(*at)).unwrap());
            chunked(&format!("{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len()))
        }
        Place::ChunkExtension => {
            chunked(&format!("{:x};x={echo}\r\n{}\r\n0\r\nx: {echo}\r\n\r\n", reply.body.len(), reply.body))
        }
        Place::ChunkSize => chunked(&format!("{echo}\r\n{}", reply.body)),
        _ => whole(),
    }
    .into_bytes()
}

/// Returns a secret in every spelling that a target may repeat, and that must not be found.
fn spellings(secret: &str) -> Vec<String> {
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let json = json!(secret).to_string();
    vec![
        secret.to_owned(),
        percent.to_lowercase(),
        percent.replace('%', "%25"),
        percent,
        json[1..json.len() - 1].to_owned(),
        secret.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect::<Vec<_>>().concat(),
    ]
}

fn bytes_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !["aquera.toml", "secret"].contains(&name.as_str()) {
            files.push((name, fs::read(path).unwrap()));
        }
    }
    files
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

/// Runs every command against a target that repeats `echo` at `place`, and asserts that no output has one of `secrets`.
async fn check(place: Place, echo: String, authentication: &str, password: &str, secrets: &[String]) {
    let url = raw_target({
        let echo = echo.clone();
        move |asked| reply(place, &echo, asked)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    fs::write(path.join("secret"), password).unwrap();
    fs::write(path.join("users.ndjson"), format!("{}\n{}\n", user("1", "ada"), user("2", "brook"))).unwrap();
    let config = format!(
        "[connection]\nname = \"test\"\n[connection.authentication]\nscim-url = \"{url}\"\n{authentication}\n\
         [connection.preferences]\n{ALL_DISABLE}[connection.options]\nmax-attempts = 1\n\
         [source]\nkind = \"file\"\npath = \"users.ndjson\"\n[[rule]]\nname = \"everyone\"\n"
    );
    fs::write(path.join("aquera.toml"), config).unwrap();
    let told = tokio::task::spawn_blocking(move || {
        let mut told = Vec::new();
        for arguments in [
            &["plan", "--out", "plan.json"][..],
            &["sync", "--json"],
            &["sync", "--full"],
            &["explain", "brook"],
            &["test-connection"],
            &["status"],
        ] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
            command.args(arguments).args(["-c", "aquera.toml"]).current_dir(folder.path());
            let output = command.env("RUST_LOG", "trace").output().unwrap();
            assert!(!output.stdout.is_empty() || !output.stderr.is_empty(), "{arguments:?} says nothing");
            told.push((format!("{arguments:?} stdout"), output.stdout));
            told.push((format!("{arguments:?} stderr"), output.stderr));
        }
        told.extend(bytes_of(folder.path()));
        told
    })
    .await
    .unwrap();
    assert!(told.iter().any(|(name, bytes)| name == "aquera.db" && !bytes.is_empty()), "there is no state");
    for (name, bytes) in &told {
        for secret in secrets {
            assert!(
                !has(bytes, secret),
                "{place:?} {echo}: {name} has {secret}:\n{}",
                String::from_utf8_lossy(bytes)
            );
        }
    }
}

/// Checks every place with one spelling each; `forms` are the spellings of the credential.
fn check_everywhere(authentication: &str, password: &str, forms: &[String], choice: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let all: Vec<String> = forms.iter().flat_map(|form| spellings(form)).collect();
    for (index, place) in PLACES.into_iter().enumerate() {
        let spelling = &all[(choice + index) % all.len()];
        // A form may be a part of a longer word.
        let echo = if place == Place::Number { spelling.clone() } else { format!("q{spelling}z") };
        runtime.block_on(check(place, echo, authentication, password, &all));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1) })]

    #[test]
    fn token_that_comes_back_is_shown_and_stored_nowhere(token in "[!-~]{12,40}", choice in 0_usize..100) {
        let authentication = "profile = \"bearer-token\"\noauth-access-token = { file = \"secret\" }";
        check_everywhere(authentication, &token, &[token.clone(), STANDARD.encode(&token)], choice);
    }

    #[test]
    fn number_that_is_the_token_is_cleared_too(token in "[1-9][0-9]{11}") {
        let authentication = "profile = \"bearer-token\"\noauth-access-token = { file = \"secret\" }";
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let secrets = [token.clone()];
        runtime.block_on(check(Place::Number, token.clone(), authentication, &token, &secrets));
    }

    #[test]
    fn password_that_comes_back_is_shown_and_stored_nowhere(password in "[!-~][ -~é]{10,30}[!-~]", choice in 0_usize..100) {
        let authentication =
            "profile = \"basic-auth\"\nbasic-auth-user = \"hr\"\nbasic-auth-password = { file = \"secret\" }";
        let both = format!("hr:{password}");
        let encoded = STANDARD.encode(&both);
        let url_safe = URL_SAFE_NO_PAD.encode(&both);
        check_everywhere(authentication, &password, &[password.clone(), both, encoded, url_safe], choice);
    }
}

#[tokio::test]
async fn token_that_is_base64_is_found_without_its_padding_and_in_the_other_alphabet() {
    let authentication = "profile = \"bearer-token\"\noauth-access-token = { file = \"secret\" }";
    for (token, spellings) in [
        (
            "q+aGVs/bG8gd29ybGQhIQ==",
            ["q+aGVs/bG8gd29ybGQhIQ", "q-aGVs_bG8gd29ybGQhIQ", "q-aGVs_bG8gd29ybGQhIQ=="],
        ),
        (
            "q-aGVs_bG8gd29ybGQhIQ",
            ["q-aGVs_bG8gd29ybGQhIQ", "q+aGVs/bG8gd29ybGQhIQ", "q+aGVs/bG8gd29ybGQhIQ=="],
        ),
    ] {
        let secrets = ["q+aGVs/bG8gd29ybGQhIQ", "q-aGVs_bG8gd29ybGQhIQ"].map(str::to_owned);
        for spelling in spellings {
            for place in [Place::Detail, Place::FoundId, Place::Title, Place::Redirect] {
                check(place, spelling.to_owned(), authentication, token, &secrets).await;
            }
        }
    }
}

#[tokio::test]
async fn short_password_is_found_as_a_word() {
    let authentication =
        "profile = \"basic-auth\"\nbasic-auth-user = \"hr\"\nbasic-auth-password = { file = \"secret\" }";
    for place in [Place::NewId, Place::FoundId, Place::Detail, Place::Location, Place::Title, Place::Redirect]
    {
        check(place, "x-s3cret".to_owned(), authentication, "s3cret", &["s3cret".to_owned()]).await;
    }
}

#[tokio::test]
async fn values_of_a_user_in_the_words_of_a_target_become_the_names_of_attributes() {
    let mut bench = Bench::new("aquera").await;
    let rules = "[[rule]]\nname = \"everyone\"\n\
        [[rule.mapping]]\nsource = \"username\"\ntarget = \"userName\"\n\
        [[rule.mapping]]\nsource = \"email\"\ntarget = 'emails[type eq \"work\"].value'\n\
        [[rule.mapping]]\nsource = \"mobilePhone\"\ntarget = 'phoneNumbers[type eq \"mobile\"].value'\n\
        [[rule.mapping]]\nsource = \"name.family\"\ntarget = \"name.familyName\"\n\
        [[rule.mapping]]\nsource = \"secret\"\ntarget = \"password\"\n";
    bench.settings.rules = rules.to_owned();
    let detail = "Zoë.Öz@example.org / zo%C3%AB.%C3%B6z%40example.org / ZO\\u00cb.\u{d6}Z@example.org: \
        Okafor (okafor, zoetrope) +44 20 7946 0958 pa55 word!, zoe";
    bench.settings.scim_url = Some(
        crate::scripted::target(move |asked| match asked.method.as_str() {
            "GET" if asked.path.contains("lou") => Answer::error(400, "lou: Okafor"),
            "GET" => Answer::list(&[]),
            // Long enough for a value to stand where the words are cut off.
            _ => Answer::error(400, &format!("{detail}. {}Zoë.Öz@example.org", "x ".repeat(25))),
        })
        .await,
    );
    let values = json!({ "email": "zoë.öz@example.org", "mobilePhone": "+44 20 7946 0958", "secret": "pa55 word!",
        "name": { "family": "Okafor" } });
    bench.users(&[but(user("1", "zoe"), values.clone()), but(user("2", "lou"), values)]);
    let report = bench.sync().await;
    let [zoe, lou] = [0, 1].map(|line: usize| report.lines[line].detail.clone().unwrap());
    let email = "[emails[type eq \"work\"].value]";
    assert!(
        zoe.starts_with(&format!(
            "the target answered 400: {email} / {email} / {email}: [name.familyName] ([name.familyName], zoetrope) \
             [phoneNumbers[type eq \"mobile\"].value] "
        )),
        "{zoe}"
    );
    for value in ["example.org", "7946", "pa55", "word!", "Zo"] {
        assert!(!zoe.contains(value), "{value} is in {zoe}");
    }
    assert_eq!(lou, "the target answered 400: [userName]: [name.familyName]");
    // A plan reports the same, and so does the stored failure.
    let plan = bench.open().await.plan(provisioner::SyncOptions::default()).await.unwrap();
    let entry = plan.entries.iter().find(|entry| entry.user_name.as_str() == "lou").unwrap();
    assert!(entry.why.ends_with("[userName]: [name.familyName]"), "{}", entry.why);
    assert!(!has(&fs::read(bench.path("aquera.db")).unwrap(), "okafor"), "a failed create keeps no values");
}

#[tokio::test]
async fn e_mail_addresses_of_other_people_are_taken_out() {
    for (words, expected) in [
        ("userName is taken by other.person@example.net", "userName is taken by [an e-mail address]"),
        (
            "<O-ther+x@Mail.example.net>, (j\u{fc}rgen%40example.net). ada@example.org, see @type or a @ b",
            "<[an e-mail address]>, ([an e-mail address]). [emails[type eq \"work\"].value], see @type or a @ b",
        ),
        ("a@b@c.example: x@", "[an e-mail address]@c.example: x@"),
        ("no address here", "no address here"),
    ] {
        let mut bench = Bench::new("aquera").await;
        bench.settings.scim_url = Some(
            crate::scripted::target(move |asked| match asked.method.as_str() {
                "GET" => Answer::list(&[]),
                _ => Answer::error(422, words),
            })
            .await,
        );
        bench.users(&[user("1", "ada")]);
        let detail = bench.sync().await.lines[0].detail.clone().unwrap();
        assert_eq!(detail, format!("the target answered 422: {expected}"));
    }
}

#[tokio::test]
async fn value_of_several_attributes_is_called_by_the_one_that_the_target_names() {
    let shared = "zoë.öz@example.org";
    for (words, expected) in [
        ("the userName `ZOË.ÖZ@example.org` is taken", "the userName `[userName]` is taken"),
        (
            "email zoe\u{308}.o\u{308}z@example.org is no address",
            "email [emails[type eq \"work\"].value] is no address",
        ),
        ("zoë.öz@example.org is taken", "[userName] is taken"),
        ("displayName: ZOE\u{308}.O\u{308}Z@EXAMPLE.ORG", "displayName: [displayName]"),
    ] {
        let mut bench = Bench::new("aquera").await;
        let rules = "[[rule]]\nname = \"everyone\"\n\
            [[rule.mapping]]\nsource = \"username\"\ntarget = \"userName\"\n\
            [[rule.mapping]]\nsource = \"email\"\ntarget = 'emails[type eq \"work\"].value'\n\
            [[rule.mapping]]\nexpression = \"user.email\"\ntarget = \"displayName\"\n";
        bench.settings.rules = rules.to_owned();
        bench.settings.scim_url = Some(
            crate::scripted::target(move |asked| match asked.method.as_str() {
                "GET" => Answer::list(&[]),
                _ => Answer::error(400, words),
            })
            .await,
        );
        bench.users(&[but(user("1", shared), json!({ "email": shared }))]);
        let detail = bench.sync().await.lines[0].detail.clone().unwrap();
        assert_eq!(detail, format!("the target answered 400: {expected}"));
    }
}
