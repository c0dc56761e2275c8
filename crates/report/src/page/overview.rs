//! The result in one sentence, and the figures that matter.

use data::mnist;

use super::{
    Page,
    markup::{count, escape, percent},
};

/// The title of the browser's tab.
pub fn title(page: &Page) -> String {
    format!(
        "{} right: report on an image classifier",
        percent(page.examination.accuracy, 2)
    )
}

pub fn html(page: &Page) -> String {
    let evaluation = &page.examination.evaluation;
    let (before, after) = (&evaluation.before, &evaluation.after);
    let selective = &evaluation.selective;
    let deferred = selective.n - selective.accepted;
    let whose = if mnist::is_test(page.images) {
        "MNIST’s "
    } else {
        ""
    };
    let trust = if selective.accepted == 0 {
        "It accepts no answer of its own: every image goes to a person.".to_owned()
    } else {
        format!(
            "It keeps {} answers for itself, <strong>{} of them wrong</strong>, and hands {} images \
             ({}) to a person.",
            count(selective.accepted),
            count(selective.errors),
            count(deferred),
            percent(deferred as f64 / selective.n as f64, 2),
        )
    };
    let withdrawn = &page.examination.deferral;
    let withdrawn = withdrawn.contradicted.then_some(&withdrawn.statement);
    let caveats: String = page
        .examination
        .caveats()
        .iter()
        .chain(withdrawn)
        .map(|caveat| {
            format!(
                "<p class=\"caveat\"><strong>Note:</strong> {}</p>",
                escape(caveat)
            )
        })
        .collect();
    let accuracy = &after.accuracy;
    let mut tiles = vec![
        tile(
            "Accuracy",
            &percent(accuracy.value, 2),
            &format!(
                "95 % interval {} to {}",
                percent(accuracy.lower, 2),
                percent(accuracy.upper, 2)
            ),
        ),
        tile(
            "Wrong among the accepted",
            &selective
                .risk
                .map_or("none accepted".into(), |risk| percent(risk.value, 3)),
            &selective.risk.map_or(String::new(), |risk| {
                format!(
                    "95 % interval {} to {}",
                    percent(risk.lower, 2),
                    percent(risk.upper, 2)
                )
            }),
        ),
        tile(
            "Calibration error",
            &percent(after.ece, 2),
            &format!("ECE; {} before calibration", percent(before.ece, 2)),
        ),
        tile(
            "Log loss",
            &format!("{:.4}", after.nll),
            &format!("nats per image; {:.4} before calibration", before.nll),
        ),
    ];
    if let Some(without) = &page.examination.without_mislabelled {
        tiles.push(tile(
            "Without disputed labels",
            &percent(without.after.accuracy.value, 2),
            &format!(
                "{} test images are known to be mislabelled or undecidable",
                mnist::MISLABELLED.len()
            ),
        ));
    }
    format!(
        "<p class=\"kicker\">Report on an image classifier</p>\
         <h1>Right on {} of {whose}{} test images</h1>\
         <p class=\"lead\">{} wrong. {trust}</p>{caveats}\
         <dl class=\"tiles\">{}</dl>",
        percent(accuracy.value, 2),
        count(after.n),
        count(after.errors),
        tiles.concat(),
    )
}

fn tile(name: &str, value: &str, note: &str) -> String {
    format!(
        "<div><dt>{}</dt><dd class=\"value\">{}</dd><dd>{}</dd></div>",
        escape(name),
        escape(value),
        escape(note),
    )
}
