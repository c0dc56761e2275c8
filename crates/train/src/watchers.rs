//! Who follows a run as it learns: the page in its folder and, if the recipe asks for it, TensorBoard. The
//! run neither depends on them nor ends with them.

use std::{sync::Arc, time::Instant};

use data::LabelledImages;
use model::Network;
use report::{Answer, Mosaic, PageError, State};

use crate::{
    Config,
    learner::BatchResult,
    live_page::LivePage,
    outcome::{Stop, TrainingError},
    run_dir::RunDir,
    state::EpochRecord,
    tensorboard::Events,
};

/// Those who follow a member of a run; the default is nobody.
#[derive(Debug, Default)]
pub struct Watchers(Option<Watching>);

#[derive(Debug)]
struct Watching {
    run: Arc<RunDir>,
    config: Config,
    page: LivePage,
    /// From the first step of this process on.
    events: Option<Events>,
    /// Seconds that an image takes in training, over the latest steps.
    pace: Option<f64>,
    last_step: Instant,
    /// Images per second of the latest epoch.
    speed: f64,
}

/// What there is to be seen between two epochs.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// The network, without automatic differentiation.
    pub network: &'a Network,
    /// The validation images, if there are any.
    pub held_out: Option<&'a LabelledImages>,
    /// The answers to the validation images.
    pub answers: &'a [Answer],
}

impl Watchers {
    /// For a run that goes on by a recipe.
    pub fn new(run: Arc<RunDir>, config: Config, page: LivePage) -> Self {
        Self(Some(Watching {
            run,
            config,
            page,
            events: None,
            pace: None,
            last_step: Instant::now(),
            speed: 0.0,
        }))
    }

    /// Training begins, or goes on after so many steps.
    pub fn begin(&mut self, done: usize) {
        let Some(watching) = &mut self.0 else { return };
        if watching.config.training.tensorboard {
            watching.events = Events::open(&watching.run, done, &watching.config);
        }
        watching.page.begin(done);
        watching.last_step = Instant::now();
    }

    /// Before the first step: what the weights that training begins with make of the validation images.
    pub fn before(&mut self, network: &Network, result: &BatchResult, answers: Vec<Answer>) {
        let Some(watching) = &mut self.0 else { return };
        let seen = Seen {
            network,
            held_out: watching.page.held_out(),
            answers: &answers,
        };
        if let Some(events) = &mut watching.events {
            events.before(result, &seen);
        }
        watching.page.learned(0, network, Some(*result), answers);
        watching.last_step = Instant::now();
    }

    /// Steps were made since the last ones: of each its number, its learning rate and what it did.
    pub fn steps<'a>(
        &mut self,
        epoch: usize,
        steps: impl Iterator<Item = (usize, f64, &'a BatchResult)> + Clone,
    ) {
        let Some(watching) = &mut self.0 else { return };
        let seconds = watching.last_step.elapsed().as_secs_f64();
        watching.last_step = Instant::now();
        // They were read together: what each of them took is not known.
        let images: usize = steps.clone().map(|(_, _, result)| result.count).sum();
        let pace = seconds.max(1e-9) / images.max(1) as f64;
        for (step, rate, result) in steps {
            if let Some(events) = &mut watching.events {
                events.step(step, result, rate, 1.0 / pace);
            }
            let smooth = watching
                .pace
                .map_or(pace, |before| 0.9 * before + 0.1 * pace);
            watching.pace = Some(smooth);
            watching.page.step(epoch, step, result, 1.0 / smooth);
        }
    }

    /// All images were trained on, so many in a second.
    pub fn trained(&mut self, speed: f64) {
        if let Some(watching) = &mut self.0 {
            watching.speed = speed;
        }
    }

    /// An epoch ended with a step.
    pub fn epoch(
        &mut self,
        (epoch, step): (usize, usize),
        record: &EpochRecord,
        network: &Network,
        answers: Vec<Answer>,
    ) {
        let Some(watching) = &mut self.0 else { return };
        let seen = Seen {
            network,
            held_out: watching.page.held_out(),
            answers: &answers,
        };
        if let Some(events) = &mut watching.events {
            events.epoch((epoch, step), record, watching.speed, &seen);
        }
        watching.page.epoch(epoch, record);
        watching.page.learned(epoch, network, None, answers);
        watching.last_step = Instant::now();
    }

    /// Training ended.
    pub fn end(&mut self, how: Result<Stop, &TrainingError>) {
        let Some(watching) = &mut self.0 else { return };
        if let Some(events) = &mut watching.events {
            match how {
                Ok(Stop::Interrupted) => events.flush(),
                _ => events.end(how.is_ok()),
            }
        }
        match how {
            Ok(Stop::Interrupted) => watching.page.end(State::Interrupted),
            Ok(_) => watching.page.end(State::Examining),
            Err(error) => watching.page.end(State::Failed(&error.to_string())),
        }
    }

    /// Whether the page of the run is in the place of its report.
    pub fn shows(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|watching| watching.page.shows())
    }
}

/// The images that are answered wrong with the greatest confidence.
pub struct Worst {
    /// Beside and below each other, as they are read.
    pub mosaic: Mosaic,
    /// Label and answer of each, in Markdown.
    pub told: String,
}

impl Seen<'_> {
    /// None where all are right.
    ///
    /// # Errors
    /// If the pictures can't be encoded.
    pub fn worst(&self) -> Result<Option<Worst>, PageError> {
        const COLUMNS: usize = 6;
        let Some(images) = self.held_out else {
            return Ok(None);
        };
        let mut wrong: Vec<(usize, &Answer)> = (0..)
            .zip(self.answers)
            .filter(|(row, answer)| images.label(*row) != answer.class)
            .collect();
        if wrong.is_empty() {
            return Ok(None);
        }
        wrong.sort_by(|(_, a), (_, b)| b.confidence.total_cmp(&a.confidence));
        wrong.truncate(COLUMNS * COLUMNS);
        let pictures: Vec<&[u8]> = wrong.iter().map(|(row, _)| images.image(*row)).collect();
        let names = images.classes().names();
        let name = |class: u16| names.get(usize::from(class)).map_or("?", String::as_str);
        let told = wrong.iter().map(|(row, answer)| {
            format!(
                "1. {} → {} ({:.1} %)\n",
                name(images.label(*row)),
                name(answer.class),
                100.0 * answer.confidence
            )
        });
        Ok(Some(Worst {
            told: told.collect(),
            mosaic: report::mosaic(images.shape(), &pictures, COLUMNS)?,
        }))
    }
}
