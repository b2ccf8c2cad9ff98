//! Source files: read and validated completely, or refused with the place.

mod archives;
pub(crate) mod pingone;
mod scim;
mod watch;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use provisioner::config::{SourceConfig, SourceKind};
use provisioner::reader::Snapshot;
use provisioner::source::{Attributes, SourceError, SourceProblem};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::read_source as read;

fn source(path: &Path) -> SourceConfig {
    SourceConfig {
        kind: SourceKind::File(path.to_owned()),
        identity: "file:test".to_owned(),
        attributes: Attributes::default(),
        groups: None,
    }
}

fn read_bytes(name: &str, bytes: &[u8], allow_empty: bool) -> Result<Snapshot, SourceError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    read(&source(&path), allow_empty)
}

fn read_text(name: &str, text: &str) -> Result<Snapshot, SourceError> {
    read_bytes(name, text.as_bytes(), false)
}

/// Returns the users without their places in the file.
fn without_lines(snapshot: &Snapshot) -> Snapshot {
    let mut snapshot = snapshot.clone();
    snapshot.users.iter_mut().for_each(|user| user.line = 0);
    snapshot
}

#[test]
fn files_in_three_formats_are_one_snapshot() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/identities");
    let [ndjson, json, csv] = ["users.ndjson", "users.json", "users.csv"]
        .map(|name| read(&source(&folder.join(name)), false).unwrap());
    assert_eq!(ndjson.users.len(), 25);
    assert_eq!(ndjson.users.iter().filter(|user| !user.enabled).count(), 3);
    let lines = |snapshot: &Snapshot| snapshot.users.iter().map(|user| user.line).collect::<Vec<_>>();
    assert_eq!(lines(&ndjson), (1..=25).collect::<Vec<_>>());
    // One cell has a line break in it.
    assert_eq!(lines(&csv)[0], 2);
    assert_eq!(lines(&csv)[24], 27);
    assert!(lines(&json).is_sorted());
    assert_eq!(without_lines(&ndjson), without_lines(&json));
    assert_eq!(without_lines(&ndjson), without_lines(&csv));
    assert_eq!(ndjson.digest().len(), 64);
}

#[track_caller]
fn check(name: &str, text: &str, line: Option<usize>, expected: &str) {
    let error = read_text(name, text).unwrap_err();
    let shown = error.to_string();
    assert_eq!(error.line(), line, "{shown}");
    assert!(shown.starts_with("failed to read the source ") && shown.contains(name), "{shown}");
    assert!(shown.contains(expected), "{shown}");
    assert!(!shown.contains("Okafor"), "the user's data is in {shown}");
    assert!(!error.way_out().is_empty());
}

