//! How loss and accuracy of a run go on.

use maud::html;
use runs::History;

use super::super::chart::{Axis, Chart, Colour, Mark, legend, whole_percent};
use super::super::error::PageError;
use super::super::markup::{Section, figure};
use super::super::training;
use super::Live;

/// Most points of a curve.
const POINTS: usize = 240;

impl Live {
    /// Loss and accuracy so far.
    pub(super) fn curves(&self, history: &History) -> Result<Section, PageError> {
        let chance = 1.0 / self.classes.len().max(1) as f64;
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
