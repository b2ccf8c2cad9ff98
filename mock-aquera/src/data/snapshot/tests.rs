use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::data::fake_users::create;
use crate::lock;
use crate::problem::Problem;
use crate::types::TypeId;
use crate::{Auth, MockAquera, MockAqueraBuilder, Profile};

fn keeping(folder: &tempfile::TempDir) -> MockAqueraBuilder {
    MockAquera::builder().seed(3).snapshot(folder.path().join("data.ndjson"))
}

fn all(mock: &MockAquera, name: &str) -> Vec<Value> {
    let application = mock.application(name).unwrap();
    application.check_consistency().unwrap();
    let mut all = [application.users(), application.groups()].concat();
    for resource in &mut all {
        // The address is another one after a restart.
        let text = resource.to_string().replace(&mock.scim_url().replace("/scim", ""), "http://h");
        *resource = serde_json::from_str(&text).unwrap();
        if let Some(groups) = resource.get("groups") {
            assert!(groups.as_array().is_some_and(|groups| !groups.is_empty()));
            // The version of a user tells of its groups, addresses included.
            resource["meta"]["version"] = Value::Null;
        }
    }
    all
}

async fn filled(folder: &tempfile::TempDir) -> MockAquera {
    let mock = keeping(folder).users(20).start().await.unwrap();
    let application = mock.default_application();
    let users = application.users();
    let id = |at: usize| users[at]["id"].as_str().unwrap().to_owned();
    let of = |ids: &[String]| ids.iter().map(|id| json!({"value": id})).collect::<Vec<_>>();
    let mut called = of(&[id(3), id(1)]);
    called[1]["display"] = json!("The First");
    let first = application.seed("Group", json!({"displayName": "a", "members": called}));
    let second = application.seed("Group", json!({"displayName": "b", "members": of(&[first, id(1)])}));
    assert!(
        application.edit_user(&id(1), |user| drop(user.insert("title".to_owned(), json!("Boss \u{7}\""))))
    );
    assert!(application.remove_user(&id(2)));
    application.seed_user(json!({"id": "twin", "userName": "t", "odd": {"b": [1.5, null], "a": 1}}));
    application.seed_user(json!({"id": "twin-2", "userName": "t"}));
    assert!(application.edit("Group", &second, |_| {}));
    mock.create_application("other", crate::ApplicationConfig { seed: 9, ..Default::default() })
        .unwrap()
        .seed_user(json!({"userName": "only"}));
    mock
}

#[tokio::test]
async fn all_of_it_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mock = filled(&folder).await;
    let before = (all(&mock, "default"), all(&mock, "other"));
    mock.stop().await;
    let again = keeping(&folder).users(5).start().await.unwrap();
    assert_eq!((all(&again, "default"), all(&again, "other")), before);
    assert_eq!(again.default_application().user_count(), 21);

    // Ids go on where they were: none is given a second time.
    let fresh = filled(&tempfile::tempdir().unwrap()).await;
    let next = |mock: &MockAquera| mock.default_application().seed_user(json!({"userName": "next"}));
    assert_eq!(next(&again), next(&fresh));
    let known = before.0.iter().any(|one| one["id"] == json!(next(&again)));
    assert!(!known);
}

#[tokio::test]
async fn what_is_hidden_stays_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut profile = Profile::default();
    profile.application.delete = crate::DownstreamDelete::Hides;
    let start = || keeping(&folder).profile(profile.clone()).auth(Auth::none()).users(0).start();
    let mock = start().await.unwrap();
    let id = mock.default_application().seed_user(json!({"userName": "gone"}));
    {
        let application = mock.default_application();
        let mut store = lock(application.store());
        let at = store.find(&id).unwrap();
        store.hide(at, jiff::Timestamp::UNIX_EPOCH);
    }
    mock.stop().await;
    let again = start().await.unwrap();
    let application = again.default_application();
    assert_eq!(application.user_count(), 0);
    let body = json!({"schemas": [scim::schema::USER_URN], "userName": "GONE"}).to_string();
    let (settings, now) = (application.settings(), jiff::Timestamp::UNIX_EPOCH);
    let created = create(&settings, &mut lock(application.store()), TypeId::FIRST, body.as_bytes(), now);
    assert!(matches!(created, Err(Problem::Taken { .. })), "{created:?}");
    application.check_consistency().unwrap();
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    filled(&folder).await.stop().await;
    let file = folder.path().join("data.ndjson");
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let last = lines.len() - 1;
    let joined = |lines: &[&str]| format!("{}\n", lines.join("\n"));
    let without = |at: usize| joined(&[&lines[..at], &lines[at + 1..]].concat());
    let group = lines.iter().position(|line| line.contains("\"type\":\"Group\"")).unwrap();
    let cut = &whole[..whole.len() / 2];
    let cases = [
        (String::new(), 1, "it ends here"),
        ("hello\n".to_owned(), 1, "no snapshot"),
        (whole.replacen("\"version\":1}", "\"version\":2}", 1), 1, "of version 2"),
        (cut.to_owned(), cut.lines().count(), "column"),
        (joined(&lines[..last]), last + 1, "it ends here"),
        (without(1), 2, "no application stands before"),
        (without(2), last, "resources were written"),
        (without(4), group, "its member"),
        (joined(&[&lines[..3], &lines[2..]].concat()), 4, "a second time"),
        (format!("{whole}{}\n", lines[2]), last + 2, "behind the last line"),
        (whole.replacen("lastModified\":\"2", "lastModified\":\"x", 1), 3, "is an instant"),
        (whole.replacen("\"type\":\"User\"", "\"type\":\"Printer\"", 1), 3, "--resource-type"),
    ];
    for (text, line, part) in cases {
        fs::write(&file, &text).unwrap();
        let error = keeping(&folder).start().await.unwrap_err().to_string();
        assert!(error.contains(&format!("data.ndjson:{line}: ")) && error.contains(part), "{part}: {error}");
        assert!(!error.contains(".bak") && error.contains("move it away"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    fs::write(folder.path().join("data.ndjson.bak"), &whole).unwrap();
    let error = keeping(&folder).start().await.unwrap_err().to_string();
    assert!(error.contains("data.ndjson.bak in its place"), "{error}");
}

#[tokio::test]
async fn the_file_before_is_kept_and_nothing_is_written_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (file, old) = (folder.path().join("data.ndjson"), folder.path().join("data.ndjson.bak"));
    let mock = keeping(&folder).start().await.unwrap();
    mock.save().unwrap();
    let first = fs::read(&file).unwrap();
    mock.save().unwrap();
    assert!(!old.exists());
    mock.default_application().seed_user(json!({"userName": "x"}));
    mock.save().unwrap();
    assert_eq!(fs::read(&old).unwrap(), first);
    assert_ne!(fs::read(&file).unwrap(), first);
    assert!(!folder.path().join("data.ndjson.new").exists());
    // What was taken in and not changed isn't written.
    drop(mock);
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    keeping(&folder).start().await.unwrap().stop().await;
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written);
    assert_eq!(fs::read(&old).unwrap(), first);
}

