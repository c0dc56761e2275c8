//! What is wrong with a file.

/// Why a file can't be believed, in the words of an error.
pub(crate) type Problem = String;

/// What is wrong with data; small, because every symbol may return it.
#[derive(Clone, Copy)]
pub(crate) enum Damage {
    Short,
    Wrong,
    Long,
}

impl From<Damage> for Problem {
    fn from(damage: Damage) -> Self {
        match damage {
            Damage::Short => "its data end early",
            Damage::Wrong => "its data are damaged",
            Damage::Long => "it holds more data than pixels",
        }
        .into()
    }
}
