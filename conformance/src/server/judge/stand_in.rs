//! Statuses that a server answers in place of others wherever it can, as 400 for what does not exist.

use crate::case::expect::{Expectation, StatusSet};
use crate::requirement::Shared;

/// A status in whose place a server may answer another one wherever it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// 404: it does not exist.
    NotFound,
    /// 401: the credentials are missing or wrong.
    Unauthorized,
    /// 409: the name is taken.
    Conflict,
}

impl Belongs {
    const ALL: [Self; 3] = [Self::NotFound, Self::Unauthorized, Self::Conflict];

    /// Returns the expectation that such a server does not fulfil.
    pub(crate) fn shared(self) -> Shared {
        match self {
            Self::NotFound => Shared::UnknownResource,
            Self::Unauthorized => Shared::Credentials,
            Self::Conflict => Shared::TakenName,
        }
    }

    fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::Unauthorized => 401,
            Self::Conflict => 409,
        }
    }

    /// Returns the statuses that may mean the same.
    fn instead(self) -> &'static [u16] {
        match self {
            Self::NotFound => &[400, 403, 410, 422],
            Self::Unauthorized => &[400, 403, 404],
            Self::Conflict => &[400, 403, 422],
        }
    }
}

/// A status in place of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StandIn {
    /// The status that belongs there.
    pub(crate) belongs: Belongs,
    came: u16,
}

impl StandIn {
    /// Returns the meaning of a status that came in place of an expected one.
    pub(crate) fn suspected(expectations: &[Expectation], came: u16) -> Option<Self> {
        let foreseen = || {
            let foreseen = expectations.iter().flat_map(Expectation::foreseen);
            foreseen.flat_map(|foreseen| foreseen.status)
        };
        if foreseen().any(|set| set.has(came)) {
            return None;
        }
        let belongs = Belongs::ALL.into_iter().find(|belongs| {
            belongs.instead().contains(&came)
                && foreseen().any(|set| *set == StatusSet::Exactly(belongs.status()))
        })?;
        Some(Self { belongs, came })
    }

    /// Whether it came where one of these belongs.
    pub(super) fn replaces(self, wanted: &[StatusSet], came: u16) -> bool {
        self.came == came && wanted.contains(&StatusSet::Exactly(self.belongs.status()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::expect::Check;

    #[test]
    fn expected_status_is_never_suspected() {
        let expects = |statuses: &[u16]| {
            let sets = statuses.iter().copied().map(StatusSet::Exactly).collect();
            vec![Expectation { level: None, why: None, gone: None, check: Check::Status(sets) }]
        };
        let of =
            |statuses: &[u16], came| StandIn::suspected(&expects(statuses), came).map(|known| known.belongs);
        assert_eq!(of(&[404], 400), Some(Belongs::NotFound));
        assert_eq!(of(&[401], 403), Some(Belongs::Unauthorized));
        assert_eq!(of(&[409], 400), Some(Belongs::Conflict));
        assert_eq!(of(&[404, 400], 400), None);
        assert_eq!(of(&[404], 200), None);
        assert_eq!(of(&[200], 400), None);
    }
}
