//! Groups, the keys on which they differ, and runs.

use maud::{Markup, html};

use super::super::markup::{Section, class_name, percent, scrolling, table, visible};
use crate::sweep::{Group, Run, RunState, Spread, Sweep};

pub fn groups(sweep: &Sweep) -> Section {
    let heads = [
        "Group",
        "Done",
        "Validation accuracy",
        "Test accuracy",
        "Test NLL, nats",
        "Seconds",
        "Failed",
        "Unfinished",
        "Best run by validation",
    ];
    let row = |group: &Group| -> Vec<Markup> {
        let percents = |of: Option<Spread>| spread(of, 100.0, 2, "\u{a0}%");
        let best = group.best.as_ref().and_then(|name| sweep.run(name));
        vec![
            class_name(&group.name),
            html! { (group.count.done) " of " (group.count.runs) },
            percents(group.validation_accuracy),
            percents(group.test_accuracy),
            spread(group.test_nll, 1.0, 4, ""),
            spread(group.seconds, 1.0, 1, ""),
            html! { (group.count.failed) },
            html! { (group.count.unfinished) },
            html! { @match best { Some(run) => (link(run)), None => "–" } },
        ]
    };
    let rows: Vec<_> = sweep.groups.iter().map(row).collect();
    let content = html! {
        (table("What the groups achieved", &heads, &rows))
        p {
            "Mean ± standard deviation over the runs that are done (with n − 1). A difference between groups that is \
             not larger than what seeds alone make says nothing."
        }
    };
    Section::new(
        "groups",
        "Groups",
        "What did the groups achieve?",
        "Choose by the validation images: what the test images say of a choice that they made is too good.",
        content,
    )
}

/// None where nothing differs.
pub fn differences(sweep: &Sweep) -> Option<Section> {
    if sweep.differing.is_empty() {
        return None;
    }
    let names: Vec<String> = sweep
        .groups
        .iter()
        .map(|group| visible(&group.name))
        .collect();
    let heads: Vec<&str> = ["Key"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let value = |value: &Option<String>| match value {
        Some(text) => html! { code { (visible(text)) } },
        None => html! { span.none { "–" } },
    };
    let rows: Vec<Vec<Markup>> = sweep
        .differing
        .iter()
        .map(|difference| {
            let key = html! { code { (visible(&difference.key)) } };
            [key]
                .into_iter()
                .chain(difference.values.iter().map(value))
                .collect()
        })
        .collect();
    Some(Section::new(
        "differences",
        "Differences",
        "What differs between the groups?",
        "The keys of the recipe whose values are not the same in all groups, but for the seed.",
        table("Keys that differ between groups", &heads, &rows),
    ))
}

pub fn runs(sweep: &Sweep) -> Section {
    let heads = [
        "Run",
        "State",
        "Validation accuracy",
        "Validation loss",
        "Test accuracy",
        "Test NLL, nats",
        "Epochs",
        "Seconds",
    ];
    let rows: Vec<Vec<Markup>> = sweep.runs.iter().map(row).collect();
    let content = html! { (failures(sweep)) (table("All runs", &heads, &rows)) };
    Section::new(
        "runs",
        "Runs",
        "How did each run end?",
        "Each name leads to the report of the run, once it is begun.",
        content,
    )
}

/// Why runs failed, if any did.
fn failures(sweep: &Sweep) -> Markup {
    let failed = || {
        let runs = sweep.runs.iter();
        runs.filter_map(|run| Some((run, run.failure.as_ref()?)))
    };
    if failed().next().is_none() {
        return html! {};
    }
    let content = html! {
        thead { tr { th scope="col" { "Failed" } th scope="col" { "Why" } } }
        tbody {
            @for (run, failure) in failed() {
                tr { th scope="row" { (class_name(&run.name)) } td { (visible(&failure.error)) } }
            }
        }
    };
    scrolling("Why runs failed", Some("facts"), content)
}

fn row(run: &Run) -> Vec<Markup> {
    let state = html! {
        @match run.state {
            RunState::Done => "done",
            RunState::Failed => strong { "failed" }
            RunState::Begun => span.none { "unfinished" },
            RunState::Waiting => span.none { "waits" },
        }
    };
    let name = match run.state {
        RunState::Done | RunState::Begun => link(run),
        RunState::Failed | RunState::Waiting => class_name(&run.name),
    };
    let result = run.result.as_ref();
    let number = |value: Option<f64>, decimals: usize| {
        let shown = value.map_or("–".into(), |value| format!("{value:.decimals$}"));
        html! { (shown) }
    };
    let share = |value: Option<f64>| {
        let shown = value.map_or("–".into(), |value| percent(value, 2));
        html! { (shown) }
    };
    vec![
        name,
        state,
        share(result.and_then(|result| result.validation_accuracy)),
        number(result.and_then(|result| result.validation_loss), 4),
        share(result.map(|result| result.test_accuracy)),
        number(result.and_then(|result| result.test_nll), 4),
        html! { @match result { Some(result) => (result.epochs), None => "–" } },
        number(result.map(|result| result.seconds), 1),
    ]
}

fn link(run: &Run) -> Markup {
    html! { a href=(run.report) { (class_name(&run.name)) } }
}

fn spread(of: Option<Spread>, scale: f64, decimals: usize, unit: &str) -> Markup {
    html! {
        @match of {
            Some(spread) => { (spread.shown(scale, decimals)) (unit) },
            None => "–",
        }
    }
}
