//! What a query asks for (RFC 7644 §3.4.2), from the URL or from the body of a search (RFC 7644 §3.4.3).

use percent_encoding::percent_decode_str;
use scim::dialect::{Dialect, Dialects, check_message};
use scim::json::get_ci;
use scim::schema::SEARCH_URN;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// A query, as it was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) filter: Option<String>,
    pub(crate) start_index: Option<i64>,
    pub(crate) count: Option<i64>,
    /// Present, also where it is empty: paging by cursor (RFC 9865 §2).
    pub(crate) cursor: Option<String>,
    pub(crate) sort_by: Option<String>,
    pub(crate) sort_order: Option<String>,
    pub(crate) attributes: Vec<String>,
    pub(crate) excluded: Vec<String>,
    /// The habits that were met in the message and taken.
    pub(crate) dialects: Vec<Dialect>,
}

impl Query {
    /// Reads the parameters that are understood and passes over the rest.
    ///
    /// # Errors
    /// `invalidValue` for a number that is none.
    pub(crate) fn of_url(query: &str) -> Result<Self, Problem> {
        let mut asked = Self::default();
        for (name, value) in parameters(query) {
            let said = || Some(value.to_string()).filter(|value| !value.trim().is_empty());
            match name.to_ascii_lowercase().as_str() {
                "filter" => asked.filter = Some(value.into_owned()),
                "startindex" => asked.start_index = Some(number("startIndex", &value)?),
                "count" => asked.count = Some(number("count", &value)?),
                "cursor" => asked.cursor = Some(value.into_owned()),
                "sortby" => asked.sort_by = said(),
                "sortorder" => asked.sort_order = said(),
                "attributes" => asked.attributes.extend(names(&value)),
                "excludedattributes" => asked.excluded.extend(names(&value)),
                _ => {}
            }
        }
        Ok(asked)
    }

    /// Reads the body of a search.
    ///
    /// # Errors
    /// `invalidSyntax` for what is no search request, `invalidValue` for a member of the wrong type.
    pub(crate) fn of_body(body: &Value, dialects: Dialects) -> Result<Self, Problem> {
        let Value::Object(members) = body else {
            return Err(Problem::BadSyntax("a search request is a JSON object".to_owned()));
        };
        let dialects = check_message(members, SEARCH_URN, dialects)
            .map_err(|problem| Problem::BadSyntax(format!("the search request {problem}")))?;
        Ok(Self {
            dialects,
            filter: text(members, "filter")?,
            start_index: whole(members, "startIndex")?,
            count: whole(members, "count")?,
            cursor: text(members, "cursor")?,
            sort_by: text(members, "sortBy")?,
            sort_order: text(members, "sortOrder")?,
            attributes: texts(members, "attributes")?,
            excluded: texts(members, "excludedAttributes")?,
        })
    }

    /// Whether it asks for some attributes and not for others.
    pub(crate) fn projects(&self) -> bool {
        !self.attributes.is_empty() || !self.excluded.is_empty()
    }
}

/// The text of the filter where the query is a filter and nothing else, as clients send it that look one account up.
pub(crate) fn lone_filter(query: &str) -> Option<String> {
    let value = query.strip_prefix("filter=").filter(|value| !value.contains('&'))?;
    let spaced = value.replace('+', " ");
    let mut decoded = Vec::with_capacity(spaced.len());
    decoded.extend(percent_decode_str(&spaced));
    String::from_utf8(decoded).ok()
}

/// Whether a filter is asked for at all.
pub(crate) fn has_filter(query: &str) -> bool {
    parameters(query).any(|(name, _)| name.eq_ignore_ascii_case("filter"))
}

pub(super) fn parameters(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

fn names(list: &str) -> impl Iterator<Item = String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// A whole number; one that is too large for us is the largest there is.
fn number(name: &str, value: &str) -> Result<i64, Problem> {
    match value.trim().parse::<i128>() {
        Ok(number) => Ok(i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })),
        Err(_) => Err(Problem::BadValue(format!("{name} takes a whole number, not `{value}`"))),
    }
}

