//! Which classes are taken for which.

use evaluation::Report;

use super::{
    Page, PageError,
    markup::{
        Section, class_name, count, figure, folded, html_table, percent, section as html_section,
    },
};
use crate::mistakes::{Mistake, SHOWN, mistakes, worst_classes};

pub fn section(page: &Page) -> Result<Section, PageError> {
    let report = &page.examination.evaluation.after;
    let mistakes = mistakes(report);
    let named = |mistake: &Mistake| {
        let [label, answer] = [mistake.label, mistake.answer].map(|class| page.name(class));
        let (label, answer) = (class_name(label), class_name(answer));
        format!("{label} for {answer} ({}×)", count(mistake.times))
    };
    let lead = match &mistakes[..] {
        [] => "No class was taken for another.".to_owned(),
        mistakes => {
            let named: Vec<String> = mistakes.iter().take(3).map(named).collect();
            format!(
                "The most frequent mistakes, as label for answer: {}.",
                named.join(", ")
            )
        }
    };
    let few = report.per_class.len() <= SHOWN;
    let classes = if few {
        each_class(page, report)
    } else {
        worst_of_many(page, report)
    };
    let content = if few {
        format!(
            "<div class=\"beside\">{}{classes}</div>",
            matrix(page, &mistakes)
        )
    } else {
        format!(
            "<div class=\"beside\">{}{classes}</div>",
            frequent(page, &mistakes)
        )
    };
    Ok(Section {
        id: "mistakes",
        title: "Mistakes",
        html: html_section(
            "mistakes",
            "Which classes are mistaken for which?",
            &lead,
            content,
        ),
    })
}

const MEANING: &str = "Precision: how often the answer is right when it is this class. Recall: how \
    many images of this class are found. F1 is their harmonic mean.";

fn each_class(page: &Page, report: &Report) -> String {
    let caption = "Precision, recall and F1 of each class";
    let table = class_table(page, report, caption, 0..report.per_class.len() as u16);
    figure("Each class", &table, MEANING)
}

fn worst_of_many(page: &Page, report: &Report) -> String {
    let all = report.per_class.len();
    let worst = worst_classes(report);
    let title = format!("The {} worst of {} classes", worst.len(), count(all as u64));
    let caption = "Precision, recall and F1 of the classes of the lowest F1";
    let table = class_table(page, report, caption, worst);
    let caption = "Precision, recall and F1 of each class";
    let rest = class_table(page, report, caption, 0..all as u16);
    let rest = folded(&format!("All {} classes", count(all as u64)), &rest);
    figure(&title, &table, &(MEANING.to_owned() + &rest))
}

fn class_table(
    page: &Page,
    report: &Report,
    caption: &str,
    classes: impl IntoIterator<Item = u16>,
) -> String {
    let row = |class: u16| {
        let figures = &report.per_class[usize::from(class)];
        vec![
            class_name(page.name(class)),
            percent(figures.precision, 2),
            percent(figures.recall, 2),
            percent(figures.f1, 2),
            count(figures.support),
        ]
    };
    let rows: Vec<Vec<String>> = classes.into_iter().map(row).collect();
    let heads = ["Class", "Precision", "Recall", "F1", "Images"];
    html_table(caption, &heads, &rows)
}

/// The most frequent mistakes, one by one.
fn frequent(page: &Page, mistakes: &[Mistake]) -> String {
    let report = &page.examination.evaluation.after;
    let shown = &mistakes[..mistakes.len().min(SHOWN)];
    let row = |mistake: &Mistake| {
        let images = report.per_class[usize::from(mistake.label)].support;
        vec![
            class_name(page.name(mistake.label)),
            class_name(page.name(mistake.answer)),
            count(mistake.times),
            percent(share(mistake.times, images), 1),
        ]
    };
    let rows: Vec<Vec<String>> = shown.iter().map(row).collect();
    let heads = ["Label", "Answer", "Times", "Of the label"];
    let title = format!("The {} most frequent mistakes", shown.len());
    let caption = format!(
        "Of {} pairs of classes that were confused. Two classes that are confused both ways need more \
         training images of both.",
        count(mistakes.len() as u64)
    );
    figure(&title, &html_table(&title, &heads, &rows), &caption)
}

/// The matrix is a table: it reads as numbers, and its shades are a heat map.
fn matrix(page: &Page, mistakes: &[Mistake]) -> String {
    let report = &page.examination.evaluation.after;
    let names = page.classifier.classes();
    let most = mistakes.first().map_or(0, |mistake| mistake.times);
    let long = names.iter().any(|name| name.chars().count() > 3);
    let kind = if long { "matrix long" } else { "matrix" };
    let head = |name: &String| format!("<th scope=\"col\">{}</th>", class_name(name));
    let heads: String = names.iter().map(head).collect();
    let mut html = format!(
        "<table class=\"{kind}\"><caption class=\"unseen\">Rows are labels, columns are answers</caption>\
         <thead><tr><th scope=\"col\"><span class=\"unseen\">label</span></th>{heads}</tr></thead><tbody>\n"
    );
    for (label, (name, row)) in names.iter().zip(&report.confusion).enumerate() {
        html.push_str(&format!("<tr><th scope=\"row\">{}</th>", class_name(name)));
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
    html.push_str("</tbody></table>");
    let caption = "A row is a class as labelled, a column what the network answered. Blue is right, \
        orange wrong; the darker, the more often. Two classes that are confused both ways need more \
        training images of both; a single dark cell points at one kind of image.";
    figure("Confusion matrix", &html, caption)
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
