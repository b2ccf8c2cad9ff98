//! The target's capabilities, as its responses have shown them: the method of a write, the paths that it leaves out, and the
//! writes that wait for the result of another one.
//!
//! An observation counts for its own scope only: for a path under a method, for a method with attributes, and for Disable
//! and Enable by their own writes. A path or method that failed is tried again once in each run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard as Locked, PoisonError};

use tokio::sync::{Mutex as Permits, MutexGuard};

use crate::config::UpdateMethod;
use crate::mapping::TargetPath;
use crate::report::Reason;
use crate::state::shared::{PermitKind, Shared, SharedPermit, merge};
use crate::state::store::StoreError;
use crate::state::{DisableKind, Learned, Method, MethodSupport, PathSupport, WriteKind, WriteMethod};
use crate::target::Trouble;

/// The number of users from which a conclusion about the others of a run is drawn.
const SEVERAL: usize = 3;

/// The detail of a failure that a plan expects because an earlier run met it.
pub(crate) const LAST_FAILED: &str = "the last one failed so; it is tried again";

/// The turn of one write: no other one of its kind is in flight, here or in another worker.
pub(crate) struct Turn<'a> {
    /// Given back first.
    _everywhere: Option<SharedPermit>,
    _here: MutexGuard<'a, ()>,
}

/// Leave to send one write.
pub(crate) enum Permit<'a> {
    /// The effect is unknown yet: the write is read back, and no other one is in flight.
    First(#[expect(dead_code, reason = "held, not read")] Turn<'a>),
    /// The write is known to work.
    Known,
}

/// The observations on this connection, and the attempts of this run. Permits are taken in the order Disable or Enable,
/// then attributes; a create has a permit of its own.
#[derive(Debug)]
pub(crate) struct Capabilities {
    update_method: UpdateMethod,
    /// The support of PATCH by ServiceProviderConfig; `None` if it does not tell.
    claims_patch: Option<bool>,
    learned: Mutex<Learned>,
    run: Mutex<ThisRun>,
    creates: Permits<()>,
    attributes: Permits<()>,
    disables: Permits<()>,
    enables: Permits<()>,
    /// The workers that share the permits and the lessons, and the lessons at the last exchange.
    shared: Option<(Arc<Shared>, Permits<Learned>)>,
}

/// The attempts of this run.
#[derive(Debug, Default)]
struct ThisRun {
    /// Methods that were tried although something spoke against them.
    methods: BTreeSet<(WriteKind, Method)>,
    /// Paths that were read back.
    paths: BTreeSet<(WriteMethod, TargetPath)>,
    /// Writes in a row that had no effect on a path which is known to be stored.
    in_vain: BTreeMap<(WriteMethod, TargetPath), usize>,
    /// Users whose Disable was answered as done and changed nothing.
    ignored_disables: usize,
    /// The kinds of writes that took effect.
    worked: BTreeSet<WriteKind>,
    /// Whether a DELETE was answered as done.
    deleted: bool,
    /// Methods whose responses lack values that a read shows: they prove nothing against a write.
    partial_answers: BTreeSet<WriteMethod>,
}

/// The methods of one write, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) first: Method,
    pub(crate) second: Option<Method>,
}

/// The paths of a write, sorted by their known effect under its method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sorted {
    /// The paths that are written.
    pub(crate) send: Vec<TargetPath>,
    /// The paths that are known not to be stored.
    pub(crate) left_out: Vec<TargetPath>,
    /// Whether one of the written paths has to be read back.
    pub(crate) unverified: bool,
}

impl Capabilities {
    pub(crate) fn new(learned: Learned, update_method: UpdateMethod, claims_patch: Option<bool>) -> Self {
        Self {
            update_method,
            claims_patch,
            learned: Mutex::new(learned),
            run: Mutex::default(),
            creates: Permits::new(()),
            attributes: Permits::new(()),
            disables: Permits::new(()),
            enables: Permits::new(()),
            shared: None,
        }
    }

    /// Returns the capabilities with lessons and permits shared by several processes.
    pub(crate) fn shared_by(self, shared: Arc<Shared>) -> Self {
        let learned = self.learned();
        Self { shared: Some((shared, Permits::new(learned))), ..self }
    }

    /// Returns what ServiceProviderConfig says of PATCH.
    pub(crate) const fn claims_patch(&self) -> Option<bool> {
        self.claims_patch
    }

