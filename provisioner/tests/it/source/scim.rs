//! A SCIM server as the source: mock-aquera, with what servers do to their pages.

use mock_aquera::{Application, Auth, Fault, MockAquera, Profile};
use provisioner::Exit;
use provisioner::config::{Config, SourceConfig};
use provisioner::reader::{Snapshot, read_all};
use provisioner::source::SourceError;
use serde_json::json;

use crate::support::{Bench, Settings, instant_context, short};

const TOKEN: &str = "source-token-91ab";

/// A server with `count` users.
struct Server {
    _mock: MockAquera,
    app: Application,
    url: String,
}

impl Server {
    async fn start(list: &str, count: usize) -> Self {
        let text = format!("name = \"source\"\nsummary = \"a source\"\n[list]\n{list}\n");
        let profile = Profile::from_toml(&text).unwrap();
        let mock = MockAquera::builder().profile(profile).auth(Auth::bearer(TOKEN)).start().await.unwrap();
        let app = mock.default_application();
        for at in 0..count {
            app.seed_user(json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": format!("u{at}"), "active": at != 1, "name": { "familyName": format!("F{at}") },
            }));
        }
        let url = mock.scim_url();
        Self { _mock: mock, app, url }
    }

    fn table(&self, more: &str) -> String {
        format!(
            "[source]\nkind = \"scim\"\nscim-url = \"{}\"\nprofile = \"bearer-token\"\n\
             oauth-access-token = \"{TOKEN}\"\npage-size = 10\n{more}\n",
            self.url
        )
    }

    fn source(&self, more: &str) -> SourceConfig {
        let text = format!(
            "[connection]\nname = \"x\"\n[connection.authentication]\nscim-url = \"http://localhost/\"\n\
             profile = \"bearer-token\"\noauth-access-token = \"t\"\n{}\n[[rule]]\nname = \"all\"\n\
             filter = 'department pr or username pr'\n",
            self.table(more)
        );
        let config = Config::parse(&text, std::path::Path::new("aquera.toml"));
        config.map_err(|error| format!("{error}")).unwrap().source
    }

    fn lists(&self) -> Vec<String> {
        let journal = self.app.journal();
        journal
            .iter()
            .map(|exchange| exchange.path.clone())
            .filter(|target| target.contains("/Users"))
            .collect()
    }
}

async fn read(source: &SourceConfig) -> Result<Snapshot, SourceError> {
    read_all(source, &instant_context()).await
}

#[tokio::test]
async fn users_are_read_by_index_and_by_cursor() {
    for (list, more, requests) in [
        ("cursor = \"none\"", "", 4),
        ("cursor = \"both\"", "", 3),
        ("cursor = \"both\"", "paging = \"index\"", 4),
        ("cursor = \"only\"", "paging = \"cursor\"", 3),
        ("max-count = 4", "paging = \"index\"", 8),
        ("past-end = \"answers-400\"", "paging = \"index\"", 4),
        ("items-per-page = \"missing\"", "paging = \"index\"", 4),
    ] {
        let server = Server::start(list, 25).await;
        let snapshot =
            read(&server.source(more)).await.unwrap_or_else(|error| panic!("{list} {more}: {error}"));
        let mut names: Vec<&str> = snapshot.users.iter().map(|user| user.username.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 25, "{list} {more}");
        assert_eq!(snapshot.users.iter().filter(|user| !user.enabled).count(), 1);
        let second = snapshot.users.iter().find(|user| user.username == "u2").unwrap();
        assert_eq!(second.attributes["name"], json!({ "family": "F2" }));
        assert_eq!(server.lists().len(), requests, "{list} {more}: {:?}", server.lists());
    }
    let empty = Server::start("", 0).await;
    assert!(read(&empty.source("")).await.unwrap_err().to_string().contains("it has no users"));
}

#[tokio::test]
async fn pages_that_lie_are_refused() {
    for (list, told) in [
        ("total-results = \"one-more\"", "the server counts 26 users and listed 25"),
        ("total-results = \"page-length\"", "counts 10 users, and has more behind them"),
        ("total-results = \"missing\"", "names the number of all users"),
        ("pages = \"repeated\"", "was there twice"),
        ("pages = \"overlapping\"", "was there twice"),
        ("pages = \"empty-before-end\"", "the server counts 25 users and listed 10"),
        ("start-index = \"ignored\"", "begins at 1"),
        ("without-filter = \"answers-403\"", "was answered 403"),
    ] {
        let server = Server::start(list, 25).await;
        let error = read(&server.source("paging = \"index\"")).await.unwrap_err();
        assert!(error.to_string().contains(told), "{list}: {error}");
        assert!(!format!("{error:?}").contains(TOKEN), "{error:?}");
    }
}

#[tokio::test]
async fn passing_faults_are_survived_and_credentials_are_not_shown() {
    for fault in [
        "status=429 retry-after=7 times=2 path=/Users",
        "status=503 times=1 path=/Users",
        "truncate=0.5 times=2 path=/Users",
        "reset times=2 path=/Users",
        "empty-reply times=1 path=/Users",
        "wrong-length=+10 times=1 path=/Users",
    ] {
        let server = Server::start("", 25).await;
        server.app.add_fault(fault.parse::<Fault>().unwrap());
        let snapshot = read(&server.source("paging = \"index\""))
            .await
            .unwrap_or_else(|error| panic!("{fault}: {error}"));
        assert_eq!(snapshot.users.len(), 25, "{fault}");
    }
    let server = Server::start("", 1).await;
    server.app.set_auth(vec![Auth::bearer("another")]);
    let error = read(&server.source("")).await.unwrap_err();
    assert!(error.to_string().contains("was answered 401"), "{error}");
    assert!(!format!("{error:?}").contains(TOKEN), "{error:?}");
}

#[tokio::test]
async fn users_of_a_scim_source_are_provisioned_and_kept() {
    let server = Server::start("", 12).await;
    let bench =
        Bench::with("aquera", Settings { source_table: Some(server.table("")), ..Settings::default() }).await;
    let lines = short(&bench.sync().await);
    assert_eq!(lines.len(), 12, "{lines:?}");
    assert_eq!(bench.accounts().len(), 11, "the disabled user has none");
    assert!(short(&bench.sync().await).is_empty());
    let gone = server.app.users().iter().find(|user| user["userName"] == "u3").unwrap()["id"].clone();
    server.app.remove_user(gone.as_str().unwrap());
    assert_eq!(short(&bench.sync().await), ["u3 deleted disable success done"]);
    // Half of a source is none.
    server.app.add_fault("truncate=0.5 path=/Users times=always".parse::<Fault>().unwrap());
    let report = bench.sync().await;
    assert_eq!(report.exit, Exit::SourceUnreadable);
    assert_eq!(bench.accounts().iter().filter(|account| account.ends_with("true")).count(), 10);
}
