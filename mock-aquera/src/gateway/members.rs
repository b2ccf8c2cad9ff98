//! PATCH of a group's members, done on the membership itself: a group of 100,000 is not written out and read back to
//! add one.

use std::collections::{HashMap, HashSet};

use scim::filter::{CompareOp, Filter, Literal, PatchPath};
use scim::json::{get_ci, key_ci};
use scim::patch::{Dialect, PatchKind, PatchOp, PatchRequest};
use serde_json::{Value, json};

use super::resource::Joining;
use super::write::check_members;
use super::{RequestContext, notes, resource};
use crate::problem::Problem;
use crate::profile::{GatewayRules, MembersPastCut, PutMissingAttributes, Support};
use crate::store::members::{Members, MembersChange, Names};
use crate::store::render::own_name;
use crate::store::{Ref, Store};
use crate::types::Role;

/// A request, taken apart.
pub(super) struct Split {
    /// What is not about members.
    pub(super) rest: PatchRequest,
    pub(super) changes: Vec<MembersChange>,
    pub(super) dialects: Vec<Dialect>,
    /// The members, where they had to be worked out one by one.
    pub(super) result: Option<(Vec<Ref>, Names)>,
}

impl Split {
    /// A request that is not about members.
    pub(super) fn without_members(request: &PatchRequest) -> Self {
        Self { rest: request.clone(), changes: Vec::new(), dialects: Vec::new(), result: None }
    }
}

/// Whether all members may be put in the place of those that are there, or taken out.
pub(super) fn may_replace_all(gateway: &GatewayRules) -> Result<(), Problem> {
    if gateway.replace_all_members == Support::Answers400 {
        let why = "all members at once can be neither replaced nor removed in this application";
        return Err(Problem::by_profile(400, Some(scim::error::ScimType::InvalidValue), why));
    }
    Ok(())
}

/// Whether one request may change so many members.
pub(super) fn check_changes(gateway: &GatewayRules, count: usize) -> Result<(), Problem> {
    match gateway.max_member_changes.map(|most| most.get() as usize) {
        Some(most) if count > most => {
            let why = format!("{count} members are changed at once, and {most} is the most here");
            Err(Problem::by_profile(400, Some(scim::error::ScimType::TooMany), why))
        }
        _ => Ok(()),
    }
}

/// The members that a PUT leaves in a group, absent if it keeps those that are there, and their names.
pub(super) type PutMembers = (Option<Vec<Ref>>, Names);

/// The members that a PUT leaves in a group, and their names; nothing where it is not about a group.
pub(super) fn of_put(
    context: &RequestContext<'_>,
    store: &Store,
    at: Ref,
    members: Option<&Value>,
) -> Result<Option<PutMembers>, Problem> {
    let settings = context.settings;
    let gateway = &settings.profile.gateway;
    if settings.types.get(at.kind).role != Role::Group {
        return Ok(None);
    }
    let (refs, names) = match (members, gateway.put_missing_attributes) {
        (Some(members), _) => {
            let joining = resource::resolve(settings, store, members)?;
            (joining.refs, joining.names)
        }
        (None, PutMissingAttributes::Removes) => (Vec::new(), Vec::new()),
        (None, PutMissingAttributes::Keeps) => return Ok(Some((None, Vec::new()))),
    };
    check_members(context, refs.len())?;
    let members = store.members_of(at);
    let had = members.map_or(0, Members::len);
    let stay = refs.iter().filter(|member| members.is_some_and(|all| all.contains(**member))).count();
    check_changes(gateway, refs.len() + had - 2 * stay.min(had))?;
    if had > 0 {
        may_replace_all(gateway)?;
    }
    Ok(Some((Some(refs), names)))
}

/// The members after some changes.
pub(super) fn outcome(store: &Store, group: Ref, changes: &[MembersChange]) -> (Vec<Ref>, Names) {
    let mut view = View::new(store, group);
    for change in changes {
        view.apply(change);
    }
    view.named_members()
}

/// The members as they would be, without touching the store.
#[derive(Default)]
struct View<'s> {
    members: Option<&'s Members>,
    /// What differs from the store.
    differs: HashMap<Ref, bool>,
    joined: Vec<Ref>,
    names: HashMap<Ref, Box<str>>,
    /// Nobody of those in the store is left unless they joined anew.
    cleared: bool,
}

