//! Resources behind the endpoint's back: what tests read, add, change and remove. Nothing is checked.
//!
//! Methods that take the name of a resource type panic on an unknown one: `count("Users") == 0` would pass on a typo.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Application;
use crate::clock::Clock as _;
use crate::gateway::resource::{self, Joining};
use crate::lock;
use crate::store::content::Content;
use crate::store::{MANY, Ref, let_others};
use crate::types::TypeId;

impl Application {
    /// All users in order of creation, in full representation.
    ///
    /// # Panics
    /// If there is no resource type `User`.
    #[track_caller]
    pub fn users(&self) -> Vec<Value> {
        self.resources("User")
    }

    /// All groups in order of creation, in full representation.
    ///
    /// # Panics
    /// If there is no resource type `Group`.
    #[track_caller]
    pub fn groups(&self) -> Vec<Value> {
        self.resources("Group")
    }

    /// All resources of a type, by the type's name, in order of creation, in full representation.
    ///
    /// # Panics
    /// If there is no such resource type.
    #[track_caller]
    pub fn resources(&self, resource_type: &str) -> Vec<Value> {
        self.resources_of(self.expect_type(resource_type))
    }

    pub(crate) fn resources_of(&self, kind: TypeId) -> Vec<Value> {
        let store = lock(&self.0.store);
        let all = store.table(kind).order.after(None);
        all.filter_map(|(_, slot)| {
            let at = Ref { kind, slot };
            store.get(at).map(|record| store.tree(at, record))
        })
        .collect()
    }

    /// The number of users.
    ///
    /// # Panics
    /// If there is no resource type `User`.
    #[track_caller]
    pub fn user_count(&self) -> usize {
        self.count("User")
    }

    /// The number of resources of a type.
    ///
    /// # Panics
    /// If there is no such resource type.
    #[track_caller]
    pub fn count(&self, resource_type: &str) -> usize {
        let of_type = self.expect_type(resource_type);
        lock(&self.0.store).count(of_type)
    }

    /// One user in full representation.
    ///
    /// # Panics
    /// If there is no resource type `User`.
    #[track_caller]
    pub fn user(&self, id: &str) -> Option<Value> {
        self.resource("User", id)
    }

    /// One resource in full representation.
    ///
    /// # Panics
    /// If there is no such resource type.
    #[track_caller]
    pub fn resource(&self, resource_type: &str, id: &str) -> Option<Value> {
        self.resource_of(self.expect_type(resource_type), id)
    }

    pub(crate) fn resource_of(&self, of_type: TypeId, id: &str) -> Option<Value> {
        let store = lock(&self.0.store);
        store.find_in(of_type, id).map(|(at, record)| store.tree(at, record))
    }

    /// Adds a user without any check, two with one `userName` if need be, and returns its id. An `id` in the
    /// resource is kept, and takes the place of the resource that has it. `schemas` and `active` are filled in where
    /// they are missing, `meta` always; a password is dropped. What isn't an object counts as an empty one.
    ///
    /// # Panics
    /// If there is no resource type `User`.
    #[track_caller]
    pub fn seed_user(&self, resource: Value) -> String {
        self.seed("User", resource)
    }

    /// Adds a resource of a type without any check, as [`seed_user`](Self::seed_user) does, and returns its id. The
    /// members of a group that exist become its members; the others are passed over.
    ///
    /// # Panics
    /// If there is no such resource type.
    #[track_caller]
    pub fn seed(&self, resource_type: &str, resource: Value) -> String {
        self.seed_of(self.expect_type(resource_type), resource)
    }

