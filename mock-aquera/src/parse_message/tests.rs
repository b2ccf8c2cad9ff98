use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::Deserialize;

use crate::parse_message::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "it is only read into")]
struct Body {
    rule: String,
    times: Option<u64>,
    small: Option<u8>,
    some: Option<NonZeroU32>,
    word: Option<Word>,
    #[serde(default)]
    list: Vec<i64>,
    #[serde(default)]
    more: BTreeMap<String, bool>,
    inner: Option<Inner>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Word {
    Oldest,
    Newest,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is only read into")]
struct Inner {
    #[serde(deserialize_with = "object")]
    deep: BTreeMap<String, f64>,
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let mistake = read_object::<Body>(text.as_bytes()).unwrap_err();
    assert_eq!(mistake.to_string(), expected, "{text}");
}

#[test]
fn wrong_value_is_told_with_its_path_and_its_place() {
    check(
        r#"{"times":"x"}"#,
        r#"invalid `times`: expected a whole number from 0, got "x" (line 1, column 10)"#,
    );
    check(
        "{\"rule\":\"a\",\n  \"times\": -1}",
        "invalid `times`: expected a whole number from 0, got -1 (line 2, column 12)",
    );
    check(r#"{"times":1.5}"#, "invalid `times`: expected a whole number from 0, got 1.5 (line 1, column 10)");
    check(
        r#"{"small":256}"#,
        "invalid `small`: expected a whole number from 0 to 255, got 256 (line 1, column 10)",
    );
    check(
        r#"{"some":0}"#,
        "invalid `some`: expected a whole number from 1 to 4294967295, got 0 (line 1, column 9)",
    );
    check(r#"{"rule":["x"]}"#, "invalid `rule`: expected a text, got an array (line 1, column 9)");
    check(r#"{"rule":null}"#, "invalid `rule`: expected a text, got null (line 1, column 9)");
    check(r#"{"list":{}}"#, "invalid `list`: expected an array, got an object (line 1, column 9)");
    check(r#"{"list":[1,true]}"#, "invalid `list[1]`: expected a whole number, got true (line 1, column 12)");
    check(
        r#"{"more":{"a":"b, expected u64"}}"#,
        r#"invalid `more.a`: expected true or false, got "b, expected u64" (line 1, column 14)"#,
    );
    check(
        r#"{"inner":{"deep":[]}}"#,
        "invalid `inner.deep`: expected an object, got an array (line 1, column 18)",
    );
    check(
        r#"{"inner":{"deep":{"a":"b"}}}"#,
        "invalid `inner.deep.a`: expected a number, got \"b\" (line 1, column 23)",
    );
    check(
        r#"{"word":"newst"}"#,
        "invalid `word`: unknown word `newst`; did you mean `newest`? (line 1, column 9)",
    );
    check(
        r#"{"word":"zzz"}"#,
        "invalid `word`: unknown word `zzz`; expected one of oldest, newest (line 1, column 9)",
    );
    check("[]", "expected an object, got an array (line 1, column 1)");
    let long = format!(r#"{{"times":"{}"}}"#, "x".repeat(500));
    let mistake = read_object::<Body>(long.as_bytes()).unwrap_err().message;
    assert!(mistake.len() < 150 && mistake.ends_with('…'), "{mistake}");
}

#[test]
fn wrong_key_is_told_with_the_nearest_one() {
    check(r#"{"rul":"x"}"#, "unknown key `rul`; did you mean `rule`? (line 1, column 2)");
    check(
        r#"{"inner":{"dep":{}}}"#,
        "unknown key `dep` in `inner`; did you mean `deep`? (line 1, column 11)",
    );
    check(r#"{"inner":{"zzz":{}}}"#, "unknown key `zzz` in `inner`; expected deep (line 1, column 11)");
    check(r#"{"times":1}"#, "`rule` is missing (line 1, column 1)");
    check(r#"{"rule":"","inner":{}}"#, "`deep` is missing in `inner` (line 1, column 20)");
    check(r#"{"rule":"","rule":""}"#, "`rule` is there twice (line 1, column 12)");
}

#[test]
fn text_that_is_no_json_is_told_what_is_missing() {
    let early = |column, missing: &str| {
        format!("the text ends too early: {missing} is missing (line 1, column {column})")
    };
    check(r#"{"times":"#, &early(9, "the value of `times`"));
    check(r#"{"times""#, &early(8, "`:` and a value"));
    check(r#"{"times"#, &early(7, "the closing quotation mark"));
    check("{", &early(1, "a key or `}`"));
    check(r#"{"times":1"#, &early(10, "`,` or `}`"));
    check(r#"{"times":1,"#, &early(11, "a key"));
    check(r#"{"list":["#, &early(9, "a value or `]`"));
    check(r#"{"list":[1"#, &early(10, "`,` or `]`"));
    check(r#"{"list":[1,"#, &early(11, "the value of `list[1]`"));
    check("", "the text ends too early: a value is missing (line 1, column 0)");
    check(r#"{"times":}"#, "invalid `times`: the value of `times` is expected here (line 1, column 10)");
    check(r#"{"times":1;}"#, "invalid `times`: `,` or `}` is expected here (line 1, column 11)");
    check("{'times':1}", "a key in double quotes is expected here (line 1, column 2)");
    check(r#"{"times":1,}"#, "the comma in front of the closing bracket is one too many (line 1, column 12)");
    check(r#"{"rule":"x"} {}"#, "something stands behind the end of the value (line 1, column 14)");
    check(
        "{\"rule\":\"\n\"}",
        "invalid `rule`: a text holds a line break or another control character; a line break is written `\\n` (line 1, column 10)",
    );
}

#[test]
fn deeply_nested_text_is_told_at_once_and_briefly() {
    let deep = format!("{{\"more\":{}", "[".repeat(1_000_000));
    let at = place::At::of(deep.as_bytes(), deep.len());
    assert!(at.path.starts_with("more[0][0]") && at.path.len() < 300, "{}", at.path);
    let keys = format!("{{\"more\":{}", "{\"a\":".repeat(500_000));
    let at = place::At::of(keys.as_bytes(), keys.len());
    assert!(at.missing.starts_with("the value of `more.a.a") && at.missing.len() < 400, "{}", at.missing);
}
