use crate::{
    Error, Queue, Reviewed,
    database::{Sql, values},
    stored::ReviewedRow,
};

/// How long who took callbacks has to make them, before others do.
const CLAIM: i64 = 2 * 60 * 1000;
/// How long after a first failure a callback is tried again; twice that after each further one.
const RETRY: i64 = 4 * 1000;
/// How often a callback is tried: the last time about 9 hours after the first.
const ATTEMPTS: i64 = 14;

/// The oldest `$3` that are due at `$1` are in hand until `$2`. On PostgreSQL, those that others are just
/// taking are passed over.
macro_rules! claim_due {
    ($lock:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (SELECT n FROM items WHERE callback_due <= $1 ORDER BY callback_due LIMIT $3",
            $lock,
            ") UPDATE items SET callback_due = $2, callback_claimed = 1, callback_attempts = callback_attempts + 1 \
            WHERE n IN (SELECT n FROM due) \
            RETURNING callback, id, state, answer, class, created, answered"
        )
    };
}
const CLAIM_DUE: Sql = Sql {
    sqlite: claim_due!(""),
    postgres: claim_due!(" FOR UPDATE SKIP LOCKED"),
};
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
    /// The callbacks to be made now, the longest due first and no more than `most`: id, address and what
    /// people said. They are the caller's for two minutes; whoever has not said [`Queue::called_back`] by
    /// then may find another making them again.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn callbacks_due(&self, most: u32) -> Result<Vec<(String, String, Reviewed)>, Error> {
        let now = self.now();
        let mut tx = self.database.begin().await?;
        tx.run(GIVEN_UP, values![now, ATTEMPTS]).await?;
        let claim = values![now, now.saturating_add(CLAIM), i64::from(most)];
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

    /// Says how a callback went. One that failed is due again later, and given up after fourteen times. What
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
