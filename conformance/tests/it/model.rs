//! The model against rows written by hand from the design, and its whole table as a snapshot.

use std::fmt::Write as _;

use conformance::matrix::model::{Expectation, Method, Options, World, builtin};
use conformance::matrix::scenario;
use conformance::matrix::scenario::faults::Struck;
use conformance::matrix::setting::Setting;

const BY_DISABLE: &str = "create+update+disable+deprovision-by-disable+rules";
const BY_DELETE: &str = "create+update+disable+deprovision-by-delete+rules";
const NO_DISABLE: &str = "create+update+deprovision-by-delete+rules";
const NO_UPDATION: &str = "create+deprovision-by-delete+rules";
const NO_DEPROVISION: &str = "create+update+disable";
const NO_RULES: &str = "create+update+disable+deprovision-by-delete";
const LINK_ONLY: &str = "none";

/// The expectations of all runs of a scenario, in both orders of users.
fn play(setting: &str, profile: &str, method: Method, slug: &str) -> Vec<Expectation> {
    live(setting, profile, method, slug).1
}

/// The world after a scenario, and what was expected of its runs.
fn live(setting: &str, profile: &str, method: Method, slug: &str) -> (World, Vec<Expectation>) {
    let setting = Setting::from_slug(setting).expect("a setting");
    let scenario = scenario::all().into_iter().find(|scenario| scenario.slug == slug).expect("a scenario");
    let mut world = World::new(builtin(profile).expect("a profile"), method, setting);
    let expectations = (scenario.steps)(setting).iter().filter_map(|step| world.step(step)).collect();
    (world, expectations)
}

fn spell(expectation: &Expectation) -> String {
    let lines: Vec<String> = expectation.lines.iter().map(|(id, line)| format!("{id} {line}")).collect();
    let writes: Vec<String> = expectation
        .writes
        .iter()
        .map(|write| format!("{}{}", write.operation, if write.accepted { "" } else { "!" }))
        .collect();
    format!("{} | {} | {}", expectation.exit, lines.join("; "), writes.join(" "))
}

/// The last run of a scenario: exit code, lines, writes.
#[track_caller]
fn check(setting: &str, profile: &str, method: Method, slug: &str, expected: &str) {
    let runs = play(setting, profile, method, slug);
    assert_eq!(spell(runs.last().expect("a run")), expected, "{setting} {profile} {slug}");
}

