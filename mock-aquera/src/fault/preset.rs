//! Bad days to choose from, as rules that anybody can read, list and remove.

use super::Fault;

/// Each preset with its rules. What slows a reply stands first, what loses one last.
pub(super) const PRESETS: [(&str, &str); 3] = [
    (
        "mild",
        r#"
latency=lognormal(20ms,0.5) times=always
status=503 detail="the service is busy" retry-after=1 probability=0.02
"#,
    ),
    (
        "rough",
        r#"
latency=lognormal(60ms,0.8) times=always
latency=2s probability=0.01
status=429 detail="too many requests" retry-after=2 probability=0.03
status=503 detail="the service is busy" retry-after=1 probability=0.03
status=504 detail="the application did not answer in time" method=POST,PUT,PATCH,DELETE probability=0.02 phase=after
hang=30s method=POST,PUT,PATCH,DELETE probability=0.005 phase=after
reset probability=0.01
reset method=POST,PUT,PATCH,DELETE probability=0.01 phase=after
"#,
    ),
    (
        "hostile",
        r#"
latency=lognormal(120ms,1) times=always
latency=uniform(2s,8s) probability=0.02
revoke from=+120s until=+150s
expire-token probability=0.01
unauthorized probability=0.01
status=429 detail="too many requests" retry-after=2 probability=0.04
status=429 detail="too many requests" probability=0.02
status=500 probability=0.02
status=503 detail="the service is busy" retry-after=soon probability=0.03
status=504 detail="the application did not answer in time" method=POST,PUT,PATCH,DELETE probability=0.04 phase=after
hang=30s probability=0.005
hang=30s method=POST,PUT,PATCH,DELETE probability=0.01 phase=after
reset probability=0.02
reset method=POST,PUT,PATCH,DELETE probability=0.02 phase=after
empty-reply probability=0.01
garbage=64 probability=0.01
malformed-chunk probability=0.01
truncate=0.5 probability=0.02
wrong-length=+10 probability=0.01
wrong-type=text/html probability=0.01
dribble=64/20ms probability=0.01
close-after probability=0.05
refuse=2s every=200
"#,
    ),
];

impl Fault {
    /// The rules of `mild`, `rough` or `hostile`, each worse than the one before. None for any other name.
    ///
    /// `mild`: some latency, now and then a 503 with `Retry-After`. `rough`: also 429, resets, and answers that are
    /// lost after the request took effect. `hostile`: also replies that are cut off, malformed or no HTTP at all,
    /// tokens that expire, and half a minute in which all credentials are revoked.
    pub fn preset(name: &str) -> Option<Vec<Self>> {
        let (_, rules) = PRESETS.iter().find(|(preset, _)| *preset == name)?;
        Self::parse_all(rules).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_written_as_they_are_shown() {
        for (name, rules) in PRESETS {
            let shown: Vec<_> = Fault::preset(name).unwrap().iter().map(Fault::to_string).collect();
            let written: Vec<_> = rules.trim().lines().collect();
            assert_eq!(shown, written, "{name}");
        }
        assert_eq!(Fault::preset("calm"), None);
    }
}