impl<'s> View<'s> {
    fn new(store: &'s Store, group: Ref) -> Self {
        Self { members: store.members_of(group), ..Self::default() }
    }

    fn contains(&self, member: Ref) -> bool {
        self.differs.get(&member).copied().unwrap_or_else(|| self.contained(member))
    }

    /// Whether a member was there before and was not cleared away.
    fn contained(&self, member: Ref) -> bool {
        !self.cleared && self.members.is_some_and(|members| members.contains(member))
    }

    fn apply(&mut self, change: &MembersChange) {
        match change {
            MembersChange::Add(members) => members.iter().for_each(|member| self.add(*member)),
            MembersChange::Remove(members) => {
                for member in members {
                    self.differs.insert(*member, false);
                    self.names.remove(member);
                }
            }
            MembersChange::Name(names) => self.names.extend(names.iter().cloned()),
            MembersChange::Set(members) => {
                self.differs.clear();
                self.joined.clear();
                self.names.clear();
                self.cleared = true;
                for member in members {
                    self.add(*member);
                }
            }
        }
    }

    fn add(&mut self, member: Ref) {
        if !self.contains(member) {
            self.differs.insert(member, true);
            self.joined.push(member);
        }
    }

    fn count(&self) -> usize {
        let base = if self.cleared { 0 } else { self.members.map_or(0, Members::len) };
        self.differs.iter().fold(base, |count, (member, there)| match (self.contained(*member), there) {
            (false, true) => count + 1,
            (true, false) => count - 1,
            _ => count,
        })
    }

    fn name(&self, member: Ref) -> Option<&str> {
        let before = || self.members.filter(|_| !self.cleared && !self.differs.contains_key(&member));
        self.names.get(&member).map(|name| &**name).or_else(|| before()?.name(member))
    }

    fn named_members(&self) -> (Vec<Ref>, Names) {
        let members = self.members();
        let names = members.iter().filter_map(|member| Some((*member, self.name(*member)?.into()))).collect();
        (members, names)
    }

    fn members(&self) -> Vec<Ref> {
        let base = self.members.into_iter().filter(|_| !self.cleared).flat_map(Members::iter);
        let mut all: Vec<Ref> = base.filter(|member| self.contains(*member)).collect();
        let mut joined: HashSet<Ref> = all.iter().copied().collect();
        all.extend(self.joined.iter().copied().filter(|m| self.contains(*m) && joined.insert(*m)));
        all
    }
}

/// Takes the operations on members out of a request and works out what they change.
pub(super) fn split(
    context: &RequestContext<'_>,
    store: &Store,
    group: Ref,
    request: &PatchRequest,
) -> Result<Split, Problem> {
    let mut taken = Taken {
        context,
        store,
        group,
        view: View::new(store, group),
        changes: Vec::new(),
        dialects: Vec::new(),
        late: Vec::new(),
        changed: 0,
    };
    taken.cut();
    let mut rest = Vec::new();
    for (at, operation) in request.operations.iter().enumerate() {
        let number = at + 1;
        match (operation.path(), operation.value()) {
            (Some(path), _) if is_members(context, group, path) => {
                taken.operation(operation, path, number).map_err(|problem| numbered(problem, number))?;
            }
            (None, Some(Value::Object(members)))
                if let Some(key) = key_ci(members, "members")
                    && let Ok(path) = key.parse::<PatchPath>() =>
            {
                let mut others = members.clone();
                let value = others.remove(key).unwrap_or_default();
                let inner = operation.with_value(value).at(path.clone());
                taken.operation(&inner, &path, number).map_err(|problem| numbered(problem, number))?;
                rest.push(operation.with_value(Value::Object(others)));
            }
            _ => rest.push(operation.clone()),
        }
    }
    let one_by_one = taken.at_large()?;
    check_members(context, taken.view.count())?;
    let result = one_by_one.then(|| taken.view.named_members());
    let changes = if result.is_some() { Vec::new() } else { taken.changes };
    Ok(Split { rest: PatchRequest::new(rest), changes, dialects: taken.dialects, result })
}

fn numbered(problem: Problem, number: usize) -> Problem {
    let with = |detail: String| {
        if detail.starts_with("operation ") { detail } else { format!("operation {number}: {detail}") }
    };
    match problem {
        Problem::BadValue(detail) => Problem::BadValue(with(detail)),
        Problem::BadPatch { scim_type, detail } => Problem::BadPatch { scim_type, detail: with(detail) },
        other => other,
    }
}