fn member<T>(
    members: &Map<String, Value>,
    name: &str,
    takes: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, Problem> {
    match get_ci(members, name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            read(value).map(Some).ok_or_else(|| Problem::BadValue(format!("{name} takes {takes}")))
        }
    }
}

fn text(members: &Map<String, Value>, name: &str) -> Result<Option<String>, Problem> {
    member(members, name, "a text", |value| value.as_str().map(str::to_owned))
}

fn whole(members: &Map<String, Value>, name: &str) -> Result<Option<i64>, Problem> {
    member(members, name, "a whole number", Value::as_i64)
}

fn texts(members: &Map<String, Value>, name: &str) -> Result<Vec<String>, Problem> {
    let read = |value: &Value| match value {
        Value::String(list) => Some(names(list).collect()),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    Ok(member(members, name, "an array of texts", read)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_url_is_read() {
        let asked = Query::of_url(
            "filter=userName+eq+%22a%2Bb%26c%22&startindex=-7&COUNT=%33&sortBy=title&attributes=a,+b&attributes=c&x=1",
        );
        let asked = asked.unwrap();
        assert_eq!(asked.filter.as_deref(), Some("userName eq \"a+b&c\""));
        assert_eq!((asked.start_index, asked.count), (Some(-7), Some(3)));
        assert_eq!(asked.attributes, ["a", "b", "c"]);
        assert_eq!(Query::of_url("cursor").unwrap().cursor.as_deref(), Some(""));
        assert_eq!(Query::of_url("count=99999999999999999999").unwrap().count, Some(i64::MAX));
        assert!(matches!(Query::of_url("count=ten"), Err(Problem::BadValue(_))));
        assert!(matches!(Query::of_url("startIndex="), Err(Problem::BadValue(_))));
    }

    #[test]
    fn a_body_says_the_same() {
        let body = json!({"schemas": [SEARCH_URN], "FILTER": "title pr", "startIndex": 2, "count": 3, "attributes": ["a"],
            "excludedAttributes": "b, c", "sortBy": "title", "sortOrder": "descending", "cursor": ""});
        let asked = Query::of_body(&body, Dialects::none()).unwrap();
        assert_eq!(asked, Query::of_url("filter=title+pr&startIndex=2&count=3&attributes=a&excludedAttributes=b,c&sortBy=title&sortOrder=descending&cursor=").unwrap());
        for bad in [json!([]), json!({}), json!({"schemas": ["urn:x:y"]})] {
            assert!(matches!(Query::of_body(&bad, Dialects::none()), Err(Problem::BadSyntax(_))), "{bad}");
        }
        for bad in [json!({"filter": 1}), json!({"count": "3"}), json!({"attributes": [1]})] {
            let mut body = bad.clone();
            body["schemas"] = json!([SEARCH_URN]);
            assert!(matches!(Query::of_body(&body, Dialects::none()), Err(Problem::BadValue(_))), "{bad}");
        }
    }

    #[test]
    fn values_are_decoded() {
        for (text, meant) in [
            ("abc", "abc"),
            ("a+b", "a b"),
            ("a%2Bb%26", "a+b&"),
            ("%c3%A9", "é"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz+", "%zz "),
            ("%ff", "\u{fffd}"),
            ("é+é", "é é"),
            ("%+1", "% 1"),
        ] {
            let query = format!("a={text}");
            assert_eq!(parameters(&query).next().unwrap().1, meant, "{text}");
        }
    }

    #[test]
    fn a_lone_filter_is_seen() {
        assert_eq!(lone_filter("filter=userName%20eq%20%22a%22").as_deref(), Some("userName eq \"a\""));
        assert_eq!(lone_filter("filter=a&count=1"), None);
        assert_eq!(lone_filter("count=1"), None);
    }
}
