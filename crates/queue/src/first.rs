use crate::{Error, Queue, database::values, item::is_token};

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
    /// Whether it is a second picture itself, or another has been left to people as the second to it.
    pub paired: bool,
}

const FIRST: &str = "SELECT i.model, i.version, c.input, i.probabilities, i.reason, i.created, i.answered, \
    CASE WHEN i.first IS NOT NULL OR EXISTS (SELECT 1 FROM items s WHERE s.first = i.id) \
    THEN CAST(1 AS BIGINT) ELSE 0 END FROM items i LEFT JOIN contents c ON c.item = i.id WHERE i.id = $1";

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
}
