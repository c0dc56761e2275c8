//! What the columns of an item hold, as types. What the queue never writes is an error that names the row.

use serde::de::DeserializeOwned;

use crate::{Answer, Error, Reviewed, State, database::Database};

pub(crate) type ReviewedRow = (
    String,
    String,
    Option<String>,
    Option<i64>,
    i64,
    Option<i64>,
);

impl Database {
    pub fn state(&self, id: &str, text: &str) -> Result<State, Error> {
        State::read(text).ok_or_else(|| self.unreadable(id, format!("the state {text}")))
    }

    pub fn class(&self, id: &str, class: i64) -> Result<u32, Error> {
        u32::try_from(class).map_err(|_| self.unreadable(id, format!("the class {class}")))
    }

    pub fn shape(&self, id: &str, shape: [i64; 3]) -> Result<[u32; 3], Error> {
        let [channels, height, width] = shape.map(u32::try_from);
        match (channels, height, width) {
            (Ok(channels), Ok(height), Ok(width)) => Ok([channels, height, width]),
            _ => Err(self.unreadable(id, format!("the shape {shape:?}"))),
        }
    }

    pub fn list<T: DeserializeOwned>(&self, id: &str, text: &str) -> Result<Vec<T>, Error> {
        serde_json::from_str(text).map_err(|error| self.unreadable(id, error))
    }

    pub fn reviewed(&self, row: ReviewedRow) -> Result<Reviewed, Error> {
        let (id, state, answer, class, created, answered) = row;
        Ok(Reviewed {
            state: self.state(&id, &state)?,
            answer: answer.as_deref().map(Answer::read),
            class: class.map(|class| self.class(&id, class)).transpose()?,
            created,
            answered,
            id,
        })
    }
}
