//! Files that a command writes never take the place of those that it reads or keeps.

use std::path::Path;

use crate::program::{err, run};
use crate::support::{Bench, TOKEN, read, user};

/// Whether a file comes and goes with an open state.
fn is_of_sqlite(path: &Path) -> bool {
    ["lock", "db-wal", "db-shm"].iter().any(|ending| path.to_string_lossy().ends_with(ending))
}

/// Returns the content of every file in the folder.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else if !is_of_sqlite(&path) {
            all.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn output_that_would_overwrite_a_file_in_use_is_refused_before_anything_is_written() {
    let bench = Bench::new("aquera").await;
    let folder = bench.folder.path().to_owned();
    std::fs::write(bench.path("token.txt"), TOKEN).unwrap();
    std::fs::write(bench.path("other.toml"), "").unwrap();
    std::fs::write(bench.path("aquera.db.events"), "{}").unwrap();
    bench.users(&[user("1", "ada")]);
    let text = bench.config_text().replace(
        &format!("oauth-access-token = \"{TOKEN}\""),
        "oauth-access-token = { file = \"token.txt\" }",
    );
    std::fs::write(bench.path("aquera.toml"), text).unwrap();
    assert_eq!(run(&["sync"], &folder).await.status.code(), Some(0));
    assert_eq!(run(&["plan", "--out", "plan.json"], &folder).await.status.code(), Some(0));
    std::fs::copy(bench.path("aquera.db"), bench.path("backup.sqlite")).unwrap();
    std::fs::hard_link(bench.path("aquera.db"), bench.path("hard.html")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("users.ndjson", bench.path("soft.html")).unwrap();
    let before = contents(&folder);
    let mut files = vec![
        ("aquera.db", "the state"),
        ("./aquera.db", "the state"),
        ("aquera.db-wal", "a file of the state"),
        ("aquera.db.lock", "a file of the state"),
        ("aquera.db.events", "received events"),
        ("aquera.toml", "the configuration"),
        ("other.toml", "the configuration of another connection"),
        ("users.ndjson", "the source"),
        ("token.txt", "a file that the configuration names"),
        ("backup.sqlite", "another database"),
        ("hard.html", "the state"),
    ];
    if cfg!(unix) {
        files.push(("soft.html", "the source"));
    }
    for (file, what) in files {
        let html = format!("html={file}");
        for arguments in [
            &["sync", "--report", &html][..],
            &["sync", "--dry-run", "--report", &html],
            &["apply", "plan.json", "--report", &html],
            &["plan", "--out", file],
        ] {
            let refused = run(arguments, &folder).await;
            let told = err(&refused).split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {told}");
            assert!(told.contains(&format!("`{file}`")) && told.contains(what), "{arguments:?}: {told}");
        }
    }
    let plan = run(&["apply", "plan.json", "--report", "html=plan.json"], &folder).await;
    assert!(err(&plan).contains("the plan"), "{}", err(&plan));
    let twice = run(&["sync", "--report", "html=a.md", "--report", "markdown=./a.md"], &folder).await;
    assert_eq!(twice.status.code(), Some(2), "{}", err(&twice));
    assert!(err(&twice).contains("another option"), "{}", err(&twice));
    assert!(!bench.path("a.md").exists());
    assert_eq!(contents(&folder), before);
}

#[tokio::test]
async fn output_in_a_directory_of_pages_is_refused() {
    let mut bench = Bench::new("aquera").await;
    std::fs::create_dir(bench.path("pages")).unwrap();
    let page = serde_json::json!({ "_embedded": { "users": [user("1", "ada")] }, "count": 1, "size": 1 });
    std::fs::write(bench.path("pages/page-1.json"), page.to_string()).unwrap();
    bench.settings.source = "pages";
    bench.write_config();
    for file in ["pages/page-1.json", "pages/new.json", "pages/../pages/new.json"] {
        let refused = run(&["plan", "--out", file], bench.folder.path()).await;
        assert_eq!(refused.status.code(), Some(2), "{file}: {}", err(&refused));
        assert!(err(&refused).contains("source `"), "{file}: {}", err(&refused));
    }
    assert!(!bench.path("pages/new.json").exists());
    assert_eq!(read(&bench.path("pages/page-1.json")), page.to_string());
}

#[cfg(unix)]
#[tokio::test]
async fn plan_and_report_are_made_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    std::fs::write(bench.path("old.json"), "earlier").unwrap();
    for file in ["new.json", "old.json"] {
        let planned = run(&["plan", "--out", file], bench.folder.path()).await;
        assert_eq!(planned.status.code(), Some(0), "{}", err(&planned));
        let mode = std::fs::metadata(bench.path(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
