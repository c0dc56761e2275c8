//! Which digits are taken for which.

use super::{
    Page, PageError, Section,
    markup::{count, escape, figure, percent, section as html_section, table},
};

pub fn section(page: &Page) -> Result<Section, PageError> {
    let report = &page.examination.evaluation.after;
    let mut mistakes: Vec<(u64, u8, u8)> = Vec::new();
    for (label, row) in (0..).zip(&report.confusion) {
        for (answer, &times) in (0..).zip(row) {
            if answer != label && times > 0 {
                mistakes.push((times, label, answer));
            }
        }
    }
    mistakes.sort_by_key(|&(times, label, answer)| (u64::MAX - times, label, answer));
    let most = mistakes.first().map_or(0, |mistake| mistake.0);
    let lead = match &mistakes[..] {
        [] => "No digit was taken for another.".to_owned(),
        mistakes => {
            let named: Vec<String> = mistakes
                .iter()
                .take(3)
                .map(|(times, label, answer)| {
                    format!(
                        "{} for {} ({}×)",
                        escape(page.name(*label)),
                        escape(page.name(*answer)),
                        times
                    )
                })
                .collect();
            format!(
                "The most frequent mistakes, as digit for answer: {}.",
                named.join(", ")
            )
        }
    };
    let caption = "A row is a digit as labelled, a column what the network answered. Blue is right, \
        orange wrong; the darker, the more often. Two digits that are confused both ways need more \
        training images of both; a single dark cell points at one style of writing.";
    let rows: Vec<Vec<String>> = (0..)
        .zip(&report.per_class)
        .map(|(class, figures)| {
            vec![
                page.name(class).to_owned(),
                percent(figures.precision, 2),
                percent(figures.recall, 2),
                percent(figures.f1, 2),
                count(figures.support),
            ]
        })
        .collect();
    let heads = ["Digit", "Precision", "Recall", "F1", "Images"];
    let each = "Precision: how often the answer is right when it is this digit. Recall: how many of \
        this digit are found. F1 is their harmonic mean.";
    let content = format!(
        "<div class=\"beside\">{}{}</div>",
        figure("Confusion matrix", &matrix(page, most), caption),
        figure(
            "Each digit",
            &table("Precision, recall and F1 of each digit", &heads, &rows),
            each
        ),
    );
    Ok(Section {
        id: "mistakes",
        title: "Mistakes",
        html: html_section(
            "mistakes",
            "Which digits are mistaken for which?",
            &lead,
            content,
        ),
    })
}

/// The matrix is a table: it reads as numbers, and its shades are a heat map.
fn matrix(page: &Page, most: u64) -> String {
    let report = &page.examination.evaluation.after;
    let heads: String = (0..report.confusion.len())
        .map(|class| format!("<th scope=\"col\">{}</th>", escape(page.name(class as u8))))
        .collect();
    let mut html = format!(
        "<table class=\"matrix\"><caption class=\"unseen\">Rows are labels, columns are answers</caption>\
         <thead><tr><th scope=\"col\"><span class=\"unseen\">label</span></th>{heads}</tr></thead><tbody>\n"
    );
    for (label, row) in report.confusion.iter().enumerate() {
        html.push_str(&format!(
            "<tr><th scope=\"row\">{}</th>",
            escape(page.name(label as u8))
        ));
        let images: u64 = row.iter().sum();
        for (answer, &times) in row.iter().enumerate() {
            // The root brings out the rare mistakes beside the frequent ones.
            let (kind, heat) = if answer == label {
                ("right", 0.12 + 0.3 * share(times, images))
            } else {
                ("wrong", 0.12 + 0.6 * share(times, most).sqrt())
            };
            html.push_str(&match times {
                0 => "<td class=\"none\">0</td>".to_owned(),
                _ => format!("<td class=\"{kind}\" style=\"--heat:{heat:.3}\">{times}</td>"),
            });
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody></table>"
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
