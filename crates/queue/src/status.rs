use std::collections::BTreeMap;

use crate::{Error, Queue, Reviewed, State, database::values, item::is_token, stored::ReviewedRow};

/// How many items there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that wait for a first or second answer, and that nobody has.
    pub open: u64,
    /// Those in people's hands, in any state.
    pub leased: u64,
    /// Those that people agree on, the pictures deleted since included.
    pub done: u64,
    /// Those that wait for a third person and that nobody has, and those that three could not settle.
    pub disputed: u64,
}

/// How far two people who did not know of each other say the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// How many items two people answered.
    pub pairs: u64,
    /// How many of them in the same way.
    pub agreed: u64,
    /// Fleiss' kappa of the two answers (Fleiss 1971, "Measuring nominal scale agreement among many
    /// raters"): 1 if all agree, 0 if as many as by chance. None if all answers are the same, where it is
    /// not defined.
    pub kappa: Option<f64>,
}

const STATE: &str = "SELECT id, state, answer, class, created, answered FROM items WHERE id = $1";
const COUNTS: &str = "SELECT state, CASE WHEN lease_until > $1 THEN CAST(1 AS BIGINT) ELSE 0 END, COUNT(*) FROM items GROUP BY 1, 2";
const PAIRS: &str = "SELECT a.item, a.answer FROM answers a JOIN items i ON i.id = a.item WHERE i.people > 1 \
    AND a.undoes IS NULL AND NOT EXISTS (SELECT 1 FROM answers u WHERE u.undoes = a.n) ORDER BY a.n";

impl Queue {
    /// How far the review of an item is; none if there is no such item.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn state(&self, id: &str) -> Result<Option<Reviewed>, Error> {
        if !is_token(id) {
            return Ok(None);
        }
        let rows = self
            .database
            .rows::<ReviewedRow>(STATE, values![id])
            .await?;
        let row = rows.into_iter().next();
        row.map(|row| self.database.reviewed(row)).transpose()
    }

    /// How many items there are.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn counts(&self) -> Result<Counts, Error> {
        let rows = self
            .database
            .rows::<(String, i64, i64)>(COUNTS, values![self.now()])
            .await?;
        let mut counts = Counts::default();
        for (state, leased, number) in rows {
            let place = match (self.database.state("of any", &state)?, leased) {
                (_, 1) => &mut counts.leased,
                (State::Open, _) => &mut counts.open,
                (State::Disputed, _) => &mut counts.disputed,
                (State::Done | State::Gone, _) => &mut counts.done,
            };
            *place += number.unsigned_abs();
        }
        Ok(counts)
    }

    /// How far the first two people agree, over all items that two are to answer; none before there are any.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn agreement(&self) -> Result<Option<Agreement>, Error> {
        let rows = self
            .database
            .rows::<(String, String)>(PAIRS, values![])
            .await?;
        let mut items: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (item, answer) in rows {
            items.entry(item).or_default().push(answer);
        }
        let pairs = items.into_values().filter_map(|answers| {
            let mut answers = answers.into_iter();
            Some([answers.next()?, answers.next()?])
        });
        Ok(agreement(pairs))
    }
}

fn agreement(pairs: impl Iterator<Item = [String; 2]>) -> Option<Agreement> {
    let (mut number, mut agreed) = (0_u64, 0_u64);
    let mut votes: BTreeMap<String, u64> = BTreeMap::new();
    for pair in pairs {
        number += 1;
        agreed += u64::from(pair[0] == pair[1]);
        for answer in pair {
            *votes.entry(answer).or_default() += 1;
        }
    }
    if number == 0 {
        return None;
    }
    let all = number as f64;
    let seen = agreed as f64 / all;
    let chance: f64 = votes
        .values()
        .map(|&votes| (votes as f64 / (2.0 * all)).powi(2))
        .sum();
    let kappa = (votes.len() > 1).then(|| (seen - chance) / (1.0 - chance));
    Some(Agreement {
        pairs: number,
        agreed,
        kappa,
    })
}
