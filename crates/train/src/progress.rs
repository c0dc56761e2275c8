//! What a run shows while it works: a bar on a terminal, a line per epoch elsewhere.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use burn::train::{
    logger::{EvaluationProgressLogger, TrainingProgressLogger},
    metric::MetricDefinition,
    renderer::{
        EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
        MetricsRendererTraining,
    },
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::live::Quantity;

/// Renders Burn's training events as a progress bar on standard error. On a terminal the bar is
/// redrawn at most ten times a second; elsewhere nothing is drawn, and the training loop's line per
/// epoch is all there is.
pub struct Progress {
    bar: ProgressBar,
    epoch: usize,
    epochs: usize,
    train_items: usize,
    /// Items of this run that were trained on, and since when: what time left is judged by.
    done: usize,
    started: Instant,
    loss: f64,
    accuracy: f64,
}

impl Progress {
    /// A renderer; a `quiet` one draws nothing.
    pub fn new(quiet: bool) -> Self {
        let target = if quiet || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(10)
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = ProgressStyle::with_template("{prefix} [{bar:24}] {pos}/{len}  {msg}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        Progress {
            bar,
            epoch: 0,
            epochs: 0,
            train_items: 0,
            done: 0,
            started: Instant::now(),
            loss: f64::NAN,
            accuracy: f64::NAN,
        }
    }

    /// A handle to print lines above the bar with.
    pub fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }
}

impl MetricsRendererTraining for Progress {
    fn update_train(&mut self, state: MetricState) {
        if let MetricState::Numeric(entry, Some(value)) = state {
            let shown = if entry.metric_id == Quantity::Loss.id() {
                &mut self.loss
            } else {
                &mut self.accuracy
            };
            // A moving average over about twenty batches: single ones jump too much to read.
            let value = value.current();
            *shown = if shown.is_nan() {
                value
            } else {
                0.95 * *shown + 0.05 * value
            };
        }
    }

    fn update_valid(&mut self, _state: MetricState) {}
}

impl TrainingProgressLogger for Progress {
    fn start(&mut self, epochs: usize, first: usize, _items: Option<usize>, _label: Option<&str>) {
        self.epochs = epochs;
        self.epoch = first.saturating_sub(1);
        self.started = Instant::now();
    }

    fn start_split(&mut self, split: &str, items: usize) {
        if split.eq_ignore_ascii_case("train") {
            self.epoch += 1;
            self.train_items = items;
            self.bar
                .set_prefix(format!("epoch {}/{}", self.epoch, self.epochs));
        } else {
            self.bar.set_prefix("validation");
            self.bar.set_message("");
        }
        self.bar.set_length(items as u64);
        self.bar.set_position(0);
    }

    fn update_split(&mut self, items: usize) {
        let before = self.bar.position() as usize;
        self.bar.set_position(items as u64);
        if self.bar.length() != Some(self.train_items as u64) {
            return;
        }
        self.done += items.saturating_sub(before);
        let rate = self.done as f64 / self.started.elapsed().as_secs_f64().max(1e-9);
        let left = (self.epochs - self.epoch) * self.train_items + self.train_items - items;
        self.bar.set_message(format!(
            "loss {:.4}  accuracy {:.2} %  {rate:.0} images/s  {} left",
            self.loss,
            self.accuracy,
            human(Duration::from_secs_f64(left as f64 / rate.max(1e-9))),
        ));
    }

    fn end_split(&mut self) {}

    fn update_epoch(&mut self, _epoch: usize) {}

    fn end(&mut self) {
        self.bar.finish_and_clear();
    }

    fn log_event_training(&mut self, _event: String) {}
}

/// A line on standard error. A run is not stopped by a reader that has gone away.
pub fn say(line: impl Display) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// `41 s`, `3 min 20 s` or `1 h 04 min`.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

impl MetricsRendererEvaluation for Progress {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl EvaluationProgressLogger for Progress {
    fn start_global_progress(&mut self, _total_tests: usize) {}
    fn start_test(&mut self, _name: &str, _total_items: usize) {}
    fn update_test_progress(&mut self, _items: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _event: String) {}
}

impl MetricsRenderer for Progress {
    fn manual_close(&mut self) {}
    fn register_metric(&mut self, _definition: MetricDefinition) {}
}
