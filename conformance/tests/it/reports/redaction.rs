//! Secrets and people are in no format.

use conformance::redact::Redactor;
use conformance::report::output_format::Format;
use conformance::report::text::{self, Paint};
use conformance::report::{CaseResult, Report, Verdict, github};
use conformance::transcript::Exchange;
use conformance::transcript::REDACTED;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::sample;

/// Everything that is ever written of a report.
fn everything(report: &Report) -> String {
    let mut all = text::failures(report, Paint::Plain) + &text::summary(report, Paint::Plain);
    all.push_str(&github::annotations(report));
    all.push_str(&github::summary(report));
    for format in Format::ALL {
        all.push_str(&format.write(report).expect("it is written"));
    }
    for case in &report.cases {
        all.push_str(&text::json_line("case", case).expect("JSON").to_string());
    }
    all
}

/// A case whose exchanges are these.
fn report_of(exchanges: Vec<Exchange>, because: &str, actual: Value) -> Report {
    let case = CaseResult {
        because: Some(because.to_owned()),
        actual,
        exchanges,
        ..sample::case("rfc7644/3.3/a", Verdict::Fail)
    };
    Report::new("server", "https://scim.vendor.example/v2", vec![case])
}

fn get(path: &str, answer: Value) -> Exchange {
    sample::exchange("GET", path, Value::Null, 200, answer)
}

