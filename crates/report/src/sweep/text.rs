//! A sweep as text for a terminal.

use std::fmt::{self, Display, Formatter};

use super::{Group, RunState, Spread, Sweep};

/// Most characters of a name in the table.
const NAME: usize = 40;
/// Most failures that are told one by one.
const FAILURES: usize = 20;

const HEADS: [&str; 8] = [
    "group",
    "n",
    "test accuracy, %",
    "NLL, nats",
    "seconds",
    "failed",
    "unfinished",
    "best by validation",
];

impl Display for Sweep {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rows = vec![HEADS.map(String::from)];
        rows.extend(self.groups.iter().map(|group| self.row(group)));
        let width = |column: usize| {
            let lengths = rows.iter().map(|row| row[column].chars().count());
            lengths.max().unwrap_or(0)
        };
        let widths: [usize; HEADS.len()] = std::array::from_fn(width);
        for row in &rows {
            let last = HEADS.len() - 1;
            write!(f, "{:<width$}", row[0], width = widths[0])?;
            for (cell, width) in row[1..last].iter().zip(&widths[1..]) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f, "  {}", row[last])?;
        }
        self.failures(f)
    }
}

impl Sweep {
    fn row(&self, group: &Group) -> [String; HEADS.len()] {
        let spread = |of: &Option<Spread>, scale: f64, decimals: usize| {
            of.map_or("–".into(), |spread| spread.shown(scale, decimals))
        };
        let best = group.best.as_ref().and_then(|name| {
            let accuracy = self.run(name)?.result.as_ref()?.validation_accuracy?;
            Some(format!("{} ({:.2} %)", short(name), 100.0 * accuracy))
        });
        [
            short(&group.name),
            group.count.done.to_string(),
            spread(&group.test_accuracy, 100.0, 2),
            spread(&group.test_nll, 1.0, 4),
            spread(&group.seconds, 1.0, 1),
            group.count.failed.to_string(),
            group.count.unfinished.to_string(),
            best.unwrap_or("–".into()),
        ]
    }

    fn failures(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let failed = || self.runs.iter().filter(|run| run.state == RunState::Failed);
        for run in failed().take(FAILURES) {
            let error = run.failure.as_ref().map_or("", |failure| &failure.error);
            writeln!(f, "failed: {}: {error}", run.name)?;
        }
        match failed().count().saturating_sub(FAILURES) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more"),
        }
    }
}

/// The beginning of a long name.
fn short(name: &str) -> String {
    match name.char_indices().nth(NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
