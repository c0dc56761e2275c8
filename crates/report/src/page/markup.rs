//! Pieces of HTML: names, numbers, tables, figures, sections.

use maud::{Markup, Render, html};

/// A section and its entry in the table of contents.
#[derive(Debug)]
pub struct Section {
    pub id: &'static str,
    pub title: &'static str,
    pub html: Markup,
}

impl Section {
    /// A section under a heading; `lead` says what matters in it.
    pub fn new(
        id: &'static str,
        title: &'static str,
        heading: &str,
        lead: impl Render,
        content: impl Render,
    ) -> Self {
        let name = format!("{id}-title");
        let html = html! {
            section id=(id) aria-labelledby=(name) {
                h2 id=(name) { (heading) }
                p.lead { (lead) }
                (content)
            }
        };
        Self { id, title, html }
    }
}

/// Text from outside without control characters, of which HTML knows none but line breaks and tabs.
pub fn visible(text: &str) -> String {
    let shown = |c: char| match c.is_control() && !matches!(c, '\n' | '\t') {
        true => char::REPLACEMENT_CHARACTER,
        false => c,
    };
    text.chars().map(shown).collect()
}

/// A class name: of any script, apart from the direction of the text around it. Where there is no room
/// for all of it the page shows its beginning, and the rest on pointing at it.
pub fn class_name(name: &str) -> Markup {
    html! { bdi.name title=(name) { (name) } }
}

/// A class name in plain text, such as an attribute: Unicode's isolates keep the text around it in its
/// order.
pub fn isolated(name: &str) -> String {
    match name.is_ascii() {
        true => name.to_owned(),
        false => format!("\u{2068}{name}\u{2069}"),
    }
}

/// A fraction in percent with so many decimals: `99.41 %`, with a space that doesn't break.
pub fn percent(share: f64, decimals: usize) -> String {
    format!("{:.decimals$}\u{a0}%", 100.0 * share)
}

/// A whole number with thin spaces between thousands.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// A table with a caption, folded away below its figure; the first cell of a row is its head.
pub fn data_table<T: Render>(caption: &str, heads: &[&str], rows: &[Vec<T>]) -> Markup {
    folded(caption, table(caption, heads, rows))
}

/// Something folded away below its title.
pub fn folded(title: &str, content: impl Render) -> Markup {
    html! {
        details {
            summary { (title) }
            (content)
        }
    }
}

/// A table that scrolls by itself where it is too wide.
pub fn table<T: Render>(caption: &str, heads: &[&str], rows: &[Vec<T>]) -> Markup {
    let content = html! {
        thead {
            tr { @for head in heads { th scope="col" { (head) } } }
        }
        tbody {
            @for row in rows {
                tr {
                    @for (index, cell) in row.iter().enumerate() {
                        @if index == 0 {
                            th scope="row" { (cell) }
                        } @else {
                            td { (cell) }
                        }
                    }
                }
            }
        }
    };
    scrolling(caption, None, content)
}

/// The head and body of a table of a CSS class, with its caption.
pub fn scrolling(caption: &str, class: Option<&str>, content: Markup) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-label=(caption) {
            table class=[class] {
                caption.unseen { (caption) }
                (content)
            }
        }
    }
}

/// A figure with a heading above and, below, what it means.
pub fn figure(title: &str, content: impl Render, caption: impl Render) -> Markup {
    html! {
        figure {
            h3 { (title) }
            (content)
            figcaption { (caption) }
        }
    }
}
