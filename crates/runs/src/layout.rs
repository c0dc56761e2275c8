use std::{
    fs,
    path::{Path, PathBuf},
};

/// What an epoch's checkpoint is called before its number.
const EPOCH: &str = "epoch-";

/// What TensorBoard knows its files by.
const EVENTS: &str = "events.out.tfevents.";

/// The folder of the members of a run.
const MEMBERS: &str = "members";

/// The paths in the folder of a run. A run of several networks has a folder of a run for each of these
/// members, in which the training checkpoints and measurements are.
///
/// ```
/// use std::path::Path;
///
/// let run = runs::Layout::new("artifacts/default-001");
/// assert_eq!(run.checkpoint(12), Path::new("artifacts/default-001/checkpoints/epoch-012"));
/// assert_eq!(runs::Layout::epoch("epoch-012"), Some(12));
/// assert_eq!(run.member(2).path(), Path::new("artifacts/default-001/members/2"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    path: PathBuf,
}

impl Layout {
    /// That of the run in a folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Those of the folders in which a checkpoint may lie, the nearest first: a run has its model in one
    /// folder and the checkpoints of epochs a folder deeper.
    pub fn around(checkpoint: &Path) -> impl Iterator<Item = Self> {
        checkpoint.ancestors().skip(1).take(2).map(Self::new)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the members.
    pub fn members_folder(&self) -> PathBuf {
        self.path.join(MEMBERS)
    }

    /// That of a member, counted from 1.
    pub fn member(&self, number: usize) -> Self {
        Self::new(self.members_folder().join(number.to_string()))
    }

    /// Those of the members that have a folder, in their order; none where the run is of one network.
    pub fn members(&self) -> Vec<Self> {
        let entries = fs::read_dir(self.members_folder()).into_iter().flatten();
        let number = |name: &str| name.parse().ok().filter(|n: &usize| n.to_string() == name);
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut numbers: Vec<usize> = names.filter_map(|name| number(name.to_str()?)).collect();
        numbers.sort_unstable();
        numbers.into_iter().map(|n| self.member(n)).collect()
    }

    /// The resolved recipe, written before the first step: a folder without it is no run.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// Held by the process that writes to the run.
    pub fn lock(&self) -> PathBuf {
        self.path.join(".lock")
    }

    /// A [`Measurement`](crate::Measurement) per line.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// What was measured after the epoch that a run went on from.
    pub fn passed_over_metrics(&self) -> PathBuf {
        self.path.join("passed-over-metrics.jsonl")
    }

    /// What was learned epoch by epoch, a [`Learning`](crate::Learning).
    pub fn learning(&self) -> PathBuf {
        self.path.join("learning.json")
    }

    /// Whether a file in the folder is one of TensorBoard's, by its name.
    pub fn is_events(name: &str) -> bool {
        name.starts_with(EVENTS)
    }

    /// TensorBoard's file of the events since a time, in seconds since 1970. Sorted by name, they are in
    /// the order of their times.
    pub fn events(&self, seconds: u64, number: usize) -> PathBuf {
        self.path.join(format!("{EVENTS}{seconds:010}.{number}"))
    }

    /// The result of the run.
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// The result as a page for a browser.
    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// The best network, without optimizer: what is handed on.
    pub fn model(&self) -> PathBuf {
        self.path.join("model")
    }

    /// The folder of the training checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// The training checkpoint of an epoch.
    pub fn checkpoint(&self, epoch: usize) -> PathBuf {
        self.checkpoints().join(format!("{EPOCH}{epoch:03}"))
    }

    /// What the checkpoint of an epoch is called where no run is to go on from it.
    pub fn passed_over(&self, epoch: usize) -> PathBuf {
        let name = format!("passed-over-{EPOCH}{epoch:03}");
        self.checkpoints().join(name)
    }

    /// The epoch whose checkpoint has that name; none for other spellings of the number.
    pub fn epoch(name: &str) -> Option<usize> {
        let epoch = name.strip_prefix(EPOCH)?.parse().ok()?;
        (format!("{EPOCH}{epoch:03}") == name).then_some(epoch)
    }
}
