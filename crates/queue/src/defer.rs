use sha2::{Digest, Sha256};

use crate::{
    Deferred, Error, Queue,
    database::{Tx, values},
    first,
};

const ADD_ITEM: &str = "INSERT INTO items (id, created, model, version, channels, height, width, classes, \
    probabilities, reason, first, people, wanted, callback) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13)";
const ADD_CONTENTS: &str =
    "INSERT INTO contents (item, media_type, picture, input) VALUES ($1, $2, $3, $4)";

impl Queue {
    /// Puts a picture into the queue; its id, which nobody can guess. It is on the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the parts of it don't fit together or can't be stored, [`Error::Paired`] if the
    /// item that it names as the first picture has a second already, or if the database fails.
    pub async fn defer(&self, deferred: Deferred) -> Result<String, Error> {
        let mut tx = self.database.begin().await?;
        let id = self.add(&mut tx, &deferred).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Puts pictures into the queue, all of them or none; their ids, in order.
    ///
    /// # Errors
    ///
    /// As [`Queue::defer`].
    pub async fn defer_all(&self, deferred: &[Deferred]) -> Result<Vec<String>, Error> {
        let mut ids = Vec::with_capacity(deferred.len());
        if deferred.is_empty() {
            return Ok(ids);
        }
        let mut tx = self.database.begin().await?;
        for deferred in deferred {
            ids.push(self.add(&mut tx, deferred).await?);
        }
        tx.commit().await?;
        Ok(ids)
    }

    async fn add(&self, tx: &mut Tx<'_>, deferred: &Deferred) -> Result<String, Error> {
        deferred.check()?;
        let id = self.random()?;
        let people = if share(id.as_bytes()) < self.options.second_opinion {
            2
        } else {
            1
        };
        let [channels, height, width] = deferred.shape.map(i64::from);
        let unwritable = |error: serde_json::Error| Error::Invalid(error.to_string());
        let classes = serde_json::to_string(&deferred.classes).map_err(unwritable)?;
        let probabilities = serde_json::to_string(&deferred.probabilities).map_err(unwritable)?;
        if let Some(id) = &deferred.first {
            first::pair(tx, id, self.now()).await?;
        }
        let item = values![
            &id,
            self.now(),
            &deferred.model,
            &deferred.version,
            channels,
            height,
            width,
            &classes,
            &probabilities,
            &deferred.reason,
            &deferred.first,
            people,
            &deferred.callback
        ];
        tx.run(ADD_ITEM, item).await?;
        let contents = values![
            &id,
            &deferred.media_type,
            &deferred.picture,
            &deferred.input
        ];
        tx.run(ADD_CONTENTS, contents).await?;
        Ok(id)
    }

    /// 128 random bits in hexadecimal: an id that no item has and nobody can guess.
    ///
    /// # Errors
    ///
    /// If the system gives none.
    pub fn random(&self) -> Result<String, Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| Error::Database {
            database: self.database.name.clone(),
            source: format!("the system gives no random bytes: {error}").into(),
        })?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Where bytes lie between 0 and 1 by their SHA-256: anywhere, and always there.
pub(crate) fn share(bytes: &[u8]) -> f64 {
    let digest = Sha256::digest(bytes);
    let high = digest
        .iter()
        .take(4)
        .fold(0_u32, |high, &byte| high << 8 | u32::from(byte));
    f64::from(high) / 2_f64.powi(32)
}
