//! Faults: each kind against each operation, once or until it is cleared, and the run after it.

use crate::matrix::model::{FaultKind, FaultRule, Method, On};
use crate::matrix::scenario::Step;
use crate::matrix::scenario::people::{MONA, after_both, after_mona, mona, sync, two_rules};
use crate::matrix::setting::{RemoveAction, Setting};

/// The provisioner's operation that meets the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// The look-up of a newcomer.
    LookUp,
    /// The read before a removal.
    Read,
    /// POST.
    Create,
    /// New attributes, by PATCH or PUT.
    Update,
    /// `active: false`, by PATCH or PUT.
    Disable,
    /// `active: true`, by PATCH or PUT.
    Enable,
    /// DELETE.
    Delete,
    /// The removal that disables.
    RemoveByDisable,
    /// The read after a disable.
    ReadBack,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 9] = [
        Self::LookUp,
        Self::Read,
        Self::Create,
        Self::Update,
        Self::Disable,
        Self::Enable,
        Self::Delete,
        Self::RemoveByDisable,
        Self::ReadBack,
    ];

    /// Returns the word in cell ids.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LookUp => "look-up",
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Delete => "delete",
            Self::RemoveByDisable => "remove-by-disable",
            Self::ReadBack => "read-back",
        }
    }

    /// Returns the setting for the fault: all preferences are on.
    pub fn setting(self) -> Setting {
        Setting {
            creation: true,
            updation: true,
            disable: true,
            deprovision: true,
            remove_action: match self {
                Self::RemoveByDisable => RemoveAction::Disable,
                Self::LookUp
                | Self::Read
                | Self::Create
                | Self::Update
                | Self::Disable
                | Self::Enable
                | Self::Delete
                | Self::ReadBack => RemoveAction::Delete,
            },
            on_rule_deletion: true,
        }
    }

    /// Returns the requests that meet the fault, and the number of them that pass first.
    fn requests(self, method: Method) -> (On, u32) {
        match self {
            // The connection test lists users, too; and whoever disables reads first.
            Self::LookUp => (On::List, 1),
            Self::ReadBack => (On::Read, 1),
            Self::Read => (On::Read, 0),
            Self::Create => (On::Method("POST"), 0),
            Self::Delete => (On::Method("DELETE"), 0),
            Self::Update | Self::Disable | Self::Enable | Self::RemoveByDisable => match method {
                Method::Put => (On::Method("PUT"), 0),
                Method::Patch | Method::Auto => (On::Method("PATCH"), 0),
            },
        }
    }
}

/// A fault, and the operation that meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Struck {
    /// The kind of fault.
    pub kind: FaultKind,
    /// Whether the request takes effect first.
    pub after_effect: bool,
    /// The operation that meets it.
    pub operation: Operation,
    /// Whether each request of the run meets the fault, or the first alone.
    pub always: bool,
}

impl Struck {
    /// Returns every combination, in a stable order.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for kind in FaultKind::ALL {
            for operation in Operation::ALL {
                for always in [false, true] {
                    let struck = Self { kind, after_effect: false, operation, always };
                    all.push(struck);
                    if kind.can_lose_the_answer() {
                        all.push(Self { after_effect: true, ..struck });
                    }
                }
            }
        }
        all
    }

    /// Returns the word for the fault in cell ids.
    pub fn fault(self) -> String {
        format!("{}{}", self.kind.slug(), if self.after_effect { "-after-effect" } else { "" })
    }

    /// Returns the word for the number of times.
    pub fn times(self) -> &'static str {
        if self.always { "always" } else { "once" }
    }

    /// Returns the steps: the operation meets the fault, then one run without it.
    pub fn steps(self, method: Method) -> Vec<Step> {
        let setting = self.operation.setting();
        let (on, skip) = self.operation.requests(method);
        let times = (!self.always).then_some(1);
        let fault =
            Step::Fault(FaultRule { kind: self.kind, after_effect: self.after_effect, on, skip, times });
        let mut steps = match self.operation {
            Operation::LookUp | Operation::Create => vec![Step::Rules(two_rules()), Step::Put(mona())],
            Operation::Update => after_mona(setting, [Step::Put(mona().changed())]),
            Operation::Disable | Operation::ReadBack => after_mona(setting, [Step::Put(mona().disabled())]),
            Operation::Enable => {
                after_mona(setting, [Step::Put(mona().disabled()), sync(), Step::Put(mona())])
            }
            Operation::Read | Operation::Delete | Operation::RemoveByDisable => {
                after_both(setting, [Step::Drop(MONA)])
            }
        };
        steps.extend([fault, sync(), Step::ClearFaults, sync()]);
        steps
    }
}
