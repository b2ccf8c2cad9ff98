//! The look-ups before the decisions: all of them precede the first write.

mod unsettled;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use self::unsettled::decide_unsettled;
use super::census::Pending;
use super::context::Context;
use super::resolve::{Created, find_again, resolve};
use super::scope::{ScopeStatus, Subject};
use super::task::{LookupResult, ReadAnew, Task, TaskStep};
use super::task_list::TaskList;
use super::worker_pool::{Progress, in_parallel};
use crate::ids::{SourceId, UserName};
use crate::mapping::{Desired, TargetPath};
use crate::policy::{Leave, OwnedDecision};
use crate::report::Reason;
use crate::state::index::{Entry, Flags, Key};
use crate::state::{DisableKind, Intent, Link, LinkState, Posted, Record, StateChange};
use crate::target::listing::Listing;
use crate::target::lookup::{Lookup, Read, SearchKeys};
use crate::target::personal_data::{PersonalData, with_personal_data};
use crate::target::{Halt, Trouble};

/// The look-up that a subject needs at the target.
enum LookupNeed {
    Nothing,
    /// A create is unresolved: its result.
    Resolve(Posted),
    LookUp,
    ReadBack,
}

/// The result of a look-up.
enum Found {
    Nothing,
    LookedUp(Result<Lookup, Halt>),
    /// The result of an unresolved create, and if there is none, the accounts with the user's present name.
    Resolved(Result<Created, Halt>, Option<Result<Lookup, Halt>>),
    ReadBack(Result<Read, Halt>),
    /// The account is gone; the accounts with the user's name now.
    Gone(Result<Lookup, Halt>),
}

impl Found {
    /// Whether the decision follows from the user's data alone, so that it can be made again with the same result.
    fn leaves_no_trace(&self) -> bool {
        matches!(self, Self::Nothing | Self::LookedUp(Ok(Lookup::None)))
    }

    /// Whether the run was stopped before the response.
    fn is_stopped(&self) -> bool {
        let is = |halt: Option<&Halt>| halt == Some(&Halt::Stopped);
        match self {
            Self::Nothing => false,
            Self::LookedUp(found) | Self::Gone(found) => is(found.as_ref().err()),
            Self::ReadBack(read) => is(read.as_ref().err()),
            Self::Resolved(created, lookup) => {
                is(created.as_ref().err()) || is(lookup.as_ref().and_then(|lookup| lookup.as_ref().err()))
            }
        }
    }
}

/// The number of users without an account from which on the accounts are listed once. A few look-ups are cheaper.
const LISTED_FROM: usize = 1000;

/// The number of users by which a list of all accounts is compared with look-ups.
const SAMPLE: usize = 5;

/// How many users are read, looked up and decided at a time.
const WINDOW: usize = 1024;

/// Looks up what every pending user needs, and decides for each, in order.
pub(crate) async fn tasks(
    context: &Arc<Context>,
    full: bool,
    progress: &Arc<dyn Progress>,
    changes: &mut Vec<StateChange>,
) -> TaskList {
    let pending = &context.census.pending;
    let asking = pending.iter().filter(|pending| is_asked_for(context, **pending, full)).count();
    progress.begin("looking up", asking);
    let mut asked = Asked { context, full, progress, done: 0, listing: None, changes };
    let tasks = asked.all(pending).await;
    let done = asked.done;
    progress.end();
    context.note_looked_up(done, asking);
    tasks.unwrap_or_default()
}

/// Whether a look-up is expected for a pending user, by what the index has of it.
fn is_asked_for(context: &Context, pending: Pending, full: bool) -> bool {
    let flags = context.census.entry(pending).map(Entry::flags);
    match (pending, flags) {
        (Pending::Owned { .. }, Some(flags)) if flags.is_linked() => full || flags.is_to_be_read(),
        (Pending::Owned { .. }, _) => true,
        (Pending::Left { .. }, flags) => flags.is_some_and(Flags::has_unresolved_create),
        (Pending::Other { .. }, _) => false,
    }
}

