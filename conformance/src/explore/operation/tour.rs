//! Sequences that send every attribute with every kind of text in each form of a write, before chance chooses.

use proptest::prelude::*;

use crate::explore::model::PatchKind;
use crate::explore::operation::{
    Change, Filter, Logic, Operation, Operator, PatchForm, Scope, Setting, TargetKind,
};
use crate::explore::value::{Choice, TEXTS};

/// The requests of a tour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tour {
    Create,
    Replace,
    PatchWithPath,
    PatchWithoutPath,
    /// Values are selected by their text.
    PatchOfSelected,
    Find,
}

const TOURS: [Tour; 6] = [
    Tour::Create,
    Tour::Replace,
    Tour::PatchWithPath,
    Tour::PatchWithoutPath,
    Tour::PatchOfSelected,
    Tour::Find,
];

/// Returns the tour of a number, or `None` if there is none or the subject lacks its request.
pub(super) fn tour(scope: Scope, number: usize) -> Option<BoxedStrategy<Vec<Operation>>> {
    let tour = TOURS[number % TOURS.len()];
    let text = number / TOURS.len();
    let is_there = match tour {
        Tour::Create | Tour::Replace => true,
        Tour::PatchWithPath | Tour::PatchWithoutPath | Tour::PatchOfSelected => scope.patch,
        Tour::Find => scope.filter,
    };
    (is_there && text < TEXTS.len() && scope.users > 0).then_some(())?;
    let settings: Vec<_> = (0..scope.users)
        .map(|attribute| Setting { attribute, choice: Choice { text, number: attribute % 5 } })
        .map(|setting| proptest::option::weighted(0.99, Just(setting)))
        .collect();
    let operations = move |settings: Vec<Option<Setting>>| {
        let settings: Vec<Setting> = settings.into_iter().flatten().collect();
        let change = |setting: &Setting| Change {
            kind: if setting.attribute.is_multiple_of(2) { PatchKind::Replace } else { PatchKind::Add },
            attribute: setting.attribute,
            target: TargetKind::Whole,
            choice: setting.choice,
        };
        let patch = |form| {
            let changes = settings.iter().map(change).collect();
            vec![Operation::CreateUser(Vec::new()), Operation::Patch { of: 0, changes, form }]
        };
        match tour {
            Tour::Create => vec![Operation::CreateUser(settings)],
            Tour::Replace => {
                vec![
                    Operation::CreateUser(Vec::new()),
                    Operation::Replace { of: 0, settings, is_whole: true },
                ]
            }
            Tour::PatchWithPath => patch(PatchForm::Path),
            Tour::PatchWithoutPath => patch(PatchForm::WithoutPath),
            Tour::PatchOfSelected => {
                let changes = (0..settings.len()).map(|attribute| Change {
                    kind: PatchKind::Remove,
                    attribute,
                    target: TargetKind::Selected(0),
                    choice: Choice { text, number: 0 },
                });
                let changes = changes.map(|change| Operation::Patch {
                    of: 0,
                    changes: vec![change],
                    form: PatchForm::Path,
                });
                std::iter::once(Operation::CreateUser(settings.clone())).chain(changes).collect()
            }
            Tour::Find => {
                let finds = settings.iter().map(|setting| Operation::Find {
                    of: 0,
                    filter: Filter {
                        attribute: setting.attribute,
                        part: 0,
                        operator: Operator::Equals,
                        logic: Logic::Plain,
                        is_in_other_case: false,
                        is_present: false,
                        is_swapped: false,
                        is_wild: false,
                    },
                    is_search: setting.attribute % 3 == 2,
                });
                let mut all: Vec<Operation> = finds.collect();
                all.insert(0, Operation::CreateUser(settings.clone()));
                all
            }
        }
    };
    Some(settings.prop_map(operations).boxed())
}
