//! The report of a run for an auditor: complete, escaped, and without secrets.

use std::process::Command;
use std::sync::Arc;

use provisioner::SyncOptions;
use provisioner::document::{Document, RunNotes, SourceDigest, to_html, to_markdown};
use serde_json::{Value, json};

use crate::support::{Bench, TOKEN, but, read, user};

/// A text of others that would be markup in either form.
const MARKUP: &str = "<script>alert(1)</script>|`x`\n# [a](http://evil.example)\u{202e}";

/// Runs over the users, and returns the report in both forms.
async fn report(bench: &Bench, users: &[Value]) -> (String, String) {
    bench.users(users);
    let notes = Arc::new(RunNotes::default());
    let provisioner = bench.open().await.observed_by(vec![Arc::clone(&notes) as Arc<_>]);
    let report = provisioner.sync(SyncOptions::default()).await;
    let digest = SourceDigest::of_file(&bench.path("users.ndjson"));
    let digest = SourceDigest::of_run(digest.clone(), digest);
    let document = Document::new(provisioner.config(), &report, &notes, "ada", digest);
    let texts = (to_html(&document), to_markdown(&document));
    provisioner.close().await;
    texts
}

/// Replaces what differs between two runs of a test: ports, ids and digests.
fn settled(text: &str) -> String {
    let mut settled = String::new();
    let is_part = |sign: char| sign.is_ascii_alphanumeric() || sign == '-';
    let mut word = String::new();
    for sign in text.chars().chain(['\n']) {
        if is_part(sign) {
            word.push(sign);
            continue;
        }
        let is_id = word.len() >= 16 && word.chars().all(|sign| sign.is_ascii_hexdigit() || sign == '-');
        let is_port = settled.ends_with("127.0.0.1:") || settled.ends_with("127.0.0.1&#58;");
        settled.push_str(if is_id {
            "ID"
        } else if is_port {
            "PORT"
        } else {
            &word
        });
        word.clear();
        settled.push(sign);
    }
    settled.trim_end().to_owned()
}

#[tokio::test]
async fn report_matches_the_snapshots() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.options = "concurrency = 1\nmax-attempts = 1".to_owned();
    bench.app.add_fault("status=400 method=POST times=2 after=1".parse().unwrap());
    let disabled = but(user("4", "zoe"), json!({ "enabled": false }));
    let users = [user("1", "ada"), user("2", "eve"), user("3", MARKUP), disabled];
    let (html, markdown) = report(&bench, &users).await;
    for (form, text) in [("html", &html), ("markdown", &markdown)] {
        assert!(!text.contains(TOKEN), "{form}");
        assert!(!text.contains("<script>") && !text.contains("\u{202e}"), "{form}: {text}");
        assert!(!text.contains("Engineer"), "{form} has the value of an attribute");
    }
    assert!(!html.contains("http://evil.example\""), "{html}");
    insta::assert_snapshot!("report_html", settled(&html));
    insta::assert_snapshot!("report_markdown", settled(&markdown));
}

#[tokio::test]
async fn report_of_a_run_without_work_says_so() {
    let bench = Bench::new("aquera").await;
    report(&bench, &[user("1", "ada")]).await;
    let (html, markdown) = report(&bench, &[user("1", "ada")]).await;
    assert!(html.contains("Nothing had to be done") && html.contains("<p>Nothing.</p>"), "{html}");
    assert!(markdown.contains("**Nothing had to be done**"), "{markdown}");
}

#[tokio::test]
async fn users_beyond_a_limit_are_counted() {
    let bench = Bench::new("aquera").await;
    let users: Vec<Value> = (0..1_003)
        .map(|number| but(user(&number.to_string(), &format!("user-{number}")), json!({ "enabled": false })))
        .collect();
    let (html, markdown) = report(&bench, &users).await;
    assert!(html.contains("… and 3 more"), "{}", html.len());
    assert!(markdown.contains("… and 3 more"));
    assert!(html.contains("1003 users"));
}

async fn run(bench: &Bench, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    command.args(arguments).current_dir(bench.folder.path()).env("NO_COLOR", "1").env("USER", "operator");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_and_apply_write_reports() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let (exit, errors) =
        run(&bench, &["sync", "--report", "html=run.html", "--report", "markdown=run.md"]).await;
    assert_eq!((exit, errors.as_str()), (0, ""));
    let html = read(&bench.path("run.html"));
    assert!(html.contains("1 user done") && html.contains(">operator<"), "{html}");
    let digest = SourceDigest::of_file(&bench.path("users.ndjson")).unwrap();
    assert!(html.contains(&format!("sha256:{digest}")), "{html}");
    assert!(read(&bench.path("run.md")).starts_with("# Provisioning run of test\n"));
    bench.users(&[user("1", "ada"), user("2", "eve")]);
    assert_eq!(run(&bench, &["plan", "--out", "plan.json"]).await.0, 0);
    assert_eq!(run(&bench, &["apply", "plan.json", "--report", "html=apply.html"]).await.0, 0);
    assert!(read(&bench.path("apply.html")).contains("<td>apply</td>"));
    // A report that cannot be written is told before anything is done.
    bench.users(&[user("1", "ada"), user("2", "eve"), user("3", "zoe")]);
    let (exit, errors) = run(&bench, &["sync", "--report", "html=no/such/folder.html"]).await;
    assert_eq!(exit, 2);
    assert!(errors.contains("failed to write the report to no/such/folder.html"), "{errors}");
    assert_eq!(bench.accounts().len(), 2);
    let (exit, errors) = run(&bench, &["sync", "--report", "pdf=run.pdf"]).await;
    assert_eq!(exit, 2);
    assert!(errors.contains("expected html=FILE or markdown=FILE"), "{errors}");
}