/// The look-ups of a run.
struct Asked<'a> {
    context: &'a Arc<Context>,
    full: bool,
    progress: &'a Arc<dyn Progress>,
    done: usize,
    /// The accounts by name, where they were listed.
    listing: Option<Arc<Listing>>,
    changes: &'a mut Vec<StateChange>,
}

impl Asked<'_> {
    /// Returns the tasks of all pending users.
    ///
    /// # Errors
    /// The run was stopped.
    async fn all(&mut self, pending: &[Pending]) -> Result<TaskList, Halt> {
        // Unresolved creates come first: no other user may be given an account that one of them has created.
        let (mut resolved, unresolved) = self.resolve_creates(pending).await?;
        self.listing = self.list().await?.map(Arc::new);
        // Those need no look at their data: there is no account that they could have.
        let created = match &self.listing {
            Some(listing) if unresolved.is_empty() => self.context.census.created(|name| listing.has(name)),
            Some(_) | None => Vec::new(),
        };
        let is_created = |at: usize| created.get(at).copied().unwrap_or_default();
        let mut tasks = TaskList::new(self.full);
        let mut created_names = BTreeSet::new();
        for (window, pending) in pending.chunks(WINDOW).enumerate() {
            let mut decided = Vec::with_capacity(pending.len());
            let known: Vec<usize> = (0..pending.len())
                .filter(|at| {
                    let place = window * WINDOW + at;
                    !resolved.contains_key(&place) && !is_created(place)
                })
                .collect();
            let (read, found) = self.ask(&known.iter().map(|at| pending[*at]).collect::<Vec<_>>()).await?;
            let mut read = known.into_iter().zip(read.into_iter().zip(found)).peekable();
            for at in 0..pending.len() {
                if is_created(window * WINDOW + at) {
                    decided.push((at, None));
                    continue;
                }
                let subject = match read.next_if(|(known, _)| *known == at) {
                    Some((_, (subject, found))) => subject.map(|subject| (subject, found)),
                    None => resolved.remove(&(window * WINDOW + at)),
                };
                decided.extend(subject.map(|found| (at, Some(found))));
            }
            for (at, found) in decided {
                let Some((subject, found)) = found else {
                    tasks.push_create(window * WINDOW + at);
                    continue;
                };
                let found = claimed(&subject, found, &unresolved);
                let may_wait = found.leaves_no_trace();
                let Some(mut task) = decide(self.context, subject, found, self.full, self.changes) else {
                    continue;
                };
                one_create_each(self.context, &mut task, &mut created_names);
                let at = window * WINDOW + at;
                tasks.push(at, task, may_wait);
            }
        }
        // A link that moved to a re-hired user is no longer its former holder's to lose.
        let moved: BTreeSet<SourceId> = tasks.kept().filter_map(|task| task.moved_from.clone()).collect();
        tasks.retain(|task| !moved.contains(&task.id));
        hold_back(&mut tasks);
        Ok(tasks)
    }

    /// Lists the accounts, if many users have to be looked up and the list can be trusted.
    ///
    /// # Errors
    /// The run was stopped.
    async fn list(&self) -> Result<Option<Listing>, Halt> {
        let names = self.context.census.names_to_look_up();
        if names.len() <= LISTED_FROM {
            return Ok(None);
        }
        let Some(listing) = self.context.client.list(&names).await? else { return Ok(None) };
        let sample = self.context.census.sample_of_names(SAMPLE);
        Ok(self.context.client.agrees(&listing, &sample).await?.then_some(listing))
    }

    /// Settles the creates whose outcome is unknown; returns their users by their place among `pending`, and the names of those
    /// that stay unresolved.
    async fn resolve_creates(
        &mut self,
        pending: &[Pending],
    ) -> Result<(Resolved, BTreeMap<UserName, SourceId>), Halt> {
        let is_unresolved = |pending: Pending| {
            let entry = self.context.census.entry(pending);
            entry.is_some_and(|entry| entry.flags().has_unresolved_create())
        };
        let places: Vec<usize> = (0..pending.len())
            .filter(|at| pending.get(*at).is_some_and(|pending| is_unresolved(*pending)))
            .collect();
        let (mut resolved, mut unresolved) = (Resolved::new(), BTreeMap::new());
        for window in places.chunks(WINDOW) {
            let pending: Vec<Pending> = window.iter().filter_map(|at| pending.get(*at).copied()).collect();
            let (subjects, found) = self.ask(&pending).await?;
            for (at, (subject, found)) in window.iter().zip(subjects.into_iter().zip(found)) {
                let Some(mut subject) = subject else { continue };
                let found = match found {
                    Found::Resolved(created, lookup) => {
                        if created.is_err() && self.context.census.is_present(Key::from(&subject.id)) {
                            let sent = subject.record.posted.clone();
                            unresolved.extend(sent.map(|sent| (sent.user_name, subject.id.clone())));
                        }
                        settle_create(self.context, &mut subject, created, lookup, self.changes)
                    }
                    other => other,
                };
                resolved.insert(*at, (subject, found));
            }
        }
        Ok((resolved, unresolved))
    }

    /// Reads what is stored of `pending`, and asks the target what is needed of each; both results are in the same order.
    ///
    /// # Errors
    /// The run was stopped.
    async fn ask(&mut self, pending: &[Pending]) -> Result<(Vec<Option<Subject>>, Vec<Found>), Halt> {
        let mut subjects = Vec::with_capacity(pending.len());
        let rows: Vec<Option<i64>> = pending
            .iter()
            .map(|pending| self.context.census.entry(*pending).map(|entry| entry.row))
            .collect();
        let mut records = self.context.records(rows.iter().copied().flatten().collect()).await?.into_iter();
        for (pending, row) in pending.iter().zip(rows) {
            let record = row.and_then(|_| records.next());
            subjects.push(self.context.subject(*pending, record, self.full, self.changes)?);
        }
        let subjects = Arc::new(subjects);
        let which: Arc<Vec<usize>> = Arc::new(
            (0..subjects.len())
                .filter(|at| {
                    let subject = subjects.get(*at).and_then(Option::as_ref);
                    subject.is_some_and(|subject| !matches!(need(subject, self.full), LookupNeed::Nothing))
                })
                .collect(),
        );
        let results = {
            let (context, subjects, which) =
                (Arc::clone(self.context), Arc::clone(&subjects), Arc::clone(&which));
            let (listing, full) = (self.listing.clone(), self.full);
            let concurrency = context.config.options.concurrency.get();
            in_parallel(which.len(), concurrency, self.progress, move |at| {
                let (context, subjects, which) =
                    (Arc::clone(&context), Arc::clone(&subjects), Arc::clone(&which));
                let listing = listing.clone();
                async move {
                    let subject = which.get(at).and_then(|at| subjects.get(*at)?.as_ref());
                    match subject {
                        Some(subject) => ask(&context, subject, listing.as_deref(), full).await,
                        None => Found::Nothing,
                    }
                }
            })
            .await
        };
        let mut found: Vec<Found> = subjects.iter().map(|_| Found::Nothing).collect();
        for (at, result) in which.iter().zip(results) {
            self.done += usize::from(!result.is_stopped());
            if let Some(found) = found.get_mut(*at) {
                *found = result;
            }
        }
        if self.context.client.is_stopping() {
            return Err(Halt::Stopped);
        }
        Ok((Arc::into_inner(subjects).unwrap_or_default(), found))
    }
}

