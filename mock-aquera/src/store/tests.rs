use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::content::Content;
use super::members::MembersChange;
use super::*;
use crate::store::render::MembersShown;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const USER: TypeId = TypeId::FIRST;
const GROUP: TypeId = TypeId::SECOND;

fn store(seed: u64) -> Store {
    Store::new(Types::standard(), "http://h/scim", seed)
}

fn content(kind: TypeId, tree: &Value) -> Content {
    let types = Types::standard();
    Content::of_tree(types.get(kind), tree.as_object().unwrap())
}

fn add(store: &mut Store, kind: TypeId, tree: &Value) -> Ref {
    let id = store.new_id();
    store.insert(kind, id, content(kind, tree), NOW)
}

fn tree(store: &Store, at: Ref) -> Value {
    store.tree(at, store.get(at).unwrap())
}

#[test]
fn ids_come_from_the_seed() {
    let ids = |seed| {
        let mut store = store(seed);
        [1, 2].map(|_| store.new_id())
    };
    assert_eq!(ids(1), ids(1));
    assert_ne!(ids(1), ids(2));
    assert_eq!(ids(1)[0].len(), 36);
}

/// An id is looked for in the text, where it may be written otherwise, and go on as another id would.
#[test]
fn ids_are_told_apart() {
    let mut store = store(7);
    let ids = [
        "a",
        "b",
        "ab",
        "a\"",
        "a\\",
        "é",
        "\u{1}",
        "",
        "a\",\"userName\":\"u0\"",
        "2819c223-7f76-453a-919d-413861904646",
    ];
    let places: Vec<Ref> = (0..)
        .zip(ids)
        .map(|(at, id)| {
            store.insert(USER, id.into(), content(USER, &json!({"userName": format!("u{at}")})), NOW)
        })
        .collect();
    for round in ["new", "changed"] {
        for (id, at) in ids.iter().zip(&places) {
            assert_eq!(store.find(id), Some(*at), "{round}: {id}");
            let place = store.get(*at).unwrap().document.place("title");
            store.set_member(*at, ("title", place), br#""\"t\"""#, None, NOW);
        }
    }
    for id in ["c", "A", "a\",", "u0", "2819c223-7f76-453a-919d-413861904647"] {
        assert_eq!(store.find(id), None, "{id}");
    }
    store.replace(places[0], content(USER, &json!({"userName": "other", "active": true})), NOW);
    assert_eq!((store.find("a"), store.find("b")), (Some(places[0]), Some(places[1])));
}

#[test]
fn the_first_entity_tags_are_those_of_the_others() {
    let mut store = store(7);
    let at = add(&mut store, USER, &json!({"userName": "ann"}));
    for version in 1..=20 {
        let record = store.get(at).unwrap();
        assert_eq!(record.version, version);
        assert_eq!(store.etag_header(record).unwrap().to_str().unwrap(), store.etag(record));
        let place = store.get(at).unwrap().document.place("title");
        store.set_member(at, ("title", place), b"\"t\"", None, NOW);
    }
}

#[test]
fn a_resource_is_kept_as_it_is_shown() {
    let mut store = store(7);
    let at =
        store.insert(USER, "a/b".into(), content(USER, &json!({"userName": "Ann", "active": false})), NOW);
    assert_eq!(
        tree(&store, at),
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "a/b", "userName": "Ann", "active": false,
            "meta": {"resourceType": "User", "created": "1970-01-01T00:00:00.000Z",
                "lastModified": "1970-01-01T00:00:00.000Z", "location": "http://h/scim/Users/a%2Fb", "version": "W/\"1\""},
        })
    );
    let place = store.get(at).unwrap().document.place("active");
    store.set_member(at, ("active", place), b"true", Some(true), NOW);
    let record = store.get(at).unwrap();
    assert!(record.active);
    assert_eq!(store.etag(record), "W/\"2\"");
    assert_eq!(tree(&store, at)["active"], true);
}

#[test]
fn equal_texts_are_found_without_case_in_order_of_creation() {
    let mut store = store(1);
    let ann =
        add(&mut store, USER, &json!({"userName": "Ann", "emails": [{"value": "A@x"}, {"value": "a@X"}]}));
    let bob = add(&mut store, USER, &json!({"userName": "bob", "emails": [{"value": "a@x"}]}));
    let twin = add(&mut store, USER, &json!({"userName": "ANN"}));
    assert_eq!(store.equal(USER, 1, "aNN"), [ann.slot, twin.slot]);
    assert_eq!(store.equal(USER, 2, "a@x"), [ann.slot, bob.slot]);
    let keys = content(USER, &json!({"userName": "ann"})).keys;
    assert_eq!(store.taken(USER, &keys, Some(ann.slot)), Some("userName"));
    store.remove_at(twin, NOW);
    assert_eq!(store.taken(USER, &keys, Some(ann.slot)), None);
    store.replace(ann, content(USER, &json!({"userName": "carol"})), NOW);
    assert_eq!(store.taken(USER, &keys, None), None);
    assert_eq!(store.check(), Ok(()));
}

