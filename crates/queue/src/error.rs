use std::error::Error as StdError;

/// Why the queue did not do what it was asked to. Each is one line for people.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is not one of a database that the queue can use.
    #[error("{address}: {problem}; give sqlite:PATH, a path, or postgres://USER@HOST/DATABASE")]
    Address {
        /// The address, without what may be a password.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An option has a value outside its range.
    #[error("the queue's option {name} is {value}, but has to be {range}")]
    Option {
        /// The field of `Options`.
        name: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        range: &'static str,
    },
    /// The database did not do what it should.
    #[error("the queue in {database}: {source}")]
    Database {
        /// The database, without a password.
        database: String,
        /// What the database or the way to it said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The tables could not be brought to what this version needs.
    #[error(
        "the queue in {database} can't be brought to this version's tables: {source}; is the database another program's, \
         or of a newer version?"
    )]
    Migration {
        /// The database, without a password.
        database: String,
        /// What the database or the check of the tables said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A row holds what the queue never writes.
    #[error("the queue in {database} holds something of item {id} that can't be read: {problem}")]
    Row {
        /// The database, without a password.
        database: String,
        /// The item.
        id: String,
        /// What is wrong with it.
        problem: String,
    },
    /// What was given to the queue can't be stored or is no answer to this item.
    #[error("{0}")]
    Invalid(String),
    /// No item has this id.
    #[error("there is no item {0}")]
    Unknown(String),
    /// The lease is not, or not any more, this person's.
    #[error("item {0} is not leased to this reviewer any more; ask for the next one")]
    NotLeased(String),
    /// The answer can't be taken back while another person holds the item.
    #[error(
        "item {0} is just being looked at by another person; take the answer back in a few minutes"
    )]
    Held(String),
    /// A second picture was judged together with the item before.
    #[error("a second picture was judged together with {0} before, and there is no third")]
    Paired(String),
    /// A key that came with another answer before.
    #[error("the key {0} came with another answer before; a new answer needs a new key")]
    KeyReused(String),
}

impl Error {
    /// Whether the state of the queue stands against what was asked, rather than the request or the
    /// database being wrong: what HTTP calls a conflict.
    pub fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::NotLeased(_) | Self::Held(_) | Self::KeyReused(_) | Self::Paired(_)
        )
    }
}
