//! Where a run stands that goes on.

use maud::{Markup, html};

use super::super::markup::{count, percent, visible};
use super::{Drawn, Live, Moment, State};

impl Live {
    /// The title of the browser's tab.
    pub(super) fn title(&self, moment: &Moment) -> String {
        let done = percent(self.share(moment), 0);
        match (moment.state, self.drawn.now) {
            (State::Training, Some((_, right))) => {
                format!("{done}: {} right, {}", percent(right, 2), self.name)
            }
            (State::Training, None) => format!("{done}: {}", self.name),
            (State::Examining, _) => format!("examined: {}", self.name),
            (State::Interrupted, _) => format!("interrupted: {}", self.name),
            (State::Failed(_), _) => format!("failed: {}", self.name),
        }
    }

    /// The share of the steps that are done.
    fn share(&self, moment: &Moment) -> f64 {
        moment.step as f64 / (self.epochs * self.steps).max(1) as f64
    }

    /// Where the run stands.
    pub(super) fn overview(&self, moment: &Moment) -> Markup {
        let (step, all) = (moment.step, self.epochs * self.steps);
        let epoch = (step / self.steps.max(1) + 1).min(self.epochs);
        let kicker = match moment.state {
            State::Training => "Training",
            State::Examining => "Trained",
            State::Interrupted => "Interrupted",
            State::Failed(_) => "Failed",
        };
        let images = count(self.numbers.len() as u64);
        let go_on = html! { code { (visible(&self.resume)) } };
        html! {
            p.kicker { (kicker) ": " (visible(&self.name)) }
            h1 {
                @match self.drawn.now {
                    Some((0, right)) => {
                        "Right on " (percent(right, 2)) " of " (images) " validation images, before training"
                    }
                    Some((epoch, right)) => {
                        "Right on " (percent(right, 2)) " of " (images) " validation images after epoch " (epoch)
                    }
                    None if self.held_out.is_none() => { "No image is held out to show what it learns" }
                    None => { "Nothing is known yet of what it has learned" }
                }
            }
            p.lead {
                "Epoch " (epoch) " of " (self.epochs) ", step " (count(step as u64)) " of "
                (count(all as u64)) ". "
                @match moment.state {
                    State::Training => {
                        @if let Some(left) = moment.left { "About " strong { (left) } " of training left. " }
                        "Guessing would be right once in " (count(self.classes.len() as u64)) "."
                    }
                    State::Examining => {
                        "Now it is calibrated, and examined on test images that it has never seen: the report \
                         of that takes the place of this page."
                    }
                    State::Interrupted | State::Failed(_) => {}
                }
            }
            @match moment.state {
                State::Interrupted => {
                    p.caveat { strong { "The run was interrupted." } " Go on with it: " (go_on) }
                }
                State::Failed(why) => {
                    p.caveat { strong { "The run has failed:" } " " (visible(why)) }
                }
                State::Training | State::Examining => {
                    p.caveat id="stale" hidden="" {
                        strong { "No news of the run for some time." }
                        " If it was stopped, go on with it: " (go_on)
                        "; reload this page to look again."
                    }
                    noscript {
                        p.caveat { "If nothing changes here any more, the run was stopped; go on with it: " (go_on) }
                    }
                }
            }
            div.progress role="progressbar" aria-valuemin="0" aria-valuemax=(all) aria-valuenow=(step)
                aria-label="Steps done" style=(format!("--share:{:.4}", self.share(moment))) {}
            dl.tiles { (self.tiles(moment)) }
        }
    }

    fn tiles(&self, moment: &Moment) -> Markup {
        let tile = |name: &str, value: Option<String>, note: &str| {
            html! {
                div {
                    dt { (name) }
                    dd.value { (value.as_deref().unwrap_or("–")) }
                    dd { (note) }
                }
            }
        };
        let Drawn { first, best, .. } = self.drawn;
        let latest = moment.latest;
        html! {
            (tile("Loss", latest.map(|(loss, _)| format!("{loss:.4}")), "latest training batches"))
            (tile("Accuracy", latest.map(|(_, right)| percent(right, 2)), "latest training batches"))
            (tile("Images per second", moment.speed.map(|speed| count(speed as u64)), "in training"))
            (tile("Before training", first.map(|right| percent(right, 2)), "of the validation images right"))
            (tile(
                "Best so far",
                best.map(|(_, right)| percent(right, 2)),
                &best.map_or("after an epoch".into(), |(epoch, _)| format!("after epoch {epoch}")),
            ))
        }
    }
}
