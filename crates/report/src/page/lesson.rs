//! What an epoch changed on the validation images: what was learned, what is still wrong, and how sure the
//! network is.

use data::LabelledImages;
use maud::{Markup, html};

use super::chart::{Axis, Chart, Colour, Mark, legend, whole_percent};
use super::error::PageError;
use super::markup::{Section, class_name, count, figure, isolated};
use super::picture::{self, Look};
use super::probabilities::floor_percent;

/// Most images of a kind.
const SHOWN: usize = 12;
/// Parts of the axis of confidence.
const BINS: usize = 20;

/// What the network answers to one image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Answer {
    /// The most probable class.
    pub class: u16,
    /// Its probability.
    pub confidence: f32,
    /// That of the labelled class.
    pub own: f32,
}

/// The answers to the same images, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// The epoch that ended; 0 before training.
    pub epoch: usize,
    /// Before training, where that is known.
    pub first: Option<&'a [Answer]>,
    /// After the epoch before, where that is known.
    pub before: Option<&'a [Answer]>,
    /// Now.
    pub now: &'a [Answer],
}

/// The validation images, and how they are drawn.
#[derive(Clone, Copy)]
pub struct Held<'a> {
    pub images: &'a LabelledImages,
    /// By what number each is known, that of its place among all images.
    pub numbers: &'a [u32],
    pub look: Look,
}

impl Held<'_> {
    fn label(&self, at: usize) -> u16 {
        self.images.label(at)
    }

    fn name(&self, class: u16) -> &str {
        let names = self.images.classes().names();
        names.get(usize::from(class)).map_or("?", String::as_str)
    }
}

pub fn section(held: Held, lesson: Lesson) -> Result<Section, PageError> {
    let Lesson {
        epoch, before, now, ..
    } = lesson;
    let right = |answers: &[Answer], at: usize| answers[at].class == held.label(at);
    let all = || 0..now.len();
    let wrong = all().filter(|&at| !right(now, at));
    let wrong = ranked(held, wrong.collect(), |at| now[at].confidence);
    let learned = before.map(|before| {
        let learned = all().filter(|&at| right(now, at) && !right(before, at));
        let gain = |at: usize| now[at].own - before[at].own;
        let forgotten = all().filter(|&at| !right(now, at) && right(before, at));
        (ranked(held, learned.collect(), gain), forgotten.count())
    });
    let content = html! {
        @if let (Some((learned, _)), Some(before)) = (&learned, before) {
            (group(
                held,
                lesson,
                learned,
                &format!("Learned in epoch {epoch}"),
                "Wrong before, right now: those first that it has become sure of.",
                Some(before),
            )?)
        }
        (group(
            held,
            lesson,
            &wrong,
            "Still wrong",
            "Those first that it is surest of. Where you would have answered like the network, suspect the label.",
            before,
        )?)
        (confidence(lesson)?)
    };
    let lead = match &learned {
        Some((learned, forgotten)) => format!(
            "Epoch {epoch} made {} validation images right that were wrong, and {} wrong that were right. {} \
             are wrong now.",
            count(learned.len() as u64),
            count(*forgotten as u64),
            count(wrong.len() as u64),
        ),
        None if epoch == 0 => format!(
            "Nothing yet: the weights are as training begins with them, and {} of {} validation images are \
             wrong.",
            count(wrong.len() as u64),
            count(now.len() as u64),
        ),
        None => format!(
            "{} validation images are wrong. What was learned is shown again after the next epoch: the run \
             was resumed.",
            count(wrong.len() as u64),
        ),
    };
    Ok(Section::new(
        "learned",
        "Learned",
        "What has it just learned?",
        lead,
        content,
    ))
}

/// Images by falling weight; where there are more than are shown, one of each class before a second of any.
fn ranked(held: Held, mut images: Vec<usize>, weight: impl Fn(usize) -> f32) -> Vec<usize> {
    images.sort_by(|&a, &b| weight(b).total_cmp(&weight(a)));
    let mut seen = vec![0_usize; held.images.classes().len()];
    let mut rounds: Vec<(usize, usize)> = Vec::with_capacity(images.len());
    for at in images {
        let times = &mut seen[usize::from(held.label(at))];
        rounds.push((*times, at));
        *times += 1;
    }
    // Stable: within a round they are in their order.
    rounds.sort_by_key(|(round, _)| *round);
    rounds.into_iter().map(|(_, at)| at).collect()
}

