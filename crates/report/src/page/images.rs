//! The digits that are worth a look.

use evaluation::Predictions;

use super::{
    Page, PageError, Section,
    markup::{escape, percent, section as html_section},
    picture,
};
use crate::MISLABELLED;

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
         else, such writing is missing from the training images.",
        &worst_cards,
    ) + &group(
        least.len(),
        "least certain",
        "These should be hard for you, too, and should go to a person.",
        &least_cards,
    );
    let lead = "Ten bars are the ten probabilities: green the labelled digit, red a wrong answer.";
    Ok(Section {
        id: "digits",
        title: "Digits",
        html: html_section("digits", "Look at the hard ones", lead, content),
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
    let (answer, label) = (predictions.digits()[row], predictions.labels()[row]);
    let probabilities = predictions.rows().nth(row).unwrap_or_default();
    let names = &page.classifier.manifest().classes;
    let confidence = probabilities
        .get(usize::from(answer))
        .copied()
        .unwrap_or(0.0);
    let alt = format!("Test image {row}, labelled {}", page.name(label));
    let verdict = if answer == label { "right" } else { "wrong" };
    let fate = if accepted { "accepted" } else { "to a person" };
    let disputed = if page.images.is_mnist_test() && MISLABELLED.contains(&row) {
        " <span class=\"tag\">label disputed</span>"
    } else {
        ""
    };
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let likeliest: Vec<String> = order
        .iter()
        .take(3)
        .map(|&class| {
            format!(
                "{} {}",
                page.name(class as u8),
                floor_percent(probabilities[class])
            )
        })
        .collect();
    Ok(format!(
        "<li class=\"card {verdict}\">{picture}{bars}\
         <p><strong>{label} → {answer}</strong> <span class=\"number\">{confidence}</span>{disputed}</p>\
         <p class=\"note\">no. {row}, {verdict}, {fate}<span class=\"unseen\">; likeliest: {likeliest}</span></p></li>\n",
        picture = picture::digit(page.images.image(row), &alt)?,
        bars = picture::bars(
            probabilities,
            names,
            usize::from(answer),
            usize::from(label)
        ),
        label = escape(page.name(label)),
        answer = escape(page.name(answer)),
        confidence = escape(&floor_percent(confidence)),
        likeliest = escape(&likeliest.join(", ")),
    ))
}

/// A confidence that is never rounded up to 100 %.
fn floor_percent(share: f64) -> String {
    if (0.9995..1.0).contains(&share) {
        return "> 99.9\u{a0}%".to_owned();
    }
    percent(share, 1)
}
