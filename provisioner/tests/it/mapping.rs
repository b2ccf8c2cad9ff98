//! Rules and mappings, from a configuration to the wanted values.

use std::path::Path;

use provisioner::config::{Config, SourceConfig, SourceKind};
use provisioner::ids::SourceId;
use provisioner::mapping::{Mapping, TargetPath};
use provisioner::rule::Rule;
use provisioner::source::{Attributes, SourceUser};
use serde_json::{Value, json};

use crate::support::read_source as read;

fn rules(text: &str) -> Vec<Rule> {
    let head = "[connection]\nname = \"x\"\n[connection.authentication]\nscim-url = \"http://localhost/\"\n\
                profile = \"bearer-token\"\noauth-access-token = \"t\"\n[source]\nkind = \"file\"\npath = \"u.csv\"\n\
                custom-attributes = [\"nobody\", \"level\", \"groups\", \"a\", \"record\"]\n";
    Config::parse(&format!("{head}{text}"), Path::new("aquera.toml")).unwrap().rules
}

/// Returns a mapping of the user name and one more line.
fn mapping(line: &str) -> Mapping {
    let text = format!(
        "[[rule]]\nname = \"r\"\n[[rule.mapping]]\nsource = \"username\"\ntarget = \"userName\"\n\
         [[rule.mapping]]\n{line}\n"
    );
    rules(&text).remove(0).mapping
}

fn user(attributes: Value) -> SourceUser {
    let text = |name: &str| attributes[name].as_str().unwrap().to_owned();
    SourceUser {
        id: SourceId::try_from(text("id")).unwrap(),
        username: text("username"),
        enabled: attributes.get("enabled").is_none_or(|enabled| enabled == true),
        attributes,
        line: 1,
    }
}

fn mara() -> SourceUser {
    user(json!({
        "id": "Id-1", "username": "mara@example.com", "email": "Mara.Lund@example.com", "enabled": true,
        "name": {"given": "Mara", "family": "Lund", "middle": ""}, "nickname": null, "title": "Welder",
        "population": {"id": "pop-A"}, "externalId": "E 1", "mfaEnabled": false, "level": 7,
        "createdAt": "2026-03-01T10:00:00Z", "groups": ["a"], "record": {"a": 1}
    }))
}

#[test]
fn default_mappings_match_the_snapshot() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/identities/users.ndjson");
    let source = SourceConfig {
        kind: SourceKind::File(folder),
        identity: "file:users".to_owned(),
        attributes: Attributes::default(),
        groups: None,
    };
    let users = read(&source, false).unwrap().users;
    let mapping = Mapping::default();
    let targets = mapping.targets().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(targets.len(), 23);
    let object = |user: &SourceUser| {
        let desired = mapping.apply(user).unwrap();
        Value::Object(desired.iter().map(|(path, value)| (path.to_string(), value.clone())).collect())
    };
    let mapped: Vec<Value> = users.iter().map(object).collect();
    for (user, desired) in users.iter().zip(&mapped) {
        assert_eq!(desired["userName"], user.attributes["username"]);
        assert_eq!(desired["externalId"], user.id.as_str());
        assert_eq!(desired["emails[type eq \"work\"].value"], user.attributes["email"]);
        assert_eq!(desired.get("active"), None);
        assert!(desired.as_object().unwrap().keys().all(|path| targets.contains(path)));
    }
    // Every default is at work somewhere in the fixture.
    for target in &targets {
        assert!(mapped.iter().any(|desired| desired.get(target).is_some()), "{target}");
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&mapped[13]).unwrap());
}

#[track_caller]
fn check(line: &str, target: &str, expected: impl Into<Value>) {
    let desired = mapping(line).apply(&mara()).unwrap();
    let target: TargetPath = target.parse().unwrap();
    assert_eq!(desired.get(&target).cloned().unwrap_or_default(), expected.into(), "{line}");
    assert_eq!(desired.user_name().as_str(), "mara@example.com");
}

#[test]
fn values_are_scalars_and_empty_ones_are_absent() {
    check("source = 'title'\ntarget = 'TITLE'", "title", "Welder");
    check("source = 'name.family'\ntarget = 'displayName'", "displayName", "Lund");
    check("source = 'nobody.there'\ntarget = 'title'", "title", Value::Null);
    check("source = 'level.deeper'\ntarget = 'title'", "title", Value::Null);
    check("source = 'nickname'\ntarget = 'nickName'", "nickName", Value::Null);
    check("source = 'name.middle'\ntarget = 'name.middleName'", "name.middleName", Value::Null);
    // Numbers and booleans become texts in a text; in an unknown schema they stay as they are.
    check("source = 'level'\ntarget = 'title'", "title", "7");
    check("source = 'mfaEnabled'\ntarget = 'title'", "title", "false");
    check(
        "source = 'level'\ntarget = 'urn:example:acme:2.0:User:level'",
        "urn:example:acme:2.0:User:level",
        7,
    );
    let primary = "emails[type eq \"work\"].primary";
    check(&format!("expression = \"'true'\"\ntarget = '{primary}'"), primary, true);
    check(&format!("expression = \"true\"\ntarget = '{primary}'"), primary, true);
    check(
        "expression = \"user.email.lowerAscii()\"\ntarget = 'displayName'",
        "displayName",
        "mara.lund@example.com",
    );
    check("expression = \"''\"\ntarget = 'displayName'", "displayName", Value::Null);
    check("expression = \"has(user.type) ? user.type : null\"\ntarget = 'userType'", "userType", Value::Null);
    check("source = 'externalId'\ntarget = 'externalId'", "externalId", "E 1");
    check("source = 'nobody'\ntarget = 'externalId'", "externalId", Value::Null);
    check("source = 'title'\ntarget = 'title'", "externalId", "Id-1");
}

