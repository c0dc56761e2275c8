//! Which classes are taken for which.

use evaluation::Report;

use maud::{Markup, Render, html};

use super::error::PageError;
use super::findings::Page;
use super::markup::{Section, class_name, count, figure, folded, percent, table};
use super::picture;
use crate::mistakes::{Mistake, SHOWN, mistakes, worst_classes};

pub fn section(page: &Page) -> Section {
    let report = &page.examination.evaluation.after;
    let (names, confusion) = (page.classifier.classes(), &report.confusion);
    let mistakes = mistakes(confusion);
    let few = report.per_class.len() <= SHOWN;
    let content = html! {
        div.beside {
            @if few {
                (matrix(names, confusion, &mistakes))
                (each_class(page, report))
            } @else {
                (frequent(names, confusion, &mistakes))
                (worst_of_many(page, report))
            }
        }
    };
    Section::new(
        "mistakes",
        "Mistakes",
        "Which classes are mistaken for which?",
        lead(names, &mistakes),
        content,
    )
}

/// The most frequent mistakes in a sentence.
fn lead(names: &[String], mistakes: &[Mistake]) -> Markup {
    if mistakes.is_empty() {
        return html! { "No class was taken for another." };
    }
    html! {
        "The most frequent mistakes, as label for answer: "
        @for (index, mistake) in mistakes.iter().take(3).enumerate() {
            @if index > 0 { ", " }
            (named(names, mistake.label)) " for " (named(names, mistake.answer))
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
fn frequent(names: &[String], confusion: &[Vec<u64>], mistakes: &[Mistake]) -> Markup {
    let shown = &mistakes[..mistakes.len().min(SHOWN)];
    let row = |mistake: &Mistake| {
        let images = confusion[usize::from(mistake.label)].iter().sum();
        vec![
            named(names, mistake.label),
            named(names, mistake.answer),
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

/// What is confused in a matrix alone, whatever else is known: the matrix, where its numbers can be read,
/// else a picture of it and the most frequent mistakes.
pub fn section_of(names: &[String], confusion: &[Vec<u64>]) -> Result<Section, PageError> {
    let mistakes = mistakes(confusion);
    let content = match names.len() {
        0..=SHOWN => matrix(names, confusion, &mistakes),
        _ => html! {
            div.beside {
                (map(confusion, &mistakes)?)
                (frequent(names, confusion, &mistakes))
            }
        },
    };
    Ok(Section::new(
        "mistakes",
        "Mistakes",
        "Which classes are mistaken for which?",
        lead(names, &mistakes),
        content,
    ))
}

/// The matrix as a picture, a pixel for each cell.
fn map(confusion: &[Vec<u64>], mistakes: &[Mistake]) -> Result<Markup, PageError> {
    /// More cells are no picture that could be looked at.
    const MOST: usize = 256;
    let classes = confusion.len();
    if classes > MOST {
        return Ok(Markup::default());
    }
    let most = mistakes.first().map_or(0, |mistake| mistake.times);
    let shade = |label: usize, answer: usize, images: u64| {
        let times = confusion[label][answer];
        match label == answer {
            true => -share(times, images),
            false => share(times, most).sqrt(),
        }
    };
    let mut shades = Vec::with_capacity(classes * classes);
    for (label, row) in confusion.iter().enumerate() {
        let images = row.iter().sum();
        shades.extend((0..classes).map(|answer| shade(label, answer, images)));
    }
    let alt = format!("Confusion matrix of {classes} classes, mistakes off its diagonal");
    let caption = "A row is a class as labelled, a column what the network answered, in the order of the \
        classes. Blue is right, orange wrong; the stronger, the more often. A network that is right shows \
        the diagonal alone.";
    let picture = picture::signed(&shades, classes, 1.0, &alt)?;
    Ok(figure(
        "Confusion matrix",
        html! { div.map { (picture) } },
        caption,
    ))
}

fn named(names: &[String], class: u16) -> Markup {
    class_name(names.get(usize::from(class)).map_or("?", String::as_str))
}

/// The matrix is a table: it reads as numbers, and its shades are a heat map.
fn matrix(names: &[String], confusion: &[Vec<u64>], mistakes: &[Mistake]) -> Markup {
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
                @for (label, (name, row)) in names.iter().zip(confusion).enumerate() {
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
