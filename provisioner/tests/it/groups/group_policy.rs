//! The policy of groups: its whole cross product as a table, and the members to add and remove.

use std::fmt::Write as _;

use provisioner::id_set::IdSet;
use provisioner::policy::Leave;
use provisioner::policy::groups::{
    GroupDeletion, GroupDifferences, GroupLeaveDecision, GroupState, GroupSwitches, GroupWrites, Members,
    MembersMode, OwnedGroupDecision, decide_group_leave, decide_owned_group, member_changes,
};

const FLAGS: [bool; 2] = [false, true];
const DELETIONS: [GroupDeletion; 2] = [GroupDeletion::Keep, GroupDeletion::Delete];
const STATES: [GroupState; 7] = [
    GroupState::None,
    GroupState::UnlinkedMatch,
    GroupState::Ambiguous,
    GroupState::LinkedElsewhere { holder_in_source: false },
    GroupState::LinkedElsewhere { holder_in_source: true },
    GroupState::Linked,
    GroupState::LinkedGone,
];
const LEAVES: [Leave; 3] = [Leave::Deleted, Leave::LeftScope, Leave::RuleDeleted];

fn switches() -> Vec<GroupSwitches> {
    let mut all = Vec::new();
    for create in FLAGS {
        for update in FLAGS {
            all.extend(DELETIONS.map(|deletion| GroupSwitches { create, update, deletion }));
        }
    }
    all
}

fn differences() -> Vec<GroupDifferences> {
    FLAGS.into_iter().flat_map(|name| FLAGS.map(|members| GroupDifferences { name, members })).collect()
}

#[test]
fn group_policy_cross_product_matches_the_snapshot() {
    let mut table = String::from("owned: create update | state | name members | decision\n");
    for switches in switches() {
        // What becomes of a group that left does not affect one that did not.
        if switches.deletion == GroupDeletion::Delete {
            continue;
        }
        for state in STATES {
            for differs in differences() {
                let decision = decide_owned_group(switches, state, differs);
                let other = GroupSwitches { deletion: GroupDeletion::Delete, ..switches };
                assert_eq!(decide_owned_group(other, state, differs), decision);
                let (GroupSwitches { create, update, .. }, GroupDifferences { name, members }) =
                    (switches, differs);
                writeln!(table, "{create} {update} | {state:?} | {name} {members} | {decision:?}").unwrap();
            }
        }
    }
    table.push_str("left: deletion | leave | state | decision\n");
    for deletion in DELETIONS {
        for leave in LEAVES {
            for state in STATES {
                let decision = decide_group_leave(deletion, leave, state);
                writeln!(table, "{deletion:?} | {leave:?} | {state:?} | {decision:?}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn group_is_deleted_only_if_linked_and_the_rule_says_so() {
    for deletion in DELETIONS {
        for leave in LEAVES {
            for state in STATES {
                if decide_group_leave(deletion, leave, state) == GroupLeaveDecision::Delete {
                    assert_eq!((deletion, state), (GroupDeletion::Delete, GroupState::Linked));
                    assert_ne!(leave, Leave::RuleDeleted, "nothing says then that it may be deleted");
                }
            }
        }
    }
}

#[test]
fn group_is_written_only_if_the_switches_say_so() {
    for switches in switches() {
        for state in STATES {
            for differs in differences() {
                let decision = decide_owned_group(switches, state, differs);
                let creates = matches!(decision, OwnedGroupDecision::Create { .. });
                assert!(!creates || switches.create, "{switches:?} {state:?}");
                let writes = match decision {
                    OwnedGroupDecision::Adopt(writes) | OwnedGroupDecision::Linked(writes) => writes,
                    OwnedGroupDecision::Create { .. }
                    | OwnedGroupDecision::NotCreated { .. }
                    | OwnedGroupDecision::NoGroup(_) => continue,
                };
                let expected = match (differs.any(), switches.update) {
                    (false, _) => GroupWrites::Nothing,
                    (true, true) => GroupWrites::Write(differs),
                    (true, false) => GroupWrites::Withheld(differs),
                };
                assert_eq!(writes, expected, "{switches:?} {state:?} {differs:?}");
            }
        }
    }
}

/// The members to add and to remove, each as its letters.
#[track_caller]
fn check(
    mode: MembersMode,
    wanted: &str,
    untouched: &str,
    written: &str,
    present: Option<&str>,
    expected: &str,
) {
    let set = |letters: &str| IdSet::new(letters.chars().map(String::from));
    let (wanted, untouched, written) = (set(wanted), set(untouched), set(written));
    let present = present.map(set);
    let members =
        Members { wanted: &wanted, untouched: &untouched, written: &written, present: present.as_ref() };
    let changes = member_changes(mode, members);
    let letters = |set: &IdSet| set.iter().map(|id| id.to_string()).collect::<String>();
    assert_eq!(format!("+{} -{}", letters(&changes.add), letters(&changes.remove)), expected);
}

#[test]
fn members_that_were_not_written_here_stay_under_merge_and_go_under_overwrite() {
    use MembersMode::{Merge, Overwrite};
    for mode in [Merge, Overwrite] {
        // Nothing was read: what was written is taken for what there is.
        check(mode, "abc", "", "abc", None, "+ -");
        check(mode, "abc", "", "ab", None, "+c -");
        check(mode, "a", "", "abc", None, "+ -bc");
        check(mode, "ad", "", "abc", None, "+d -bc");
        check(mode, "", "", "abc", None, "+ -abc");
        // The account of a frozen user stays, in whichever group it is, and comes into none.
        check(mode, "a", "b", "abc", None, "+ -c");
        // A member that was removed by somebody else is added again; one that is gone already needs no removal.
        check(mode, "abc", "", "abc", Some("ab"), "+c -");
        check(mode, "a", "", "abc", Some("ab"), "+ -b");
    }
    check(Merge, "abc", "", "", Some("cx"), "+ab -");
    check(Overwrite, "abc", "", "", Some("cx"), "+ab -x");
    check(Merge, "ab", "", "abc", Some("abcx"), "+ -c");
    check(Overwrite, "ab", "", "abc", Some("abcx"), "+ -cx");
    check(Overwrite, "ab", "x", "abc", Some("abcx"), "+ -c");
}
