//! Looking up many users by one list of all accounts, at targets whose lists can be trusted and at others.

use std::time::Duration;

use mock_aquera::Profile;
use serde_json::Value;

use crate::support::{Bench, short, user};

/// More than the number from which on the accounts are listed.
const USERS: usize = 1_050;

fn users() -> Vec<Value> {
    (0..USERS).map(|n| user(&n.to_string(), &format!("user{n:04}"))).collect()
}

#[tokio::test]
async fn many_new_users_cost_one_listing_and_one_post_each() {
    let bench = Bench::new("aquera").await;
    bench.users(&users());
    let report = bench.sync().await;
    assert_eq!((report.lines.len(), bench.accounts().len()), (USERS, USERS));
    // The connection test, the one page of an empty target, five look-ups that compare with it, and a read of the first account.
    assert_eq!(report.summary.requests, 2 + 1 + 5 + 1 + USERS as u64);
}

/// Which accounts are there is found out by look-ups wherever the list of all accounts contradicts itself.
#[tokio::test]
async fn existing_accounts_are_linked_whatever_the_list_says() {
    for (switch, is_trusted) in [
        ("", true),
        ("max-count = 100", true),
        ("past-end = \"answers-400\"", true),
        ("past-end = \"answers-404\"", true),
        ("max-count = 100\ntotal-results = \"page-length\"", false),
        ("total-results = \"missing\"", false),
        ("max-count = 100\npages = \"repeated\"", false),
        ("max-count = 100\npages = \"overlapping\"", false),
        ("max-count = 100\npages = \"empty-before-end\"", false),
        ("start-index = \"ignored\"", false),
        ("start-index = \"from-zero\"", false),
        ("without-filter = \"one-synthetic\"", false),
    ] {
        let bench = Bench::new("aquera").await;
        bench.run(&users()).await;
        std::fs::remove_file(bench.path("aquera.db")).unwrap();
        let toml =
            format!("name = \"listing\"\nsummary = \"a list\"\nextends = \"aquera\"\n[list]\n{switch}\n");
        let profile = Profile::from_toml(&toml).unwrap_or_else(|error| panic!("{switch}: {error}"));
        bench.app.set_profile(profile);
        bench.app.clear_journal();
        bench.clock.advance(Duration::from_mins(1));
        let report = bench.sync().await;
        let lines = short(&report);
        assert_eq!(lines.len(), USERS, "{switch}");
        let linked = lines.iter().filter(|line| line.contains(" link success")).count();
        assert_eq!(linked, USERS, "{switch}: {:?}", lines.first());
        assert_eq!(bench.writes(), Vec::<String>::new(), "{switch}");
        let requests = report.summary.requests;
        assert_eq!(requests < 100, is_trusted, "{switch}: {requests} requests");
    }
}
