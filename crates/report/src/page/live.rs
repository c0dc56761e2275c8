//! The page of a run that goes on: it reads itself again, until the report takes its place.

use data::LabelledImages;
use maud::{Markup, html};
use runs::History;

use super::chart::{Axis, Chart, Colour, Mark, legend, whole_percent};
use super::error::PageError;
use super::lesson::{self, Answer, Held, Lesson};
use super::markup::{Section, count, figure, percent, visible};
use super::picture::Look;
use super::{Document, confusion, learning, training};

/// Most points of a curve.
const POINTS: usize = 240;

/// The page of a run that goes on. What an epoch has taught is drawn once and kept.
#[derive(Debug)]
pub struct Live {
    /// Which run it is, and which of its networks.
    pub name: String,
    /// The images that the validation images are among.
    pub images: LabelledImages,
    /// The places of the validation images.
    pub rows: Vec<u32>,
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
        (images, rows): (LabelledImages, Vec<u32>),
        ink: bool,
        (epochs, steps): (usize, usize),
        resume: String,
    ) -> Self {
        Self {
            name,
            images,
            rows,
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
        if lesson.now.len() != self.rows.len() {
            return Err(PageError::Images {
                images: self.rows.len(),
                examined: lesson.now.len(),
            });
        }
        let held = Held {
            images: &self.images,
            rows: &self.rows,
            look: Look::new(self.images.shape(), self.ink),
        };
        let names = self.images.classes().names();
        let confusion = confused(held, lesson.now, names.len());
        let progress = html! { (learning::figures(history.learning(), names)?) };
        let taught = Section::new(
            "course",
            "Course",
            "What did it learn first?",
            "Class by class and filter by filter, epoch by epoch.",
            progress,
        );
        if self.rows.is_empty() {
            self.drawn.sections = vec![taught];
            return Ok(());
        }
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

    fn title(&self, moment: &Moment) -> String {
        let done = percent(self.share(moment), 0);
        match (moment.state, self.drawn.now) {
            (State::Training, Some((_, right))) => {
                format!("{done}: {} right, {}", percent(right, 2), self.name)
            }
            (State::Training, None) => format!("{done}: {}", self.name),
            (State::Examining, _) => format!("examined: {}", self.name),
            (State::Interrupted, _) => format!("interrupted: {}", self.name),
            (State::Failed(_), _) => format!("failed: {}", self.name),
        }
    }

    /// The share of the steps that are done.
    fn share(&self, moment: &Moment) -> f64 {
        moment.step as f64 / (self.epochs * self.steps).max(1) as f64
    }

    fn overview(&self, moment: &Moment) -> Markup {
        let (step, all) = (moment.step, self.epochs * self.steps);
        let epoch = (step / self.steps.max(1) + 1).min(self.epochs);
        let kicker = match moment.state {
            State::Training => "Training",
            State::Examining => "Trained",
            State::Interrupted => "Interrupted",
            State::Failed(_) => "Failed",
        };
        let images = count(self.rows.len() as u64);
        let go_on = html! { code { (visible(&self.resume)) } };
        html! {
            p.kicker { (kicker) ": " (visible(&self.name)) }
            h1 {
                @match self.drawn.now {
                    Some((0, right)) => {
                        "Right on " (percent(right, 2)) " of " (images) " validation images, before training"
                    }
                    Some((epoch, right)) => {
                        "Right on " (percent(right, 2)) " of " (images) " validation images after epoch " (epoch)
                    }
                    None if self.rows.is_empty() => { "No image is held out to show what it learns" }
                    None => { "Nothing is known yet of what it has learned" }
                }
            }
            p.lead {
                "Epoch " (epoch) " of " (self.epochs) ", step " (count(step as u64)) " of "
                (count(all as u64)) ". "
                @match moment.state {
                    State::Training => {
                        @if let Some(left) = moment.left { "About " strong { (left) } " of training left. " }
                        "Guessing would be right once in " (count(self.images.classes().len() as u64)) "."
                    }
                    State::Examining => {
                        "Now it is calibrated, and examined on test images that it has never seen: the report \
                         of that takes the place of this page."
                    }
                    State::Interrupted | State::Failed(_) => {}
                }
            }
            @match moment.state {
                State::Interrupted => {
                    p.caveat { strong { "The run was interrupted." } " Go on with it: " (go_on) }
                }
                State::Failed(why) => {
                    p.caveat { strong { "The run has failed:" } " " (visible(why)) }
                }
                State::Training | State::Examining => {
                    p.caveat id="stale" hidden="" {
                        strong { "No news of the run for some time." }
                        " If it was stopped, go on with it: " (go_on)
                        "; reload this page to look again."
                    }
                    noscript {
                        p.caveat { "If nothing changes here any more, the run was stopped; go on with it: " (go_on) }
                    }
                }
            }
            div.progress role="progressbar" aria-valuemin="0" aria-valuemax=(all) aria-valuenow=(step)
                aria-label="Steps done" style=(format!("--share:{:.4}", self.share(moment))) {}
            dl.tiles { (self.tiles(moment)) }
        }
    }

    fn tiles(&self, moment: &Moment) -> Markup {
        let tile = |name: &str, value: Option<String>, note: &str| {
            html! {
                div {
                    dt { (name) }
                    dd.value { (value.as_deref().unwrap_or("–")) }
                    dd { (note) }
                }
            }
        };
        let Drawn { first, best, .. } = self.drawn;
        let latest = moment.latest;
        html! {
            (tile("Loss", latest.map(|(loss, _)| format!("{loss:.4}")), "latest training batches"))
            (tile("Accuracy", latest.map(|(_, right)| percent(right, 2)), "latest training batches"))
            (tile("Images per second", moment.speed.map(|speed| count(speed as u64)), "in training"))
            (tile("Before training", first.map(|right| percent(right, 2)), "of the validation images right"))
            (tile(
                "Best so far",
                best.map(|(_, right)| percent(right, 2)),
                &best.map_or("after an epoch".into(), |(epoch, _)| format!("after epoch {epoch}")),
            ))
        }
    }

    fn curves(&self, history: &History) -> Result<Section, PageError> {
        let chance = 1.0 / self.images.classes().len().max(1) as f64;
        let end = self.epochs as f64;
        let curve = |name: &str| {
            let train = history.thinned("train", name, POINTS, self.steps.max(1) as f64);
            (train, history.by_epoch("validation", name))
        };
        let marks = |train: &[(f64, f64)], validation: &[(f64, f64)]| {
            vec![
                Mark::Line(Colour::First, train.to_vec()),
                Mark::Line(Colour::Second, validation.to_vec()),
                Mark::Dots(Colour::Second, validation.to_vec()),
            ]
        };
        let x = || Axis {
            label: "epochs",
            range: 0.0..end.max(1.0),
            log: false,
            format: |epoch| format!("{}", (epoch * 10.0).round() / 10.0),
        };
        let (train, validation) = curve("accuracy");
        let mut drawn = marks(&train, &validation);
        drawn.insert(0, Mark::Dashed(Colour::Muted, (0.0, chance), (end, chance)));
        let accuracy = Chart {
            id: "live-accuracy",
            title: "Accuracy",
            description: "The share of right images so far, over the epochs.".into(),
            x: x(),
            y: Axis {
                label: "Accuracy",
                range: 0.0..1.0,
                log: false,
                format: whole_percent,
            },
            marks: drawn,
        };
        let (train, validation) = curve("loss");
        let points = train.iter().chain(&validation);
        let mut values: Vec<f64> = points.map(|(_, value)| *value).collect();
        values.sort_by(f64::total_cmp);
        let loss = Chart {
            id: "live-loss",
            title: "Loss",
            description: "The loss so far, over the epochs.".into(),
            x: x(),
            y: Axis {
                label: "Loss",
                range: training::ends(&values),
                log: true,
                format: |value| format!("{value}"),
            },
            marks: marks(&train, &validation),
        };
        let entries = [
            ("training", Colour::First),
            ("validation (dots)", Colour::Second),
        ];
        let guessing = html! {
            (legend(&entries))
            "Share of right images. The dashed line is guessing. Training images are judged before their own \
             step, and with augmentation they are harder."
        };
        let nats = html! {
            (legend(&entries)) "Nats per image, each step upwards ten times as much."
        };
        let content = html! {
            div.pair {
                (figure(accuracy.title, accuracy.svg()?, guessing))
                (figure(loss.title, loss.svg()?, nats))
            }
        };
        Ok(Section::new(
            "curves",
            "Curves",
            "How does it go?",
            "Batch by batch; each point of a line is the mean over a short stretch.",
            content,
        ))
    }
}

/// How often each class was taken for which.
fn confused(held: Held, answers: &[Answer], classes: usize) -> Vec<Vec<u64>> {
    let mut confusion = vec![vec![0; classes]; classes];
    for (at, answer) in answers.iter().enumerate() {
        let row = confusion.get_mut(usize::from(held.label(at)));
        if let Some(times) = row.and_then(|row| row.get_mut(usize::from(answer.class))) {
            *times += 1;
        }
    }
    confusion
}
