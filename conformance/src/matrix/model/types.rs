//! The pieces of the model's world.

use std::collections::{BTreeMap, BTreeSet};

use crate::casing::same_without_case;
use crate::matrix::model::fault::{Fault, FaultRule};
use crate::matrix::model::profile::Behaviour;
use crate::matrix::model::words::{Downstream, Reason};
use crate::matrix::setting::Setting;

/// The few attributes that scenarios change; each stands for a shape of mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// `title`: simple to simple.
    Title,
    /// `name.given` to `name.givenName`: nested.
    Given,
    /// `name.family` to `name.familyName`: nested beside it.
    Family,
    /// `nickname` to `nickName`: renamed.
    Nickname,
    /// `email` to the work value of `emails`: into a list.
    Email,
}

impl Attribute {
    /// All attributes.
    pub const ALL: [Self; 5] = [Self::Title, Self::Given, Self::Family, Self::Nickname, Self::Email];

    /// Returns the attribute of a PingOne user, dotted.
    pub fn source(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Given => "name.given",
            Self::Family => "name.family",
            Self::Nickname => "nickname",
            Self::Email => "email",
        }
    }

    /// Returns the SCIM path that the default mapping writes.
    pub fn target(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Given => "name.givenName",
            Self::Family => "name.familyName",
            Self::Nickname => "nickName",
            Self::Email => "emails[type eq \"work\"].value",
        }
    }
}

/// A user at the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The source id.
    pub id: String,
    /// `username`.
    pub user_name: String,
    /// `enabled`.
    pub enabled: bool,
    /// `population.id`.
    pub population: String,
    /// The ids in `memberOfGroups`.
    pub groups: BTreeSet<String>,
    /// The attributes that it has.
    pub attributes: BTreeMap<Attribute, String>,
}

/// A rule of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The name, which identifies the user.
    pub name: String,
    /// Off: its users are frozen.
    pub enabled: bool,
    /// The population it holds; none: everyone.
    pub population: Option<String>,
    /// The group whose members it holds; none: whether or not they are in any.
    pub group: Option<String>,
    /// The attributes it maps; none: the default mappings.
    pub mapped: Option<BTreeSet<Attribute>>,
}

impl Rule {
    pub(crate) fn matches(&self, user: &User) -> bool {
        self.population.as_ref().is_none_or(|population| *population == user.population)
            && self.group.as_ref().is_none_or(|group| user.groups.contains(group))
    }

    pub(crate) fn maps(&self, attribute: Attribute) -> bool {
        self.mapped.as_ref().is_none_or(|mapped| mapped.contains(&attribute))
    }
}

/// The fields of an account other than `active`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    /// `userName`.
    pub user_name: String,
    /// `externalId`.
    pub external_id: Option<String>,
    /// The mapped attributes.
    pub attributes: BTreeMap<Attribute, String>,
    /// E-mail addresses without a `type`.
    pub untyped: BTreeSet<String>,
}

impl Fields {
    /// Returns the value at a path.
    pub(crate) fn get(&self, path: Path) -> Option<&String> {
        match path {
            Path::UserName => Some(&self.user_name),
            Path::ExternalId => self.external_id.as_ref(),
            Path::Attribute(name) => self.attributes.get(&name),
        }
    }

    /// Whether the value at a path is this one. User names compare without case, and an e-mail address that was stored
    /// without its type was stored.
    pub(crate) fn shows(&self, path: Path, value: Option<&String>) -> bool {
        let stored = self.get(path) == value;
        match (path, value) {
            (Path::UserName, Some(name)) => same_without_case(&self.user_name, name),
            (Path::Attribute(Attribute::Email), Some(value)) => stored || self.untyped.contains(value),
            _ => stored,
        }
    }

    /// Treats this e-mail address as the mapped one if it is there without a type.
    pub(crate) fn claim(&mut self, email: Option<&String>) {
        let path = Path::Attribute(Attribute::Email);
        if self.get(path).is_none() && self.has_untyped(email) {
            self.set(path, email.cloned());
        }
    }

