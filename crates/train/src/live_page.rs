//! `report.html` while the run goes on: what it has learned so far. The report takes its place.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use data::LabelledImages;
use model::Network;
use report::{Answer, Lesson, Live, Moment, PageError, State};
use runs::{Filters, History, Learned, Measurement};

use crate::{
    learner::BatchResult,
    progress::{human, say},
    run_dir::{RunDir, RunDirError},
    state::EpochRecord,
};

/// The page is written this often, if that takes little of the time.
const INTERVAL: Duration = Duration::from_secs(1);
/// Of the time of the run, one part in so many goes into it.
const SHARE: u32 = 100;
/// A run of which there is nothing new for so long has probably died.
const SILENCE: Duration = Duration::from_secs(60);
/// The same of one that is being examined.
const EXAMINATION: Duration = Duration::from_secs(300);

/// Keeps the page of a run up to date. What can't be written is said once and then left out.
#[derive(Debug)]
pub struct LivePage {
    /// Where the page goes.
    run: Arc<RunDir>,
    /// Where this member keeps what it learned.
    member: Arc<RunDir>,
    live: Live,
    history: History,
    /// Whether another member is trained after this one.
    others_follow: bool,
    first: Option<Vec<Answer>>,
    last: Option<Vec<Answer>>,
    /// Since when, and after which step.
    began: Option<(Instant, usize)>,
    step: usize,
    latest: Option<(f64, f64)>,
    speed: Option<f64>,
    due: Instant,
    cost: Duration,
    /// When what an epoch teaches is drawn again.
    draw_due: Instant,
    broken: bool,
}

impl LivePage {
    /// The page of a member, whose history goes as far as it was trained.
    pub fn new(
        (run, member): (Arc<RunDir>, Arc<RunDir>),
        live: Live,
        history: History,
        others_follow: bool,
    ) -> Self {
        let now = Instant::now();
        LivePage {
            run,
            member,
            live,
            history,
            others_follow,
            first: None,
            last: None,
            began: None,
            step: 0,
            latest: None,
            speed: None,
            due: now,
            cost: Duration::ZERO,
            draw_due: now,
            broken: false,
        }
    }

    /// The validation images, if there are any.
    pub fn held_out(&self) -> Option<&LabelledImages> {
        self.live.held_out.as_ref()
    }

    /// Training begins, or goes on after so many steps.
    pub fn begin(&mut self, done: usize) {
        self.began = Some((Instant::now(), done));
        self.step = done;
        self.write(State::Training);
    }

    /// A step was made at so many images per second.
    pub fn step(&mut self, epoch: usize, step: usize, result: &BatchResult, speed: f64) {
        let (loss, accuracy) = (result.mean_loss(), result.accuracy());
        let (before, right) = self.latest.unwrap_or((loss, accuracy));
        // As the bar does: single batches jump too much to read.
        let smooth = |before: f64, now: f64| 0.95 * before + 0.05 * now;
        self.latest = Some((smooth(before, loss), smooth(right, accuracy)));
        self.speed = Some(speed);
        self.step = step;
        for (name, value) in [("loss", loss), ("accuracy", accuracy)] {
            self.note(epoch, Some(step), "train", name, value);
        }
        if Instant::now() >= self.due {
            self.write(State::Training);
        }
    }

    /// An epoch achieved this.
    pub fn epoch(&mut self, epoch: usize, record: &EpochRecord) {
        self.note(epoch, None, "validation", "loss", record.validation_loss);
        self.note(
            epoch,
            None,
            "validation",
            "accuracy",
            record.validation_accuracy,
        );
    }

