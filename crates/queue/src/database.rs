//! One way to say SQL to both databases: each statement and all around it is written once.

use std::path::{Path, PathBuf};

use sqlx::{
    FromRow, PgPool, Postgres, Sqlite, SqlitePool, Transaction, postgres::PgRow, query,
    query::Query, sqlite::SqliteRow,
};

use crate::Error;

/// A database with a queue in it.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    /// What people know it by, without a password.
    pub name: String,
    pub pool: Pool,
    /// Where it is one.
    pub file: Option<Opened>,
}

/// A file that somebody may remove or replace while it is open. What is written into it from then on is lost.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl Opened {
    pub fn new(path: &Path) -> Self {
        Opened {
            path: path.to_owned(),
            identity: identity(path),
        }
    }

    fn is_there(&self) -> bool {
        identity(&self.path) == self.identity
    }
}

/// What tells a file from another of the same name; elsewhere than on Unix, files that are open stay.
fn identity(path: &Path) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A statement's text, which the two databases have in common but for a clause or none.
pub(crate) struct Sql {
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self {
            sqlite: text,
            postgres: text,
        }
    }
}

/// What `$1`, `$2`, … of a statement stand for.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(Option<&'a str>),
    Number(Option<i64>),
    Bytes(Option<&'a [u8]>),
}

/// A tuple of columns that both databases can give.
pub(crate) trait Columns:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Columns for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

macro_rules! bound {
    ($query:expr, $values:expr) => {
        $values.iter().fold($query, |query, value| match *value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            Value::Bytes(bytes) => query.bind(bytes),
        })
    };
}

impl Database {
    /// Begins what will be done whole or not at all. SQLite has one writer, who is chosen here: one that
    /// reads first and writes later would fail where another wrote in between.
    pub async fn begin(&self) -> Result<Tx<'_>, Error> {
        self.there()?;
        let running = match &self.pool {
            Pool::Sqlite(pool) => pool
                .begin_with("BEGIN IMMEDIATE")
                .await
                .map(Running::Sqlite),
            Pool::Postgres(pool) => pool.begin().await.map(Running::Postgres),
        };
        Ok(Tx {
            running: running.map_err(|error| self.failed(error))?,
            database: self,
        })
    }

    /// The rows that a statement gives that only reads: no writer waits for it.
    pub async fn rows<T: Columns>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, Error> {
        self.there()?;
        let rows = match &self.pool {
            Pool::Sqlite(pool) => {
                let query = sqlx::query_as::<Sqlite, T>(sql);
                bound!(query, values).fetch_all(pool).await
            }
            Pool::Postgres(pool) => {
                let query = sqlx::query_as::<Postgres, T>(sql);
                bound!(query, values).fetch_all(pool).await
            }
        };
        rows.map_err(|error| self.failed(error))
    }

    /// Whether the file is still the one that was opened.
    fn there(&self) -> Result<(), Error> {
        if self.file.as_ref().is_none_or(Opened::is_there) {
            return Ok(());
        }
        let problem = "its file was removed or replaced while it was in use: what came since would be lost; \
                       put it back, or start again with a new one";
        Err(Error::Database {
            database: self.name.clone(),
            source: problem.into(),
        })
    }

    /// Takes what was deleted out of SQLite's write-ahead log as well, unless another process reads it.
    pub async fn forget(&self) -> Result<(), Error> {
        match &self.pool {
            Pool::Sqlite(pool) => {
                let done = query("PRAGMA wal_checkpoint(TRUNCATE)").execute(pool).await;
                done.map(drop).map_err(|error| self.failed(error))
            }
            Pool::Postgres(_) => Ok(()),
        }
    }

    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }

    /// An error that names this database.
    pub fn failed(&self, source: sqlx::Error) -> Error {
        Error::Database {
            database: self.name.clone(),
            source: source.into(),
        }
    }

    /// An error that names a row of this database.
    pub fn unreadable(&self, id: &str, problem: impl ToString) -> Error {
        Error::Row {
            database: self.name.clone(),
            id: id.to_owned(),
            problem: problem.to_string(),
        }
    }
}

/// A transaction. Dropped before `commit`, it leaves no trace.
pub(crate) struct Tx<'a> {
    running: Running,
    pub database: &'a Database,
}

enum Running {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx<'_> {
    /// Runs a statement; the number of rows that it changed.
    pub async fn run(&mut self, sql: impl Into<Sql>, values: &[Value<'_>]) -> Result<u64, Error> {
        let sql = sql.into();
        let done = match &mut self.running {
            Running::Sqlite(tx) => {
                let query: Query<'_, Sqlite, _> = query(sql.sqlite);
                bound!(query, values)
                    .execute(&mut **tx)
                    .await
                    .map(|done| done.rows_affected())
            }
            Running::Postgres(tx) => {
                let query: Query<'_, Postgres, _> = query(sql.postgres);
                bound!(query, values)
                    .execute(&mut **tx)
                    .await
                    .map(|done| done.rows_affected())
            }
        };
        done.map_err(|error| self.database.failed(error))
    }

    /// The rows that a statement gives.
    pub async fn rows<T: Columns>(
        &mut self,
        sql: impl Into<Sql>,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, Error> {
        let sql = sql.into();
        let rows = match &mut self.running {
            Running::Sqlite(tx) => {
                let query = sqlx::query_as::<Sqlite, T>(sql.sqlite);
                bound!(query, values).fetch_all(&mut **tx).await
            }
            Running::Postgres(tx) => {
                let query = sqlx::query_as::<Postgres, T>(sql.postgres);
                bound!(query, values).fetch_all(&mut **tx).await
            }
        };
        rows.map_err(|error| self.database.failed(error))
    }

    /// The first row that a statement gives, if any.
    pub async fn row<T: Columns>(
        &mut self,
        sql: impl Into<Sql>,
        values: &[Value<'_>],
    ) -> Result<Option<T>, Error> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Makes all of it last: it is on the disk when this returns.
    pub async fn commit(self) -> Result<(), Error> {
        let done = match self.running {
            Running::Sqlite(tx) => tx.commit().await,
            Running::Postgres(tx) => tx.commit().await,
        };
        done.map_err(|error| self.database.failed(error))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Self::Text(text.as_deref())
    }
}

impl<'a> From<&'a Option<Vec<u8>>> for Value<'a> {
    fn from(bytes: &'a Option<Vec<u8>>) -> Self {
        Self::Bytes(bytes.as_deref())
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

/// The values of a statement, in the order of their numbers.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::database::Value::from($value)),*] };
}
pub(crate) use values;
