//! How two pictures of the same thing fare together: `cargo run --release -p bench --bin pairs`.
//!
//! Two views of each validation image of a checkpoint that was trained on the bundled MNIST, each augmented by
//! draws of its own, as tables in Markdown: what ways to put them together say (calibration, what they
//! accept at the checkpoint's threshold for one picture, what threshold would be certified for two), and
//! what becomes of those whose first view is in doubt, for which alone a second picture is ever asked.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Parser;
use data::{Augmentation, Draw, LabelledImages, Scratch, Source, split};
use evaluation::{
    Decision, Deferral, Predictions, ReviewReason, RiskTarget, interval::clopper_pearson_upper,
    metrics::negative_log_likelihood, pool, reliability::expected_calibration_error,
};
use model::{Answer, Backend, Classifier};
use rayon::prelude::*;

/// Measures two pictures of the same thing, judged together.
#[derive(Parser)]
struct Args {
    /// A checkpoint that was trained on the bundled MNIST
    #[arg(default_value = "artifacts/pretrained")]
    checkpoint: PathBuf,
    /// Pairs of views of each image
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    draws: u32,
    /// Seed of the augmentation, other than the one of the run
    #[arg(long, default_value_t = 1000)]
    seed: u64,
}

/// How two rows of probabilities become one.
type Rule = fn(&[f64], &[f64]) -> Vec<f64>;

const RULES: [(&str, Rule); 4] = [
    ("the first alone", |first, _| first.to_vec()),
    ("mean", |first, second| {
        combined(first, second, |a, b| a + b)
    }),
    ("geometric mean", pool),
    ("product", |first, second| {
        combined(first, second, |a, b| a * b)
    }),
];

fn combined(first: &[f64], second: &[f64], how: fn(f64, f64) -> f64) -> Vec<f64> {
    let pairs = first.iter().zip(second);
    // So large that no product is 0 for all classes.
    let row: Vec<f64> = pairs
        .map(|(a, b)| how(a.max(1e-150), b.max(1e-150)))
        .collect();
    let sum: f64 = row.iter().sum();
    row.into_iter().map(|p| p / sum).collect()
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let classifier = Classifier::load(&args.checkpoint, &Backend::default().device()?)?;
    let views = Views::of(&classifier, args.seed)?;
    let one = &classifier.calibration().deferral;
    println!(
        "{} validation images, threshold {:.4} for one picture, target {} %\n",
        views.indices.len(),
        one.threshold,
        100.0 * one.target_risk
    );
    let recipe = |key: &str| -> anyhow::Result<Augmentation> {
        let config = &classifier.manifest().provenance.config;
        let kinds = config.pointer(key).with_context(|| format!("no {key}"))?;
        Ok(serde_json::from_value(kinds.clone())?)
    };
    // The same strokes on the same paper: only what lies between paper and pixels is drawn anew.
    let camera = Augmentation {
        rotation: 6.0,
        shift: 0.05,
        zoom: 0.08,
        shear: 4.0,
        resolution: 0.3,
        blur: 0.6,
        contrast: 0.3,
        shade: 0.3,
        noise: 0.05,
        ..Augmentation::NONE
    };
    for (name, kinds) in [
        ("another photo of the same paper (camera)", camera),
        (
            "another pen and scanner (`data.validation_augmentation`)",
            recipe("/data/validation_augmentation")?,
        ),
        (
            "as in training (`data.augmentation`)",
            recipe("/data/augmentation")?,
        ),
    ] {
        println!("**{name}**\n");
        views.tables(&kinds, args.draws as usize)?;
    }
    Ok(())
}

/// What views are made of.
struct Views<'a> {
    classifier: &'a Classifier,
    images: LabelledImages,
    indices: Vec<u32>,
    seed: u64,
}

/// How many were accepted, and how many of them are wrong.
#[derive(Clone, Copy, Default)]
struct Kept {
    accepted: u64,
    wrong: u64,
}

impl Kept {
    fn count(&mut self, accepted: bool, wrong: bool) {
        self.accepted += u64::from(accepted);
        self.wrong += u64::from(accepted && wrong);
    }

    fn and(self, other: Self) -> Self {
        Kept {
            accepted: self.accepted + other.accepted,
            wrong: self.wrong + other.wrong,
        }
    }

    fn shown(self, of: u64) -> String {
        let share = |a: u64, b: u64| 100.0 * a as f64 / b.max(1) as f64;
        format!(
            "{} of {of} ({:.1} %) | {} ({:.3} %)",
            self.accepted,
            share(self.accepted, of),
            self.wrong,
            share(self.wrong, self.accepted)
        )
    }
}

/// Whether an image is like those of the calibration.
fn is_within(answer: &Answer) -> bool {
    let outside = Decision::Review {
        runner_up: answer.runner_up(),
        reason: ReviewReason::OutOfDistribution,
    };
    answer.decision != outside
}

impl<'a> Views<'a> {
    fn of(classifier: &'a Classifier, seed: u64) -> anyhow::Result<Self> {
        let manifest = classifier.manifest();
        let images = Source::Bundled.train(&())?;
        ensure!(
            manifest.provenance.data.train == *images.digest(),
            "the checkpoint wasn't trained on the bundled MNIST"
        );
        let config = &manifest.provenance.config;
        let count = config
            .pointer("/data/validation")
            .and_then(|value| value.as_u64());
        let count = count.context("the checkpoint doesn't say how many images validated it")?;
        let indices = split(images.labels(), count as usize, manifest.provenance.seed)?.validation;
        Ok(Views {
            classifier,
            images,
            indices,
            seed,
        })
    }