    /// Whether this e-mail address is there without a type.
    pub(crate) fn has_untyped(&self, email: Option<&String>) -> bool {
        email.is_some_and(|email| self.untyped.contains(email))
    }

    /// Sets or removes the value at a path. A user name is never removed.
    pub(crate) fn set(&mut self, path: Path, value: Option<String>) {
        match (path, value) {
            (Path::UserName, Some(name)) => self.user_name = name,
            (Path::UserName, None) => {}
            (Path::ExternalId, value) => self.external_id = value,
            (Path::Attribute(name), Some(value)) => drop(self.attributes.insert(name, value)),
            (Path::Attribute(name), None) => drop(self.attributes.remove(&name)),
        }
    }
}

/// Paths with the values that they are to have; a path without a value is to be cleared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Desired(pub(crate) BTreeMap<Path, Option<String>>);

impl Desired {
    /// Returns the `userName`, if it is among the paths.
    pub(crate) fn user_name(&self) -> Option<&String> {
        self.0.get(&Path::UserName)?.as_ref()
    }

    /// Returns the e-mail address, if it is among the paths.
    pub(crate) fn email(&self) -> Option<&String> {
        self.0.get(&Path::Attribute(Attribute::Email))?.as_ref()
    }

    /// Returns the `externalId`, if it is among the paths.
    pub(crate) fn external_id(&self) -> Option<&String> {
        self.0.get(&Path::ExternalId)?.as_ref()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the paths that meet a condition, with their values.
    pub(crate) fn filter(&self, mut keep: impl FnMut(Path, Option<&String>) -> bool) -> Self {
        let kept = self.0.iter().filter(|(path, value)| keep(**path, value.as_ref()));
        Self(kept.map(|(path, value)| (*path, value.clone())).collect())
    }

    /// Returns the paths whose value `fields` does not have.
    pub(crate) fn news(&self, fields: &Fields) -> Self {
        self.filter(|path, value| !fields.shows(path, value))
    }

    pub(crate) fn paths(&self) -> BTreeSet<Path> {
        self.0.keys().copied().collect()
    }
}

/// The symbol of an account; the runner binds it to the id that the mock gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u32);

/// An account at the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The symbol.
    pub key: Key,
    /// The fields.
    pub fields: Fields,
    /// `active`.
    pub active: bool,
    /// An attribute that no mapping writes (`displayName`); whoever writes the account must keep it.
    pub unmapped: Option<String>,
    /// Counts its changes.
    pub version: u32,
}

/// Why a user is no longer held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    Deleted,
    LeftScope,
    RuleDeleted,
}

/// The mark on the link of a user who left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    No,
    Withheld(Leave),
    Pending(Leave),
    Removed,
}

/// A user and the account that is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) account: Key,
    pub(crate) rule: String,
    pub(crate) sent: Fields,
    /// The values that were sent in vain.
    pub(crate) ignored: BTreeMap<Path, Ignored>,
    pub(crate) active: bool,
    pub(crate) left: Left,
    /// The last write may or may not have taken effect; whether it was a Disable. The next run looks first.
    pub(crate) unsure: Option<bool>,
}

/// A value that the account did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ignored {
    pub(crate) value: Option<String>,
    /// The ways by which other accounts had taken the path by then: they promise nothing new to this one.
    pub(crate) stored_by: BTreeSet<Way>,
}

/// A create with an unknown result: the fields that were sent, and the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Posted {
    pub(crate) sent: Desired,
    pub(crate) rule: String,
}

/// The users that the delete guard counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Withdrawn {
    pub(crate) removals: usize,
    pub(crate) disables: usize,
    /// Users whose removal the target has refused, and why: trying it again is not counted.
    pub(crate) refused_removals: BTreeMap<String, Reason>,
    /// The users that are not tried in this run: a repaired target would remove more than the guard allows.
    pub(crate) held: BTreeSet<String>,
    /// Users whose Disable the target has refused.
    pub(crate) refused_disables: BTreeSet<String>,
}

/// The state of a user after the last run that processed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Settled,
    Partial { reason: Reason, wanted: Desired, active: bool },
    Unsynced(Reason),
    Failed(Reason),
}

