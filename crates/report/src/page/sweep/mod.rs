//! A sweep as a page: its groups beside each other, their curves over each other, and every run.

mod curves;
mod tables;

use maud::{Markup, html};

use super::Document;
use super::error::PageError;
use super::markup::{class_name, count, percent, visible};
use crate::sweep::{Group, Spread, Sweep};

impl Sweep {
    /// The page as the text of an HTML file. The same runs give the same bytes.
    ///
    /// # Errors
    /// Only if a library fails.
    pub fn html(&self) -> Result<String, PageError> {
        let mut sections = vec![tables::groups(self)];
        sections.extend(curves::section(self)?);
        sections.extend(tables::differences(self));
        sections.push(tables::runs(self));
        let document = Document {
            title: format!(
                "{} of {} runs: {}",
                self.count.done, self.count.runs, self.name
            ),
            live: None,
            overview: self.overview(),
            sections: sections.iter().collect(),
        };
        Ok(document.html())
    }

    fn overview(&self) -> Markup {
        let all = self.count;
        html! {
            p.kicker { "Sweep: " (visible(&self.name)) }
            h1 { (count(all.done as u64)) " of " (count(all.runs as u64)) " runs are done" }
            p.lead {
                @match self.leader() {
                    Some((group, accuracy)) => {
                        strong { (class_name(&group.name)) } ": " (percent(accuracy.mean, 2))
                        " of the validation images right in the mean of its " (accuracy.n) " runs"
                        @if self.groups.len() > 1 { ", the most of all groups" } "."
                        @if let Some(test) = &group.test_accuracy {
                            " Of the test images, on which nothing was chosen, " (test.shown(100.0, 2))
                            "\u{a0}%."
                        }
                    }
                    None => { "There is nothing to compare yet." }
                }
            }
            @if all.failed > 0 {
                p.caveat {
                    strong { "Failed:" } " " (count(all.failed as u64))
                    " of the runs; why is said in the table of all runs. The next call tries them again."
                }
            }
            @if all.unfinished > 0 {
                p.caveat { strong { "Unfinished:" } " " (count(all.unfinished as u64)) " of the runs." }
            }
        }
    }

    /// The group with the most right validation images in the mean.
    fn leader(&self) -> Option<(&Group, Spread)> {
        let judged = self.groups.iter();
        let judged = judged.filter_map(|group| Some((group, group.validation_accuracy?)));
        judged.max_by(|a, b| a.1.mean.total_cmp(&b.1.mean))
    }
}
