//! Places of templates, as in `{{ada.id}}`.

use std::fmt;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use crate::case::template::error::TemplateError;

/// The content between `{{` and `}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `{{ada/name/givenName}}`: from the last representation of a name. The pointer starts with `/`.
    Field(String, String),
    /// `{{ada/meta/lastModified@-1s@+02:00}}`: a date and time of a name, in other forms.
    Shifted(String, String, Vec<Shift>),
    /// `{{ada.id}}` and the like.
    Of(String, Property),
    /// `{{User.path}}` where `User` is a resource type, or a name of the case: known when the case is checked.
    Base,
    /// `{{unique}}`, `{{unique:b}}`.
    Unique(String),
    /// `{{user-name}}`, `{{user-name:b}}`: the same as a user name, in the shape that the server takes.
    UserName(String),
    /// `{{user-names}}`: what the user names that the case makes begin with.
    UserNames,
    /// `{{n}}`.
    Number,
    /// `{{User.new}}`, `{{User.new-b}}`: the smallest new resource of a type, under a name of its own for each label;
    /// with a pointer, as in `{{User.new/userName}}`, a part of it.
    New {
        /// The resource type, as in `User`.
        resource_type: String,
        /// A label that distinguishes two values of one case; may be empty.
        label: String,
        /// Empty for the whole.
        pointer: String,
    },
    /// `{{EnterpriseUser}}`: the URN of a schema, by name.
    Urn(String),
}

/// A property of a name besides its representation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property {
    /// The resource's id.
    Id,
    /// The path below the base URL.
    Path,
    /// The endpoint of a resource type as /ResourceTypes names it, whether it exists or not.
    NamedPath,
    /// The absolute URL.
    Location,
    /// The version: the last ETag.
    Version,
}

/// Another form of a date and time, or another time near it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// `-1s`, `+60s`: this number of seconds away.
    Seconds(i64),
    /// `+02:00`: the same time, told in another offset from UTC, in minutes.
    Offset(i32),
    /// `.0`: with six digits of a fraction.
    Fraction,
    /// `cut`: without a fraction of a second.
    Cut,
}

impl Shift {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "cut" => return Some(Self::Cut),
            ".0" => return Some(Self::Fraction),
            _ => {}
        }
        let sign = match text.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let rest = text.get(1..)?;
        if let Some(seconds) = rest.strip_suffix('s') {
            return Some(Self::Seconds(sign * seconds.parse::<u32>().ok().map(i64::from)?));
        }
        let (hours, minutes) = rest.split_once(':')?;
        let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
        let minutes = i32::from(hours) * 60 + i32::from(minutes);
        Some(Self::Offset(if sign < 0 { -minutes } else { minutes }))
    }

    /// Returns a date and time in the forms, one after the other; `None` if it is no date and time.
    pub(crate) fn apply(shifts: &[Self], text: &str) -> Option<String> {
        let mut time: Timestamp = text.parse().ok()?;
        let (mut offset, mut is_fraction) = (None, false);
        for shift in shifts {
            match shift {
                Self::Seconds(seconds) => {
                    time = time.checked_add(SignedDuration::from_secs(*seconds)).ok()?;
                }
                Self::Cut => time = Timestamp::from_second(time.as_second()).ok()?,
                Self::Offset(minutes) => offset = Some(*minutes),
                Self::Fraction => is_fraction = true,
            }
        }
        let told = match offset {
            None if is_fraction => return Some(format!("{time:.6}")),
            None => return Some(time.to_string()),
            Some(minutes) => Offset::from_seconds(minutes * 60).ok()?,
        };
        Some(if is_fraction {
            format!("{:.6}", time.display_with_offset(told))
        } else {
            time.display_with_offset(told).to_string()
        })
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "{seconds:+}s"),
            Self::Offset(minutes) => {
                let sign = if *minutes < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
            Self::Fraction => f.write_str(".0"),
            Self::Cut => f.write_str("cut"),
        }
    }
}

