//! What became of another model in the folder of one in service, and when it is looked at again.

use std::time::{Duration, Instant};

use serde::Serialize;

/// What became of another model in the folder.
#[derive(Clone, Debug, Serialize)]
pub struct Replacement {
    /// Its version.
    pub version: String,
    /// Whether it came into service.
    pub taken: bool,
    /// Why, or why not.
    pub say: String,
    /// When it is looked at again, if it isn't in service.
    #[serde(skip)]
    pub retry: Retry,
}

/// When a model that isn't in service is looked at again.
#[derive(Clone, Copy, Debug)]
pub enum Retry {
    /// When somebody asks for it: it was compared, or there was nothing to compare on.
    Asked,
    /// At the next look: its files may still be arriving.
    Look,
    /// Later: the database or the test images couldn't be read.
    At(Instant),
}

/// How long it takes until a comparison that failed is tried again.
const PAUSE: Duration = Duration::from_secs(10);

impl Replacement {
    /// One that couldn't be read or compared.
    pub fn fault(version: String, error: &anyhow::Error, retry: Retry) -> Self {
        Replacement {
            version,
            taken: false,
            say: format!("{error:#}").replace(char::is_control, " "),
            retry,
        }
    }
}

impl Retry {
    /// After a pause.
    pub fn later() -> Self {
        Retry::At(Instant::now() + PAUSE)
    }

    /// Whether it is time.
    pub fn is_due(self) -> bool {
        match self {
            Retry::Asked => false,
            Retry::Look => true,
            Retry::At(at) => Instant::now() >= at,
        }
    }
}
