//! Runs compared: what the groups of a sweep achieved, and which of their runs is the best.

mod spread;
mod text;

use serde::{Deserialize, Serialize};

pub use spread::Spread;

/// The version of the form that a sweep is written in as JSON.
const VERSION: u32 = 1;

/// What the runs of a sweep achieved. Shares are fractions, times are seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sweep {
    /// The version of this form.
    pub version: u32,
    /// What the sweep is called.
    pub name: String,
    /// How many runs there are.
    pub count: Count,
    /// Runs that differ in nothing but their seed, in the order of the table.
    pub groups: Vec<Group>,
    /// The keys of the recipe whose values the groups don't share.
    pub differing: Vec<Difference>,
    /// Every run, in the order of the table.
    pub runs: Vec<Run>,
}

/// How many runs there are, and how far they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// All of them.
    pub runs: usize,
    /// Those that have a result.
    pub done: usize,
    /// Those whose last attempt failed.
    pub failed: usize,
    /// Those that are begun or wait.
    pub unfinished: usize,
}

/// Runs that differ in nothing but their seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The recipe's file, as the table names it; none is the default recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// The changes to the recipe.
    pub set: Vec<String>,
    /// How many runs it has.
    pub count: Count,
    /// The share of right test images, over the runs that are done, as all that follows.
    pub test_accuracy: Option<Spread>,
    /// The calibrated negative log likelihood on the test images, in nats.
    pub test_nll: Option<Spread>,
    /// The share of right validation images.
    pub validation_accuracy: Option<Spread>,
    /// The whole process.
    pub seconds: Option<Spread>,
    /// The name of the run with the most right validation images; of equal ones that of the least
    /// validation loss. The test images choose nothing.
    pub best: Option<String>,
}

/// A key of the recipe on which groups differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The dotted key.
    pub key: String,
    /// Its value in each group as TOML, in the order of the groups; none where it isn't there.
    pub values: Vec<Option<String>>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// The name of its folder.
    pub name: String,
    /// The name of its group.
    pub group: String,
    /// Its seed.
    pub seed: u64,
    /// How far it is.
    pub state: RunState,
    /// What it achieved, once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<RunResult>,
    /// Why its last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<RunFailure>,
    /// Where its own page is, seen from the page of the sweep.
    #[serde(skip)]
    pub report: String,
    /// How its validation went.
    #[serde(skip)]
    pub curves: Curves,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It has a result.
    Done,
    /// Its last attempt failed.
    Failed,
    /// It has a folder and no result.
    Begun,
    /// It has no folder.
    Waiting,
}

/// What a run achieved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunResult {
    /// The share of right test images.
    pub test_accuracy: f64,
    /// Wrong test images.
    pub test_errors: u64,
    /// The calibrated negative log likelihood on the test images, in nats.
    pub test_nll: Option<f64>,
    /// The share of right validation images, if there are any.
    pub validation_accuracy: Option<f64>,
    /// Their mean cross-entropy, in nats.
    pub validation_loss: Option<f64>,
    /// The whole process, from its start or latest resumption.
    pub seconds: f64,
    /// Finished epochs, of all members together.
    pub epochs: usize,
    /// Why training ended.
    pub stopped: String,
    /// Learned parameters.
    pub parameters: usize,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFailure {
    /// The last line that says what is wrong.
    pub error: String,
    /// The exit code of the process, if it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// How often the run was tried in vain.
    pub attempts: u32,
}

/// Values of epochs: pairs of epoch and value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// Shares of right validation images.
    pub accuracy: Vec<(f64, f64)>,
    /// Their mean cross-entropies.
    pub loss: Vec<(f64, f64)>,
}

/// A group as the table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its name.
    pub name: String,
    /// The recipe's file.
    pub recipe: Option<String>,
    /// The changes to the recipe.
    pub set: Vec<String>,
}

impl Sweep {
    /// Compares the runs of groups.
    pub fn new(
        name: String,
        groups: Vec<Asked>,
        differing: Vec<Difference>,
        runs: Vec<Run>,
    ) -> Self {
        let groups = groups.into_iter().map(|asked| {
            let own: Vec<&Run> = runs.iter().filter(|run| run.group == asked.name).collect();
            Group::new(asked, &own)
        });
        Sweep {
            version: VERSION,
            name,
            groups: groups.collect(),
            count: Count::of(runs.iter()),
            differing,
            runs,
        }
    }

    /// The run of that name.
    pub fn run(&self, name: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.name == name)
    }
}

impl Count {
    fn of<'a>(runs: impl Iterator<Item = &'a Run>) -> Self {
        let mut count = Count::default();
        for run in runs {
            count.runs += 1;
            match run.state {
                RunState::Done => count.done += 1,
                RunState::Failed => count.failed += 1,
                RunState::Begun | RunState::Waiting => count.unfinished += 1,
            }
        }
        count
    }
}

impl Group {
    fn new(asked: Asked, runs: &[&Run]) -> Self {
        let results = || runs.iter().filter_map(|run| run.result.as_ref());
        Group {
            name: asked.name,
            recipe: asked.recipe,
            set: asked.set,
            count: Count::of(runs.iter().copied()),
            test_accuracy: Spread::of(results().map(|result| result.test_accuracy)),
            test_nll: Spread::of(results().filter_map(|result| result.test_nll)),
            validation_accuracy: Spread::of(results().filter_map(|r| r.validation_accuracy)),
            seconds: Spread::of(results().map(|result| result.seconds)),
            best: best(runs).map(|run| run.name.clone()),
        }
    }
}

/// The run with the most right validation images.
fn best<'a>(runs: &[&'a Run]) -> Option<&'a Run> {
    let judged = runs.iter().filter_map(|run| {
        let result = run.result.as_ref()?;
        let loss = result.validation_loss.unwrap_or(f64::INFINITY);
        Some((result.validation_accuracy?, -loss, *run))
    });
    // The first of equals stays.
    let better = |best: (f64, f64, &'a Run), next: (f64, f64, &'a Run)| match next
        .0
        .total_cmp(&best.0)
        .then(next.1.total_cmp(&best.1))
    {
        std::cmp::Ordering::Greater => next,
        _ => best,
    };
    judged.reduce(better).map(|(_, _, run)| run)
}