    pub(crate) fn seed_of(&self, of_type: TypeId, resource: Value) -> String {
        let settings = self.settings();
        let mut store = lock(&self.0.store);
        let id = resource.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()).map(Arc::from);
        let id: Arc<str> = id.unwrap_or_else(|| store.new_id());
        let members = resource.get("members").cloned();
        let mut content = resource::completed(settings.types.get(of_type), resource);
        if let Some(members) = members {
            Joining::known(&store, &members).join(&mut content);
        }
        store.insert(of_type, Arc::clone(&id), content, self.0.clock.now());
        id.to_string()
    }

    /// Changes a user behind the endpoint's back, unchecked, as a new version; its `id` and `meta` stay the
    /// server's. Returns `false` if there is no such user, and then `change` isn't called.
    ///
    /// # Panics
    /// If there is no resource type `User`.
    #[track_caller]
    pub fn edit_user(&self, id: &str, change: impl FnOnce(&mut Map<String, Value>)) -> bool {
        self.edit("User", id, change)
    }

    /// Changes a resource behind the endpoint's back, as [`edit_user`](Self::edit_user) does.
    ///
    /// # Panics
    /// If there is no such resource type.
    #[track_caller]
    pub fn edit(&self, resource_type: &str, id: &str, change: impl FnOnce(&mut Map<String, Value>)) -> bool {
        self.edit_of(self.expect_type(resource_type), id, change)
    }

    pub(crate) fn edit_of(
        &self,
        of_type: TypeId,
        id: &str,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> bool {
        let settings = self.settings();
        let mut store = lock(&self.0.store);
        let Some((at, record)) = store.find_in(of_type, id) else { return false };
        let Value::Object(mut tree) = store.tree(at, record) else { return false };
        change(&mut tree);
        let mut content = Content::of_tree(settings.types.get(of_type), &tree);
        if let Some(members) = tree.get("members") {
            Joining::known(&store, members).join(&mut content);
        }
        store.replace(at, content, self.0.clock.now());
        true
    }

    /// Removes a user behind the endpoint's back. Returns `false` if there was none.
    ///
    /// # Panics
    /// If there is no resource type `User`.
    #[track_caller]
    pub fn remove_user(&self, id: &str) -> bool {
        self.remove("User", id)
    }

    /// Removes a resource behind the endpoint's back. Returns `false` if there was none.
    ///
    /// # Panics
    /// If there is no such resource type.
    #[track_caller]
    pub fn remove(&self, resource_type: &str, id: &str) -> bool {
        self.remove_of(self.expect_type(resource_type), id)
    }

    pub(crate) fn remove_of(&self, of_type: TypeId, id: &str) -> bool {
        let now = self.0.clock.now();
        let mut store = lock(&self.0.store);
        let Some((at, _)) = store.find_in(of_type, id) else { return false };
        store.remove_at(at, now).is_some()
    }

    /// Removes all resources of a type behind the endpoint's back. Returns how many there were. Requests are served
    /// meanwhile; what they make stays.
    ///
    /// # Panics
    /// If there is no such resource type.
    #[track_caller]
    pub fn remove_all(&self, resource_type: &str) -> usize {
        self.remove_all_of(self.expect_type(resource_type))
    }

    pub(crate) fn remove_all_of(&self, kind: TypeId) -> usize {
        let _alone = lock(&self.0.many);
        let now = self.0.clock.now();
        let mut last = None;
        let mut removed = 0;
        loop {
            let mut store = lock(&self.0.store);
            let order = &store.table(kind).order;
            last = last.or_else(|| order.after(None).next_back().map(|(number, _)| number));
            let there = order.after(None).take_while(|(number, _)| Some(*number) <= last).take(MANY);
            let there: Vec<Ref> = there.map(|(_, slot)| Ref { kind, slot }).collect();
            if there.is_empty() {
                return removed;
            }
            removed += there.into_iter().filter(|at| store.remove_at(*at, now).is_some()).count();
            drop(store);
            let_others();
        }
    }

    /// The number of resources, by the name of their type, in the order in which the types are listed.
    pub fn counts(&self) -> Vec<(String, usize)> {
        let store = lock(&self.0.store);
        let types = Arc::clone(store.types());
        types.positions().map(|(at, kind)| (kind.name().to_owned(), store.count(at))).collect()
    }

    #[track_caller]
    fn expect_type(&self, name: &str) -> TypeId {
        match self.settings().types.require(name) {
            Ok(of_type) => of_type,
            Err(unknown) => panic!("{unknown}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use serde_json::json;

    use crate::MockAquera;

    #[tokio::test]
    async fn unknown_resource_type_panics_with_a_suggestion() {
        let mock = MockAquera::builder().start().await.unwrap();
        let application = mock.default_application();
        let id = application.seed("user", json!({"userName": "ida"}));
        let calls: [(&str, &dyn Fn()); 7] = [
            ("resources", &|| {
                let _ = application.resources("Users");
            }),
            ("count", &|| {
                let _ = application.count("Users");
            }),
            ("resource", &|| {
                let _ = application.resource("Users", &id);
            }),
            ("seed", &|| {
                let _ = application.seed("Users", json!({}));
            }),
            ("edit", &|| {
                let _ = application.edit("Users", &id, |_| {});
            }),
            ("remove", &|| {
                let _ = application.remove("Users", &id);
            }),
            ("remove_all", &|| {
                let _ = application.remove_all("Users");
            }),
        ];
        for (name, call) in calls {
            let panicked = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
            let message = panicked.downcast_ref::<String>().unwrap();
            assert_eq!(message, "there is no resource type `Users`; did you mean `User`?", "{name}");
        }
        assert_eq!(application.count("User"), 1);
    }
}
