//! The effects of a PATCH and a PUT on an account, checked against the protocol's own PATCH.

use proptest::prelude::*;
use scim::patch::{PatchRequest, apply};
use scim::schema::{ENTERPRISE_URN, PATCH_URN, SchemaSet, USER_URN};

use super::*;
use crate::account_values::{comparable_value, is_form_of};
use crate::mapping::Mapping;
use crate::state::{Link, LinkState};

/// Returns the targets of the default mapping, and one or two paths of each other kind.
fn paths() -> Vec<TargetPath> {
    let others = [
        format!("{ENTERPRISE_URN}:department"),
        format!("{ENTERPRISE_URN}:manager.value"),
        "password".to_owned(),
        r#"emails[type eq "Work"].display"#.to_owned(),
        r#"emails[type eq "home"].value"#.to_owned(),
    ];
    let mut paths = Mapping::default().targets().to_vec();
    paths.extend(others.iter().map(|path| path.parse::<TargetPath>().unwrap()));
    paths
}

fn desired(values: &Value) -> Desired {
    Desired::new(serde_json::from_value(values.clone()).unwrap()).unwrap()
}

fn differences(
    wanted: &Desired,
    carries: &AccountValues,
    mapped: &[TargetPath],
    clear: bool,
) -> Vec<TargetPath> {
    let link = Link {
        account: "1".parse().unwrap(),
        carries: carries.clone(),
        shows: BTreeMap::new(),
        active: true,
        written: None,
        late_disable: None,
        state: LinkState::Owned,
    };
    crate::state::differences(wanted, &link, mapped, clear, false)
}

fn carried(wanted: &Desired) -> AccountValues {
    wanted.iter().map(|(path, value)| (path.clone(), comparable_value(path, value))).collect()
}

/// Generates no value or one of two for each path; a user name always.
fn values() -> impl Strategy<Value = Desired> {
    let paths = paths();
    prop::collection::vec(prop::option::of(0..2_u8), paths.len()).prop_map(move |picks| {
        let chosen = paths.iter().zip(picks).filter_map(|(path, pick)| {
            let pick = if *path == TargetPath::user_name() { Some(pick.unwrap_or(0)) } else { pick };
            Some((path.to_string(), json!(format!("https://example.com/{}", pick?))))
        });
        desired(&Value::Object(chosen.collect()))
    })
}

/// Returns an account that carries `values`, and attributes that are not mapped.
fn account(values: &Desired, active: bool) -> Map<String, Value> {
    let Value::Object(mut resource) = create_body(values) else { panic!("an object") };
    resource.insert("active".to_owned(), json!(active));
    resource.insert("id".to_owned(), json!("1"));
    resource.insert("meta".to_owned(), json!({ "resourceType": "User", "version": "W/\"1\"" }));
    resource.insert("groups".to_owned(), json!([{ "value": "g" }]));
    resource.insert("displayName".to_owned(), json!("Unmapped"));
    resource.insert("ims".to_owned(), json!([{ "type": "xmpp", "value": "unmapped" }]));
    for name in ["emails", "phoneNumbers", "addresses"] {
        let elements = resource.entry(name).or_insert_with(|| json!([])).as_array_mut().unwrap();
        let content = if name == "addresses" { "locality" } else { "value" };
        elements.insert(0, json!({ "type": "other", "primary": true, content: "unmapped" }));
    }
    resource
}

/// Returns `value` with the names of all members in capitals.
fn shout(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.to_uppercase(), shout(value))).collect())
        }
        Value::Array(values) => values.iter().map(shout).collect(),
        other => other.clone(),
    }
}

fn read(resource: &Map<String, Value>) -> Account {
    Account::new(resource, None).unwrap()
}