#[test]
fn decision_table_rows_come_out_as_designed() {
    let check = |setting, slug, expected| check(setting, "aquera", Method::Put, slug, expected);
    check(BY_DISABLE, "created", "0 | u-1 enters create success done | Create");
    check(LINK_ONLY, "created", "0 | u-1 enters none unsynced creation-off | ");
    check(BY_DISABLE, "created-disabled", "0 | u-1 enters none unsynced disabled-at-source | ");
    check(LINK_ONLY, "created-disabled", "0 | u-1 enters none unsynced disabled-at-source | ");
    check(BY_DISABLE, "created-disabled-then-enabled", "0 | u-1 enabled create success done | Create");
    check(LINK_ONLY, "created-disabled-then-enabled", "0 | u-1 enabled none unsynced creation-off | ");
    check(BY_DISABLE, "already-there", "0 | u-1 enters update success done | Replace");
    check(LINK_ONLY, "already-there", "0 | u-1 enters link partial updation-off | ");
    check(LINK_ONLY, "already-there-as-wanted", "0 | u-1 enters link success linked | ");
    check(BY_DISABLE, "already-there-inactive", "0 | u-1 enters enable success done | PartialUpdate Replace");
    check(NO_DISABLE, "already-there-inactive", "0 | u-1 enters update partial disable-off | Replace");
    check(BY_DISABLE, "already-there-disabled", "0 | u-1 enters disable success done | PartialUpdate");
    check(NO_DISABLE, "already-there-disabled", "0 | u-1 enters link partial disable-off | ");
    check(BY_DISABLE, "two-matches", "1 | u-1 enters none failed ambiguous-match | ");
    check(BY_DISABLE, "match-linked-elsewhere", "1 | u-9 enters none failed account-linked-elsewhere | ");
    check(BY_DISABLE, "attributes-changed", "0 | u-1 attributes update success done | Replace");
    check(NO_UPDATION, "attributes-changed", "0 | u-1 attributes none partial updation-off | ");
    check(BY_DISABLE, "disabled", "0 | u-1 disabled disable success done | PartialUpdate");
    check(NO_DISABLE, "disabled", "0 | u-1 disabled none partial disable-off | ");
    check(BY_DISABLE, "enabled-again", "0 | u-1 enabled enable success done | PartialUpdate");
    let both = "0 | u-1 attributes-and-disabled disable success done | PartialUpdate Replace";
    check(BY_DISABLE, "disabled-and-changed", both);
    let one = "0 | u-1 attributes-and-disabled update partial disable-off | Replace";
    check(NO_DISABLE, "disabled-and-changed", one);
    let none = "0 | u-1 attributes-and-disabled none partial disable-off | ";
    check(NO_UPDATION, "disabled-and-changed", none);
    check(BY_DISABLE, "deleted", "0 | u-1 deleted disable success done | PartialUpdate");
    check(BY_DELETE, "deleted", "0 | u-1 deleted delete success done | Delete");
    check(NO_DEPROVISION, "deleted", "0 | u-1 deleted none partial deprovision-off | ");
    check(BY_DELETE, "left-scope", "0 | u-1 left-scope delete success done | Delete");
    check(BY_DELETE, "rule-deleted", "0 | u-1 rule-deleted delete success done | Delete");
    check(NO_RULES, "rule-deleted", "0 | u-1 rule-deleted none partial rule-deletion-off | ");
    check(NO_DEPROVISION, "rule-deleted", "0 | u-1 rule-deleted none partial rule-deletion-off | ");
    check(BY_DISABLE, "came-back", "0 | u-1 returns enable success done | PartialUpdate");
    check(BY_DELETE, "came-back", "0 | u-1 enters create success done | Create");
    check(NO_DEPROVISION, "came-back", "0 | u-1 returns none success done | ");
    check(BY_DISABLE, "came-back-disabled", "0 | u-1 returns none success done | ");
    check(NO_DEPROVISION, "came-back-disabled", "0 | u-1 returns disable success done | PartialUpdate");
    check(BY_DISABLE, "re-hired", "0 | u-9 enters update success done | Replace");
    check(LINK_ONLY, "re-hired", "0 | u-9 enters link partial updation-off | ");
    check(BY_DISABLE, "moved", "0 |  | ");
    check(BY_DELETE, "rule-and-user-deleted", "0 | u-1 deleted delete success done | Delete");
    check(NO_RULES, "rule-and-user-deleted", "0 | u-1 deleted delete success done | Delete");
    check(BY_DISABLE, "removal-already-inactive", "0 | u-1 deleted none success already-inactive | ");
    check(BY_DELETE, "removal-already-gone", "0 | u-1 deleted none success already-gone | ");
    check(BY_DISABLE, "hidden-account", "0 | u-1 enters create success done | Create");
}