fn is_members(context: &RequestContext<'_>, group: Ref, path: &PatchPath) -> bool {
    let core = context.settings.types.get(group.kind).schemas.core().id();
    path.name == *"members" && path.urn.as_ref().is_none_or(|urn| urn == core)
}

struct Taken<'a, 's> {
    context: &'a RequestContext<'a>,
    store: &'s Store,
    group: Ref,
    view: View<'s>,
    changes: Vec<MembersChange>,
    dialects: Vec<Dialect>,
    /// The operations from the first one on that needs the members written out, with their numbers.
    late: Vec<(usize, PatchOp)>,
    /// How many members were added and removed so far.
    changed: usize,
}

impl Taken<'_, '_> {
    fn operation(&mut self, operation: &PatchOp, path: &PatchPath, number: usize) -> Result<(), Problem> {
        let value = operation.value().filter(|value| !is_nothing(value));
        if operation.kind() == PatchKind::Remove
            && operation.value().is_some_and(Value::is_array)
            && value.is_none()
        {
            // It names those who are meant, and names nobody.
            return Ok(());
        }
        if !self.late.is_empty() {
            return self.put_off(operation, path, number);
        }
        match (&path.filter, &path.sub, operation.kind(), value) {
            (None, None, PatchKind::Add, Some(members)) => {
                let Joining { refs, mut names } = self.resolved(members)?;
                self.check_changes(refs.len())?;
                // Whoever is there already keeps the name, which is immutable.
                names.retain(|(member, _)| !self.view.contains(*member));
                self.push(MembersChange::Add(refs));
                self.name(names);
            }
            (None, None, PatchKind::Add, None) => {}
            (None, None, PatchKind::Replace, Some(members)) => {
                self.may_replace_all()?;
                let Joining { refs, names } = self.resolved(members)?;
                self.check_changes(refs.len())?;
                self.push(MembersChange::Set(refs));
                self.name(names);
            }
            (None, None, PatchKind::Remove | PatchKind::Replace, None) => {
                self.may_replace_all()?;
                self.push(MembersChange::Set(Vec::new()));
            }
            (None, None, PatchKind::Remove, Some(members)) => self.remove_by_value(members, number)?,
            (Some(filter), None, PatchKind::Remove, _) if by_value(filter).is_some() => {
                let id = by_value(filter).unwrap_or_default();
                let member = self.store.find(id).filter(|member| self.view.contains(*member));
                // Somebody who is no member is removed already (RFC 7644 §3.5.2.2).
                if let Some(member) = member {
                    self.check_changes(1)?;
                    self.push(MembersChange::Remove(vec![member]));
                }
            }
            _ => self.put_off(operation, path, number)?,
        }
        Ok(())
    }

    /// Leaves an operation for the end, where the members are written out once for all that need it.
    fn put_off(&mut self, operation: &PatchOp, path: &PatchPath, number: usize) -> Result<(), Problem> {
        let all = path.filter.is_none() && path.sub.is_none();
        match (all, operation.kind(), operation.value().filter(|value| !is_nothing(value))) {
            (true, PatchKind::Replace, _) | (true, PatchKind::Remove, None) => self.may_replace_all()?,
            _ => {}
        }
        if all
            && operation.kind() != PatchKind::Remove
            && let Some(members) = operation.value().filter(|value| !is_nothing(value))
        {
            // Told of this operation, and not of the last one.
            self.resolved(members)?;
        }
        self.late.push((number, operation.clone()));
        Ok(())
    }

    /// Leaves only the members that a read shows, where a profile writes back what it reads.
    fn cut(&mut self) {
        let list = &self.context.settings.profile.list;
        let most = list.members_cut as usize;
        if list.members_past_cut == MembersPastCut::Dropped && most > 0 && self.view.count() > most {
            let shown = self.store.members_of(self.group).into_iter().flat_map(Members::iter).take(most);
            self.push(MembersChange::Set(shown.collect()));
        }
    }

    fn push(&mut self, change: MembersChange) {
        self.view.apply(&change);
        self.changes.push(change);
    }

    fn name(&mut self, names: Names) {
        if !names.is_empty() {
            self.push(MembersChange::Name(names));
        }
    }