/// A kind of write: each is judged by its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Attributes,
    Disable,
    Enable,
}

/// A way of writing to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// A create.
    Post,
    /// A partial update.
    Patch,
    /// A replacement.
    Put,
}

impl Way {
    pub(crate) fn other(self) -> Self {
        if self == Self::Patch { Self::Put } else { Self::Patch }
    }
}

/// A path that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// `userName`.
    UserName,
    /// `externalId`.
    ExternalId,
    /// A mapped attribute.
    Attribute(Attribute),
}

/// The facts that a connection has learned about its target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Learned {
    /// The kinds of write that have taken effect.
    pub(crate) works: BTreeSet<(Kind, Way)>,
    /// The kinds of write without effect under `auto`, if the other method has one.
    pub(crate) unusable: BTreeSet<(Kind, Way)>,
    /// The kinds among these that were tried again in this run.
    pub(crate) tried: BTreeSet<(Kind, Way)>,
    /// The paths that were read back as written.
    pub(crate) stored: BTreeSet<(Way, Path)>,
    /// The paths that were read back unchanged.
    pub(crate) not_stored: BTreeSet<(Way, Path)>,
    /// The paths that were read back in this run.
    pub(crate) tried_paths: BTreeSet<(Way, Path)>,
    /// A fixed method by which attribute writes never had an effect.
    pub(crate) ignored: BTreeSet<Way>,
    /// The kinds of writes that have taken effect in this run.
    pub(crate) worked_now: BTreeSet<Kind>,
    /// A DELETE was answered as done in this run.
    pub(crate) deleted_now: bool,
    /// A Disable made an account vanish.
    pub(crate) disable_deletes: bool,
}

/// The `update-method` option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `put`.
    Put,
    /// `patch`.
    Patch,
    /// `auto`.
    Auto,
}

impl Method {
    /// All methods, in the order of tables.
    pub const ALL: [Self; 3] = [Self::Put, Self::Patch, Self::Auto];

    /// Returns the word in `aquera.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Auto => "auto",
        }
    }
}

/// A write that reached the application, or that it refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Write {
    /// The account; none if a Create made none.
    pub account: Option<Key>,
    /// The operation.
    pub operation: Downstream,
    /// Whether the application accepted it.
    pub accepted: bool,
}

/// Everything that a run's result depends on. Two applications, so that a connection can change its URL.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// The profile of both applications.
    pub profile: Behaviour,
    /// `update-method`.
    pub method: Method,
    /// The preferences.
    pub setting: Setting,
    /// The toggle.
    pub enabled: bool,
    /// `clear-missing-attributes`.
    pub clear_missing: bool,
    /// `external-id`.
    pub external_id: bool,
    /// `exclude`, in lower case.
    pub exclude: BTreeSet<String>,
    /// `max-removals`.
    pub max_removals: usize,
    /// The rules, in file order.
    pub rules: Vec<Rule>,
    /// The users at the source.
    pub source: BTreeMap<String, User>,
    /// The source file of the configuration.
    pub source_file: u8,
    /// Whether that file can be read.
    pub source_readable: bool,
    /// Whether the application accepts our credentials.
    pub credentials_accepted: bool,
    /// The application that the SCIM URL names.
    pub url: usize,
    /// The accounts of each application.
    pub applications: [Vec<Account>; 2],
    /// The groups of each application, by name. Nothing of ours writes them.
    pub groups: [BTreeMap<String, BTreeSet<Key>>; 2],
    pub(crate) known_source: Option<u8>,
    /// The fields of creates with an unknown result, by source id.
    pub(crate) posted: [BTreeMap<String, Posted>; 2],
    /// Removals and disables that were carried out: all within a day.
    pub(crate) withdrawn: [Withdrawn; 2],
    pub(crate) links: [BTreeMap<String, Link>; 2],
    pub(crate) standing: [BTreeMap<String, Standing>; 2],
    pub(crate) was_enabled: [BTreeMap<String, bool>; 2],
    pub(crate) learned: Learned,
    /// The paths that were known to be stored when the run began: all users are decided before the first write.
    pub(crate) known_stored: BTreeSet<(Way, Path)>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) writes: Vec<Write>,
    pub(crate) next_key: u32,
}

