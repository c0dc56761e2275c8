//! What the network looks at.

use evaluation::Predictions;

use super::{
    Page, PageError, Section,
    digits::{least_certain, worst_errors},
    markup::{escape, figure, section as html_section},
    occlusion::occlusion,
    picture,
};
use data::WIDTH;

/// Mistakes, and uncertain digits, whose pixels are explained.
const EXPLAINED: usize = 3;

pub fn section(page: &Page, predictions: &Predictions) -> Result<Section, PageError> {
    let lead =
        "What the first layer searches for, and which pixels carried the answer for some digits.";
    let content = explained(page, predictions)? + &filters(page)?;
    Ok(Section {
        id: "network",
        title: "Network",
        html: html_section("network", "What does the network look at?", lead, content),
    })
}

fn explained(page: &Page, predictions: &Predictions) -> Result<String, PageError> {
    let correct: Vec<bool> = predictions.correct().collect();
    let typical = (0..predictions.len())
        .filter(|&row| page.accepts(row) && correct[row])
        .take(2);
    let uncertain = least_certain(predictions, predictions.len());
    let uncertain = uncertain
        .iter()
        .copied()
        .filter(|&row| correct[row])
        .take(EXPLAINED);
    let rows: Vec<usize> = typical
        .chain(worst_errors(predictions, EXPLAINED))
        .chain(uncertain)
        .collect();
    let mut items = String::new();
    for row in rows {
        let (answer, label) = (predictions.digits()[row], predictions.labels()[row]);
        let image = page.images.image(row);
        let falls = occlusion(page.classifier, image, usize::from(answer));
        let most = falls
            .iter()
            .fold(0.0, |most: f64, fall| most.max(fall.abs()));
        let (answer, label) = (page.name(answer), page.name(label));
        let where_to = describe(&falls);
        let alt = format!("Test image {row}, labelled {label}, answered {answer}: {where_to}");
        items.push_str(&format!(
            "<li class=\"card\"><div class=\"stack\">{}{}</div>\
             <p><strong>{} → {}</strong></p><p class=\"note\">no. {row}, up to {most:.1} nats</p></li>\n",
            picture::digit(image, &alt)?,
            picture::signed(&falls, WIDTH, most, "")?,
            escape(label),
            escape(answer),
        ));
    }
    let caption = "A square of 5 × 5 pixels is covered at every place in turn. Orange: covering it \
        weakens the answer, so these pixels spoke for it. Blue: they spoke against it. Orange on the \
        empty ground means that the absence of ink counts. First two typical digits, then the worst \
        mistakes, then right answers that were close.";
    Ok(figure(
        "Pixels that spoke for the answer (label → answer)",
        &format!("<ul class=\"cards explained\">{items}</ul>"),
        caption,
    ))
}

/// Where the pixels that speak for the answer are, in words.
fn describe(falls: &[f64]) -> String {
    let (mut sum, mut x, mut y) = (0.0, 0.0, 0.0);
    for (at, fall) in falls.iter().enumerate().filter(|(_, fall)| **fall > 0.0) {
        sum += fall;
        x += fall * (at % WIDTH) as f64;
        y += fall * (at / WIDTH) as f64;
    }
    if sum <= 0.0 {
        return "no pixels speak for it".to_owned();
    }
    let third = |mean: f64, names: [&'static str; 3]| match mean / sum {
        mean if mean < 12.0 => names[0],
        mean if mean < 15.0 => names[1],
        _ => names[2],
    };
    format!(
        "the pixels that speak for the answer centre on the {} {}",
        third(y, ["upper", "middle", "lower"]),
        third(x, ["left", "centre", "right"]),
    )
}

/// The first layer's filters, if it is a convolution.
fn filters(page: &Page) -> Result<String, PageError> {
    let Some(block) = page.classifier.network().blocks.first() else {
        return Ok(String::new());
    };
    let weight = block.conv.weight.val();
    let [filters, channels, height, width] = weight.dims();
    let values: Vec<f64> = weight.into_data().iter::<f64>().collect();
    if channels != 1 || values.len() != filters * height * width {
        return Ok(String::new());
    }
    let most = values
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    let mut items = String::new();
    for (index, filter) in values.chunks(height * width).enumerate() {
        let alt = format!(
            "Filter {} of {filters}, {height} by {width} weights",
            index + 1
        );
        items.push_str(&format!(
            "<li>{}</li>",
            picture::signed(filter, width, most, &alt)?
        ));
    }
    let rows: Vec<Vec<String>> = values
        .chunks(height * width)
        .enumerate()
        .map(|(index, filter)| {
            let weights: Vec<String> = filter.iter().map(|weight| format!("{weight:.2}")).collect();
            vec![(index + 1).to_string(), weights.join(" ")]
        })
        .collect();
    let table = super::markup::data_table(
        "Numbers of this figure",
        &["Filter", "Weights, row by row"],
        &rows,
    );
    let caption = "Orange weights answer to ink, blue ones to its absence. Filters with an orange and \
        a blue side find edges in that direction; several alike, or a pale one, mean that fewer \
        filters would do.";
    Ok(figure(
        "Filters of the first layer",
        &format!("<ul class=\"filters\">{items}</ul>"),
        &(caption.to_owned() + &table),
    ))
}
