//! Queries: lists, searches, and the query over all types at the root (RFC 7644 §3.4.2, §3.4.3).
//!
//! What the order of creation or an index answers is answered at once. Everything else is a walk over the resources
//! that takes the store's lock for some hundreds of them at a time, so nobody else waits for it.

mod item;
mod refused;
mod walk;

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock, Mutex};

use axum::body::Bytes;
use axum::http::StatusCode;
use jiff::Timestamp;
use scim::dialect::Dialect;
use scim::filter::Filter;
use scim::project::Projection;
use scim::schema::LIST_URN;
use scim::sort::{SortBy, SortOrder};

use super::filters::{self, Indexed, Taken};
use super::page::{Cursor, Place, Position, Rank, Window, query_hash};
use super::query::Query;
use super::{Outcome, Refusal, RequestContext, write};
use crate::downstream::{DownstreamOperation, Downstreams};
use crate::gateway::Settings;
use crate::journal::Note;
use crate::lock;
use crate::problem::Problem;
use crate::profile::{
    FilterCase, FilterMiss, ItemsPerPage, ListRules, Pages, PastEnd, SortRule, StartIndex, TotalResults,
    WithoutFilter,
};
use crate::reply::Reply;
use crate::store::document::write_number;
use crate::store::render::MembersShown;
use crate::store::{Equals, Ref, Store};
use crate::types::{IndexedPath, Role, TypeId, TypeInfo};
use item::{Item, Listed};
use refused::refused;
use walk::{Chosen, Walk};

/// The length of a list response around one resource or none.
const ENVELOPE: usize = 130;
/// Stores up to this size are walked on the spot.
const SMALL: usize = 512;

/// One query, ready to be answered. It owns what it needs, so a thread for blocking work can answer it.
#[derive(Debug)]
pub(crate) struct List {
    settings: Arc<Settings>,
    kinds: Vec<TypeId>,
    filter: Option<Filter>,
    nothing: bool,
    filtered: bool,
    sort: Option<Sort>,
    window: Window,
    hash: u32,
    projections: Option<Vec<Projection>>,
    /// The base URL that the client used, where it is not the one that URLs are kept with: a filter compares with it.
    seen_as: Option<String>,
    now: Timestamp,
    dialects: Vec<Dialect>,
    notes: Vec<Note>,
}

#[derive(Debug)]
struct Sort {
    /// How each of the types is sorted; one that lacks the attribute has no keys.
    by: Vec<Option<SortBy>>,
    order: SortOrder,
}

impl Sort {
    /// Types without the attribute come last; equals in order of creation.
    fn compare(&self, (one, at): (&Rank, Position), (other, other_at): (&Rank, Position)) -> Ordering {
        let keys = match (one, other) {
            (Some(one), Some(other)) => self.order.compare(one, other),
            (one, other) => other.is_some().cmp(&one.is_some()),
        };
        keys.then(at.cmp(&other_at))
    }
}

/// What a page begins behind; nothing where it is the first.
type Start<T> = Option<T>;

/// What was found, without the resources of the page.
struct Found {
    total: usize,
    start: usize,
    next: Option<Place>,
    previous: Option<Start<Place>>,
}

/// Answers a query that is one equality on an indexed attribute, the way provisioners look accounts up.
pub(super) fn quick(context: &RequestContext<'_>, kind_at: TypeId, text: &str) -> Option<Reply> {
    let settings = context.settings;
    if !settings.plain_lists {
        return None;
    }
    let (attribute, value) = scim::filter::simple_eq(text)?;
    let kind = settings.types.get(kind_at);
    let store = context.store();
    let found = if attribute.eq_ignore_ascii_case("id") {
        store.find_in(kind_at, &value).map_or(Equals::None, |(at, _)| Equals::One(at.slot))
    } else {
        let asked = |indexed: &IndexedPath| indexed.answers() && indexed.text.eq_ignore_ascii_case(attribute);
        let index = kind.indexed.iter().position(asked)?;
        store.equals(kind_at, index, &value)
    };
    if store.has_stale(context.now) {
        return None;
    }
    let body = match found {
        Equals::None => {
            let mut body = Vec::with_capacity(ENVELOPE);
            head(&mut body, Some(0), Some(1), Some(0), b"");
            body
        }
        Equals::One(slot) => {
            let at = Ref { kind: kind_at, slot };
            let record = store.get(at).filter(|record| !record.on_request)?;
            let mut body = Vec::with_capacity(ENVELOPE + record.document.text().len());
            body.extend_from_slice(&HEAD_OF_ONE);
            store.show_into(&mut body, at, record, settings.members_in_lists());
            body
        }
        Equals::Several => return None,
    };
    drop(store);
    let mut body = body;
    body.extend_from_slice(b"]}");
    Some(Reply::scim(StatusCode::OK, Bytes::from(body)).became(read()))
}

