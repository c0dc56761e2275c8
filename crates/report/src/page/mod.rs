//! The examination as one HTML file that needs nothing else: no script, no network, no clock.

mod about;
mod away;
mod chart;
mod decisions;
mod digits;
mod errors;
mod markup;
mod network;
mod occlusion;
mod overview;
mod picture;
mod training;
mod trust;

use data::LabelledImages;
use model::{Classifier, Decision};

use crate::{Examination, History, Stress};

/// What the page is made of.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The classifier.
    pub classifier: &'a Classifier,
    /// The images that it was examined on.
    pub images: &'a LabelledImages,
    /// What the examination found.
    pub examination: &'a Examination,
    /// How training went, where that is known.
    pub history: Option<&'a History>,
    /// What it does with corrupted digits and with what is no digit, where that was tried.
    pub stress: Option<&'a Stress>,
}

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PageError {
    /// A chart couldn't be drawn.
    #[error(
        "the chart \"{title}\" can't be drawn: {problem}; please report this with the checkpoint"
    )]
    Chart {
        /// Its title.
        title: &'static str,
        /// What the drawing library says.
        problem: String,
    },
    /// A picture couldn't be encoded.
    #[error("a picture can't be encoded as PNG: {problem}; please report this with the checkpoint")]
    Picture {
        /// What the encoder says.
        problem: String,
    },
    /// The images are not those of the examination.
    #[error("{images} images for an examination of {examined}: give the images that were examined")]
    Images {
        /// Images given.
        images: usize,
        /// Images examined.
        examined: usize,
    },
}

/// A section and its entry in the table of contents.
struct Section {
    id: &'static str,
    title: &'static str,
    html: String,
}

impl Page<'_> {
    /// The page as the text of an HTML file. The same findings give the same bytes.
    ///
    /// # Errors
    /// [`PageError::Images`] if the images are not as many as were examined; the others only if a
    /// library fails.
    pub fn html(&self) -> Result<String, PageError> {
        let logits = self.examination.logits();
        if logits.len() != self.images.len() {
            return Err(PageError::Images {
                images: self.images.len(),
                examined: logits.len(),
            });
        }
        let predictions = logits.predictions(self.classifier.calibration().temperature);
        let mut sections = vec![
            errors::section(self)?,
            trust::section(self, &predictions)?,
            digits::section(self, &predictions)?,
            network::section(self, &predictions)?,
        ];
        if let Some(stress) = self.stress {
            sections.push(away::section(self, stress)?);
        }
        if let Some(history) = self.history.filter(|history| history.epochs() > 0) {
            sections.push(training::section(history)?);
        }
        sections.push(about::section(self));
        Ok(self.assemble(&sections))
    }

    fn assemble(&self, sections: &[Section]) -> String {
        let contents: String = sections
            .iter()
            .map(|s| format!("<li><a href=\"#{}\">{}</a></li>", s.id, s.title))
            .collect();
        let body: String = sections.iter().map(|s| s.html.as_str()).collect();
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n\
             <link rel=\"icon\" href=\"data:,\"/>\n\
             <title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#main\">Skip to the findings</a>\n\
             <header>{overview}<nav aria-label=\"Contents\"><ul>{contents}</ul></nav></header>\n\
             <main id=\"main\">\n{body}</main>\n</body>\n</html>\n",
            title = overview::title(self),
            style = include_str!("style.css"),
            overview = overview::html(self),
        )
    }

    /// The name of a class.
    fn name(&self, class: u8) -> &str {
        let names = &self.classifier.manifest().classes;
        names.get(usize::from(class)).map_or("?", String::as_str)
    }

    /// Whether the machine keeps the digit of a row.
    fn accepts(&self, row: usize) -> bool {
        self.examination.answers()[row].decision == Decision::Accept
    }
}
