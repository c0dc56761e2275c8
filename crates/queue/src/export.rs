use crate::{Error, Queue, database::values, defer::share};

/// What a picture that people named is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// To learn from.
    Learn,
    /// To judge by, never to learn from.
    Judge,
}

/// The share of inputs that are for judging.
const JUDGE: f64 = 0.3;

impl Part {
    /// That of an input, by the SHA-256 of its bytes: the same picture is always on the same side, whenever
    /// and however often it comes.
    pub fn of(input: &[u8]) -> Self {
        if share(input) < JUDGE {
            Self::Judge
        } else {
            Self::Learn
        }
    }
}

/// An input that people named.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The item.
    pub id: String,
    /// The network's input, `[channels, height, width]`.
    pub input: Vec<u8>,
    /// Its shape.
    pub shape: [u32; 3],
    /// The names of the classes of the model that deferred it.
    pub classes: Vec<String>,
    /// The index of its class among them.
    pub class: u32,
    /// The name of its class.
    pub label: String,
    /// When the last answer was given, in milliseconds since 1970.
    pub answered: i64,
    /// How many people answered.
    pub reviewers: u32,
    /// The model that deferred it.
    pub model: String,
    /// Its version.
    pub version: String,
}

/// How many are read at once.
const PAGE: i64 = 100;

const EXAMPLES: &str = "SELECT i.n, i.id, c.input, i.channels, i.height, i.width, i.class, i.answer, i.answered, \
    i.answers, i.model, i.version, i.classes FROM items i JOIN contents c ON c.item = i.id \
    WHERE i.n > $1 AND i.state = 'done' AND i.class IS NOT NULL AND i.answer IS NOT NULL \
    AND i.answered IS NOT NULL AND c.input IS NOT NULL ORDER BY i.n LIMIT $2";

const BYTES: &str = "SELECT CAST(COALESCE(SUM(LENGTH(c.input)), 0) AS BIGINT) FROM items i JOIN contents c ON c.item = i.id \
    WHERE i.state = 'done' AND i.class IS NOT NULL";

impl Queue {
    /// How many bytes the inputs have that people named: what [`Queue::export`] reads.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn named_bytes(&self) -> Result<u64, Error> {
        let rows = self.database.rows::<(i64,)>(BYTES, values![]).await?;
        Ok(rows.first().map_or(0, |(bytes,)| bytes.unsigned_abs()))
    }

    /// The inputs of a part whose class people agree on, in the order in which they came in.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn export(&self, part: Part) -> Result<Vec<Example>, Error> {
        type Row = (
            i64,
            String,
            Vec<u8>,
            i64,
            i64,
            i64,
            i64,
            String,
            i64,
            i64,
            String,
            String,
            String,
        );
        let mut examples = Vec::new();
        let mut after = 0;
        loop {
            let mut tx = self.database.begin().await?;
            let rows = tx.rows::<Row>(EXAMPLES, values![after, PAGE]).await?;
            tx.commit().await?;
            let Some(last) = rows.last() else {
                return Ok(examples);
            };
            after = last.0;
            for (
                _,
                id,
                input,
                channels,
                height,
                width,
                class,
                label,
                answered,
                reviewers,
                model,
                version,
                classes,
            ) in rows
            {
                if Part::of(&input) != part {
                    continue;
                }
                examples.push(Example {
                    input,
                    shape: self.database.shape(&id, [channels, height, width])?,
                    classes: self.database.list(&id, &classes)?,
                    class: self.database.class(&id, class)?,
                    label,
                    answered,
                    reviewers: u32::try_from(reviewers).unwrap_or(u32::MAX),
                    model,
                    version,
                    id,
                });
            }
        }
    }
}
