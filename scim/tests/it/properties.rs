//! Properties that hold for every input.

use proptest::{collection::vec, option, prelude::*, sample::select};
use scim::filter::{AttrInfo, CompareOp, Filter, Literal, PatchPath};
use scim::parse_error::ParseError;
use scim::patch::{PatchOp, PatchRequest, apply, diff};
use scim::path::AttrPath;
use scim::schema::{ENTERPRISE_URN, SchemaSet, USER_URN};
use scim::validate::validate;
use serde_json::{Map, Value, json};

struct NoSchema;

impl AttrInfo for NoSchema {
    fn case_exact(&self, _: &AttrPath) -> bool {
        false
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["userName", "emails", "type", "value", "$ref", "not", "and", "pr", "title"])
            .prop_map(str::to_owned),
        "[a-zA-Z$_][a-zA-Z0-9$_-]{0,6}",
    ]
}

fn path() -> impl Strategy<Value = AttrPath> {
    let urn = select(vec![USER_URN, ENTERPRISE_URN, "urn:x-acme:hr.core%20:v1"]);
    (option::weighted(0.2, urn), name(), option::weighted(0.3, name())).prop_map(|(urn, name, sub)| {
        AttrPath {
            urn: urn.map(|urn| urn.parse().unwrap()),
            name: name.parse().unwrap(),
            sub: sub.map(|sub| sub.parse().unwrap()),
        }
    })
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any::<String>().prop_map(Literal::String),
        "[a-z\"\\\\\n() ]{0,8}".prop_map(Literal::String),
        any::<i64>().prop_map(|n| Literal::Number(n.into())),
        any::<u64>().prop_map(|n| Literal::Number(n.into())),
        any::<f64>().prop_filter_map("finite", serde_json::Number::from_f64).prop_map(Literal::Number),
        any::<bool>().prop_map(Literal::Bool),
        Just(Literal::Null),
    ]
}

fn comparison() -> impl Strategy<Value = Filter> {
    prop_oneof![
        (path(), select(CompareOp::ALL.to_vec()), literal()).prop_map(|(path, op, value)| Filter::Compare {
            path,
            op,
            value
        }),
        path().prop_map(Filter::Present),
    ]
}

fn logic(leaf: BoxedStrategy<Filter>) -> BoxedStrategy<Filter> {
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(Filter::And),
            vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|f| Filter::Not(Box::new(f))),
        ]
    })
    .boxed()
}

fn filter() -> impl Strategy<Value = Filter> {
    let value_path = (path(), logic(comparison().boxed())).prop_map(|(path, filter)| Filter::ValuePath {
        path: AttrPath { sub: None, ..path },
        filter: Box::new(filter),
    });
    logic(prop_oneof![3 => comparison(), 1 => value_path].boxed())
}