#[track_caller]
fn keeps_the_unmapped(before: &Account, after: &Account) {
    let part = |account: &Account, name: &str| get_ci(&account.resource, name).cloned();
    for name in ["id", "displayName", "ims"] {
        assert_eq!(part(after, name), part(before, name), "{name}");
    }
    for (name, sub) in [("emails", "value"), ("phoneNumbers", "value"), ("addresses", "locality")] {
        let path: TargetPath = format!(r#"{name}[type eq "other"].{sub}"#).parse().unwrap();
        assert_eq!(after.read(&path), Some(&json!("unmapped")), "{path}");
    }
}

#[track_caller]
fn carries_what_is_wanted(after: &Account, wanted: &Desired, carries: &AccountValues, clear_missing: bool) {
    for path in paths() {
        // The kept forms are compared: of a password the digest.
        let carried = carries.get(&path).filter(|_| !clear_missing).cloned();
        let expected = wanted.get(&path).map(|value| comparable_value(&path, value)).or(carried);
        let found = after.read(&path).map(|value| comparable_value(&path, value));
        assert_eq!(found, expected, "{path} in {:?}", after.resource);
    }
}

#[track_caller]
fn has_no_husks(value: &Value) {
    match value {
        Value::Object(members) => {
            let content =
                |name: &&String| !["type", "primary"].iter().any(|husk| husk.eq_ignore_ascii_case(name));
            assert!(members.keys().any(|name| content(&name)), "a husk: {value}");
            members.values().for_each(has_no_husks);
        }
        Value::Array(values) => {
            assert!(!values.is_empty(), "an empty array");
            values.iter().for_each(has_no_husks);
        }
        other => assert!(!other.is_null() && other != "", "no value: {other}"),
    }
}

fn names(resource: &Map<String, Value>, urn: &str) -> bool {
    let schemas = get_ci(resource, "schemas").and_then(Value::as_array);
    schemas.is_some_and(|schemas| schemas.iter().any(|schema| schema == urn))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn patch_makes_the_account_as_wanted(
        wanted in values(), before in values(), clear: bool, was: bool, active: Option<bool>,
    ) {
        let carries = carried(&before);
        let paths = differences(&wanted, &carries, &paths(), clear);
        let operations = patch_operations(&paths, &wanted, &carries, &MovedValues::default(), active);
        prop_assert_eq!(operations.is_empty(), paths.is_empty() && active.is_none());
        prop_assert!(operations.len() <= paths.len() + usize::from(active.is_some()));
        let before = read(&account(&before, was));
        let mut after = before.clone();
        if !operations.is_empty() {
            let request = json!({ "schemas": [PATCH_URN], "Operations": operations });
            let request = PatchRequest::from_json(&request).unwrap();
            let patched = apply(&Value::Object(before.resource.clone()), &request, SchemaSet::user());
            after = read(patched.unwrap().as_object().unwrap());
        }
        carries_what_is_wanted(&after, &wanted, &carries, clear);
        keeps_the_unmapped(&before, &after);
        has_no_husks(&Value::Object(after.resource.clone()));
        prop_assert_eq!(after.active(), active.unwrap_or(was));
        prop_assert!(differences(&wanted, &after.project(paths.iter().chain(carries.keys())), &paths, clear).is_empty());
    }

    #[test]
    fn merge_makes_the_account_as_wanted(
        wanted in values(), before in values(), clear: bool, was: bool, active: bool, shouted: bool,
    ) {
        let carries = carried(&before);
        let paths = differences(&wanted, &carries, &paths(), clear);
        let base = account(&before, was);
        let base = if shouted { shout(&Value::Object(base)).as_object().unwrap().clone() } else { base };
        let before = read(&base);
        let merged = merge(&before, &paths, &wanted, &carries, active);
        let after = read(&merged);
        carries_what_is_wanted(&after, &wanted, &carries, clear);
        keeps_the_unmapped(&before, &after);
        has_no_husks(&Value::Object(merged.clone()));
        prop_assert_eq!(get_ci(&merged, "active"), Some(&Value::Bool(active)));
        prop_assert!(get_ci(&merged, "meta").is_none() && get_ci(&merged, "groups").is_none());
        prop_assert!(names(&merged, USER_URN));
        prop_assert_eq!(names(&merged, ENTERPRISE_URN), get_ci(&merged, ENTERPRISE_URN).is_some());
        let mut spelled: Vec<String> = merged.keys().map(|name| name.to_lowercase()).collect();
        spelled.sort();
        spelled.dedup();
        prop_assert_eq!(spelled.len(), merged.len(), "an attribute is there twice");
    }

    #[test]
    fn nothing_is_written_where_nothing_differs(wanted in values(), clear: bool, was: bool) {
        let paths = paths();
        prop_assert_eq!(differences(&wanted, &carried(&wanted), &paths, clear), Vec::new());
        prop_assert_eq!(patch_operations(&paths, &wanted, &carried(&wanted), &MovedValues::default(), None), Vec::<Value>::new());
        let base = read(&account(&wanted, was));
        prop_assert_eq!(merge(&base, &[], &wanted, &carried(&wanted), was), writable(&base.resource));
    }

    #[test]
    fn new_account_carries_what_is_wanted(wanted in values()) {
        let Value::Object(mut body) = create_body(&wanted) else { panic!("an object") };
        prop_assert_eq!(&body["active"], &json!(true));
        prop_assert_eq!(names(&body, ENTERPRISE_URN), body.contains_key(ENTERPRISE_URN));
        body.insert("id".to_owned(), json!("1"));
        carries_what_is_wanted(&read(&body), &wanted, &AccountValues::new(), true);
    }
}

/// Asserts the operations from `carries` to `wanted`, both without the user name; missing attributes are cleared.
#[track_caller]
fn check(carries: &Value, wanted: &Value, expected: &Value) {
    let full = |values: &Value| {
        let mut values = values.clone();
        values["userName"] = json!("ida");
        desired(&values)
    };
    let (carries, wanted) = (carried(&full(carries)), full(wanted));
    let mapped: Vec<TargetPath> = carries.keys().cloned().collect();
    let paths = differences(&wanted, &carries, &mapped, true);
    assert_eq!(&json!(patch_operations(&paths, &wanted, &carries, &MovedValues::default(), None)), expected);
}

const WORK: &str = r#"addresses[type eq "work"]"#;

#[test]
fn operations_are_as_few_as_can_be() {
    let sub = |sub: &str| format!("{WORK}.{sub}");
    check(&json!({}), &json!({ "title": "A" }), &json!([{ "op": "add", "path": "title", "value": "A" }]));
    check(
        &json!({ "title": "A" }),
        &json!({ "title": "B" }),
        &json!([{ "op": "replace", "path": "title", "value": "B" }]),
    );
    check(&json!({ "title": "A" }), &json!({}), &json!([{ "op": "remove", "path": "title" }]));
    check(
        &json!({}),
        &json!({ sub("locality"): "L", sub("region"): "R" }),
        &json!([{ "op": "add", "path": "addresses", "value": [{ "type": "work", "locality": "L", "region": "R" }] }]),
    );
    check(
        &json!({ sub("locality"): "L", sub("region"): "R" }),
        &json!({}),
        &json!([{ "op": "remove", "path": WORK }]),
    );
    check(
        &json!({ sub("locality"): "L" }),
        &json!({ sub("locality"): "L", sub("region"): "R" }),
        &json!([{ "op": "add", "path": sub("region"), "value": "R" }]),
    );
}

#[test]
fn unmapped_value_keeps_its_element() {
    let (locality, region) = (format!("{WORK}.locality"), format!("{WORK}.region"));
    let carries = carried(&desired(&json!({ "userName": "ida", &locality: "L", &region: "R" })));
    let wanted = desired(&json!({ "userName": "ida" }));
    let paths = differences(&wanted, &carries, &[locality.parse().unwrap()], true);
    let operations = patch_operations(&paths, &wanted, &carries, &MovedValues::default(), None);
    assert_eq!(operations, [json!({ "op": "remove", "path": locality })]);
}

#[test]
fn removals_come_last_and_active_after_them() {
    let (locality, region) = (format!("{WORK}.locality"), format!("{WORK}.region"));
    let carries = carried(&desired(&json!({ "userName": "ida", &locality: "L" })));
    let wanted = desired(&json!({ "userName": "ida", &region: "R" }));
    let paths = differences(&wanted, &carries, &[locality.parse().unwrap()], true);
    let expected = [
        json!({ "op": "add", "path": region, "value": "R" }),
        json!({ "op": "remove", "path": locality }),
        json!({ "op": "replace", "path": "active", "value": false }),
    ];
    assert_eq!(patch_operations(&paths, &wanted, &carries, &MovedValues::default(), Some(false)), expected);
}

#[track_caller]
fn check_schemas(base: &Value, wanted: &Value, expected: &Value) {
    let mut resource = base.as_object().unwrap().clone();
    resource.insert("id".to_owned(), json!("1"));
    let base = read(&resource);
    let wanted = desired(wanted);
    let paths = [format!("{ENTERPRISE_URN}:department").parse().unwrap()];
    assert_eq!(merge(&base, &paths, &wanted, &AccountValues::new(), true).get("schemas"), Some(expected));
}

#[test]
fn schemas_names_what_is_used() {
    let (core, with) = (json!([USER_URN]), json!([USER_URN, ENTERPRISE_URN]));
    let plain = json!({ "userName": "ida" });
    let department = json!({ "userName": "ida", format!("{ENTERPRISE_URN}:department"): "D" });
    check_schemas(&json!({ "schemas": core }), &plain, &core);
    check_schemas(&json!({ "schemas": core }), &department, &with);
    check_schemas(&json!({}), &department, &with);
    check_schemas(&json!({ "schemas": null }), &plain, &core);
    check_schemas(&json!({ "schemas": with, ENTERPRISE_URN: { "department": "D" } }), &plain, &core);
    check_schemas(&json!({ "schemas": with, ENTERPRISE_URN: { "division": "V" } }), &plain, &with);
    check_schemas(&json!({ "schemas": core, ENTERPRISE_URN: { "division": "V" } }), &plain, &with);
    // Somebody else's extension stays as it was read.
    let other = json!([USER_URN, "urn:example:other"]);
    check_schemas(&json!({ "schemas": other }), &plain, &other);
}

fn account_with(value: &Value) -> Account {
    let mut resource = value.as_object().unwrap().clone();
    resource.insert("id".to_owned(), json!("1"));
    read(&resource)
}

#[track_caller]
fn check_path_effects(before: &Value, after: &Value, expected: &[PathEffect]) {
    let wanted = desired(&json!({ "userName": "ida", "title": "New", "password": "p" }));
    let paths = ["title", "password", "nickName"].map(|path| path.parse::<TargetPath>().unwrap());
    let before = account_with(before).project(paths.iter());
    let found: Vec<PathEffect> = path_effects(&paths, &wanted, &before, &account_with(after))
        .into_iter()
        .map(|(_, path_effect)| path_effect)
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn unchanged_or_missing_values_are_not_stored_and_other_values_are_stored_in_another_form() {
    use PathEffect::{NotStored, SameForm, Stored, StoredAs, Unverifiable};
    let old = json!({ "title": "Old", "nickName": "N" });
    check_path_effects(
        &old,
        &old,
        &[NotStored(Some(json!("Old"))), Unverifiable, NotStored(Some(json!("N")))],
    );
    check_path_effects(&old, &json!({ "title": "New" }), &[Stored, Unverifiable, Stored]);
    check_path_effects(
        &old,
        &json!({ "title": "NEW", "nickName": "n" }),
        &[StoredAs(json!("NEW")), Unverifiable, StoredAs(json!("n"))],
    );
    check_path_effects(
        &old,
        &json!({ "title": "New", "nickName": "N" }),
        &[Stored, Unverifiable, NotStored(Some(json!("N")))],
    );
    check_path_effects(&json!({}), &json!({}), &[NotStored(None), Unverifiable, Stored]);
    // The former value is gone, and the written one is missing: that is no form of it.
    check_path_effects(&old, &json!({}), &[NotStored(None), Unverifiable, Stored]);
    // The target stores titles in capitals, and stored this one so before: the effect is unknown.
    check_path_effects(
        &json!({ "title": "NEW" }),
        &json!({ "title": "NEW" }),
        &[SameForm(json!("NEW")), Unverifiable, Stored],
    );
}

#[test]
fn element_that_is_doubled_reordered_or_unlabelled_still_shows_its_value() {
    let path: TargetPath = r#"emails[type eq "work"].value"#.parse().unwrap();
    let shows = |emails: Value| account_with(&json!({ "emails": emails })).shows(&path, &json!("new"));
    assert!(shows(json!([{ "type": "work", "value": "new" }])));
    assert!(shows(
        json!([{ "type": "home", "value": "x" }, { "display": "d", "primary": true, "type": "Work", "value": "new" }])
    ));
    assert!(shows(json!([{ "type": "work", "value": "old" }, { "type": "work", "value": "new" }])));
    assert!(
        shows(json!([{ "value": "old" }, { "value": "new", "primary": true }])),
        "the target keeps no `type`"
    );
    assert!(!shows(json!([{ "type": "home", "value": "new" }])), "that is another address");
    assert!(!shows(json!([{ "type": "work", "value": "old" }])));
    assert!(!shows(json!([])));
}

#[test]
fn form_of_a_value_differs_in_spelling_only() {
    let check = |path: &str, shown: Value, written: Value, expected: bool| {
        let path: TargetPath = path.parse().unwrap();
        assert_eq!(is_form_of(&path, &shown, &written), expected, "{path}: {shown} for {written}");
    };
    let (phone, mail) = (r#"phoneNumbers[type eq "work"].value"#, r#"emails[type eq "work"].value"#);
    check(phone, json!("+15550100"), json!("+1 (555) 01-00"), true);
    check(phone, json!("tel:+1-555-0100"), json!("+1 555 0100"), true);
    check(phone, json!("+15550101"), json!("+1 555 0100"), false);
    check(phone, json!("15550100"), json!("+1 555 0100"), false);
    check(mail, json!("ada@example.org"), json!("Ada@Example.org"), true);
    check(mail, json!("ada.l@example.org"), json!("adal@example.org"), false);
    check("title", json!("Head of  Sales "), json!("Head of Sales"), true);
    check("title", json!("Head"), json!("Head of Sales"), false);
    check("locale", json!("en-US"), json!("en_us"), true);
    check("title", json!(42), json!("42"), true);
    check("title", json!("true"), json!(true), true);
    check("externalId", json!("ab"), json!("AB"), false);
    check("urn:example:x:externalId", json!("ab"), json!("AB"), true);
    check("title", json!(["a"]), json!("a"), false);
}

#[test]
fn element_in_two_spellings_is_one_element() {
    let (value, display) = (r#"emails[type eq "work"].value"#, r#"emails[type eq "Work"].display"#);
    check(
        &json!({}),
        &json!({ value: "v", display: "d" }),
        &json!([{ "op": "add", "path": "emails", "value": [{ "type": "Work", "display": "d", "value": "v" }] }]),
    );
    check(
        &json!({ value: "v", display: "d" }),
        &json!({ value: "v" }),
        &json!([{ "op": "remove", "path": display }]),
    );
    check(
        &json!({ value: "v", display: "d" }),
        &json!({}),
        &json!([{ "op": "remove", "path": r#"emails[type eq "Work"]"# }]),
    );
}

/// Asserts the operations and the e-mail addresses of a PUT, from an account with `emails` where `mine@` was written as
/// the work address.
#[track_caller]
fn check_strays(emails: &Value, wanted: Option<&str>, operations: &Value, merged: &Value) {
    let work: TargetPath = r#"emails[type eq "work"].value"#.parse().unwrap();
    let mut values = json!({ "userName": "ida", work.to_string(): "mine@example.org" });
    let carries = carried(&desired(&values));
    match wanted {
        Some(address) => values[work.to_string()] = json!(address),
        None => drop(values.as_object_mut().unwrap().remove(&work.to_string())),
    }
    let (wanted, paths) = (desired(&values), [work]);
    let base = json!({ "id": "1", "userName": "ida", "emails": emails });
    let base = read(base.as_object().unwrap());
    let moved_values = MovedValues::find(&base, &paths, &carries);
    let found = patch_operations(&paths, &wanted, &base.project(paths.iter()), &moved_values, None);
    assert_eq!(json!(found), *operations, "{emails}");
    let put = merge(&base, &paths, &wanted, &carries, true);
    assert_eq!(put.get("emails").unwrap_or(&Value::Null), merged, "{emails}");
}

#[test]
fn value_that_lost_its_type_is_found_by_itself() {
    let (mine, other) = (json!({ "value": "mine@example.org" }), json!({ "value": "other@example.org" }));
    let new = json!({ "type": "work", "value": "new@example.org" });
    let path = r#"emails[value eq "mine@example.org"].value"#;
    check_strays(
        &json!([other, mine]),
        Some("new@example.org"),
        &json!([{ "op": "replace", "path": path, "value": "new@example.org" }]),
        &json!([other, { "value": "new@example.org", "type": "work" }]),
    );
    check_strays(
        &json!([other, mine]),
        None,
        &json!([{ "op": "remove", "path": r#"emails[value eq "mine@example.org"]"# }]),
        &json!([other]),
    );
    // Another type, the same value twice, or another case: the value is not known to be ours.
    for emails in [
        json!([{ "type": "home", "value": "mine@example.org" }]),
        json!([mine, mine]),
        json!([mine, { "type": "home", "value": "Mine@example.org" }]),
        json!([{ "value": "MINE@example.org" }]),
        json!([other]),
    ] {
        let mut with_new = emails.clone();
        with_new.as_array_mut().unwrap().push(new.clone());
        check_strays(
            &emails,
            Some("new@example.org"),
            &json!([{ "op": "add", "path": "emails", "value": [new] }]),
            &with_new,
        );
        check_strays(&emails, None, &json!([]), &emails);
    }
}
