use crate::{
    Answer, Error, Item, Opinion, Queue, State,
    answer::Verdict,
    database::{Tx, values},
    item::{check_hold, check_key, check_reviewer},
    leases::{leased_item, opinions, release},
};

const SAME_KEY: &str =
    "SELECT item, answer, state FROM answers WHERE reviewer = $1 AND key = $2 AND undoes IS NULL";
const ADD: &str = "INSERT INTO answers (item, reviewer, at, answer, key, state) VALUES ($1, $2, $3, $4, $5, $6) \
    ON CONFLICT (reviewer, key) DO NOTHING";
const ASKED: &str = "SELECT classes, people FROM items WHERE id = $1";
const SETTLE: &str = "UPDATE items SET answers = $2, wanted = $3, state = $4, answer = $5, class = $6, \
    answered = $7, callback_due = CASE WHEN callback IS NULL THEN NULL ELSE $7 END, callback_claimed = 0, \
    callback_attempts = 0 WHERE id = $1";

/// The latest of a person's last ten answers that they have not taken back.
const LAST: &str = "SELECT n, item FROM (SELECT n, item FROM answers WHERE reviewer = $1 AND undoes IS NULL \
    ORDER BY n DESC LIMIT 10) latest \
    WHERE NOT EXISTS (SELECT 1 FROM answers u WHERE u.undoes = latest.n) ORDER BY n DESC LIMIT 1";
const TAKE_BACK: &str = "INSERT INTO answers (item, reviewer, at, state, undoes, key) VALUES ($1, $2, $3, $4, $5, $6) \
    ON CONFLICT DO NOTHING";
const TAKEN_BACK: &str = "SELECT a.undoes, a.item, \
    CASE WHEN i.leased_by = $1 AND i.lease_until > $3 THEN CAST(1 AS BIGINT) ELSE 0 END \
    FROM answers a JOIN items i ON i.id = a.item WHERE a.reviewer = $1 AND a.key = $2";
const TAKE_AGAIN: &str = "UPDATE items SET leased_by = $2, lease = $3, lease_until = $4 \
    WHERE id = $1 AND (lease_until <= $5 OR leased_by = $2) AND state <> 'gone'";
const STATE: &str = "SELECT state FROM items WHERE id = $1";

impl Queue {
    /// Records what a person says of an item that is leased to them, which ends the lease. With a key that
    /// came before, nothing is recorded and the state is the one told then: so a client that heard no reply
    /// asks again.
    ///
    /// # Errors
    ///
    /// [`Error::NotLeased`] if the lease is not, or not any more, this person's; [`Error::KeyReused`] if the
    /// key came with another answer; [`Error::Invalid`] if the item has no such class; [`Error::Unknown`] if
    /// there is no such item; or if the database fails.
    pub async fn answer(
        &self,
        id: &str,
        reviewer: &str,
        lease: &str,
        answer: Answer,
        key: &str,
    ) -> Result<State, Error> {
        check_hold(id, reviewer, lease)?;
        check_key(key)?;
        let mut tx = self.database.begin().await?;
        let now = self.now();
        if let Err(error) = release(&mut tx, id, reviewer, lease, now).await {
            // An answer ends its lease: this may be one that was recorded.
            let told = told(&mut tx, id, reviewer, &answer, key).await?;
            return told.ok_or(error);
        }
        let mut standing = opinions(&mut tx, id).await?;
        if standing.iter().any(|opinion| opinion.reviewer == reviewer) {
            return Err(Error::NotLeased(id.to_owned()));
        }
        standing.push(Opinion {
            reviewer: reviewer.to_owned(),
            answer: answer.clone(),
        });
        let state = settle(&mut tx, id, standing, now).await?;
        let row = values![id, reviewer, now, answer.as_str(), key, state.as_str()];
        if tx.run(ADD, row).await? != 1 {
            return Err(Error::KeyReused(key.to_owned()));
        }
        tx.commit().await?;
        Ok(state)
    }

