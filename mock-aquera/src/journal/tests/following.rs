use std::task::Poll;

use super::*;

fn seqs(all: &[Exchange]) -> Vec<u64> {
    all.iter().map(|exchange| exchange.seq).collect()
}

/// Where the journal forgets to wake, this fails instead of waiting for ever.
async fn next(live: &mut Subscription) -> Option<Live> {
    tokio::time::timeout(Duration::from_secs(20), live.next()).await.unwrap()
}

#[tokio::test]
async fn a_wait_counts_what_is_there_and_what_comes() {
    let journal = Journal::of("acme");
    journal.record_whole(record(Method::POST, "/scim/Users", ""));
    let waiting = journal.clone();
    let query = JournalQuery::new().method("POST");
    let waiter =
        tokio::spawn(async move { waiting.wait_for(query, 2, Duration::from_mins(10)).await.unwrap() });
    tokio::task::yield_now().await;
    journal.record_whole(record(Method::GET, "/scim/Users", ""));
    journal.record_whole(record(Method::POST, "/scim/Users", ""));
    // From outside: a time limit of its own would wake it.
    let came = tokio::time::timeout(Duration::from_secs(20), waiter).await.unwrap().unwrap();
    assert_eq!(seqs(&came), [1, 3]);
}

#[tokio::test]
async fn a_wait_ends_with_what_came() {
    let journal = Journal::of("acme");
    journal.record_whole(record(Method::POST, "/scim/Users", ""));
    let error = journal.wait_for(JournalQuery::new(), 2, Duration::from_millis(5)).await.unwrap_err();
    assert_eq!(seqs(&error.came), [1]);
    assert_eq!(error.to_string(), "wait for 2 matching exchanges within 5ms: 1 came");
    assert!(journal.wait_for(JournalQuery::new(), 1, Duration::ZERO).await.is_ok());
}

#[tokio::test]
async fn a_follower_gets_what_comes_in_order_and_only_what_was_asked_for() {
    let journal = Journal::of("acme");
    journal.record_whole(record(Method::POST, "/scim/Users", ""));
    let mut live = journal.subscribe(JournalQuery::new().method("POST"));
    journal.record_whole(record(Method::GET, "/scim/Users", ""));
    journal.record_whole(record(Method::POST, "/scim/Users", ""));
    let first = next(&mut live).await.unwrap();
    let json = serde_json::to_value(&first).unwrap();
    assert_eq!((&json["type"], &json["exchange"]["seq"]), (&json!("exchange"), &json!(3)));
    drop(journal);
    assert_eq!(next(&mut live).await, None);
}

#[tokio::test]
async fn a_slow_follower_is_told_how_much_it_missed() {
    let journal = Journal::of("acme");
    journal.set_limits(JournalLimits { exchanges: 2, ..JournalLimits::default() });
    let mut live = journal.subscribe(JournalQuery::new());
    for _ in 0..5 {
        journal.record_whole(record(Method::GET, "/scim/Users", ""));
    }
    assert_eq!(next(&mut live).await, Some(Live::Lagged { missed: 3 }));
    for seq in [4, 5] {
        let Some(Live::Exchange { exchange }) = next(&mut live).await else { panic!("an exchange") };
        assert_eq!(exchange.seq, seq);
    }
}

#[tokio::test]
async fn the_past_can_be_followed_too() {
    let journal = Journal::of("acme");
    journal.record_whole(record(Method::GET, "/scim/Users", ""));
    let mut live = journal.subscribe(JournalQuery::new().since(0));
    assert!(matches!(next(&mut live).await, Some(Live::Exchange { exchange }) if exchange.seq == 1));
}

#[tokio::test]
async fn records_of_many_threads_all_arrive_once() {
    let journal = Journal::of("acme");
    let live = journal.subscribe(JournalQuery::new());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let journal = journal.clone();
            std::thread::spawn(move || {
                for _ in 0..50 {
                    journal.record_whole(record(Method::GET, "/scim/Users", ""));
                }
            })
        })
        .collect();
    let came: Vec<Live> =
        tokio::time::timeout(Duration::from_secs(20), live.take(200).collect()).await.unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
    let seqs: Vec<u64> = came
        .iter()
        .map(|live| match live {
            Live::Exchange { exchange } => exchange.seq,
            Live::Lagged { .. } => 0,
        })
        .collect();
    assert_eq!(seqs, (1..=200).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_wait_holds_no_more_than_the_journal_may() {
    let journal = Journal::of("acme");
    journal.set_limits(JournalLimits { exchanges: 3, ..JournalLimits::default() });
    let mut gathered = Gathered::within(journal.limits());
    {
        let mut gathering = std::pin::pin!(journal.gather(JournalQuery::new(), 50, &mut gathered));
        for _ in 0..50 {
            journal.record_whole(record(Method::POST, "/scim/Users", ""));
            let polled = std::future::poll_fn(|context| Poll::Ready(gathering.as_mut().poll(context))).await;
            if let Poll::Ready(enough) = polled {
                assert!(enough);
            }
        }
    }
    assert_eq!((gathered.matched, seqs(&journal.shown(&gathered))), (50, vec![48, 49, 50]));

    // And no more bytes, though each of them is small enough.
    let large = "x".repeat(3000);
    journal.set_limits(JournalLimits { exchanges: 1000, bytes: 10_000 });
    let mut gathered = Gathered::within(journal.limits());
    let since = JournalQuery::new().since(50);
    {
        let mut gathering = std::pin::pin!(journal.gather(since, 20, &mut gathered));
        for _ in 0..20 {
            journal.record_whole(record(Method::POST, "/scim/Users", &large));
            let _ = std::future::poll_fn(|context| Poll::Ready(gathering.as_mut().poll(context))).await;
        }
    }
    assert_eq!((gathered.matched, seqs(&journal.shown(&gathered))), (20, vec![68, 69, 70]));
}

#[tokio::test]
async fn what_several_followers_read_is_made_readable_once() {
    let journal = Journal::of("acme");
    let mut followers: Vec<_> = (0..3).map(|_| journal.subscribe(JournalQuery::new())).collect();
    journal.record_whole(record(Method::POST, "/scim/Users", ""));
    let mut read = Vec::new();
    for follower in &mut followers {
        let found = std::future::poll_fn(|context| follower.poll_found(context)).await;
        let Some(Found::Match(_, readable)) = found else { panic!("an exchange") };
        read.push(readable);
    }
    assert!(Arc::ptr_eq(&read[0], &read[1]) && Arc::ptr_eq(&read[1], &read[2]));
    // What is held for them is bounded.
    for _ in 0..200 {
        journal.record_whole(record(Method::POST, "/scim/Users", &"x".repeat(30_000)));
        let _ = std::future::poll_fn(|context| followers[0].poll_found(context)).await;
    }
    assert!(lock(&journal.0.read).weighs() <= 1024 * 1024);
}
