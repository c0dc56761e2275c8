//! Exploration.
use anyhow::Context;
use clap::Parser;
use data::{Augmentation, Draw, Scratch, Source, split};
use evaluation::{Decision, Deferral, Predictions, ReviewReason, RiskTarget, metrics, reliability};
use model::{Backend, Classifier};
use rayon::prelude::*;

#[derive(Parser)]
struct Args {
    checkpoint: std::path::PathBuf,
    #[arg(long, default_value_t = 4)]
    draws: usize,
}

struct View {
    p: Vec<f64>,
    class: u16,
    conf: f64,
    ok: bool,
    accepted: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let classifier = Classifier::load(&args.checkpoint, &Backend::default().device()?)?;
    let config = &classifier.manifest().provenance.config;
    let train = Source::Bundled.train(&())?;
    let count = config
        .pointer("/data/validation")
        .and_then(|v| v.as_u64())
        .context("validation")? as usize;
    let split = split(train.labels(), count, classifier.manifest().provenance.seed)?;
    let recipe: Augmentation =
        serde_json::from_value(config.pointer("/data/augmentation").context("a")?.clone())?;
    let pens: Augmentation = serde_json::from_value(
        config
            .pointer("/data/validation_augmentation")
            .context("a")?
            .clone(),
    )?;
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
    let shape = train.shape();
    let tau = classifier.calibration().deferral.threshold;
    for (name, kinds) in [("recipe", recipe), ("pens", pens), ("camera", camera)] {
        let views = |epoch: usize| -> anyhow::Result<Vec<View>> {
            let mut images = vec![0; split.validation.len() * shape.len()];
            images
                .par_chunks_exact_mut(shape.len())
                .zip(&split.validation)
                .for_each_init(Scratch::default, |scratch, (out, &index)| {
                    let index = index as usize;
                    let draw = Draw {
                        seed: 77,
                        epoch,
                        index,
                    };
                    kinds.apply(
                        shape,
                        train.image(index),
                        train.digit(index),
                        draw,
                        scratch,
                        out,
                    );
                });
            Ok(classifier
                .classify_all(&images)?
                .into_iter()
                .map(|a| View {
                    class: a.class,
                    conf: a.confidence,
                    ok: !matches!(
                        a.decision,
                        Decision::Review {
                            reason: ReviewReason::OutOfDistribution,
                            ..
                        }
                    ),
                    accepted: a.decision == Decision::Accept,
                    p: a.probabilities.clone(),
                })
                .collect())
        };
        println!("== {name}, tau {tau}");
        let labels: Vec<u16> = split
            .validation
            .iter()
            .map(|&i| train.label(i as usize))
            .collect();
        // index: rule -> (accepted, wrong)
        let mut cond = [[0u64; 2]; 8];
        let mut firsts = 0;
        let mut single = [0u64; 2];
        let mut hard: Vec<(f64, f64, f64, f64, bool, bool)> = vec![];
        for draw in 0..args.draws {
            let a = views(2 * draw + 1)?;
            let b = views(2 * draw + 2)?;
            let mix = |f: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
                a.iter()
                    .zip(&b)
                    .flat_map(|(a, b)| {
                        let row: Vec<f64> =
                            a.p.iter()
                                .zip(&b.p)
                                .map(|(x, y)| f(x.max(1e-300), y.max(1e-300)))
                                .collect();
                        let sum: f64 = row.iter().sum();
                        row.into_iter().map(move |x| x / sum)
                    })
                    .collect()
            };
            let rules: [(&str, Vec<f64>); 4] = [
                ("first", mix(&|a, _| a)),
                ("mean", mix(&|a, b| (a + b) / 2.0)),
                ("geo", mix(&|a, b| (a * b).sqrt())),
                ("product", mix(&|a, b| a * b)),
            ];
            let within = |i: usize| a[i].ok && b[i].ok;
            for (rule, p) in &rules {
                let p = Predictions::from_probabilities(10, p.clone(), labels.clone())?;
                let mut acc = [0u64; 2];
                for (i, (c, r)) in p.confidences().zip(p.correct()).enumerate() {
                    if c >= tau && within(i) {
                        acc[0] += 1;
                        acc[1] += u64::from(!r);
                    }
                }
                let d = Deferral::fit(&p, within, &RiskTarget::default())?;
                if draw == 0 {
                    println!(
                        "{rule:8} nll {:.4} ece {:.4} acc {:.4} at tau {} wrong {}  certified {} thr {:.6} n {} wrong {}",
                        metrics::negative_log_likelihood(&p),
                        reliability::expected_calibration_error(&p),
                        p.correct().filter(|c| *c).count() as f64 / p.len() as f64,
                        acc[0],
                        acc[1],
                        d.certified,
                        d.threshold,
                        d.accepted,
                        d.errors
                    );
                }
            }
            let top = |p: &[f64]| (0..10).max_by(|&x, &y| p[x].total_cmp(&p[y])).unwrap();
            for i in 0..a.len() {
                let wrong = |c: usize| u64::from(c != labels[i] as usize);
                if a[i].accepted {
                    single[0] += 1;
                    single[1] += wrong(a[i].class as usize);
                    continue;
                }
                if !a[i].ok {
                    continue;
                }
                firsts += 1;
                let mut add = |k: usize, yes: bool, c: usize| {
                    if yes {
                        cond[k][0] += 1;
                        cond[k][1] += wrong(c);
                    }
                };
                let agree = a[i].class == b[i].class;
                add(0, b[i].accepted, b[i].class as usize);
                add(1, b[i].accepted && agree, b[i].class as usize);
                for (k, (_, p)) in rules.iter().enumerate().skip(1) {
                    let row = &p[i * 10..][..10];
                    let c = top(row);
                    add(1 + k, b[i].ok && agree && row[c] >= tau, c);
                    if k == 3 {
                        add(
                            6,
                            agree
                                && b[i].ok
                                && b[i].conf >= tau
                                && row[c] >= tau
                                && a[i].conf >= 0.9,
                            c,
                        );
                        add(
                            7,
                            agree && b[i].ok && b[i].conf >= tau && a[i].conf >= 0.5,
                            c,
                        );
                    }
                }
                hard.push((
                    rules[1].1[i * 10..][..10]
                        .iter()
                        .copied()
                        .fold(0.0, f64::max),
                    rules[2].1[i * 10..][..10]
                        .iter()
                        .copied()
                        .fold(0.0, f64::max),
                    rules[3].1[i * 10..][..10]
                        .iter()
                        .copied()
                        .fold(0.0, f64::max),
                    b[i].conf,
                    agree && b[i].ok,
                    top(&rules[3].1[i * 10..][..10]) == labels[i] as usize,
                ));
            }
        }
        println!(
            "single accepted {} wrong {}; firsts in doubt {firsts}",
            single[0], single[1]
        );
        for (k, n) in [
            "second",
            "second agree",
            "mean",
            "geo",
            "product",
            "",
            "first>=.9 second>=t",
            "first>=.5,second>=t",
        ]
        .iter()
        .enumerate()
        {
            println!(
                "   {n:22} {} wrong {}  ({:.2} %)",
                cond[k][0],
                cond[k][1],
                100.0 * cond[k][1] as f64 / cond[k][0].max(1) as f64
            );
        }
        for (rule, key) in [("mean", 0), ("geo", 1), ("product", 2), ("second", 3)] {
            let mut s: Vec<(f64, bool)> = hard
                .iter()
                .filter(|h| h.4)
                .map(|h| ([h.0, h.1, h.2, h.3][key], h.5))
                .collect();
            s.sort_by(|a, b| b.0.total_cmp(&a.0));
            let mut line = format!("   by {rule}:");
            for share in [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7] {
                let n = (share * hard.len() as f64) as usize;
                if n > s.len() {
                    break;
                }
                let wrong = s[..n].iter().filter(|x| !x.1).count();
                line += &format!("  {:.0}%@{:.5}: {}/{}", 100.0 * share, s[n - 1].0, wrong, n);
            }
            println!("{line}");
        }
    }
    Ok(())
}
