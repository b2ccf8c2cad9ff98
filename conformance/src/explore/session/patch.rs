//! PATCH of users.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::casing::lower_case;
use crate::explore::attributes::Shape;
use crate::explore::model::{Expected, PatchKind, Target};
use crate::explore::operation::{Change, PatchForm, TargetKind, Type};
use crate::explore::rule::Rule;
use crate::explore::session::checks::{After, Written};
use crate::explore::session::{Session, Stop};
use crate::explore::value::Choice;
use crate::explore::world::patch;
use crate::json::get;
use crate::requirement::Level;

/// An operation of a PATCH that was made for a resource.
pub(super) struct Made {
    pub(super) attribute: usize,
    pub(super) kind: PatchKind,
    pub(super) target: Target,
    pub(super) value: Value,
    pub(super) choice: Choice,
    pub(super) json: Value,
    /// The kind of operation, in words.
    pub(super) words: String,
    /// How firmly its effect is demanded.
    pub(super) level: Level,
}

/// Whether one of the added values has the `value` of one that is there.
fn has_twin(known: Option<&Value>, added: &Value) -> bool {
    let values = |all: Option<&Value>| -> BTreeSet<String> {
        let all = all.and_then(Value::as_array).into_iter().flatten();
        all.filter_map(|one| Some(lower_case(get(one, "value")?.as_str()?))).collect()
    };
    let is_there = |element: &Value| {
        known.and_then(Value::as_array).into_iter().flatten().any(|known| crate::json::same(known, element))
    };
    let added: Value = added.as_array().into_iter().flatten().filter(|one| !is_there(one)).cloned().collect();
    !values(known).is_disjoint(&values(Some(&added)))
}

