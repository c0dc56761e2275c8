use crate::{Error, Queue, database::values};

const REFUSE: &str = "INSERT INTO refusals (model, version, why, at) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (model, version) DO UPDATE SET why = excluded.why, at = excluded.at";
const REFUSED: &str = "SELECT why FROM refusals WHERE model = $1 AND version = $2";
const ADMIT: &str = "DELETE FROM refusals WHERE model = $1 AND version = $2";

impl Queue {
    /// Notes that a version of a model was refused, and why: it is on the disk when this returns, so that a
    /// server that starts anew knows.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn refuse(&self, model: &str, version: &str, why: &str) -> Result<(), Error> {
        let mut tx = self.database.begin().await?;
        tx.run(REFUSE, values![model, version, why, self.now()])
            .await?;
        tx.commit().await
    }

    /// Why a version of a model was refused; none if it wasn't, or was admitted since.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn refused(&self, model: &str, version: &str) -> Result<Option<String>, Error> {
        let mut tx = self.database.begin().await?;
        let row = tx
            .row::<(String,)>(REFUSED, values![model, version])
            .await?;
        tx.commit().await?;
        Ok(row.map(|(why,)| why))
    }

    /// Takes back that a version of a model was refused.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn admit(&self, model: &str, version: &str) -> Result<(), Error> {
        let mut tx = self.database.begin().await?;
        tx.run(ADMIT, values![model, version]).await?;
        tx.commit().await
    }
}
