//! The examination as one HTML file that needs nothing else: no script, no network, no clock.

mod about;
mod away;
mod chart;
mod decisions;
mod error;
mod errors;
mod findings;
mod images;
mod markup;
mod network;
mod occlusion;
mod overview;
mod picture;
mod probabilities;
mod training;
mod trust;

pub use error::PageError;
pub use findings::Page;

use markup::Section;

impl Page<'_> {
    /// The page as the text of an HTML file. The same findings give the same bytes.
    ///
    /// # Errors
    /// [`PageError::Images`] if the images are not as many as were examined, [`PageError::Classifier`] if
    /// they or the examination are not for the classifier; the others only if a library fails.
    pub fn html(&self) -> Result<String, PageError> {
        let logits = self.examination.logits();
        if logits.len() != self.images.len() {
            return Err(PageError::Images {
                images: self.images.len(),
                examined: logits.len(),
            });
        }
        let what = if self.images.shape() != self.classifier.shape() {
            Some("images of a shape")
        } else if self.examination.classes() != self.classifier.classes() {
            Some("classes in the examination")
        } else {
            None
        };
        if let Some(what) = what {
            return Err(PageError::Classifier { what });
        }
        let predictions = logits.predictions(self.classifier.calibration().temperature);
        let mut sections = vec![
            errors::section(self)?,
            trust::section(self, &predictions)?,
            images::section(self, &predictions)?,
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
}
