//! Credentials of the harness, and the headers that carry them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The credentials of the harness.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nobody.
    #[default]
    None,
    /// The holder of a token (RFC 6750).
    Bearer(String),
    /// A user (RFC 7617).
    Basic {
        /// The user, without a colon.
        user: String,
        /// A secret.
        password: String,
    },
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer",
            Self::Basic { .. } => "Basic",
        })
    }
}

impl Credentials {
    pub(super) fn header(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Bearer(token) => Some(format!("Bearer {token}")),
            Self::Basic { user, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
        }
    }

    pub(super) fn wrong(&self, how: WrongAuth) -> Option<String> {
        let bearer = "Bearer conformance-wrong-token".to_owned();
        let basic = format!("Basic {}", STANDARD.encode("conformance-nobody:conformance-wrong-password"));
        match (how, self) {
            (WrongAuth::None, _) => None,
            (WrongAuth::Wrong, Self::Basic { .. }) | (WrongAuth::OtherScheme, Self::Bearer(_)) => Some(basic),
            (WrongAuth::Wrong | WrongAuth::OtherScheme, _) => Some(bearer),
            (WrongAuth::Malformed, Self::Basic { .. }) => Some("Basic".to_owned()),
            (WrongAuth::Malformed, _) => Some("Bearer".to_owned()),
        }
    }

    /// Returns the texts that must never be shown.
    pub fn secrets(&self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::Bearer(token) => vec![token.clone()],
            Self::Basic { user, password } => {
                vec![password.clone(), STANDARD.encode(format!("{user}:{password}"))]
            }
        }
    }
}

/// Credentials that must not let anyone in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WrongAuth {
    /// No credentials.
    None,
    /// Wrong credentials of the right scheme.
    Wrong,
    /// Credentials of another scheme.
    OtherScheme,
    /// The scheme without what belongs after it.
    Malformed,
}
