//! Many clients write to one application at once; `examples/hammer` runs the same by time.

#[expect(unreachable_pub, dead_code, reason = "it is a module of an example too, which uses the rest of it")]
#[path = "../../examples/hammer/work.rs"]
mod work;

use mock_aquera::MockAquera;
use work::{Plan, Until, broken_invariants, hammer};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mixed_writes_of_64_clients_leave_everything_consistent() {
    let mock = MockAquera::builder().start().await.unwrap();
    let plan = Plan { clients: 64, seed: 1, until: Until::Operations(60) };
    let tally = hammer(&mock, plan).await;
    let broken = broken_invariants(&mock, &tally).await;
    assert!(broken.is_empty(), "{}\n{tally}", broken.join("\n"));
    assert!(tally.requests() == 64 * 60 && tally.users.1 > 0 && tally.groups.1 > 0, "{tally}");
}
