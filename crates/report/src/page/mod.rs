//! The examination as one HTML file that needs nothing else: no script, no network, no clock. While the run
//! goes on, another of the same look is in its place, and reads itself again.

mod about;
mod away;
mod chart;
mod confusion;
mod decisions;
mod error;
mod findings;
mod images;
mod learning;
mod lesson;
mod live;
mod markup;
mod network;
mod occlusion;
mod overview;
mod picture;
mod probabilities;
mod sweep;
mod training;
mod trust;

pub use error::PageError;
pub use findings::Page;
pub use lesson::{Answer, Lesson};
pub use live::{Live, Moment, State};
pub(crate) use picture::montage;
pub use picture::{Mosaic, mosaic};

use maud::{DOCTYPE, Markup, PreEscaped, html};

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
        let ((trust, images), network) = rayon::join(
            || {
                let trust = trust::section(self, &predictions);
                (trust, images::section(self, &predictions))
            },
            || network::section(self, &predictions),
        );
        let mut sections = vec![confusion::section(self), trust?, images?, network?];
        if let Some(stress) = self.stress {
            sections.push(away::section(self, stress)?);
        }
        if let Some(history) = self.history.filter(|history| history.epochs() > 0) {
            sections.push(training::section(
                history,
                self.classifier.classes(),
                self.classifier.manifest().members,
            )?);
        }
        sections.push(about::section(self));
        let document = Document {
            title: overview::title(self),
            live: None,
            overview: overview::html(self),
            sections: sections.iter().collect(),
        };
        Ok(document.html())
    }
}

/// What the pages have in common.
struct Document<'a> {
    title: String,
    /// What makes the page read itself again, if it does.
    live: Option<live::Again>,
    overview: Markup,
    sections: Vec<&'a Section>,
}

impl Document<'_> {
    fn html(&self) -> String {
        let again = self.live.as_ref();
        let page = html! {
            (DOCTYPE)
            html lang="en" data-written=[again.map(|again| again.written)]
                data-every=[again.map(|again| again.every)] data-stale=[again.map(|again| again.stale)] {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    link rel="icon" href="data:,";
                    @if let Some(again) = again {
                        noscript { meta http-equiv="refresh" content=(again.seconds()); }
                    }
                    title { (self.title) }
                    style { (PreEscaped(include_str!("style.css"))) }
                }
                body {
                    a.skip href="#main" { "Skip to the findings" }
                    header {
                        (self.overview)
                        nav aria-label="Contents" {
                            ul {
                                @for section in &self.sections {
                                    li { a href={ "#" (section.id) } { (section.title) } }
                                }
                            }
                        }
                    }
                    main id="main" {
                        @for section in &self.sections { (section.html) }
                    }
                    @if again.is_some() {
                        script { (PreEscaped(include_str!("live/again.js"))) }
                    }
                }
            }
        };
        page.into_string()
    }
}