#[test]
fn what_is_hidden_is_gone_but_keeps_its_name() {
    let mut store = store(1);
    let ann = add(&mut store, USER, &json!({"userName": "ann"}));
    let id = Arc::clone(&store.get(ann).unwrap().id);
    store.hide(ann, NOW);
    assert!(store.get(ann).is_none() && store.find_in(USER, &id).is_none());
    assert_eq!((store.count(USER), store.equal(USER, 1, "ann")), (0, Vec::new()));
    assert!(store.taken(USER, &content(USER, &json!({"userName": "ANN"})).keys, None).is_some());
    assert_eq!(store.check(), Ok(()));
}

#[test]
fn users_and_groups_tell_of_each_other() {
    let mut store = store(1);
    let ann = add(&mut store, USER, &json!({"userName": "ann", "displayName": "Ann \"A\""}));
    let inner = add(&mut store, GROUP, &json!({"displayName": "inner"}));
    let outer = add(&mut store, GROUP, &json!({"displayName": "outer"}));
    let before = store.etag(store.get(ann).unwrap());
    assert!(store.change_members(inner, &[MembersChange::Add(vec![ann])], NOW));
    assert!(store.change_members(outer, &[MembersChange::Add(vec![inner])], NOW));
    assert!(store.change_members(inner, &[MembersChange::Add(vec![outer])], NOW), "a circle is no harm");
    assert!(!store.change_members(inner, &[MembersChange::Add(vec![ann])], NOW));
    let id = |at| store.get(at).unwrap().id.to_string();
    let user = tree(&store, ann);
    assert_eq!(
        user["groups"],
        json!([
            {"value": id(inner), "$ref": format!("http://h/scim/Groups/{}", id(inner)), "display": "inner", "type": "direct"},
            {"value": id(outer), "$ref": format!("http://h/scim/Groups/{}", id(outer)), "display": "outer", "type": "indirect"},
        ])
    );
    let after = store.etag(store.get(ann).unwrap());
    assert_ne!(before, after);
    assert_eq!(user["meta"]["version"], after);
    let group = tree(&store, inner);
    assert_eq!(
        group["members"][0],
        json!({"value": id(ann), "$ref": format!("http://h/scim/Users/{}", id(ann)), "display": "Ann \"A\"", "type": "User"})
    );
    assert_eq!(group["members"][1]["type"], "Group");
    let shown = |shown| {
        let text = store.shown(inner, store.get(inner).unwrap(), shown);
        serde_json::from_slice::<Value>(&text).unwrap()["members"].as_array().map(Vec::len)
    };
    assert_eq!(
        [MembersShown::Whole, MembersShown::Missing, MembersShown::Empty, MembersShown::First(1)].map(shown),
        [Some(2), None, Some(0), Some(1)]
    );
    store.remove_at(ann, NOW);
    assert_eq!(tree(&store, inner)["members"].as_array().unwrap().len(), 1);
    assert_eq!(tree(&store, inner)["meta"]["version"], "W/\"4\"");
    assert_eq!(store.check(), Ok(()));
}

proptest! {
    /// Whatever is written in whatever order, everything agrees.
    #[test]
    fn writes_keep_everything_true(writes in vec((0..8_u8, 0..8_usize, 0..8_usize, "[aAbB]{1,2}"), 0..60)) {
        let mut store = store(3);
        let mut users: Vec<Ref> = Vec::new();
        let mut groups: Vec<Ref> = Vec::new();
        for (what, one, other, name) in writes {
            let user = users.get(one).copied();
            let group = groups.get(other).copied();
            let member = groups.get(one).copied();
            match (what, user, group, member) {
                (0, ..) => users.push(add(&mut store, USER, &json!({"userName": name, "externalId": name}))),
                (1, ..) => groups.push(add(&mut store, GROUP, &json!({"displayName": name}))),
                (2, Some(user), Some(group), _) => { store.change_members(group, &[MembersChange::Add(vec![user])], NOW); }
                (3, _, Some(group), Some(member)) => { store.change_members(group, &[MembersChange::Set(vec![member, group])], NOW); }
                (4, Some(user), Some(group), _) => { store.change_members(group, &[MembersChange::Remove(vec![user])], NOW); }
                (5, Some(user), ..) => { store.remove_at(user, NOW); users.remove(one); }
                (6, Some(user), ..) => { store.hide(user, NOW); users.remove(one); }
                (7, Some(user), ..) => store.replace(user, content(USER, &json!({"userName": name})), NOW),
                (5.., _, Some(group), _) => { store.remove_at(group, NOW); groups.remove(other); }
                _ => {}
            }
            prop_assert_eq!(store.check(), Ok(()));
            prop_assert_eq!(store.count(USER), users.len());
        }
    }
}
