//! Parsing and evaluation of filters, one form at a time.

use scim::filter::{Filter, MAX_DEPTH, MAX_TERMS};
use scim::parse_error::ParseError;
use scim::schema::{ENTERPRISE_URN, SchemaSet, USER_URN};
use serde_json::{Value, json};

fn ida() -> Value {
    json!({
        "schemas": [USER_URN, ENTERPRISE_URN],
        "id": "Ab1",
        "userName": "ida.Lund",
        "title": "",
        "nickName": null,
        "active": true,
        "displayName": "Ida Øst",
        "name": {"givenName": "Ida", "familyName": "Lund"},
        "emails": [
            {"type": "work", "value": "ida@acme.example", "primary": true},
            {"type": "home", "value": "lund@home.example"},
        ],
        "phoneNumbers": [],
        "meta": {"created": "2024-05-01T12:00:00+02:00", "version": "W/\"3\""},
        ENTERPRISE_URN: {"department": "Ops", "manager": {"value": "m1"}},
    })
}

#[track_caller]
fn check(filter: &str, expected: bool) {
    let parsed = Filter::parse(filter).unwrap_or_else(|e| panic!("{e}\n{}", e.pointer(filter)));
    assert_eq!(parsed.matches(&ida(), SchemaSet::user()), expected, "{filter}");
    assert_eq!(Filter::parse(&parsed.to_string()), Ok(parsed), "{filter}");
}

#[test]
fn value_filter_with_a_longer_path_matches_nothing() {
    check("emails[value pr]", true);
    check("emails[value.display pr]", false);
    check("emails[urn:x:y:value pr]", false);
}

