use crate::{Error, Queue, database::values};

const DAY: i64 = 24 * 60 * 60 * 1000;

const GONE: &str = "UPDATE items SET state = 'gone' WHERE answered <= $1 AND lease_until <= $2 AND state <> 'gone'";
const DELETE: &str =
    "DELETE FROM contents WHERE item IN (SELECT id FROM items WHERE state = 'gone')";

impl Queue {
    /// Deletes the pictures and inputs of items whose review ended `keep_days` before `now` (milliseconds
    /// since 1970) or earlier; how many. What people said of them stays, in the state `gone`.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn sweep(&self, now: i64, keep_days: u32) -> Result<u64, Error> {
        let until = now.saturating_sub(i64::from(keep_days) * DAY);
        let mut tx = self.database.begin().await?;
        let gone = tx.run(GONE, values![until, now]).await?;
        tx.run(DELETE, values![]).await?;
        tx.commit().await?;
        if gone > 0 {
            self.database.forget().await?;
        }
        Ok(gone)
    }
}
