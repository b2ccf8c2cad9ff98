//! Resources on their way into a store: all of them, or none.
//!
//! A store that others use is locked for some of them at a time, so that nobody waits for a long load.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{Arrival, Arrivals, Load, LoadError, Loaded, Place, Wrong, failed, told};
use crate::gateway::Settings;
use crate::gateway::resource::{self, Joining};
use crate::lock;
use crate::problem::Problem;
use crate::store::content::Content;
use crate::store::{MANY, Store, let_others};
use crate::types::TypeId;

/// Where resources go.
pub(crate) enum Destination<'s> {
    /// A store that nobody else has.
    Own(&'s mut Store),
    /// The store of an application.
    Shared(&'s Mutex<Store>),
}

impl Destination<'_> {
    fn with<T>(&mut self, work: impl FnOnce(&mut Store) -> T) -> T {
        match self {
            Self::Own(store) => work(store),
            Self::Shared(store) => work(&mut lock(store)),
        }
    }

    /// Does the work for each, and lets others in between now and then.
    fn each<I>(&mut self, items: impl IntoIterator<Item = I>, mut work: impl FnMut(&mut Store, I)) {
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            self.with(|store| items.by_ref().take(MANY).for_each(|item| work(store, item)));
            if self.is_shared() {
                let_others();
            }
        }
    }

    fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }
}

/// Who goes into which group, and into which groups a user goes, in their order.
struct Join {
    place: Place,
    id: Arc<str>,
    members: Option<Value>,
    groups: Vec<String>,
}

/// Checks what can be checked before anything is in, puts everything in, and joins the groups.
pub(crate) fn take_in(
    settings: &Settings,
    into: &mut Destination<'_>,
    Arrivals { arrivals, mut problems, notes }: Arrivals,
    how: Load,
) -> Result<Loaded, LoadError> {
    if !how.unchecked {
        let mut clashes = Clashes::default();
        into.each(&arrivals, |store, arrival| clashes.check(store, arrival, &mut problems));
    }
    if !problems.is_empty() {
        return Err(failed(problems));
    }
    let count = arrivals.len();
    // Nobody can be a member who has no id yet. And an id that is drawn is gone, so the others come last.
    let (named, nameless): (Vec<_>, Vec<_>) = arrivals.into_iter().partition(|arrival| arrival.id.is_some());
    let mut added = Vec::with_capacity(count);
    let mut joins = Vec::new();
    let shared = into.is_shared();
    let alone = |store: &Store, arrival: &Arrival, problems: &mut Vec<Wrong>| {
        // Somebody may have been faster since all were looked at.
        if shared && !how.unchecked {
            problems.extend(beside(store, arrival).map(|detail| arrival.place.problem(detail)));
        }
        problems.is_empty()
    };
    into.each(named, |store, arrival| {
        if !alone(store, &arrival, &mut problems) {
            return;
        }
        let Arrival { place, kind, id: Some(id), past, content, members, groups } = arrival else { return };
        added.push((store.restore(kind, Arc::clone(&id), content, &past), Arc::clone(&id)));
        if members.is_some() || groups.len() > 1 {
            joins.push(Join { place, id, members, groups });
        }
    });
    let joining = |store: &Store, members: &Value| -> Result<Joining, Problem> {
        if how.unchecked {
            Ok(Joining::known(store, members))
        } else {
            resource::resolve(settings, store, members)
        }
    };
    let of_nameless = nameless.iter().filter_map(|arrival| Some((&arrival.place, arrival.members.as_ref()?)));
    let of_named = joins.iter().filter_map(|join| Some((&join.place, join.members.as_ref()?)));
    into.each(of_named.chain(of_nameless), |store, (place, members)| {
        let wrong = joining(store, members).err();
        problems.extend(wrong.map(|problem| place.problem(problem.to_string())));
    });
    if problems.is_empty() {
        into.each(nameless, |store, mut arrival| {
            if !alone(store, &arrival, &mut problems) {
                return;
            }
            // Who has gone since the members were looked at is none.
            let members = arrival.members.take();
            let joined =
                members.map(|all| joining(store, &all).unwrap_or_else(|_| Joining::known(store, &all)));
            if let Some(joined) = joined {
                joined.join(&mut arrival.content);
            }
            let id = store.new_id();
            added.push((store.restore(arrival.kind, Arc::clone(&id), arrival.content, &arrival.past), id));
        });
    }
    if !problems.is_empty() {
        into.each(added.into_iter().rev(), |store, (at, id)| {
            // Its place may be another's by now.
            if store.get(at).is_some_and(|record| record.id == id) {
                store.withdraw(&[at]);
            }
        });
        return Err(failed(problems));
    }
    // Of two with one id the later is there by now.
    into.each(&joins, |store, Join { id, members, .. }| {
        if let (Some(at), Some(members)) = (store.find(id), members) {
            let Joining { refs, names } =
                joining(store, members).unwrap_or_else(|_| Joining::known(store, members));
            store.set_members(at, &refs, &names);
        }
    });
    into.each(&joins, |store, Join { id, groups, .. }| {
        if let (Some(at), [_, _, ..]) = (store.find(id), groups.as_slice()) {
            let places: HashMap<&str, usize> = groups.iter().map(String::as_str).zip(0..).collect();
            store.sort_groups(at, |id| places.get(id).copied());
        }
    });
    Ok(Loaded { count, notes: told(notes) })
}

/// What of an arrival can't be beside what is there.
fn beside(store: &Store, Arrival { kind, id, content, .. }: &Arrival) -> impl Iterator<Item = String> {
    let id = id
        .as_ref()
        .filter(|id| store.find(id).is_some())
        .map(|id| format!("there is a resource with the id {id:?} already; replace=true loads in its place"));
    let text = store.taken(*kind, &content.keys, None).map(|taken| {
        let key = content.keys.iter().find(|key| path(store, *kind, key.index) == taken);
        let text = key.map_or("", |key| &*key.text);
        format!("{taken} {text:?} belongs to a resource that is there; replace=true loads in its place")
    });
    id.into_iter().chain(text)
}

/// The path of an index.
fn path(store: &Store, kind: TypeId, at: u8) -> &str {
    let indexed = &store.types().get(kind).indexed;
    indexed.get(usize::from(at)).map_or("", |indexed| indexed.text.as_str())
}

/// What can't be beside each other.
#[derive(Default)]
struct Clashes<'a> {
    ids: HashSet<&'a str>,
    texts: HashSet<(TypeId, u8, &'a str)>,
}

impl<'a> Clashes<'a> {
    fn check(&mut self, store: &Store, arrival: &'a Arrival, problems: &mut Vec<Wrong>) {
        let Arrival { place, kind, id, content: Content { keys, .. }, .. } = arrival;
        let mut wrong = |detail: String| problems.push(place.problem(detail));
        beside(store, arrival).for_each(&mut wrong);
        if let Some(id) = id
            && store.find(id).is_none()
            && !self.ids.insert(id)
        {
            wrong(format!("the id {id:?} is there twice"));
        }
        let indexed = &store.types().get(*kind).indexed;
        let unique = |at: u8| indexed.get(usize::from(at)).is_some_and(|indexed| indexed.unique);
        for key in keys.iter().filter(|key| unique(key.index)) {
            if !self.texts.insert((*kind, key.index, &key.text)) {
                wrong(format!("{} {:?} is there twice", path(store, *kind, key.index), key.text));
            }
        }
    }
}