fn read() -> Downstreams {
    Downstreams::Few { operations: &[DownstreamOperation::Read], target: None, accepted: true }
}

/// Answers a query over some types, or returns what a thread for blocking work answers.
pub(super) fn list(
    context: &RequestContext<'_>,
    kinds: Vec<TypeId>,
    asked: &Query,
) -> Result<Outcome, Refusal> {
    let list = List::new(context, kinds, asked)?;
    if list.is_direct(&context.store()) {
        return list.answer(context.store).map(Outcome::Ready);
    }
    Ok(Outcome::Deferred(Box::new(list)))
}

impl List {
    fn new(context: &RequestContext<'_>, kinds: Vec<TypeId>, asked: &Query) -> Result<Self, Refusal> {
        let settings = context.settings;
        let looked_at: Vec<&TypeInfo> = kinds.iter().map(|at| settings.types.get(*at)).collect();
        let mut dialects = asked.dialects.clone();
        let taken = match &asked.filter {
            Some(text) => {
                let (taken, used) =
                    filters::take(text, &settings.profile.filter, settings.dialects, &looked_at)?;
                dialects.extend(used);
                Some(taken)
            }
            None => None,
        };
        let notes = taken.as_ref().map(|taken| filters::noted(taken, &looked_at)).unwrap_or_default();
        let list = Self::of_filter(context, (kinds, &looked_at), asked, taken, dialects);
        match list {
            Ok(list) => Ok(Self { notes, ..list }),
            Err(problem) => Err(Refusal { notes, ..Refusal::from(problem) }),
        }
    }

    fn of_filter(
        context: &RequestContext<'_>,
        (kinds, looked_at): (Vec<TypeId>, &[&TypeInfo]),
        asked: &Query,
        taken: Option<Taken>,
        dialects: Vec<Dialect>,
    ) -> Result<Self, Problem> {
        let rules = &context.settings.profile.list;
        let (filter, nothing) = match taken {
            Some(Taken::Applied(filter)) => (Some(filter), false),
            Some(Taken::Nothing) => (None, true),
            Some(Taken::Ignored) | None => (None, false),
        };
        refused(asked, rules, looked_at)?;
        let hash = query_hash(asked, &kinds);
        let window = Window::of(asked, rules, (&kinds, hash), context.now)?;
        let sort = sort(asked, rules, looked_at)?;
        if let Window::Cursor { after: Some(after), .. } = &window
            && after.key.is_some() != sort.is_some()
        {
            return Err(Problem::BadCursor);
        }
        let projections = projections(asked, looked_at)?;
        Ok(Self {
            filtered: asked.filter.is_some(),
            now: context.now,
            settings: Arc::clone(context.settings),
            kinds,
            filter,
            nothing,
            sort,
            window,
            hash,
            projections,
            dialects,
            notes: Vec::new(),
            seen_as: context.seen_as.map(str::to_owned),
        })
    }

    fn rules(&self) -> &ListRules {
        &self.settings.profile.list
    }

    /// Whether the answer takes no walk over everything.
    fn is_direct(&self, store: &Store) -> bool {
        let filtered_by_index = match &self.filter {
            _ if store.has_stale(self.now) => false,
            None => self.sort.is_none() && !self.hides_some(),
            Some(filter) => {
                self.kinds.iter().all(|at| self.index(filter, self.settings.types.get(*at)).is_some())
            }
        };
        let size = self.kinds.iter().map(|at| store.count(*at)).sum::<usize>();
        (filtered_by_index || size <= SMALL) && self.window.count() <= 2 * self.rules().max_count as usize
    }

