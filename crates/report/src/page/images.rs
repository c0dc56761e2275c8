//! The images that are worth a look.

use data::mnist;
use evaluation::Predictions;

use maud::{Markup, html};

use super::error::PageError;
use super::findings::Page;
use super::markup::{Section, class_name, isolated};
use super::picture::{self, Look};
use super::probabilities::{bars, floor_percent};

/// How many of each kind.
const SHOWN: usize = 25;

pub fn section(page: &Page, predictions: &Predictions) -> Result<Section, PageError> {
    let worst = worst_errors(predictions, SHOWN);
    let least = least_certain(predictions, SHOWN);
    let content = html! {
        (group(
            page,
            predictions,
            &worst,
            "worst mistakes",
            "Wrong, and surest of it. Where you would have answered like the network, suspect the label; \
             else, such images are missing from the training images.",
        )?)
        (group(
            page,
            predictions,
            &least,
            "least certain",
            "These should be hard for you, too, and should go to a person.",
        )?)
    };
    Ok(Section::new(
        "images",
        "Images",
        "Look at the hard ones",
        "Bars are probabilities: green the labelled class, red a wrong answer.",
        content,
    ))
}

fn group(
    page: &Page,
    predictions: &Predictions,
    rows: &[usize],
    what: &str,
    meaning: &str,
) -> Result<Markup, PageError> {
    if rows.is_empty() {
        return Ok(html! { h3 { "No " (what) } });
    }
    Ok(html! {
        h3 { "The " (rows.len()) " " (what) }
        p { (meaning) }
        ol.cards {
            @for &row in rows { (card(page, predictions, row)?) }
        }
    })
}

/// The rows of wrong answers by falling confidence.
pub fn worst_errors(predictions: &Predictions, most: usize) -> Vec<usize> {
    let correct: Vec<bool> = predictions.correct().collect();
    let mut rows = by_confidence(predictions);
    rows.retain(|&row| !correct[row]);
    rows.reverse();
    rows.truncate(most);
    rows
}

/// The rows of least confidence, lowest first.
pub fn least_certain(predictions: &Predictions, most: usize) -> Vec<usize> {
    let mut rows = by_confidence(predictions);
    rows.truncate(most);
    rows
}

fn by_confidence(predictions: &Predictions) -> Vec<usize> {
    let confidences: Vec<f64> = predictions.confidences().collect();
    let mut rows: Vec<usize> = (0..confidences.len()).collect();
    rows.sort_by(|&a, &b| confidences[a].total_cmp(&confidences[b]));
    rows
}

fn card(page: &Page, predictions: &Predictions, row: usize) -> Result<Markup, PageError> {
    let (answer, label) = (predictions.predicted()[row], predictions.labels()[row]);
    let probabilities = predictions.rows().nth(row).unwrap_or_default();
    let confidence = probabilities.get(usize::from(answer)).copied();
    let alt = format!("Test image {row}, labelled {}", isolated(page.name(label)));
    let verdict = if answer == label { "right" } else { "wrong" };
    let fate = match page.accepts(row) {
        true => "accepted",
        false => "to a person",
    };
    let disputed = mnist::is_test(page.images) && mnist::MISLABELLED.contains(&row);
    let names = page.classifier.classes();
    Ok(html! {
        li.card.(verdict) {
            (picture::image(Look::of(page), page.images.image(row), &alt)?)
            (bars(names, probabilities, answer, label))
            p {
                strong { (class_name(page.name(label))) " → " (class_name(page.name(answer))) }
                " "
                span.number { (floor_percent(confidence.unwrap_or_default())) }
                @if disputed { " " span.tag { "label disputed" } }
            }
            p.note { "no. " (row) ", " (verdict) ", " (fate) }
        }
    })
}
