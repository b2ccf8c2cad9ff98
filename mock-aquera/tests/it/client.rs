//! A client for tests: one request, all of the answer.

use mock_aquera::{Application, Downstream, DownstreamOperation, MockAquera};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A client that needs no system certificates and goes through no proxy.
pub(crate) fn http() -> reqwest::Client {
    let roots = rustls::RootCertStore::empty();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }

    /// Checks the status and the whole shape of a SCIM error; gives its detail.
    #[track_caller]
    pub(crate) fn scim_error(&self, status: u16, scim_type: Option<&str>) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/scim+json");
        let body = self.json();
        assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        assert_eq!(body["status"], json!(status.to_string()));
        assert_eq!(body.get("scimType").and_then(Value::as_str), scim_type, "{body}");
        body["detail"].as_str().unwrap().to_owned()
    }
}

impl Client {
    pub(crate) fn of(mock: &MockAquera) -> Self {
        Self { http: http(), base: mock.scim_url() }
    }

    pub(crate) fn at(base: impl Into<String>) -> Self {
        Self { http: http(), base: base.into() }
    }

    /// A request that the caller finishes, with the default token.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth("mock-token")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        finish(self.request(Method::GET, path)).await
    }

    pub(crate) async fn query(&self, path: &str, query: &[(&str, &str)]) -> Answer {
        let pairs = query
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        self.get(&format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        finish(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        finish(with_body(self.request(Method::POST, path), body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        finish(with_body(self.request(Method::PUT, path), body)).await
    }

    pub(crate) async fn patch(&self, path: &str, operations: &Value) -> Answer {
        let body = json!({"schemas": [PATCH], "Operations": operations});
        finish(with_body(self.request(Method::PATCH, path), &body)).await
    }
}

pub(crate) fn with_body(request: reqwest::RequestBuilder, body: &Value) -> reqwest::RequestBuilder {
    request.header("content-type", "application/scim+json").body(body.to_string())
}

pub(crate) async fn finish(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

pub(crate) async fn start() -> MockAquera {
    MockAquera::builder().start().await.unwrap()
}

/// A user with this name, and the further members.
pub(crate) fn user(name: &str, more: Value) -> Value {
    let mut user = json!({"schemas": [USER], "userName": name});
    let Value::Object(more) = more else { panic!("members come as an object") };
    user.as_object_mut().unwrap().extend(more);
    user
}

/// The downstream operations of the last exchange; `false` is a refused one.
pub(crate) fn downstream(application: &Application) -> Vec<(DownstreamOperation, bool)> {
    let last = application.journal().pop().unwrap();
    last.downstream.iter().map(|Downstream { operation, accepted, .. }| (*operation, *accepted)).collect()
}

/// Returns what a future comes to, and panics if it takes longer than a minute: so that no test waits for ever.
pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(std::time::Duration::from_mins(1), future).await;
    outcome.unwrap_or_else(|_| panic!("{what}: not within a minute"))
}
