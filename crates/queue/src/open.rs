//! The way to a database: connected, and its tables brought to this version.

use std::{path::Path, time::Duration};

use sqlx::{
    ConnectOptions, Connection, SqlSafeStr, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    Address, Error,
    address::Kind,
    database::{Database, Opened, Pool},
};

/// How long one process waits for another that writes, or for a connection.
const PATIENCE: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_millis(50);

const SQLITE: &[(&str, &str)] = &[
    ("queue", include_str!("../migrations/sqlite/0001_queue.sql")),
    (
        "counts",
        include_str!("../migrations/sqlite/0002_counts.sql"),
    ),
    (
        "refusals",
        include_str!("../migrations/sqlite/0003_refusals.sql"),
    ),
    (
        "seconds",
        include_str!("../migrations/sqlite/0004_seconds.sql"),
    ),
];
const POSTGRES: &[(&str, &str)] = &[
    (
        "queue",
        include_str!("../migrations/postgres/0001_queue.sql"),
    ),
    (
        "counts",
        include_str!("../migrations/postgres/0002_counts.sql"),
    ),
    (
        "refusals",
        include_str!("../migrations/postgres/0003_refusals.sql"),
    ),
    (
        "seconds",
        include_str!("../migrations/postgres/0004_seconds.sql"),
    ),
];

/// Opens the database at an address, and creates what it lacks.
pub(crate) async fn open(address: &Address) -> Result<Database, Error> {
    let name = address.to_string();
    match &address.0 {
        Kind::Sqlite(path) => sqlite(path, name).await,
        Kind::Postgres(options) => postgres(options, name).await,
    }
}

async fn sqlite(path: &Path, name: String) -> Result<Database, Error> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        && !folder.is_dir()
    {
        let problem = format!("the folder {} doesn't exist", folder.display());
        return Err(Error::Address {
            address: name,
            problem,
        });
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // With less, an answer that was acknowledged may be gone after a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        // What retention deletes is overwritten.
        .pragma("secure_delete", "ON");
    // SQLite doesn't wait for another process that is turning the same new file to WAL.
    let mut tries = PATIENCE.as_millis() / RETRY.as_millis();
    let pool = loop {
        // SQLite has one writer at a time: one connection makes the others wait here and not in it.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            // On a full disk SQLite ends a transaction by itself, and sqlx goes on believing in it: such a
            // connection could begin nothing any more.
            .before_acquire(|connection, _| {
                Box::pin(async move { Ok(!connection.is_in_transaction()) })
            });
        match pool.connect_with(options.clone()).await {
            Ok(pool) => break pool,
            Err(error) if is_busy(&error) && tries > 0 => tries -= 1,
            Err(error) => {
                return Err(Error::Database {
                    database: name,
                    source: error.into(),
                });
            }
        }
        tokio::time::sleep(RETRY).await;
    };
    let modes = "SELECT journal_mode, synchronous FROM pragma_journal_mode, pragma_synchronous";
    match sqlx::query_as::<_, (String, i64)>(modes)
        .fetch_one(&pool)
        .await
    {
        Ok((journal, 2)) if journal == "wal" => {}
        Ok((journal, synchronous)) => {
            let problem = format!("writes there would not last ({journal}, {synchronous})");
            return Err(Error::Address {
                address: name,
                problem,
            });
        }
        Err(error) => {
            return Err(Error::Database {
                database: name,
                source: error.into(),
            });
        }
    }
    match migrate_sqlite(&pool).await {
        Ok(()) => Ok(Database {
            name,
            pool: Pool::Sqlite(pool),
            file: Some(Opened::new(path)),
        }),
        Err(error) => Err(Error::Migration {
            database: name,
            source: error.into(),
        }),
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    // The lowest byte of SQLite's code is its kind; 5 is SQLITE_BUSY.
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|code| code & 0xff == 5)
}

async fn migrate_sqlite(pool: &SqlitePool) -> Result<(), MigrateError> {
    // The migrator takes no lock on SQLite: the transaction is one for the whole of it.
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    migrator(SQLITE).run_direct(None, &mut *tx, false).await?;
    Ok(tx.commit().await?)
}

async fn postgres(options: &PgConnectOptions, name: String) -> Result<Database, Error> {
    let failed = |source: sqlx::Error| Error::Database {
        database: name.clone(),
        source: source.into(),
    };
    let options = options.clone().options([
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "read committed"),
    ]);
    // Not through the pool, which would repeat what can't succeed until its time is over, and say just that.
    let connect = tokio::time::timeout(PATIENCE, options.connect());
    let mut connection = match connect.await {
        Ok(connection) => connection.map_err(failed)?,
        Err(_) => return Err(failed(sqlx::Error::PoolTimedOut)),
    };
    let migrated = migrator(POSTGRES)
        .run_direct(None, &mut connection, false)
        .await;
    migrated.map_err(|error| Error::Migration {
        database: name.clone(),
        source: error.into(),
    })?;
    connection.close().await.map_err(failed)?;
    let pool = PgPoolOptions::new()
        .acquire_timeout(PATIENCE)
        .connect_lazy_with(options);
    Ok(Database {
        name,
        pool: Pool::Postgres(pool),
        file: None,
    })
}

/// The migrations of a dialect, numbered in their order from 1. Of its methods, `run` does the same as
/// `run_direct(None, …, false)`, but can't be called in what moves between threads.
fn migrator(migrations: &'static [(&str, &str)]) -> Migrator {
    let migrations = (1..).zip(migrations).map(|(number, (name, sql))| {
        let kind = MigrationType::Simple;
        Migration::new(number, (*name).into(), kind, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}
