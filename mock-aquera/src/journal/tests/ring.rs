use super::*;

#[test]
fn the_oldest_go_and_numbers_stay() {
    let journal = Journal::of("acme");
    journal.set_limits(JournalLimits { exchanges: 3, ..JournalLimits::default() });
    for _ in 0..8 {
        journal.record_whole(record(Method::GET, "/scim/Users", ""));
    }
    let seqs: Vec<u64> = journal.query(&JournalQuery::new()).iter().map(|exchange| exchange.seq).collect();
    assert_eq!(seqs, [6, 7, 8]);
    journal.clear();
    assert_eq!(journal.size(), JournalSize { exchanges: 0, bytes: 0, last_seq: 8 });
    assert_eq!(journal.record_whole(record(Method::GET, "/scim/Users", "")), 9);
    assert_eq!(journal.counters().requests(), 9);
    journal.reset_counters();
    assert_eq!(journal.counters().requests(), 0);
}

#[test]
fn what_is_too_large_is_kept_without_its_bodies() {
    let journal = Journal::of("acme");
    journal.set_limits(JournalLimits { bytes: 8_192, ..JournalLimits::default() });
    journal.record_whole(record(Method::GET, "/scim/Users", ""));
    journal.record_whole(record(Method::POST, "/scim/Users", &"x".repeat(10_000)));
    let exchanges = journal.query(&JournalQuery::new());
    assert_eq!(exchanges.last().unwrap().request_body, Some(json!("[left out: 10000 bytes]")));
    assert_eq!(exchanges.len(), 2);
}

#[test]
fn large_states_are_not_kept() {
    let mut record = record(Method::DELETE, "/scim/Users/1", "");
    let large = format!(r#"{{"userName":"a","x":"{}"}}"#, "x".repeat(70_000));
    record.changes.push(StateChange {
        resource_type: "User".into(),
        id: "1".into(),
        kind: ChangeKind::Deleted,
        before: Some(large.into()),
        after: None,
    });
    let change = only(record).changes.remove(0);
    assert_eq!((change.user_name, change.attributes.len()), (None, 0));
}

proptest! {
    #[test]
    fn bounds_hold_and_numbers_have_no_gap(
        exchanges in 0_usize..20,
        bytes in 0_usize..20_000,
        sizes in prop::collection::vec(0_usize..6_000, 0..40),
    ) {
        let journal = Journal::of("acme");
        let limits = JournalLimits { exchanges, bytes };
        journal.set_limits(limits);
        for (before, size) in (0_u64..).zip(&sizes) {
            let seq = journal.record_whole(record(Method::POST, "/scim/Users", &"x".repeat(*size)));
            prop_assert_eq!(seq, before + 1);
            let size = journal.size();
            prop_assert!(size.exchanges <= exchanges && size.bytes <= bytes, "{:?} in {:?}", size, limits);
            let kept = journal.after(0, usize::MAX).1;
            let weight: usize = kept.iter().map(|(_, record)| record.weight).sum();
            prop_assert_eq!(weight, size.bytes);
            let seqs: Vec<u64> = kept.iter().map(|(seq, _)| *seq).collect();
            let expected: Vec<u64> = (seq + 1 - kept.len() as u64..=seq).collect();
            prop_assert_eq!(seqs, expected);
        }
    }
}