#[test]
fn text_operators_compare_text() {
    check(r#"userName eq "IDA.lund""#, true);
    check(r#"USERNAME EQ "ida.lund""#, true);
    check(r#"userName eq "ida""#, false);
    check(r#"userName ne "IDA.lund""#, false);
    check(r#"userName co ".L""#, true);
    check(r#"userName co """#, true);
    check(r#"userName sw "IDA""#, true);
    check(r#"userName sw "ida.lund.and.more""#, false);
    check(r#"userName ew "LUND""#, true);
    check(r#"userName ew "ida""#, false);
    check(r#"userName gt "ida.LUNA""#, true);
    check(r#"userName ge "ida.lund""#, true);
    check(r#"userName lt "ida.lund""#, false);
    check(r#"userName le "ida.lund""#, true);
    check(r#"displayName eq "ida øST""#, true);
    check(r#"displayName co "øs""#, true);
    check("userName eq \"ida\\u002eLund\"", true);
    check(r#"userName eq "ＩＤＡ.lund""#, true);
    check(r#"displayName eq "ＩＤＡ øst""#, false);
}

#[test]
fn caseless_match_lowers_each_character() {
    #[track_caller]
    fn check(value: &str, filter: &str, expected: bool) {
        let filter = Filter::parse(filter).unwrap();
        assert_eq!(filter.matches(&json!({"title": value}), SchemaSet::user()), expected, "{value} {filter}");
    }
    check("ΟΔΟΣΑ", r#"title sw "ΟΔΟΣ""#, true);
    check("ΟΔΟΣ", r#"title sw "οδοσ""#, true);
    check("ΣΟΔΟΣ", r#"title ew "ΟΔΟΣ""#, true);
    check("ΟΔΟΣ", r#"title eq "οδοσ""#, true);
    check("ΟΔΟΣ", r#"title eq "ΟΔΟΣΑ""#, false);
}

#[test]
fn case_exact_attribute_is_compared_with_case() {
    check(r#"id eq "Ab1""#, true);
    check(r#"id eq "ab1""#, false);
    check(r#"id sw "a""#, false);
    check(r#"meta.version eq "w/\"3\"""#, false);
    check(r#"meta.version eq "W/\"3\"""#, true);
}

#[test]
fn date_times_are_compared_by_instant() {
    check(r#"meta.created eq "2024-05-01T10:00:00Z""#, true);
    check(r#"meta.created lt "2024-05-01T11:00:00Z""#, true);
    check(r#"meta.created gt "2024-05-01T11:00:00Z""#, false);
    check(r#"meta.created ne "2024-05-01T10:00:00.000Z""#, false);
    check(r#"meta.created sw "2024""#, true);
    check(r#"meta.created gt "yesterday""#, false);
}

#[test]
fn booleans_do_not_match_order_operators() {
    check("active eq true", true);
    check("active ne true", false);
    check("active eq TRUE", true);
    for op in ["gt", "ge", "lt", "le", "co", "sw", "ew"] {
        check(&format!("active {op} true"), false);
    }
    check(r#"active eq "true""#, false);
    check(r#"active ne "true""#, true);
}

#[test]
fn pr_and_null_treat_empty_values_as_absent() {
    check("userName pr", true);
    check("active pr", true);
    check("title pr", false);
    check("nickName pr", false);
    check("phoneNumbers pr", false);
    check("emails pr", true);
    check("emails.display pr", false);
    check("name pr", true);
    check("nickName eq null", true);
    check("profileUrl eq null", true);
    check("userName eq null", false);
    check("userName ne null", true);
    check("phoneNumbers eq null", true);
    check("userName gt null", false);
    check(r#"profileUrl ne "x""#, true);
    check(r#"profileUrl eq "x""#, false);
}

#[test]
fn unknown_attribute_matches_nothing() {
    check(r#"shoeSize eq "42""#, false);
    check(r#"shoeSize ne "42""#, false);
    check("shoeSize eq null", false);
    check("shoeSize pr", false);
    check(r#"name.shoe ne "x""#, false);
    check(r#"shoes[type eq "left"]"#, false);
    check("urn:example:other:2.0:User:userName pr", false);
    check("not (shoeSize pr)", true);
}

#[test]
fn multi_valued_attribute_is_patched() {
    check(r#"emails eq "IDA@acme.example""#, true);
    check(r#"emails.value ew "home.example""#, true);
    check(r#"emails.type eq "work" and emails.value ew "home.example""#, true);
    check(r#"emails[type eq "work" and value ew "home.example"]"#, false);
    check(r#"emails[type eq "home" and value ew "home.example"]"#, true);
    check(r#"emails[type eq "work"].value eq "ida@acme.example""#, true);
    check(r#"emails[type eq "work"].value eq "lund@home.example""#, false);
    check(r#"emails[type eq "work" or primary eq true].display pr"#, false);
    check(r#"emails[not (type eq "work")]"#, true);
    check(r#"emails[not(primary pr) and type ne "home"]"#, false);
    check(r#"emails.type ne "work""#, true);
    check(r#"schemas eq "urn:ietf:params:scim:schemas:core:2.0:User""#, true);
    check(r#"schemas[value co "enterprise"]"#, true);
    check(r#"name[givenName eq "ida"]"#, true);
}

#[test]
fn attribute_with_urn_matches_like_without() {
    check(&format!(r#"{ENTERPRISE_URN}:department eq "ops""#), true);
    check(&format!(r#"{}:department eq "ops""#, ENTERPRISE_URN.to_uppercase()), true);
    check(&format!(r#"{ENTERPRISE_URN}:manager.value eq "m1""#), true);
    check(&format!(r#"{ENTERPRISE_URN}:manager eq "m1""#), true);
    check(&format!(r#"{ENTERPRISE_URN}:userName eq "ida.lund""#), false);
    check(&format!(r#"{USER_URN}:userName eq "ida.lund""#), true);
    check(&format!(r#"{USER_URN}:emails[type eq "home"].value sw "lund""#), true);
    check(r#"department eq "Ops""#, true);
}

#[test]
fn precedence_and_grouping_follow_the_grammar() {
    check("active eq true or title pr and title pr", true);
    check("(active eq true or title pr) and title pr", false);
    check("not(title pr)", true);
    check("not (title pr) and active eq true", true);
    check("not (title pr and active eq true)", true);
    check("NOT (title pr) AND (active eq true OR title pr)", true);
    check("not (not (not(title pr)))", true);
    check("  ( active   eq true )  ", true);
    check("(title pr)or(active eq true)", true);
}

#[test]
fn numbers_compare_as_numbers() {
    struct Plain;
    impl scim::filter::AttrInfo for Plain {
        fn case_exact(&self, _: &scim::path::AttrPath) -> bool {
            true
        }
    }
    let thing = json!({"size": 10, "big": u64::MAX, "ratio": 0.5, "label": "Ten"});
    for (filter, expected) in [
        ("size eq 10", true),
        ("size eq 1.0e1", true),
        ("size gt 9", true),
        ("size lt 9.5", false),
        ("size eq \"10\"", false),
        ("size co 1", false),
        ("big gt -1", true),
        ("big ge 18446744073709551615", true),
        ("big gt 18446744073709551614", true),
        ("big lt 18446744073709551614", false),
        ("ratio le 0.5", true),
        ("label eq \"ten\"", false),
        ("label eq \"Ten\"", true),
        ("other ne 1", true),
    ] {
        assert_eq!(Filter::parse(filter).unwrap().matches(&thing, &Plain), expected, "{filter}");
    }
}

#[track_caller]
fn refuse(filter: &str, marked: &str, message: &str) {
    let error: ParseError = Filter::parse(filter).unwrap_err();
    assert_eq!(error.message(), message, "{filter}");
    assert_eq!(&filter[error.span()], marked, "{filter}: {error:?}");
}

#[test]
fn parse_error_names_problem_and_place() {
    refuse("", "", "expected an attribute, found the end");
    refuse("userName", "", "expected an operator, found the end");
    refuse("userName is 1", "is", "unknown operator \"is\"; there are eq ne co sw ew gt ge lt le pr");
    refuse("userName eq", "", "expected a value after `eq`, found the end");
    refuse("userName eq ida", "ida", "\"ida\" is not a value; a text needs double quotes");
    refuse("userName eq 'ida'", "'ida'", "\"'ida'\" is not a value; a text needs double quotes");
    refuse("userName eq 12a", "12a", "\"12a\" is not a number; a text needs double quotes");
    refuse("userName eq \"ida", "\"ida", "the text is not closed by a `\"`");
    refuse("userName eq \"\\x\"", "\"\\x\"", "the text has a bad escape or a raw control character");
    refuse("userName pr \"x\"", "\"", "expected `and`, `or` or the end, found `\"`");
    refuse("userName pr and", "", "expected an attribute, found the end");
    refuse("(userName pr", "", "expected `and`, `or` or `)`, found the end");
    refuse("userName pr)", ")", "expected `and`, `or` or the end, found `)`");
    refuse("emails[type pr", "", "expected `and`, `or` or `]`, found the end");
    refuse("emails[a[b pr]]", "[", "a value filter cannot hold another one");
    refuse("emails[type pr].", "", "expected a sub-attribute, found the end");
    refuse("a.b.c pr", "b.c", "a path goes no deeper than one sub-attribute");
    refuse("é pr", "é", "expected an attribute, found `é`");
    refuse("userName eq \"a\" & active pr", "&", "expected `and`, `or` or the end, found `&`");
    refuse(
        "name.given[x pr]",
        "[",
        "a value filter belongs to the attribute, not to its sub-attribute \"given\"",
    );
}

#[test]
fn filter_beyond_a_limit_names_the_limit() {
    let nested = |depth: usize| format!("{}a pr{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&nested(MAX_DEPTH)).is_ok());
    let error = Filter::parse(&nested(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(error.message(), format!("the filter nests deeper than {MAX_DEPTH} levels"));
    assert!(Filter::parse(&"(".repeat(1_000_000)).is_err());
    assert!(Filter::parse(&"not(".repeat(1_000_000)).is_err());
    let beside = vec!["(a pr)"; MAX_DEPTH + 1].join(" and ");
    assert!(Filter::parse(&beside).is_ok());
    let long = |terms: usize| vec!["a pr"; terms].join(" or ");
    assert!(Filter::parse(&long(MAX_TERMS)).is_ok());
    let error = Filter::parse(&long(MAX_TERMS + 1)).unwrap_err();
    assert_eq!(error.message(), format!("the filter has more than {MAX_TERMS} comparisons"));
}

#[test]
fn pointer_marks_the_place() {
    let filter = "displayName eq \"Øst\" nad active pr";
    let error = Filter::parse(filter).unwrap_err();
    assert_eq!(error.to_string(), "expected `and`, `or` or the end, found `n` (at byte 22)");
    assert_eq!(error.pointer(filter), format!("{filter}\n{}^", " ".repeat(21)));
    let unclosed = Filter::parse("a eq \"\n\u{1}é").unwrap_err();
    assert_eq!(unclosed.pointer("a eq \"\n\u{1}é"), "a eq \"  é\n     ^^^^");
}

#[test]
fn equality_on_returns_the_text_of_one_equality() {
    #[track_caller]
    fn check(filter: &str, attr: &str, expected: Option<&str>) {
        assert_eq!(Filter::parse(filter).unwrap().equality_on(attr), expected, "{filter}");
    }
    check(r#"userName eq "Ida""#, "userName", Some("Ida"));
    check(r#"USERNAME EQ "Ida""#, "userName", Some("Ida"));
    check(r#"(userName eq "Ida")"#, "userName", Some("Ida"));
    check(&format!(r#"{USER_URN}:userName eq "Ida""#), "userName", Some("Ida"));
    check(r#"name.givenName eq "Ida""#, "name.givenName", Some("Ida"));
    check(r#"name.givenName eq "Ida""#, "name", None);
    check(r#"userName sw "Ida""#, "userName", None);
    check(r#"externalId eq "1""#, "userName", None);
    check(r#"userName eq "Ida" and active eq true"#, "userName", None);
    check(&format!(r#"{ENTERPRISE_URN}:userName eq "Ida""#), "userName", None);
    check("userName eq null", "userName", None);
}