    /// Takes the last answer of a person back and leases the item to them again; further ones if called
    /// again, within the last ten. None if there is none, or its picture has been deleted. With a key that
    /// came before nothing more is taken back: it gives the same item, while the person has it.
    ///
    /// # Errors
    ///
    /// [`Error::Held`] if another person has the item just now; [`Error::KeyReused`] if the key came with an
    /// answer; or if the database fails.
    pub async fn undo(&self, reviewer: &str, key: Option<&str>) -> Result<Option<Item>, Error> {
        check_reviewer(reviewer)?;
        key.map_or(Ok(()), check_key)?;
        let (now, lease) = (self.now(), self.random()?);
        let mut tx = self.database.begin().await?;
        let before = values![reviewer, key, now];
        if key.is_some()
            && let Some((undoes, id, held)) = tx
                .row::<(Option<i64>, String, i64)>(TAKEN_BACK, before)
                .await?
        {
            return match (undoes, held) {
                (None, _) => Err(Error::KeyReused(key.unwrap_or_default().to_owned())),
                (_, 0) => Ok(None),
                _ => leased_item(&mut tx, id).await.map(Some),
            };
        }
        let Some((answer, id)) = tx.row::<(i64, String)>(LAST, values![reviewer]).await? else {
            return Ok(None);
        };
        let taken = values![&id, reviewer, &lease, self.ahead(self.options.lease), now];
        if tx.run(TAKE_AGAIN, taken).await? != 1 {
            let state = tx.row::<(String,)>(STATE, values![&id]).await?;
            let gone = state.is_some_and(|(state,)| state == State::Gone.as_str());
            return if gone { Ok(None) } else { Err(Error::Held(id)) };
        }
        let mut standing = opinions(&mut tx, &id).await?;
        standing.retain(|opinion| opinion.reviewer != reviewer);
        let state = settle(&mut tx, &id, standing, now).await?;
        let row = values![&id, reviewer, now, state.as_str(), answer, key];
        if tx.run(TAKE_BACK, row).await? != 1 {
            return Err(Error::Held(id));
        }
        let item = leased_item(&mut tx, id).await?;
        tx.commit().await?;
        Ok(Some(item))
    }
}

/// The state that was told with a key before.
async fn told(
    tx: &mut Tx<'_>,
    id: &str,
    reviewer: &str,
    answer: &Answer,
    key: &str,
) -> Result<Option<State>, Error> {
    let before = tx
        .row::<(String, String, String)>(SAME_KEY, values![reviewer, key])
        .await?;
    match before {
        None => Ok(None),
        Some((item, said, state)) if item == id && said == answer.as_str() => {
            tx.database.state(id, &state).map(Some)
        }
        Some(_) => Err(Error::KeyReused(key.to_owned())),
    }
}

/// Writes what the answers that stand come to.
async fn settle(
    tx: &mut Tx<'_>,
    id: &str,
    standing: Vec<Opinion>,
    now: i64,
) -> Result<State, Error> {
    let asked = tx.row::<(String, i64)>(ASKED, values![id]).await?;
    let (classes, people) = asked.ok_or_else(|| Error::Unknown(id.to_owned()))?;
    let classes: Vec<String> = tx.database.list(id, &classes)?;
    let index = |answer: &Answer| match answer {
        Answer::Class(name) => classes.iter().position(|class| class == name),
        _ => None,
    };
    let answers: Vec<Answer> = standing.into_iter().map(|opinion| opinion.answer).collect();
    let unknown = |answer: &&Answer| matches!(answer, Answer::Class(_)) && index(answer).is_none();
    if let Some(answer) = answers.iter().find(unknown) {
        let known = classes.join(", ");
        return Err(Error::Invalid(format!(
            "{answer} is no answer: it is one of {known}, none, unsure"
        )));
    }
    let verdict = Verdict::of(&answers, people);
    let class = verdict
        .answer
        .as_ref()
        .and_then(index)
        .and_then(|class| i64::try_from(class).ok());
    let given = i64::try_from(answers.len()).unwrap_or(i64::MAX);
    let answered = verdict.closed.then_some(now);
    let answer = verdict.answer.map(|answer| answer.to_string());
    let row = values![
        id,
        given,
        verdict.wanted,
        verdict.state.as_str(),
        &answer,
        class,
        answered
    ];
    tx.run(SETTLE, row).await?;
    Ok(verdict.state)
}
