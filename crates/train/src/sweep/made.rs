//! What came of a run that was made.

use std::{thread, time::Duration};

use report::sweep::RunResult;

use super::{child::Ended, found::Found, plan::Planned};
use crate::interrupt::Interrupt;

/// Who stops a run may be about to stop this process, too, as a terminal or a queue does with all at once.
const AT_ONCE: Duration = Duration::from_millis(200);
/// How a run ends that a signal has stopped.
const STOPPED: [i32; 2] = [130, 143];

/// What came of a run.
pub(super) enum Made {
    /// It has its result.
    Done(RunResult),
    /// It is in the hands of another process.
    Elsewhere,
    /// It was stopped, as this process is.
    Stopped,
    /// It failed, for this reason.
    Failed(String),
}

impl Planned {
    /// What came of the run; a new one has found no run in its folder when it was started.
    pub(super) fn made(&self, is_new: bool, ended: &Ended, interrupt: &Interrupt) -> Made {
        let taken = is_new && ended.found_it_there() && self.layout.config().is_file();
        if ended.found_it_in_use() || taken {
            return Made::Elsewhere;
        }
        if ended.code().is_some_and(|code| STOPPED.contains(&code)) {
            if interrupt.exit_code().is_none() {
                thread::sleep(AT_ONCE);
            }
            if interrupt.exit_code().is_some() {
                return Made::Stopped;
            }
        }
        if !ended.is_good() {
            return Made::Failed(ended.error());
        }
        match self.look() {
            Ok(Found::Done(result)) => Made::Done(result),
            Ok(_) => Made::Failed("it ended well, but there is no whole summary.json".into()),
            Err(other) => Made::Failed(format!("{other:#}")),
        }
    }
}
