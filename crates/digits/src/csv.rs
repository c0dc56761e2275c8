//! Tables of comma-separated values (RFC 4180), as spreadsheets write them.

/// One line without its end: fields are quoted where they must be.
pub fn line<S: AsRef<str>>(fields: &[S]) -> String {
    let quoted: Vec<String> = fields
        .iter()
        .map(|field| {
            let field = field.as_ref();
            if field.contains([',', ';', '"', '\n', '\r']) {
                format!("\"{}\"", field.replace('"', "\"\""))
            } else {
                field.to_owned()
            }
        })
        .collect();
    quoted.join(",")
}

/// The rows of a table that aren't empty. A byte-order mark is skipped, and the first line tells
/// whether fields are separated by commas or by semicolons or tabs, as spreadsheets do in some
/// languages.
pub fn parse(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default();
    let separator = [',', ';', '\t']
        .into_iter()
        .max_by_key(|&separator| (first.matches(separator).count(), separator == ','))
        .unwrap_or(',');
    let mut rows = Vec::new();
    let (mut row, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                field.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' | '\r' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            other if !quoted && other == separator => row.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    row.push(field);
    rows.push(row);
    rows.retain(|row| row.iter().any(|field| !field.trim().is_empty()));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let row = ["a, \"b\"\n.png", "", "3", " x;y"];
        let text = format!("file,digit,answer,note\n{}\n\n", line(&row));
        assert_eq!(parse(&text)[1], row);
    }

    #[test]
    fn tables_saved_by_a_spreadsheet_are_read() {
        let text = "\u{feff}file;answer\r\na.png;7\r\n\"b;c.png\";\r\n";
        assert_eq!(
            parse(text),
            [["file", "answer"], ["a.png", "7"], ["b;c.png", ""]]
        );
    }
}
