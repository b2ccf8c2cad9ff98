//! The grammar, over all faults that can be made, and what is refused.

use std::time::Duration;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use scim::error::ScimType;

use super::{Fault, FaultKind, Latency, Moment, Phase};

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0..100_000_u64).prop_map(Duration::from_millis),
        any::<u64>().prop_map(Duration::from_nanos),
        (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9.=#*/-]{0,8}", "[a-z\"\\\\\n\r\t =]{0,8}", any::<String>()]
}

fn scim_type() -> impl Strategy<Value = ScimType> {
    prop::sample::select(ScimType::ALL.to_vec())
}

/// Any kind, also those that need correction.
fn kind() -> impl Strategy<Value = FaultKind> {
    let status = (any::<u16>(), of(scim_type()), of(text()), of(text()));
    prop_oneof![
        status.prop_map(|(status, scim_type, detail, retry_after)| FaultKind::Status {
            status,
            scim_type,
            detail,
            retry_after
        }),
        span().prop_map(|span| FaultKind::Latency(Latency::Fixed(span))),
        (span(), span()).prop_map(|(least, most)| FaultKind::Latency(Latency::Uniform(least, most))),
        (span(), any::<f64>())
            .prop_map(|(median, sigma)| FaultKind::Latency(Latency::Lognormal { median, sigma })),
        of(span()).prop_map(FaultKind::Hang),
        prop_oneof![any::<f64>(), 0.0..1.0].prop_map(FaultKind::Truncate),
        any::<usize>().prop_map(FaultKind::Garbage),
        (prop_oneof![0..3_usize, any::<usize>()], span())
            .prop_map(|(chunk, pause)| FaultKind::Dribble { chunk, pause }),
        prop_oneof![-2..3_i64, any::<i64>()].prop_map(FaultKind::WrongLength),
        text().prop_map(FaultKind::WrongType),
        span().prop_map(FaultKind::Refuse),
        prop::sample::select(vec![
            FaultKind::Reset,
            FaultKind::EmptyReply,
            FaultKind::MalformedChunk,
            FaultKind::CloseAfter,
            FaultKind::ExpireToken,
            FaultKind::Unauthorized,
            FaultKind::Revoke,
        ]),
    ]
}

fn moment() -> impl Strategy<Value = Moment> {
    let seconds = Timestamp::MIN.as_second()..Timestamp::MAX.as_second();
    prop_oneof![
        (seconds, 0..1_000_000_000_i32)
            .prop_map(|(seconds, nanos)| Moment::At(Timestamp::new(seconds, nanos).unwrap())),
        span().prop_map(Moment::In),
    ]
}

fn matched() -> impl Strategy<Value = Fault> {
    let method = prop::sample::select(vec!["POST", "put,patch", " Get , delete"]);
    (kind(), of(method), of(text()), of(text()), of(text()), of(text()), of(text())).prop_map(
        |(kind, method, path, resource_type, id, user_name, patch_path)| {
            let with = |fault: Fault, value: Option<String>, add: fn(Fault, String) -> Fault| match value {
                Some(value) => add(fault, value),
                None => fault,
            };
            let fault = with(Fault::new(kind), method.map(str::to_owned), Fault::method);
            let fault = with(fault, path, Fault::path);
            let fault = with(fault, resource_type, Fault::resource_type);
            let fault = with(fault, id, Fault::id);
            let fault = with(fault, user_name, Fault::user_name);
            with(fault, patch_path, Fault::patch_path)
        },
    )
}

#[derive(Debug, Clone)]
enum Step {
    Nth(u32),
    Times(u32),
    Always,
    Every(u32),
    After(u32),
    Probability(f64),
    From(Moment),
    Until(Moment),
    Ttl(Duration),
    Phase(Phase),
    RetryAfter(String),
    Detail(String),
    ScimType(ScimType),
}

