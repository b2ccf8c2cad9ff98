//! Deviations that a server shows in every answer. Each is corrected before a case sees the answer, so only the cases
//! about it report it, and all others judge their own subject.
//!
//! [`ROWS`] is the table of it: what is seen, what it is taken for, which cases judge it, and what the facts say. An
//! answer goes through [`understand`] once, before anything looks at it.

pub(crate) mod asked;
pub(crate) mod lists;
pub(crate) mod resources;

use serde_json::Value;

use crate::report::CaseResult;
use crate::requirement::Shared;
use crate::server::deviation::asked::Asked;
use crate::subject::server::client::Answer;

/// A deviation that a server shows wherever it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deviation {
    /// `"id": 4711`.
    NumericIds,
    /// A creation is answered 200.
    CreatedWith200,
    /// A list is a bare array.
    BareLists,
    /// A list has its resources under another name than `Resources`.
    OtherEnvelope,
    /// A list says how many there are, and shows none.
    ListsWithoutResources,
    /// `"totalResults": "3"`.
    NumbersAsTexts,
    /// A list does not say `totalResults`.
    NoTotal,
    /// `resources` for `Resources`.
    OtherCase,
    /// A resource has no `id`.
    NoIds,
    /// A resource has no `schemas`.
    NoSchemas,
    /// `"active": "true"`.
    ActiveAsText,
    /// The body of a success is no JSON.
    NoJson,
}

/// Corrects an answer that has the deviation, and returns the incorrect value.
type Take = fn(&mut Answer, &Asked<'_>) -> Option<Found>;

/// A deviation in the table.
pub(crate) struct Row {
    pub(crate) deviation: Deviation,
    /// The sentence in the report's facts: the deviation, and its meaning.
    fact: &'static str,
    /// The reason that a case about it reports.
    because: &'static str,
    /// The cases that judge it. All others overlook it.
    judged_by: &'static [&'static str],
    /// The expectation that groups several of them into one finding.
    shared: Option<Shared>,
    /// `None` where the status tells it, which [`crate::server::judge`] sees.
    take: Option<Take>,
}

/// An incorrect value in an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    /// The place, as in `/totalResults`.
    pub(crate) at: String,
    pub(crate) expected: Value,
    pub(crate) actual: Value,
}

/// A deviation that was seen in an answer.
pub(crate) struct Seen {
    pub(crate) row: &'static Row,
    pub(crate) found: Found,
}

/// Cases about lists: of users, with a filter, of groups, by POST, and in discovery.
const LISTS: &[&str] = &[
    "rfc7644/3.4.2/without-a-filter",
    "rfc7644/3.4.2/is-a-list-response",
    "rfc7644/3.4.2/groups-are-listed",
    "rfc7644/3.4.3/filters",
    "rfc7643/6/is-a-list-response",
    "rfc7643/7/is-a-list-response",
];

