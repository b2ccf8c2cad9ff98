//! The knowledge from a target's responses, as narrow as the observations: by path and method, and by kind of write and
//! method.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::mapping::TargetPath;
use crate::report::{Reason, word};

/// The knowledge from the responses of a connection.
///
/// Every member has a default, so that a state file of an earlier build still reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Learned {
    /// The effect of PATCH on attributes.
    pub patch: MethodSupport,
    /// The effect of PUT on attributes.
    pub put: MethodSupport,
    /// The effect of a Disable on an account.
    pub disable: DisableKind,
    /// The effect of each method with `active: false`.
    pub disabling: Methods,
    /// The effect of each method with `active: true`.
    pub enabling: Methods,
    /// The reason for which the last Disable had no effect by any method; `None` once one takes effect.
    pub disable_failure: Option<Reason>,
    /// The reason for which the last Enable had no effect by any method; `None` once one takes effect.
    pub enable_failure: Option<Reason>,
    /// The reason for which the last DELETE was refused, if it concerns the target; `None` once one takes effect.
    pub delete_failure: Option<Reason>,
    /// The effect of writes on each path.
    pub paths: Paths,
}

/// The support of one kind of write by PATCH and by PUT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Methods {
    /// By PATCH.
    pub patch: MethodSupport,
    /// By PUT.
    pub put: MethodSupport,
}

/// The support of the written paths, by method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paths {
    /// By POST.
    pub post: BTreeMap<TargetPath, PathSupport>,
    /// By PATCH.
    pub patch: BTreeMap<TargetPath, PathSupport>,
    /// By PUT.
    pub put: BTreeMap<TargetPath, PathSupport>,
}

/// The support of one kind of write by one method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodSupport {
    /// None has been seen to take effect.
    #[default]
    Unknown,
    /// One has taken effect.
    Works,
    /// Every write was answered as done and changed nothing.
    Ignored,
    /// It was refused or ignored, and the other method is used where that works.
    Unusable,
}

impl MethodSupport {
    /// Whether something speaks against using it.
    pub const fn is_against(self) -> bool {
        match self {
            Self::Unknown | Self::Works => false,
            Self::Ignored | Self::Unusable => true,
        }
    }
}

/// The support of one path under one method; a path that is not listed has not been read back yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathSupport {
    /// A value that was written there was read back.
    Stored,
    /// A value that was written there was not there afterwards.
    NotStored,
    /// The target's schema never returns the value, so its effect is assumed.
    NeverReturned,
}

/// The effect of Disable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisableKind {
    /// None has read back inactive yet: one in flight at a time.
    #[default]
    Unknown,
    /// One has read back inactive.
    Works,
    /// One deleted the account: none is sent until a person tests the connection.
    Withheld,
}

/// A kind of write to an existing account: each is judged by its own writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WriteKind {
    Attributes,
    Disable,
    Enable,
}

impl WriteKind {
    /// Returns the kind of a write that gives `active` this value.
    pub(crate) const fn of(active: Option<bool>) -> Self {
        match active {
            None => Self::Attributes,
            Some(false) => Self::Disable,
            Some(true) => Self::Enable,
        }
    }
}

/// The two methods that write to an existing account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Method {
    Patch,
    Put,
}

impl Method {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "PATCH",
            Self::Put => "PUT",
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Patch => Self::Put,
            Self::Put => Self::Patch,
        }
    }
}

/// A method that writes attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WriteMethod {
    Post,
    Patch,
    Put,
}

impl From<Method> for WriteMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Patch => Self::Patch,
            Method::Put => Self::Put,
        }
    }
}

impl Paths {
    pub(crate) const fn of(&self, method: WriteMethod) -> &BTreeMap<TargetPath, PathSupport> {
        match method {
            WriteMethod::Post => &self.post,
            WriteMethod::Patch => &self.patch,
            WriteMethod::Put => &self.put,
        }
    }

    pub(crate) const fn of_mut(&mut self, method: WriteMethod) -> &mut BTreeMap<TargetPath, PathSupport> {
        match method {
            WriteMethod::Post => &mut self.post,
            WriteMethod::Patch => &mut self.patch,
            WriteMethod::Put => &mut self.put,
        }
    }
}

