//! The hand-written parser of filters and PATCH paths (RFC 7644 §3.4.2.2 figure 1, §3.5.2
//! figure 7). Keywords and operators are matched without case; space may stand between tokens.

use std::ops::Range;

use serde_json::Number;

use super::{CompareOp, Filter, Literal};
use crate::dialect::{Dialect, DialectUse};
use crate::filter::PatchPath;
use crate::name::{AttrName, is_urn_byte, shown};
use crate::parse_error::ParseError;
use crate::path::AttrPath;

/// The maximum depth of nested parentheses and value filters.
pub const MAX_DEPTH: usize = 32;

/// The maximum number of comparisons in one filter.
pub const MAX_TERMS: usize = 256;

pub(super) fn filter(text: &str, dialect_use: &mut DialectUse) -> Result<Filter, ParseError> {
    let mut parser = Parser::new(text, dialect_use);
    let filter = parser.or()?;
    parser.space();
    if parser.pos < text.len() {
        return Err(parser.unexpected("`and`, `or` or the end"));
    }
    blanks(text, dialect_use)?;
    Ok(filter)
}

/// Checks that a filter has only the blanks of the grammar: one between two parts.
fn blanks(text: &str, dialect_use: &mut DialectUse) -> Result<(), ParseError> {
    match superfluous(text) {
        Some(span) if !dialect_use.record(Dialect::FilterBlanks) => {
            let message =
                "one space stands between the parts of a filter, and none at its ends or inside brackets";
            Err(ParseError::new(message, span))
        }
        _ => Ok(()),
    }
}