#[track_caller]
fn refused(mapping: &Mapping, expected: &str) {
    let error = mapping.apply(&mara()).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    assert!(!error.contains("Mara") && !error.contains("mara@"), "the user's data is in {error}");
}

#[test]
fn mapping_error_contains_no_values() {
    refused(
        &mapping("source = 'record'\ntarget = 'title'"),
        "map `record` to `title`: expected a text, a number or a boolean, found an object",
    );
    refused(&mapping("source = 'groups'\ntarget = 'title'"), "found an array");
    let primary = "emails[type eq \"work\"].primary";
    refused(&mapping(&format!("source = 'email'\ntarget = '{primary}'")), "expected true or false");
    refused(
        &mapping("expression = 'user.type'\ntarget = 'userType'"),
        "compute `userType` by `user.type`: the user has no `type`",
    );
    refused(&mapping("expression = 'user.groups'\ntarget = 'userType'"), "the result is a list");
    for origin in
        ["source = 'nobody'", "source = 'name.middle'", "expression = 'null'", "expression = '\" \"'"]
    {
        let rule = format!("[[rule]]\nname = \"r\"\n[[rule.mapping]]\n{origin}\ntarget = \"userName\"\n");
        refused(&rules(&rule).remove(0).mapping, "failed to map `userName`");
    }
}

#[track_caller]
fn scope(filter: &str, expected: bool) {
    let rule = rules(&format!("[[rule]]\nname = \"r\"\nfilter = '{filter}'\n")).remove(0);
    assert_eq!(rule.matches(&mara()), expected, "{filter}");
}

#[test]
fn filters_compare_ids_exactly_and_the_rest_without_case() {
    scope("population.id eq \"pop-A\"", true);
    scope("population.id eq \"POP-a\"", false);
    scope("POPULATION.ID eq \"pop-A\"", true);
    scope("id sw \"Id\"", true);
    scope("id sw \"id\"", false);
    scope("title eq \"WELDER\" and email ew \"@EXAMPLE.com\"", true);
    scope("name.given sw \"ma\"", true);
    scope("enabled eq true", true);
    scope("nickname pr", false);
    scope("not (nickname pr)", true);
    scope("nobody eq \"x\"", false);
    scope("level gt 6", true);
    scope("createdAt gt \"2026-03-01T10:30:00+01:00\"", true);
    assert!(rules("[[rule]]\nname = \"r\"\n")[0].matches(&mara()));
}

#[test]
fn filter_on_a_user_name_compares_as_accounts_are_matched() {
    let source = json!({ "id": "1", "username": "j\u{fc}rgen", "enabled": true, "nickname": "j\u{fc}rgen" });
    let user = user(source);
    for (filter, expected) in [
        ("username eq \"ju\u{308}rgen\"", true),
        ("username eq \"J\u{dc}RGEN\"", true),
        ("username eq \"\u{ff4a}\u{fc}rgen\"", true),
        ("username sw \"ju\u{308}\"", true),
        ("username eq \"jurgen\"", false),
        ("nickname eq \"ju\u{308}rgen\"", false),
    ] {
        let rule = rules(&format!("[[rule]]\nname = \"r\"\nfilter = '{filter}'\n")).remove(0);
        assert_eq!(rule.matches(&user), expected, "{filter}");
    }
}

#[test]
fn fingerprint_depends_on_meaning_only() {
    let line = |source: &str, target: &str| {
        format!("[[rule.mapping]]\nsource = \"{source}\"\ntarget = \"{target}\"\n")
    };
    let of = |lines: &[String]| rules(&format!("[[rule]]\nname = \"r\"\n{}", lines.concat())).remove(0);
    let (name, title) = (line("username", "userName"), line("title", "title"));
    let one = of(&[name.clone(), title.clone()]).mapping.fingerprint();
    assert_eq!(one, of(&[title.clone(), name.clone()]).mapping.fingerprint());
    assert_eq!(one, of(&[line("username", "USERNAME"), title]).mapping.fingerprint());
    assert_ne!(one, of(&[name.clone(), line("type", "title")]).mapping.fingerprint());
    let expression = "[[rule.mapping]]\nexpression = \"title\"\ntarget = \"title\"\n"
        .replace("\"title\"\nt", "\"'title'\"\nt");
    assert_ne!(one, of(&[name, expression]).mapping.fingerprint());

    let rule = |name: &str, filter: &str| {
        rules(&format!("[[rule]]\nname = \"{name}\"\n{filter}")).remove(0).fingerprint()
    };
    assert_eq!(rule("r", "filter = 'a eq  1 '"), rule("r", "filter = 'a EQ 1'\nenabled = false"));
    assert_ne!(rule("r", "filter = 'a eq 1'"), rule("r", "filter = 'a eq 2'"));
    assert_ne!(rule("r", "filter = 'a eq 1'"), rule("s", "filter = 'a eq 1'"));
    assert_ne!(rule("r", ""), rule("r", "filter = 'a eq 1'"));
    // These are kept in people's databases and must not change.
    assert_eq!(Mapping::default().fingerprint(), "e84744e8ad48089c856f2add12aff908");
    assert_eq!(rule("r", "filter = 'a eq 1'"), "98028fa305dff45fda86f57f931085ac");
}
