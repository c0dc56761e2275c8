//! Pieces of HTML: text that is safe, tables, figures, sections.

use std::fmt::{Display, Write as _};

/// A section and its entry in the table of contents.
pub struct Section {
    pub id: &'static str,
    pub title: &'static str,
    pub html: String,
}

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

/// A class name as HTML: of any script, apart from the direction of the text around it. Where there is
/// no room for all of it the page shows its beginning, and the rest on pointing at it.
pub fn class_name(name: &str) -> String {
    let name = escape(name);
    format!("<bdi class=\"name\" title=\"{name}\">{name}</bdi>")
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

/// A table of text with a caption, folded away below its figure; the first cell of a row is its
/// head. Cells are escaped.
pub fn data_table(caption: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    folded(caption, &table(caption, heads, rows))
}

/// HTML folded away below its title.
pub fn folded(title: &str, html: &str) -> String {
    let title = escape(title);
    format!("<details><summary>{title}</summary>{html}</details>\n")
}

/// A table of text that scrolls by itself where it is too wide.
pub fn table(caption: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |row: &Vec<String>| row.iter().map(|cell| escape(cell)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    html_table(caption, heads, &rows)
}

/// The same with cells that are HTML.
pub fn html_table(caption: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
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
