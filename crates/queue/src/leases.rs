use crate::{
    Answer, Error, Item, Opinion, Queue, State,
    database::{Sql, Tx, values},
    item::{check_hold, check_reviewer},
};

/// What a person gets to look at, and how much there is.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// The item that is theirs now; none where there is none for them.
    pub item: Option<Item>,
    /// How many more there are for this person at once, counted up to a thousand.
    pub left: u64,
    /// How many others are in people's hands, this person's own included: some may come back.
    pub leased: u64,
    /// How many wait for, or could not be settled by, a third person.
    pub disputed: u64,
}

/// Which items there are at `$1` for the person `$2`: not held, not answered by them, not skipped of late.
macro_rules! offered {
    () => {
        "answers < wanted AND lease_until <= $1 \
        AND NOT EXISTS (SELECT 1 FROM answers a WHERE a.item = items.id AND a.reviewer = $2 AND a.undoes IS NULL \
            AND NOT EXISTS (SELECT 1 FROM answers u WHERE u.undoes = a.n)) \
        AND NOT EXISTS (SELECT 1 FROM skips s WHERE s.item = items.id AND s.reviewer = $2 AND s.skipped_until > $1)"
    };
}

/// The oldest item becomes a person's. On PostgreSQL, those that others are just taking are passed over.
macro_rules! take {
    ($lock:literal) => {
        concat!(
            "UPDATE items SET leased_by = $2, lease = $3, lease_until = $4 WHERE n = (SELECT n FROM items WHERE ",
            offered!(),
            " ORDER BY n LIMIT 1",
            $lock,
            ") RETURNING id"
        )
    };
}
const TAKE: Sql = Sql {
    sqlite: take!(""),
    postgres: take!(" FOR UPDATE SKIP LOCKED"),
};

/// Nobody needs to know how many more than a thousand there are, and each would be looked at.
const LEFT: &str = concat!(
    "SELECT (SELECT COUNT(*) FROM (SELECT n FROM items WHERE ",
    offered!(),
    " ORDER BY n LIMIT 1000) counted), (SELECT COUNT(*) FROM items WHERE lease_until > $1), (SELECT COUNT(*) FROM items WHERE state = 'disputed')"
);

const ITEM: &str = "SELECT lease, lease_until, channels, height, width, classes, probabilities, reason, model, \
    version, first, created, state FROM items WHERE id = $1";
const CONTENTS: &str = "SELECT picture, media_type, input FROM contents WHERE item = $1";

/// What people say of an item, without what they took back, in the order in which they said it.
const OPINIONS: &str = "SELECT reviewer, answer FROM answers a WHERE item = $1 AND undoes IS NULL \
    AND NOT EXISTS (SELECT 1 FROM answers u WHERE u.undoes = a.n) ORDER BY n";

const RENEW: &str = "UPDATE items SET lease_until = $4 WHERE id = $1 AND leased_by = $2 AND lease = $3 \
    AND lease_until > $5";
const RELEASE: &str = "UPDATE items SET lease = NULL, leased_by = NULL, lease_until = 0 \
    WHERE id = $1 AND leased_by = $2 AND lease = $3 AND lease_until > $4";
const SKIP: &str = "INSERT INTO skips (item, reviewer, skipped_until) VALUES ($1, $2, $3) \
    ON CONFLICT (item, reviewer) DO UPDATE SET skipped_until = excluded.skipped_until";
const SKIPPED: &str =
    "SELECT skipped_until FROM skips WHERE item = $1 AND reviewer = $2 AND skipped_until > $3";
const EXISTS: &str = "SELECT id FROM items WHERE id = $1";

/// How often what others are just doing is waited for.
const TRIES: usize = 3;

impl Queue {
    /// Leases the oldest item that is there for a person to them.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the name can't be stored, or if the database fails.
    pub async fn next(&self, reviewer: &str) -> Result<Next, Error> {
        check_reviewer(reviewer)?;
        let mut tries = TRIES;
        loop {
            tries -= 1;
            let next = self.try_next(reviewer).await?;
            match next {
                Some(next) if next.item.is_some() || next.left == 0 || tries == 0 => {
                    return Ok(next);
                }
                None if tries == 0 => return Err(Error::Held("that comes next".to_owned())),
                _ => {}
            }
        }
    }