#[test]
fn each_profile_has_its_expected_outcome() {
    use Method::{Auto, Patch, Put};
    for method in Method::ALL {
        // Under auto a Disable that is refused for want of support is tried the other way.
        let writes = if method == Auto { "PartialUpdate! PartialUpdate!" } else { "PartialUpdate!" };
        let refused = format!("1 | u-1 deleted disable failed partial-update-unsupported | {writes}");
        check(BY_DISABLE, "no-partial-update", method, "deleted", &refused);
        check(
            BY_DELETE,
            "no-partial-update",
            method,
            "deleted",
            "0 | u-1 deleted delete success done | Delete",
        );
    }
    let alone = "1 | u-1 attributes-and-disabled disable failed partial-update-unsupported | PartialUpdate! PartialUpdate! Replace";
    check(BY_DISABLE, "no-partial-update", Auto, "disabled-and-changed", alone);
    let updated = "0 | u-1 attributes update success done | Replace";
    for profile in
        ["patch-405", "patch-501", "patch-400", "patch-ignored-200", "patch-ignored-204", "patch-lies-200"]
    {
        check(BY_DISABLE, profile, Auto, "attributes-changed", updated);
        check(BY_DISABLE, profile, Put, "attributes-changed", updated);
    }
    let unsupported = "1 | u-1 attributes update failed partial-update-unsupported | ";
    check(BY_DISABLE, "patch-405", Patch, "attributes-changed", unsupported);
    check(BY_DISABLE, "patch-501", Patch, "attributes-changed", unsupported);
    check(
        BY_DISABLE,
        "patch-400",
        Patch,
        "attributes-changed",
        "1 | u-1 attributes update failed rejected | ",
    );
    let ignored = "1 | u-1 attributes update failed ignored-by-target | ";
    check(BY_DISABLE, "patch-lies-200", Patch, "attributes-changed", ignored);
    let patched = "0 | u-1 attributes update success done | PartialUpdate";
    check(BY_DISABLE, "patch-then-404", Auto, "attributes-changed", patched);
    check(BY_DISABLE, "no-put", Auto, "attributes-changed", patched);
    check(BY_DISABLE, "no-put", Put, "attributes-changed", "1 | u-1 attributes update failed rejected | ");
    check(BY_DELETE, "no-delete", Auto, "deleted", "1 | u-1 deleted delete failed delete-unsupported | ");
    let retried = "1 | u-1 retry delete failed delete-unsupported | ";
    check(BY_DELETE, "no-delete", Auto, "failed-removal-retried", retried);
    let back = "0 | u-1 enters enable success done | PartialUpdate";
    check(BY_DELETE, "delete-deactivates", Put, "came-back", back);
    let gone = "1 | u-1 disabled disable failed deleted-by-target | Delete";
    check(BY_DISABLE, "disable-deletes", Auto, "disabled", gone);
    let runs = play(BY_DISABLE, "disable-deletes", Auto, "disable-withheld");
    let told: Vec<String> = runs.iter().skip(1).map(spell).collect();
    assert_eq!(
        told,
        [
            "1 | u-1 disabled disable failed deleted-by-target | Delete",
            "1 | u-1 enters none unsynced disabled-at-source; \
         u-2 attributes-and-disabled disable failed disable-withheld | PartialUpdate",
            "1 | u-2 disabled disable failed disable-withheld | ",
            "1 | u-2 disabled disable failed deleted-by-target | Delete",
        ]
    );
}

#[test]
fn transient_failures_are_tried_again() {
    let told = |setting, profile, slug| -> Vec<String> {
        play(setting, profile, Method::Put, slug).iter().skip(1).map(spell).collect()
    };
    assert_eq!(
        told(BY_DELETE, "aquera", "removal-waits-for-full"),
        [
            "0 | u-1 deleted none partial deprovision-off | ",
            "0 |  | ",
            "0 | u-1 deleted delete success done | Delete",
        ]
    );
    assert_eq!(
        told(BY_DELETE, "aquera", "withheld-then-deleted"),
        [
            "0 | u-1 left-scope none partial deprovision-off | ",
            "0 |  | ",
            "0 | u-1 deleted delete success done | Delete",
        ]
    );
    assert_eq!(
        told(BY_DISABLE, "no-partial-update", "remove-action-changed"),
        [
            "1 | u-1 deleted disable failed partial-update-unsupported | PartialUpdate!",
            "0 | u-1 retry delete success done | Delete",
            "0 |  | ",
        ]
    );
    assert_eq!(
        told(BY_DISABLE, "aquera", "remove-action-changed"),
        ["0 | u-1 deleted disable success done | PartialUpdate", "0 |  | ", "0 |  | ",]
    );
    assert_eq!(
        told(BY_DELETE, "aquera", "delete-guard"),
        [
            "4 |  | ",
            "0 | u-1 left-scope delete success done; u-2 left-scope delete success done | Delete Delete",
        ]
    );
    assert_eq!(told(BY_DELETE, "aquera", "source-changed")[0], "2 |  | ");
    assert_eq!(told(BY_DELETE, "aquera", "empty-source")[0], "5 |  | ");
    assert_eq!(told(BY_DELETE, "aquera", "connection-off")[0], "3 |  | ");
    assert_eq!(told(BY_DELETE, "aquera", "connection-invalid")[0], "3 |  | ");
    assert_eq!(
        told(BY_DELETE, "aquera", "name-handed-on"),
        [
            "1 | u-1 attributes update success done; u-9 enters none failed account-linked-elsewhere | Replace",
            "0 | u-9 enters create success done | Create",
        ]
    );
    assert_eq!(
        told(BY_DELETE, "aquera", "frozen-rule"),
        ["0 |  | ", "0 |  | ", "0 | u-1 deleted delete success done | Delete",]
    );
    assert_eq!(
        told(BY_DELETE, "aquera", "rename-swap"),
        ["0 | u-1 attributes update success done; u-2 attributes update success done \
         | Replace! Replace! Replace Replace Replace",]
    );
}

