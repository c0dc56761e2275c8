use std::{collections::BTreeMap, fmt};

/// What a person says of an item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// It is of the class of this name.
    Class(String),
    /// It is of none of the classes.
    None,
    /// The person looked and can't tell.
    Unsure,
}

impl Answer {
    /// How `None` and `Unsure` are written: no class may be called so.
    pub const RESERVED: [&str; 2] = ["none", "unsure"];

    /// The answer that is written so; whatever is not `none` or `unsure` is the name of a class.
    pub fn read(text: &str) -> Self {
        match text {
            "none" => Self::None,
            "unsure" => Self::Unsure,
            name => Self::Class(name.to_owned()),
        }
    }

    /// The answer as it is written: `none`, `unsure` or the name of a class.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Class(name) => name,
            Self::None => Self::RESERVED[0],
            Self::Unsure => Self::RESERVED[1],
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far the review of an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// A person is still to answer.
    Open,
    /// The people agree, or most of them do.
    Done,
    /// Two people disagree and a third is to settle it, or all three said something else: then it stays so.
    Disputed,
    /// Reviewed, and the picture deleted since.
    Gone,
}

impl State {
    const ALL: [Self; 4] = [Self::Open, Self::Done, Self::Disputed, Self::Gone];

    /// The state as it is written: `open`, `done`, `disputed` or `gone`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Disputed => "disputed",
            Self::Gone => "gone",
        }
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many people settle a dispute.
const TO_SETTLE: i64 = 3;

/// What the answers to an item come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub state: State,
    /// How many people are to answer.
    pub wanted: i64,
    /// What holds, if done.
    pub answer: Option<Answer>,
    /// Whether nobody is asked any more.
    pub closed: bool,
}

impl Verdict {
    /// Of the answers that stand, for an item that `people` are to agree on.
    pub fn of(answers: &[Answer], people: i64) -> Self {
        let given = i64::try_from(answers.len()).unwrap_or(i64::MAX);
        if given < people {
            return Self {
                state: State::Open,
                wanted: people,
                answer: None,
                closed: false,
            };
        }
        let mut votes = BTreeMap::new();
        for answer in answers {
            *votes.entry(answer).or_insert(0_usize) += 1;
        }
        let most = votes
            .into_iter()
            .find(|&(_, count)| 2 * count > answers.len());
        match most {
            Some((answer, _)) => Self {
                state: State::Done,
                wanted: people,
                answer: Some(answer.clone()),
                closed: true,
            },
            None => Self {
                state: State::Disputed,
                wanted: TO_SETTLE,
                answer: None,
                closed: given >= TO_SETTLE,
            },
        }
    }
}

/// What is known of an item's review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    /// The item.
    pub id: String,
    /// How far its review is.
    pub state: State,
    /// What holds, if it is done (or gone).
    pub answer: Option<Answer>,
    /// The index of the class that holds, if a class does.
    pub class: Option<u32>,
    /// When it was deferred, in milliseconds since 1970.
    pub created: i64,
    /// When the last answer was given, in milliseconds since 1970, if nobody is asked any more.
    pub answered: Option<i64>,
}
