//! Chance that can be repeated: what is drawn hangs on the seed, the rule and the number of the match alone.

/// A stream of numbers (SplitMix64). It is written out here so that no update of a library changes what a seed means.
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    /// The stream of one match: the seed of the application, the rule as text, which of the rules of that text it is,
    /// and which of its matches.
    pub(super) fn of(seed: u64, rule: &str, copy: u64, nth: u64) -> Self {
        let text = rule.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // One number after the other goes through the whole mixer, so that no two of them can cancel out.
        Self([text, copy, nth].into_iter().fold(mixed(seed), |state, part| mixed(state ^ mixed(part))))
    }

    /// A stream that goes on from a number drawn earlier.
    pub(super) fn resumed(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// Evenly spread, from 0 up to but not 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds exactly")]
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Spread like a bell around 0, with a deviation of 1 (Box and Muller's way).
    pub(super) fn normal(&mut self) -> f64 {
        let (radius, turn) = (1.0 - self.unit(), self.unit());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * turn).cos()
    }
}

fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use crate::fault::rng::*;

    #[test]
    fn each_part_of_the_key_counts() {
        let first = |seed, rule, copy, nth| Draw::of(seed, rule, copy, nth).bits();
        let one = first(1, "reset", 0, 1);
        assert_eq!(one, first(1, "reset", 0, 1));
        for other in [
            first(2, "reset", 0, 1),
            first(1, "hang", 0, 1),
            first(1, "reset", 1, 1),
            first(1, "reset", 0, 2),
        ] {
            assert_ne!(one, other);
        }
        assert_ne!(first(1, "reset", 0, 1), first(1, "reset", 1, 0), "nor do parts change places");
    }

    #[test]
    fn the_spread_is_what_it_says() {
        let count = 20_000_u32;
        let mean = |of: fn(&mut Draw) -> f64| {
            let sum: f64 = (0..count).map(|nth| of(&mut Draw::of(7, "x", 0, nth.into()))).sum();
            sum / f64::from(count)
        };
        assert!((mean(Draw::unit) - 0.5).abs() < 0.01);
        assert!(mean(Draw::normal).abs() < 0.03);
        assert!((mean(|draw| draw.normal().powi(2)) - 1.0).abs() < 0.05);
    }
}
