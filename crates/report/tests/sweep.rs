//! Runs compared: the best is chosen by validation, and the page holds whatever there is.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{elements, parse};
use report::{
    Sweep,
    sweep::{Asked, Curves, Difference, Run, RunFailure, RunResult, RunState},
};

fn asked(name: &str) -> Asked {
    Asked {
        name: name.into(),
        recipe: None,
        set: Vec::new(),
    }
}

fn run(group: &str, seed: u64) -> Run {
    Run {
        name: format!("{group}-seed-{seed}"),
        group: group.into(),
        seed,
        state: RunState::Waiting,
        result: None,
        failure: None,
        report: format!("{group}/report.html"),
        curves: Curves::default(),
    }
}

/// A run that is done, right on these shares of the validation and test images.
fn done(group: &str, seed: u64, validation: Option<(f64, f64)>, test: f64) -> Run {
    let curve = |end: f64| {
        (0..=5)
            .map(|epoch| (epoch as f64, end / f64::from(6 - epoch)))
            .collect()
    };
    Run {
        state: RunState::Done,
        result: Some(RunResult {
            test_accuracy: test,
            test_errors: 1,
            test_nll: Some(0.1),
            validation_accuracy: validation.map(|(accuracy, _)| accuracy),
            validation_loss: validation.map(|(_, loss)| loss),
            seconds: 2.0,
            epochs: 5,
            stopped: "finished".into(),
            parameters: 10,
        }),
        curves: Curves {
            accuracy: curve(validation.map_or(0.5, |(accuracy, _)| accuracy)),
            loss: curve(0.1),
        },
        ..run(group, seed)
    }
}

fn sweep(groups: &[&str], runs: Vec<Run>) -> Sweep {
    let groups = groups.iter().map(|name| asked(name)).collect();
    Sweep::new("a sweep".into(), groups, Vec::new(), runs)
}

#[test]
fn the_best_run_is_that_of_the_most_right_validation_images_whatever_the_test_says() {
    let runs = vec![
        done("a", 0, Some((0.97, 0.2)), 0.99),
        done("a", 1, Some((0.98, 0.2)), 0.95),
        done("a", 2, Some((0.98, 0.1)), 0.94),
        done("a", 3, Some((0.98, 0.1)), 0.96),
        run("a", 4),
        done("b", 0, None, 0.9),
    ];
    let sweep = sweep(&["a", "b", "c"], runs);
    let [a, b, c] = &sweep.groups[..] else {
        panic!("three groups");
    };
    assert_eq!(a.best.as_deref(), Some("a-seed-2"));
    assert_eq!((a.count.runs, a.count.done, a.count.unfinished), (5, 4, 1));
    assert_eq!((b.best.as_deref(), b.validation_accuracy), (None, None));
    assert_eq!(
        b.test_accuracy.map(|spread| (spread.n, spread.sd)),
        Some((1, None))
    );
    assert_eq!((c.count.runs, c.test_accuracy), (0, None));
    let text = sweep.to_string();
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.contains("a-seed-2 (98.00 %)"), "{text}");
}

#[test]
fn a_page_holds_more_groups_than_there_are_colours_and_runs_of_every_state() {
    let names: Vec<String> = (0..12)
        .map(|number| format!("group {number} <&>"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut runs: Vec<Run> = names
        .iter()
        .flat_map(|name| (0..40).map(|seed| done(name, seed, Some((0.9, 0.1)), 0.9)))
        .collect();
    runs.push(run("group 0 <&>", 100));
    runs.push(Run {
        state: RunState::Failed,
        failure: Some(RunFailure {
            error: "the loss became <NaN>".into(),
            code: Some(1),
            signal: None,
            attempts: 1,
        }),
        ..run("group 0 <&>", 101)
    });
    let mut sweep = sweep(&names, runs);
    sweep.differing = vec![Difference {
        key: "training.epochs".into(),
        values: names.iter().map(|_| None).collect(),
    }];
    let html = sweep.html().unwrap();
    assert_eq!(html, sweep.html().unwrap());
    let document = parse(&html);
    let ids: Vec<_> = elements(&document, "section")
        .filter_map(|section| section.attribute("id"))
        .collect();
    assert_eq!(ids, ["groups", "curves", "differences", "runs"]);
    assert!(html.contains("--series-8") && html.contains("all further groups"));
    assert!(html.contains("the loss became &lt;NaN&gt;"));
    assert_eq!(elements(&document, "svg").count(), 2);
    for run in &sweep.runs {
        assert!(
            html.contains(
                &run.name
                    .replace('&', "&amp;")
                    .replace('<', "&lt;")
                    .replace('>', "&gt;")
            )
        );
    }
}

#[test]
fn a_sweep_without_a_result_has_a_page() {
    let sweep = sweep(&["a"], vec![run("a", 0)]);
    let html = sweep.html().unwrap();
    parse(&html);
    assert!(html.contains("0 of 1 runs are done"));
}