/// Returns the first run of blanks outside of texts that is not one space between two parts.
fn superfluous(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut at, mut quoted) = (0, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            blank if !quoted && blank.is_ascii_whitespace() => {
                let length = bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                let before = at.checked_sub(1).and_then(|before| bytes.get(before));
                let outer = matches!(before, None | Some(b'(' | b'['))
                    || matches!(bytes.get(at + length), None | Some(b')' | b']'));
                if outer || length > 1 || *blank != b' ' {
                    return Some(at..at + length);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

pub(crate) fn patch_path(text: &str, dialect_use: &mut DialectUse) -> Result<PatchPath, ParseError> {
    let Some(open) = text.find('[') else {
        return AttrPath::parse_at(text, 0).map(PatchPath::from);
    };
    let attr = AttrPath::parse_at(&text[..open], 0)?;
    if let Some(sub) = &attr.sub {
        let message = format!("a value filter belongs to the attribute, not to its sub-attribute {sub:?}");
        return Err(ParseError::new(message, 0..open));
    }
    let mut parser = Parser::new(text, dialect_use);
    parser.pos = open;
    let filter = parser.value_filter()?;
    let sub = if parser.eat(b'.') { Some(parser.name()?) } else { None };
    if parser.pos < text.len() {
        return Err(parser.unexpected("the end of the path"));
    }
    blanks(text, dialect_use)?;
    Ok(PatchPath { urn: attr.urn, name: attr.name, filter: Some(filter), sub })
}

struct Parser<'a, 't> {
    text: &'a str,
    dialect_use: &'t mut DialectUse,
    pos: usize,
    depth: usize,
    terms: usize,
    in_value_filter: bool,
}

enum Operator {
    Present,
    Compare(CompareOp),
}

impl<'a, 't> Parser<'a, 't> {
    fn new(text: &'a str, dialect_use: &'t mut DialectUse) -> Self {
        Self { text, dialect_use, pos: 0, depth: 0, terms: 0, in_value_filter: false }
    }

    fn or(&mut self) -> Result<Filter, ParseError> {
        self.chain("or", Self::and, Filter::Or)
    }

    fn and(&mut self) -> Result<Filter, ParseError> {
        self.chain("and", Self::term, Filter::And)
    }

    fn chain(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Result<Filter, ParseError>,
        join: fn(Vec<Filter>) -> Filter,
    ) -> Result<Filter, ParseError> {
        let first = part(self)?;
        let mut rest = Vec::new();
        loop {
            let before = self.pos;
            if !self.keyword(word) {
                break;
            }
            self.spaced(before, &format!("before `{word}`"))?;
            self.spaced(self.pos, &format!("after `{word}`"))?;
            rest.push(part(self)?);
        }
        if rest.is_empty() {
            return Ok(first);
        }
        rest.insert(0, first);
        Ok(join(rest))
    }

    fn term(&mut self) -> Result<Filter, ParseError> {
        self.space();
        if self.peek() == Some(b'(') {
            return self.group();
        }
        let before = self.pos;
        if self.keyword("not") {
            self.space();
            if self.peek() == Some(b'(') {
                return Ok(Filter::Not(Box::new(self.group()?)));
            }
            self.pos = before;
        }
        self.comparison()
    }

    fn group(&mut self) -> Result<Filter, ParseError> {
        self.nested(b'(', b')')
    }

    /// Parses `[…]`, from the bracket on.
    fn value_filter(&mut self) -> Result<Filter, ParseError> {
        if self.in_value_filter {
            return Err(self.error("a value filter cannot hold another one", 1));
        }
        self.in_value_filter = true;
        let inner = self.nested(b'[', b']')?;
        self.in_value_filter = false;
        Ok(inner)
    }

    fn nested(&mut self, open: u8, close: u8) -> Result<Filter, ParseError> {
        let start = self.pos;
        self.eat(open);
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("the filter nests deeper than {MAX_DEPTH} levels");
            return Err(ParseError::new(message, start..self.pos));
        }
        let inner = self.or()?;
        self.space();
        if !self.eat(close) {
            let expected = format!("`and`, `or` or `{}`", char::from(close));
            return Err(self.unexpected(&expected));
        }
        self.depth -= 1;
        Ok(inner)
    }

    fn comparison(&mut self) -> Result<Filter, ParseError> {
        let path = self.path()?;
        if self.peek() != Some(b'[') {
            return self.operation(path);
        }
        if let Some(sub) = &path.sub {
            let message =
                format!("a value filter belongs to the attribute, not to its sub-attribute {sub:?}");
            return Err(self.error(&message, 1));
        }
        let inner = self.value_filter()?;
        let dot = self.pos;
        let filter = if self.eat(b'.') {
            if !self.dialect_use.record(Dialect::FilterAfterBrackets) {
                let message =
                    "a filter compares nothing behind `]`; the comparison belongs inside, behind `and`";
                return Err(ParseError::new(message, dot..dot + 1));
            }
            let sub = self.name()?;
            let compared = self.operation(AttrPath::of(sub))?;
            match inner {
                Filter::And(mut parts) => {
                    parts.push(compared);
                    Filter::And(parts)
                }
                other => Filter::And(vec![other, compared]),
            }
        } else {
            inner
        };
        Ok(Filter::ValuePath { path, filter: Box::new(filter) })
    }

    fn operation(&mut self, path: AttrPath) -> Result<Filter, ParseError> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            let message = format!("the filter has more than {MAX_TERMS} comparisons");
            return Err(ParseError::new(message, self.pos..self.pos));
        }
        match self.operator()? {
            Operator::Present => Ok(Filter::Present(path)),
            Operator::Compare(op) => Ok(Filter::Compare { path, op, value: self.literal(op)? }),
        }
    }

    fn operator(&mut self) -> Result<Operator, ParseError> {
        self.space();
        let span = self.run(|b| b.is_ascii_alphabetic());
        let word = &self.text[span.clone()];
        if word.is_empty() {
            return Err(self.unexpected("an operator"));
        }
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Operator::Present);
        }
        let found = CompareOp::ALL.into_iter().find(|op| word.eq_ignore_ascii_case(op.as_str()));
        found.map(Operator::Compare).ok_or_else(|| {
            let message =
                format!("unknown operator {:?}; there are eq ne co sw ew gt ge lt le pr", shown(word));
            ParseError::new(message, span)
        })
    }

    fn literal(&mut self, op: CompareOp) -> Result<Literal, ParseError> {
        if self.peek().is_some_and(|b| matches!(b, b'"' | b'-' | b'0'..=b'9')) {
            self.spaced(self.pos, &format!("after `{op}`"))?;
        }
        self.space();
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b) if b.is_ascii_alphabetic() || b == b'\'' => self.word(),
            _ => Err(self.unexpected(&format!("a value after `{op}`"))),
        }
    }

    fn string(&mut self) -> Result<Literal, ParseError> {
        let start = self.pos;
        let mut escaped = false;
        let end = self.text.bytes().enumerate().skip(start + 1).find_map(|(i, b)| {
            let closes = b == b'"' && !escaped;
            escaped = b == b'\\' && !escaped;
            closes.then_some(i + 1)
        });
        let Some(end) = end else {
            return Err(ParseError::new("the text is not closed by a `\"`", start..self.text.len()));
        };
        self.pos = end;
        serde_json::from_str(&self.text[start..end])
            .map(Literal::String)
            .map_err(|_| ParseError::new("the text has a bad escape or a raw control character", start..end))
    }

    fn number(&mut self) -> Result<Literal, ParseError> {
        let span = self.run(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.'));
        let text = &self.text[span.clone()];
        let number = serde_json::from_str::<Number>(text).ok().and_then(|number| {
            // serde_json parses fractions fast, the standard library exactly.
            if number.is_f64() { Number::from_f64(text.parse().ok()?) } else { Some(number) }
        });
        number.map(Literal::Number).ok_or_else(|| {
            ParseError::new(format!("{:?} is not a number; a text needs double quotes", shown(text)), span)
        })
    }

    fn word(&mut self) -> Result<Literal, ParseError> {
        let start = self.pos;
        let rest = &self.text[start..];
        let length = rest.find(|c: char| c.is_whitespace() || matches!(c, ')' | ']' | '(' | '[' | '"'));
        self.pos = start + length.unwrap_or(rest.len());
        let word = &self.text[start..self.pos];
        for (name, value) in
            [("true", Literal::Bool(true)), ("false", Literal::Bool(false)), ("null", Literal::Null)]
        {
            if word == name
                || (word.eq_ignore_ascii_case(name) && self.dialect_use.record(Dialect::FilterLiteralCase))
            {
                return Ok(value);
            }
            if word.eq_ignore_ascii_case(name) {
                let message = format!("{:?} must be written in lower case, `{name}`", shown(word));
                return Err(ParseError::new(message, start..self.pos));
            }
        }
        Err(ParseError::new(
            format!("{:?} is not a value; a text needs double quotes", shown(word)),
            start..self.pos,
        ))
    }

    fn path(&mut self) -> Result<AttrPath, ParseError> {
        self.space();
        let span = self.run(is_urn_byte);
        if span.is_empty() {
            return Err(self.unexpected("an attribute"));
        }
        AttrPath::parse_at(&self.text[span.clone()], span.start)
    }

    fn name(&mut self) -> Result<AttrName, ParseError> {
        let span = self.run(|b| is_urn_byte(b) && b != b':');
        let word = &self.text[span.clone()];
        if word.is_empty() {
            return Err(self.unexpected("a sub-attribute"));
        }
        word.parse::<AttrName>().map_err(|e| ParseError::new(e.to_string(), span))
    }

    /// Consumes a word, unless it is only the beginning of a longer one.
    fn keyword(&mut self, word: &str) -> bool {
        let before = self.pos;
        self.space();
        let span = self.run(is_urn_byte);
        let found = self.text[span].eq_ignore_ascii_case(word);
        if !found {
            self.pos = before;
        }
        found
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> Range<usize> {
        let start = self.pos;
        self.pos += self.text.as_bytes()[start..].iter().take_while(|b| belongs(**b)).count();
        start..self.pos
    }

    fn space(&mut self) {
        self.run(|b| b.is_ascii_whitespace());
    }

    /// Checks that a space is where the grammar has one.
    fn spaced(&mut self, at: usize, place: &str) -> Result<(), ParseError> {
        let is_space = self.text.as_bytes().get(at).is_none_or(u8::is_ascii_whitespace);
        if is_space || self.dialect_use.record(Dialect::FilterMissingSpaces) {
            return Ok(());
        }
        Err(ParseError::new(format!("a space is missing {place}"), at..at + 1))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.pos += usize::from(found);
        found
    }

    fn error(&self, message: &str, length: usize) -> ParseError {
        ParseError::new(message, self.pos..self.pos + length)
    }

    fn unexpected(&self, expected: &str) -> ParseError {
        match self.text[self.pos..].chars().next() {
            Some(found) => self.error(&format!("expected {expected}, found `{found}`"), found.len_utf8()),
            None => self.error(&format!("expected {expected}, found the end"), 0),
        }
    }
}