#[test]
fn malformed_ndjson_is_refused_with_its_line() {
    let good = r#"{"id":"1","username":"a"}"#;
    check("u.ndjson", &format!("{good}\n{{\"id\":\"2\",\"username\":\"Okafor\","), Some(2), "is incomplete");
    check(
        "u.ndjson",
        &format!("{good}\n\n{{\"id\" \"2\", \"x\":\"Okafor\"}}\n{good}"),
        Some(3),
        "column 7: invalid JSON",
    );
    check("u.ndjson", &format!("{good} {good}"), Some(1), "invalid JSON: trailing characters");
    for (user, told) in [
        (
            r#"{"id":"1","username":"a","enabled":tru}"#,
            "invalid JSON: a word without quotes can only be true, false or null",
        ),
        (r#"{"id":"1","username":a}"#, "invalid JSON: a value is missing"),
        (r#"{id:"1"}"#, "invalid JSON: a key has to stand in double quotes"),
        (r#"{"id" "1"}"#, "invalid JSON: a colon is missing"),
        (r#"{"id":"1" "username":"a"}"#, "invalid JSON: a comma, or the `}` of the object, is missing"),
    ] {
        check("u.ndjson", &format!("{user}\n"), Some(1), told);
    }
    check("u.jsonl", &format!("{good}\n[\"Okafor\"]\n"), Some(2), "found an array");
    check("u.ndjson", "\"Okafor\"\n", Some(1), "found a text");
    check("u.ndjson", "{\n \"id\":\"1\"\n}", Some(1), "is incomplete");
    check("u.ndjson", &format!("{good}\n{{\"id\":\"2\",\"username\":\"é Okafor\"]"), Some(2), "invalid JSON");
}

#[test]
fn malformed_arrays_are_refused_with_their_place() {
    let good = r#"{"id":"1","username":"a"}"#;
    check("u.json", &format!("[{good}\n"), Some(2), "the array is not closed");
    check("u.json", &format!("[{good},\n"), Some(2), "the array is not closed");
    check("u.json", &format!("[{good},\n{{\"id\":"), Some(2), "is incomplete");
    check("u.json", &format!("[{good}\n{good}]"), Some(2), "a comma or the end");
    check("u.json", &format!("[{good}]\n, 1"), Some(2), "unexpected text after");
    check("u.json", good, Some(1), "not a JSON array");
    check("u.json", &format!("[{good},\n  ]"), Some(2), "invalid JSON");
    check("u.json", &format!("[{good},\n  {{\n \"username\": \"Okafor\"}}]"), Some(2), "invalid `id`");
    check("u.json", &format!("[\n{good},\n 7]"), Some(3), "found a number");
}

#[test]
fn malformed_csv_is_refused_with_its_line() {
    let head = "id,username,enabled,title";
    check("u.csv", &format!("{head}\n1,a,true,x\n2,Okafor,true\n"), Some(3), "3 cells; the header has 4");
    check("u.csv", &format!("{head}\n1,a,true,\"x\ny\nz\"\n2,Okafor,true,x,y\n"), Some(5), "5 cells");
    check("u.csv", &format!("{head}\n\n1,a,true,x\n\n\n2,Okafor,true\n"), Some(6), "3 cells");
    check("u.csv", &format!("{head}\n1,a,true,x\n2,Okafor,true,\"x\n3,b,true,x\n"), Some(3), "is not closed");
    check("u.csv", &format!("{head}\n1,a,true,x\n2,Ok\"afor,true,x\n"), Some(3), "quote inside");
    check("u.csv", &format!("{head}\n1,\"a\"b,true,x\n"), Some(2), "closing quote");
    check(
        "u.csv",
        &format!("{head}\n1,a,maybe,x\n"),
        Some(2),
        "invalid `enabled` of the user with id \"1\": expected true or false, found the text \"maybe\"",
    );
    check("u.csv", &format!("{head}\n1,a,WAHR,x\n"), Some(2), "found the text \"WAHR\"");
    check("u.csv", &format!("{head}\n1,a,,x\n"), Some(2), "found an empty text");
    check(
        "u.csv",
        &format!("{head}\n1,,true,x\n"),
        Some(2),
        "invalid `username` of the user with id \"1\": expected a non-empty text, found nothing",
    );
    check(
        "u.csv",
        &format!("{head}\n,Okafor,true,x\n"),
        Some(2),
        "invalid `id`: expected a non-empty text, found nothing",
    );
    check("u.csv", "id,username\n1,a\n", Some(1), "no column `enabled`");
    check("u.csv", "username,enabled\na,true\n", Some(1), "no column `id`");
    check("u.csv", "id,enabled\na,true\n", Some(1), "no column `username`");
    check("u.csv", "id,username,enabled,id\n1,a,true,1\n", Some(1), "columns 1 and 4");
    check("u.csv", "id,username,enabled,name.given,name\n1,a,true,A,B\n", Some(1), "columns 4 and 5");
    check(
        "u.csv",
        "id,username,enabled,name..given\n1,a,true,A\n",
        Some(1),
        "column 4 has an empty or invalid name",
    );
    check("u.csv", "id,username,enabled,\n1,a,true,A\n", Some(1), "column 4 has an empty or invalid name");
}

#[test]
fn csv_is_read_as_spreadsheets_write_it() {
    let expected = |id: &str, enabled: bool| json!({"id": id, "username": "ada lovelace", "enabled": enabled, "name": {"given": "Ada"}});
    for (written, enabled) in [
        ("true", true),
        ("TRUE", true),
        ("True", true),
        ("1", true),
        ("yes", true),
        ("YES", true),
        ("false", false),
        ("FALSE", false),
        ("False", false),
        ("0", false),
        ("no", false),
        ("\"No\"", false),
    ] {
        for delimiter in [",", ";", "\t"] {
            let row = |cells: [&str; 5]| cells.join(delimiter) + "\r\n";
            let text = [
                row(["id ", " username", "enabled", "name.given\u{a0}", "title"]),
                row(["1", " ada lovelace ", written, "Ada", "  "]),
                row(["", "", "", "", " "]),
                row([" 2", "\"ada lovelace\" ", written, " \"Ada\"", ""]),
                row(["", "", "", "", ""]),
            ]
            .concat();
            let users = [expected("1", enabled), expected("2", enabled)];
            let read = |bytes: &[u8]| -> Vec<Value> {
                let snapshot = read_bytes("u.csv", bytes, false).unwrap();
                snapshot.users.into_iter().map(|user| user.attributes).collect()
            };
            assert_eq!(read(text.as_bytes()), users, "{written} {delimiter:?}");
            let marked = format!("\u{feff}{text}");
            assert_eq!(read(marked.as_bytes()), users, "with a mark");
            let utf16: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(read(&utf16), users, "as UTF-16");
        }
    }
    let semicolons = "sep=;\r\nid;username;enabled;title\r\n1;ada;true;\" a, b \"\r\n";
    assert_eq!(read_text("u.csv", semicolons).unwrap().users[0].attributes["title"], " a, b ");
    // Columns that a spreadsheet adds behind the last one.
    assert_eq!(read_text("u.csv", "id,username,enabled,,\n1,a,true,,\n").unwrap().users.len(), 1);
}

#[test]
fn misspelt_csv_header_gets_a_suggestion() {
    check(
        "u.csv",
        "id,userName,enabled\n1,Okafor,true\n",
        Some(1),
        "no column `username`; did you mean `userName`?",
    );
    check("u.csv", "Id;username;enabled\n1;Okafor;true\n", Some(1), "no column `id`; did you mean `Id`?");
    check("u.csv", "id|username|enabled\n1|Okafor|true\n", Some(1), "the header has no column `id`");
    check("u.csv", "id;username;enabled\n1;a;true\n2;Okafor;true;x\n", Some(3), "4 cells; the header has 3");
    check(
        "u.csv",
        "id,username,enabled,,\n1,a,true,,Okafor\n",
        Some(1),
        "column 5 has an empty or invalid name",
    );
}

#[test]
fn page_of_the_api_is_read_where_it_is_the_only_one() {
    let users = json!([{"id": "1", "username": "a"}, {"id": "2", "username": "b"}]);
    let page = json!({
        "_links": {"self": {"href": "https://api.example.com/v1/environments/1/users"}},
        "_embedded": {"users": users, "other": [1]}, "count": 2, "size": 2,
    });
    for text in [page.to_string(), serde_json::to_string_pretty(&page).unwrap()] {
        let snapshot = read_text("u.json", &text).unwrap();
        let plain = read_text("u.json", &users.to_string()).unwrap();
        assert_eq!(snapshot.digest(), plain.digest(), "the same users, on other lines");
    }
    let but = |member: &str, value: Value| {
        let mut page = page.clone();
        page[member] = value;
        page.to_string()
    };
    let next = json!({"next": {"href": "https://api.example.com/v1/environments/1/users?cursor=x"}});
    check("u.json", &but("_links", next), Some(1), "one of several pages: it has 2 users, and `_links.next`");
    check("u.json", &but("count", json!(5)), Some(1), "this page has 2 users, but its count is 5");
    check("u.json", &but("size", json!(3)), Some(1), "this page has 2 users, but its count is 3");
    assert!(read_text("u.json", &but("_links", json!({"next": null}))).is_ok());
    check("u.json", &but("count", Value::Null), Some(1), "no page names the number of all users (`count`)");
    let error = read_text("u.json", &but("count", json!(5))).unwrap_err();
    assert!(error.way_out().contains("page by page"), "{}", error.way_out());
    check("u.json", &but("_embedded", json!({"groups": []})), Some(1), "not a JSON array");
    check("u.json", "{\"_embedded\":{\"users\":[]},\"count\":0}", None, "it has no users");
    let whole = page.to_string();
    for cut in 1..whole.len() {
        assert!(read_bytes("u.json", &whole.as_bytes()[..cut], true).is_err(), "{}", &whole[..cut]);
    }
    check("u.json", &format!("{whole} {whole}"), Some(1), "unexpected text after");
    check("u.ndjson", &whole, Some(1), "expected a user, found a page of PingOne's API");
    let users = "{\n\"_embedded\": {\"users\": [\n{\"id\":\"1\",\"username\":\"a\"},\n{\"id\":\"\",\"username\":\"Okafor\"}]},\"count\":2}";
    check("u.json", users, Some(4), "invalid `id`: expected a non-empty text, found an empty text");
}

#[test]
fn key_that_is_there_twice_is_refused_with_its_line() {
    let good = r#"{"id":"1","username":"a"}"#;
    let doubled = r#"{"id":"2","username":"b","title":"Okafor","title":"x"}"#;
    check("u.ndjson", &format!("{good}\n{doubled}\n"), Some(2), "duplicate key \"title\" in one object");
    check("u.json", &format!("[{good},\n{doubled}]"), Some(2), "duplicate key \"title\"");
    let nested = r#"{"id":"2","username":"b","name":{"given":"x","g\u0069ven":"Okafor"}}"#;
    check("u.ndjson", &format!("{good}\n{nested}\n"), Some(2), "duplicate key \"given\"");
    check("u.json", &format!("[{good},\n{nested}]"), Some(2), "duplicate key \"given\"");
    check("u.json", r#"{"_embedded":{"users":[],"users":[]}}"#, Some(1), "duplicate key \"users\"");
    check("u.json", r#"{"count":1,"count":2}"#, Some(1), "duplicate key \"count\"");
}

#[test]
fn first_of_several_problems_counts_the_others() {
    let text =
        "{\"id\":\"1\"}\n{\"id\":\"2\",\"username\":\"b\"}\nnonsense\n{\"id\":\"2\",\"username\":\"b\"}\n";
    check("u.ndjson", text, Some(1), "(and 2 more problems)");
    let many = "{\"id\":\"1\",\"username\":\"a\"}\n".repeat(20_000);
    check("u.ndjson", &many, Some(2), "(and 19998 more problems)");
}

#[test]
fn records_that_are_not_users_are_refused() {
    let line = |second: &str| format!("{{\"id\":\"1\",\"username\":\"a\"}}\n{second}\n");
    check(
        "u.ndjson",
        &line(r#"{"username":"Okafor"}"#),
        Some(2),
        "invalid `id`: expected a non-empty text, found nothing",
    );
    check(
        "u.ndjson",
        &line(r#"{"id":7,"username":"Okafor"}"#),
        Some(2),
        "invalid `id`: expected a non-empty text, found a number",
    );
    check(
        "u.ndjson",
        &line(r#"{"id":"","username":"Okafor"}"#),
        Some(2),
        "invalid `id`: expected a non-empty text, found an empty text",
    );
    check(
        "u.ndjson",
        &line(r#"{"id":"2","name":"Okafor"}"#),
        Some(2),
        "invalid `username` of the user with id \"2\": expected a non-empty text, found nothing",
    );
    check("u.ndjson", &line(r#"{"id":"2","username":null}"#), Some(2), "found null");
    check(
        "u.ndjson",
        &line(r#"{"id":"2","username":"Okafor","enabled":"yes"}"#),
        Some(2),
        "found the text \"yes\"",
    );
    check("u.ndjson", &line(r#"{"id":"2","username":"Okafor","enabled":null}"#), Some(2), "found null");
    let twice = line("{\"id\":\"2\",\"username\":\"b\"}\n\n{\"id\":\"1\",\"username\":\"Okafor\"}");
    check("u.ndjson", &twice, Some(4), "duplicate id \"1\", first on line 1");
    let twice = "id,username,enabled\n7,\"a\nb\",true\n8,c,true\n7,Okafor,true\n";
    check("u.csv", twice, Some(5), "duplicate id \"7\", first on line 2");
}

#[test]
fn unreadable_file_error_names_the_cause() {
    let folder = TempDir::new().unwrap();
    let refused = |name: &str| read(&source(&folder.path().join(name)), true).unwrap_err();
    fs::create_dir(folder.path().join("d.csv")).unwrap();
    assert_eq!(*refused("nobody.ndjson").problem(), SourceProblem::NotFound);
    assert_eq!(*refused("d.csv").problem(), SourceProblem::Directory);
    assert_eq!(*refused("users.xlsx").problem(), SourceProblem::NotFound);
    fs::write(folder.path().join("users.xlsx"), "x").unwrap();
    assert_eq!(*refused("users.xlsx").problem(), SourceProblem::UnknownFormat);
    assert!(refused("users.xlsx").way_out().contains(".jsonl"));
    let error = read_bytes("u.csv", b"id,username,enabled\n1,Jos\xe9,true\n", false).unwrap_err();
    assert_eq!(error.line(), Some(2));
    assert_eq!(error.problem(), &SourceProblem::NotUtf8);
    assert!(
        error.way_out().contains("CSV UTF-8") && error.way_out().contains("iconv"),
        "{}",
        error.way_out()
    );
    let error = read_bytes("u.csv", b"\xff\xfei\0d\0\n\0x", false).unwrap_err();
    assert_eq!(error.line(), Some(2));
    assert_eq!(error.problem(), &SourceProblem::BadUtf16);
}

#[test]
fn source_without_users_is_refused_unless_allowed() {
    for (name, text) in [
        ("u.ndjson", ""),
        ("u.ndjson", "\n \n"),
        ("u.json", "[ ]\n"),
        ("u.json", ""),
        ("u.csv", "id,username,enabled\n"),
    ] {
        let error = read_bytes(name, text.as_bytes(), false).unwrap_err();
        assert_eq!(*error.problem(), SourceProblem::Empty, "{name} {text:?}");
        assert!(error.way_out().contains("allow an empty source"));
        assert!(read_bytes(name, text.as_bytes(), true).unwrap().users.is_empty(), "{name} {text:?}");
    }
    // Nothing allows half a file.
    assert!(read_bytes("u.json", b"[", true).is_err());
    assert!(read_bytes("u.csv", b"id,username\n", true).is_err());
}

#[test]
fn harmless_irregularities_are_tolerated() {
    let user = json!({"id": "1", "username": "a"});
    for (name, text) in [
        ("u.ndjson", format!("\u{feff}{user}\r\n")),
        ("U.NDJSON", format!("\n{user}")),
        ("u.jsonl", format!("{user}\n\n")),
        ("u.json", format!("\u{feff} [ {user} ] \n")),
    ] {
        let snapshot = read_text(name, &text).unwrap();
        assert_eq!(snapshot.users.len(), 1, "{name}");
        assert!(snapshot.users[0].enabled, "{name}");
        assert_eq!(snapshot.users[0].attributes, user, "{name}");
    }
    let csv = "\u{feff}id, username ,enabled\r\n1,a,false\r\n2,A,true\r\n";
    let snapshot = read_text("u.csv", csv).unwrap();
    assert_eq!(snapshot.users[0].attributes, json!({"id": "1", "username": "a", "enabled": false}));
    // Two users of one user name are no error of the source.
    assert_eq!(snapshot.users.len(), 2);
}

#[test]
fn source_digest_depends_on_content_only() {
    let one =
        read_text("u.ndjson", r#"{"id":"1","username":"a","name":{"given":"x","family":"y"}}"#).unwrap();
    let other =
        read_text("u.ndjson", r#"{"name":{"family":"y","given":"x"}, "username":"a","id":"1"}"#).unwrap();
    let changed =
        read_text("u.ndjson", r#"{"name":{"family":"y","given":"z"}, "username":"a","id":"1"}"#).unwrap();
    assert_eq!(one.digest(), other.digest());
    assert_eq!(one.users[0].digest(), other.users[0].digest());
    assert_ne!(one.digest(), changed.digest());
    assert_ne!(one.users[0].digest(), changed.users[0].digest());
}

/// Generates the text of a CSV cell: any text but the empty one, which means absent.
fn cell() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[a-zé \",\n\r.;'\\\\{\\[]{1,8}").unwrap()
}

/// Generates a user with a text for id and user name, `enabled`, and an optional given name, family name and title.
fn user(at: usize, text: &str, enabled: bool, optional: [Option<String>; 3]) -> Value {
    let [given, family, title] = optional;
    let present = |members: [(&str, Option<String>); 2]| -> Map<_, _> {
        members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value?)))).collect()
    };
    let mut user = present([("title", title), ("id", Some(format!("{at}{text}")))]);
    user.insert("username".to_owned(), json!(format!("u{text}")));
    user.insert("enabled".to_owned(), json!(enabled));
    let name = present([("given", given), ("family", family)]);
    if !name.is_empty() {
        user.insert("name".to_owned(), Value::Object(name));
    }
    Value::Object(user)
}

fn users() -> impl Strategy<Value = Vec<Value>> {
    let optional = proptest::array::uniform3(proptest::option::of(cell()));
    proptest::collection::vec((cell(), any::<bool>(), optional), 1..8).prop_map(|users| {
        let users = users.into_iter().enumerate();
        users.map(|(at, (text, enabled, optional))| user(at, &text, enabled, optional)).collect()
    })
}

/// Returns the users as CSV, with every cell in quotes.
fn to_csv(users: &[Value]) -> String {
    let columns = ["id", "enabled", "username", "name.given", "title", "name.family"];
    let row = |user: &Value| {
        columns
            .map(|column| match user.pointer(&format!("/{}", column.replace('.', "/"))) {
                Some(Value::String(text)) => format!("\"{}\"", text.replace('"', "\"\"")),
                Some(other) => other.to_string(),
                None => String::new(),
            })
            .join(",")
    };
    let rows: Vec<String> = users.iter().map(row).collect();
    format!("{}\n{}\n", columns.join(","), rows.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn formats_of_the_same_users_give_one_snapshot(users in users()) {
        let lines: Vec<String> = users.iter().map(Value::to_string).collect();
        let ndjson = read_text("u.ndjson", &lines.join("\n")).unwrap();
        let json = read_text("u.json", &serde_json::to_string_pretty(&users).unwrap()).unwrap();
        let csv = read_text("u.csv", &to_csv(&users)).unwrap();
        prop_assert_eq!(without_lines(&ndjson), without_lines(&json));
        prop_assert_eq!(without_lines(&ndjson), without_lines(&csv));
        let read: Vec<_> = ndjson.users.into_iter().map(|user| user.attributes).collect();
        prop_assert_eq!(read, users);
    }

    #[test]
    fn file_that_is_cut_off_is_never_a_smaller_one(users in users(), cut in 1_usize..40) {
        let json = serde_json::to_string(&users).unwrap();
        let kept: String = json.chars().take(json.chars().count().saturating_sub(cut)).collect();
        prop_assert!(read_bytes("u.json", kept.as_bytes(), false).is_err());
    }
}

/// Returns a page with the users `ids`, as the API has it.
fn page(ids: &[usize], at: usize, next: Option<usize>, count: usize) -> Value {
    let users: Vec<Value> =
        ids.iter().map(|id| json!({ "id": id.to_string(), "username": format!("u{id}") })).collect();
    let mut links = json!({ "self": { "href": format!("https://api/users?page={at}") } });
    if let Some(next) = next {
        links["next"] = json!({ "href": format!("https://api/users?page={next}") });
    }
    json!({ "_links": links, "count": count, "size": ids.len(), "_embedded": { "users": users } })
}

#[test]
fn array_of_all_pages_is_read_and_any_other_refused() {
    let [one, two, three] =
        [page(&[1, 2], 1, Some(2), 5), page(&[3, 4], 2, Some(3), 5), page(&[5], 3, None, 5)];
    let array = |pages: &[&Value]| {
        let pages: Vec<String> =
            pages.iter().map(|page| serde_json::to_string_pretty(page).unwrap()).collect();
        format!("[\n{}\n]\n", pages.join(",\n"))
    };
    let snapshot = read_text("u.json", &array(&[&one, &two, &three])).unwrap();
    let ids: Vec<&str> = snapshot.users.iter().map(|user| user.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5"]);
    let lines: Vec<usize> = snapshot.users.iter().map(|user| user.line).collect();
    assert!(lines.is_sorted() && lines[0] > 1, "each user has its own line: {lines:?}");
    assert_eq!(read_text("u.json", &array(&[&page(&[1], 1, None, 1)])).unwrap().users.len(), 1);
    let short = json!({ "size": 3, "_embedded": two["_embedded"], "_links": two["_links"] });
    for (pages, expected) in [
        (vec![&one, &two], "`_links.next` leads to more"),
        (vec![&one, &three], "page 2 of this array does not follow the page before it"),
        (vec![&two, &one, &three], "page 2 of this array does not follow"),
        (vec![&three, &one], "page 2 of this array does not follow"),
        (vec![&one, &one, &three], "page 2 of this array does not follow"),
        (vec![&two, &three], "has 3 users, but its count is 5"),
        (vec![&one, &short, &three], "has 2 users, but its count is 3"),
        (
            vec![&one, &two, &three, &one["_embedded"]["users"][0]],
            "expected a user, found a page of PingOne's API",
        ),
        (vec![&one["_embedded"]["users"][0], &three], "expected a user, found a page of PingOne's API"),
    ] {
        let error = read_text("u.json", &array(&pages)).unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
}

#[test]
fn ids_that_a_spreadsheet_has_shortened_are_refused_with_their_line() {
    for id in ["1.23E+11", "\"1,23E+11\"", "1E+11", "1.23456789012346e+15"] {
        let text = format!("id,username,enabled\n12,a,true\n{id},b,true\n");
        check("u.csv", &text, Some(3), "a spreadsheet has rounded it");
        let error = read_text("u.csv", &text).unwrap_err();
        assert!(error.way_out().starts_with("format the column `id` as text"), "{}", error.way_out());
    }
    for id in ["12E4", "1.5E-3x", "e+1", "12.3E+4", "1e11", "5f3E+1a"] {
        read_text("u.csv", &format!("id,username,enabled\n{id},b,true\n")).unwrap();
    }
    check(
        "u.csv",
        "id,username,enabled,title,title\n",
        Some(1),
        "columns 4 and 5 have the same name, \"title\"",
    );
}

/// Readers parse windows of a file: a user at the edge of one is read like any other, and told with its own line.
#[test]
fn large_files_are_read_across_their_pieces() {
    let users: Vec<Value> = (0..9_000)
        .map(|id| json!({ "id": id.to_string(), "username": format!("ü{id}"), "enabled": true, "title": "€\"\n".repeat(id % 60 + 1) }))
        .collect();
    let lines: Vec<String> = users.iter().map(Value::to_string).collect();
    let all = page(&[], 0, None, users.len());
    let mut one_page = all.clone();
    one_page["_embedded"]["users"] = users.clone().into();
    one_page["size"] = users.len().into();
    let head = "id,username,enabled,title\n";
    let row = |user: &Value| {
        let text = |name: &str| user[name].as_str().unwrap().replace('"', "\"\"");
        format!("{},\"{}\",true,\"{}\"\n", text("id"), text("username"), text("title"))
    };
    let csv: String = std::iter::once(head.to_owned()).chain(users.iter().map(row)).collect();
    assert!(csv.len() > 1_000_000);
    let ndjson = read_text("u.ndjson", &lines.join("\n")).unwrap();
    assert_eq!(ndjson.users.len(), 9_000);
    for (name, text) in [
        ("u.json", format!("[\n{}\n]", lines.join(",\n"))),
        ("u.json", one_page.to_string()),
        ("u.csv", csv.clone()),
    ] {
        let snapshot = read_text(name, &text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(without_lines(&snapshot) == without_lines(&ndjson), "{name}");
    }
    // The last place of each is wrong, and is told with its line.
    check("u.json", &format!("[\n{},\n{{}}]", lines.join(",\n")), Some(9_002), "invalid `id`");
    check("u.ndjson", &format!("{}\n{{}}", lines.join("\n")), Some(9_001), "invalid `id`");
    let wrong = format!("{csv}1,Okafor,true\n");
    let line = wrong.matches('\n').count();
    check("u.csv", &wrong, Some(line), "3 cells");
    check("u.csv", &format!("{csv}\"Okafor"), Some(line), "is not closed");
}
