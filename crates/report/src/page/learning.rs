//! What was learned epoch by epoch: which classes first, and how the first filters took shape.

use maud::{Markup, html};
use runs::{Filters, Learned, Learning};

use super::error::PageError;
use super::markup::{class_name, figure, percent, scrolling};
use super::picture;
use crate::mistakes::SHOWN;

/// Most epochs that are shown beside each other.
const EPOCHS: usize = 12;

/// The figures; none where nothing is known of these classes.
pub fn figures(learning: &Learning, classes: &[String]) -> Result<Markup, PageError> {
    let fit = |learned: &&Learned| learned.images.len() == classes.len();
    let epochs: Vec<&Learned> = learning.epochs().iter().filter(fit).collect();
    let epochs = thinned(&epochs);
    Ok(html! {
        @if epochs.iter().any(|learned| learned.images.iter().any(|&images| images > 0)) {
            (first_learned(&epochs, classes))
        }
        (strip(&epochs)?)
    })
}

/// The first, the last and others evenly between.
fn thinned<'a>(epochs: &[&'a Learned]) -> Vec<&'a Learned> {
    let count = epochs.len();
    if count <= EPOCHS {
        return epochs.to_vec();
    }
    let chosen = (0..EPOCHS).map(|at| at * (count - 1) / (EPOCHS - 1));
    chosen.map(|at| epochs[at]).collect()
}

/// What an epoch is called above a column and beside a row.
fn name(epoch: usize) -> String {
    match epoch {
        0 => "before".to_owned(),
        epoch => format!("epoch {epoch}"),
    }
}

/// The share of right images of each class after each epoch.
fn first_learned(epochs: &[&Learned], names: &[String]) -> Markup {
    let share = |learned: &Learned, class: usize| {
        let (right, images) = (learned.right[class], learned.images[class]);
        (images > 0).then(|| f64::from(right) / f64::from(images))
    };
    let mut classes: Vec<usize> = (0..names.len()).collect();
    if let (Some(last), true) = (epochs.last(), names.len() > SHOWN) {
        classes.retain(|&class| last.images[class] > 0);
        let now = |class: &usize| share(last, *class).unwrap_or(1.0);
        classes.sort_by(|a, b| now(a).total_cmp(&now(b)));
        classes.truncate(SHOWN);
        classes.sort_unstable();
    }
    let table = html! {
        thead {
            tr {
                th scope="col" { "Class" }
                @for learned in epochs { th scope="col" { (name(learned.epoch)) } }
            }
        }
        tbody {
            @for class in classes {
                tr {
                    th scope="row" { (class_name(&names[class])) }
                    @for learned in epochs {
                        @match share(learned, class) {
                            Some(share) => {
                                td.shaded style=(format!("--heat:{:.3}", 0.5 * share * share)) {
                                    (percent(share, 1))
                                }
                            }
                            None => td { "–" },
                        }
                    }
                }
            }
        }
    };
    let title = "What was learned when";
    let which = match names.len() > SHOWN {
        true => format!(
            " The {SHOWN} of {} classes that are right least often now.",
            names.len()
        ),
        false => String::new(),
    };
    let caption = html! {
        "The share of the validation images of a class that are answered right, before training and after \
         epochs." (which)
    };
    figure(title, scrolling(title, Some("when"), table), caption)
}

/// The first layer's filters, a row for each epoch.
fn strip(epochs: &[&Learned]) -> Result<Markup, PageError> {
    let mut rows = Vec::new();
    for learned in epochs {
        if let Some(filters) = &learned.filters {
            rows.push((
                learned.epoch,
                filters.shape[0],
                row(learned.epoch, filters)?,
            ));
        }
    }
    if rows.is_empty() {
        return Ok(Markup::default());
    }
    let content = html! {
        ol.strip {
            @for (epoch, filters, picture) in &rows {
                li style=(format!("--filters:{filters}")) {
                    span.number { (name(*epoch)) }
                    (picture)
                }
            }
        }
    };
    let caption = "A column is a filter of the first layer, a row what it was like after an epoch, each row \
        in the strength of its own strongest weight. They begin as noise; what the images have in common \
        makes edges, dots and strokes of them.";
    Ok(figure("How the first filters took shape", content, caption))
}

/// Filters side by side, a pixel apart.
fn row(epoch: usize, filters: &Filters) -> Result<Markup, PageError> {
    let [count, channels, height, width] = filters.shape;
    let total = count * (width + 1) - 1;
    let mut values = vec![0.0; channels * height * total];
    for (at, weights) in filters.weights.chunks_exact(width).enumerate() {
        // Lines of all channels of a filter come one after the other.
        let (filter, line) = (at / (channels * height), at % (channels * height));
        let to = line * total + filter * (width + 1);
        for (value, weight) in values[to..].iter_mut().zip(weights) {
            *value = f64::from(*weight);
        }
    }
    let alt = format!("The first {count} filters, {}", name(epoch));
    match channels {
        1 => picture::signed(&values, total, 127.0, &alt),
        _ => picture::coloured(&values, total, 127.0, &alt),
    }
}