    /// Exchanges lessons with the other processes.
    ///
    /// # Errors
    /// The state is out of reach.
    pub(crate) async fn exchange_lessons(&self) -> Result<(), StoreError> {
        let Some((shared, last)) = &self.shared else { return Ok(()) };
        // One exchange at a time: each goes on from the one before it.
        let mut last = last.lock().await;
        let mine = self.learned();
        let all = shared.share(&last, &mine).await?;
        self.learn(|learned| {
            // What was learned here meanwhile is not in `all` yet.
            *learned = merge(&mine, learned, &all);
        });
        *last = all;
        Ok(())
    }

    /// Exchanges lessons if there is one here that is not stored yet.
    ///
    /// # Errors
    /// The state is out of reach.
    pub(crate) async fn store_lessons(&self) -> Result<(), StoreError> {
        let Some((_, last)) = &self.shared else { return Ok(()) };
        let is_stored = *last.lock().await == self.learned();
        if is_stored { Ok(()) } else { self.exchange_lessons().await }
    }

    /// Waits until no other process sends a first write of this kind, and takes over what the others have learned.
    async fn turn<'a>(&'a self, kind: PermitKind, here: MutexGuard<'a, ()>) -> Turn<'a> {
        let Some((shared, _)) = &self.shared else { return Turn { _everywhere: None, _here: here } };
        // A database that is out of reach is noticed by the client, before any request.
        let everywhere = shared.permit(kind).await.ok();
        if let Err(error) = self.exchange_lessons().await {
            tracing::debug!(%error, "failed to exchange lessons");
        }
        Turn { _everywhere: everywhere, _here: here }
    }

    /// Returns a copy of what was learned.
    pub(crate) fn learned(&self) -> Learned {
        self.known().clone()
    }

    /// Changes what was learned.
    pub(crate) fn learn(&self, lesson: impl FnOnce(&mut Learned)) {
        lesson(&mut self.known());
    }