#[tokio::test]
async fn it_is_written_now_and_then() {
    let folder = tempfile::tempdir().unwrap();
    let mock = keeping(&folder).snapshot_every(Duration::from_millis(5)).start().await.unwrap();
    mock.default_application().seed_user(json!({"userName": "kept-without-a-stop"}));
    let file = folder.path().join("data.ndjson");
    while !fs::read_to_string(&file).is_ok_and(|text| text.contains("kept-without-a-stop")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn snapshot_that_cannot_be_written_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let refused = async |file: std::path::PathBuf| {
        MockAquera::builder().snapshot(file).start().await.unwrap_err().to_string()
    };
    let error = refused(folder.path().join("no/such/data")).await;
    assert!(error.starts_with("use the snapshot") && error.contains("there is no folder"), "{error}");
    let error = refused(folder.path().to_owned()).await;
    assert!(error.contains("it is a folder"), "{error}");
    // Each file that a write makes may be in the way of one.
    for ending in [".lock", ".new", ".bak"] {
        let name = format!("data{ending}");
        fs::create_dir(folder.path().join(&name)).unwrap();
        let error = refused(folder.path().join("data")).await;
        assert!(error.starts_with("prepare the snapshot"), "{name}: {error}");
        fs::remove_dir(folder.path().join(&name)).unwrap();
    }
    let mock = MockAquera::builder().snapshot(folder.path().join("data")).start().await.unwrap();
    assert!(!folder.path().join("data.new").exists(), "nothing of the trial is left");
    // What goes wrong later is told where it happens.
    fs::create_dir(folder.path().join("data.new")).unwrap();
    let error = mock.save().unwrap_err().to_string();
    assert!(error.starts_with("write the snapshot") && error.contains("data"), "{error}");
    fs::remove_dir(folder.path().join("data.new")).unwrap();
    mock.save().unwrap();
}

#[tokio::test]
async fn snapshot_belongs_to_one_server_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = keeping(&folder).users(2).start().await.unwrap();
    let error = keeping(&folder).start().await.unwrap_err();
    assert!(
        matches!(&error, crate::StartError::Snapshot(SnapshotError::InUse(file)) if file.ends_with("data.ndjson"))
    );
    assert!(error.to_string().contains("another mock-aquera is using it"), "{error}");
    first.stop().await;
    let second = keeping(&folder).snapshot_every(Duration::from_millis(1)).start().await.unwrap();
    assert_eq!(second.default_application().user_count(), 2);
    // Even where a write was under way.
    second.default_application().seed_user(json!({"userName": "x"}));
    drop(second);
    assert_eq!(keeping(&folder).start().await.unwrap().default_application().user_count(), 3);
}

#[tokio::test]
async fn reset_returns_to_the_snapshot_of_the_start() {
    let folder = tempfile::tempdir().unwrap();
    filled(&folder).await.stop().await;
    let mock = keeping(&folder).start().await.unwrap();
    let before = (all(&mock, "default"), all(&mock, "other"));
    let application = mock.default_application();
    let next = application.seed_user(json!({"userName": "next"}));
    application.remove_all("Group");
    application.remove_all("User");
    mock.application("other").unwrap().seed_user(json!({"userName": "more"}));
    application.reset();
    mock.application("other").unwrap().reset();
    assert_eq!((all(&mock, "default"), all(&mock, "other")), before);
    assert_eq!(application.seed_user(json!({"userName": "next"})), next, "ids go on where they were");
}
