//! The rules of ARCHITECTURE.md about who may know whom, and the ones of the house style that a test can check.

#[path = "workspace/modules.rs"]
mod modules;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Returns the direct dependencies of a member; `tests_too` adds the dependencies of its tests.
fn dependencies(metadata: &Value, member: &str, tests_too: bool) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["name"] == member).expect("the member");
    let listed = package["dependencies"].as_array().expect("dependencies");
    listed
        .iter()
        .filter(|dependency| tests_too || dependency["kind"] != "dev")
        .map(|dependency| dependency["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn dependencies_point_one_way() {
    let metadata = metadata();
    #[track_caller]
    fn check(metadata: &Value, member: &str, tests_too: bool, never: &[&str]) {
        let has = dependencies(metadata, member, tests_too);
        let found: Vec<_> = never.iter().filter(|name| has.contains(**name)).collect();
        assert!(found.is_empty(), "{member} must not depend on {found:?}");
    }
    let outside = [
        "mock-aquera",
        "provisioner",
        "conformance",
        "tokio",
        "axum",
        "reqwest",
        "hyper",
        "rusqlite",
        "rand",
        "chrono",
        "time",
    ];
    check(&metadata, "scim", false, &outside);
    check(&metadata, "cli-support", true, &["scim", "mock-aquera", "provisioner", "conformance", "tokio"]);
    check(&metadata, "mock-aquera", true, &["provisioner", "conformance"]);
    check(&metadata, "provisioner", false, &["mock-aquera", "conformance"]);
    check(&metadata, "provisioner", true, &["conformance"]);
    check(&metadata, "conformance", true, &["scim"]);
}

/// The harness shares no code with what it judges, not through a re-export of the mock either.
#[test]
fn conformance_names_nothing_of_scim() {
    let re_exported: Vec<String> = sources(&root().join("mock-aquera/src"))
        .into_iter()
        .chain(sources(&root().join("provisioner/src")))
        .flat_map(|(_, text)| text.lines().map(ToOwned::to_owned).collect::<Vec<_>>())
        .filter_map(|line| Some(line.strip_prefix("pub use scim::")?.trim_end_matches(';').to_owned()))
        .filter_map(|path| path.rsplit("::").next().map(ToOwned::to_owned))
        .collect();
    assert!(!re_exported.is_empty(), "the mock re-exports an enum of scim");
    for (path, text) in sources(&root().join("conformance/src")) {
        assert!(!text.contains("scim::"), "{} names scim", path.display());
        for name in &re_exported {
            let imported =
                text.lines().any(|line| line.contains("mock_aquera::") && line.contains(name.as_str()));
            assert!(!imported, "{} names {name} of scim", path.display());
        }
    }
}

/// Every Rust file below a folder, with its text.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("UTF-8");
                found.push((path, text));
            }
        }
    }
    found
}

#[test]
fn the_protocol_knows_no_runtime_and_no_clock() {
    let sources = sources(&root().join("scim/src"));
    assert!(!sources.is_empty());
    for (path, text) in sources {
        for word in [
            "tokio::",
            "axum::",
            "reqwest::",
            "SystemTime",
            "Instant::",
            "::now(",
            "rand::",
            "async fn",
            "std::net",
        ] {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}

/// The lower case of a sigma depends on its neighbours there: `casing` has the function that takes each character alone.
#[test]
fn the_harness_compares_text_through_one_function() {
    for (path, text) in sources(&root().join("conformance/src")) {
        let is_exempt = path.ends_with("casing.rs");
        for word in [".to_lowercase()", "str::to_lowercase", ".to_uppercase()"] {
            assert!(is_exempt || !text.contains(word), "{} names {word}", path.display());
        }
    }
}

/// Phrases that a reader has to puzzle over, in the texts that people read.
const BANNED: [&str; 14] = [
    "hoever",
    "othing where",
    "o many seconds",
    "so many at",
    "those that",
    "none that",
    " is none ",
    "as you like",
    "on their way",
    "own hand",
    "Whom ",
    "without end",
    "hangs on",
    "laid out",
];

/// The documents, the texts of errors, and the help of the command lines.
#[test]
fn texts_for_people_use_plain_sentences() {
    let mut texts: Vec<(PathBuf, String)> = Vec::new();
    let mut documents = vec![root().join("docs/decisions.md"), root().join("docs/mutants.md")];
    documents.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    documents.extend(
        ["cases", "client", "mutants", "probe"]
            .map(|name| root().join(format!("conformance/data/{name}/README.md"))),
    );
    for document in documents {
        let text = std::fs::read_to_string(&document).expect("a document");
        texts.push((document, text));
    }
    for member in ["scim", "cli-support", "mock-aquera", "provisioner", "conformance"] {
        for (path, text) in sources(&root().join(member).join("src")) {
            let in_cli =
                path.components().any(|part| part.as_os_str() == "cli" || part.as_os_str() == "cli.rs");
            let for_people = |line: &&str| {
                let line = line.trim_start();
                line.starts_with("#[error(") || in_cli && line.starts_with("///")
            };
            let read = text.lines().filter(for_people).collect::<Vec<_>>().join("\n");
            texts.push((path, read));
        }
    }
    assert!(texts.iter().map(|(_, text)| text.lines().count()).sum::<usize>() > 2000, "texts were found");
    let found: Vec<String> = texts
        .iter()
        .flat_map(|(path, text)| text.lines().map(move |line| (path, line)))
        .filter(|(_, line)| BANNED.iter().any(|phrase| line.contains(phrase)))
        .map(|(path, line)| format!("{}: {}", path.display(), line.trim()))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn fixtures_hold_no_code() {
    assert_eq!(sources(&root().join("fixtures")), Vec::new());
}

#[test]
fn files_are_short_and_lie_where_they_should() {
    for member in ["scim", "cli-support", "mock-aquera", "provisioner", "conformance"] {
        for (path, text) in sources(&root().join(member)) {
            let (name, lines) = (path.file_name().expect("a name"), text.lines().count());
            assert!(name != "mod.rs", "{} should be named after its module", path.display());
            assert!(lines <= 600, "{} has {lines} lines", path.display());
            assert!(name != "main.rs" || lines <= 30, "{} has {lines} lines", path.display());
        }
    }
}