    fn index<'f>(&self, filter: &'f Filter, kind: &TypeInfo) -> Option<Indexed<'f>> {
        // An index compares as the schema says.
        if self.settings.profile.filter.case == FilterCase::Ignored {
            return None;
        }
        filters::indexed(filter, kind)
    }

    /// Whether there may be resources that lists leave out.
    fn hides_some(&self) -> bool {
        self.kinds.iter().any(|kind| self.settings.hides_inactive(*kind))
    }

    /// Answers the query.
    pub(crate) fn answer(&self, store: &Mutex<Store>) -> Result<Reply, Refusal> {
        let is_whole = self.filter.is_none() && self.sort.is_none() && !self.hides_some();
        let items;
        let mut store_now = lock(store);
        let (found, listed) = if self.nothing {
            (Found { total: 0, start: 1, next: None, previous: None }, Vec::new())
        } else if is_whole && !store_now.has_stale(self.now) {
            self.in_order(&store_now)
        } else {
            drop(store_now);
            let found;
            (found, items) = self.selected(store);
            store_now = lock(store);
            (found, items.iter().filter_map(|item| Listed::of(item, &store_now)).collect())
        };
        self.check(&found)
            .map_err(|problem| Refusal { notes: self.notes.clone(), ..Refusal::from(problem) })?;
        let mut reply = self.render(&store_now, &found, &listed).became(read());
        write::note(&mut reply, &self.dialects);
        reply.known.notes.clone_from(&self.notes);
        Ok(reply)
    }

    /// A page of everything, by rank or by position.
    fn in_order<'s>(&self, store: &'s Store) -> (Found, Vec<Listed<'s>>) {
        let counts: Vec<usize> = self.kinds.iter().map(|at| store.count(*at)).collect();
        let total = counts.iter().sum();
        let mut items = Vec::with_capacity(self.window.count().min(total));
        let listed = |at| store.get(at).map(|record| Listed::Stored(at, record));
        match &self.window {
            &Window::Index { start, count } => {
                let mut skip = self.first(start, count) - 1;
                for (&kind, of_kind) in self.kinds.iter().zip(&counts) {
                    let left = count - items.len();
                    let some = store.table(kind).order.skip(skip).take(left);
                    some.filter_map(|slot| listed(Ref { kind, slot })).for_each(|one| items.push(one));
                    skip = skip.saturating_sub(*of_kind);
                }
                (Found { total, start, next: None, previous: None }, items)
            }
            Window::Cursor { after, count } => {
                let (after, count) = (after.as_ref().map(|after| after.position), *count);
                let mut last = after;
                let mut more = false;
                for &kind in self.kinds.iter().filter(|kind| after.is_none_or(|after| **kind >= after.kind)) {
                    let from = after.filter(|after| after.kind == kind).map(|after| after.number);
                    for (number, slot) in store.table(kind).order.after(from) {
                        if items.len() == count {
                            more = true;
                            break;
                        }
                        items.extend(listed(Ref { kind, slot }));
                        last = Some(Position { kind, number });
                    }
                }
                let place = |position| Place { position, key: None };
                let next = last.filter(|_| more && count > 0).map(place);
                let previous = after.and_then(|after| self.before(store, after, count));
                let previous = previous.map(|before| before.map(place));
                (Found { total, start: 1, next, previous }, items)
            }
        }
    }

    /// Where the page before a position begins: nothing inside where that is the beginning.
    fn before(&self, store: &Store, after: Position, count: usize) -> Option<Start<Position>> {
        let mut earlier = self.kinds.iter().rev().filter(|kind| **kind <= after.kind).flat_map(|&kind| {
            let limit = if kind == after.kind { after.number + 1 } else { u64::MAX / 4 };
            store.table(kind).order.before(limit).map(move |(number, _)| Position { kind, number })
        });
        if count == 0 {
            return None;
        }
        Some(earlier.nth(count))
    }

    /// The position in the list from which a page by index is taken.
    fn first(&self, start: usize, count: usize) -> usize {
        match self.rules().pages {
            Pages::Repeated => 1,
            Pages::Overlapping if start > 1 => start - 1,
            Pages::EmptyBeforeEnd if start > 1 && start <= count + 1 => usize::MAX / 2,
            Pages::TruePages | Pages::Overlapping | Pages::EmptyBeforeEnd => start,
        }
    }

    /// What a filter selects, in order.
    fn selected(&self, store: &Mutex<Store>) -> (Found, Vec<Item>) {
        let mut chosen: Vec<Chosen> = Vec::new();
        let stale = lock(store).has_stale(self.now);
        for (nth, &kind_at) in self.kinds.iter().enumerate() {
            let walk = Walk::new(self, nth, kind_at);
            let indexed = self.filter.as_ref().filter(|_| !stale);
            match indexed.and_then(|filter| self.index(filter, self.settings.types.get(kind_at))) {
                Some(indexed) => walk.candidates(&lock(store), &indexed, &mut chosen),
                None => walk.everything(store, &mut chosen),
            }
            if stale {
                walk.gone(&lock(store), &mut chosen);
            }
        }
        if let Some(sort) = &self.sort {
            chosen.sort_by(|one, other| sort.compare((&one.key, one.position), (&other.key, other.position)));
        } else if stale {
            chosen.sort_by_key(|chosen| chosen.position);
        }
        let total = chosen.len();
        let refs = |range: std::ops::Range<usize>| {
            let part = chosen.get(range).unwrap_or_default();
            part.iter().map(|chosen| chosen.item.clone()).collect::<Vec<_>>()
        };
        match &self.window {
            &Window::Index { start, count } => {
                let from = (self.first(start, count) - 1).min(total);
                let items = refs(from..from.saturating_add(count).min(total));
                (Found { total, start, next: None, previous: None }, items)
            }
            Window::Cursor { after, count } => {
                let count = *count;
                let place = |shown: usize| {
                    let Chosen { key, position, .. } = chosen.get(shown.checked_sub(1)?)?;
                    Some(Place { position: *position, key: self.sort.as_ref().map(|_| key.clone()) })
                };
                let shown = |one: &Chosen, after: &Place| match (&self.sort, &after.key) {
                    (Some(sort), Some(rank)) => {
                        sort.compare((&one.key, one.position), (rank, after.position)).is_le()
                    }
                    _ => one.position <= after.position,
                };
                let from = match after {
                    None => 0,
                    Some(after) => chosen.partition_point(|one| shown(one, after)),
                };
                let to = from.saturating_add(count).min(total);
                let next = if to < total && count > 0 { place(to) } else { None };
                let previous = (from > 0 && count > 0).then(|| place(from.saturating_sub(count)));
                (Found { total, start: 1, next, previous }, refs(from..to))
            }
        }
    }

    /// What a profile has against an answer.
    fn check(&self, found: &Found) -> Result<(), Problem> {
        let rules = &self.settings.profile;
        if self.filtered && found.total == 0 && rules.filter.miss == FilterMiss::Answers404 {
            return Err(Problem::by_profile(404, None, "nothing satisfies the filter"));
        }
        if found.total > 0 && found.start > found.total {
            let status = match rules.list.past_end {
                PastEnd::Empty => return Ok(()),
                PastEnd::Answers400 => 400,
                PastEnd::Answers404 => 404,
            };
            let detail = format!("startIndex is {}, and there are {}", found.start, found.total);
            return Err(Problem::by_profile(status, None, detail));
        }
        Ok(())
    }

    fn render(&self, store: &Store, found: &Found, listed: &[Listed<'_>]) -> Reply {
        let rules = self.rules();
        let users = self.kinds.iter().any(|at| self.settings.types.get(*at).role == Role::User);
        if !self.filtered && users && rules.without_filter == WithoutFilter::OneSynthetic {
            return Reply::scim(StatusCode::OK, Bytes::from(synthetic()));
        }
        let members = self.settings.members_in_lists();
        let mut cursors = Vec::new();
        self.cursors(&mut cursors, found);
        let told = match rules.start_index {
            StartIndex::FromZero => found.start.saturating_sub(1),
            StartIndex::Honoured | StartIndex::Ignored => found.start,
        };
        let start = matches!(self.window, Window::Index { .. }).then_some(told);
        let (count, length) = (listed.len(), listed.iter().map(|listed| 1 + listed.length()).sum::<usize>());
        let total = match rules.total_results {
            TotalResults::TrueTotal => Some(found.total),
            TotalResults::PageLength => Some(count),
            TotalResults::OneMore => Some(found.total + 1),
            TotalResults::Missing => None,
        };
        let per_page = match rules.items_per_page {
            ItemsPerPage::Length => Some(count),
            ItemsPerPage::Limit => Some(self.window.count()),
            ItemsPerPage::Missing => None,
        };
        let mut text = Vec::with_capacity(length + cursors.len() + 192);
        head(&mut text, total, start, per_page, &cursors);
        for (nth, listed) in listed.iter().copied().enumerate() {
            if nth > 0 {
                text.push(b',');
            }
            self.show(&mut text, store, listed, members);
        }
        text.extend_from_slice(b"]}");
        Reply::scim(StatusCode::OK, Bytes::from(text))
    }

    fn cursors(&self, out: &mut Vec<u8>, found: &Found) {
        let text = |after: Option<Place>| Cursor { after, query_hash: self.hash, issued: self.now }.text();
        if let Some(next) = found.next.clone() {
            out.extend_from_slice(format!("\"nextCursor\":\"{}\",", text(Some(next))).as_bytes());
        }
        if let Some(previous) = found.previous.clone() {
            out.extend_from_slice(format!("\"previousCursor\":\"{}\",", text(previous)).as_bytes());
        }
    }

    /// Writes a resource, or what it was before.
    fn show(&self, out: &mut Vec<u8>, store: &Store, listed: Listed<'_>, members: MembersShown) {
        let projection = self.projections.as_ref().and_then(|projections| {
            self.kinds.iter().position(|kind| *kind == listed.kind()).map(|nth| &projections[nth])
        });
        let text = match (projection, listed) {
            (None, Listed::Stale(_, text)) => return out.extend_from_slice(text),
            (None, Listed::Stored(at, record)) if !record.on_request => {
                return store.show_into(out, at, record, members);
            }
            (_, Listed::Stale(_, text)) => text.clone(),
            (projection, Listed::Stored(at, record)) => {
                store.shown(at, record, super::members_shown(projection, members))
            }
        };
        let default;
        let projection = if let Some(projection) = projection {
            projection
        } else {
            default = Projection::default_for(&self.settings.types.get(listed.kind()).schemas);
            &default
        };
        out.extend_from_slice(&super::projected(&text, projection));
    }
}