impl Session<'_> {
    /// Makes the operation for a change, or `None` where nothing sensible comes of it.
    pub(super) fn operation_for(
        &self,
        at: usize,
        change: Change,
        form: PatchForm,
        expected: &Expected,
    ) -> Option<Made> {
        // A target has to be there for most operations.
        let needs_target = match change.kind {
            PatchKind::Remove => true,
            PatchKind::Add => change.choice.number.is_multiple_of(2),
            PatchKind::Replace => {
                !matches!(change.target, TargetKind::Whole) && !change.choice.number.is_multiple_of(3)
            }
        };
        let present = expected.present();
        let index = match present.get(change.attribute % present.len().max(1)) {
            Some(present) if needs_target => *present,
            _ => change.attribute,
        };
        let change = Change { attribute: index, ..change };
        let attribute = self.world.attributes.get(index)?;
        let known = expected.get(index);
        let parts = attribute.parts();
        let part_at = |index: usize| parts.get(index % parts.len().max(1));
        let selected = |index: usize| {
            let all = known?.as_array()?;
            let element = all.get(index % all.len().max(1))?;
            // By what tells the values apart.
            let by = parts.iter().find(|part| part.name == "value").or_else(|| parts.first())?;
            let text = get(element, &by.name)?.as_str()?;
            // A filter compares without case, unless the schema says otherwise (RFC 7643 §2.2).
            let is_lowered = change.choice.number % 4 == 3 && !by.is_case_exact && text.is_ascii();
            Some((
                by.name.clone(),
                text.to_owned(),
                if is_lowered { text.to_ascii_lowercase() } else { text.to_owned() },
            ))
        };
        let mut written = None;
        let (kind, target) = match (&attribute.shape, change.target) {
            (Shape::Complex(_), TargetKind::Part(part) | TargetKind::SelectedPart(_, part)) => {
                (change.kind, Target::Part(part_at(part)?.name.clone()))
            }
            (Shape::Many(_), TargetKind::Selected(one)) => match selected(one) {
                Some((by, text, said)) => {
                    written = Some(said);
                    (PatchKind::Remove, Target::Selected { by, text, part: None })
                }
                None => (change.kind, Target::Whole),
            },
            (Shape::Many(_), TargetKind::SelectedPart(one, part)) => match selected(one) {
                Some((by, text, said)) => {
                    written = Some(said);
                    let name = part_at(part).filter(|part| part.name != by)?.name.clone();
                    (change.kind, Target::Selected { by, text, part: Some(name) })
                }
                None => (change.kind, Target::Whole),
            },
            _ => (change.kind, Target::Whole),
        };
        let is_required = self.world.defaults.contains(&change.attribute)
            || get(&self.world.new_user(&self.unique, &[]), &attribute.name).is_some();
        let has_target = match &target {
            Target::Whole => known.is_some(),
            Target::Part(part) => known.is_some_and(|whole| get(whole, part).is_some()),
            Target::Selected { part: None, .. } => true,
            Target::Selected { by, text, part: Some(part) } => known
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .any(|element| get(element, by) == Some(&json!(text)) && get(element, part).is_some()),
        };
        if kind == PatchKind::Remove && (is_required || !has_target) {
            return None;
        }
        let part_kind = |name: &str| parts.iter().find(|part| part.name == name).map(|part| &part.kind);
        let value = match &target {
            _ if kind == PatchKind::Remove => Value::Null,
            // What is there already is not added again.
            Target::Whole
                if kind == PatchKind::Add
                    && change.choice.number == 5
                    && attribute.is_many()
                    && known.is_some() =>
            {
                json!([known?.as_array()?.first()?])
            }
            Target::Whole | Target::Selected { part: None, .. } => change.choice.value(attribute),
            Target::Part(part) | Target::Selected { part: Some(part), .. } => {
                change.choice.simple(part_kind(part)?)
            }
        };
        if kind == PatchKind::Add && attribute.is_many() && has_twin(known, &value) {
            // Whether a value with another type is the same value is the server's business.
            return None;
        }
        let prefix = match (&attribute.extension, form) {
            (None, PatchForm::UrnPath) => format!("{}:", self.world.user.schema),
            _ => String::new(),
        };
        let path = match &target {
            Target::Whole => format!("{prefix}{}", attribute.path()),
            Target::Part(part) => format!("{prefix}{}.{part}", attribute.path()),
            Target::Selected { by, text, part } => {
                let part = part.as_ref().map_or_else(String::new, |part| format!(".{part}"));
                let text = written.as_ref().unwrap_or(text);
                format!("{prefix}{}[{by} eq {}]{part}", attribute.path(), json!(text))
            }
        };
        let is_in_value = form == PatchForm::WithoutPath
            && kind != PatchKind::Remove
            && matches!(target, Target::Whole | Target::Part(_));
        let json = if is_in_value {
            let inner = match &target {
                Target::Part(part) => json!({ part.as_str(): value }),
                _ => value.clone(),
            };
            let mut whole = json!({});
            attribute.set_in(&mut whole, inner);
            json!({ "op": kind.word(), "value": whole })
        } else {
            let is_raised =
                form == PatchForm::Capitals && attribute.extension.is_none() && !path.contains('[');
            let path = if is_raised { path.to_ascii_uppercase() } else { path };
            let mut json = json!({ "op": kind.word(), "path": path });
            if kind != PatchKind::Remove {
                json["value"] = value.clone();
            }
            json
        };
        let shape = match &target {
            Target::Whole => "",
            Target::Part(_) => " of a sub-attribute",
            Target::Selected { part: None, .. } => " of a selected value",
            Target::Selected { part: Some(_), .. } => " of a sub-attribute of a selected value",
        };
        let with = if is_in_value || form != PatchForm::WithoutPath { form } else { PatchForm::Path };
        let words = format!("PATCH {}{shape} {}", kind.word(), with.word());
        debug_assert!(at < self.resources.len());
        // Whether a complex attribute in a value is joined with what is there or takes its place is open (§3.5.2.1, §3.5.2.3).
        let level =
            if is_in_value && matches!(target, Target::Part(_)) { Level::Should } else { Level::Must };
        Some(Made {
            attribute: change.attribute,
            kind,
            target,
            value,
            choice: change.choice,
            json,
            words,
            level,
        })
    }

    pub(super) async fn patch(&mut self, of: usize, changes: &[Change], form: PatchForm) -> Result<(), Stop> {
        let Some(at) = self.pick(Type::User, of) else { return Ok(()) };
        let mut expected = self.resources[at].expected.clone();
        let mut all = Vec::new();
        for change in changes {
            if let Some(made) = self.operation_for(at, *change, form, &expected) {
                let attribute = &self.world.attributes[made.attribute];
                expected.patch(made.attribute, attribute, made.kind, &made.target, &made.value);
                all.push(made);
            }
        }
        let Some(first) = all.first() else { return Ok(()) };
        let words =
            if all.len() == 1 { first.words.clone() } else { format!("PATCH of {} operations", all.len()) };
        let operations: Value = all.iter().map(|made| made.json.clone()).collect();
        let path = self.resources[at].path.clone();
        let answer = self.ask(&patch(&path, &operations)).await?;
        if answer.is_success() {
            self.resources[at].expected = expected;
            let choices: Vec<_> = all
                .iter()
                .map(|made| Written {
                    attribute: made.attribute,
                    choice: made.choice,
                    form: &made.words,
                    level: made.level,
                })
                .collect();
            let after = After { choices: &choices, ..After::new(Rule::PatchStores, &words) };
            self.look_at(at, Some(&answer), after).await?;
        } else {
            self.patch_refused(at, &all, &words, &answer).await?;
            self.look_at(at, None, After::refused(&words)).await?;
        }
        self.look_at_others(&[at], &words).await
    }
}
