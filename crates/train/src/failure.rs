//! How a run ends that doesn't succeed.

/// A run that didn't succeed.
#[derive(Debug)]
pub struct Failure {
    /// What happened and what to do.
    pub error: anyhow::Error,
    /// Whether the command line or the recipe is at fault.
    pub usage: bool,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure {
            error: error.into(),
            usage: false,
        }
    }
}

pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Failure {
    Failure {
        error: error.into(),
        usage: true,
    }
}