    /// None if the person answered, in another window, the item that they were about to get.
    async fn try_next(&self, reviewer: &str) -> Result<Option<Next>, Error> {
        let (now, lease) = (self.now(), self.random()?);
        let mut tx = self.database.begin().await?;
        let taken = values![now, reviewer, &lease, self.ahead(self.options.lease)];
        let item = match tx.row::<(String,)>(TAKE, taken).await? {
            Some((id,))
                if opinions(&mut tx, &id)
                    .await?
                    .iter()
                    .any(|o| o.reviewer == reviewer) =>
            {
                return Ok(None);
            }
            Some((id,)) => Some(leased_item(&mut tx, id).await?),
            None => None,
        };
        let (left, leased, disputed) = tx
            .row::<(i64, i64, i64)>(LEFT, values![now, reviewer])
            .await?
            .unwrap_or_default();
        tx.commit().await?;
        let own = u64::from(item.is_some());
        Ok(Some(Next {
            item,
            left: left.unsigned_abs(),
            leased: leased.unsigned_abs().saturating_sub(own),
            disputed: disputed.unsigned_abs(),
        }))
    }

    /// Holds an item for longer; until when, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Error::NotLeased`] if the lease is not, or not any more, this person's; [`Error::Unknown`] if there
    /// is no such item; [`Error::Invalid`] if the name can't be stored; or if the database fails.
    pub async fn renew(&self, id: &str, reviewer: &str, lease: &str) -> Result<i64, Error> {
        check_hold(id, reviewer, lease)?;
        let expires = self.ahead(self.options.lease);
        let mut tx = self.database.begin().await?;
        if tx
            .run(RENEW, values![id, reviewer, lease, expires, self.now()])
            .await?
            != 1
        {
            return Err(not_leased(&mut tx, id).await);
        }
        tx.commit().await?;
        Ok(expires)
    }

    /// Gives an item back without an answer. It is there for others at once, and for this person again
    /// after `Options::skip`; until then, doing it again does nothing, so that whoever heard no reply may.
    ///
    /// # Errors
    ///
    /// As [`Queue::renew`].
    pub async fn skip(&self, id: &str, reviewer: &str, lease: &str) -> Result<(), Error> {
        check_hold(id, reviewer, lease)?;
        let mut tx = self.database.begin().await?;
        let now = self.now();
        if let Err(error) = release(&mut tx, id, reviewer, lease, now).await {
            let before = values![id, reviewer, now];
            let skipped = tx.row::<(i64,)>(SKIPPED, before).await?;
            return skipped.map(drop).ok_or(error);
        }
        tx.run(SKIP, values![id, reviewer, self.ahead(self.options.skip)])
            .await?;
        tx.commit().await
    }
}

/// Ends a person's lease; from then on the item is this transaction's alone.
pub(crate) async fn release(
    tx: &mut Tx<'_>,
    id: &str,
    reviewer: &str,
    lease: &str,
    now: i64,
) -> Result<(), Error> {
    match tx.run(RELEASE, values![id, reviewer, lease, now]).await? {
        1 => Ok(()),
        _ => Err(not_leased(tx, id).await),
    }
}

async fn not_leased(tx: &mut Tx<'_>, id: &str) -> Error {
    match tx.row::<(String,)>(EXISTS, values![id]).await {
        Ok(Some(_)) => Error::NotLeased(id.to_owned()),
        Ok(None) => Error::Unknown(id.to_owned()),
        Err(error) => error,
    }
}

/// What people say of an item, in the order in which they said it.
pub(crate) async fn opinions(tx: &mut Tx<'_>, id: &str) -> Result<Vec<Opinion>, Error> {
    let rows = tx.rows::<(String, String)>(OPINIONS, values![id]).await?;
    let opinion = |(reviewer, answer): (String, String)| Opinion {
        reviewer,
        answer: Answer::read(&answer),
    };
    Ok(rows.into_iter().map(opinion).collect())
}

/// An item that is leased, as the person sees it.
pub(crate) async fn leased_item(tx: &mut Tx<'_>, id: String) -> Result<Item, Error> {
    type Row = (
        String,
        i64,
        i64,
        i64,
        i64,
        String,
        String,
        String,
        String,
        String,
        Option<String>,
        i64,
        String,
    );
    type Contents = (Option<Vec<u8>>, Option<String>, Option<Vec<u8>>);
    let row = tx.row::<Row>(ITEM, values![&id]).await?;
    let row = row.ok_or_else(|| Error::Unknown(id.clone()))?;
    let (
        lease,
        expires,
        channels,
        height,
        width,
        classes,
        probabilities,
        reason,
        model,
        version,
        first,
        created,
        state,
    ) = row;
    let (picture, media_type, input) = tx
        .row::<Contents>(CONTENTS, values![&id])
        .await?
        .unwrap_or_default();
    let opinions = opinions(tx, &id).await?;
    let database = tx.database;
    let disputed = database.state(&id, &state)? == State::Disputed;
    Ok(Item {
        lease,
        expires,
        picture,
        media_type,
        input,
        shape: database.shape(&id, [channels, height, width])?,
        classes: database.list(&id, &classes)?,
        probabilities: database.list(&id, &probabilities)?,
        reason,
        model,
        version,
        first,
        created,
        second: !disputed && !opinions.is_empty(),
        disputed: disputed.then_some(opinions),
        id,
    })
}
