//! The stress test.

use maud::{Markup, html};
use stress::{Stress, StressRow};

use super::error::PageError;
use super::findings::Page;
use super::markup::{Section, count, percent, scrolling, visible};
use super::picture::{self, Look};

pub fn section(page: &Page, stress: &Stress) -> Result<Section, PageError> {
    let calibration = page.classifier.calibration();
    let target = calibration.deferral.target_risk;
    let outliers = || stress.rows.iter().filter(|row| row.accuracy.is_none());
    let shown = outliers().map(|row| row.images).sum();
    let fooled = outliers().map(|row| row.accepted).sum();
    let damaged = stress.rows.len() - outliers().count();
    let limits = match calibration.pixels {
        Some(_) => "",
        None => {
            "; this checkpoint has no limits on the pixels of an image, which a newly trained one has"
        }
    };
    let lead = html! {
        "Images are damaged in " (damaged) " ways, and images are shown that are of no class. Of "
        (count(shown)) " images of no class the machine accepts " strong { (count(fooled)) } (limits)
        ". Low accuracy with a high share to a person is safe; wrong answers among the accepted are not: \
         they are marked where they are surely more than " (percent(target, 1))
        ", which undamaged images are to keep to."
    };
    let rows: Vec<Markup> = stress
        .rows
        .iter()
        .map(|row| table_row(page, row, target))
        .collect::<Result<_, _>>()?;
    let heads = [
        "Images",
        "Example",
        "Right",
        "To a person",
        "Wrong among accepted",
    ];
    let table = html! {
        thead {
            tr { @for head in heads { th scope="col" { (head) } } }
        }
        tbody { @for row in &rows { (row) } }
    };
    Ok(Section::new(
        "stress",
        "Stress",
        "How does it behave away from what it knows?",
        lead,
        scrolling(
            "Damaged images and images of no class",
            Some("stress"),
            table,
        ),
    ))
}

fn table_row(page: &Page, row: &StressRow, target: f64) -> Result<Markup, PageError> {
    let name = visible(&row.name);
    let example = picture::image(Look::of(page), &row.example, &format!("Example: {name}"))?;
    let over = row.risk.is_some_and(|risk| risk.lower > target);
    Ok(html! {
        tr {
            th scope="row" { (name) }
            td { (example) }
            @match row.accuracy {
                Some(accuracy) => (meter(accuracy.value)),
                None => td.none { "no class" },
            }
            (meter(row.deferral_rate))
            td.over[over] {
                @match row.risk {
                    Some(risk) => {
                        (count(row.errors)) " of " (count(row.accepted)) " (" (percent(risk.value, 2)) ")"
                    },
                    None => "none accepted",
                }
            }
        }
    })
}

/// A cell with a share as number and bar.
fn meter(share: f64) -> Markup {
    html! { td.meter style=(format!("--share:{share:.3}")) { (percent(share, 1)) } }
}
