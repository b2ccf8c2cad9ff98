//! Which requests are struck: triggers on a clock that is moved by hand, order, chance.

use axum::http::Method;
use jiff::SignedDuration;

use super::*;
use crate::fault::Latency;

/// A request without anything to look at in its body.
fn subject(method: &Method) -> Subject<'_> {
    Subject {
        method,
        path: "/Users/1",
        resource_type: Some("User"),
        core: None,
        id: Some("1"),
        user_name: &|| None,
        patch_paths: &Vec::new,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

struct Bench {
    faults: Faults,
    seed: u64,
}

impl Bench {
    fn new(rules: &[&str]) -> Self {
        let mut bench = Self { faults: Faults::default(), seed: 1 };
        for rule in rules {
            bench.add(rule);
        }
        bench
    }

    fn add(&mut self, rule: &str) -> FaultId {
        self.faults.add(Fault::read(rule).unwrap(), at(0))
    }

    fn go(&mut self, method: &Method, seconds: i64) -> Strikes {
        self.faults.strike(&subject(method), at(seconds), self.seed)
    }

    /// The id of what strikes a GET; 0 for nothing.
    fn get(&mut self, seconds: i64) -> u64 {
        self.go(&Method::GET, seconds).main.map_or(0, |struck| struck.id.0)
    }

    fn gets(&mut self, count: usize) -> Vec<u64> {
        (0..count).map(|_| self.get(0)).collect()
    }

    /// Matched and struck, by rule.
    fn counts(&self) -> Vec<(u64, u64, bool)> {
        self.faults.list().iter().map(|state| (state.matched, state.struck, state.spent)).collect()
    }
}

#[test]
fn triggers_pick_the_matches() {
    #[track_caller]
    fn check(trigger: &str, struck: &str) {
        let mut bench = Bench::new(&[&format!("reset {trigger}")]);
        let seen: String =
            bench.gets(struck.len()).iter().map(|id| if *id == 0 { '.' } else { 'x' }).collect();
        assert_eq!(seen, struck, "{trigger}");
    }
    check("", "x....");
    check("times=0", ".....");
    check("times=3", "xxx..");
    check("times=always", "xxxxx");
    check("nth=3", "..x..");
    check("nth=3 times=always", "..x..");
    check("every=3", "..x..x..x");
    check("every=3 times=2", "..x..x...");
    check("after=2", "..xxx");
    check("after=2 times=2", "..xx.");
    check("after=2 every=2", "...x.x.x");
    check("probability=0 times=always", ".....");
    check("probability=1", "xxxxx");
    check("probability=1 times=2", "xx...");
    check("ttl=1s", "xxxxx");
    check("from=+0s", "xxxxx");
    check("from=+1s", ".....");
    check("until=+0s", ".....");
}

#[test]
fn windows_follow_the_clock() {
    #[track_caller]
    fn check(trigger: &str, struck: &[i64]) {
        let mut bench = Bench::new(&[]);
        bench.faults.add(Fault::read(&format!("reset {trigger}")).unwrap(), at(100));
        let seen: Vec<i64> = (100..180).step_by(10).filter(|seconds| bench.get(*seconds) > 0).collect();
        assert_eq!(seen, struck, "{trigger}");
    }
    check("from=+10s until=+30s", &[110, 120]);
    check("from=1970-01-01T00:02:30Z", &[150, 160, 170]);
    check("until=1970-01-01T00:01:50Z", &[100]);
    check("ttl=20s", &[100, 110]);
    check("ttl=40s from=+20s", &[120, 130]);
    check("from=+10s times=2", &[110, 120]);
    check("from=+30s every=2", &[130, 150, 170]);
    check("from=9999-12-30T22:00:00Z ttl=18446744073709551615s", &[]);
}

#[test]
fn a_window_opens_again_when_the_clock_is_set_back_but_an_expired_rule_is_gone() {
    let mut bench = Bench::new(&["reset until=+10s"]);
    assert_eq!([bench.get(20), bench.get(5)], [0, 1]);
    let mut bench = Bench::new(&["reset ttl=10s"]);
    assert_eq!([bench.get(20), bench.get(5)], [0, 0]);
    assert!(bench.faults.is_empty());
    assert_eq!(bench.counts(), [(0, 0, true)]);
}

#[test]
fn the_first_that_is_ready_strikes_and_the_others_keep_their_strikes() {
    let mut bench = Bench::new(&["status=500 method=POST", "status=503 times=2", "reset after=1", "hang"]);
    assert_eq!(bench.go(&Method::POST, 0).main.unwrap().id, FaultId(1));
    assert_eq!(bench.counts(), [(1, 1, true), (1, 0, false), (1, 0, false), (1, 0, false)]);
    assert_eq!(bench.gets(5), [2, 2, 3, 3, 3]);
    assert_eq!(bench.counts(), [(1, 1, true), (3, 2, true), (6, 3, false), (6, 0, false)]);
    assert!(bench.faults.remove(FaultId(3)) && !bench.faults.remove(FaultId(3)));
    assert_eq!(bench.gets(2), [4, 0]);
    assert!(bench.faults.is_empty() && bench.faults.list().len() == 3);
}

#[test]
fn latencies_add_up_beside_another_fault() {
    let rules = ["latency=200ms times=2", "status=503 phase=after", "latency=1s phase=after", "latency=5ms"];
    let mut bench = Bench::new(&rules);
    let strikes = bench.go(&Method::GET, 0);
    assert_eq!(strikes.delay(Phase::BeforeEffect), Duration::from_millis(205));
    assert_eq!(strikes.delay(Phase::AfterEffect), Duration::from_secs(1));
    assert_eq!(strikes.main.as_ref().unwrap().phase, Phase::AfterEffect);
    let fired: Vec<_> = strikes.rules().map(|rule| &**rule).collect();
    assert_eq!(fired, [rules[1], rules[0], rules[2], rules[3]], "the rule that decided comes first");
    let strikes = bench.go(&Method::GET, 0);
    assert_eq!((strikes.delays.len(), strikes.main), (1, None));
    assert_eq!(bench.go(&Method::GET, 0), Strikes::default());
}

#[test]
fn what_does_not_match_counts_nothing() {
    let mut bench = Bench::new(&["reset method=POST nth=2", "reset id=2", "hang nth=1 probability=0"]);
    for (method, struck) in
        [(Method::GET, false), (Method::POST, false), (Method::GET, false), (Method::POST, true)]
    {
        assert_eq!(bench.go(&method, 0).main.is_some(), struck);
    }
    assert_eq!(bench.counts(), [(2, 1, true), (0, 0, false), (1, 0, true)], "the one that was meant went by");
}

#[test]
fn revoked_credentials_stay_refused_until_the_rule_goes() {
    let mut bench =
        Bench::new(&["latency=1ms times=always", "status=503 times=always", "revoke method=PUT after=1"]);
    let revoke = FaultId(3);
    assert_eq!(bench.gets(2), [2, 2]);
    assert!(bench.faults.remove(FaultId(2)));
    assert!(bench.go(&Method::PUT, 0).main.is_none());
    assert_eq!(bench.go(&Method::PUT, 0).main.unwrap().id, revoke);
    let refused = bench.go(&Method::GET, 0);
    assert_eq!(refused.delays, [], "a refused connection meets no other fault");
    assert_eq!(refused.main.map(|struck| (struck.id, struck.phase)), Some((revoke, Phase::BeforeEffect)));
    bench.add("status=500");
    assert_eq!(bench.gets(2), [3, 3]);
    assert!(bench.faults.remove(revoke));
    assert_eq!(bench.gets(2), [4, 0]);
}

#[test]
fn a_revocation_ends_with_its_time() {
    for rule in ["revoke ttl=10s", "revoke until=+10s", "revoke times=1 ttl=10s", "revoke nth=1 ttl=10s"] {
        let mut bench = Bench::new(&[rule]);
        assert_eq!([bench.get(0), bench.get(9), bench.get(10)], [1, 1, 0], "{rule}");
    }
    let mut bench = Bench::new(&["revoke phase=after"]);
    assert_eq!(bench.go(&Method::GET, 0).main.unwrap().phase, Phase::AfterEffect);
    assert_eq!(bench.go(&Method::GET, 0).main.unwrap().phase, Phase::BeforeEffect);
    assert!(!bench.faults.is_empty());
}

/// The matches that this rule strikes, and how late, among others that come before and between.
fn drawn(bench: &mut Bench, id: FaultId, matches: usize) -> Vec<(bool, Duration)> {
    let one = |bench: &mut Bench| {
        let strikes = bench.go(&Method::PUT, 0);
        let mine = strikes.delays.iter().find(|delay| delay.id == id);
        (mine.is_some(), mine.map_or(Duration::ZERO, |delay| delay.lasts))
    };
    (0..matches).map(|_| one(bench)).collect()
}

#[test]
fn draws_hang_on_seed_rule_and_match_alone() {
    let rule = "latency=uniform(1ms,9ms) method=PUT probability=0.5";
    let mut alone = Bench::new(&[rule]);
    let expected = drawn(&mut alone, FaultId(1), 100);
    assert!(expected.iter().any(|(struck, _)| *struck) && expected.iter().any(|(struck, _)| !struck));

    let mut crowded = Bench::new(&["reset probability=0.3", "latency=1ms probability=0.5", rule]);
    let seen: Vec<_> = (0..100)
        .flat_map(|_| {
            crowded.gets(3);
            drawn(&mut crowded, FaultId(3), 1)
        })
        .collect();
    assert_eq!(seen, expected, "other rules and other requests change nothing");

    let mut again = Bench::new(&[rule, rule]);
    assert_ne!(drawn(&mut again, FaultId(2), 100), expected, "the second of one text draws for itself");
    again.faults.clear();
    let id = again.add(rule);
    assert_eq!(id, FaultId(3), "ids do not come again");
    assert_eq!(drawn(&mut again, id, 100), expected, "a clean slate draws as the first time");

    let mut other = Bench { seed: 2, ..Bench::new(&[rule]) };
    assert_ne!(drawn(&mut other, FaultId(1), 100), expected);
}

#[test]
fn threads_share_the_same_draws() {
    let faults = std::sync::Mutex::new(Bench::new(&["reset probability=0.5"]));
    let count = || faults.lock().unwrap().gets(25).iter().filter(|id| **id > 0).count();
    let concurrent: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let alone = Bench::new(&["reset probability=0.5"]).gets(200).iter().filter(|id| **id > 0).count();
    assert_eq!(concurrent, alone);
}

#[test]
fn chance_is_spread_as_asked() {
    let mut bench = Bench::new(&["reset probability=0.2"]);
    let struck = bench.gets(10_000).iter().filter(|id| **id > 0).count();
    assert!((1_850..2_150).contains(&struck), "{struck}");

    let sorted = |latency: &str| {
        let mut bench = Bench::new(&[&format!("latency={latency} times=always")]);
        let mut all: Vec<_> = (0..5_001).map(|_| bench.go(&Method::GET, 0).delays[0].lasts).collect();
        all.sort();
        all
    };
    let (low, high) = (Duration::from_millis(50), Duration::from_millis(200));
    let even = sorted("uniform(50ms,200ms)");
    assert!(even[0] >= low && even[5_000] < high);
    assert!(even[1_250] > Duration::from_millis(82) && even[1_250] < Duration::from_millis(93));
    let skewed = sorted("lognormal(120ms,0.5)");
    let near = |at: usize, millis: f64| {
        let got = skewed[at].as_secs_f64() * 1000.0;
        assert!((got / millis - 1.0).abs() < 0.08, "{at}: {got} is not about {millis}");
    };
    near(2_500, 120.0);
    // One deviation to either side.
    near(4_206, 120.0 * 0.5_f64.exp());
    near(793, 120.0 / 0.5_f64.exp());
    let capped = sorted("lognormal(50s,2)");
    assert_eq!(capped[5_000], Duration::from_mins(1));
    assert_eq!(sorted("120s")[0], Duration::from_mins(2), "what is asked for plainly is not capped");
    assert_eq!(sorted("uniform(5ms,5ms)")[5_000], Duration::from_millis(5));
    let fixed = Latency::Lognormal { median: high, sigma: 0.0 }.drawn(&mut Draw::of(1, "", 0, 1));
    assert_eq!(fixed, high);
}

#[test]
fn random_bytes_repeat_for_the_same_strike_only() {
    let bytes = |bench: &mut Bench| bench.go(&Method::GET, 0).main.unwrap().random_bytes(61);
    let (mut one, mut two) = (Bench::new(&["garbage=61 times=2"]), Bench::new(&["garbage=61 times=2"]));
    let first = bytes(&mut one);
    assert_eq!((first.len(), &first), (61, &bytes(&mut two)));
    assert_ne!(first, bytes(&mut one));
}

#[test]
fn the_spent_are_remembered_up_to_a_limit() {
    let mut bench = Bench::new(&[]);
    let live = bench.add("reset times=0 method=POST ttl=1h after=5");
    assert!(bench.faults.is_empty(), "it never strikes");
    for _ in 0..SPENT + 20 {
        bench.add("reset");
        assert!(bench.get(0) > 0);
    }
    let states = bench.faults.list();
    assert_eq!(states.len(), SPENT);
    assert!(!bench.faults.remove(live) && bench.faults.remove(states[0].id));
}

#[test]
fn a_state_is_written_for_machines() {
    let mut bench = Bench::new(&["status=503 times=2"]);
    bench.get(0);
    let state = serde_json::to_value(bench.faults.list()).unwrap();
    let expected = serde_json::json!([
        {"id": 1, "rule": "status=503 times=2", "matched": 1, "struck": 1, "spent": false}
    ]);
    assert_eq!(state, expected);
    assert_eq!(FaultId(1).to_string().parse(), Ok(FaultId(1)));
    assert!("x".parse::<FaultId>().is_err());
}
