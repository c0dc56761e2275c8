//! The examination as one HTML file that needs nothing else: no script, no network, no clock.

mod about;
mod away;
mod chart;
mod confusion;
mod decisions;
mod error;
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
pub(crate) use picture::montage;

use maud::{DOCTYPE, PreEscaped, html};

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
            confusion::section(self),
            trust::section(self, &predictions)?,
            images::section(self, &predictions)?,
            network::section(self, &predictions)?,
        ];
        if let Some(stress) = self.stress {
            sections.push(away::section(self, stress)?);
        }
        if let Some(history) = self.history.filter(|history| history.epochs() > 0) {
            sections.push(training::section(
                history,
                self.classifier.manifest().members,
            )?);
        }
        sections.push(about::section(self));
        Ok(self.assemble(&sections))
    }

    fn assemble(&self, sections: &[Section]) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    link rel="icon" href="data:,";
                    title { (overview::title(self)) }
                    style { (PreEscaped(include_str!("style.css"))) }
                }
                body {
                    a.skip href="#main" { "Skip to the findings" }
                    header {
                        (overview::html(self))
                        nav aria-label="Contents" {
                            ul {
                                @for section in sections {
                                    li { a href={ "#" (section.id) } { (section.title) } }
                                }
                            }
                        }
                    }
                    main id="main" {
                        @for section in sections { (section.html) }
                    }
                }
            }
        };
        page.into_string()
    }
}
