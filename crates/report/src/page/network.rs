//! What the network looks at.

use evaluation::Predictions;

use super::{
    Page, PageError,
    images::{least_certain, worst_errors},
    markup::{Section, class_name, data_table, figure, isolated, section as html_section},
    occlusion::{occlusion, patch},
    picture::{self, Look},
};
use data::ImageShape;

/// Mistakes, and uncertain answers, whose pixels are explained.
const EXPLAINED: usize = 3;
/// Most filters that are shown.
const FILTERS: usize = 64;

pub fn section(page: &Page, predictions: &Predictions) -> Result<Section, PageError> {
    let lead =
        "What the first layer searches for, and which pixels carried the answer for some images.";
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
    let shape = page.classifier.shape();
    let mut items = String::new();
    for row in rows {
        let (answer, label) = (predictions.predicted()[row], predictions.labels()[row]);
        let image = page.images.image(row);
        let falls = occlusion(page.classifier, image, usize::from(answer));
        let falls = falls.map_err(|error| PageError::Picture {
            problem: error.to_string(),
        })?;
        let most = falls
            .iter()
            .fold(0.0, |most: f64, fall| most.max(fall.abs()));
        let (answer, label) = (page.name(answer), page.name(label));
        let alt = format!(
            "Test image {row}, labelled {}, answered {}: {}",
            isolated(label),
            isolated(answer),
            describe(&falls, shape),
        );
        items.push_str(&format!(
            "<li class=\"card\"><div class=\"stack\">{}{}</div>\
             <p><strong>{} → {}</strong></p><p class=\"note\">no. {row}, up to {most:.1} nats</p></li>\n",
            picture::image(Look::of(page), image, &alt)?,
            picture::signed(&falls, shape.width, most, "")?,
            class_name(label),
            class_name(answer),
        ));
    }
    let ground = match page.is_ink() {
        true => " Orange on the empty ground means that the absence of ink counts.",
        false => "",
    };
    let caption = format!(
        "A square of {0} × {0} pixels is covered at every place in turn. Orange: covering it weakens the \
         answer, so these pixels spoke for it. Blue: they spoke against it.{ground} First two typical \
         images, then the worst mistakes, then right answers that were close.",
        patch(shape),
    );
    Ok(figure(
        "Pixels that spoke for the answer (label → answer)",
        &format!("<ul class=\"cards explained\">{items}</ul>"),
        &caption,
    ))
}

/// Where the pixels that speak for the answer are, in words.
fn describe(falls: &[f64], ImageShape { height, width, .. }: ImageShape) -> String {
    let (mut sum, mut x, mut y) = (0.0, 0.0, 0.0);
    for (at, fall) in falls.iter().enumerate().filter(|(_, fall)| **fall > 0.0) {
        sum += fall;
        x += fall * (at % width) as f64;
        y += fall * (at / width) as f64;
    }
    if sum <= 0.0 {
        return "no pixels speak for it".to_owned();
    }
    // Means lie near the middle: what counts as the centre is narrow.
    let third = |mean: f64, side: usize, names: [&'static str; 3]| match mean / sum / side as f64 {
        at if at < 12.0 / 28.0 => names[0],
        at if at < 15.0 / 28.0 => names[1],
        _ => names[2],
    };
    format!(
        "the pixels that speak for the answer centre on the {} {}",
        third(y, height, ["upper", "middle", "lower"]),
        third(x, width, ["left", "centre", "right"]),
    )
}

/// The first layer's filters, if it is a convolution.
fn filters(page: &Page) -> Result<String, PageError> {
    let Some(block) = page.classifier.network().blocks.first() else {
        return Ok(String::new());
    };
    let weight = block.conv.weight.val();
    let [filters, channels, height, width] = weight.dims();
    let length = channels * height * width;
    let values: Vec<f64> = weight.into_data().iter::<f64>().collect();
    if values.len() != filters * length || ![1, 3].contains(&channels) {
        return Ok(String::new());
    }
    let values = &values[..filters.min(FILTERS) * length];
    let most = values
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    let mut items = String::new();
    let mut rows = Vec::new();
    for (index, filter) in values.chunks(length).enumerate() {
        let number = index + 1;
        let alt = format!("Filter {number} of {filters}, {height} by {width} weights");
        let picture = match channels {
            1 => picture::signed(filter, width, most, &alt)?,
            _ => picture::coloured(filter, width, most, &alt)?,
        };
        items.push_str(&format!("<li>{picture}</li>"));
        let weights: Vec<String> = filter.iter().map(|weight| format!("{weight:.2}")).collect();
        rows.push(vec![number.to_string(), weights.join(" ")]);
    }
    let heads = ["Filter", "Weights, channel by channel, row by row"];
    let table = data_table("Numbers of this figure", &heads, &rows);
    let colours = match channels {
        1 => {
            "Orange weights answer to light, blue ones to its absence. Filters with an orange and a blue \
             side find edges in that direction"
        }
        _ => {
            "A filter answers to the colours that it shows, and grey says nothing. Filters with two sides \
             find edges in that direction"
        }
    };
    let shown = match filters > FILTERS {
        true => format!(" The first {FILTERS} of {filters} are shown."),
        false => String::new(),
    };
    let caption = format!(
        "{colours}; several alike, or a pale one, mean that fewer filters would do.{shown}{table}"
    );
    Ok(figure(
        "Filters of the first layer",
        &format!("<ul class=\"filters\">{items}</ul>"),
        &caption,
    ))
}
