//! `stale-reads`: what reads and lists show for a while after a write.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::World;
use crate::client::user;

async fn names(w: &World, query: &[(&str, &str)]) -> (Vec<String>, Value) {
    let list = w.client.query("/Users", query).await.json();
    let resources = list["Resources"].as_array().unwrap().iter();
    let names = resources.map(|user| user["userName"].as_str().unwrap().to_owned()).collect();
    (names, list["totalResults"].clone())
}

pub(super) async fn reads_show_what_was() {
    let w = World::of("[application]\nstale-reads = \"30s\"").await;
    w.app.clock().freeze();
    let wait = |seconds| w.app.clock().advance(SignedDuration::from_secs(seconds));
    let before = w.client.get(&w.ida).await;

    // A change.
    let changed = w.set(&w.ida, "title", json!("new")).await;
    assert_eq!((changed.status, &changed.json()["title"]), (200, &json!("new")));
    let read = w.client.get(&w.ida).await;
    assert_eq!((read.json(), read.header("etag")), (before.json(), before.header("etag")));
    assert_eq!(names(&w, &[("filter", "title eq \"new\"")]).await, (vec![], json!(0)));
    assert_eq!(names(&w, &[("filter", "title eq \"old\"")]).await.1, json!(2));
    let shown = w.client.get(&format!("{}?attributes=title", w.ida)).await.json();
    assert_eq!(shown["title"], json!("old"));

    // Another one, twenty seconds later: each is seen thirty seconds after it was made.
    wait(20);
    w.set(&w.ida, "title", json!("newest")).await;
    wait(15);
    assert_eq!(w.client.get(&w.ida).await.json()["title"], json!("new"));
    wait(15);
    assert_eq!(w.client.get(&w.ida).await.json()["title"], json!("newest"));

    // A new account: nobody finds it, and its name is taken.
    let eve = w.create("eve").await;
    assert_eq!(eve.status, 201);
    let path = format!("/Users/{}", eve.id());
    w.client.get(&path).await.scim_error(404, None);
    for query in [&[][..], &[("sortBy", "userName")], &[("filter", "userName eq \"eve\"")]] {
        let (names, total) = names(&w, query).await;
        assert!(!names.contains(&"eve".to_owned()), "{query:?}");
        assert_eq!(total, json!(names.len()));
    }
    w.create("eve").await.scim_error(409, Some("uniqueness"));
    wait(30);
    assert_eq!(w.client.get(&path).await.status, 200);
    assert_eq!(names(&w, &[("filter", "userName eq \"eve\"")]).await.1, json!(1));

    // A rename is looked up by the old name.
    w.client.put(&path, &user("eva", json!({}))).await;
    assert_eq!(names(&w, &[("filter", "userName eq \"eve\"")]).await.0, ["eve"]);
    assert_eq!(names(&w, &[("filter", "userName eq \"eva\"")]).await.1, json!(0));
    wait(30);

    // A delete: read and listed in its old place, by pages too.
    assert_eq!(w.client.delete(&w.bob).await.status, 204);
    assert_eq!(w.client.get(&w.bob).await.json()["userName"], json!("bob"));
    assert_eq!(names(&w, &[]).await, (["Ida", "bob", "eva"].map(str::to_owned).to_vec(), json!(3)));
    assert_eq!(names(&w, &[("startIndex", "2"), ("count", "1")]).await.0, ["bob"]);
    let first = w.client.get("/Users?cursor&count=1").await.json();
    let next = first["nextCursor"].as_str().unwrap();
    assert_eq!(names(&w, &[("cursor", next), ("count", "1")]).await.0, ["bob"]);
    w.client.delete(&w.bob).await.scim_error(404, None);
    wait(30);
    w.client.get(&w.bob).await.scim_error(404, None);
    assert_eq!(names(&w, &[]).await, (["Ida", "eva"].map(str::to_owned).to_vec(), json!(2)));
    // The group shows who left it as soon as that is over.
    w.client.patch(&w.team, &json!([{"op": "remove", "path": "members"}])).await;
    assert_eq!(w.client.get(&w.team).await.json()["members"].as_array().unwrap().len(), 1);
    wait(30);
    assert_eq!(w.client.get(&w.team).await.json()["members"], Value::Null);
    w.app.check_consistency().unwrap();
}

#[tokio::test]
async fn an_id_that_is_used_again_shows_whose_it_was() {
    let w = World::of("[application]\nstale-reads = \"30s\"\nids = \"reused\"").await;
    w.app.clock().freeze();
    w.client.delete(&w.ida).await;
    assert_eq!(w.create("eve").await.id(), w.ida_id);
    assert_eq!(w.client.get(&w.ida).await.json()["userName"], json!("Ida"));
    assert_eq!(names(&w, &[]).await, (["Ida", "bob"].map(str::to_owned).to_vec(), json!(2)));
    w.app.clock().advance(SignedDuration::from_secs(30));
    assert_eq!(w.client.get(&w.ida).await.json()["userName"], json!("eve"));
    assert_eq!(names(&w, &[]).await, (["bob", "eve"].map(str::to_owned).to_vec(), json!(2)));
}