    /// After an epoch, or before the first, the network answers this to the validation images.
    pub fn learned(
        &mut self,
        epoch: usize,
        network: &Network,
        before: Option<BatchResult>,
        answers: Vec<Answer>,
    ) {
        if let Some(result) = before {
            self.note(0, None, "validation", "loss", result.mean_loss());
            self.note(0, None, "validation", "accuracy", result.accuracy());
        }
        self.history.learn(self.figures(epoch, network, &answers));
        let kept = self.history.learning().to_json().map_err(|e| e.to_string());
        let kept = kept.and_then(|json| {
            let path = self.member.learning();
            let written = self.member.write_soon(&path, &json);
            written.map_err(|error| error.to_string())
        });
        self.check(kept);
        let now = Instant::now();
        // What is learned first is worth most.
        if now >= self.draw_due || epoch <= 1 || epoch == self.live.epochs {
            let lesson = Lesson {
                epoch,
                first: self.first.as_deref(),
                before: self.last.as_deref(),
                now: &answers,
            };
            let drawn = self.live.learn(lesson, &self.history);
            self.check(drawn.map_err(|error| error.to_string()));
            self.draw_due = Instant::now() + SHARE * now.elapsed();
        }
        if epoch == 0 {
            self.first = Some(answers.clone());
        }
        self.last = Some(answers);
        self.write(State::Training);
    }

    /// Training ended.
    pub fn end(&mut self, state: State) {
        let goes_on = state == State::Examining && self.others_follow;
        if self.began.is_some() && !goes_on {
            self.write(state);
        }
    }

    /// Whether it is in the place of the report.
    pub fn shows(&self) -> bool {
        self.began.is_some() && !self.broken
    }

    fn figures(&self, epoch: usize, network: &Network, answers: &[Answer]) -> Learned {
        let classes = self.live.classes.len();
        let (mut all, mut right) = (vec![0; classes], vec![0; classes]);
        let labels = self.held_out().map_or(&[][..], LabelledImages::labels);
        for (&label, answer) in labels.iter().zip(answers) {
            all[usize::from(label)] += 1;
            right[usize::from(label)] += u32::from(label == answer.class);
        }
        let filters = network.blocks.first().and_then(|block| {
            let weight = block.conv.weight.val();
            let shape = weight.dims();
            let weights: Vec<f32> = weight.into_data().iter().collect();
            Filters::new(shape, &weights)
        });
        Learned {
            epoch,
            images: all,
            right,
            filters,
        }
    }

    fn note(&mut self, epoch: usize, step: Option<usize>, split: &str, name: &str, value: f64) {
        self.history.push(Measurement {
            epoch,
            step,
            split: split.to_owned(),
            name: name.to_owned(),
            value,
            seconds: 0.0,
        });
    }

    fn write(&mut self, state: State) {
        if self.broken {
            return;
        }
        let began = Instant::now();
        let every = INTERVAL.max(SHARE * self.cost);
        let stale = match state {
            State::Examining => EXAMINATION,
            _ => SILENCE.max(20 * every),
        };
        let left = self.left().map(human);
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let moment = Moment {
            state,
            step: self.step,
            latest: self.latest,
            speed: self.speed,
            left: left.as_deref(),
            written: since.unwrap_or_default().as_millis() as u64,
            every: every.as_millis() as u64,
            stale: stale.as_millis() as u64,
        };
        let written = self.put(&moment);
        self.check(written);
        self.cost = began.elapsed();
        self.due = Instant::now() + INTERVAL.max(SHARE * self.cost);
    }

    fn put(&self, moment: &Moment) -> Result<(), String> {
        let page: Result<String, PageError> = self.live.html(moment, &self.history);
        let page = page.map_err(|error| error.to_string())?;
        let written: Result<(), RunDirError> =
            self.run.write_soon(&self.run.report(), page.as_bytes());
        written.map_err(|error| error.to_string())
    }

    /// The time that the steps ahead take if they are like those of this process.
    fn left(&self) -> Option<Duration> {
        let (began, first) = self.began?;
        let (done, all) = (self.step - first, self.live.epochs * self.live.steps);
        let ahead = all.saturating_sub(self.step) as f64;
        (done > 0).then(|| began.elapsed().mul_f64(ahead / done as f64))
    }

    fn check(&mut self, result: Result<(), String>) {
        if let Err(error) = result
            && !self.broken
        {
            self.broken = true;
            say(format_args!(
                "warning: the page that shows how the run learns is not kept up to date: {error}; the run goes on"
            ));
        }
    }
}
