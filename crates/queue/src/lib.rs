//! What the network was not sure of, waiting for people's answers: a queue in SQLite or PostgreSQL.
//!
//! An item is leased to one person at a time. A share of them, and all that the first two people disagree
//! on, is answered by more than one. Answers are only ever added, and taken back by a row more. What a call
//! acknowledged is on the disk.
//!
//! PostgreSQL is spoken to without TLS: one on another machine is reached through a tunnel. A SQLite file
//! belongs on a disk of the machine, as its write-ahead log needs memory that its processes share.
//!
//! ```
//! # async fn example() -> Result<(), queue::Error> {
//! use queue::{Answer, Deferred, Options, Queue};
//!
//! let queue = Queue::open("sqlite:reviews.db", Options::default()).await?;
//! let id = queue
//!     .defer(Deferred {
//!         model: "digits".into(),
//!         version: "1".into(),
//!         picture: None,
//!         media_type: None,
//!         input: Some(vec![0; 28 * 28]),
//!         shape: [1, 28, 28],
//!         classes: (0..10).map(|digit| digit.to_string()).collect(),
//!         probabilities: vec![0.1; 10],
//!         reason: "low_confidence".into(),
//!         callback: None,
//!         first: None,
//!     })
//!     .await?;
//! if let Some(item) = queue.next("ann").await?.item {
//!     queue.answer(&item.id, "ann", &item.lease, Answer::Class("3".into()), "a random key").await?;
//! }
//! println!("{:?}", queue.state(&id).await?);
//! # Ok(())
//! # }
//! ```

mod address;
mod answer;
mod answering;
mod callbacks;
mod clock;
mod database;
mod defer;
mod error;
mod export;
mod first;
mod item;
mod leases;
mod open;
mod refusals;
mod retention;
mod status;
mod stored;

use std::time::Duration;

use database::Database;

pub use address::Address;
pub use answer::{Answer, Reviewed, State};
pub use clock::Clock;
pub use error::Error;
pub use export::{Example, Part};
pub use first::First;
pub use item::{Deferred, Item, Opinion};
pub use leases::Next;
pub use status::{Agreement, Counts};

/// A queue of items for people. Clones are the same queue, and so are those of other processes that opened
/// the same database.
#[derive(Clone, Debug)]
pub struct Queue {
    database: Database,
    options: Options,
}

/// How a queue goes about its items.
#[derive(Clone, Debug)]
pub struct Options {
    /// The share of items that two different people are to answer, from 0 to 1. An item's share of it is
    /// settled when it comes in.
    pub second_opinion: f64,
    /// How long a person has an item.
    pub lease: Duration,
    /// How long an item that a person skipped is not offered to them again.
    pub skip: Duration,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            second_opinion: 0.1,
            lease: Duration::from_secs(5 * 60),
            skip: Duration::from_secs(10 * 60),
            clock: Clock::system(),
        }
    }
}

impl Queue {
    /// Opens the queue in the database at an [`Address`], and creates what it lacks: the file of SQLite, the
    /// tables of both.
    ///
    /// # Errors
    ///
    /// If the address or an option is none, or the database can't be reached or isn't one of this queue's.
    pub async fn open(url: &str, options: Options) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&options.second_opinion) {
            let value = options.second_opinion.to_string();
            return Err(Error::Option {
                name: "second_opinion",
                value,
                range: "from 0 to 1",
            });
        }
        for (name, time) in [("lease", options.lease), ("skip", options.skip)] {
            if milliseconds(time).is_none_or(|time| time == 0) {
                let value = format!("{time:?}");
                return Err(Error::Option {
                    name,
                    value,
                    range: "from a millisecond to a year",
                });
            }
        }
        Ok(Self {
            database: open::open(&url.parse()?).await?,
            options,
        })
    }

    /// The database, as people know it: without a password.
    pub fn database(&self) -> &str {
        &self.database.name
    }

    /// Ends the connections, after what is under way. A queue that is dropped instead loses nothing.
    pub async fn close(&self) {
        self.database.close().await;
    }

    fn now(&self) -> i64 {
        self.options.clock.now()
    }

    /// The time that lies so long ahead.
    fn ahead(&self, time: Duration) -> i64 {
        self.now().saturating_add(milliseconds(time).unwrap_or(0))
    }
}

/// A length of time of up to a year, in milliseconds.
fn milliseconds(time: Duration) -> Option<i64> {
    const YEAR: i64 = 366 * 24 * 60 * 60 * 1000;
    i64::try_from(time.as_millis())
        .ok()
        .filter(|&time| time <= YEAR)
}