impl Learned {
    /// Returns what is known of `kind` by `method`.
    pub(crate) const fn support(&self, kind: WriteKind, method: Method) -> MethodSupport {
        match (kind, method) {
            (WriteKind::Attributes, Method::Patch) => self.patch,
            (WriteKind::Attributes, Method::Put) => self.put,
            (WriteKind::Disable, Method::Patch) => self.disabling.patch,
            (WriteKind::Disable, Method::Put) => self.disabling.put,
            (WriteKind::Enable, Method::Patch) => self.enabling.patch,
            (WriteKind::Enable, Method::Put) => self.enabling.put,
        }
    }

    pub(crate) const fn support_mut(&mut self, kind: WriteKind, method: Method) -> &mut MethodSupport {
        match (kind, method) {
            (WriteKind::Attributes, Method::Patch) => &mut self.patch,
            (WriteKind::Attributes, Method::Put) => &mut self.put,
            (WriteKind::Disable, Method::Patch) => &mut self.disabling.patch,
            (WriteKind::Disable, Method::Put) => &mut self.disabling.put,
            (WriteKind::Enable, Method::Patch) => &mut self.enabling.patch,
            (WriteKind::Enable, Method::Put) => &mut self.enabling.put,
        }
    }

    /// Returns why the last Disable or Enable had no effect by any method; attributes are judged by path.
    pub(crate) const fn failure(&self, kind: WriteKind) -> Option<Reason> {
        match kind {
            WriteKind::Attributes => None,
            WriteKind::Disable => self.disable_failure,
            WriteKind::Enable => self.enable_failure,
        }
    }

    pub(crate) const fn set_failure(&mut self, kind: WriteKind, failure: Option<Reason>) {
        match kind {
            WriteKind::Attributes => {}
            WriteKind::Disable => self.disable_failure = failure,
            WriteKind::Enable => self.enable_failure = failure,
        }
    }

    /// Whether a write by PATCH or PUT was seen to store `path`.
    pub(crate) fn is_stored(&self, path: &TargetPath) -> bool {
        [WriteMethod::Patch, WriteMethod::Put]
            .into_iter()
            .any(|method| self.paths.of(method).get(path) == Some(&PathSupport::Stored))
    }

    /// Returns what was learned, by path and method, in lines for a person.
    pub fn lines(&self) -> Vec<String> {
        let by = |kind: &str, methods: Methods, more: &str| {
            format!("  {kind}: PATCH {}, PUT {}{more}", word(&methods.patch), word(&methods.put))
        };
        let last = |failure: Option<Reason>| {
            failure.map(|reason| format!("; the last one failed {}", word(&reason))).unwrap_or_default()
        };
        let disable = match self.disable {
            DisableKind::Withheld => "; one deleted the account, so no more are sent".to_owned(),
            DisableKind::Unknown | DisableKind::Works => last(self.disable_failure),
        };
        let mut lines = vec![
            "learned of the target (each is tried again in the next run; test-connection forgets it):"
                .to_owned(),
            by("attributes", Methods { patch: self.patch, put: self.put }, ""),
            by("disable", self.disabling, &disable),
            by("enable", self.enabling, &last(self.enable_failure)),
        ];
        if self.delete_failure.is_some() {
            lines.push(format!("  delete{}", last(self.delete_failure)));
        }
        for (support, words) in [
            (PathSupport::NotStored, "not stored"),
            (PathSupport::NeverReturned, "never returned"),
            (PathSupport::Stored, "stored"),
        ] {
            for (method, name) in
                [(WriteMethod::Post, "POST"), (WriteMethod::Patch, "PATCH"), (WriteMethod::Put, "PUT")]
            {
                let paths: Vec<String> = self
                    .paths
                    .of(method)
                    .iter()
                    .filter(|(_, known)| **known == support)
                    .map(|(path, _)| path.to_string())
                    .collect();
                if !paths.is_empty() {
                    lines.push(format!("  {words} by {name}: {}", paths.join(", ")));
                }
            }
        }
        lines
    }
}
