//! Where the state is kept: a file, or a PostgreSQL database.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};

/// The place of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateLocation {
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    Postgres(PostgresUrl),
}

impl StateLocation {
    /// Returns the folder for temporary files of a run.
    pub(crate) fn folder(&self) -> PathBuf {
        match self {
            Self::File(path) => path.parent().unwrap_or(Path::new(".")).to_owned(),
            Self::Postgres(_) => std::env::temp_dir(),
        }
    }
}

impl From<PathBuf> for StateLocation {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl FromStr for StateLocation {
    type Err = PostgresUrlError;

    fn from_str(text: &str) -> Result<Self, PostgresUrlError> {
        if ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return text.parse().map(Self::Postgres);
        }
        Ok(Self::File(PathBuf::from(text)))
    }
}

impl fmt::Display for StateLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// The address of a PostgreSQL database. Its texts lack the password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    config: Box<tokio_postgres::Config>,
}

/// A URL that names no PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostgresUrlError {
    /// It does not parse. The parser's message may quote a part of it, a password among them.
    #[error(
        "invalid PostgreSQL URL: expected postgres://USER@HOST:PORT/DATABASE, with sslmode as its only option"
    )]
    Malformed,
    /// A mode in which it is not certain whether the connection is protected.
    #[error(
        "invalid sslmode: expected disable, require or verify-full; the last two verify the server's certificate"
    )]
    SslMode,
}

impl FromStr for PostgresUrl {
    type Err = PostgresUrlError;

    fn from_str(text: &str) -> Result<Self, PostgresUrlError> {
        let mode = text
            .split_once('?')
            .and_then(|(_, query)| query.split('&').find_map(|option| option.strip_prefix("sslmode=")));
        let text = match mode {
            Some("verify-full") => text.replacen("sslmode=verify-full", "sslmode=require", 1),
            None | Some("disable" | "require") => text.to_owned(),
            Some(_) => return Err(PostgresUrlError::SslMode),
        };
        let mut config: tokio_postgres::Config = text.parse().map_err(|_| PostgresUrlError::Malformed)?;
        if config.get_hosts().is_empty() || config.get_dbname().is_none() {
            return Err(PostgresUrlError::Malformed);
        }
        if mode.is_none() {
            let local = config.get_hosts().iter().all(is_local);
            config.ssl_mode(if local { SslMode::Disable } else { SslMode::Require });
        }
        if config.get_password().is_none()
            && let Ok(password) = std::env::var("PGPASSWORD")
        {
            config.password(password);
        }
        // A database that is out of reach is noticed within a minute, at both ends.
        config
            .application_name("provisioner")
            .connect_timeout(Duration::from_secs(10))
            .tcp_user_timeout(Duration::from_secs(30))
            .keepalives_idle(Duration::from_secs(15));
        Ok(Self { config: Box::new(config) })
    }
}

impl PostgresUrl {
    pub(crate) fn config(&self) -> &tokio_postgres::Config {
        &self.config
    }

    /// Whether the connection is protected by TLS.
    pub(crate) fn uses_tls(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Disable
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            let separator = if at == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{separator}{name}")?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{separator}{}", path.display())?,
            }
            if let Some(port) = self.config.get_ports().get(at).or(self.config.get_ports().first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn mode(url: &str) -> SslMode {
        match url.parse().unwrap() {
            StateLocation::Postgres(url) => url.config.get_ssl_mode(),
            StateLocation::File(path) => panic!("{}", path.display()),
        }
    }

    #[test]
    fn tls_is_required_off_loopback() {
        assert_eq!(mode("postgres://provisioner@127.0.0.1:5433/state"), SslMode::Disable);
        assert_eq!(mode("postgres://provisioner@localhost/state"), SslMode::Disable);
        assert_eq!(mode("postgresql://provisioner@db.example.com/state"), SslMode::Require);
        assert_eq!(mode("postgres://provisioner@db.example.com/state?sslmode=verify-full"), SslMode::Require);
        assert_eq!(mode("postgres://provisioner@db.example.com/state?sslmode=disable"), SslMode::Disable);
    }

    #[test]
    fn uncertain_tls_is_refused() {
        for mode in ["prefer", "allow", "verify-ca", "none"] {
            let url = format!("postgres://a@db.example.com/state?sslmode={mode}");
            assert_eq!(url.parse::<StateLocation>(), Err(PostgresUrlError::SslMode), "{mode}");
        }
    }

    #[test]
    fn texts_lack_the_password() {
        let location: StateLocation = "postgres://admin:s3cret@db.example.com:5433/state".parse().unwrap();
        assert_eq!(location.to_string(), "postgres://admin@db.example.com:5433/state");
        assert!(!format!("{location:?}").contains("s3cret"), "{location:?}");
        let malformed = "postgres://admin:s3cret@db.example.com/state?whatever=1".parse::<StateLocation>();
        assert!(!malformed.unwrap_err().to_string().contains("s3cret"));
    }

    #[test]
    fn other_texts_are_files() {
        let file = "states/acme.db".parse::<StateLocation>();
        assert_eq!(file, Ok(StateLocation::File(PathBuf::from("states/acme.db"))));
    }
}
