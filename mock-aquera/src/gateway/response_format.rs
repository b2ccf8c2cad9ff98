//! The form of an answer: how errors look, which media type is claimed, how addresses are written. Only profiles that
//! differ from the RFC come here.

use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::profile::{
    ErrorBody, ErrorContentType, ErrorRules, EtagRule, Location, Presence, Profile, ReplyContentType,
};
use crate::reply::{Reply, SCIM_JSON};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const JSON_CHARSET: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Gives an answer the form that a profile wants. `base` is the address of the application.
pub(crate) fn shape(profile: &Profile, base: &str, reply: &mut Reply) {
    match &reply.problem {
        Some(problem) => {
            let (body, fitting) = error_body(&profile.errors, problem);
            error(&profile.errors, reply, body, fitting);
        }
        None => success(profile, base, reply),
    }
}

/// The body of an error, and the media type that fits it.
pub(super) fn error_body(rules: &ErrorRules, problem: &Problem) -> (String, HeaderValue) {
    let (status, scim_type) = problem.wire();
    let detail = problem.to_string();
    let scim_type = scim_type.filter(|_| rules.scim_type == Presence::Present);
    let number = status.as_u16();
    let mut body = scim::error::error_body(number, scim_type, &detail);
    match rules.body {
        ErrorBody::Scim => (body.to_string(), SCIM_JSON),
        ErrorBody::NumericStatus => {
            body["status"] = json!(number);
            (body.to_string(), SCIM_JSON)
        }
        ErrorBody::Scim11 => {
            let error = json!({"Errors": [{"description": detail, "code": number.to_string()}]});
            (error.to_string(), JSON)
        }
        ErrorBody::SchemaForSchemas => {
            if let Value::Object(members) = &mut body {
                let schemas = members.remove("schemas").unwrap_or_default();
                members.insert("schema".to_owned(), schemas);
                members.insert("exceptionRequestId".to_owned(), json!(request_id(&detail)));
            }
            (body.to_string(), SCIM_JSON)
        }
        ErrorBody::Html => {
            let reason = status.canonical_reason().unwrap_or("Error");
            let page = format!(
                "<!DOCTYPE html>\n<html lang=\"en\"><head><title>{number} {reason}</title></head>\
                 <body><h1>{reason}</h1></body></html>\n"
            );
            (page, HTML)
        }
        ErrorBody::ProblemJson => {
            let reason = status.canonical_reason().unwrap_or("Error");
            let problem = json!({"type": "about:blank", "title": reason, "status": number, "detail": detail});
            (problem.to_string(), PROBLEM_JSON)
        }
        ErrorBody::PlainText => (format!("{detail}\n"), TEXT),
        ErrorBody::Empty => (String::new(), SCIM_JSON),
    }
}

fn error(rules: &ErrorRules, reply: &mut Reply, body: String, fitting: HeaderValue) {
    let kind = match rules.content_type {
        ErrorContentType::Fitting if body.is_empty() => None,
        ErrorContentType::Fitting => Some(fitting),
        ErrorContentType::Scim => Some(SCIM_JSON),
        ErrorContentType::Json => Some(JSON),
        ErrorContentType::Html => Some(HTML),
        ErrorContentType::Missing => None,
    };
    reply.headers.remove(header::CONTENT_TYPE);
    if let Some(kind) = kind {
        reply.headers.insert(header::CONTENT_TYPE, kind);
    }
    reply.body = Bytes::from(body);
}

/// Looks like one that a service gives each request, and is the same for the same error.
fn request_id(detail: &str) -> String {
    let hash = detail.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    uuid::Builder::from_random_bytes(
        (u128::from(hash) << 64 | u128::from(hash.rotate_left(32))).to_be_bytes(),
    )
    .into_uuid()
    .to_string()
}