/// Users whose unresolved create was settled, with what was found for each, by their place among the pending users.
type Resolved = BTreeMap<usize, (Subject, Found)>;

/// Gives the account to the first of several users of one name; no POST is sent for the others.
fn one_create_each(context: &Context, task: &mut Task, names: &mut BTreeSet<UserName>) {
    // Only users in one of the known groups can have the name of another one.
    if let TaskStep::Owned(owned) = &task.step
        && matches!(owned.decision, OwnedDecision::Create { .. })
        && context.clash(&task.id).is_some()
        && !names.insert(owned.wanted.user_name())
    {
        // The detail names the clash anyway.
        task.step = TaskStep::Fail(Trouble::new(Reason::AccountLinkedElsewhere, ""));
    }
}

/// Decides again about a user for whom nothing was found, as [`tasks`] did.
pub(crate) fn decide_again(context: &Context, subject: Subject, full: bool) -> Option<Task> {
    let is_unlinked = subject.record.link.is_none();
    let found = if is_unlinked { Found::LookedUp(Ok(Lookup::None)) } else { Found::Nothing };
    decide(context, subject, found, full, &mut Vec::new())
}

/// Drops removals of users whose link may be about to move: it is not known whether a new user has their user name.
fn hold_back(tasks: &mut TaskList) {
    let unclear: BTreeSet<UserName> =
        tasks.kept().filter(|task| task.is_unclear()).flat_map(|task| task.record.names()).collect();
    tasks.retain(|task| {
        let carried = task.record.link.as_ref().and_then(Link::user_name);
        let held = || {
            carried.is_some_and(|name| unclear.contains(&name)) || unclear.contains(&task.record.user_name)
        };
        !(task.removes() && held())
    });
}

