//! The policy's whole cross product, as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use provisioner::policy::{
    AccountChange, AccountState, Leave, LeaveDecision, OwnedChange, OwnedDecision, decide_leave, decide_owned,
};
use provisioner::preferences::Preferences;
use provisioner::report::Operation;

const FLAGS: [bool; 2] = [false, true];

fn owned_changes() -> Vec<OwnedChange> {
    let kinds = |attributes| {
        [
            OwnedChange::Enters { attributes },
            OwnedChange::Stays { attributes },
            OwnedChange::Returns { attributes },
        ]
    };
    FLAGS.into_iter().flat_map(kinds).collect()
}

const LEAVES: [Leave; 3] = [Leave::Deleted, Leave::LeftScope, Leave::RuleDeleted];

fn accounts() -> Vec<AccountState> {
    let mut accounts = vec![AccountState::None, AccountState::Ambiguous, AccountState::LinkedGone];
    for active in FLAGS {
        accounts.push(AccountState::UnlinkedMatch { active });
        for flag in FLAGS {
            accounts.push(AccountState::LinkedElsewhere { holder_in_source: flag, active });
            accounts.push(AccountState::Linked { active, deprovisioned_here: flag });
        }
    }
    accounts
}

fn owned_words(decision: OwnedDecision) -> String {
    let dropped = |drops_link: bool| drops_link.then(|| "drop".to_owned());
    let words: Vec<String> = match decision {
        OwnedDecision::Create { drops_link } => {
            dropped(drops_link).into_iter().chain(["create".to_owned()]).collect()
        }
        OwnedDecision::NotCreated { reason, drops_link } => {
            dropped(drops_link).into_iter().chain([format!("{reason:?}")]).collect()
        }
        OwnedDecision::NoAccount(reason) => vec![format!("{reason:?}")],
        OwnedDecision::Adopt(change) => {
            ["adopt".to_owned()].into_iter().chain(change_words(change)).collect()
        }
        OwnedDecision::Linked(change) => change_words(change),
    };
    if words.is_empty() { "nothing".to_owned() } else { words.join(" + ") }
}

fn change_words(change: AccountChange) -> Vec<String> {
    let mut words = Vec::new();
    match change {
        AccountChange::Unwritten { .. } => {}
        AccountChange::Attributes { .. } => words.push("write attributes".to_owned()),
        AccountChange::Active { active, attributes } => {
            let attributes = if attributes { " attributes" } else { "" };
            words.push(format!("write{attributes} active={active}"));
        }
    }
    if change.attributes_withheld() {
        words.push("updation-off".to_owned());
    }
    if change.active_withheld() {
        words.push("disable-off".to_owned());
    }
    words
}

fn leave_words(decision: LeaveDecision) -> String {
    match decision {
        LeaveDecision::Nothing => "nothing".to_owned(),
        LeaveDecision::Remove(action) => format!("{action:?}").to_lowercase(),
        LeaveDecision::DeprovisionOff => "DeprovisionOff".to_owned(),
        LeaveDecision::AlreadyGone | LeaveDecision::RuleDeletionOff => format!("drop + {decision:?}"),
    }
}

/// Writes a row of `table` for each decision, with the preferences that lead to it.
fn write_rows(
    table: &mut String,
    change: &str,
    account: AccountState,
    enabled: bool,
    words: impl Fn(Preferences) -> String,
) {
    let mut by_words: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (number, preferences) in Preferences::all().enumerate() {
        by_words.entry(words(preferences)).or_default().push(number.to_string());
    }
    let all = by_words.len() == 1;
    for (words, settings) in by_words {
        let settings = if all { "all".to_owned() } else { settings.join(" ") };
        let source = if enabled { "enabled" } else { "disabled" };
        writeln!(table, "{change} | {account:?} | {source} | {words} | settings {settings}").unwrap();
    }
}

#[test]
fn policy_cross_product_matches_the_snapshot() {
    let mut table = String::new();
    for change in owned_changes() {
        for account in accounts() {
            for enabled in FLAGS {
                let words = |preferences| owned_words(decide_owned(preferences, change, account, enabled));
                write_rows(&mut table, &format!("{change:?}"), account, enabled, words);
            }
        }
    }
    for leave in LEAVES {
        for account in accounts() {
            // `enabled` does not affect a leave.
            for enabled in FLAGS {
                let words = |preferences| leave_words(decide_leave(preferences, leave, account));
                write_rows(&mut table, &format!("Leaves({leave:?})"), account, enabled, words);
            }
        }
    }
    let mut legend = String::from("settings:\n");
    for (number, preferences) in Preferences::all().enumerate() {
        writeln!(legend, "{number} {preferences:?}").unwrap();
    }
    insta::assert_snapshot!(format!("{legend}\n{table}"));
}

#[test]
fn delete_and_disable_are_never_substituted() {
    for preferences in Preferences::all() {
        for account in accounts() {
            for leave in LEAVES {
                match decide_leave(preferences, leave, account) {
                    LeaveDecision::Remove(action) => {
                        let deprovision = preferences.deprovisions().expect("deprovision is on");
                        assert_eq!(action, deprovision.remove_action);
                    }
                    LeaveDecision::Nothing
                    | LeaveDecision::AlreadyGone
                    | LeaveDecision::DeprovisionOff
                    | LeaveDecision::RuleDeletionOff => {}
                }
            }
            for (change, enabled) in
                owned_changes().into_iter().flat_map(|change| FLAGS.map(|enabled| (change, enabled)))
            {
                match decide_owned(preferences, change, account, enabled) {
                    OwnedDecision::Create { .. } => {
                        assert!(preferences.creates(), "{preferences:?}");
                        assert!(enabled, "{preferences:?}");
                    }
                    OwnedDecision::Adopt(change) | OwnedDecision::Linked(change) => {
                        assert!(change.active().is_none() || preferences.disables(), "{preferences:?}");
                    }
                    OwnedDecision::NotCreated { .. } | OwnedDecision::NoAccount(_) => {}
                }
            }
        }
    }
}

#[test]
fn operations_are_ordered_by_strength() {
    use Operation::{Create, Delete, Disable, Enable, Link as Linked, None, Update};
    let mut operations = [None, Linked, Update, Create, Enable, Disable, Delete];
    operations.sort();
    assert_eq!(operations, [None, Linked, Update, Create, Enable, Disable, Delete]);
}
