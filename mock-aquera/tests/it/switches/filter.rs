//! `[filter]`.

use serde_json::json;

use super::{World, no_case, trying, words};
use crate::client::Answer;

const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

#[tokio::test]
async fn every_word_is_seen() {
    for (key, word) in words("filter") {
        trying("filter", &key, &word);
        match key.as_str() {
            "subset" => subset(&word).await,
            "unsupported" => unsupported(&word).await,
            "attributes" => attributes().await,
            "max-terms" => max_terms().await,
            "miss" => miss(&word).await,
            "case" => case(&word).await,
            _ => no_case(&key, &word),
        }
    }
}

async fn asked(w: &World, filter: &str) -> Answer {
    let answer = w.client.query("/Users", &[("filter", filter)]).await;
    // However it is asked, the answer is the same.
    let body = json!({"schemas": [SEARCH], "filter": filter});
    let search = w.client.post("/Users/.search", &body).await;
    assert_eq!((search.status, &search.text), (answer.status, &answer.text), "{filter}");
    answer
}

fn found(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let list = answer.json();
    let resources = list["Resources"].as_array().unwrap();
    assert_eq!(list["totalResults"], json!(resources.len()));
    resources.iter().map(|user| user["userName"].as_str().unwrap().to_owned()).collect()
}

async fn subset(word: &str) {
    let w = World::with("filter", "subset", word).await;
    let understood = match word {
        "full" => [true; 6],
        "eq" => [true, false, false, false, false, false],
        "eq-and" => [true, true, false, false, false, false],
        "eq-sw" => [true, false, true, false, false, false],
        "none" => [false; 6],
        _ => no_case("subset", word),
    };
    let filters = [
        "userName eq \"ida\"",
        "userName eq \"ida\" and title eq \"old\"",
        "userName sw \"id\"",
        "userName eq \"ida\" or userName eq \"eve\"",
        "not (userName eq \"bob\")",
        "emails[type eq \"work\"]",
    ];
    for (filter, understood) in filters.into_iter().zip(understood) {
        let answer = asked(&w, filter).await;
        if understood {
            assert_eq!(found(&answer), ["Ida"], "{filter}");
        } else {
            answer.scim_error(400, Some("invalidFilter"));
        }
    }
    let claimed = w.client.get("/ServiceProviderConfig").await.json()["filter"]["supported"].clone();
    assert_eq!(claimed, json!(word != "none"));
}

async fn unsupported(word: &str) {
    let w = World::of(&format!("[filter]\nsubset = \"eq\"\nunsupported = \"{word}\"")).await;
    let co = asked(&w, "userName co \"id\"").await;
    let broken = asked(&w, "userName eq").await;
    let foreign = asked(&w, "shoe eq \"43\"").await;
    assert_eq!(found(&asked(&w, "userName eq \"ida\"").await), ["Ida"]);
    match word {
        "answers-400" => drop(co.scim_error(400, Some("invalidFilter"))),
        "answers-501" => drop(co.scim_error(501, None)),
        "answers-403" => drop(co.scim_error(403, None)),
        "empty-200" => {
            // Whatever it is that can't be used.
            for answer in [co, broken, foreign] {
                assert_eq!(found(&answer), [""; 0]);
            }
            return;
        }
        "ignored" => assert_eq!(found(&co), ["Ida", "bob"]),
        _ => no_case("unsupported", word),
    }
    for answer in [broken, foreign] {
        answer.scim_error(400, Some("invalidFilter"));
    }
}

async fn attributes() {
    let w = World::of("[filter]\nattributes = [\"userName\", \"emails.value\"]").await;
    for filter in ["userName eq \"ida\"", "USERNAME sw \"i\"", "emails.value co \"home\""] {
        assert_eq!(found(&asked(&w, filter).await), ["Ida"], "{filter}");
    }
    for filter in ["title eq \"old\"", "userName eq \"ida\" and active eq true", "emails.type eq \"work\""] {
        let why = asked(&w, filter).await.scim_error(400, Some("invalidFilter"));
        assert!(why.contains("userName, emails.value"), "{why}");
    }
}

async fn max_terms() {
    let w = World::of("[filter]\nmax-terms = 2\nunsupported = \"answers-501\"").await;
    assert_eq!(found(&asked(&w, "userName eq \"ida\" and active eq true").await), ["Ida"]);
    let three = asked(&w, "userName eq \"ida\" and active eq true and title pr").await;
    assert!(three.scim_error(400, Some("invalidFilter")).contains('3'));
}

async fn miss(word: &str) {
    let w = World::with("filter", "miss", word).await;
    for filter in ["userName eq \"eve\"", "title co \"x\"", "id eq \"x\""] {
        let answer = asked(&w, filter).await;
        match word {
            "empty-list" => assert_eq!(found(&answer), [""; 0]),
            "answers-404" => drop(answer.scim_error(404, None)),
            _ => no_case("miss", word),
        }
    }
    assert_eq!(found(&asked(&w, "userName eq \"ida\"").await), ["Ida"]);
    // An empty page is no miss.
    let none = w.client.query("/Users", &[("filter", "title pr"), ("count", "0")]).await;
    assert_eq!((none.status, &none.json()["totalResults"]), (200, &json!(2)));
}

async fn case(word: &str) {
    let w = World::with("filter", "case", word).await;
    // `userName` is compared without case by its schema, `externalId` with (RFC 7643 §3.1).
    let filters = [
        "userName eq \"Ida\"",
        "userName eq \"ida\"",
        "externalId eq \"E-1\"",
        "externalId eq \"e-1\"",
        "title co \"OL\" and active eq true",
    ];
    let mut hits = Vec::new();
    for filter in filters {
        hits.push(!found(&asked(&w, filter).await).is_empty());
    }
    let expected = match word {
        "schema" => [true, true, true, false, true],
        "exact" => [true, false, true, false, false],
        "ignored" => [true, true, true, true, true],
        _ => no_case("case", word),
    };
    assert_eq!(hits, expected, "{word}");
}