/// Notes the result of an unresolved create in the record, and returns the account by which the user is decided.
fn settle_create(
    context: &Context,
    subject: &mut Subject,
    created: Result<Created, Halt>,
    lookup: Option<Result<Lookup, Halt>>,
    changes: &mut Vec<StateChange>,
) -> Found {
    let account = match created {
        Err(halt) => return Found::LookedUp(Err(halt)),
        Ok(Created::Account(account))
            if context.claim(&account.id, &subject.id) == Key::from(&subject.id) =>
        {
            Some(account)
        }
        Ok(Created::Account(_) | Created::Nothing) => None,
    };
    // The sent values stay known until the same create is sent again.
    let sent = subject.record.posted.take();
    let written = sent.as_ref().and_then(|sent| sent.at);
    subject.record.resolve_intent();
    subject.record.posted = sent.filter(|_| account.is_none());
    let found = match account {
        Some(account) => {
            let carries = account.project([&TargetPath::user_name()].into_iter());
            let (id, active) = (account.id.clone(), account.active());
            let (shows, state) = (BTreeMap::new(), LinkState::Owned);
            let late_disable = None;
            subject.record.link =
                Some(Link { account: id, carries, shows, active, written, late_disable, state });
            Lookup::One(account)
        }
        None => match lookup {
            Some(Ok(lookup)) => lookup,
            Some(Err(halt)) => return Found::LookedUp(Err(halt)),
            None => Lookup::None,
        },
    };
    // Durable before anything else is sent for the user.
    changes.push(StateChange::Put(subject.id.clone(), Arc::new(subject.record.clone())));
    Found::LookedUp(Ok(found))
}

/// Refuses an account that another user's unresolved create may have created.
fn claimed(subject: &Subject, found: Found, unresolved: &BTreeMap<UserName, SourceId>) -> Found {
    let Found::LookedUp(Ok(Lookup::One(account))) = &found else { return found };
    let name = account.user_name();
    match name.and_then(|name| unresolved.get(&name)).filter(|owner| **owner != subject.id) {
        None => found,
        Some(owner) => {
            let detail = format!("the account may be that of user {owner}, whose create was cut off");
            let trouble = Trouble::new(Reason::AccountLinkedElsewhere, detail);
            Found::LookedUp(Err(trouble.into()))
        }
    }
}

fn need(subject: &Subject, full: bool) -> LookupNeed {
    let record = &subject.record;
    if let Some(posted) = record.unresolved_create(&subject.id) {
        return LookupNeed::Resolve(posted);
    }
    match (&subject.standing, &record.link) {
        (ScopeStatus::Owned(owned), _) if owned.wanted.is_err() => LookupNeed::Nothing,
        (ScopeStatus::Owned(_), None) => LookupNeed::LookUp,
        (ScopeStatus::Owned(_), Some(link))
            if full
                || record.intent.is_some()
                || link.late_disable.is_some()
                || record.is_perhaps_elsewhere() =>
        {
            LookupNeed::ReadBack
        }
        (ScopeStatus::Owned(_), Some(_)) => LookupNeed::Nothing,
        (ScopeStatus::Left(_), None) => LookupNeed::LookUp,
        (ScopeStatus::Left(_), Some(_)) => LookupNeed::Nothing,
    }
}

