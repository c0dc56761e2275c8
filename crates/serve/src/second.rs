//! Second pictures: one of the same thing as another before, sent with its id, is judged together with it.
//!
//! The first picture is what the review queue holds of it, so that any server on that queue and after any
//! restart knows it. One in which nothing was seen isn't in the queue: that there was one is remembered here.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use answers::{Answer, Finding};
use axum::http::HeaderMap;
use queue::Queue;

use crate::{failure::Failure, models::Loaded, reviews::failed};

/// The header of a request that names the first picture.
const HEADER: &str = "x-first";
/// How much later a second picture may come.
const PATIENCE: Duration = Duration::from_secs(60 * 60);
/// How many pictures in which nothing was seen are remembered.
const REMEMBERED: usize = 10_000;
/// What is said of a third picture.
const USED: &str = "a second picture came for this first one already, and there is no third: send this one by itself";
/// The same, where people have the first.
const USED_REVIEW: &str = "a second picture came for this first one already, and there is no third: a person decides on the \
    first, ask /reviews/{id}";

/// The first picture of a thing.
#[derive(Debug)]
pub struct First {
    /// Its id.
    pub id: String,
    /// What was seen in it; none if nothing was.
    seen: Option<queue::First>,
}

/// The pictures in which nothing was seen, the oldest first.
#[derive(Debug, Default)]
pub struct Unseen(Mutex<VecDeque<Blank>>);

/// A picture in which nothing was seen.
#[derive(Debug)]
struct Blank {
    id: String,
    at: Instant,
    /// Whether a second came, and was judged.
    used: bool,
}

impl Unseen {
    /// Remembers one more; the id to call it by.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn remember(&self, queue: &Queue) -> Result<String, Failure> {
        let id = queue.random().map_err(|error| failed(&error))?;
        let mut unseen = self.lock();
        if unseen.len() == REMEMBERED {
            unseen.pop_front();
        }
        unseen.push_back(Blank {
            id: id.clone(),
            at: Instant::now(),
            used: false,
        });
        Ok(id)
    }

    /// Whether it is one that a second came for already; none if it isn't known.
    fn used(&self, id: &str) -> Option<bool> {
        let unseen = self.lock();
        let found = unseen.iter().find(|blank| blank.id == id);
        found.map(|blank| blank.used)
    }

    /// Uses one up; whether it wasn't before.
    fn pair(&self, id: &str) -> bool {
        let mut unseen = self.lock();
        let found = unseen.iter_mut().find(|blank| blank.id == id);
        found.is_some_and(|blank| !std::mem::replace(&mut blank.used, true))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Blank>> {
        let mut unseen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while unseen
            .front()
            .is_some_and(|blank| blank.at.elapsed() > PATIENCE)
        {
            unseen.pop_front();
        }
        unseen
    }
}

impl First {
    /// The first picture that a request names.
    ///
    /// # Errors
    /// 404 if there is none of that id, 409 if no second can be judged with it, with the reason.
    pub async fn of(
        headers: &HeaderMap,
        model: &str,
        unseen: &Unseen,
        queue: &Queue,
    ) -> Result<Option<Self>, Failure> {
        let Some(id) = headers.get(HEADER) else {
            return Ok(None);
        };
        let id = id.to_str().unwrap_or_default().to_owned();
        match unseen.used(&id) {
            Some(false) => return Ok(Some(First { id, seen: None })),
            Some(true) => return Err(Failure::conflict(USED)),
            None => {}
        }
        let first = queue.first(&id).await.map_err(|error| failed(&error))?;
        let first = first.ok_or_else(|| {
            Failure::not_found(
                "X-First names no picture that is known here: send the `first` of an answer of the last hour",
            )
        })?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_millis());
        let age = now.saturating_sub(u128::from(first.created.unsigned_abs()));
        let refused = if age > PATIENCE.as_millis() {
            "the first picture is more than an hour old: send this one by itself"
        } else if first.answered {
            "people have answered what the first picture shows: ask /reviews/{id}"
        } else if first.paired {
            USED_REVIEW
        } else if first.model != model {
            "the first picture was judged by another model: send this one to the same"
        } else {
            return Ok(Some(First {
                id,
                seen: Some(first),
            }));
        };
        Err(Failure::conflict(refused))
    }

    /// Has what was said of a second picture say what both say together.
    ///
    /// # Errors
    /// 400 if both are the same picture, 409 if another version of the model judged the first.
    pub fn judge(&self, model: &Loaded, answer: &mut Answer<'_>) -> Result<Together, Failure> {
        let (Some(first), Finding::Classified { pixels, class, .. }) =
            (&self.seen, &mut answer.finding)
        else {
            return Ok(Together::Alone);
        };
        if first.version != model.version {
            return Err(Failure::conflict(
                "the first picture was judged by another version of the model: send this one by itself",
            ));
        }
        if first.input.as_ref() == Some(pixels) {
            return Err(Failure::bad(
                "this is the first picture once more, which says nothing new: take another one",
            ));
        }
        let seen = match &first.reason[..] {
            answers::LOW_CONFIDENCE => Some(&first.probabilities[..]),
            // Its probabilities say nothing.
            answers::OUT_OF_DISTRIBUTION => return Ok(Together::Alone),
            // A mark: no other picture says what it means.
            _ => None,
        };
        let alone = class.class;
        let calibration = model.classifier.calibration();
        let pair = calibration
            .decide_pair(seen, class)
            .map_err(|error| Failure::internal(error.to_string()))?;
        let Some(seen) = seen else {
            class.classification = pair;
            return Ok(Together::Person);
        };
        let disagree = likeliest(seen) != usize::from(alone);
        let name = model.classifier.classes().get(usize::from(pair.class));
        class.name = Arc::from(name.map_or("", String::as_str));
        class.classification = pair;
        Ok(match answer.reason() {
            Some(answers::LOW_CONFIDENCE) if disagree => Together::Disagree,
            _ => Together::Agree,
        })
    }

    /// Uses it up, for a second picture that isn't put into the queue.
    ///
    /// # Errors
    /// 409 if another second picture was judged before, 503 if the database can't tell.
    pub async fn pair(&self, unseen: &Unseen, queue: &Queue) -> Result<(), Failure> {
        if self.seen.is_none() {
            return match unseen.pair(&self.id) {
                true => Ok(()),
                false => Err(Failure::conflict(USED)),
            };
        }
        match queue.pair(&self.id).await {
            Err(error) if error.is_conflict() => Err(Failure::conflict(USED_REVIEW)),
            paired => paired.map_err(|error| failed(&error)),
        }
    }

    /// The review of it, if people have it.
    pub fn review(&self) -> Option<&str> {
        self.seen.as_ref().map(|_| &self.id[..])
    }
}

/// How a picture was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// By itself.
    Alone,
    /// With a first picture.
    Agree,
    /// With a first picture that shows something else.
    Disagree,
    /// Whatever it shows, the first was for a person.
    Person,
}

impl Together {
    /// Why a person has to look, as one word, where it is for another reason than that of one picture.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Together::Alone | Together::Agree => None,
            Together::Disagree => Some("disagreement"),
            Together::Person => Some("first_picture"),
        }
    }
}

/// The class with the largest probability, the lowest of them where several tie.
fn likeliest(probabilities: &[f64]) -> usize {
    let mut best = 0;
    for (class, p) in probabilities.iter().enumerate() {
        if *p > probabilities[best] {
            best = class;
        }
    }
    best
}
