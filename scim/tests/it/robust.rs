//! No input makes the crate panic or take long, and fast paths agree with the general ones.

use proptest::{collection::vec, option, prelude::*, sample::select};
use scim::filter::{CompareOp, Filter, FilterOperator, Literal, PatchPath, simple_eq};
use scim::patch::{Dialect, Dialects, PatchRequest, apply, apply_with};
use scim::path::AttrPath;
use scim::project::Projection;
use scim::schema::{ENTERPRISE_URN, PATCH_URN, ResourceType, Schema, SchemaSet, USER_URN};
use scim::sort::{SortBy, SortKey, SortOrder};
use scim::validate::{ValidateOptions, canonicalise, check_immutable, validate_with};
use serde_json::{Map, Value, json};

/// Words with a meaning in some place, and words without any.
fn word() -> impl Strategy<Value = String> {
    let words = vec![
        "op",
        "OP",
        "path",
        "value",
        "schemas",
        "Operations",
        "add",
        "Remove",
        "replace",
        "userName",
        "USERNAME",
        "emails",
        "type",
        "primary",
        "name",
        "givenName",
        "name.givenName",
        "members",
        "password",
        "id",
        "meta",
        "True",
        "work",
        "attributes",
        "subAttributes",
        "schema",
        "schemaExtensions",
        "endpoint",
        "emails[type eq \"work\"].value",
        "emails[primary eq \"True\"]",
        USER_URN,
        ENTERPRISE_URN,
        PATCH_URN,
    ];
    prop_oneof![8 => select(words).prop_map(str::to_owned), 1 => any::<String>()]
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((word(), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Bodies with a valid envelope, so that their content is examined.
fn body() -> impl Strategy<Value = Value> {
    let op = select(vec![json!("add"), json!("Remove"), json!("replace"), json!("move"), json!(1)]);
    let operation =
        (op, option::of(anything()), option::of(word()), anything()).prop_map(|(op, path, named, value)| {
            let mut operation = json!({"op": op, "value": value});
            if let Some(path) = named.map(Value::from).or(path) {
                operation["path"] = path;
            }
            operation
        });
    let operation = operation.boxed();
    prop_oneof![
        4 => vec(operation.clone(), 0..4)
            .prop_map(|operations| json!({"schemas": [PATCH_URN], "Operations": operations})),
        1 => operation,
        1 => anything(),
    ]
}

fn dialects() -> impl Strategy<Value = Dialects> {
    vec(select(Dialect::ALL.to_vec()), 0..6).prop_map(Dialects::from_iter)
}

fn filter_text() -> impl Strategy<Value = String> {
    let attr = select(vec![
        "userName",
        "emails.value",
        "emails",
        "name.givenName",
        "active",
        "title",
        "department",
        "meta.created",
        "shoe",
    ]);
    let literal = select(vec!["\"a\"", "\"work\"", "true", "1", "null", "\"2024-01-01T00:00:00Z\""]);
    let term = (attr, select(CompareOp::ALL.to_vec()), literal)
        .prop_map(|(attr, op, literal)| format!("{attr} {op} {literal}"));
    let term = prop_oneof![
        4 => term,
        1 => Just("title pr".to_owned()),
        1 => Just("emails[type eq \"work\" and not (value co \"a\")]".to_owned()),
    ];
    term.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) or ({b})")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

fn user() -> impl Strategy<Value = Value> {
    let text = || option::of(select(vec![json!("a"), json!("B"), json!("work"), json!("")]));
    let emails = vec((text(), text(), any::<bool>()), 0..3).prop_map(|emails| {
        let email = |(value, kind, primary)| json!({"value": value, "type": kind, "primary": primary});
        emails.into_iter().map(email).collect::<Value>()
    });
    (text(), text(), emails, option::of(any::<bool>()), text(), text()).prop_map(
        |(user_name, title, emails, active, given, department)| {
            json!({"schemas": [USER_URN], "id": "1", "userName": user_name, "title": title, "emails": emails,
                "active": active, "name": {"givenName": given}, "password": "p",
                ENTERPRISE_URN: {"department": department}, "meta": {"created": "2024-01-01T00:00:00Z"}})
        },
    )
}

fn only(resource: &Value, keep: impl Fn(&str) -> bool) -> Value {
    let members = resource.as_object().unwrap().iter().filter(|(key, _)| keep(key));
    Value::Object(members.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn patch_of_any_resource_does_not_panic(body in body(), resource in anything(), dialects in dialects()) {
        for schemas in [SchemaSet::user(), SchemaSet::group()] {
            if let Ok((request, met)) = PatchRequest::read(&body, dialects) {
                prop_assert!(met.iter().all(|dialect| dialects.contains(*dialect)));
                let patched = apply_with(resource.clone(), &request, schemas, dialects);
                if let Ok((patched, met)) = patched {
                    prop_assert!(patched.is_object());
                    prop_assert!(met.iter().all(|dialect| dialects.contains(*dialect)));
                }
            }
        }
    }

    #[test]
    fn accepting_more_dialects_refuses_no_more_requests(body in body(), resource in user(), dialects in dialects()) {
        let run = |dialects| {
            let (request, _) = PatchRequest::read(&body, dialects).ok()?;
            Some(apply_with(resource.clone(), &request, SchemaSet::user(), dialects).ok()?.0)
        };
        if let Some(strict) = run(dialects) {
            prop_assert_eq!(Some(strict), run(Dialects::all()));
        }
    }

    #[test]
    fn default_functions_accept_the_default_dialects(body in body(), resource in user()) {
        let refused = [
            Dialect::StringBoolean,
            Dialect::SingleOperation,
            Dialect::MissingSchemas,
            Dialect::BareManager,
        ];
        let usual = refused.into_iter().fold(Dialects::all(), Dialects::without);
        let read = PatchRequest::read(&body, usual).map(|(request, _)| request);
        prop_assert_eq!(&PatchRequest::from_json(&body), &read);
        if let Ok(request) = read {
            let patched = apply_with(resource.clone(), &request, SchemaSet::user(), usual).map(|p| p.0);
            prop_assert_eq!(apply(&resource, &request, SchemaSet::user()), patched);
        }
    }

    #[test]
    fn check_of_any_value_does_not_panic(a in anything(), b in anything(), text in any::<String>()) {
        let options = ValidateOptions { canonical_values: true, form: scim::validate::ResourceForm::Request };
        for schemas in [SchemaSet::user(), SchemaSet::group(), SchemaSet::schema_documents()] {
            let _ = validate_with(&a, schemas, options);
            let _ = check_immutable(&a, &b, schemas);
            prop_assert!(check_immutable(&a, &a, schemas).is_ok());
            canonicalise(&a, schemas);
            if let Ok(by) = SortBy::parse(&text, schemas) {
                by.key(&a);
            }
            if let Ok(projection) = Projection::new(Some(&text), None, schemas) {
                projection.apply(&a);
            }
        }
        let _ = Schema::from_json(&a);
        let _ = ResourceType::from_json(&a);
    }

    #[test]
    fn simple_eq_agrees_with_the_parser(name in "[a-zA-Z$_]{1,5}", sub in "(\\.[a-z$]{1,4})?",
            op in "[eE][qQ]", value in any::<String>(), raw in "[a-z\"\\\\u0-9 ]{0,12}") {
        let attr = format!("{name}{sub}");
        let text = format!("{attr} {op} {}", Value::from(value.as_str()));
        let found = simple_eq(&text);
        prop_assert_eq!(found.as_ref().map(|(attr, value)| (*attr, &**value)), Some((attr.as_str(), value.as_str())));
        for text in [text.clone(), format!("{attr} eq \"{raw}\""), format!("{attr} eq {raw}"), raw, value] {
            if let Some((attr, value)) = simple_eq(&text) {
                let path: AttrPath = attr.parse().unwrap();
                let expected = Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(value.into_owned()) };
                prop_assert_eq!(Filter::parse(&text), Ok(expected), "{}", text);
            }
        }
    }

    #[test]
    fn filter_reads_only_its_top_level_members(text in filter_text(), resource in user()) {
        let filter = Filter::parse(&text).unwrap();
        let members = filter.top_level_members(SchemaSet::user());
        let rest = only(&resource, |key| members.contains(key));
        prop_assert_eq!(
            filter.matches(&resource, SchemaSet::user()), filter.matches(&rest, SchemaSet::user()), "{}", text);
        prop_assert_eq!(filter.unknown_paths(SchemaSet::user()).is_empty(), !text.contains("shoe"));
        let compared = |part: &scim::filter::FilterPart<'_>| {
            matches!(part.operator, FilterOperator::Compare(_) | FilterOperator::Present)
        };
        prop_assert_eq!(filter.terms(), filter.parts().iter().filter(|part| compared(part)).count());
    }

    #[test]
    fn a_projection_needs_its_members_only(resource in user(), excluded in any::<bool>(),
            names in vec(select(vec!["id", "title", "emails", "emails.value", "name.givenName", "department", "shoe",
                "password", USER_URN, ENTERPRISE_URN]), 0..4)) {
        let list = names.join(" ,");
        let (attributes, without) = if excluded { (None, Some(&*list)) } else { (Some(&*list), None) };
        let projection = Projection::new(attributes, without, SchemaSet::user()).unwrap();
        let shown = projection.apply(&resource);
        prop_assert_eq!(&projection.apply(&shown), &shown, "twice is once");
        prop_assert!(shown.get("password").is_none() && shown["id"] == "1" && shown["schemas"].is_array());
        if let Some(needs) = projection.needs() {
            prop_assert_eq!(projection.apply(&only(&resource, |key| needs.contains(key))), shown);
        }
    }

    #[test]
    fn sort_keys_are_a_total_order(values in vec(anything(), 0..12), by in select(vec!["userName", "meta.created", "emails"])) {
        let by = SortBy::parse(by, SchemaSet::user()).unwrap();
        let wrap = |value: &Value| json!({"userName": value, "meta": {"created": value}, "emails": value});
        let mut keys: Vec<SortKey> = values.iter().map(|value| by.key(&wrap(value))).collect();
        // The standard library's sort notices an order that is none.
        keys.sort();
        prop_assert!(keys.windows(2).all(|pair| pair[0] <= pair[1]));
        prop_assert!(keys.iter().skip_while(|key| !key.is_missing()).all(SortKey::is_missing));
        keys.reverse();
        prop_assert!(keys.is_sorted_by(|a, b| SortOrder::Descending.compare(a, b).is_le()));
    }
}

/// Inputs of 100 KB, for which a quadratic parser would take minutes.
#[test]
fn long_input_takes_linear_time() {
    const LONG: usize = 100_000;
    for piece in
        ["a eq 1 and ", "a eq 1 or ", "(", "not (", "a[", "a.", "urn:a:", "[", "\"", "\\", " ", "é", "a"]
    {
        let text = piece.repeat(LONG / piece.len());
        for text in
            [text.clone(), format!("a eq \"{text}"), format!("a {text}"), format!("a[b eq \"{text}\"]")]
        {
            let message = Filter::parse(&text).map_err(|e| e.to_string()).err();
            assert!(message.is_none_or(|message| message.len() < 1000));
            let _ = text.parse::<PatchPath>();
            let _ = text.parse::<AttrPath>();
            simple_eq(&text);
            Projection::new(Some(&text), None, SchemaSet::user()).unwrap();
        }
    }
    let many = "a eq 1 and ".repeat(LONG / 11);
    assert!(Filter::parse(&many).unwrap_err().to_string().contains("more than 256 comparisons"));
    let names = "userName,".repeat(LONG / 9);
    Projection::new(Some(&names), None, SchemaSet::user()).unwrap();
    // A text of one letter is the worst there is to search in.
    let user = json!({"userName": "a".repeat(LONG), "title": "A".repeat(LONG)});
    let filter = format!("title co \"{}b\"", "a".repeat(LONG / 2));
    assert!(!Filter::parse(&filter).unwrap().matches(&user, SchemaSet::user()));
}