impl World {
    /// Returns an empty world: nobody at the source, one rule `everyone`, no accounts, the connection on.
    pub fn new(profile: Behaviour, method: Method, setting: Setting) -> Self {
        Self {
            profile,
            method,
            setting,
            enabled: true,
            clear_missing: false,
            external_id: true,
            exclude: BTreeSet::new(),
            max_removals: 500,
            rules: Vec::new(),
            source: BTreeMap::new(),
            source_file: 0,
            source_readable: true,
            credentials_accepted: true,
            url: 0,
            applications: [Vec::new(), Vec::new()],
            groups: [BTreeMap::new(), BTreeMap::new()],
            known_source: None,
            posted: [BTreeMap::new(), BTreeMap::new()],
            withdrawn: [Withdrawn::default(), Withdrawn::default()],
            links: [BTreeMap::new(), BTreeMap::new()],
            standing: [BTreeMap::new(), BTreeMap::new()],
            was_enabled: [BTreeMap::new(), BTreeMap::new()],
            learned: Learned::default(),
            known_stored: BTreeSet::new(),
            faults: Vec::new(),
            writes: Vec::new(),
            next_key: 0,
        }
    }

    /// Adds an account that our provisioner did not create. Returns its key.
    pub fn seed(&mut self, application: usize, fields: Fields, active: bool) -> Key {
        let key = Key(self.next_key);
        self.next_key += 1;
        self.applications[application].push(Account { key, fields, active, unmapped: None, version: 0 });
        key
    }

    /// Points the connection at another application: facts about the old target do not hold for it.
    pub fn point_at(&mut self, application: usize) {
        if application != self.url {
            self.url = application;
            self.learned = Learned::default();
        }
    }

    /// Changes `update-method`: learned facts do not hold for it.
    pub fn change_method(&mut self, method: Method) {
        if method != self.method {
            self.method = method;
            self.learned = Learned::default();
        }
    }

    /// Changes the authentication to another one that the application accepts: it may have other permissions.
    pub fn change_authentication(&mut self) {
        self.credentials_accepted = true;
        self.learned = Learned::default();
    }

    /// Replaces the target at the same address.
    pub fn change_profile(&mut self, profile: Behaviour) {
        self.profile = profile;
    }

    /// Tests the connection by hand, which clears the learned facts.
    pub fn test_connection(&mut self) {
        self.learned = Learned::default();
    }

    /// Adds a fault.
    pub fn fault(&mut self, rule: FaultRule) {
        self.faults.push(Fault::new(rule));
    }

    /// Returns the accounts of the application that the connection points at.
    pub fn accounts(&mut self) -> &mut Vec<Account> {
        &mut self.applications[self.url]
    }

    /// Returns the symbol of the account that was seeded last.
    pub(crate) fn newest_key(&self) -> Key {
        Key(self.next_key.saturating_sub(1))
    }

    /// Returns the account linked to a user.
    pub(crate) fn account_of(&self, id: &str) -> Option<Key> {
        self.links[self.url].get(id).map(|link| link.account)
    }

    /// Returns the user name that was last written for a user.
    pub(crate) fn last_known_name(&self, id: &str) -> Option<String> {
        let linked = self.links[self.url].get(id).map(|link| &link.sent.user_name);
        let posted = || self.posted[self.url].get(id).and_then(|posted| posted.sent.user_name());
        linked.or_else(posted).cloned()
    }

    pub(crate) fn account(&self, key: Key) -> Option<&Account> {
        self.applications[self.url].iter().find(|account| account.key == key)
    }

    /// Removes an account and its memberships.
    pub(crate) fn forget_account(&mut self, key: Key) {
        let url = self.url;
        self.applications[url].retain(|account| account.key != key);
        for members in self.groups[url].values_mut() {
            members.remove(&key);
        }
    }

    pub(crate) fn account_mut(&mut self, key: Key) -> Option<&mut Account> {
        self.applications[self.url].iter_mut().find(|account| account.key == key)
    }
}