fn sort(asked: &Query, rules: &ListRules, kinds: &[&TypeInfo]) -> Result<Option<Sort>, Problem> {
    let Some(text) = &asked.sort_by else { return Ok(None) };
    match rules.sort {
        SortRule::Works => {}
        SortRule::Ignored => return Ok(None),
        SortRule::Answers400 => {
            let why = "sorting is not supported by this application";
            return Err(Problem::by_profile(400, Some(scim::error::ScimType::InvalidValue), why));
        }
        SortRule::Answers501 => return Err(Problem::NotImplemented("sorting")),
    }
    let order = asked.sort_order.as_deref().map(SortOrder::parse).transpose()?.unwrap_or_default();
    let by: Vec<_> = kinds.iter().map(|kind| SortBy::parse(text, &kind.schemas)).collect();
    if let [Err(error), ..] = by.as_slice()
        && by.iter().all(Result::is_err)
    {
        return Err(refused::unsortable(error, kinds));
    }
    Ok(Some(Sort { by: by.into_iter().map(Result::ok).collect(), order }))
}

fn projections(asked: &Query, kinds: &[&TypeInfo]) -> Result<Option<Vec<Projection>>, Problem> {
    if !asked.projects() {
        return Ok(None);
    }
    kinds.iter().map(|kind| super::projection(asked, kind)).collect::<Result<Vec<_>, _>>().map(Some)
}

