use std::path::{Path, PathBuf};

use crate::Layout;

/// The folder of what several processes tell each other by.
const CLAIMS: &str = ".claims";

/// The paths in the folder of a sweep: many runs of one table, beside what is said of all of them.
///
/// ```
/// use std::path::Path;
///
/// let sweep = runs::SweepLayout::new("artifacts/wide");
/// let name = runs::SweepLayout::name("small", 3);
/// assert_eq!(sweep.run(&name).path(), Path::new("artifacts/wide/small-seed-3"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepLayout {
    path: PathBuf,
}

impl SweepLayout {
    /// That of the sweep in a folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the run of a group with a seed is called. No two pairs have the same name.
    pub fn name(group: &str, seed: u64) -> String {
        format!("{group}-seed-{seed}")
    }

    /// The folder of the run of that name.
    pub fn run(&self, name: &str) -> Layout {
        Layout::new(self.path.join(name))
    }

    /// Why the run of that name failed the last time that it was tried; gone when it is done.
    pub fn failure(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.failed.json"))
    }

    /// Where the page of a run is, seen from [`Self::page`], as a browser asks for it.
    pub fn report_address(&self, name: &str) -> String {
        let report = self.run(name).report();
        let file = report.file_name().unwrap_or_default().to_string_lossy();
        format!("{}/{file}", encoded(name))
    }

    /// What all runs achieved, for programs.
    pub fn summary(&self) -> PathBuf {
        self.path.join("sweep.json")
    }

    /// The same as a page for a browser.
    pub fn page(&self) -> PathBuf {
        self.path.join("sweep.html")
    }

    /// The folder of [`Self::claim`].
    pub fn claims(&self) -> PathBuf {
        self.path.join(CLAIMS)
    }

    /// Locked by the process that sees to the run of that name.
    pub fn claim(&self, name: &str) -> PathBuf {
        self.claims().join(name)
    }

    /// Locked by the process that writes [`Self::summary`] and [`Self::page`].
    pub fn writing(&self) -> PathBuf {
        // No run has this name, which has no seed.
        self.claims().join("summary")
    }
}

/// A file name as a part of an address (RFC 3986).
fn encoded(name: &str) -> String {
    let mut address = String::new();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                address.push(byte.into());
            }
            _ => address += &format!("%{byte:02X}"),
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_any_name() {
        let sweep = SweepLayout::new("x");
        assert_eq!(
            sweep.report_address("a <b>#?%/é-seed-0"),
            "a%20%3Cb%3E%23%3F%25%2F%C3%A9-seed-0/report.html"
        );
    }
}
