//! The result in one sentence, and the figures that matter.

use data::mnist;
use evaluation::Estimate;
use maud::{Markup, html};

use super::findings::Page;
use super::markup::{count, percent, visible};

/// The title of the browser's tab.
pub fn title(page: &Page) -> String {
    let right = percent(page.examination.accuracy, 2);
    format!("{right} right: report on an image classifier")
}

pub fn html(page: &Page) -> Markup {
    let evaluation = &page.examination.evaluation;
    let after = &evaluation.after;
    let selective = &evaluation.selective;
    let deferred = selective.n - selective.accepted;
    let promise = &page.examination.deferral;
    let withdrawn = promise.contradicted.then(|| promise.statement.clone());
    let caveats = page.examination.caveats().into_iter().chain(withdrawn);
    html! {
        p.kicker { "Report on an image classifier" }
        h1 {
            "Right on " (percent(after.accuracy.value, 2)) " of "
            @if mnist::is_test(page.images) { "MNIST’s " }
            (count(after.n)) " test images"
        }
        p.lead {
            (count(after.errors)) " wrong. "
            @if selective.accepted == 0 {
                "It accepts no answer of its own: every image goes to a person."
            } @else {
                "It keeps " (count(selective.accepted)) " answers for itself, "
                strong { (count(selective.errors)) " of them wrong" }
                ", and hands " (count(deferred)) " images ("
                (percent(deferred as f64 / selective.n as f64, 2)) ") to a person."
            }
        }
        @for caveat in caveats {
            p.caveat { strong { "Note:" } " " (visible(&caveat)) }
        }
        dl.tiles { (tiles(page)) }
    }
}

fn tiles(page: &Page) -> Markup {
    let evaluation = &page.examination.evaluation;
    let (before, after) = (&evaluation.before, &evaluation.after);
    let interval = |estimate: &Estimate, decimals: usize| {
        let (lower, upper) = (estimate.lower, estimate.upper);
        let (lower, upper) = (percent(lower, decimals), percent(upper, decimals));
        format!("95 % interval {lower} to {upper}")
    };
    let risk = evaluation.selective.risk;
    let accuracy = &after.accuracy;
    html! {
        (tile("Accuracy", &percent(accuracy.value, 2), &interval(accuracy, 2)))
        (tile(
            "Wrong among the accepted",
            &risk.map_or("none accepted".into(), |risk| percent(risk.value, 3)),
            &risk.map_or(String::new(), |risk| interval(&risk, 2)),
        ))
        (tile(
            "Calibration error",
            &percent(after.ece, 2),
            &format!("ECE; {} before calibration", percent(before.ece, 2)),
        ))
        (tile(
            "Log loss",
            &format!("{:.4}", after.nll),
            &format!("nats per image; {:.4} before calibration", before.nll),
        ))
        @if let Some(without) = &page.examination.without_mislabelled {
            (tile(
                "Without disputed labels",
                &percent(without.after.accuracy.value, 2),
                &format!(
                    "{} test images are known to be mislabelled or undecidable",
                    mnist::MISLABELLED.len()
                ),
            ))
        }
    }
}

fn tile(name: &str, value: &str, note: &str) -> Markup {
    html! {
        div {
            dt { (name) }
            dd.value { (value) }
            dd { (note) }
        }
    }
}
