//! How the validation of all runs went, a colour for each group.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::chart::{Axis, Chart, Colour, Mark, legend};
use super::super::error::PageError;
use super::super::markup::{Section, figure, visible};
use super::super::training::ends;
use crate::sweep::{Curves, Sweep};

/// Most runs of a group that are drawn one by one.
const DRAWN: usize = 30;

type Points = Vec<(f64, f64)>;

/// None where no run has come as far as an epoch.
pub fn section(sweep: &Sweep) -> Result<Option<Section>, PageError> {
    let accuracy = groups(sweep, |curves| &curves.accuracy);
    let loss = groups(sweep, |curves| &curves.loss);
    if accuracy.iter().chain(&loss).all(Vec::is_empty) {
        return Ok(None);
    }
    let content = html! {
        div.pair { (accuracy_figure(sweep, &accuracy)?) (loss_figure(sweep, &loss)?) }
    };
    let lead = "On the validation images after each epoch: a faint line for each run, a strong one for the mean of its group.";
    Ok(Some(Section::new(
        "curves",
        "Curves",
        "How did their training go?",
        lead,
        content,
    )))
}

/// The curves of the runs of each group, from the first epoch on.
fn groups(sweep: &Sweep, of: impl Fn(&Curves) -> &Points) -> Vec<Vec<Points>> {
    let trained = |points: &Points| -> Points {
        let late = points.iter().filter(|(epoch, _)| *epoch > 0.0);
        late.copied().collect()
    };
    let curves = |name: &str| {
        let own = sweep.runs.iter().filter(|run| run.group == name);
        let curves = own.map(|run| trained(of(&run.curves)));
        curves.filter(|points| !points.is_empty()).collect()
    };
    sweep
        .groups
        .iter()
        .map(|group| curves(&group.name))
        .collect()
}

fn accuracy_figure(sweep: &Sweep, groups: &[Vec<Points>]) -> Result<Markup, PageError> {
    let values = sorted(groups);
    // The first epochs of the slowest would squeeze what is worth seeing: they begin below the chart.
    let low = values.get(values.len() / 20).copied().unwrap_or(0.0);
    let low = (low - 0.1 * (1.0 - low)).clamp(0.0, 0.999);
    let chart = Chart {
        id: "sweep-accuracy",
        title: "Validation accuracy",
        description: "The share of right validation images over the epochs, of each run.".into(),
        x: epochs(groups),
        y: Axis {
            label: "Validation accuracy",
            range: low..1.0,
            log: false,
            format: match low < 0.95 {
                true => |share| format!("{:.0} %", 100.0 * share),
                false => |share| format!("{:.1} %", 100.0 * share),
            },
        },
        marks: marks(groups),
    };
    let caption =
        html! { (names(sweep, groups)) "Share of right validation images." (left_out(groups)) };
    Ok(figure(chart.title, chart.svg()?, caption))
}

fn loss_figure(sweep: &Sweep, groups: &[Vec<Points>]) -> Result<Markup, PageError> {
    let chart = Chart {
        id: "sweep-loss",
        title: "Validation loss",
        description: "The loss on the validation images over the epochs, of each run.".into(),
        x: epochs(groups),
        y: Axis {
            label: "Validation loss",
            range: ends(&sorted(groups)),
            log: true,
            format: |value| format!("{value}"),
        },
        marks: marks(groups),
    };
    let caption = html! {
        (names(sweep, groups)) "Nats per image, each step upwards ten times as much." (left_out(groups))
    };
    Ok(figure(chart.title, chart.svg()?, caption))
}

fn marks(groups: &[Vec<Points>]) -> Vec<Mark> {
    let coloured = || (0..).map(Colour::Series).zip(groups);
    let thin = coloured().flat_map(|(colour, runs)| {
        let runs = runs.iter().take(DRAWN);
        runs.map(move |points| Mark::Thin(colour, points.clone()))
    });
    let strong = coloured().flat_map(|(colour, runs)| {
        let mean = mean(runs);
        // A line needs two points.
        let dots = (mean.len() == 1).then(|| Mark::Dots(colour, mean.clone()));
        [Some(Mark::Line(colour, mean)), dots].into_iter().flatten()
    });
    thin.chain(strong).collect()
}

/// The mean of all runs that came to an epoch.
fn mean(runs: &[Points]) -> Points {
    let mut sums: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for (epoch, value) in runs.iter().flatten() {
        let (sum, count) = sums.entry(*epoch as u64).or_default();
        *sum += value;
        *count += 1.0;
    }
    let mean = sums.into_iter();
    mean.map(|(epoch, (sum, count))| (epoch as f64, sum / count))
        .collect()
}

fn sorted(groups: &[Vec<Points>]) -> Vec<f64> {
    let points = groups.iter().flatten().flatten();
    let mut values: Vec<f64> = points.map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn epochs(groups: &[Vec<Points>]) -> Axis {
    let points = groups.iter().flatten().flatten();
    let last = points.map(|(epoch, _)| *epoch).fold(1.0, f64::max);
    Axis {
        label: "epochs",
        range: 0.0..last,
        log: false,
        format: |epoch| format!("{}", (epoch * 10.0).round() / 10.0),
    }
}

/// Which colour is whose.
fn names(sweep: &Sweep, groups: &[Vec<Points>]) -> Markup {
    let drawn = sweep.groups.iter().zip(groups).enumerate();
    let entries: Vec<(String, Colour)> = drawn
        .filter(|(number, (_, runs))| *number < Colour::SERIES && !runs.is_empty())
        .map(|(number, (group, _))| (visible(&group.name), Colour::Series(number)))
        .collect();
    let mut entries: Vec<_> = entries
        .iter()
        .map(|(name, colour)| (&name[..], *colour))
        .collect();
    if groups.len() > Colour::SERIES {
        entries.push(("all further groups", Colour::Series(Colour::SERIES)));
    }
    legend(&entries)
}

fn left_out(groups: &[Vec<Points>]) -> Markup {
    let most = groups.iter().map(Vec::len).max().unwrap_or(0);
    html! {
        @if most > DRAWN { " Of each group the first " (DRAWN) " runs are drawn; the mean is that of all." }
    }
}