/// One user that nobody made, as some applications list where no filter is given.
fn synthetic() -> String {
    format!(
        "{{\"schemas\":[\"{LIST_URN}\"],\"totalResults\":1,\"startIndex\":1,\"itemsPerPage\":1,\"Resources\":[{{\
         \"schemas\":[\"{}\"],\"id\":\"synthetic\",\"userName\":\"synthetic\",\"active\":true}}]}}",
        scim::schema::USER_URN
    )
}

/// What stands in front of the only resource that is found.
static HEAD_OF_ONE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut out = Vec::new();
    head(&mut out, Some(1), Some(1), Some(1), b"");
    out
});

/// Begins a list response, up to the opened list of resources.
fn head(
    out: &mut Vec<u8>,
    total: Option<usize>,
    start: Option<usize>,
    per_page: Option<usize>,
    cursors: &[u8],
) {
    out.extend_from_slice(b"{\"schemas\":[\"");
    out.extend_from_slice(LIST_URN.as_bytes());
    out.extend_from_slice(b"\"],");
    let numbers: [(&[u8], Option<usize>); 3] =
        [(b"\"totalResults\":", total), (b"\"startIndex\":", start), (b"\"itemsPerPage\":", per_page)];
    for (name, number) in numbers {
        if let Some(number) = number {
            out.extend_from_slice(name);
            write_number(out, number as u64);
            out.push(b',');
        }
    }
    out.extend_from_slice(cursors);
    out.extend_from_slice(b"\"Resources\":[");
}