#[test]
fn an_attribute_that_is_not_stored_fails_its_own_writes_alone() {
    use Method::{Auto, Patch, Put};
    let told = |profile, method, slug| -> Vec<String> {
        play(BY_DISABLE, profile, method, slug).iter().skip(1).map(spell).collect()
    };
    let failed = |writes: &str| format!("1 | u-1 attributes update failed ignored-by-target | {writes}");
    for profile in ["no-title", "no-title-echoed"] {
        // By a fixed method once in each run, and under `auto` by either.
        for (method, writes) in [(Put, "Replace"), (Patch, "PartialUpdate"), (Auto, "PartialUpdate Replace")]
        {
            let full = "u-1 attributes update failed ignored-by-target; u-2 attributes update failed ignored-by-target";
            let runs = told(profile, method, "title-changed");
            assert_eq!(runs[0], failed(writes), "{profile}");
            assert_eq!(runs[1], format!("1 | {full} | {writes}"), "{profile}: a full run judges everybody");
            let disabled = "0 | u-1 attributes-and-disabled disable success done | PartialUpdate";
            let runs = told(profile, method, "title-changed-then-disabled");
            assert_eq!(runs[..2], [failed(writes), disabled.to_owned()], "{profile}");
            let deleted = "0 | u-1 deleted disable success done | PartialUpdate";
            let runs = told(profile, method, "title-changed-then-deleted");
            assert_eq!(runs[..2], [failed(writes), deleted.to_owned()], "{profile}");
        }
    }
    let named = "0 | u-1 attributes update success done | PartialUpdate";
    assert_eq!(told("no-title", Patch, "several-changed")[..2], [named, "0 |  | "], "with others: a success");
    // PUT stores what PATCH takes for the name of a member.
    let other = "0 | u-1 attributes update success done | PartialUpdate Replace";
    assert_eq!(told("swallows-dotted-paths", Auto, "given-name-changed")[0], other);
    assert_eq!(told("swallows-dotted-paths", Patch, "given-name-changed")[0], failed("PartialUpdate"));
    assert_eq!(
        told("family-name-ignored", Put, "names-changed"),
        [
            "0 | u-1 attributes update success done | Replace",
            "0 | u-1 attributes update success done | Replace",
        ]
    );
    // An attribute that is refused keeps nobody active.
    let refused = "1 | u-1 enters disable failed rejected | PartialUpdate! PartialUpdate PartialUpdate!";
    let runs = play(BY_DISABLE, "external-id-read-only", Patch, "already-there-changed-and-disabled");
    assert_eq!(spell(&runs[0]), refused);
    // A mended target is found out by the first user that needs it, and the others follow.
    let runs = told("no-title", Patch, "target-mended-for-others");
    assert_eq!(
        runs[1..],
        [
            "0 | u-1 attributes update success done | PartialUpdate",
            "0 | u-2 attributes update success done | PartialUpdate",
        ]
    );
}

