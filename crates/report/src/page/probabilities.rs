//! The probabilities of the classes for one image.

use maud::{Markup, html};

use super::markup::{class_name, isolated, percent};

/// Most classes whose probabilities stand side by side, and most characters of their names.
const SIDE_BY_SIDE: [usize; 2] = [12, 2];
/// How many of more classes are shown, the likeliest.
const SHOWN: usize = 4;

/// Bars for the probabilities: of all classes if they are few and of short names, else of the likeliest,
/// and the label. `answer` is the class that was chosen, `label` the true one.
pub fn bars(names: &[String], probabilities: &[f64], answer: u16, label: u16) -> Markup {
    let kind = |class: usize| match class {
        _ if class == usize::from(label) => "good",
        _ if class == usize::from(answer) => "bad",
        _ => "other",
    };
    let mut order: Vec<usize> = (0..probabilities.len().min(names.len())).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let [classes, characters] = SIDE_BY_SIDE;
    let short = |name: &String| name.chars().count() <= characters;
    if names.len() <= classes && names.iter().all(short) {
        return upright(names, probabilities, &order, kind);
    }
    let label = usize::from(label);
    let mut shown = order;
    let rank = shown.iter().position(|&class| class == label);
    if let Some(rank) = rank.filter(|&rank| rank >= SHOWN) {
        shown.swap(SHOWN, rank);
        shown.truncate(SHOWN + 1);
    } else {
        shown.truncate(SHOWN);
    }
    html! {
        ol.likeliest {
            @for &class in &shown {
                li class=(kind(class)) style=(format!("--share:{:.3}", probabilities[class])) {
                    (class_name(&names[class])) " " (floor_percent(probabilities[class]))
                }
            }
        }
    }
}

/// A bar above each name; the likeliest in words for those who don't see it.
fn upright(
    names: &[String],
    probabilities: &[f64],
    order: &[usize],
    kind: impl Fn(usize) -> &'static str,
) -> Markup {
    const STEP: usize = 10;
    const HEIGHT: f64 = 40.0;
    let likeliest: Vec<String> = order
        .iter()
        .take(3)
        .map(|&class| {
            let name = isolated(&names[class]);
            format!("{name} {}", floor_percent(probabilities[class]))
        })
        .collect();
    html! {
        svg.bars viewBox={ "0 0 " (STEP * names.len()) " 55" } aria-hidden="true" {
            @for (class, (&probability, name)) in probabilities.iter().zip(names).enumerate() {
                @let height = (HEIGHT * probability).max(0.6);
                @let top = HEIGHT + 2.0 - height;
                rect class=(kind(class)) x=(class * STEP + 1) y=(format!("{top:.1}"))
                    width="8" height=(format!("{height:.1}")) {}
                text x=(class * STEP + STEP / 2) y="52" { (name) }
            }
        }
        span.unseen { "Likeliest: " (likeliest.join(", ")) }
    }
}

/// A probability that is never rounded up to 100 %.
pub fn floor_percent(share: f64) -> String {
    if (0.9995..1.0).contains(&share) {
        return "> 99.9\u{a0}%".to_owned();
    }
    percent(share, 1)
}