/// The rows, in the order in which an answer is corrected.
static ROWS: [Row; 12] = [
    Row {
        deviation: Deviation::NoJson,
        // What is written is read instead; a reading that cannot be read fails every case that needs it.
        fact: "answers have bodies that are no JSON",
        because: "the body is no JSON",
        judged_by: &[
            "rfc7644/3.3/returns-the-resource",
            "rfc7644/3.5.1/returns-the-resource",
            "rfc7644/3.5.2/200-comes-with-the-whole-resource",
        ],
        shared: Some(Shared::Json),
        take: Some(resources::no_json),
    },
    Row {
        deviation: Deviation::CreatedWith200,
        fact: "creations are answered 200, taken as 201",
        because: "the creation is answered 200, where 201 belongs",
        judged_by: &["rfc7644/3.3/answers-201", "rfc7644/3.3/group-answers-201"],
        shared: None,
        take: None,
    },
    Row {
        deviation: Deviation::OtherCase,
        fact: "members of messages are written in another case, read without case",
        because: "a member of the message is written in another case than in the RFC, so clients that compare exactly miss it",
        judged_by: &["rfc7644/3.4.2/member-names-are-as-written"],
        shared: None,
        take: Some(lists::other_case),
    },
    Row {
        deviation: Deviation::NumbersAsTexts,
        fact: "numbers in lists are texts, taken as numbers",
        because: "a number of the list, such as totalResults, is a text",
        judged_by: LISTS,
        shared: Some(Shared::ListForm),
        take: Some(lists::numbers_as_texts),
    },
    Row {
        deviation: Deviation::NoTotal,
        fact: "lists have no totalResults, counted where the page shows it",
        because: "the list has no totalResults",
        judged_by: LISTS,
        shared: Some(Shared::ListForm),
        take: Some(lists::no_total),
    },
    Row {
        deviation: Deviation::BareLists,
        fact: "lists are bare arrays, taken as ListResponses",
        because: "the list is a bare array, and no ListResponse",
        judged_by: LISTS,
        shared: Some(Shared::ListForm),
        take: Some(lists::bare),
    },
    Row {
        deviation: Deviation::OtherEnvelope,
        fact: "lists have their resources under another name, taken as Resources",
        because: "the list has its resources under another name than Resources",
        judged_by: LISTS,
        shared: Some(Shared::ListForm),
        take: Some(lists::other_envelope),
    },
    Row {
        deviation: Deviation::ListsWithoutResources,
        fact: "lists have no Resources",
        because: "a list that counts resources shows none: there is no Resources",
        judged_by: &["rfc7644/3.4.2/without-a-filter", "rfc7643/6/are-listed", "rfc7643/7/are-listed"],
        shared: Some(Shared::ListForm),
        take: Some(lists::without_resources),
    },
    Row {
        deviation: Deviation::NoIds,
        fact: "resources have no id, known from their address or name",
        because: "the resource has no id",
        judged_by: &[
            "rfc7643/3.1/id-is-a-text",
            "rfc7644/3.3/returns-the-resource",
            "rfc7644/3.3/group-answers-201",
            "rfc7644/3.4.2/resources-are-whole",
            "rfc7644/3.9/id-always-comes-back",
            "rfc7644/3.9/id-cannot-be-excluded",
            "rfc7644/3.9/in-lists",
        ],
        shared: Some(Shared::Id),
        take: Some(resources::no_ids),
    },
    Row {
        deviation: Deviation::NoSchemas,
        fact: "resources have no schemas, taken to be of their type",
        because: "the resource has no schemas",
        judged_by: &[
            "rfc7643/3.1/schemas-names-the-schema",
            "rfc7644/3.3/returns-the-resource",
            "rfc7644/3.3/group-tells-its-type",
            "rfc7644/3.4.2/resources-are-whole",
            "rfc7644/3.5.1/returns-the-resource",
            "rfc7644/3.5.2/200-comes-with-the-whole-resource",
        ],
        shared: Some(Shared::Schemas),
        take: Some(resources::no_schemas),
    },
    Row {
        deviation: Deviation::ActiveAsText,
        fact: "`active` is a text, taken as true or false",
        because: "`active` is a text, and should be true or false",
        judged_by: &["rfc7643/2.2/booleans-are-booleans"],
        shared: None,
        take: Some(resources::active_as_text),
    },
    // Last, for what a client sends back has the ids as the server writes them.
    Row {
        deviation: Deviation::NumericIds,
        fact: "ids are numbers, taken as texts",
        because: "the id is a number, and should be a text",
        judged_by: &["rfc7643/3.1/id-is-a-text"],
        shared: None,
        take: Some(resources::numeric_ids),
    },
];

impl Row {
    /// Whether a case judges it.
    pub(crate) fn is_judged_by(&self, case: &str) -> bool {
        self.judged_by.contains(&case)
    }

    /// Returns the first case that judges the deviation.
    pub(crate) fn case(&self) -> Option<&'static str> {
        self.judged_by.first().copied()
    }

    pub(crate) fn because(&self) -> &'static str {
        self.because
    }

    pub(crate) fn shared(&self) -> Option<Shared> {
        self.shared
    }
}

impl Deviation {
    /// Returns the deviation for the facts of a report, with the first case that found it.
    pub(crate) fn text(self, results: &[CaseResult]) -> String {
        let Some(row) = ROWS.iter().find(|row| row.deviation == self) else { return String::new() };
        let is_found = |case: &&CaseResult| {
            case.verdict.fails_or_warns()
                && (row.is_judged_by(&case.id) || (row.shared.is_some() && case.cause == row.shared))
        };
        let judged = results.iter().any(|case| row.is_judged_by(&case.id));
        let found = results.iter().filter(is_found);
        // The table names the most telling one first.
        let found =
            found.min_by_key(|case| row.judged_by.iter().position(|id| *id == case.id).unwrap_or(usize::MAX));
        match (found, row.case()) {
            (Some(found), _) => format!("{} ({})", row.fact, found.id),
            (None, Some(case)) if !judged => format!("{} (judged by {case}, which was not run)", row.fact),
            (None, _) => format!("{} (where no case judges it)", row.fact),
        }
    }
}