impl Step {
    fn take(self, fault: Fault) -> Fault {
        match self {
            Self::Nth(nth) => fault.nth(nth),
            Self::Times(times) => fault.times(times),
            Self::Always => fault.always(),
            Self::Every(every) => fault.every(every),
            Self::After(after) => fault.after(after),
            Self::Probability(probability) => fault.probability(probability),
            Self::From(moment) => fault.from(moment),
            Self::Until(moment) => fault.until(moment),
            Self::Ttl(span) => fault.ttl(span),
            Self::Phase(phase) => fault.phase(phase),
            Self::RetryAfter(text) => fault.retry_after(text),
            Self::Detail(text) => fault.detail(text),
            Self::ScimType(keyword) => fault.scim_type(keyword),
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<u32>().prop_map(Step::Nth),
        any::<u32>().prop_map(Step::Times),
        Just(Step::Always),
        any::<u32>().prop_map(Step::Every),
        any::<u32>().prop_map(Step::After),
        prop_oneof![any::<f64>(), 0.0..1.0].prop_map(Step::Probability),
        moment().prop_map(Step::From),
        moment().prop_map(Step::Until),
        span().prop_map(Step::Ttl),
        prop::sample::select(vec![Phase::BeforeEffect, Phase::AfterEffect]).prop_map(Step::Phase),
        text().prop_map(Step::RetryAfter),
        text().prop_map(Step::Detail),
        scim_type().prop_map(Step::ScimType),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    (matched(), vec(step(), 0..6))
        .prop_map(|(fault, steps)| steps.into_iter().fold(fault, |fault, step| step.take(fault)))
}

proptest! {
    #[test]
    fn every_fault_reads_back_from_its_rule(fault in fault()) {
        let rule = fault.to_string();
        let read = rule.parse::<Fault>();
        prop_assert!(!rule.contains('\n'), "one line: {}", rule);
        // The library may make rules that never strike; a text that says so is a mistake.
        if let Err(never) = fault.can_strike() {
            prop_assert_eq!(read, Err(never), "{}", rule);
            return Ok(());
        }
        prop_assert_eq!(read.as_ref(), Ok(&fault), "{}", rule);
        prop_assert_eq!(Fault::parse_all(&rule), Ok(vec![fault]));
    }

    #[test]
    fn no_text_is_too_strange_to_be_refused(text in text(), key in "[a-z-]{1,12}") {
        let _ = text.parse::<Fault>();
        let _ = format!("reset {key}={text}").parse::<Fault>();
        let _ = Fault::parse_all(&text);
    }
}

#[test]
fn each_word_means_what_it_says() {
    #[track_caller]
    fn check(text: &str, fault: &Fault, canonical: &str) {
        assert_eq!(text.parse::<Fault>().as_ref(), Ok(fault), "{text}");
        assert_eq!(fault.to_string(), canonical);
        assert_eq!(canonical.parse::<Fault>().as_ref(), Ok(fault), "{canonical}");
    }
    #[track_caller]
    fn same(text: &str, kind: FaultKind) {
        check(text, &Fault::new(kind), text);
    }
    let millis = Duration::from_millis;
    same("status=503", FaultKind::status(503));
    same("latency=200ms", FaultKind::Latency(Latency::Fixed(millis(200))));
    same("latency=uniform(50ms,200ms)", FaultKind::Latency(Latency::Uniform(millis(50), millis(200))));
    same(
        "latency=lognormal(120ms,0.5)",
        FaultKind::Latency(Latency::Lognormal { median: millis(120), sigma: 0.5 }),
    );
    same("hang", FaultKind::Hang(None));
    same("hang=30s", FaultKind::Hang(Some(millis(30_000))));
    same("reset", FaultKind::Reset);
    same("empty-reply", FaultKind::EmptyReply);
    same("malformed-chunk", FaultKind::MalformedChunk);
    same("truncate=0.5", FaultKind::Truncate(0.5));
    same("garbage=64", FaultKind::Garbage(64));
    same("dribble=10ms", FaultKind::Dribble { chunk: 1, pause: millis(10) });
    same("dribble=16/10ms", FaultKind::Dribble { chunk: 16, pause: millis(10) });
    same("wrong-length=+10", FaultKind::WrongLength(10));
    same("wrong-length=-1", FaultKind::WrongLength(-1));
    same("wrong-type=text/html", FaultKind::WrongType("text/html".to_owned()));
    same("close-after", FaultKind::CloseAfter);
    same("refuse=2s", FaultKind::Refuse(millis(2000)));
    same("expire-token", FaultKind::ExpireToken);
    same("unauthorized", FaultKind::Unauthorized);
    same("revoke", FaultKind::Revoke);

    check(
        "  times=2 retry-after=0\tscim-type=tooMany status=429 ",
        &Fault::status(429).times(2).retry_after("0").scim_type(ScimType::TooMany),
        "status=429 scim-type=tooMany retry-after=0 times=2",
    );
    check(
        "status=500 method=post,Put phase=after",
        &Fault::status(500).method("POST,PUT").phase(Phase::AfterEffect),
        "status=500 method=POST,PUT phase=after",
    );
    check(
        r#"retry-after="Mon, 23 Nov 2026 10:00:00 GMT" detail="say \"no\"" status=503 phase=before"#,
        &Fault::status(503).retry_after("Mon, 23 Nov 2026 10:00:00 GMT").detail("say \"no\""),
        r#"status=503 detail="say \"no\"" retry-after="Mon, 23 Nov 2026 10:00:00 GMT""#,
    );
    check(
        r#"reset path=/Users/* type=User id=1 user-name=a@b patch-path="emails[type eq \"work\"].value" nth=3"#,
        &Fault::reset()
            .path("Users/*")
            .resource_type("User")
            .id("1")
            .user_name("a@b")
            .patch_path("emails[type eq \"work\"].value")
            .nth(3),
        r#"reset path=/Users/* type=User id=1 user-name=a@b patch-path="emails[type eq \"work\"].value" nth=3"#,
    );
    check(
        "hang ttl=1m until=+60s from=2026-11-23T11:00:00+01:00 probability=.5 after=0 every=10 times=always",
        &Fault::hang()
            .ttl(millis(60_000))
            .until(millis(60_000))
            .from("2026-11-23T10:00:00Z".parse::<Timestamp>().unwrap())
            .probability(0.5)
            .after(0)
            .every(10)
            .always(),
        "hang times=always every=10 after=0 probability=0.5 from=2026-11-23T10:00:00Z until=+60s ttl=60s",
    );
    check("truncate=1 phase=after", &Fault::new(FaultKind::Truncate(1.0)), "truncate=1");
}

#[test]
fn what_cannot_be_carried_out_is_corrected() {
    assert_eq!(Fault::status(99), Fault::status(500));
    assert_eq!(Fault::status(503).retry_after("a\r\nb: c\u{e9}"), Fault::status(503).retry_after("ab: c"));
    assert_eq!(
        Fault::reset().retry_after("3").detail("x"),
        Fault::reset(),
        "there is nothing to send it with"
    );
    assert_eq!(Fault::reset().probability(f64::NAN), Fault::reset().probability(0.0));
    assert_eq!(Fault::reset().nth(0).every(0), Fault::reset().nth(1).every(1));
    let truncated = Fault::new(FaultKind::Truncate(2.0));
    assert_eq!(truncated.clone().phase(Phase::BeforeEffect), truncated);
}

#[test]
fn a_bad_rule_says_which_word_and_what_fits() {
    #[track_caller]
    fn check(text: &str, message: &str) {
        assert_eq!(text.parse::<Fault>().unwrap_err().to_string(), message, "{text}");
    }
    let no_kind = "a fault needs to say what it does, such as `status=503`, `latency=200ms` or `reset`";
    check("", no_kind);
    check("times=2 method=POST", no_kind);
    let presets = "the presets are mild, rough and hostile";
    let rule = "a rule looks like `status=503 method=POST times=2`";
    check("503", &format!("unknown fault key or preset `503`; {presets}; {rule}"));
    check("zz=1", &format!("unknown fault key or preset `zz`; {rule}"));
    check("chaos", &format!("unknown fault key or preset `chaos`; {presets}; {rule}"));
    check("statsu=503", "unknown fault key or preset `statsu`; did you mean `status`?");
    check(
        "status=503 patchpath=active",
        "unknown fault key or preset `patchpath`; did you mean `patch-path`?",
    );
    check(
        "hostil",
        "unknown fault key or preset `hostil`; the presets are mild, rough and hostile; did you mean `hostile`?",
    );
    check("status", "`status` takes an HTTP status from 200 to 599: `status=…`");
    check("reset times", "`times` takes a number, or `always`: `times=…`");
    check("reset=1", "`reset` takes no value");
    check("status=503 times=2 times=3", "`times` is written twice");
    check("status=503 status=500", "`status` is written twice");
    check("status=503 reset", "a fault does one thing, and here are `status` and `reset`; write two rules");
    check("reset retry-after=3", "`retry-after` goes with `status`, and not with `reset`");
    check("detail=x hang", "`detail` goes with `status`, and not with `hang`");
    check(
        "truncate=0.5 phase=before",
        "`truncate` spoils the reply, so it can't strike with `phase=before`; leave the phase out",
    );
    check(
        "reset mild",
        "`mild` is a preset, which stands for whole rules; write it alone, where several rules may stand",
    );
    check("status= times=2", "`status=` has no value; an empty value is written `status=\"\"`");
    check(
        "status=400 scim-type=invalidValues",
        "there is no scimType `invalidValues`; did you mean `invalidValue`?",
    );
    let all = "there is no scimType `zzz`; there are invalidFilter, tooMany, uniqueness, mutability, invalidSyntax, \
               invalidPath, noTarget, invalidValue, invalidVers, sensitive, invalidCursor, expiredCursor, invalidCount";
    check("status=400 scim-type=zzz", all);
    check("status=503 detail=\"open", "the quoted value of `detail` is not closed");
    check(
        "status=503 patch-path=emails[type eq \"work\"]",
        "`\"work\"]`: quotation marks stand around a whole value, and one within it is written `\\\"`",
    );
}

#[test]
fn each_bad_value_is_refused() {
    for word in [
        "status=99",
        "status=600",
        "status=+503",
        "status=abc",
        "latency=5",
        "latency=-5ms",
        "latency=uniform(5ms)",
        "latency=uniform(9ms,5ms)",
        "latency=lognormal(5ms,-1)",
        "latency=lognormal(5ms,NaN)",
        "latency=lognormal(5ms,11)",
        "latency=normal(5ms,1)",
        "latency=uniform(1ms,2ms",
        "hang=soon",
        "truncate=1.5",
        "truncate=-0.1",
        "truncate=NaN",
        "garbage=0",
        "garbage=1048577",
        "dribble=0/1ms",
        "dribble=1",
        "dribble=/1ms",
        "wrong-length=0",
        "wrong-length=x",
        "wrong-type=té",
        "refuse=2",
    ] {
        refused(word, word);
    }
    for word in [
        "retry-after=\"a\\nb\"",
        "method=P0ST",
        "method=PUT,",
        "path=Users",
        "nth=0",
        "times=-1",
        "times=often",
        "times=4294967296",
        "every=0",
        "after=x",
        "probability=2",
        "probability=x",
        "from=10s",
        "from=yesterday",
        "until=+10",
        "until=2026-11-23",
        "ttl=+10s",
        "phase=later",
    ] {
        refused(&format!("status=503 {word}"), word);
    }
}

#[track_caller]
fn refused(rule: &str, word: &str) {
    let error = rule.parse::<Fault>().unwrap_err().to_string();
    let (key, _) = word.split_once('=').unwrap();
    assert!(error.contains(&format!("does not fit `{key}`, which takes")), "{rule}: {error}");
}

#[test]
fn a_text_of_several_rules_names_the_line() {
    let faults =
        Fault::parse_all("\n# calm first\n  reset after=5\n\nmild\r\nstatus=503 detail=\"# no comment\"\n")
            .unwrap();
    let mild = Fault::preset("mild").unwrap();
    assert_eq!(faults.len(), mild.len() + 2);
    assert_eq!(faults[0], Fault::reset().after(5));
    assert_eq!(faults[1..=mild.len()], mild);
    assert_eq!(faults.last(), Some(&Fault::status(503).detail("# no comment")));
    assert_eq!(Fault::parse_all(" \n# nothing"), Ok(Vec::new()));

    let message = |text: &str| Fault::parse_all(text).unwrap_err().to_string();
    assert_eq!(
        message("\nreset\nrset\n"),
        "line 3: unknown fault key or preset `rset`; the presets are mild, rough and hostile; did you mean `reset`?"
    );
    assert_eq!(
        message("rset"),
        "unknown fault key or preset `rset`; the presets are mild, rough and hostile; did you mean `reset`?"
    );
}