/// Checks the result of a fault: exit, lines and writes of the run that meets the fault, then of the one without it.
#[track_caller]
fn check_fault(method: Method, fault: &str, operation: &str, times: &str, expected: [&str; 2]) {
    let is_it = |struck: &Struck| {
        struck.fault() == fault && struck.operation.as_str() == operation && struck.times() == times
    };
    let struck = Struck::all().into_iter().find(is_it).expect("a fault of the matrix");
    let mut world = World::new(builtin("aquera").expect("a profile"), method, struck.operation.setting());
    let runs: Vec<_> = struck.steps(method).iter().filter_map(|step| world.step(step)).collect();
    let told: Vec<String> = runs[runs.len() - 2..].iter().map(spell).collect();
    assert_eq!(told, expected, "{fault} {operation} {times}");
}

#[test]
fn retries_happen_at_once_or_in_the_next_run() {
    use Method::{Auto, Patch, Put};
    let quiet = "0 |  | ";
    let created = "0 | u-1 enters create success done | Create";
    for passing in ["status-408", "status-429", "status-500", "status-502", "status-503", "status-504"] {
        check_fault(Auto, passing, "create", "once", [created, quiet]);
        check_fault(Auto, passing, "look-up", "once", [created, quiet]);
    }
    // Not tried again: a second POST, PATCH or look-up in the same run would come through.
    for staying in ["status-501", "status-505"] {
        let failed = "1 | u-1 enters create failed target-error | ";
        check_fault(Auto, staying, "create", "once", [failed, created]);
        let failed = "1 | u-1 enters none failed target-error | ";
        check_fault(Auto, staying, "look-up", "once", [failed, created]);
    }
    let limited = "1 | u-1 enters create failed rate-limited | ";
    check_fault(Auto, "status-429", "create", "always", [limited, created]);
    // The account is made once, however often the answer is lost.
    for lost in ["reset-after-effect", "status-503-after-effect", "truncate", "malformed-chunk"] {
        check_fault(Auto, lost, "create", "once", [created, quiet]);
        check_fault(Auto, lost, "create", "always", [created, quiet]);
    }
    let unreachable = "1 | u-1 enters create failed unreachable | ";
    check_fault(Auto, "empty-reply", "create", "always", [unreachable, created]);
    check_fault(
        Auto,
        "status-409",
        "create",
        "once",
        ["1 | u-1 enters create failed hidden-account | ", created],
    );

    let unsupported = "1 | u-1 attributes update failed partial-update-unsupported | ";
    let patched = "0 | u-1 attributes update success done | PartialUpdate";
    let replaced = "0 | u-1 attributes update success done | Replace";
    check_fault(Patch, "status-501", "update", "once", [unsupported, patched]);
    check_fault(Auto, "status-501", "update", "once", [replaced, quiet]);
    check_fault(Auto, "status-422", "update", "always", [replaced, quiet]);
    check_fault(
        Patch,
        "status-403",
        "update",
        "once",
        ["1 | u-1 attributes update failed forbidden | ", patched],
    );
    check_fault(Put, "status-412", "update", "once", [replaced, quiet]);
    check_fault(
        Put,
        "status-412",
        "update",
        "always",
        ["1 | u-1 attributes update failed conflict | ", replaced],
    );

    let stopped = "3 |  | ";
    for refused in ["status-401", "unauthorized", "revoke", "expire-token"] {
        check_fault(Auto, refused, "create", "once", [stopped, created]);
        let deleted = "0 | u-1 deleted delete success done | Delete";
        check_fault(Auto, refused, "delete", "always", [stopped, deleted]);
        check_fault(Auto, refused, "look-up", "always", [stopped, created]);
    }
    // A 403 to everything is not about one user.
    check_fault(Auto, "status-403", "look-up", "always", [stopped, created]);

    // A Disable is judged by what the account says afterwards.
    let disabled = "0 | u-1 disabled disable success done | PartialUpdate";
    check_fault(Patch, "status-404", "read-back", "always", [disabled, quiet]);
    check_fault(
        Patch,
        "status-503",
        "read-back",
        "always",
        [
            "1 | u-1 disabled disable failed target-error | PartialUpdate",
            "0 | u-1 attributes none success done | ",
        ],
    );
    check_fault(
        Auto,
        "status-500",
        "read",
        "always",
        ["1 | u-1 deleted delete failed target-error | ", "0 | u-1 retry delete success done | Delete"],
    );
    check_fault(
        Auto,
        "status-405",
        "delete",
        "once",
        ["1 | u-1 deleted delete failed delete-unsupported | ", "0 | u-1 retry delete success done | Delete"],
    );
}