/// Generates tokens in any order, which are closer to filters than arbitrary text.
fn soup() -> impl Strategy<Value = String> {
    let tokens = vec![
        "userName",
        "emails",
        ".",
        "$ref",
        "[",
        "]",
        "(",
        ")",
        " ",
        "not",
        "and",
        "or",
        "eq",
        "pr",
        "\"a\"",
        "\"",
        "\\",
        "true",
        "null",
        "12",
        "-",
        "urn:",
        ":",
        "é",
        "日本",
        "\u{1F600}",
        "1e999",
    ];
    vec(select(tokens), 0..16).prop_map(|tokens| tokens.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = select(vec!["userName", "emails", "type", "value", "title", "USERNAME", ENTERPRISE_URN]);
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((key.prop_map(str::to_owned), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object(members: Vec<(&str, Option<Value>)>) -> Option<Value> {
    let members: Map<String, Value> =
        members.into_iter().filter_map(|(k, v)| v.map(|v| (k.to_owned(), v))).collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

fn text() -> impl Strategy<Value = Option<Value>> {
    option::of("[a-cA-C]{1,2}".prop_map(Value::from))
}

fn element() -> impl Strategy<Value = Option<Value>> {
    let kind = option::of(select(vec!["work", "home", "other"]).prop_map(Value::from));
    let primary = option::weighted(0.2, Just(Value::from(false)));
    (kind, text(), text(), primary).prop_map(|(kind, value, display, primary)| {
        object(vec![("type", kind), ("value", value), ("display", display), ("primary", primary)])
    })
}

fn elements() -> impl Strategy<Value = Option<Value>> {
    (vec(element(), 0..4), option::of(0_usize..4)).prop_map(|(elements, primary)| {
        let mut elements: Vec<Value> = elements.into_iter().flatten().collect();
        if let Some(chosen) = primary.and_then(|i| elements.get_mut(i)) {
            chosen["primary"] = true.into();
        }
        (!elements.is_empty()).then(|| Value::from(elements))
    })
}

/// Generates a valid user in canonical form.
fn user() -> impl Strategy<Value = Value> {
    let person = (text(), text(), text()).prop_map(|(given, family, middle)| {
        object(vec![("givenName", given), ("familyName", family), ("middleName", middle)])
    });
    let enterprise = (text(), text(), text()).prop_map(|(department, division, manager)| {
        let manager = object(vec![("value", manager)]);
        object(vec![("department", department), ("division", division), ("manager", manager)])
    });
    let active = option::of(any::<bool>().prop_map(Value::from));
    ("[a-c]{1,3}", text(), active, person, elements(), elements(), enterprise).prop_map(
        |(user_name, title, active, person, emails, phones, enterprise)| {
            let schemas =
                if enterprise.is_some() { json!([USER_URN, ENTERPRISE_URN]) } else { json!([USER_URN]) };
            object(vec![
                ("schemas", Some(schemas)),
                ("userName", Some(user_name.into())),
                ("title", title),
                ("active", active),
                ("name", person),
                ("emails", emails),
                ("phoneNumbers", phones),
                (ENTERPRISE_URN, enterprise),
            ])
            .unwrap()
        },
    )
}

fn operation() -> impl Strategy<Value = PatchOp> {
    let department = format!("{ENTERPRISE_URN}:department");
    let paths = [
        "userName",
        "title",
        "TITLE",
        "active",
        "name",
        "name.givenName",
        "emails",
        "emails.primary",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "emails[value co \"a\"].primary",
        "emails[type eq \"home\" and primary eq true]",
        "emails[not (display pr)].display",
        "phoneNumbers",
        "schemas",
        "id",
        "shoe",
        ENTERPRISE_URN,
        department.as_str(),
    ];
    let paths: Vec<PatchPath> = paths.iter().map(|p| p.parse().unwrap()).collect();
    let value = prop_oneof![
        2 => text().prop_map(|text| text.unwrap_or(Value::Null)),
        2 => any::<bool>().prop_map(Value::from),
        3 => element().prop_map(|element| element.unwrap_or_else(|| json!({}))),
        3 => elements().prop_map(|elements| elements.unwrap_or_else(|| json!([]))),
        2 => user(),
        1 => value(),
        2 => Just(json!({"department": "a", "givenName": null, "primary": true})),
    ];
    let path = select(paths);
    let some_path = option::weighted(0.9, path.clone());
    let add = (some_path.clone(), value.clone()).prop_map(|(path, value)| PatchOp::Add { path, value });
    let remove = (path, option::weighted(0.9, value.clone()));
    let remove = remove.prop_map(|(path, value)| PatchOp::Remove { path, value });
    let replace = (some_path, value).prop_map(|(path, value)| PatchOp::Replace { path, value });
    prop_oneof![add, remove, replace]
}

fn check_error(text: &str, error: &ParseError) {
    assert!(text.get(error.span()).is_some(), "{error:?} of {text:?}");
    assert!(error.pointer(text).contains('^'));
}

fn parse_everything(text: &str) {
    match Filter::parse(text) {
        Ok(filter) => assert_eq!(Filter::parse(&filter.to_string()), Ok(filter)),
        Err(error) => check_error(text, &error),
    }
    match text.parse::<PatchPath>() {
        Ok(path) => assert_eq!(path.to_string().parse(), Ok(path)),
        Err(error) => check_error(text, &error),
    }
    match text.parse::<AttrPath>() {
        Ok(path) => assert_eq!(path.to_string().parse(), Ok(path)),
        Err(error) => check_error(text, &error),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn parser_of_arbitrary_text_does_not_panic(text in any::<String>()) {
        parse_everything(&text);
    }

    #[test]
    fn parser_of_token_soup_does_not_panic(text in soup()) {
        parse_everything(&text);
    }

    #[test]
    fn printed_filter_parses_to_the_same(filter in filter()) {
        let text = filter.to_string();
        prop_assert_eq!(Filter::parse(&text), Ok(filter), "{}", text);
    }

    #[test]
    fn printed_path_parses_to_the_same(path in path(), filter in option::of(logic(comparison().boxed()))) {
        let path = PatchPath { urn: path.urn, name: path.name, filter, sub: path.sub };
        let path = match path.filter {
            // Without a filter, `name.sub` is an attribute path.
            None => PatchPath::from(path.attr_path()),
            Some(_) => path,
        };
        prop_assert_eq!(path.to_string().parse(), Ok(path));
    }

    #[test]
    fn not_negates_every_filter(filter in filter(), resource in value()) {
        for attrs in [SchemaSet::user() as &dyn AttrInfo, &NoSchema] {
            let found = filter.matches(&resource, attrs);
            let negated = Filter::Not(Box::new(filter.clone())).matches(&resource, attrs);
            prop_assert_ne!(found, negated);
        }
    }

    #[test]
    fn applied_diff_gives_the_second_resource(a in user(), b in user()) {
        prop_assert_eq!(validate(&a, SchemaSet::user()), Ok(()));
        let request = PatchRequest::new(diff(&a, &b, SchemaSet::user()));
        let reached = apply(&a, &request, SchemaSet::user());
        prop_assert_eq!(reached.as_ref(), Ok(&b), "{}", request.to_json());
        let sent = PatchRequest::from_json(&request.to_json());
        if !request.operations.is_empty() {
            prop_assert_eq!(sent, Ok(request));
        }
    }

    #[test]
    fn diff_of_equal_resources_is_empty(a in user()) {
        prop_assert_eq!(diff(&a, &a, SchemaSet::user()), Vec::<PatchOp>::new());
    }

    #[test]
    fn patched_user_is_valid(user in user(), operations in vec(operation(), 1..4)) {
        let request = PatchRequest::new(operations);
        let first = apply(&user, &request, SchemaSet::user());
        prop_assert_eq!(&first, &apply(&user, &request, SchemaSet::user()));
        if let Ok(patched) = first {
            // Validity includes at most one primary value per attribute.
            prop_assert_eq!(validate(&patched, SchemaSet::user()), Ok(()), "{}", patched);
            prop_assert_eq!(&patched["userName"].is_string(), &true);
        }
    }

    #[test]
    fn repeated_add_has_no_effect(user in user(), value in element()) {
        let path: PatchPath = "emails".parse().unwrap();
        let add = PatchOp::Add { path: Some(path), value: value.unwrap_or_else(|| json!({"value": "a"})) };
        let once = apply(&user, &PatchRequest::new(vec![add.clone()]), SchemaSet::user());
        let twice = apply(&user, &PatchRequest::new(vec![add.clone(), add]), SchemaSet::user());
        prop_assert_eq!(once, twice);
    }
}

/// Generates operations on two multi-valued attributes, with few texts so that the operations meet the same values.
fn list_operation() -> impl Strategy<Value = Value> {
    let attribute = || select(vec!["emails", "phoneNumbers"]);
    let value = || {
        ("[a-h]{1,2}", option::of(select(vec!["work", "home"])), option::weighted(0.2, any::<bool>()))
            .prop_map(|(value, kind, primary)| {
                object(vec![
                    ("value", Some(Value::from(value))),
                    ("type", kind.map(Value::from)),
                    ("primary", primary.map(Value::from)),
                ])
            })
    };
    prop_oneof![
        12 => (attribute(), value()).prop_map(|(path, value)| json!({"op": "add", "path": path, "value": [value]})),
        1 => (attribute(), "[a-h]{1,2}").prop_map(|(path, text)| {
            json!({"op": "remove", "path": format!("{path}[value eq \"{text}\"]")})
        }),
        1 => (attribute(), vec(value(), 0..3)).prop_map(|(path, values)| {
            json!({"op": "replace", "path": path, "value": values})
        }),
        1 => (attribute(), "[a-h]{1,2}").prop_map(|(path, text)| {
            json!({"op": "add", "path": format!("{path}.display"), "value": text})
        }),
        4 => (attribute(), "[a-h]{1,2}", select(vec!["value", "type", "display"]), "[a-h]{1,2}").prop_map(
            |(path, text, sub, new)| {
                json!({"op": "add", "path": format!("{path}[value eq \"{text}\"].{sub}"), "value": new})
            }
        ),
        2 => (attribute(), "[a-h]{1,2}").prop_map(|(path, text)| {
            json!({"op": "add", "path": format!("{path}[value eq \"{text}\"].primary"), "value": true})
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    /// The indexes that operations leave to later ones do not change the result.
    #[test]
    fn operations_at_once_equal_operations_one_by_one(operations in vec(list_operation(), 1..120)) {
        let run = |user: &Value, operations: &[Value]| {
            let body = json!({"schemas": [scim::schema::PATCH_URN], "Operations": operations});
            let request = PatchRequest::from_json(&body).unwrap();
            apply(user, &request, SchemaSet::user())
        };
        let texts = ('a'..='h').flat_map(|a| ('a'..='h').map(move |b| json!({"value": format!("{a}{b}")})));
        let emails: Vec<Value> = texts.take(40).collect();
        let user = json!({"schemas": [USER_URN], "userName": "ida", "emails": emails});
        let one_by_one =
            operations.iter().try_fold(user.clone(), |user, one| run(&user, std::slice::from_ref(one)));
        match (run(&user, &operations), one_by_one) {
            (Ok(at_once), Ok(one_by_one)) => prop_assert_eq!(at_once, one_by_one),
            (at_once, one_by_one) => prop_assert_eq!(at_once.is_err(), one_by_one.is_err()),
        }
    }
}
