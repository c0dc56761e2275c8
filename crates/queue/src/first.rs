use crate::{
    Error, Queue,
    database::{Tx, values},
    item::is_token,
};

/// What is known of an item that was the first picture of a thing, for a second to be judged with it.
#[derive(Clone, Debug, PartialEq)]
pub struct First {
    /// The model that was asked.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The network's input, `[channels, height, width]`, while it is kept.
    pub input: Option<Vec<u8>>,
    /// What the network gave each class; empty where it was not asked.
    pub probabilities: Vec<f64>,
    /// Why it was left to people.
    pub reason: String,
    /// When it was deferred, in milliseconds since 1970.
    pub created: i64,
    /// Whether people have answered.
    pub answered: bool,
    /// Whether it is a second picture itself, or another was judged together with it.
    pub paired: bool,
}

const FIRST: &str = "SELECT i.model, i.version, c.input, i.probabilities, i.reason, i.created, i.answered, \
    CASE WHEN i.first IS NOT NULL OR i.seconded IS NOT NULL \
    THEN CAST(1 AS BIGINT) ELSE 0 END FROM items i LEFT JOIN contents c ON c.item = i.id WHERE i.id = $1";
const PAIR: &str =
    "UPDATE items SET seconded = $2 WHERE id = $1 AND seconded IS NULL AND first IS NULL";

impl Queue {
    /// An item as the first picture of a thing; none if there is no such item.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn first(&self, id: &str) -> Result<Option<First>, Error> {
        type Row = (
            String,
            String,
            Option<Vec<u8>>,
            String,
            String,
            i64,
            Option<i64>,
            i64,
        );
        if !is_token(id) {
            return Ok(None);
        }
        let mut tx = self.database.begin().await?;
        let row = tx.row::<Row>(FIRST, values![id]).await?;
        tx.commit().await?;
        let first =
            |(model, version, input, probabilities, reason, created, answered, paired): Row| {
                Ok(First {
                    model,
                    version,
                    input,
                    probabilities: self.database.list(id, &probabilities)?,
                    reason,
                    created,
                    answered: answered.is_some(),
                    paired: paired != 0,
                })
            };
        row.map(first).transpose()
    }

    /// Notes that a second picture was judged together with this item, once and for all callers: of several
    /// at a time, one succeeds. [`Queue::defer`] does it for what it puts into the queue.
    ///
    /// # Errors
    ///
    /// [`Error::Paired`] if another was before, or the item is a second picture itself; or if the database
    /// fails.
    pub async fn pair(&self, id: &str) -> Result<(), Error> {
        let mut tx = self.database.begin().await?;
        pair(&mut tx, id, self.now()).await?;
        tx.commit().await
    }
}

/// Notes in a transaction that a second picture was judged together with an item.
pub(crate) async fn pair(tx: &mut Tx<'_>, id: &str, now: i64) -> Result<(), Error> {
    match tx.run(PAIR, values![id, now]).await? {
        1 => Ok(()),
        _ => Err(Error::Paired(id.to_owned())),
    }
}
