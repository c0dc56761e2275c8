//! The stress test.

use super::{
    Page, PageError,
    markup::{Section, count, escape, percent, section as html_section},
    picture::{self, Look},
};
use stress::{Stress, StressRow};

pub fn section(page: &Page, stress: &Stress) -> Result<Section, PageError> {
    let target = page.classifier.calibration().deferral.target_risk;
    let (mut rows, mut fooled, mut shown) = (String::new(), 0, 0);
    let damaged = stress
        .rows
        .iter()
        .filter(|row| row.accuracy.is_some())
        .count();
    for row in &stress.rows {
        if row.accuracy.is_none() {
            fooled += row.accepted;
            shown += row.images;
        }
        rows.push_str(&table_row(page, row, target)?);
    }
    let lead = format!(
        "Images are damaged in {} ways, and images are shown that are of no class. Of {} images of no \
         class the machine accepts <strong>{}</strong>{}. Low accuracy with a high share to a person is \
         safe; wrong answers among the accepted are not: they are marked where they are surely more \
         than {}, which undamaged images are to keep to.",
        damaged,
        count(shown),
        count(fooled),
        if page.classifier.calibration().pixels.is_some() {
            ""
        } else {
            "; this checkpoint has no limits on the pixels of an image, which a newly trained one has"
        },
        percent(target, 1),
    );
    let label = "Damaged images and images of no class";
    let table = format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{label}\"><table class=\"stress\">\
         <caption class=\"unseen\">{label}</caption><thead><tr><th scope=\"col\">Images</th>\
         <th scope=\"col\">Example</th><th scope=\"col\">Right</th><th scope=\"col\">To a person</th>\
         <th scope=\"col\">Wrong among accepted</th></tr></thead><tbody>\n{rows}</tbody></table></div>"
    );
    Ok(Section {
        id: "stress",
        title: "Stress",
        html: html_section(
            "stress",
            "How does it behave away from what it knows?",
            &lead,
            table,
        ),
    })
}

fn table_row(page: &Page, row: &StressRow, target: f64) -> Result<String, PageError> {
    let right = row
        .accuracy
        .map_or("<td class=\"none\">no class</td>".to_owned(), |accuracy| {
            format!(
                "<td class=\"meter\" style=\"--share:{:.3}\">{}</td>",
                accuracy.value,
                percent(accuracy.value, 1)
            )
        });
    let risk = row.risk.map_or("none accepted".to_owned(), |risk| {
        let share = percent(risk.value, 2);
        format!("{} of {} ({share})", count(row.errors), count(row.accepted))
    });
    let mark = match row.risk {
        Some(risk) if risk.lower > target => " class=\"over\"",
        _ => "",
    };
    Ok(format!(
        "<tr><th scope=\"row\">{name}</th><td>{picture}</td>{right}\
         <td class=\"meter\" style=\"--share:{share:.3}\">{deferred}</td><td{mark}>{risk}</td></tr>\n",
        name = escape(&row.name),
        picture = picture::image(
            Look::of(page),
            &row.example,
            &format!("Example: {}", row.name)
        )?,
        share = row.deferral_rate,
        deferred = percent(row.deferral_rate, 1),
    ))
}
