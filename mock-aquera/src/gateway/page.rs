//! Pages: by index (RFC 7644 §3.4.2.4) and by cursor (RFC 9865), with the quirks that a profile asks for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use scim::sort::SortKey;

use super::query::Query;
use crate::problem::Problem;
use crate::profile::{CursorRule, ListRules, StartIndex};
use crate::types::TypeId;

/// How long a cursor is good for, in seconds.
pub(crate) const CURSOR_SECONDS: i64 = 600;

/// Which part of the whole is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Window {
    /// From the `start`-th, counted from one.
    Index { start: usize, count: usize },
    /// From behind a place.
    Cursor { after: Option<Place>, count: usize },
}

/// A place in a walk that stays where it is while resources come and go: the last resource that was shown, and in a
/// sorted walk what it was sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: Position,
    pub(super) key: Option<Rank>,
}

/// Where a resource stands in a sorted walk; nothing where its type lacks the attribute.
pub(super) type Rank = Option<SortKey>;

/// A resource by type and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) kind: TypeId,
    pub(super) number: u64,
}

impl Window {
    pub(super) fn of(
        asked: &Query,
        rules: &ListRules,
        (kinds, query_hash): (&[TypeId], u32),
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let most = rules.max_count as usize;
        let count = match asked.count {
            Some(count) => usize::try_from(count.max(0)).unwrap_or(usize::MAX).min(most),
            None => (rules.default_count as usize).min(most),
        };
        let by_cursor = match (rules.cursor, &asked.cursor) {
            (CursorRule::None, _) => None,
            (CursorRule::Both, cursor) => cursor.as_deref(),
            (CursorRule::Only, cursor) => Some(cursor.as_deref().unwrap_or_default()),
        };
        if let Some(cursor) = by_cursor {
            if rules.cursor == CursorRule::Both && asked.start_index.is_some_and(|start| start != 1) {
                let detail = "startIndex and cursor are two ways to page; use one of them";
                return Err(Problem::BadValue(detail.to_owned()));
            }
            if asked.count.is_some_and(i64::is_negative) {
                return Err(Problem::BadCount("count is zero or more where pages go by cursor".to_owned()));
            }
            let after =
                if cursor.is_empty() { None } else { Cursor::read(cursor, kinds, query_hash, now)?.after };
            return Ok(Self::Cursor { after, count });
        }
        let start = usize::try_from(asked.start_index.unwrap_or(1).max(0)).unwrap_or(usize::MAX);
        let start = match rules.start_index {
            StartIndex::Honoured => start.max(1),
            StartIndex::Ignored => 1,
            StartIndex::FromZero if asked.start_index.is_some() => start.saturating_add(1),
            StartIndex::FromZero => 1,
        };
        if let Some(most) = rules.max_start_index.map(|most| most.get() as usize)
            && start > most
        {
            let detail = format!("startIndex is {start}, and {most} is the largest that is answered");
            return Err(Problem::by_profile(400, Some(scim::error::ScimType::InvalidValue), detail));
        }
        Ok(Self::Index { start, count })
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Self::Index { count, .. } | Self::Cursor { count, .. } => *count,
        }
    }
}

/// What a cursor says. Clients take it as it is (RFC 9865 §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Nothing: the beginning.
    pub(super) after: Option<Place>,
    pub(super) query_hash: u32,
    pub(super) issued: Timestamp,
}

impl Cursor {
    pub(super) fn text(&self) -> String {
        let mut bytes = Vec::with_capacity(64);
        let position = self.after.as_ref().map(|after| after.position);
        let (kind, number) = position.map_or((NOWHERE, 0), |at| (at.kind.number(), at.number));
        bytes.extend_from_slice(&self.query_hash.to_be_bytes());
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&self.issued.as_millisecond().to_be_bytes());
        if let Some(rank) = self.after.as_ref().and_then(|after| after.key.as_ref()) {
            bytes.push(u8::from(rank.is_some()));
            bytes.extend(rank.iter().flat_map(SortKey::to_bytes));
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn read(text: &str, kinds: &[TypeId], query_hash: u32, now: Timestamp) -> Result<Self, Problem> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Problem::BadCursor)?;
        let (hash, rest) = bytes.split_first_chunk::<4>().ok_or(Problem::BadCursor)?;
        let (kind, rest) = rest.split_first_chunk::<2>().ok_or(Problem::BadCursor)?;
        let (number, rest) = rest.split_first_chunk::<8>().ok_or(Problem::BadCursor)?;
        let (issued, rest) = rest.split_first_chunk::<8>().ok_or(Problem::BadCursor)?;
        if u32::from_be_bytes(*hash) != query_hash {
            return Err(Problem::BadCursor);
        }
        let key = match rest {
            [] => None,
            [0] => Some(None),
            [1, key @ ..] => Some(Some(SortKey::from_bytes(key).ok_or(Problem::BadCursor)?)),
            _ => return Err(Problem::BadCursor),
        };
        let issued =
            Timestamp::from_millisecond(i64::from_be_bytes(*issued)).map_err(|_| Problem::BadCursor)?;
        if now.as_second() - issued.as_second() > CURSOR_SECONDS {
            return Err(Problem::ExpiredCursor(CURSOR_SECONDS));
        }
        let after = match u16::from_be_bytes(*kind) {
            NOWHERE => None,
            written => {
                let kind = kinds.iter().find(|kind| kind.number() == written).ok_or(Problem::BadCursor)?;
                Some(Place { position: Position { kind: *kind, number: u64::from_be_bytes(*number) }, key })
            }
        };
        Ok(Self { after, query_hash, issued })
    }
}

