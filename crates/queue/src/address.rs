use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use sqlx::postgres::PgConnectOptions;

use crate::Error;

/// Where a queue is: `sqlite:PATH`, `sqlite://PATH`, a path, or `postgres://USER@HOST/DATABASE`. As text it has
/// no password.
///
/// ```
/// let address: queue::Address = "sqlite://reviews.db".parse()?;
/// assert_eq!(address.file(), Some("reviews.db".as_ref()));
/// let address: queue::Address = "postgres://ann:secret@host/reviews".parse()?;
/// assert_eq!(address.to_string(), "postgres://host:5432/reviews");
/// # Ok::<(), queue::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Address(pub(crate) Kind);

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Sqlite(PathBuf),
    /// Boxed, as it is far larger than a path.
    Postgres(Box<PgConnectOptions>),
}

impl Address {
    /// The file of the database, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Sqlite(path) => Some(path),
            Kind::Postgres(_) => None,
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(address: &str) -> Result<Self, Error> {
        if ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| address.starts_with(scheme))
        {
            let options = address
                .parse()
                .map_err(|error: sqlx::Error| Error::Address {
                    address: "postgres://…".to_owned(),
                    problem: error.to_string(),
                })?;
            return Ok(Address(Kind::Postgres(Box::new(options))));
        }
        let wrong = |problem: &str| Error::Address {
            address: address
                .split_once("://")
                .map_or(address, |(scheme, _)| scheme)
                .to_owned(),
            problem: problem.to_owned(),
        };
        let path = match address.strip_prefix("sqlite:") {
            Some(path) => path.strip_prefix("//").unwrap_or(path),
            None if address.contains("://") => {
                return Err(wrong("not a database that the queue knows"));
            }
            None => address,
        };
        match path {
            "" => Err(wrong("no path")),
            ":memory:" => Err(wrong("a queue in memory would lose its answers")),
            path => Ok(Address(Kind::Sqlite(path.into()))),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Sqlite(path) => write!(f, "{}", path.display()),
            Kind::Postgres(options) => {
                let (host, port) = (options.get_host(), options.get_port());
                let database = options.get_database().unwrap_or(options.get_username());
                write!(f, "postgres://{host}:{port}/{database}")
            }
        }
    }
}
