//! Pieces of HTML: text that is safe, tables, figures.

use std::fmt::{Display, Write as _};

/// Text that means itself wherever it stands in HTML, attributes included.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // HTML knows no control characters but these.
            c if c.is_control() && !matches!(c, '\n' | '\t') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
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

/// A table of text with a caption, folded away below its figure; the first cell of a row is its
/// head. Cells are escaped.
pub fn data_table(caption: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    format!(
        "<details><summary>{}</summary>{}</details>\n",
        escape(caption),
        table(caption, heads, rows),
    )
}

/// A table of text that scrolls by itself where it is too wide.
pub fn table(caption: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    let caption = escape(caption);
    let mut html = format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\"><table>\
         <caption class=\"unseen\">{caption}</caption><thead><tr>"
    );
    for head in heads {
        html.push_str(&format!("<th scope=\"col\">{}</th>", escape(head)));
    }
    html.push_str("</tr></thead><tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            html.push_str(&if index == 0 {
                format!("<th scope=\"row\">{cell}</th>")
            } else {
                format!("<td>{cell}</td>")
            });
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>");
    html
}

/// A figure with a heading above and, below, what it means. All but `title` is HTML.
pub fn figure(title: &str, content: &str, caption: &str) -> String {
    format!(
        "<figure><h3>{}</h3>{content}<figcaption>{caption}</figcaption></figure>\n",
        escape(title),
    )
}

/// A section of the page; `content` is HTML.
pub fn section(id: &str, title: &str, lead: &str, content: impl Display) -> String {
    let mut html = String::new();
    let _ = write!(
        html,
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{}</h2>\
         <p class=\"lead\">{lead}</p>\n{content}</section>\n",
        escape(title),
    );
    html
}