/// Returns a report with a secret in one of the possible places.
fn plant(place: usize, secret: &str) -> Report {
    let told = format!("the answer has {secret} in it");
    let plain = || vec![get("/Users", json!({ "detail": format!("no: {secret}!") }))];
    match place {
        0 => {
            let mut exchange = get("/Users", Value::Null);
            exchange.request.headers[0].1 = format!("Bearer {secret}");
            report_of(vec![exchange], &told, Value::Null)
        }
        1 => {
            let mut exchange = get("/Users", Value::Null);
            let headers = &mut exchange.response.as_mut().expect("an answer").headers;
            headers.push(("set-cookie".to_owned(), format!("session={secret}; Path=/; HttpOnly")));
            report_of(vec![exchange], &told, Value::Null)
        }
        2 => report_of(
            vec![sample::exchange("POST", "/Users", json!({ "password": secret }), 400, json!(told))],
            "",
            Value::Null,
        ),
        3 => {
            let operations =
                json!({ "Operations": [{ "op": "replace", "path": "password", "value": secret }] });
            report_of(
                vec![sample::exchange("PATCH", "/Users/1", operations, 400, json!({ "detail": told }))],
                &told,
                json!([secret]),
            )
        }
        4 => report_of(
            vec![get(&format!("/Users?access_token={secret}&count=1"), Value::Null)],
            &told,
            Value::Null,
        ),
        5 => {
            let mut exchange = get("/Users", Value::Null);
            exchange.request.url = format!("https://admin:{secret}@scim.vendor.example/v2/Users");
            report_of(vec![exchange], &told, Value::Null)
        }
        6 => {
            let form = format!("grant_type=client_credentials&client_secret={secret}");
            report_of(
                vec![sample::exchange("POST", "/token", json!(form), 200, json!({ "access_token": "abc" }))],
                &told,
                Value::Null,
            )
        }
        7 => report_of(
            plain(),
            &told,
            json!({ "User": { "urn:ietf:params:scim:schemas:core:2.0:User:password": secret } }),
        ),
        _ => {
            // Nothing says what it is; but it is what the harness was given.
            let mut report = report_of(plain(), &told, json!({ secret: [secret] }));
            report.subject = format!("https://scim.vendor.example/{secret}");
            report.facts.insert("said".to_owned(), secret.to_owned());
            report
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn planted_secret_is_removed_everywhere(place in 0_usize..9, secret in "[A-Za-z0-9][A-Za-z0-9+/=$&\"'%<. -]{6,40}[A-Za-z0-9]") {
        // In a URL it stands spelled as URLs spell.
        let spelled = percent_encoding::utf8_percent_encode(&secret, percent_encoding::NON_ALPHANUMERIC).to_string();
        let planted = if (4..=6).contains(&place) { spelled } else { secret.clone() };
        // Words of the report itself are no secrets.
        prop_assume!(!everything(&sample::report()).contains(&secret));
        let mut report = plant(place, &planted);
        prop_assert!(everything(&report).contains(&planted) || planted.contains(['"', '\'', '&', '<', '%']), "it is there before");
        let redactor = if place == 8 { Redactor::new().secret(&secret) } else { Redactor::new() };
        redactor.report(&mut report);
        let all = everything(&report);
        for form in [&secret, &planted] {
            prop_assert!(!all.contains(form.as_str()), "{form} is in {:#?}", report.cases);
        }
        prop_assert!(all.contains(REDACTED));
    }

    #[test]
    fn redacting_twice_changes_nothing(place in 0_usize..9, secret in "[A-Za-z0-9]{8,20}") {
        let mut once = plant(place, &secret);
        let redactor = Redactor::new().secret(&secret);
        redactor.report(&mut once);
        let mut twice = once.clone();
        redactor.report(&mut twice);
        prop_assert_eq!(once, twice);
    }
}

#[test]
fn personal_data_is_removed() {
    let user = json!({
        "id": "2819c223",
        "userName": "bjensen",
        "name": { "formatted": "Ms. Barbara J Jensen", "familyName": "Jensen", "givenName": "Barbara" },
        "emails": [{ "value": "bjensen@vendor.io", "type": "work", "primary": true }],
        "phoneNumbers": [{ "value": "555-555-8377", "type": "work" }],
        "addresses": [{ "streetAddress": "100 Universal City Plaza", "postalCode": "91608", "type": "home" }],
        "active": true,
    });
    let told = "the list has bjensen, whom nobody created";
    let mut report = report_of(vec![get("/Users", json!({ "Resources": [user] }))], told, json!(["bjensen"]));
    Redactor::new().report(&mut report);
    let all = everything(&report);
    for word in ["bjensen", "Jensen", "Barbara", "vendor.io", "8377", "Universal", "91608"] {
        assert!(!all.contains(word), "{word}");
    }
    let body = &report.cases[0].exchanges[0].response.as_ref().expect("an answer").body["Resources"][0];
    assert_eq!(body["emails"][0], json!({ "value": REDACTED, "type": "work", "primary": true }));
    assert_eq!((&body["id"], &body["active"]), (&json!("2819c223"), &json!(true)));
}

#[test]
fn made_up_data_is_shown() {
    let user = json!({
        "userName": "conformance-1-ada",
        "name": { "familyName": "Lovelace", "givenName": "Ada" },
        "emails": [{ "value": "ada@work.example" }],
        "displayName": "CONFORMANCE-1-ADA",
    });
    let exchanges = vec![get("/Users?filter=userName%20eq%20%22conformance-1-ada%22", user.clone())];
    let mut report = report_of(exchanges, "ada@work.example is missing", Value::Null);
    let before = report.clone();
    Redactor::new().made_up(["Lovelace", "Ada"]).report(&mut report);
    assert_eq!(report, before);
    // Without being told of the names, it cannot know them.
    Redactor::new().report(&mut report);
    let body = &report.cases[0].exchanges[0].response.as_ref().expect("an answer").body;
    assert_eq!(body["name"], json!({ "familyName": REDACTED, "givenName": REDACTED }));
    assert_eq!(body["userName"], user["userName"]);
}

#[test]
fn sent_data_is_shown_except_for_the_template() {
    let user =
        json!({ "userName": "conformance-1-ada", "name": { "givenName": "Ada", "familyName": "Meier" } });
    let listed =
        json!({ "Resources": [user, { "userName": "bjensen", "name": { "givenName": "Barbara" } }] });
    let exchanges = vec![sample::exchange("POST", "/Users", user.clone(), 201, user), get("/Users", listed)];
    let template = json!({ "name": { "familyName": "Meier" } });
    let mut report = report_of(exchanges, "no Ada and no Meier", Value::Null);
    Redactor::new().own_requests(Some(&template)).report(&mut report);
    let all = everything(&report);
    assert!(all.contains("Ada") && all.contains("conformance-1-ada"), "{all}");
    for word in ["Meier", "bjensen", "Barbara"] {
        assert!(!all.contains(word), "{word}");
    }
}

#[test]
fn a_scheme_alone_is_no_secret() {
    let mut exchange = get("/Users", Value::Null);
    exchange.request.headers[0].1 = "Bearer".to_owned();
    let mut report = report_of(vec![exchange], "Bearer without a token was accepted", Value::Null);
    let before = report.clone();
    Redactor::new().report(&mut report);
    assert_eq!(report, before);
}

#[test]
fn discovery_stays_readable() {
    let config = json!({
        "patch": { "supported": true },
        "changePassword": { "supported": false },
        "authenticationSchemes": [{ "type": "oauthbearertoken", "name": "OAuth Bearer Token", "primary": true }],
    });
    let schema = json!({
        "id": "urn:ietf:params:scim:schemas:core:2.0:User",
        "name": "User",
        "attributes": [{ "name": "userName", "type": "string" }, { "name": "password", "returned": "never" },
            { "name": "emails", "subAttributes": [{ "name": "value", "type": "string" }] }],
    });
    let mut report = report_of(
        vec![get("/ServiceProviderConfig", config), get("/Schemas", schema)],
        "a reason",
        Value::Null,
    );
    let before = report.clone();
    Redactor::new().report(&mut report);
    assert_eq!(report, before);
}
