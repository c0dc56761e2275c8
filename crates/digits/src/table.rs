//! Tables of comma-separated values, as spreadsheets read and write them.

use std::{fs, path::Path};

use answers::Answer;
use anyhow::{Context, bail};
use model::Classification;

/// What a spreadsheet takes for a formula when a field begins with it.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// What makes a spreadsheet take it for text; our own tables are read back without it.
const TEXT: char = '\'';

/// A field that no spreadsheet takes for a formula.
pub fn text(field: &str) -> String {
    match field.starts_with(FORMULA) || field.starts_with(TEXT) {
        true => format!("{TEXT}{field}"),
        false => field.to_owned(),
    }
}

/// What [`text`] was made from.
pub fn plain(field: &str) -> &str {
    match field.strip_prefix(TEXT) {
        Some(rest) if rest.starts_with(FORMULA) || rest.starts_with(TEXT) => rest,
        _ => field,
    }
}

/// One line with its end: fields are quoted where they must be.
pub fn line<S: AsRef<str>>(fields: &[S], separator: u8) -> anyhow::Result<String> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(separator)
        .from_writer(Vec::new());
    writer.write_record(fields.iter().map(AsRef::as_ref))?;
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8(bytes)?)
}

/// A table with a header, from a file.
pub struct Table {
    /// What separates its fields.
    pub separator: u8,
    /// Whether the file is in UTF-8: rows may be added to it.
    pub utf8: bool,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// # Errors
    ///
    /// If the file can't be read or is no table in UTF-8, or in UTF-16 that says so.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("{}: can't read", path.display()))?;
        Table::parse(&bytes).with_context(|| path.display().to_string())
    }

    /// From the bytes of a file. A byte-order mark is skipped; the first line tells whether fields are
    /// separated by commas or by semicolons or tabs, as spreadsheets do in some languages.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let (text, utf8) = decoded(bytes)?;
        let mut text = text.as_str();
        // Spreadsheets leave such a line before the header.
        let named = text.strip_prefix("sep=").and_then(|rest| {
            let (separator, rest) = rest.split_once('\n')?;
            text = rest;
            separator.bytes().next()
        });
        let first = text.lines().next().unwrap_or_default();
        let counted = b",;\t".iter().copied().max_by_key(|&separator| {
            let count = first.bytes().filter(|&byte| byte == separator).count();
            (count, separator == b',')
        });
        let separator = named.or(counted).unwrap_or(b',');
        let mut rows = Vec::new();
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        for record in reader.records() {
            let row: Vec<String> = record?.iter().map(str::to_owned).collect();
            if row.iter().any(|field| !field.trim().is_empty()) {
                rows.push(row);
            }
        }
        let header = match rows.is_empty() {
            true => Vec::new(),
            false => rows.remove(0),
        };
        Ok(Table {
            separator,
            utf8,
            header,
            rows,
        })
    }

    /// The names of its columns, in their order.
    pub fn header(&self) -> impl Iterator<Item = &str> {
        self.header.iter().map(|name| name.trim())
    }

    /// The place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header()
            .position(|field| field.eq_ignore_ascii_case(name))
    }

    /// The rows, each with its number as a spreadsheet counts them.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().enumerate().map(|(index, fields)| Row {
            number: index + 2,
            fields,
        })
    }
}

/// A row of a table.
pub struct Row<'a> {
    pub number: usize,
    fields: &'a [String],
}

impl<'a> Row<'a> {
    /// A field without space around it, empty if the row is shorter.
    pub fn field(&self, column: usize) -> &'a str {
        self.exact(column).trim()
    }

    /// A field as it stands.
    pub fn exact(&self, column: usize) -> &'a str {
        self.fields.get(column).map_or("", String::as_str)
    }
}

fn decoded(bytes: &[u8]) -> anyhow::Result<(String, bool)> {
    let wide = |from_bytes: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes[2..].as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().copied().map(from_bytes).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    let wide = match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => None,
    };
    if let Some(text) = wide {
        return Ok((text, false));
    }
    if bytes.starts_with(b"PK\x03\x04") {
        bail!("is a workbook: save it as CSV in UTF-8");
    }
    let narrow = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(narrow) {
        Ok(text) if !text.contains('\0') => Ok((text.to_owned(), true)),
        Ok(_) => bail!("is not in UTF-8: save it as CSV in UTF-8"),
        Err(error) => {
            let line = 1 + narrow[..error.valid_up_to()]
                .iter()
                .filter(|&&byte| byte == b'\n')
                .count();
            bail!("line {line} is not in UTF-8: save it as CSV in UTF-8")
        }
    }
}

/// File, class, confidence, runner-up, accepted, reason of an answer; what there is none of is empty. `names`
/// are those of the classes.
pub fn row(answer: &Answer<'_>, names: &[String]) -> [String; 6] {
    let guess = answer.class().map(|class| guess(class, names));
    let [class, confidence, runner_up] = guess.unwrap_or_default();
    [
        text(&answers::name(answer.file)),
        class,
        confidence,
        runner_up,
        answer.accepted().to_string(),
        answer.reason().unwrap_or_default().to_owned(),
    ]
}

/// Class, confidence and runner-up.
pub fn guess(class: &Classification, names: &[String]) -> [String; 3] {
    let name = |class: u16| names.get(usize::from(class)).map_or("", String::as_str);
    [
        text(name(class.class)),
        class.confidence.to_string(),
        text(name(class.runner_up())),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn rows(text: &[u8]) -> Vec<Vec<String>> {
        let table = Table::parse(text).unwrap();
        let header = table.header.clone();
        std::iter::once(header).chain(table.rows).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let row = ["a, \"b\"\n.png", "", "3", " x;y"];
        for separator in *b",;\t" {
            let header = line(&["file", "digit", "answer", "note"], separator).unwrap();
            let text = format!("{header}{}\n\n", line(&row, separator).unwrap());
            assert_eq!(rows(text.as_bytes())[1], row);
        }
    }

    #[test]
    fn tables_saved_by_a_spreadsheet_are_read() {
        let table = "file;answer\r\na.png;7\r\n\"b;c.png\";\r\n";
        let expected = [["file", "answer"], ["a.png", "7"], ["b;c.png", ""]];
        assert_eq!(rows(table.as_bytes()), expected);
        assert_eq!(rows(format!("\u{feff}{table}").as_bytes()), expected);
        assert_eq!(rows(format!("sep=;\r\n{table}").as_bytes()), expected);
        assert_eq!(
            rows(table.replace(';', "\t").replace("b\tc", "b;c").as_bytes()),
            expected
        );
        let mut wide = vec![0xff, 0xfe];
        wide.extend(table.encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(rows(&wide), expected);
    }

    #[test]
    fn other_encodings_say_what_to_do() {
        for bytes in [
            &b"file,answer\n\xe4.png,7\n"[..],
            b"f\0i\0l\0e\0",
            b"PK\x03\x04\0",
        ] {
            let error = Table::parse(bytes).err().unwrap().to_string();
            assert!(error.contains("UTF-8"), "{error}");
        }
    }

    #[test]
    fn no_name_is_a_formula_and_each_is_read_back() {
        for name in [
            "=1+1.png", "+a", "-b", "@c", "'d", "'=e", "\tf", "g=", "a'b", "",
        ] {
            let field = text(name);
            assert!(
                !field.starts_with(['=', '+', '-', '@', '\t', '\r']),
                "{field}"
            );
            assert_eq!(plain(&field), name);
        }
        assert_eq!(plain("'quoted"), "'quoted");
    }
}