impl Place {
    pub(super) fn parse(inside: &str) -> Result<Self, TemplateError> {
        let word = |text: &str| {
            // `count` makes `u.1`, `u.2` …; `u.*` stands for all of them.
            let plain = text.strip_suffix(".*").unwrap_or(text);
            let plain = plain.trim_end_matches(|c: char| c == '.' || c.is_ascii_digit());
            let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if !text.is_empty() && plain.chars().all(fine) {
                Ok(text.to_owned())
            } else {
                Err(TemplateError::Name { name: text.to_owned(), place: inside.to_owned() })
            }
        };
        let (holder, pointer) = match inside.split_once('/') {
            Some((holder, pointer)) => (holder, format!("/{pointer}")),
            None => (inside, String::new()),
        };
        if let Some((resource_type, label)) = holder.split_once(".new")
            && (label.is_empty() || label.starts_with('-'))
        {
            let label = label.trim_start_matches('-').to_owned();
            return Ok(Self::New { resource_type: word(resource_type)?, label, pointer });
        }
        if let Some((pointer, forms)) = pointer.split_once('@') {
            let invalid = || TemplateError::Shift(inside.to_owned());
            let shifts = forms.split('@').map(|form| Shift::parse(form).ok_or_else(invalid));
            return Ok(Self::Shifted(word(holder)?, pointer.to_owned(), shifts.collect::<Result<_, _>>()?));
        }
        if !pointer.is_empty() {
            return Ok(Self::Field(word(holder)?, pointer));
        }
        if let Some(label) = inside.strip_prefix("unique:") {
            return Ok(Self::Unique(word(label)?));
        }
        if let Some(label) = inside.strip_prefix("user-name:") {
            return if label.is_empty() {
                Err(TemplateError::Label(inside.to_owned()))
            } else {
                Ok(Self::UserName(label.to_owned()))
            };
        }
        match inside {
            "user-name" => return Ok(Self::UserName(String::new())),
            "user-names" => return Ok(Self::UserNames),
            "unique" => return Ok(Self::Unique(String::new())),
            "n" => return Ok(Self::Number),
            "base" => return Ok(Self::Base),
            _ => {}
        }
        let property = |text: &str| match text {
            "id" => Some(Property::Id),
            "path" => Some(Property::Path),
            "named-path" => Some(Property::NamedPath),
            "location" => Some(Property::Location),
            "version" => Some(Property::Version),
            _ => None,
        };
        match inside.rsplit_once('.') {
            Some((name, after)) => match property(after) {
                Some(property) => Ok(Self::Of(word(name)?, property)),
                None => Err(TemplateError::Property(inside.to_owned())),
            },
            None => Ok(Self::Urn(word(inside)?)),
        }
    }

    /// Returns the name of the case that the place refers to.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Field(name, _) | Self::Of(name, _) | Self::Shifted(name, ..) => Some(name),
            Self::Base
            | Self::Unique(_)
            | Self::UserName(_)
            | Self::UserNames
            | Self::Number
            | Self::New { .. }
            | Self::Urn(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name, pointer) => write!(f, "{name}{pointer}"),
            Self::Shifted(name, pointer, shifts) => {
                write!(f, "{name}{pointer}")?;
                shifts.iter().try_for_each(|shift| write!(f, "@{shift}"))
            }
            Self::Of(name, property) => {
                let property = match property {
                    Property::Id => "id",
                    Property::Path => "path",
                    Property::NamedPath => "named-path",
                    Property::Location => "location",
                    Property::Version => "version",
                };
                write!(f, "{name}.{property}")
            }
            Self::Base => f.write_str("base"),
            Self::Unique(label) if label.is_empty() => f.write_str("unique"),
            Self::Unique(label) => write!(f, "unique:{label}"),
            Self::UserName(label) if label.is_empty() => f.write_str("user-name"),
            Self::UserNames => f.write_str("user-names"),
            Self::UserName(label) => write!(f, "user-name:{label}"),
            Self::Number => f.write_str("n"),
            Self::New { resource_type, label, pointer } => {
                let dash = if label.is_empty() { "" } else { "-" };
                write!(f, "{resource_type}.new{dash}{label}{pointer}")
            }
            Self::Urn(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_told_in_other_forms() {
        #[track_caller]
        fn check(forms: &str, told: &str) {
            let shifts: Vec<_> = forms.split('@').map(|form| Shift::parse(form).expect(form)).collect();
            assert_eq!(Shift::apply(&shifts, "2026-05-04T10:00:00.25Z").as_deref(), Some(told));
        }
        check("-1s", "2026-05-04T09:59:59.25Z");
        check("cut", "2026-05-04T10:00:00Z");
        check("+02:00", "2026-05-04T12:00:00.25+02:00");
        check(".0", "2026-05-04T10:00:00.250000Z");
        check("cut@+60s@-05:30", "2026-05-04T04:31:00-05:30");
        assert_eq!(Shift::parse("1s"), None);
        assert_eq!(Shift::apply(&[], "yesterday"), None);
    }
}