fn success(profile: &Profile, base: &str, reply: &mut Reply) {
    let rules = &profile.replies;
    // A version is the entity tag (RFC 7643 §3.1).
    let versions = profile.features.etag == EtagRule::Works;
    let other = match rules.content_type {
        ReplyContentType::Scim => None,
        ReplyContentType::Json => Some(JSON),
        ReplyContentType::JsonCharset => Some(JSON_CHARSET),
    };
    if let Some(other) = other
        && reply.headers.get(header::CONTENT_TYPE) == Some(&SCIM_JSON)
    {
        reply.headers.insert(header::CONTENT_TYPE, other);
    }
    match rules.location {
        Location::Absolute => {}
        Location::Missing => drop(reply.headers.remove(header::LOCATION)),
        Location::Relative => {
            let relative = reply.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
            let relative = relative.and_then(|value| relative_to(base, value)).map(str::to_owned);
            if let Some(relative) = relative.and_then(|value| HeaderValue::try_from(value).ok()) {
                reply.headers.insert(header::LOCATION, relative);
            }
        }
    }
    if (rules.meta_location != Location::Absolute || !versions)
        && let Ok(mut tree) = serde_json::from_slice::<Value>(&reply.body)
    {
        rewrite_meta(&mut tree, rules.meta_location, versions, base);
        reply.body = Bytes::from(tree.to_string());
    }
}

/// What follows the origin of the base.
fn relative_to<'v>(base: &str, value: &'v str) -> Option<&'v str> {
    let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    let origin = base.strip_suffix(path).unwrap_or(base);
    value.strip_prefix(origin)
}

fn rewrite_meta(tree: &mut Value, rule: Location, versions: bool, base: &str) {
    match tree {
        Value::Object(members) => {
            if let Some(Value::Object(meta)) = members.get_mut("meta") {
                if !versions {
                    meta.remove("version");
                }
                match rule {
                    Location::Missing => drop(meta.remove("location")),
                    Location::Absolute => {}
                    Location::Relative => {
                        if let Some(Value::String(location)) = meta.get_mut("location")
                            && let Some(relative) = relative_to(base, location).map(str::to_owned)
                        {
                            *location = relative;
                        }
                    }
                }
            }
            if let Some(Value::Array(resources)) = members.get_mut("Resources") {
                for resource in resources {
                    rewrite_meta(resource, rule, versions, base);
                }
            }
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use crate::gateway::response_format::*;

    fn error_with(body: ErrorBody, content_type: ErrorContentType) -> (Option<String>, String) {
        let profile = Profile {
            errors: ErrorRules { body, content_type, scim_type: Presence::Present },
            ..Profile::default()
        };
        let problem = Problem::Taken { path: "userName".to_owned(), value: "a".to_owned() };
        let mut reply = Reply::from(problem);
        shape(&profile, "http://h/scim", &mut reply);
        assert_eq!(reply.status, StatusCode::CONFLICT);
        let kind = reply.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned());
        (kind, String::from_utf8(reply.body.to_vec()).unwrap())
    }

    #[test]
    fn errors_take_every_form() {
        #[track_caller]
        fn check(body: ErrorBody, kind: Option<&str>, part: &str) {
            let (got, text) = error_with(body, ErrorContentType::Fitting);
            assert_eq!(got.as_deref(), kind);
            assert!(text.contains(part), "{text}");
        }
        check(ErrorBody::Scim, Some("application/scim+json"), "\"status\":\"409\"");
        check(ErrorBody::NumericStatus, Some("application/scim+json"), "\"status\":409");
        check(ErrorBody::Scim11, Some("application/json"), "\"Errors\":[{\"code\":\"409\"");
        check(ErrorBody::SchemaForSchemas, Some("application/scim+json"), "\"schema\":[");
        check(ErrorBody::Html, Some("text/html; charset=utf-8"), "<h1>Conflict</h1>");
        check(ErrorBody::ProblemJson, Some("application/problem+json"), "\"title\":\"Conflict\"");
        check(ErrorBody::PlainText, Some("text/plain; charset=utf-8"), "the userName `a` is taken\n");
        check(ErrorBody::Empty, None, "");
        assert_eq!(
            error_with(ErrorBody::Scim, ErrorContentType::Html).0.as_deref(),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(error_with(ErrorBody::Scim, ErrorContentType::Missing).0, None);
    }

    #[test]
    fn addresses_lose_their_origin() {
        assert_eq!(relative_to("http://h:1/scim", "http://h:1/scim/Users/1"), Some("/scim/Users/1"));
        assert_eq!(relative_to("http://h:1/apps/a/scim", "http://other/x"), None);
    }
}