/// How a cursor writes the type of the position before the first.
const NOWHERE: u16 = u16::MAX;

/// Tells queries apart, so that a cursor serves only its own.
pub(super) fn query_hash(asked: &Query, kinds: &[TypeId]) -> u32 {
    use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
    let what = (&asked.filter, &asked.sort_by, &asked.sort_order, kinds);
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(what);
    u32::try_from(hash & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::types::Types;

    fn window(query: &str, rules: &ListRules) -> Result<Window, Problem> {
        Window::of(&Query::of_url(query).unwrap(), rules, (&kinds(), 7), Timestamp::UNIX_EPOCH)
    }

    fn kinds() -> Vec<TypeId> {
        Types::standard().positions().map(|(at, _)| at).collect()
    }

    #[test]
    fn numbers_follow_the_edge_rules() {
        #[track_caller]
        fn check(query: &str, rules: &ListRules, start: usize, count: usize) {
            assert_eq!(window(query, rules).unwrap(), Window::Index { start, count }, "{query}");
        }
        let rfc = ListRules::default();
        check("", &rfc, 1, 100);
        check("startIndex=0&count=0", &rfc, 1, 0);
        check("startIndex=-5&count=-1", &rfc, 1, 0);
        check("startIndex=7&count=5000", &rfc, 7, 1000);
        let ignored = ListRules { start_index: StartIndex::Ignored, ..ListRules::default() };
        check("startIndex=7", &ignored, 1, 100);
        let zero = ListRules { start_index: StartIndex::FromZero, ..ListRules::default() };
        check("startIndex=7", &zero, 8, 100);
        check("", &zero, 1, 100);
        let capped = ListRules { max_count: 2, default_count: 9, ..ListRules::default() };
        check("count=5", &capped, 1, 2);
        check("", &capped, 1, 2);
        let short = ListRules { max_start_index: NonZeroU32::new(5), ..ListRules::default() };
        assert_eq!(window("startIndex=6", &short).unwrap_err().wire().0.as_u16(), 400);
        check("startIndex=5", &short, 5, 100);
    }

    #[test]
    fn cursors_serve_their_own_query_for_a_while() {
        let position = Position { kind: kinds()[1], number: 70_000 };
        let cursor = |key| {
            let after = Some(Place { position, key });
            Cursor { after, query_hash: 7, issued: Timestamp::UNIX_EPOCH }
        };
        let name = scim::sort::SortBy::parse("userName", scim::schema::SchemaSet::user()).unwrap();
        let key = name.key(&serde_json::json!({"userName": "ann"}));
        for cursor in [cursor(None), cursor(Some(None)), cursor(Some(Some(key)))] {
            assert_eq!(Cursor::read(&cursor.text(), &kinds(), 7, Timestamp::UNIX_EPOCH), Ok(cursor));
        }
        let (at, text) = (cursor(None).after, cursor(None).text());
        assert_eq!(Cursor::read(&text, &kinds()[..1], 7, Timestamp::UNIX_EPOCH), Err(Problem::BadCursor));
        assert_eq!(Cursor::read(&text, &kinds(), 8, Timestamp::UNIX_EPOCH), Err(Problem::BadCursor));
        let later = Timestamp::from_second(CURSOR_SECONDS + 1).unwrap();
        assert_eq!(Cursor::read(&text, &kinds(), 7, later), Err(Problem::ExpiredCursor(CURSOR_SECONDS)));
        for bad in ["", "x", "AAAA", "!!!!", &format!("{text}AAAA")] {
            assert_eq!(
                Cursor::read(bad, &kinds(), 7, Timestamp::UNIX_EPOCH),
                Err(Problem::BadCursor),
                "{bad}"
            );
        }
        let rfc = ListRules::default();
        assert_eq!(window("cursor", &rfc), Ok(Window::Cursor { after: None, count: 100 }));
        assert_eq!(
            window(&format!("cursor={text}&count=2"), &rfc),
            Ok(Window::Cursor { after: at, count: 2 })
        );
        assert!(matches!(window("cursor=&count=-1", &rfc), Err(Problem::BadCount(_))));
        assert!(matches!(window("cursor=&startIndex=2", &rfc), Err(Problem::BadValue(_))));
        let none = ListRules { cursor: CursorRule::None, ..ListRules::default() };
        assert_eq!(window("cursor=x", &none), Ok(Window::Index { start: 1, count: 100 }));
        let only = ListRules { cursor: CursorRule::Only, ..ListRules::default() };
        for query in ["", "startIndex=7"] {
            assert_eq!(window(query, &only), Ok(Window::Cursor { after: None, count: 100 }));
        }
    }
}