async fn ask(context: &Context, subject: &Subject, listing: Option<&Listing>, full: bool) -> Found {
    if let (Some(listing), ScopeStatus::Owned(_), LookupNeed::LookUp) =
        (listing, &subject.standing, need(subject, full))
        && let Some(lookup) = listing.look_up(&subject.record.user_name)
    {
        return Found::LookedUp(Ok(lookup));
    }
    let wanted = match &subject.standing {
        ScopeStatus::Owned(owned) => owned.wanted.as_ref().ok(),
        ScopeStatus::Left(_) => None,
    };
    with_personal_data(personal_data(wanted, &subject.record), Box::pin(ask_target(context, subject, full)))
        .await
}

/// Returns the values of a user that a target may repeat: the wanted ones, and those that its account carries.
pub(super) fn personal_data(wanted: Option<&Desired>, record: &Record) -> PersonalData {
    let carried = record.link.iter().flat_map(|link| &link.carries);
    let names: Vec<UserName> = record.names().collect();
    let posted = record.posted.as_ref().and_then(|posted| posted.external_id.as_deref());
    PersonalData::new(wanted, carried).with_own(names.iter().map(UserName::as_str).chain(posted))
}

async fn ask_target(context: &Context, subject: &Subject, full: bool) -> Found {
    match (need(subject, full), &subject.record.link) {
        (LookupNeed::Nothing, _) => Found::Nothing,
        (LookupNeed::Resolve(posted), _) => {
            let created = match resolve(context, &subject.id, &posted).await {
                Ok(Created::Nothing) if !is_sent_again(context, subject, &posted) => context
                    .create_not_shown(&posted)
                    .map_or(Ok(Created::Nothing), |trouble| Err(trouble.into())),
                other => other,
            };
            let enters = matches!(&subject.standing, ScopeStatus::Owned(owned) if owned.wanted.is_ok());
            let lookup = if enters && created == Ok(Created::Nothing) {
                Some(context.client.look_up(&subject.record.user_name).await)
            } else {
                None
            };
            Found::Resolved(created, lookup)
        }
        (LookupNeed::LookUp, _) | (LookupNeed::ReadBack, None) => {
            Found::LookedUp(context.client.look_up(&subject.record.user_name).await)
        }
        (LookupNeed::ReadBack, Some(link)) => {
            let record = &subject.record;
            match context.client.read(&link.account, &record.keys_at(link)).await {
                Ok(Read::Gone(searched)) => {
                    let keys = SearchKeys::new(record.names(), origin_of(subject, link));
                    let found = find_again(context, &subject.id, &keys, &record.user_name, &searched).await;
                    Found::Gone(found)
                }
                read => Found::ReadBack(read),
            }
        }
    }
}

/// Whether the run is going to send the same create again. If the first one made an account, its name is taken, so that
/// no second one is made.
fn is_sent_again(context: &Context, subject: &Subject, posted: &Posted) -> bool {
    match &subject.standing {
        ScopeStatus::Owned(owned) => {
            let same_name = |wanted: &Desired| wanted.user_name() == posted.user_name;
            owned.enabled
                && context.config.preferences.creates()
                && owned.wanted.as_ref().is_ok_and(same_name)
        }
        ScopeStatus::Left(_) => false,
    }
}

/// Returns the `externalId` that the account of a user was given.
fn origin_of<'a>(subject: &'a Subject, link: &'a Link) -> Option<&'a str> {
    let wanted = match &subject.standing {
        ScopeStatus::Owned(owned) => owned.wanted.as_ref().ok().and_then(Desired::external_id),
        ScopeStatus::Left(_) => None,
    };
    link.external_id().or(wanted)
}

