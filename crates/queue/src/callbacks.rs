use crate::{Error, Queue, Reviewed, database::values, stored::ReviewedRow};

/// How long who took callbacks has to make them, before others do.
const CLAIM: i64 = 2 * 60 * 1000;
/// How long after a first failure a callback is tried again; twice that after each further one.
const RETRY: i64 = 60 * 1000;
/// How often a callback is tried: the last time about 17 hours after the first.
const ATTEMPTS: i64 = 11;

const CLAIM_DUE: &str = "UPDATE items SET callback_due = $2, callback_claimed = 1, \
    callback_attempts = callback_attempts + 1 WHERE callback_due <= $1 \
    RETURNING callback, id, state, answer, class, created, answered";
const ATTEMPTED: &str =
    "SELECT callback_attempts FROM items WHERE id = $1 AND callback_claimed = 1";
const RESOLVED: &str = "UPDATE items SET callback_due = $2, callback_claimed = 0 \
    WHERE id = $1 AND callback_claimed = 1 AND callback_attempts = $3";
const GIVEN_UP: &str = "UPDATE items SET callback_due = NULL, callback_claimed = 0 \
    WHERE callback_due <= $1 AND callback_attempts >= $2";

type CallbackRow = (
    Option<String>,
    String,
    String,
    Option<String>,
    Option<i64>,
    i64,
    Option<i64>,
);

impl Queue {
    /// The callbacks to be made now: id, address and what people said. They are the caller's for two
    /// minutes; whoever has not said [`Queue::called_back`] by then may find another making them again.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn callbacks_due(&self) -> Result<Vec<(String, String, Reviewed)>, Error> {
        let now = self.now();
        let mut tx = self.database.begin().await?;
        tx.run(GIVEN_UP, values![now, ATTEMPTS]).await?;
        let claim = values![now, now.saturating_add(CLAIM)];
        let rows = tx.rows::<CallbackRow>(CLAIM_DUE, claim).await?;
        tx.commit().await?;
        let mut due = Vec::with_capacity(rows.len());
        for (url, id, state, answer, class, created, answered) in rows {
            let reviewed: ReviewedRow = (id.clone(), state, answer, class, created, answered);
            let reviewed = self.database.reviewed(reviewed)?;
            due.extend(url.map(|url| (id, url, reviewed)));
        }
        Ok(due)
    }

    /// Says how a callback went. One that failed is due again later, and given up after eleven times. What
    /// people said anew in the meantime is due in any case.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn called_back(&self, id: &str, ok: bool) -> Result<(), Error> {
        let mut tx = self.database.begin().await?;
        if let Some((attempts,)) = tx.row::<(i64,)>(ATTEMPTED, values![id]).await? {
            let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(16);
            let again = self.now().saturating_add(RETRY << doublings);
            let due = (!ok && attempts < ATTEMPTS).then_some(again);
            tx.run(RESOLVED, values![id, due, attempts]).await?;
        }
        tx.commit().await
    }
}