/// Corrects an answer, and returns the deviations that were passed over. If ids are numbers, [`Answer::raw`] has the
/// body with these.
pub(crate) fn understand(answer: &mut Answer, asked: &Asked<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for row in &ROWS {
        if let Some(found) = row.take.and_then(|take| take(answer, asked)) {
            seen.push(Seen { row, found });
        }
    }
    if !seen.is_empty()
        && let Some(json) = &answer.json
    {
        answer.text = json.to_string();
    }
    seen
}

/// Whether a deviation is among them.
pub(crate) fn has(seen: &[Seen], deviation: Deviation) -> bool {
    seen.iter().any(|seen| seen.row.deviation == deviation)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::server::discovery::Facts;
    use crate::subject::server::client::{Client, Credentials, Manners, Request};

    /// Judges the answer to a request of the form `GET /Users?count=2`.
    #[track_caller]
    fn assert_understood(request: &str, sent: &Value, expected: &Value, deviations: &[Deviation]) {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: crate::query_string::parameters(query),
            ..Request::default()
        };
        let client = Client::new("http://h/scim", Credentials::None, Manners::default()).expect("a client");
        let facts = Facts::of(None, None, None);
        let known = |resource: &Value| (resource["userName"] == "ada").then(|| "7".to_owned());
        let asked = Asked::new(&client, &facts, &request, &known);
        let mut answer = Answer { status: 200, json: Some(sent.clone()), ..Answer::default() };
        let seen: Vec<_> =
            understand(&mut answer, &asked).into_iter().map(|seen| seen.row.deviation).collect();
        assert_eq!(seen, deviations, "{request:?}");
        assert_eq!(answer.json.as_ref(), Some(expected), "{request:?}");
    }

    const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
    const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

    #[test]
    fn every_deviation_has_a_row_and_every_case_in_it_exists() {
        let cases = crate::case::load::built_in().expect("good cases");
        for row in &ROWS {
            for id in row.judged_by {
                assert!(cases.iter().any(|case| case.id == *id), "{id}");
            }
            assert!(row.deviation.text(&[]).contains(", which was not run)"), "{}", row.fact);
            assert!(row.judged_by.len() < 2 || row.shared.is_some() || row.take.is_none(), "{}", row.fact);
        }
    }

    #[test]
    fn correct_answers_stay_unchanged() {
        for (request, body) in [
            (
                "GET /Users/1",
                json!({ "schemas": [USER], "id": "1", "active": true, "age": 3, "emails": [{ "value": 5, "id": 6 }] }),
            ),
            ("GET /Users", json!({ "schemas": [LIST], "totalResults": 0 })),
            ("GET /Users?startIndex=9", json!({ "schemas": [LIST], "totalResults": 3 })),
            ("GET /Users?count=0", json!({ "schemas": [LIST], "totalResults": 3, "Resources": [] })),
            ("GET /Users/1?attributes=title", json!({ "id": "1", "title": "x" })),
            ("GET /Schemas/x", json!({ "id": "x", "attributes": [{ "name": "y" }] })),
            ("GET /elsewhere", json!([{ "active": "true" }])),
        ] {
            assert_understood(request, &body, &body, &[]);
        }
    }

    #[test]
    fn resources_without_ids_and_schemas_are_completed() {
        let whole = |more: Value| {
            let mut body = json!({ "schemas": [USER], "id": "7", "userName": "ada" });
            crate::server::blank::merge(&mut body, &more);
            body
        };
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let extended = json!({ "id": "7", "userName": "ada", enterprise: { "department": "x" } });
        let mut named = extended.clone();
        named["schemas"] = json!([USER, enterprise]);
        for (request, sent, expected, deviation) in [
            (
                "GET /Users/7",
                json!({ "schemas": [USER], "userName": "ada" }),
                whole(json!({})),
                Deviation::NoIds,
            ),
            ("PUT /Users/7", json!({ "id": "7", "userName": "ada" }), whole(json!({})), Deviation::NoSchemas),
            ("GET /Users/7", extended, named, Deviation::NoSchemas),
            (
                "PATCH /Users/7",
                json!({ "schemas": [USER], "id": "7", "userName": "ada", "active": "False" }),
                whole(json!({ "active": false })),
                Deviation::ActiveAsText,
            ),
            (
                "POST /Users",
                json!({ "schemas": [USER], "id": 7, "userName": "ada" }),
                whole(json!({})),
                Deviation::NumericIds,
            ),
        ] {
            assert_understood(request, &sent, &expected, &[deviation]);
        }
        assert_understood(
            "GET /Groups/9",
            &json!({ "schemas": ["g"], "id": 9, "members": [{ "value": 8, "display": "x" }] }),
            &json!({ "schemas": ["g"], "id": "9", "members": [{ "value": "8", "display": "x" }] }),
            &[Deviation::NumericIds],
        );
    }

    #[test]
    fn lists_of_other_forms_become_list_responses() {
        let ada = json!({ "schemas": [USER], "id": "7", "userName": "ada" });
        let list = |total: Value, start: u64| json!({ "schemas": [LIST], "totalResults": total, "itemsPerPage": 1, "startIndex": start, "Resources": [ada] });
        let without = |mut list: Value, name: &str| {
            list.as_object_mut().expect("an object").remove(name);
            list
        };
        for (request, sent, expected, deviation) in [
            ("GET /Users", json!([ada]), list(json!(1), 1), Deviation::BareLists),
            ("GET /Users?count=5&startIndex=3", json!([ada]), list(json!(3), 3), Deviation::BareLists),
            (
                "GET /Users?count=1",
                json!([ada]),
                without(list(json!(1), 1), "totalResults"),
                Deviation::BareLists,
            ),
            ("POST /.search", json!([ada]), list(json!(1), 1), Deviation::BareLists),
            (
                "GET /Users?count=1",
                json!({ "data": [ada], "total": 3 }),
                list(json!(3), 1),
                Deviation::OtherEnvelope,
            ),
            ("GET /Users", json!({ "items": [ada] }), list(json!(1), 1), Deviation::OtherEnvelope),
            (
                "GET /Users",
                json!({ "_embedded": { "users": [ada] } }),
                list(json!(1), 1),
                Deviation::OtherEnvelope,
            ),
            ("GET /Users?count=1", list(json!("3"), 1), list(json!(3), 1), Deviation::NumbersAsTexts),
            ("GET /Users", without(list(json!(1), 1), "totalResults"), list(json!(1), 1), Deviation::NoTotal),
            (
                "GET /Users?count=1",
                without(list(json!(1), 1), "totalResults"),
                without(list(json!(1), 1), "totalResults"),
                Deviation::NoTotal,
            ),
            (
                "GET /Users",
                json!({ "schemas": [LIST], "totalResults": 1, "resources": [ada] }),
                json!({ "schemas": [LIST], "totalResults": 1, "resources": [ada] }),
                Deviation::OtherCase,
            ),
            (
                "GET /Users",
                json!({ "schemas": [LIST], "totalResults": 1 }),
                json!({ "schemas": [LIST], "totalResults": 1 }),
                Deviation::ListsWithoutResources,
            ),
            (
                "GET /Users",
                json!({ "schemas": [LIST], "totalResults": 1, "itemsPerPage": 1, "startIndex": 1, "Resources": [{ "schemas": [USER], "userName": "ada" }] }),
                json!({ "schemas": [LIST], "totalResults": 1, "itemsPerPage": 1, "startIndex": 1, "Resources": [{ "schemas": [USER], "userName": "ada", "id": "7" }] }),
                Deviation::NoIds,
            ),
            (
                "GET /ResourceTypes",
                json!([{ "name": "User", "id": "User" }]),
                json!({ "schemas": [LIST], "totalResults": 1, "itemsPerPage": 1, "startIndex": 1, "Resources": [{ "name": "User", "id": "User" }] }),
                Deviation::BareLists,
            ),
        ] {
            assert_understood(request, &sent, &expected, &[deviation]);
        }
    }
}