    /// What the classifier says of one view of each image.
    fn answers(&self, kinds: &Augmentation, epoch: usize) -> anyhow::Result<Vec<Answer>> {
        let shape = self.images.shape();
        let mut views = vec![0; self.indices.len() * shape.len()];
        let chunks = views.par_chunks_exact_mut(shape.len());
        chunks
            .zip(&self.indices)
            .for_each_init(Scratch::default, |scratch, (view, &index)| {
                let index = index as usize;
                let draw = Draw {
                    seed: self.seed,
                    epoch,
                    index,
                };
                let (image, digit) = (self.images.image(index), self.images.digit(index));
                kinds.apply(shape, image, digit, draw, scratch, view);
            });
        Ok(self.classifier.classify_all(&views)?)
    }

    fn tables(&self, kinds: &Augmentation, draws: usize) -> anyhow::Result<()> {
        let labels: Vec<u16> = self
            .indices
            .iter()
            .map(|&index| self.images.label(index as usize))
            .collect();
        let threshold = self.classifier.calibration().deferral.threshold;
        let [mut doubtful, mut unlike] = [0; 2];
        let [mut alone, mut second_alone, mut after_unlike] = [Kept::default(); 3];
        let mut together = [Kept::default(); RULES.len()];
        for draw in 0..draws {
            let first = self.answers(kinds, 2 * draw + 1)?;
            let second = self.answers(kinds, 2 * draw + 2)?;
            if draw == 0 {
                self.table(&first, &second, &labels)?;
            }
            for ((first, second), &label) in first.iter().zip(&second).zip(&labels) {
                alone.count(first.decision == Decision::Accept, first.class != label);
                if first.decision == Decision::Accept {
                    continue;
                }
                let kept = second.decision == Decision::Accept;
                if !is_within(first) {
                    unlike += 1;
                    after_unlike.count(kept, second.class != label);
                    continue;
                }
                doubtful += 1;
                second_alone.count(kept, second.class != label);
                for ((_, rule), together) in RULES.iter().zip(&mut together) {
                    let p = rule(&first.probabilities, &second.probabilities);
                    let agree = first.class == second.class && is_within(second);
                    let kept = agree && p[usize::from(first.class)] >= threshold;
                    together.count(kept, first.class != label);
                }
            }
        }
        println!("\n| first in doubt, second judged by | accepted | wrong |\n|---|---|---|");
        println!("| itself | {} |", second_alone.shown(doubtful));
        for ((name, _), kept) in RULES.iter().zip(together).skip(1) {
            println!("| {name} | {} |", kept.shown(doubtful));
        }
        println!(
            "| (first unlike the training images) itself | {} |",
            after_unlike.shown(unlike)
        );
        let all = (draws * labels.len()) as u64;
        println!("| of all: one picture | {} |", alone.shown(all));
        let both = alone.and(together[2]);
        println!(
            "| of all: one, and the geometric mean of two | {} |\n",
            both.shown(all)
        );
        Ok(())
    }

    /// All pairs, one of each image.
    fn table(&self, first: &[Answer], second: &[Answer], labels: &[u16]) -> anyhow::Result<()> {
        let deferral = &self.classifier.calibration().deferral;
        let target = RiskTarget {
            target_risk: deferral.target_risk,
            confidence_level: deferral.confidence_level,
        };
        println!(
            "| all pairs, by | NLL | ECE | accepted | wrong | at most (95 %) | threshold for pairs | accepted | wrong |\n\
             |---|---|---|---|---|---|---|---|---|"
        );
        for (name, rule) in RULES {
            let pairs = first.iter().zip(second);
            let rows = pairs.flat_map(|(a, b)| rule(&a.probabilities, &b.probabilities));
            let classes = self.classifier.classes().len();
            let p = Predictions::from_probabilities(classes, rows.collect(), labels.to_vec())?;
            let alone = name == RULES[0].0;
            let eligible = |row: usize| {
                let [a, b] = [&first[row], &second[row]];
                is_within(a) && (alone || is_within(b) && a.class == b.class)
            };
            let mut kept = Kept::default();
            for (row, (confidence, right)) in p.confidences().zip(p.correct()).enumerate() {
                kept.count(eligible(row) && confidence >= deferral.threshold, !right);
            }
            let bound =
                clopper_pearson_upper(kept.wrong, kept.accepted, deferral.confidence_level)?;
            let own = Deferral::fit(&p, eligible, &target)?;
            let own = match own.certified {
                true => format!("{:.5} | {} | {}", own.threshold, own.accepted, own.errors),
                false => "none | | ".to_owned(),
            };
            println!(
                "| {name} | {:.4} | {:.2} % | {} | {} | {:.3} % | {own} |",
                negative_log_likelihood(&p),
                100.0 * expected_calibration_error(&p),
                kept.accepted,
                kept.wrong,
                100.0 * bound
            );
        }
        Ok(())
    }
}