fn decide(
    context: &Context,
    mut subject: Subject,
    found: Found,
    full: bool,
    changes: &mut Vec<StateChange>,
) -> Option<Task> {
    let failed = |subject, halt| match halt {
        Halt::Stopped => None,
        Halt::Failed(trouble) => Some(Task::failed(subject, trouble)),
    };
    let is_present = |user: Key| context.census.is_present(user);
    let owned = match subject.standing {
        ScopeStatus::Owned(ref mut owned) => owned,
        ScopeStatus::Left(leave) => return left(context, subject, leave, found, changes),
    };
    let wanted = match &owned.wanted {
        Ok(wanted) => wanted.clone(),
        Err(error) => {
            if let Found::LookedUp(Err(Halt::Stopped)) = found {
                return None;
            }
            let trouble = Trouble::new(Reason::InvalidUser, error.to_string());
            return Some(Task::unmapped(context, subject, trouble));
        }
    };
    let lookup = match found {
        Found::LookedUp(Ok(lookup)) => LookupResult::Unlinked(lookup),
        Found::LookedUp(Err(halt))
        | Found::Resolved(Err(halt), _)
        | Found::ReadBack(Err(halt))
        | Found::Gone(Err(halt)) => {
            return failed(subject, halt);
        }
        // Settled before any user is decided.
        Found::Resolved(Ok(_), _) => return None,
        Found::ReadBack(Ok(Read::Found(account))) => {
            if let Some(link) = &mut subject.record.link {
                let paths = wanted.iter().map(|(path, _)| path).chain(&*owned.targets).cloned().collect();
                link.reread(&account, &paths);
                // The write was cut off, so its effect is the state of the account. A plain update never touches
                // `active`.
                match subject.record.intent.take() {
                    Some(Intent::Disable) => {
                        link.active = account.active();
                        link.late_disable = context.late_disable(&account, owned.enabled);
                    }
                    Some(Intent::Update) => link.active |= account.active(),
                    Some(Intent::Create | Intent::Delete) => {}
                    None => context.await_late_disable(link, &account, owned.enabled),
                }
            }
            return linked(context, subject, wanted, ReadAnew { account: Some(account), full });
        }
        // A gone account has been searched for already.
        Found::ReadBack(Ok(Read::Gone(_))) => LookupResult::InsteadOfGone(Lookup::None),
        Found::Gone(Ok(lookup)) => {
            let origin = subject.record.link.as_ref().and_then(|link| origin_of(&subject, link));
            if let Some(trouble) = context.not_shown_yet(&subject.record, origin, &lookup) {
                return Some(Task::failed(subject, trouble));
            }
            if let Some(link) = &subject.record.link {
                context.release(&link.account);
            }
            if subject.record.intent == Some(Intent::Disable) {
                // Stored when the run writes: a plan only knows it.
                context.capabilities.learn(|learned| learned.disable = DisableKind::Withheld);
                let detail = "a disable was cut off, and the account is gone";
                let mut task = Task::failed(subject, Trouble::new(Reason::DeletedByTarget, detail));
                (task.record.link, task.record.intent) = (None, None);
                return Some(task);
            }
            (subject.record.link, subject.record.intent) = (None, None);
            LookupResult::InsteadOfGone(lookup)
        }
        Found::Nothing => return linked(context, subject, wanted, ReadAnew { account: None, full }),
    };
    let Subject { id, standing, record } = subject;
    let ScopeStatus::Owned(owned) = standing else { return None };
    Some(Task::entering(context, id, record, *owned, wanted, lookup, &is_present))
}

fn linked(context: &Context, subject: Subject, wanted: Desired, read: ReadAnew) -> Option<Task> {
    let Subject { id, standing, record } = subject;
    let ScopeStatus::Owned(owned) = standing else { return None };
    let link = record.link.clone()?;
    Some(Task::linked(context, id, record, &link, *owned, wanted, read))
}

/// Decides about a user that has left: either linked, or with a create that was cut off and made no account.
fn left(
    context: &Context,
    subject: Subject,
    leave: Leave,
    found: Found,
    changes: &mut Vec<StateChange>,
) -> Option<Task> {
    match found {
        Found::LookedUp(Err(Halt::Failed(trouble))) => return Some(Task::failed(subject, trouble)),
        Found::LookedUp(Err(Halt::Stopped)) => return None,
        Found::LookedUp(Ok(_))
        | Found::Nothing
        | Found::Resolved(..)
        | Found::ReadBack(_)
        | Found::Gone(_) => {}
    }
    if subject.record.link.is_none() {
        tracing::info!(source_id = ?subject.id.as_str(), "a create was cut off, and made no account: forgotten");
        changes.push(StateChange::Remove(subject.id));
        return None;
    }
    let Subject { id, record, .. } = subject;
    Some(Task::left(context, id, record, leave))
}
