//! Many clients write to one application at once; `examples/hammer` runs the same by time.

#[path = "../../examples/hammer/work.rs"]
mod work;

use mock_aquera::MockAquera;
use work::{Plan, broken_invariants, hammer};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mixed_writes_of_64_clients_leave_everything_consistent() {
    let mock = MockAquera::builder().start().await.unwrap();
    let plan = Plan { clients: 64, seed: 1, operations: 60, end: None };
    let tally = hammer(&mock, plan).await;
    let broken = broken_invariants(&mock, &tally).await;
    assert!(broken.is_empty(), "{}\n{tally}", broken.join("\n"));
    assert_eq!(tally.requests(), 64 * 60, "{tally}");
    assert!(tally.users.1 > 0, "no user is left: {tally}");
    assert!(tally.groups.1 > 0, "no group is left: {tally}");
}
