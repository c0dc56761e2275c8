//! What a sweep says while it works: a line for each run that ends, and on a terminal a bar below.

use std::{
    env,
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use report::sweep::{Count, RunResult};

use crate::progress::{human, say};

/// Tells how a sweep goes on.
pub(super) struct Told {
    quiet: bool,
    colours: bool,
    bar: ProgressBar,
    began: Instant,
    count: Count,
    /// How many runs of this process's part were left when it began, and are now.
    first: usize,
    left: usize,
}

impl Told {
    pub(super) fn new(quiet: bool, count: Count, left: usize) -> Self {
        let terminal = io::stderr().is_terminal();
        let target = match quiet || !terminal {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(4),
        };
        let bar = ProgressBar::with_draw_target(Some(count.runs as u64), target);
        if let Ok(style) = ProgressStyle::with_template("[{bar:24}] {pos}/{len} runs  {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        let told = Told {
            quiet,
            colours: terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            bar,
            began: Instant::now(),
            count,
            first: left,
            left,
        };
        told.draw();
        told
    }

    /// How far all runs are now, and how many of this process's part are left.
    pub(super) fn count(&mut self, count: Count, left: usize) {
        self.count = count;
        self.left = left;
        self.draw();
    }

    /// A run has its result.
    pub(super) fn done(&self, run: &str, result: &RunResult) {
        let validation = match result.validation_accuracy {
            Some(share) => format!("validation {:.2} %, ", 100.0 * share),
            None => String::new(),
        };
        self.note(format!(
            "{} {run}: {validation}test {:.2} %, {}{}",
            self.place(),
            100.0 * result.test_accuracy,
            seconds(result.seconds),
            self.rest()
        ));
    }

    /// A run failed: that is said to the quiet, too.
    pub(super) fn failed(&self, run: &str, error: &str) {
        let failed = match self.colours {
            true => "\u{1b}[31mfailed\u{1b}[0m",
            false => "failed",
        };
        let rest = self.rest();
        self.line(format!("{} {run}: {failed}: {error}{rest}", self.place()));
    }

    /// A line that matters to the quiet, too.
    pub(super) fn warn(&self, line: String) {
        self.line(line);
    }

    /// A line for those who watch.
    pub(super) fn note(&self, line: String) {
        if !self.quiet {
            self.line(line);
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, line: String) {
        self.bar.suspend(|| say(line));
    }

    fn place(&self) -> String {
        format!(
            "[{}/{}]",
            self.count.done + self.count.failed,
            self.count.runs
        )
    }

    /// What is left, in words.
    fn rest(&self) -> String {
        let failed = match self.count.failed {
            0 => String::new(),
            failed => format!("; {failed} failed"),
        };
        match self.time_left() {
            Some(left) => format!("{failed}; about {} left", human(left)),
            None => failed,
        }
    }

    /// The time that the runs ahead take, if they end as often as those since this process began, whoever
    /// made them.
    fn time_left(&self) -> Option<Duration> {
        let ended = self
            .first
            .checked_sub(self.left)
            .filter(|ended| *ended > 0)?;
        let share = self.left as f64 / ended as f64;
        (self.left > 0).then(|| self.began.elapsed().mul_f64(share))
    }

    fn draw(&self) {
        self.bar
            .set_position((self.count.done + self.count.failed) as u64);
        self.bar
            .set_message(self.rest().trim_start_matches("; ").to_owned());
    }
}

/// Seconds for people; of few of them also the tenths.
fn seconds(seconds: f64) -> String {
    match seconds < 60.0 {
        true => format!("{seconds:.1} s"),
        false => human(Duration::from_secs_f64(seconds.min(1e9))),
    }
}
