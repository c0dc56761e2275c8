//! Which classes are taken for which.

use evaluation::Report;

use maud::{Markup, Render, html};

use super::findings::Page;
use super::markup::{Section, class_name, count, figure, folded, percent, table};
use crate::mistakes::{Mistake, SHOWN, mistakes, worst_classes};

pub fn section(page: &Page) -> Section {
    let report = &page.examination.evaluation.after;
    let mistakes = mistakes(report);
    let few = report.per_class.len() <= SHOWN;
    let content = html! {
        div.beside {
            @if few {
                (matrix(page, &mistakes))
                (each_class(page, report))
            } @else {
                (frequent(page, &mistakes))
                (worst_of_many(page, report))
            }
        }
    };
    Section::new(
        "mistakes",
        "Mistakes",
        "Which classes are mistaken for which?",
        lead(page, &mistakes),
        content,
    )
}

fn lead(page: &Page, mistakes: &[Mistake]) -> Markup {
    if mistakes.is_empty() {
        return html! { "No class was taken for another." };
    }
    html! {
        "The most frequent mistakes, as label for answer: "
        @for (index, mistake) in mistakes.iter().take(3).enumerate() {
            @if index > 0 { ", " }
            (class_name(page.name(mistake.label))) " for " (class_name(page.name(mistake.answer)))
            " (" (count(mistake.times)) "×)"
        }
        "."
    }
}

const MEANING: &str = "Precision: how often the answer is right when it is this class. Recall: how \
    many images of this class are found. F1 is their harmonic mean.";

fn each_class(page: &Page, report: &Report) -> Markup {
    let caption = "Precision, recall and F1 of each class";
    let table = class_table(page, report, caption, 0..report.per_class.len() as u16);
    figure("Each class", table, MEANING)
}

fn worst_of_many(page: &Page, report: &Report) -> Markup {
    let all = report.per_class.len();
    let worst = worst_classes(report);
    let title = format!("The {} worst of {} classes", worst.len(), count(all as u64));
    let caption = "Precision, recall and F1 of the classes of the lowest F1";
    let table = class_table(page, report, caption, worst);
    let caption = "Precision, recall and F1 of each class";
    let rest = class_table(page, report, caption, 0..all as u16);
    let rest = folded(&format!("All {} classes", count(all as u64)), rest);
    figure(&title, table, html! { (MEANING) (rest) })
}

fn class_table(
    page: &Page,
    report: &Report,
    caption: &str,
    classes: impl IntoIterator<Item = u16>,
) -> Markup {
    let row = |class: u16| {
        let figures = &report.per_class[usize::from(class)];
        vec![
            class_name(page.name(class)),
            percent(figures.precision, 2).render(),
            percent(figures.recall, 2).render(),
            percent(figures.f1, 2).render(),
            count(figures.support).render(),
        ]
    };
    let rows: Vec<Vec<Markup>> = classes.into_iter().map(row).collect();
    let heads = ["Class", "Precision", "Recall", "F1", "Images"];
    table(caption, &heads, &rows)
}

/// The most frequent mistakes, one by one.
fn frequent(page: &Page, mistakes: &[Mistake]) -> Markup {
    let report = &page.examination.evaluation.after;
    let shown = &mistakes[..mistakes.len().min(SHOWN)];
    let row = |mistake: &Mistake| {
        let images = report.per_class[usize::from(mistake.label)].support;
        vec![
            class_name(page.name(mistake.label)),
            class_name(page.name(mistake.answer)),
            count(mistake.times).render(),
            percent(share(mistake.times, images), 1).render(),
        ]
    };
    let rows: Vec<Vec<Markup>> = shown.iter().map(row).collect();
    let heads = ["Label", "Answer", "Times", "Of the label"];
    let title = format!("The {} most frequent mistakes", shown.len());
    let caption = format!(
        "Of {} pairs of classes that were confused. Two classes that are confused both ways need more \
         training images of both.",
        count(mistakes.len() as u64)
    );
    figure(&title, table(&title, &heads, &rows), caption)
}

/// The matrix is a table: it reads as numbers, and its shades are a heat map.
fn matrix(page: &Page, mistakes: &[Mistake]) -> Markup {
    let report = &page.examination.evaluation.after;
    let names = page.classifier.classes();
    let most = mistakes.first().map_or(0, |mistake| mistake.times);
    let long = names.iter().any(|name| name.chars().count() > 3);
    let table = html! {
        table.matrix.long[long] {
            caption.unseen { "Rows are labels, columns are answers" }
            thead {
                tr {
                    th scope="col" { span.unseen { "label" } }
                    @for name in names { th scope="col" { (class_name(name)) } }
                }
            }
            tbody {
                @for (label, (name, row)) in names.iter().zip(&report.confusion).enumerate() {
                    tr {
                        th scope="row" { (class_name(name)) }
                        @let images = row.iter().sum();
                        @for (answer, &times) in row.iter().enumerate() {
                            (cell(times, (answer == label).then_some(images), most))
                        }
                    }
                }
            }
        }
    };
    let caption = "A row is a class as labelled, a column what the network answered. Blue is right, \
        orange wrong; the darker, the more often. Two classes that are confused both ways need more \
        training images of both; a single dark cell points at one kind of image.";
    figure("Confusion matrix", table, caption)
}

/// A cell of right answers of so many images, or of wrong ones, which are `most` at most.
fn cell(times: u64, right_of: Option<u64>, most: u64) -> Markup {
    // The root brings out the rare mistakes beside the frequent ones.
    let (kind, heat) = match right_of {
        Some(images) => ("right", 0.12 + 0.3 * share(times, images)),
        None => ("wrong", 0.12 + 0.6 * share(times, most).sqrt()),
    };
    html! {
        @if times == 0 {
            td.none { "0" }
        } @else {
            td class=(kind) style=(format!("--heat:{heat:.3}")) { (times) }
        }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