    fn resolved(&self, members: &Value) -> Result<Joining, Problem> {
        resource::resolve(self.context.settings, self.store, members)
    }

    fn may_replace_all(&self) -> Result<(), Problem> {
        if self.view.count() == 0 {
            return Ok(());
        }
        may_replace_all(&self.context.settings.profile.gateway)
    }

    fn check_changes(&mut self, count: usize) -> Result<(), Problem> {
        self.changed += count;
        check_changes(&self.context.settings.profile.gateway, self.changed)
    }

    /// `remove` with the members that are meant, which the RFC does not know and Entra sends.
    fn remove_by_value(&mut self, members: &Value, number: usize) -> Result<(), Problem> {
        let accepted = self.context.settings.profile.requests.dialects.remove_by_value;
        if accepted != crate::profile::Dialect::Accepted {
            let detail = format!(
                "operation {number}: remove takes no value; name the member as members[value eq \"…\"]"
            );
            return Err(Problem::BadPatch { scim_type: scim::error::ScimType::InvalidValue, detail });
        }
        self.dialects.push(Dialect::RemoveByValue);
        let list = match members {
            Value::Array(list) => list.as_slice(),
            single => std::slice::from_ref(single),
        };
        self.check_changes(list.len())?;
        let ids = list.iter().filter_map(|member| match member {
            Value::String(id) => Some(id.as_str()),
            Value::Object(parts) => get_ci(parts, "value").and_then(Value::as_str),
            _ => None,
        });
        // Removing who is not there is fine where nobody was looked for.
        let gone: Vec<Ref> =
            ids.filter_map(|id| self.store.find(id)).filter(|m| self.view.contains(*m)).collect();
        self.push(MembersChange::Remove(gone));
        Ok(())
    }

    /// The operations that were put off: on the members written out, by the rules for every attribute. Gives whether
    /// there were any.
    fn at_large(&mut self) -> Result<bool, Problem> {
        if self.late.is_empty() {
            return Ok(false);
        }
        let settings = self.context.settings;
        let kind = settings.types.get(self.group.kind);
        let Some(record) = self.store.get(self.group) else { return Ok(false) };
        let mut tree = record.document.value();
        let there: Vec<Ref> = self.view.members();
        let written: Vec<Value> = there.iter().filter_map(|member| self.pointer(*member)).collect();
        if let Value::Object(members) = &mut tree {
            members.insert("members".to_owned(), Value::Array(written));
        }
        let (numbers, operations): (Vec<usize>, Vec<PatchOp>) =
            std::mem::take(&mut self.late).into_iter().unzip();
        let request = PatchRequest::new(operations);
        let applied = scim::patch::apply_with(tree, &request, &kind.schemas, settings.dialects);
        let (after, used) = applied.map_err(|error| {
            let number = error.operation().and_then(|nth| numbers.get(nth.wrapping_sub(1)));
            let error = match number {
                Some(number) => error.in_operation(*number),
                None => error,
            };
            notes::bad_patch(kind, &error)
        })?;
        self.dialects.extend(used);
        let none = Value::Array(Vec::new());
        let Joining { refs, names } = self.resolved(after.get("members").unwrap_or(&none))?;
        self.check_changes(there.len().abs_diff(refs.len()))?;
        self.view.apply(&MembersChange::Set(refs));
        self.view.apply(&MembersChange::Name(names));
        Ok(true)
    }

    fn pointer(&self, member: Ref) -> Option<Value> {
        let record = self.store.get(member)?;
        let kind = self.context.settings.types.get(member.kind);
        let location = String::from_utf8_lossy(&record.document.location()).into_owned();
        let mut pointer = json!({"value": &*record.id, "$ref": location, "type": kind.name()});
        let given = self.view.name(member).map(str::to_owned);
        let own = || own_name(record).and_then(|name| serde_json::from_slice::<String>(name).ok());
        if let Some(display) = given.or_else(own) {
            pointer["display"] = display.into();
        }
        Some(pointer)
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// The id in `value eq "…"`.
fn by_value(filter: &Filter) -> Option<&str> {
    match filter {
        Filter::Compare { path, op: CompareOp::Eq, value: Literal::String(id) }
            if path.name == *"value" && path.sub.is_none() && path.urn.is_none() =>
        {
            Some(id)
        }
        _ => None,
    }
}
