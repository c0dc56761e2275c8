//! What the network looks at.

use evaluation::Predictions;

use data::ImageShape;
use maud::{Markup, html};

use super::error::PageError;
use super::findings::Page;
use super::images::{least_certain, worst_errors};
use super::markup::{Section, class_name, data_table, figure, isolated};
use super::occlusion::{occlusion, patch};
use super::picture::{self, Look};

/// Mistakes, and uncertain answers, whose pixels are explained.
const EXPLAINED: usize = 3;
/// Most filters that are shown.
const FILTERS: usize = 64;

pub fn section(page: &Page, predictions: &Predictions) -> Result<Section, PageError> {
    let lead =
        "What the first layer searches for, and which pixels carried the answer for some images.";
    let content = html! {
        (explained(page, predictions)?)
        (filters(page)?)
    };
    Ok(Section::new(
        "network",
        "Network",
        "What does the network look at?",
        lead,
        content,
    ))
}

fn explained(page: &Page, predictions: &Predictions) -> Result<Markup, PageError> {
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
    let rows = typical
        .chain(worst_errors(predictions, EXPLAINED))
        .chain(uncertain);
    let cards: Vec<Markup> = rows
        .map(|row| card(page, predictions, row))
        .collect::<Result<_, _>>()?;
    let ground = match page.is_ink() {
        true => " Orange on the empty ground means that the absence of ink counts.",
        false => "",
    };
    let caption = format!(
        "A square of {0} × {0} pixels is covered at every place in turn. Orange: covering it weakens the \
         answer, so these pixels spoke for it. Blue: they spoke against it.{ground} First two typical \
         images, then the worst mistakes, then right answers that were close.",
        patch(page.classifier.shape()),
    );
    Ok(figure(
        "Pixels that spoke for the answer (label → answer)",
        html! { ul.cards.explained { @for card in &cards { (card) } } },
        caption,
    ))
}

fn card(page: &Page, predictions: &Predictions, row: usize) -> Result<Markup, PageError> {
    let shape = page.classifier.shape();
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
    Ok(html! {
        li.card {
            div.stack {
                (picture::image(Look::of(page), image, &alt)?)
                (picture::signed(&falls, shape.width, most, "")?)
            }
            p { strong { (class_name(label)) " → " (class_name(answer)) } }
            p.note { "no. " (row) ", up to " (format!("{most:.1}")) " nats" }
        }
    })
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

/// The first layer's filters, if it is a convolution; of several networks those of the first.
fn filters(page: &Page) -> Result<Markup, PageError> {
    let networks = page.classifier.networks();
    let Some(block) = networks.first().and_then(|network| network.blocks.first()) else {
        return Ok(Markup::default());
    };
    let weight = block.conv.weight.val();
    let [filters, channels, height, width] = weight.dims();
    let length = channels * height * width;
    let values: Vec<f64> = weight.into_data().iter::<f64>().collect();
    if values.len() != filters * length || ![1, 3].contains(&channels) {
        return Ok(Markup::default());
    }
    let values = &values[..filters.min(FILTERS) * length];
    let most = values
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    let mut pictures = Vec::new();
    let mut rows = Vec::new();
    for (index, filter) in values.chunks(length).enumerate() {
        let number = index + 1;
        let alt = format!("Filter {number} of {filters}, {height} by {width} weights");
        pictures.push(match channels {
            1 => picture::signed(filter, width, most, &alt)?,
            _ => picture::coloured(filter, width, most, &alt)?,
        });
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
    let of = match networks.len() {
        1 => String::new(),
        members => format!(" They are those of the first of {members} networks."),
    };
    let caption = html! {
        (colours) "; several alike, or a pale one, mean that fewer filters would do." (shown) (of) (table)
    };
    Ok(figure(
        "Filters of the first layer",
        html! { ul.filters { @for picture in &pictures { li { (picture) } } } },
        caption,
    ))
}
