//! Who is let in, and what the others are told (RFC 7644 §2).

use mock_aquera::{Auth, MockAquera};
use serde_json::{Value, json};

use crate::client::{Answer, Client, finish, http, user, with_body};

async fn ask(
    mock: &MockAquera,
    path: &str,
    give: impl Fn(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
) -> Answer {
    finish(give(http().get(format!("{}{path}", mock.scim_url())))).await
}

fn challenges(answer: &Answer) -> Vec<&str> {
    answer
        .headers
        .get_all("www-authenticate")
        .iter()
        .map(|value| value.to_str().unwrap().split(' ').next().unwrap())
        .collect()
}

#[tokio::test]
async fn everything_under_the_scim_path_is_guarded() {
    let mock = crate::client::start().await;
    for path in ["/Users", "/Users/x", "/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/nowhere", ""]
    {
        let answer = ask(&mock, path, |request| request).await;
        answer.scim_error(401, None);
        assert_eq!(challenges(&answer), ["Bearer"], "{path}");
    }
    let written = with_body(http().post(format!("{}/Users", mock.scim_url())), &user("a", json!({})));
    finish(written.bearer_auth("wrong")).await.scim_error(401, None);
    assert!(mock.default_application().users().is_empty());
}

#[tokio::test]
async fn any_of_the_accepted_credentials_opens() {
    let mock = MockAquera::builder()
        .auth("basic:ann:pass:word".parse().unwrap())
        .auth(Auth::bearer("t1"))
        .auth(Auth::bearer("t2"))
        .start()
        .await
        .unwrap();
    assert_eq!(
        ask(&mock, "/Users", |request| request.basic_auth("ann", Some("pass:word"))).await.status,
        200
    );
    assert_eq!(ask(&mock, "/Users", |request| request.bearer_auth("t1")).await.status, 200);
    assert_eq!(ask(&mock, "/Users", |request| request.bearer_auth("t2")).await.status, 200);
    let refused = ask(&mock, "/Users", |request| request.basic_auth("ann", Some("pass"))).await;
    assert_eq!((refused.status, challenges(&refused)), (401, vec!["Basic", "Bearer"]));
    assert_eq!(ask(&mock, "/Users", |request| request.bearer_auth("t3")).await.status, 401);
}

#[tokio::test]
async fn refusal_says_what_is_wrong_and_repeats_no_secret() {
    let bearer = MockAquera::builder().auth(Auth::bearer("t1")).start().await.unwrap();
    let basic = MockAquera::builder().auth("basic:ann:hunter2".parse().unwrap()).start().await.unwrap();
    let check = async |mock: &MockAquera, sent: Option<&str>, part: &str| {
        let answer = ask(mock, "/Users", |request| match sent {
            Some(sent) => request.header("authorization", sent),
            None => request,
        })
        .await;
        answer.scim_error(401, None);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(part), "{sent:?}: {detail}");
        assert!(!answer.text.contains("hunter2") && !answer.text.contains("t1"), "{sent:?}: {detail}");
        for value in answer.headers.values() {
            assert!(!value.to_str().unwrap().contains("hunter2"), "{sent:?}: {value:?}");
        }
    };
    let form = "; send `Authorization: Bearer TOKEN`";
    check(&bearer, None, &format!("there is no Authorization header{form}")).await;
    check(&bearer, Some("hunter2"), &format!("has no scheme in front of the credentials{form}")).await;
    check(
        &bearer,
        Some("Token hunter2"),
        &format!("the authentication scheme Token is not accepted here{form}"),
    )
    .await;
    check(&bearer, Some("hunter2 hunter2"), "the authentication scheme of this request is not").await;
    check(&bearer, Some("Basic aHVudGVyMg=="), "the authentication scheme Basic is not accepted").await;
    check(&bearer, Some("Bearer"), "nothing behind the scheme").await;
    check(&bearer, Some("Bearer Bearer hunter2"), "the scheme Bearer in front of it twice").await;
    check(&bearer, Some("Bearer \"hunter2\""), "quotation marks around it").await;
    check(&bearer, Some("Bearer hunter2"), "unknown access token").await;
    check(
        &basic,
        Some("Bearer hunter2"),
        "the authentication scheme Bearer is not accepted here; send `Authorization: Basic`",
    )
    .await;
    check(&basic, Some("Basic hunter2"), "not the Base64 of user:password").await;
    // ann:hunter2x and bob:hunter2
    check(&basic, Some("Basic YW5uOmh1bnRlcjJ4"), "wrong password").await;
    check(&basic, Some("Basic Ym9iOmh1bnRlcjI="), "unknown user name").await;
}

#[tokio::test]
async fn an_error_is_told_only_about_a_token_that_was_sent() {
    let mock = crate::client::start().await;
    let without = ask(&mock, "/Users", |request| request).await;
    assert_eq!(without.header("www-authenticate"), r#"Bearer realm="mock-aquera""#);
    let wrong = ask(&mock, "/Users", |request| request.bearer_auth("wrong")).await;
    wrong.scim_error(401, None);
    assert!(wrong.header("www-authenticate").contains(r#"error="invalid_token""#));
}

#[tokio::test]
async fn the_clock_of_an_application_dates_its_accounts() {
    let mock = crate::client::start().await;
    let application = mock.default_application();
    application.clock().freeze_at("2031-02-03T04:05:06.789Z".parse().unwrap());
    let id = application.seed_user(user("a", json!({})));
    assert_eq!(application.user(&id).unwrap()["meta"]["created"], json!("2031-02-03T04:05:06.789Z"));
    application.reset();
    assert!(!application.clock().state().frozen);
}

#[tokio::test]
async fn credentials_can_change_and_may_be_needless() {
    let mock = MockAquera::builder().auth(Auth::none()).start().await.unwrap();
    assert_eq!(ask(&mock, "/Users", |request| request).await.status, 200);
    mock.default_application().set_auth(vec![Auth::basic("u", "p")]);
    let refused = ask(&mock, "/Users", |request| request).await;
    assert_eq!((refused.status, challenges(&refused)), (401, vec!["Basic"]));
}

#[tokio::test]
async fn the_journal_keeps_no_credentials() {
    let mock = MockAquera::builder()
        .auth(Auth::basic("ann", "hunter2"))
        .auth(Auth::bearer("hunter3"))
        .start()
        .await
        .unwrap();
    ask(&mock, "/Users", |request| request.basic_auth("ann", Some("hunter2"))).await;
    ask(&mock, "/Users", |request| request.bearer_auth("hunter3")).await;
    ask(&mock, "/Users", |request| request.bearer_auth("hunter4")).await;
    let client = Client::of(&mock);
    let created = with_body(
        http().post(format!("{}/Users", mock.scim_url())),
        &user("a", json!({"password": "hunter5"})),
    );
    assert_eq!(finish(created.bearer_auth("hunter3")).await.status, 201);
    client.get("/Users").await.scim_error(401, None);

    let journal = mock.default_application().journal();
    assert_eq!(
        journal.iter().map(|exchange| exchange.status.unwrap().as_u16()).collect::<Vec<_>>(),
        [200, 200, 401, 201, 401]
    );
    let schemes: Vec<&str> = journal
        .iter()
        .flat_map(|exchange| &exchange.request_headers)
        .filter(|(name, _)| name == "authorization")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(schemes[..3], ["Basic [redacted]", "Bearer [redacted]", "Bearer [redacted]"]);
    let written: Value = serde_json::to_value(&journal).unwrap();
    assert!(!written.to_string().contains("hunter"), "{written}");
    assert!(!format!("{journal:?} {mock:?}").contains("hunter"));
}
