//! Reading recipes: a strict TOML file and changes from the command line.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use toml::{Table, Value};

use crate::config::{Config, ConfigError, DEFAULT_RECIPE};
use crate::keys::{KEYS, meant};

/// No recipe is larger than this many bytes.
const LIMIT: u64 = 1 << 20;
impl Config {
    /// Reads a recipe, or takes the default one, and applies `key=value` changes.
    ///
    /// # Errors
    /// Names the file and the key; for an unknown key, the nearest known one.
    pub fn load(path: Option<&Path>, changes: &[String]) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Self::parse(DEFAULT_RECIPE, "configs/default.toml", changes);
        };
        let text = read(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, &path.display().to_string(), changes)
    }

    /// Parses the text of a recipe and applies `key=value` changes; `origin` is named in errors.
    ///
    /// # Errors
    /// As for [`Config::load`].
    pub fn parse(text: &str, origin: &str, changes: &[String]) -> Result<Self, ConfigError> {
        // The text is checked as it stands first, so that an error can point to its line.
        let config: Config = toml::from_str(text).map_err(|error| ConfigError::Parse {
            origin: origin.to_owned(),
            problem: explain(&error, text),
        })?;
        let mut table = Table::try_from(&config).map_err(|error| ConfigError::Parse {
            origin: origin.to_owned(),
            problem: error.to_string(),
        })?;
        let mut config = config;
        for change in changes {
            let failed = |problem: String| ConfigError::Parse {
                origin: format!("--set {change}"),
                problem,
            };
            let (key, value) = change
                .split_once('=')
                .ok_or_else(|| failed("expected key=value, such as training.epochs=3".into()))?;
            let key = key.trim();
            set(&mut table, key, value.trim()).map_err(failed)?;
            config = table
                .clone()
                .try_into()
                .map_err(|error: toml::de::Error| failed(refused(key, &error)))?;
        }
        config.validate()?;
        Ok(config)
    }

    /// The recipe as TOML text.
    ///
    /// # Errors
    /// If TOML can't hold a value: a path that is not UTF-8.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        toml::to_string(self).map_err(|error| ConfigError::Unwritable(error.to_string()))
    }
}

/// The text of a file that people write.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        0..=LIMIT => utf8(bytes).map_err(io::Error::other),
        _ => Err(io::Error::other("larger than a megabyte")),
    }
}

/// The text of a recipe; an error says in words what else it is.
fn utf8(bytes: Vec<u8>) -> Result<String, &'static str> {
    const UTF_16: &str = "it is text in UTF-16, save it as UTF-8";
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(UTF_16);
    }
    match String::from_utf8(bytes) {
        // Latin letters in two bytes each.
        Ok(text) if text.contains('\0') => Err(UTF_16),
        Ok(text) => Ok(text),
        Err(_) => Err("it is not text in UTF-8, save it as UTF-8"),
    }
}

/// Sets a dotted key to a TOML value; what is no TOML value is taken as a string.
fn set(table: &mut Table, key: &str, value: &str) -> Result<(), String> {
    let parsed: Option<Table> = toml::from_str(&format!("value = {value}")).ok();
    let value = parsed
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(value.to_owned()));
    let mut parts: Vec<_> = key.split('.').collect();
    let last = parts
        .pop()
        .filter(|last| !last.is_empty())
        .ok_or("the key is empty")?;
    if !value.is_table() && sections().any(|section| section == key) {
        let keys: Vec<_> = KEYS
            .into_iter()
            .filter(|known| known.strip_prefix(key).is_some_and(|k| k.starts_with('.')))
            .collect();
        return Err(format!(
            "`{key}` is a section; its keys are {}",
            keys.join(", ")
        ));
    }
    let mut table = table;
    for part in parts {
        let entry = table
            .entry(part)
            .or_insert_with(|| Value::Table(Table::new()));
        table = entry
            .as_table_mut()
            .ok_or_else(|| format!("`{part}` is a value, not a section"))?;
    }
    if key == "schedule.kind" && table.get(last) != Some(&value) {
        // What belongs to one kind is nothing to another, which has defaults.
        table.clear();
    }
    table.insert(last.to_owned(), value);
    Ok(())
}

/// The names of the tables: `data`, `data.augmentation`, …
fn sections() -> impl Iterator<Item = &'static str> {
    KEYS.into_iter()
        .filter_map(|key| Some(key.rsplit_once('.')?.0))
}

/// Says why a key can't be set: it doesn't exist, and which was meant, or what is wrong with its value.
fn refused(key: &str, error: &toml::de::Error) -> String {
    let is_section = |name: &str| sections().any(|section| section == name);
    if !error.message().starts_with("unknown field") || is_section(key) {
        return explain(error, "");
    }
    if KEYS.contains(&key) {
        return format!("there is no `{key}` with this schedule.kind; set the kind first");
    }
    // Where the name of the section is what is wrong, the nearest is a section.
    let section = key.rsplit_once('.').map(|(section, _)| section);
    if section.is_some_and(|name| !is_section(name))
        && nearest(error.message()).is_some_and(is_section)
    {
        return explain(error, "");
    }
    match meant(key) {
        Some(known) => format!("there is no key `{key}`; did you mean `{known}`?"),
        None => explain(error, ""),
    }
}

/// One line: where, what, and for an unknown key the nearest of the known ones.
fn explain(error: &toml::de::Error, text: &str) -> String {
    let placed = placed(error, text);
    match nearest(&message(error)) {
        Some(known) => format!("{placed}; did you mean `{known}`?"),
        None => placed,
    }
}

/// One line: where and what.
pub(crate) fn placed(error: &toml::de::Error, text: &str) -> String {
    let line = error
        .span()
        .filter(|_| !text.is_empty())
        .map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    let place = line.map_or(String::new(), |line| format!("line {line}: "));
    place + &message(error)
}

fn message(error: &toml::de::Error) -> String {
    error.message().trim().replace(char::is_control, " ")
}

/// The name that was probably meant where serde says "unknown field `x`, expected one of `a`, `b`": a
/// similar one of those, or else a key of another section.
fn nearest(message: &str) -> Option<&str> {
    if !message.starts_with("unknown") || message.ends_with("there are no fields") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    let similar = quoted
        .map(|known| (strsim::jaro_winkler(unknown, known), known))
        .filter(|(similarity, _)| *similarity > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match similar {
        Some((similarity, known)) if similarity > 0.85 => Some(known),
        _ if message.starts_with("unknown field") => {
            meant(unknown).or(similar.map(|(_, known)| known))
        }
        _ => similar.map(|(_, known)| known),
    }
}
