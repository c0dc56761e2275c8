//! What all runs of a sweep achieved so far, whoever made them.

use std::{collections::HashMap, time::Instant};

use report::{
    Sweep,
    sweep::{Curves, Run, RunFailure, RunResult, RunState},
};
use runs::History;

use super::{
    found::{self, Found},
    plan::{Plan, Planned},
    store::{Store, json},
};

/// Of the time that passes, one part in so many goes into the page.
const SHARE: u32 = 20;

/// Reads the results of runs, each once: a run that is done stays so.
pub(super) struct Gathered<'a> {
    plan: &'a Plan,
    known: HashMap<&'a str, (RunResult, Curves)>,
    page_due: Instant,
}

impl<'a> Gathered<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Gathered {
            plan,
            known: HashMap::new(),
            page_due: Instant::now(),
        }
    }

    /// How the runs stand now.
    pub(super) fn sweep(&mut self) -> Sweep {
        let plan = self.plan;
        let runs = plan.runs.iter().map(|planned| self.run(planned)).collect();
        Sweep::new(
            plan.name.clone(),
            plan.groups.clone(),
            plan.differing.clone(),
            runs,
        )
    }

    /// Writes `sweep.json`, and `sweep.html` if that is `due` or hasn't been written for some time.
    pub(super) fn publish(&mut self, store: &Store, due: bool) -> anyhow::Result<Sweep> {
        store.write(|| {
            // Only now: a process that reads later writes later.
            let sweep = self.sweep();
            store.put(&self.plan.layout.summary(), &json(&sweep)?)?;
            let began = Instant::now();
            if due || began >= self.page_due {
                store.put(&self.plan.layout.page(), sweep.html()?.as_bytes())?;
                self.page_due = Instant::now() + began.elapsed() * SHARE;
            }
            Ok(sweep)
        })
    }

    fn run(&mut self, planned: &'a Planned) -> Run {
        let known = self.known.get(&planned.name[..]).cloned();
        let (state, done, failure) = match known {
            Some(done) => (RunState::Done, Some(done), None),
            None => self.look(planned),
        };
        let (result, curves) = done.unzip();
        Run {
            name: planned.name.clone(),
            group: planned.group.clone(),
            seed: planned.seed,
            state,
            result,
            failure,
            report: self.plan.layout.report_address(&planned.name),
            curves: curves.unwrap_or_default(),
        }
    }

    #[allow(clippy::type_complexity, reason = "it is used once")]
    fn look(
        &mut self,
        planned: &'a Planned,
    ) -> (RunState, Option<(RunResult, Curves)>, Option<RunFailure>) {
        let failure = || found::failure(&self.plan.layout.failure(&planned.name));
        match planned.look() {
            Ok(Found::Done(result)) => {
                let done = (result, curves(planned));
                self.known.insert(&planned.name, done.clone());
                (RunState::Done, Some(done), None)
            }
            // What is of another recipe is no run of this sweep, and says so.
            Err(error) => {
                let failure = RunFailure {
                    error: format!("{error:#}"),
                    code: None,
                    signal: None,
                    attempts: 0,
                };
                (RunState::Failed, None, Some(failure))
            }
            Ok(found) => match (failure(), found) {
                (Some(failure), _) => (RunState::Failed, None, Some(failure)),
                (None, Found::Nothing) => (RunState::Waiting, None, None),
                (None, _) => (RunState::Begun, None, None),
            },
        }
    }
}

/// How the validation of a run went; nothing where its measurements are gone.
fn curves(planned: &Planned) -> Curves {
    let history = History::of(&planned.layout).unwrap_or_default();
    Curves {
        accuracy: history.by_epoch("validation", "accuracy"),
        loss: history.by_epoch("validation", "loss"),
    }
}