    fn known(&self) -> Locked<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) -> Locked<'_, ThisRun> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another method may be tried where one does not do.
    pub(crate) fn may_switch(&self) -> bool {
        self.update_method == UpdateMethod::Auto
    }

    pub(crate) fn support(&self, kind: WriteKind, method: Method) -> MethodSupport {
        self.known().support(kind, method)
    }

    /// Returns the methods by which a write of this kind is tried. has not been tried in this run.
    pub(crate) fn order(&self, kind: WriteKind) -> Order {
        let fixed = |first| Order { first, second: None };
        match self.update_method {
            UpdateMethod::Put => fixed(Method::Put),
            UpdateMethod::Patch => fixed(Method::Patch),
            UpdateMethod::Auto => self.order_of_auto(kind),
        }
    }

    fn order_of_auto(&self, kind: WriteKind) -> Order {
        let preferred = match kind {
            WriteKind::Attributes if self.claims_patch == Some(false) => Method::Put,
            WriteKind::Attributes => Method::Patch,
            // The results of writes of attributes are no reason to refuse a Disable, but a hint which method to try
            // first.
            WriteKind::Disable | WriteKind::Enable => self.order_of_auto(WriteKind::Attributes).first,
        };
        let works = |method| self.support(kind, method) == MethodSupport::Works;
        let against = |method| self.support(kind, method).is_against();
        let usable = |method| !against(method) || self.is_due(kind, method);
        let other = preferred.other();
        let begins_with_other = if against(preferred) {
            !self.is_due(kind, preferred) && usable(other)
        } else {
            works(other) && !works(preferred)
        };
        let first = if begins_with_other { other } else { preferred };
        Order { first, second: Some(first.other()).filter(|second| usable(*second)) }
    }

    /// Whether something speaks against `method`, and it has not been tried in this run.
    pub(crate) fn is_due(&self, kind: WriteKind, method: Method) -> bool {
        self.support(kind, method).is_against() && !self.run().methods.contains(&(kind, method))
    }

    /// Notes that `method` is being tried although something speaks against it.
    pub(crate) fn begin(&self, kind: WriteKind, method: Method) {
        if self.support(kind, method).is_against() {
            self.run().methods.insert((kind, method));
        }
    }

    /// Sorts `paths` by their known effect under `method`.
    pub(crate) fn sort(&self, method: WriteMethod, paths: &[TargetPath]) -> Sorted {
        let (learned, run) = (self.known(), self.run());
        let known = learned.paths.of(method);
        let mut sorted = Sorted::default();
        for path in paths {
            match known.get(path) {
                Some(PathSupport::NotStored) if run.paths.contains(&(method, path.clone())) => {
                    sorted.left_out.push(path.clone());
                    continue;
                }
                None | Some(PathSupport::NotStored) => {
                    sorted.unverified |= !crate::account_values::is_never_returned(path);
                }
                Some(PathSupport::Stored | PathSupport::NeverReturned) => {}
            }
            sorted.send.push(path.clone());
        }
        sorted
    }

    /// Whether every attribute write of a fixed method has had no effect, and one was tried in this run.
    pub(crate) fn is_ignored(&self, method: Method) -> bool {
        let kind = WriteKind::Attributes;
        self.support(kind, method) == MethodSupport::Ignored && !self.is_due(kind, method)
    }

    /// Notes that `paths` were read back as written.
    pub(crate) fn stored(&self, method: WriteMethod, paths: impl IntoIterator<Item = TargetPath>) {
        let (mut learned, mut run) = (self.known(), self.run());
        for path in paths {
            run.in_vain.remove(&(method, path.clone()));
            run.paths.insert((method, path.clone()));
            learned.paths.of_mut(method).insert(path, PathSupport::Stored);
        }
    }

    /// Notes that the target's schema never returns `path`.
    pub(crate) fn never_returned(&self, method: WriteMethod, path: TargetPath) {
        self.known().paths.of_mut(method).insert(path, PathSupport::NeverReturned);
    }

    /// Notes that `paths` were written and read back without effect. A path that other accounts store concerns this
    /// account only, until several accounts in a row do not store it.
    pub(crate) fn not_stored(&self, method: WriteMethod, paths: impl IntoIterator<Item = TargetPath>) {
        let (mut learned, mut run) = (self.known(), self.run());
        for path in paths {
            let key = (method, path.clone());
            let known = learned.paths.of_mut(method);
            if known.get(&path) == Some(&PathSupport::Stored) {
                let in_vain = run.in_vain.entry(key.clone()).or_default();
                *in_vain += 1;
                if *in_vain < SEVERAL {
                    continue;
                }
            }
            known.insert(path, PathSupport::NotStored);
            run.paths.insert(key);
        }
    }

    /// Counts a fixed method as ignored if its writes had no effect on three paths, or on `userName`, and never had any.
    pub(crate) fn conclude(&self, method: Method) {
        let mut learned = self.known();
        let paths = learned.paths.of(method.into());
        let in_vain = paths.values().filter(|support| **support == PathSupport::NotStored).count();
        let name = paths.get(&TargetPath::user_name()) == Some(&PathSupport::NotStored);
        let support = learned.support_mut(WriteKind::Attributes, method);
        if *support == MethodSupport::Unknown && (in_vain >= SEVERAL || name) {
            *support = MethodSupport::Ignored;
            self.run().methods.insert((WriteKind::Attributes, method));
        }
    }

    /// Whether `path` is known to be stored for other accounts.
    pub(crate) fn is_stored(&self, path: &TargetPath) -> bool {
        self.known().is_stored(path)
    }

    /// Notes that `method` took effect for this kind of write.
    pub(crate) fn works(&self, kind: WriteKind, method: Method) {
        let mut learned = self.known();
        *learned.support_mut(kind, method) = MethodSupport::Works;
        learned.set_failure(kind, None);
        if kind == WriteKind::Disable && learned.disable == DisableKind::Unknown {
            learned.disable = DisableKind::Works;
        }
        self.run().worked.insert(kind);
    }

    /// Notes that a write of this kind took effect for another process.
    pub(crate) fn note_worked(&self, kind: WriteKind) {
        self.run().worked.insert(kind);
    }

    /// Notes that a DELETE was answered as done.
    pub(crate) fn deletes_work(&self) {
        self.run().deleted = true;
    }

    /// Whether a DELETE has been answered as done in this run.
    pub(crate) fn has_deleted(&self) -> bool {
        self.run().deleted
    }

    /// Whether a write of this kind has taken effect in this run.
    pub(crate) fn has_worked(&self, kind: WriteKind) -> bool {
        self.run().worked.contains(&kind)
    }

    /// Notes that `method` does not work for this kind of write.
    pub(crate) fn unusable(&self, kind: WriteKind, method: Method) {
        *self.known().support_mut(kind, method) = MethodSupport::Unusable;
        self.run().methods.insert((kind, method));
    }

    /// Notes that a Disable or Enable had no effect by any method.
    pub(crate) fn failed(&self, kind: WriteKind, reason: Reason) {
        self.known().set_failure(kind, Some(reason));
    }

    /// Returns the expected failure of a write of `kind`, by ServiceProviderConfig and by earlier writes. The write is
    /// sent all the same, except for a withheld Disable.
    pub(crate) fn expected_failure(&self, kind: WriteKind, paths: &[TargetPath]) -> Option<Trouble> {
        let learned = self.learned();
        if kind == WriteKind::Disable && learned.disable == DisableKind::Withheld {
            return Some(Trouble::new(Reason::DisableWithheld, "an earlier one deleted the account"));
        }
        if let Some(reason) = learned.failure(kind) {
            return Some(Trouble::new(reason, LAST_FAILED));
        }
        let Order { first, second } = self.order(kind);
        if self.update_method == UpdateMethod::Patch
            && self.claims_patch == Some(false)
            && learned.support(kind, Method::Patch) != MethodSupport::Works
        {
            let detail = "ServiceProviderConfig says that PATCH is not supported; update-method = \"auto\" under \
                          [connection.options] tries PUT too";
            return Some(Trouble::new(Reason::PartialUpdateUnsupported, detail));
        }
        let lost = |method: Method| {
            let known = learned.paths.of(method.into());
            paths.iter().all(|path| known.get(path) == Some(&PathSupport::NotStored))
        };
        let nothing_takes = kind == WriteKind::Attributes && !paths.is_empty() && lost(first);
        if nothing_takes && second.is_none_or(lost) {
            let detail = "the target did not store these attributes so far; they are tried again";
            return Some(Trouble::new(Reason::IgnoredByTarget, detail));
        }
        None
    }

    /// Notes that a user's Disable was answered as done and changed nothing.
    pub(crate) fn disable_ignored(&self) {
        self.run().ignored_disables += 1;
    }

    /// Whether several users' Disables were ignored in this run, and none took effect.
    pub(crate) fn disables_are_ignored(&self) -> bool {
        let run = self.run();
        run.ignored_disables >= SEVERAL && !run.worked.contains(&WriteKind::Disable)
    }

    /// Whether the responses of `method` show everything that a read shows, as far as is known.
    pub(crate) fn answers_are_whole(&self, method: WriteMethod) -> bool {
        !self.run().partial_answers.contains(&method)
    }

    /// Notes that a response of `method` lacked attributes that the read after it had.
    pub(crate) fn answers_partially(&self, method: WriteMethod) {
        self.run().partial_answers.insert(method);
    }

    /// Returns the permit to create; it excludes other creates if a path has to be read back.
    pub(crate) async fn create_permit(&self, paths: &[TargetPath]) -> Permit<'_> {
        let unverified = || self.sort(WriteMethod::Post, paths).unverified;
        if !unverified() {
            return Permit::Known;
        }
        let here = self.creates.lock().await;
        // Those that waited here need not ask the other processes once it is known.
        if !unverified() {
            return Permit::Known;
        }
        let guard = self.turn(PermitKind::Create, here).await;
        if unverified() { Permit::First(guard) } else { Permit::Known }
    }

    /// Returns the permit to write attributes that have to be read back.
    pub(crate) async fn attributes_permit(&self) -> Turn<'_> {
        self.turn(PermitKind::Attributes, self.attributes.lock().await).await
    }

    /// Returns the permit to disable an account, or `None` if no Disable is sent any more.
    pub(crate) async fn disable_permit(&self) -> Option<Permit<'_>> {
        let mut waited = None;
        loop {
            match (self.known().disable, waited.take()) {
                (DisableKind::Works, _) => return Some(Permit::Known),
                (DisableKind::Withheld, _) => return None,
                (DisableKind::Unknown, Some(guard)) => return Some(Permit::First(guard)),
                (DisableKind::Unknown, None) => {}
            }
            let here = self.disables.lock().await;
            if self.known().disable == DisableKind::Unknown {
                waited = Some(self.turn(PermitKind::Disable, here).await);
            }
        }
    }

    /// Returns the permit to enable an account.
    pub(crate) async fn enable_permit(&self) -> Permit<'_> {
        let works = || {
            [Method::Patch, Method::Put]
                .into_iter()
                .any(|method| self.support(WriteKind::Enable, method) == MethodSupport::Works)
        };
        if works() {
            return Permit::Known;
        }
        let here = self.enables.lock().await;
        if works() {
            return Permit::Known;
        }
        let guard = self.turn(PermitKind::Enable, here).await;
        if works() { Permit::Known } else { Permit::First(guard) }
    }
}