#[test]
fn group_changes_move_owners_and_members() {
    let check = |setting, slug, expected| check(setting, "aquera", Method::Put, slug, expected);
    check(BY_DELETE, "group-entered", "0 | u-3 enters create success done | Create");
    check(BY_DELETE, "group-left", "0 | u-1 left-scope delete success done | Delete");
    check(BY_DISABLE, "group-left", "0 | u-1 left-scope disable success done | PartialUpdate");
    check(BY_DELETE, "group-changed", "0 |  | ");
    check(BY_DELETE, "group-of-both", "0 | u-1 left-scope delete success done | Delete");
    check(BY_DELETE, "group-id-in-other-case", "0 |  | ");
    check(BY_DELETE, "group-rule-frozen", "0 |  | ");
    check(BY_DELETE, "member-deleted", "0 | u-1 deleted delete success done | Delete");
    let members =
        |slug, setting: &str| live(setting, "aquera", Method::Put, slug).0.groups[0]["Readers"].len();
    for slug in ["member-changed", "member-renamed", "member-disabled", "member-re-hired"] {
        assert_eq!(members(slug, BY_DELETE), 1, "{slug}");
    }
    assert_eq!(members("member-deleted", BY_DISABLE), 1);
    assert_eq!(members("member-deleted", BY_DELETE), 0);
}

/// A run can be asked for in either order of users.
#[test]
fn a_chain_of_renames_comes_out_the_same_in_either_order() {
    let setting = Setting::from_slug(BY_DELETE).expect("a setting");
    let chain =
        scenario::all().into_iter().find(|scenario| scenario.slug == "rename-chain").expect("a chain");
    let ends = [false, true].map(|backwards| {
        let mut world = World::new(builtin("aquera").expect("a profile"), Method::Auto, setting);
        let mut lines = Vec::new();
        for step in (chain.steps)(setting) {
            match step {
                scenario::Step::Sync(_) => {
                    lines.push(world.sync(Options { backwards, ..Options::default() }).lines);
                }
                step => drop(world.step(&step)),
            }
        }
        let mut names: Vec<_> =
            world.accounts().iter().map(|account| account.fields.user_name.clone()).collect();
        names.sort();
        (lines, names)
    });
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0].1, ["nils.berg@example.com", "nils@example.com"]);
}

/// Returns the model's expectations for each scenario's last run under each setting.
fn table(profile: &str, method: Method) -> String {
    let mut text = String::new();
    for scenario in scenario::basics() {
        writeln!(text, "{}", scenario.slug).expect("a string");
        for setting in Setting::valid() {
            let runs = play(&setting.slug(), profile, method, scenario.slug);
            let told = spell(runs.last().expect("a run"));
            writeln!(text, "  {:<52} {told}", setting.slug()).expect("a string");
        }
    }
    text
}

#[test]
fn decision_tables_match_the_snapshots() {
    insta::assert_snapshot!("decisions-aquera-put", table("aquera", Method::Put));
    insta::assert_snapshot!("decisions-no-partial-update-auto", table("no-partial-update", Method::Auto));
}

#[test]
fn setting_contradictions_match_the_snapshot() {
    let mut text = String::new();
    for setting in Setting::all() {
        let contradictions = setting.contradictions();
        let told = if contradictions.is_empty() { "valid".to_owned() } else { contradictions.join(", ") };
        writeln!(text, "{:<52} {told}", setting.slug()).expect("a string");
    }
    insta::assert_snapshot!("settings", text);
}
