//! The images that are worth a look.

use data::mnist;
use evaluation::Predictions;

use super::{
    Page, PageError,
    markup::{Section, class_name, escape, isolated, section as html_section},
    picture::{self, Look},
    probabilities::{bars, floor_percent},
};

/// How many of each kind.
const SHOWN: usize = 25;

pub fn section(page: &Page, predictions: &Predictions) -> Result<Section, PageError> {
    let card = |row: usize| card(page, predictions, row, page.accepts(row));
    let worst = worst_errors(predictions, SHOWN);
    let least = least_certain(predictions, SHOWN);
    let worst_cards: String = worst
        .iter()
        .map(|&row| card(row))
        .collect::<Result<_, _>>()?;
    let least_cards: String = least
        .iter()
        .map(|&row| card(row))
        .collect::<Result<_, _>>()?;
    let content = group(
        worst.len(),
        "worst mistakes",
        "Wrong, and surest of it. Where you would have answered like the network, suspect the label; \
         else, such images are missing from the training images.",
        &worst_cards,
    ) + &group(
        least.len(),
        "least certain",
        "These should be hard for you, too, and should go to a person.",
        &least_cards,
    );
    let lead = "Bars are probabilities: green the labelled class, red a wrong answer.";
    Ok(Section {
        id: "images",
        title: "Images",
        html: html_section("images", "Look at the hard ones", lead, content),
    })
}

fn group(count: usize, what: &str, meaning: &str, cards: &str) -> String {
    if count == 0 {
        return format!("<h3>No {what}</h3>");
    }
    format!("<h3>The {count} {what}</h3><p>{meaning}</p><ol class=\"cards\">{cards}</ol>")
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

fn card(
    page: &Page,
    predictions: &Predictions,
    row: usize,
    accepted: bool,
) -> Result<String, PageError> {
    let (answer, label) = (predictions.predicted()[row], predictions.labels()[row]);
    let of_classes = predictions.rows().nth(row).unwrap_or_default();
    let confidence = of_classes.get(usize::from(answer)).copied();
    let alt = format!("Test image {row}, labelled {}", isolated(page.name(label)));
    let verdict = if answer == label { "right" } else { "wrong" };
    let fate = if accepted { "accepted" } else { "to a person" };
    let disputed = if mnist::is_test(page.images) && mnist::MISLABELLED.contains(&row) {
        " <span class=\"tag\">label disputed</span>"
    } else {
        ""
    };
    Ok(format!(
        "<li class=\"card {verdict}\">{picture}{bars}\
         <p><strong>{label_name} → {answer_name}</strong> <span class=\"number\">{confidence}</span>{disputed}</p>\
         <p class=\"note\">no. {row}, {verdict}, {fate}</p></li>\n",
        picture = picture::image(Look::of(page), page.images.image(row), &alt)?,
        bars = bars(page.classifier.classes(), of_classes, answer, label),
        label_name = class_name(page.name(label)),
        answer_name = class_name(page.name(answer)),
        confidence = escape(&floor_percent(confidence.unwrap_or_default())),
    ))
}
