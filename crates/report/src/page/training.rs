//! How training went.

use std::{collections::BTreeMap, ops::Range};

use maud::{Markup, html};
use runs::History;

use super::chart::{Axis, Chart, Colour, Mark, legend};
use super::error::PageError;
use super::learning;
use super::markup::{Section, count, data_table, figure, percent};

/// Most points of a curve over steps.
const POINTS: usize = 240;

pub fn section(
    history: &History,
    classes: &[String],
    members: usize,
) -> Result<Section, PageError> {
    let loss = curves(
        history,
        "loss",
        Curves {
            id: "curve-loss",
            title: "Loss",
            log: true,
            format: |value| format!("{value}"),
            caption: "Nats per image, each step upwards ten times as much. If the validation loss \
                rises while the training loss falls, the network learns by heart: train shorter or \
                with more augmentation.",
        },
    )?;
    let accuracy = curves(
        history,
        "accuracy",
        Curves {
            id: "curve-accuracy",
            title: "Accuracy",
            log: false,
            format: |value| format!("{:.1} %", 100.0 * value),
            caption: "Share of right images. Training images are judged before their own step and, \
                with augmentation, are harder: their curve may lie below.",
        },
    )?;
    let content = html! {
        div.pair { (loss) (accuracy) (rate(history)?) (speed(history)?) }
        (numbers(history))
        (learning::figures(history.learning(), classes)?)
    };
    let of = match members {
        1 => String::new(),
        members => format!(
            " of the first of {members} networks, which differ in nothing but their random numbers"
        ),
    };
    let lead = format!(
        "{} epochs{of}. Lines over steps are means over short stretches.",
        history.epochs()
    );
    Ok(Section::new(
        "training",
        "Training",
        "How did training go?",
        lead,
        content,
    ))
}

struct Curves {
    id: &'static str,
    title: &'static str,
    log: bool,
    format: fn(f64) -> String,
    caption: &'static str,
}

/// A figure of a value on training images, over steps, and on validation images, over epochs.
fn curves(history: &History, name: &str, shape: Curves) -> Result<Markup, PageError> {
    let train = history.by_step("train", name, POINTS);
    let validation = history.by_epoch("validation", name);
    let late: Vec<_> = validation
        .iter()
        .filter(|(epoch, _)| *epoch > 0.0)
        .copied()
        .collect();
    let mut marks = vec![Mark::Line(Colour::First, train.clone())];
    if late.len() > 1 {
        marks.push(Mark::Line(Colour::Second, late.clone()));
    }
    marks.push(Mark::Dots(Colour::Second, late.clone()));
    let mut values: Vec<f64> = train.iter().chain(&late).map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    let range = if shape.log {
        ends(&values)
    } else {
        // The first steps would squeeze what is worth seeing: they begin below the chart.
        let low = values.get(values.len() / 20).copied().unwrap_or(0.0);
        let least = late.iter().map(|(_, value)| *value).fold(low, f64::min);
        (least - 0.25 * (1.0 - least)).clamp(0.0, 0.99)..1.0
    };
    let last = late.last().map_or(String::new(), |(_, value)| {
        let value = if shape.log {
            format!("{value:.4}")
        } else {
            percent(*value, 2)
        };
        format!(" At the end {value} on validation images.")
    });
    let chart = Chart {
        id: shape.id,
        title: shape.title,
        description: format!("{} over the epochs.{last}", shape.title),
        x: epochs(history),
        y: Axis {
            label: shape.title,
            range,
            log: shape.log,
            format: shape.format,
        },
        marks,
    };
    let entries = [
        ("training", Colour::First),
        ("validation (dots)", Colour::Second),
    ];
    let caption = html! { (legend(&entries)) (shape.caption) (last) };
    Ok(figure(shape.title, chart.svg()?, caption))
}

fn rate(history: &History) -> Result<Markup, PageError> {
    let rates = history.by_step("train", "learning_rate", POINTS);
    let top = rates.iter().map(|(_, rate)| *rate).fold(1e-12, f64::max);
    let chart = Chart {
        id: "curve-rate",
        title: "Learning rate",
        description: format!("The learning rate over the epochs, at most {top:.2e}."),
        x: epochs(history),
        y: Axis {
            label: "learning rate",
            range: 0.0..top * 1.1,
            log: false,
            format: |rate| {
                if rate == 0.0 {
                    "0".into()
                } else {
                    format!("{rate:.0e}")
                }
            },
        },
        marks: vec![Mark::Line(Colour::First, rates)],
    };
    let caption = "The size of a step, as the schedule sets it. The last stretch near zero is where \
        the errors fall most.";
    Ok(figure(chart.title, chart.svg()?, caption))
}

fn speed(history: &History) -> Result<Markup, PageError> {
    let speeds = history.by_epoch("train", "images_per_second");
    let top = speeds.iter().map(|(_, speed)| *speed).fold(1.0, f64::max);
    let mut marks = vec![Mark::Dots(Colour::First, speeds.clone())];
    if speeds.len() > 1 {
        marks.push(Mark::Line(Colour::First, speeds));
    }
    let chart = Chart {
        id: "curve-speed",
        title: "Images per second",
        description: format!(
            "Training speed of each epoch, at most {} images per second.",
            count(top as u64)
        ),
        x: epochs(history),
        y: Axis {
            label: "images per second",
            range: 0.0..top * 1.15,
            log: false,
            format: |speed| count(speed as u64),
        },
        marks,
    };
    let caption = "Training steps with loading, validation left out. A dip means that the machine was \
        busy with something else.";
    Ok(figure(chart.title, chart.svg()?, caption))
}

fn numbers(history: &History) -> Markup {
    let columns = [
        ("train", "loss", false),
        ("validation", "loss", false),
        ("train", "accuracy", true),
        ("validation", "accuracy", true),
    ];
    let mut rows: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut put = |column: usize, (epoch, value): (f64, f64), show: &dyn Fn(f64) -> String| {
        let row = rows
            .entry(epoch as u64)
            .or_insert_with(|| vec!["–".into(); 6]);
        row[0] = (epoch as u64).to_string();
        row[column] = show(value);
    };
    for (column, (split, name, share)) in (1..).zip(columns) {
        for point in history.by_epoch(split, name) {
            put(column, point, &|value| match share {
                true => percent(value, 2),
                false => format!("{value:.4}"),
            });
        }
    }
    for point in history.by_epoch("train", "images_per_second") {
        put(5, point, &|speed| count(speed as u64));
    }
    // Before the first epoch nothing was learned.
    rows.remove(&0);
    let rows: Vec<Vec<String>> = rows.into_values().collect();
    let heads = [
        "Epoch",
        "Training loss",
        "Validation loss",
        "Training accuracy",
        "Validation accuracy",
        "Images/s",
    ];
    data_table("Numbers of each epoch", &heads, &rows)
}

fn epochs(history: &History) -> Axis {
    Axis {
        label: "epochs",
        range: 0.0..history.epochs().max(1) as f64,
        log: false,
        format: |epoch| format!("{}", (epoch * 10.0).round() / 10.0),
    }
}

/// The least and the greatest positive of sorted values.
pub fn ends(sorted: &[f64]) -> Range<f64> {
    let low = sorted
        .iter()
        .copied()
        .find(|value| *value > 0.0)
        .unwrap_or(0.1);
    low..sorted.last().copied().unwrap_or(1.0).max(low)
}