fn group(
    held: Held,
    lesson: Lesson,
    images: &[usize],
    title: &str,
    meaning: &str,
    before: Option<&[Answer]>,
) -> Result<Markup, PageError> {
    let shown = &images[..images.len().min(SHOWN)];
    let cards = shown
        .iter()
        .map(|&at| card(held, lesson.now[at], before, at));
    let cards = cards.collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        h3 { (title) ": " (count(images.len() as u64)) }
        p { @if images.is_empty() { "None." } @else { (meaning) } }
        ol.cards.explained { @for card in &cards { (card) } }
    })
}

fn card(
    held: Held,
    now: Answer,
    before: Option<&[Answer]>,
    at: usize,
) -> Result<Markup, PageError> {
    let label = held.name(held.label(at));
    let number = held.numbers[at];
    let alt = format!("Validation image {number}, labelled {}", isolated(label));
    let answer = |answer: Answer| {
        html! { (class_name(held.name(answer.class))) " (" (floor_percent(f64::from(answer.confidence))) ")" }
    };
    Ok(html! {
        li.card {
            (picture::image(held.look, held.images.image(at), &alt)?)
            p { strong { (class_name(label)) } }
            @if let Some(before) = before { p.note { "was " (answer(before[at])) } }
            p.note { "now " (answer(now)) }
        }
    })
}

/// How sure it is of its answers: before training, after the epoch before, and now.
fn confidence(lesson: Lesson) -> Result<Markup, PageError> {
    let Lesson {
        first, before, now, ..
    } = lesson;
    let mut series = vec![("now", Colour::First, now)];
    if let Some(before) = before {
        series.insert(0, ("an epoch before", Colour::Second, before));
    }
    if let Some(first) = first.filter(|_| lesson.epoch > 1) {
        series.insert(0, ("before training", Colour::Muted, first));
    }
    let mean = |answers: &[Answer]| {
        let sum: f64 = answers.iter().map(|a| f64::from(a.confidence)).sum();
        sum / answers.len().max(1) as f64
    };
    let marks = series
        .iter()
        .map(|(_, colour, answers)| Mark::Line(*colour, distribution(answers)));
    let means: Vec<String> = series
        .iter()
        .map(|(name, _, answers)| format!("{name} {:.1} %", 100.0 * mean(answers)))
        .collect();
    let means = means.join(", ");
    let chart = Chart {
        id: "confidence",
        title: "Confidence of its answers",
        description: format!("How many answers are how sure. On average {means}."),
        x: Axis {
            label: "confidence",
            range: 0.0..1.0,
            log: false,
            format: whole_percent,
        },
        y: Axis {
            label: "share of the images",
            range: 0.0..1.0,
            log: false,
            format: whole_percent,
        },
        marks: marks.collect(),
    };
    let entries: Vec<(&str, Colour)> = series.iter().map(|(name, c, _)| (*name, *c)).collect();
    let caption = html! {
        (legend(&entries))
        "The share of the validation images that are answered with about this confidence, right or wrong. On \
         average " (means) "."
    };
    Ok(html! { div.alone { (figure(chart.title, chart.svg()?, caption)) } })
}

/// The share of the answers in each part of the axis, at its middle.
fn distribution(answers: &[Answer]) -> Vec<(f64, f64)> {
    let mut bins = [0_usize; BINS];
    for answer in answers {
        let bin = (f64::from(answer.confidence) * BINS as f64) as usize;
        bins[bin.min(BINS - 1)] += 1;
    }
    let all = answers.len().max(1) as f64;
    let middle = |bin: usize| (bin as f64 + 0.5) / BINS as f64;
    let points = bins.iter().enumerate();
    points
        .map(|(bin, &times)| (middle(bin), times as f64 / all))
        .collect()
}
