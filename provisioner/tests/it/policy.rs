//! The policy's whole cross product, as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use provisioner::policy::{Change, Decision, Effect, Leave, Link, LinkAction, Verdict, decide};
use provisioner::preferences::Preferences;
use provisioner::report::Operation;

const FLAGS: [bool; 2] = [false, true];

fn changes() -> Vec<Change> {
    let mut changes = Vec::new();
    for attributes in FLAGS {
        changes.extend([
            Change::Enters { attributes },
            Change::Stays { attributes },
            Change::Returns { attributes },
        ]);
    }
    changes.extend([Leave::Deleted, Leave::LeftScope, Leave::RuleDeleted].map(Change::Leaves));
    changes
}

fn links() -> Vec<Link> {
    let mut links = vec![Link::None, Link::Ambiguous, Link::LinkedGone];
    for active in FLAGS {
        links.push(Link::UnlinkedMatch { active });
        for flag in FLAGS {
            links.push(Link::LinkedElsewhere { holder_in_source: flag, active });
            links.push(Link::Linked { active, deprovisioned_here: flag });
        }
    }
    links
}

fn words(decision: Decision) -> String {
    let mut words = Vec::new();
    match decision.link {
        LinkAction::Keep => {}
        LinkAction::Adopt => words.push("adopt".to_owned()),
        LinkAction::Drop => words.push("drop".to_owned()),
    }
    match decision.effect {
        Effect::None => {}
        Effect::Create => words.push("create".to_owned()),
        Effect::Write { attributes, active } => {
            let attributes = if attributes { " attributes" } else { "" };
            let active = active.map_or(String::new(), |active| format!(" active={active}"));
            words.push(format!("write{attributes}{active}"));
        }
        Effect::Remove(action) => words.push(format!("{action:?}").to_lowercase()),
    }
    if decision.verdict != Verdict::Clear {
        words.push(format!("{:?}", decision.verdict));
    }
    if decision.attributes_withheld {
        words.push("updation-off".to_owned());
    }
    if decision.active_withheld {
        words.push("disable-off".to_owned());
    }
    if words.is_empty() { "nothing".to_owned() } else { words.join(" + ") }
}

#[test]
fn the_whole_cross_product() {
    let mut table = String::new();
    for change in changes() {
        for link in links() {
            for enabled in FLAGS {
                let mut by_words: BTreeMap<String, Vec<String>> = BTreeMap::new();
                for (number, preferences) in Preferences::all().enumerate() {
                    let decision = decide(preferences, change, link, enabled);
                    by_words.entry(words(decision)).or_default().push(number.to_string());
                }
                let all = by_words.len() == 1;
                for (words, settings) in by_words {
                    let settings = if all { "all".to_owned() } else { settings.join(" ") };
                    let source = if enabled { "enabled" } else { "disabled" };
                    writeln!(table, "{change:?} | {link:?} | {source} | {words} | settings {settings}")
                        .unwrap();
                }
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
        for change in changes() {
            for link in links() {
                for enabled in FLAGS {
                    let decision = decide(preferences, change, link, enabled);
                    match decision.effect {
                        Effect::Remove(action) => {
                            let deprovision = preferences.deprovisions().expect("deprovision is on");
                            assert_eq!(action, deprovision.remove_action);
                            assert!(matches!(change, Change::Leaves(_)));
                        }
                        Effect::Write { active, .. } => assert!(active.is_none() || preferences.disables()),
                        Effect::Create => assert!(preferences.creates() && enabled),
                        Effect::None => {}
                    }
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
