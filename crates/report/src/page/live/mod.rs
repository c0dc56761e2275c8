//! The page of a run that goes on: it reads itself again, until the report takes its place.

mod curves;
mod head;

use data::{Classes, LabelledImages};
use maud::html;
use runs::History;

use super::error::PageError;
use super::lesson::{self, Answer, Held, Lesson};
use super::markup::Section;
use super::picture::Look;
use super::{Document, confusion, learning};

/// The page of a run that goes on. What an epoch has taught is drawn once and kept.
#[derive(Debug)]
pub struct Live {
    /// Which run it is, and which of its networks.
    pub name: String,
    /// What the images may show.
    pub classes: Classes,
    /// The validation images, if there are any.
    pub held_out: Option<LabelledImages>,
    /// By what number each of them is known, that of its place among all images.
    pub numbers: Vec<u32>,
    /// Whether the images are ink on an empty ground.
    pub ink: bool,
    /// Epochs of the run.
    pub epochs: usize,
    /// Optimizer steps of an epoch.
    pub steps: usize,
    /// The command that goes on with the run.
    pub resume: String,
    drawn: Drawn,
}

#[derive(Debug, Default)]
struct Drawn {
    sections: Vec<Section>,
    /// The epoch and the share that is right after it; by epoch 0, before training, and of the best.
    now: Option<(usize, f64)>,
    first: Option<f64>,
    best: Option<(usize, f64)>,
}

/// What the run is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State<'a> {
    /// It trains.
    Training,
    /// It has trained, and is calibrated and examined.
    Examining,
    /// Someone stopped it.
    Interrupted,
    /// It can't go on, for this reason.
    Failed(&'a str),
}

/// Where the run stands when the page is written.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// What it is doing.
    pub state: State<'a>,
    /// Optimizer steps that are done, of all epochs.
    pub step: usize,
    /// Loss and share of right images over the latest batches.
    pub latest: Option<(f64, f64)>,
    /// Training images per second.
    pub speed: Option<f64>,
    /// The time that training still takes, for people.
    pub left: Option<&'a str>,
    /// When, in milliseconds since 1970.
    pub written: u64,
    /// When the next may be expected, in milliseconds from then.
    pub every: u64,
    /// If there is none after so many milliseconds, the run has probably died.
    pub stale: u64,
}

/// When a page reads itself again.
pub(super) struct Again {
    pub written: u64,
    pub every: u64,
    pub stale: u64,
}

impl Again {
    /// For who lets no script run: a page that is read again as a whole, and not as often.
    pub fn seconds(&self) -> u64 {
        (2 * self.every).div_ceil(1000).max(5)
    }
}

impl Live {
    /// A page on which nothing has been learned yet.
    pub fn new(
        name: String,
        classes: Classes,
        (held_out, numbers): (Option<LabelledImages>, Vec<u32>),
        ink: bool,
        (epochs, steps): (usize, usize),
        resume: String,
    ) -> Self {
        Self {
            name,
            classes,
            held_out,
            numbers,
            ink,
            epochs,
            steps,
            resume,
            drawn: Drawn::default(),
        }
    }

    /// Draws what an epoch taught; `history` knows of it already.
    ///
    /// # Errors
    /// [`PageError::Images`] if there are not as many answers as validation images; the others only if a
    /// library fails.
    pub fn learn(&mut self, lesson: Lesson, history: &History) -> Result<(), PageError> {
        let images = self.held_out.as_ref().map_or(0, LabelledImages::len);
        for given in [lesson.now.len(), self.numbers.len()] {
            if given != images {
                return Err(PageError::Images {
                    images,
                    examined: given,
                });
            }
        }
        let names = self.classes.names();
        let progress = html! { (learning::figures(history.learning(), names)?) };
        let taught = Section::new(
            "course",
            "Course",
            "What did it learn first?",
            "Class by class and filter by filter, epoch by epoch.",
            progress,
        );
        let Some(images) = &self.held_out else {
            self.drawn.sections = vec![taught];
            return Ok(());
        };
        let held = Held {
            images,
            numbers: &self.numbers,
            look: Look::new(images.shape(), self.ink),
        };
        let confusion = confused(images, lesson.now);
        self.drawn.sections = vec![
            lesson::section(held, lesson)?,
            confusion::section_of(names, &confusion)?,
            taught,
        ];
        let right: u64 = confusion.iter().enumerate().map(|(at, row)| row[at]).sum();
        let share = right as f64 / lesson.now.len().max(1) as f64;
        if lesson.epoch == 0 {
            self.drawn.first = Some(share);
        } else if self.drawn.best.is_none_or(|(_, best)| share >= best) {
            self.drawn.best = Some((lesson.epoch, share));
        }
        self.drawn.now = Some((lesson.epoch, share));
        Ok(())
    }

    /// The page as the text of an HTML file.
    ///
    /// # Errors
    /// Only if a library fails.
    pub fn html(&self, moment: &Moment, history: &History) -> Result<String, PageError> {
        let curves = self.curves(history)?;
        let goes_on = matches!(moment.state, State::Training | State::Examining);
        let document = Document {
            title: self.title(moment),
            live: goes_on.then_some(Again {
                written: moment.written,
                every: moment.every,
                stale: moment.stale,
            }),
            overview: self.overview(moment),
            sections: [&curves].into_iter().chain(&self.drawn.sections).collect(),
        };
        Ok(document.html())
    }
}

/// How often each class was taken for which.
fn confused(images: &LabelledImages, answers: &[Answer]) -> Vec<Vec<u64>> {
    let classes = images.classes().len();
    let mut confusion = vec![vec![0; classes]; classes];
    for (label, answer) in images.labels().iter().zip(answers) {
        let row = confusion.get_mut(usize::from(*label));
        if let Some(times) = row.and_then(|row| row.get_mut(usize::from(answer.class))) {
            *times += 1;
        }
    }
    confusion
}
