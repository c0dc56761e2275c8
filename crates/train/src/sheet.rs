//! A look at the augmentation of a recipe before anything is trained with it.

use std::{fs, path::Path};

use anyhow::Context;
use data::{Augmentation, Draw, LabelledImages, Scratch};
use report::SheetRow;

use crate::{
    Args, Config, Failure,
    failure::usage,
    inputs::{self, Reading},
    progress::say,
};

/// Images in a row.
const COLUMNS: usize = 20;

/// Draws a row for each kind that the recipe uses, by itself, between the images as they are and all kinds
/// together.
pub(crate) fn draw(args: &Args, config: &Config, file: &Path) -> Result<u8, Failure> {
    let augmentation = config.data.augmentation.unwrap_or_default();
    if augmentation.is_identity() {
        return Err(usage(anyhow::anyhow!(
            "--sheet: the recipe has no data.augmentation; --set data.augmentation.rotation=12, for instance"
        )));
    }
    let reading = Reading::new("training", args.quiet);
    let images = inputs::source(args, config)
        .train(&reading)
        .map_err(inputs::unreadable)?;
    let digits = inputs::shows_digits(&images, inputs::picture(config, &images));
    let augmentation = inputs::pens(config.data.augmentation, digits);
    let chosen = chosen(&images);
    let row = |name: &str, kinds: &Augmentation, which: &[usize]| SheetRow {
        name: name.to_owned(),
        images: drawn(&images, kinds, config.seed, which),
    };
    let mut rows = vec![row("as they are", &Augmentation::default(), &chosen)];
    for (name, amount, _) in augmentation.amounts() {
        if amount == 0.0 {
            continue;
        }
        let painted = match name {
            "styles" => styled(&images),
            _ => chosen.clone(),
        };
        if painted.is_empty() {
            continue;
        }
        rows.push(row(
            &format!("{name} {amount}"),
            &augmentation.only(name),
            &painted,
        ));
    }
    rows.push(row("all together", &augmentation, &chosen));
    if config.data.negatives > 0.0 && digits {
        rows.push(SheetRow {
            name: format!("negatives {}", config.data.negatives),
            images: negatives(&images, config.seed),
        });
    }
    let svg = report::sheet(images.shape(), &rows).map_err(anyhow::Error::from)?;
    fs::write(file, svg).with_context(|| format!("{}: can't be written", file.display()))?;
    if !args.quiet {
        say(format_args!(
            "{} rows drawn: {}",
            rows.len(),
            file.display()
        ));
    }
    Ok(0)
}

fn drawn(images: &LabelledImages, kinds: &Augmentation, seed: u64, which: &[usize]) -> Vec<u8> {
    let shape = images.shape();
    let mut scratch = Scratch::default();
    let mut out = vec![0; which.len() * shape.len()];
    for (out, &index) in out.chunks_exact_mut(shape.len()).zip(which) {
        let digit = images.digit(index);
        let draw = Draw {
            seed,
            epoch: 1,
            index,
        };
        kinds.apply(shape, images.image(index), digit, draw, &mut scratch, out);
    }
    out
}

/// Images of no digit, as they are before augmentation.
fn negatives(images: &LabelledImages, seed: u64) -> Vec<u8> {
    (0..COLUMNS.min(images.len()))
        .flat_map(|index| images.negative([index, (index + 1) % images.len()], seed, 1))
        .collect()
}

/// Some of each class in turn.
fn chosen(images: &LabelledImages) -> Vec<usize> {
    let classes = images.classes().len();
    let of = |class: usize, nth: usize| {
        let mut found = (0..images.len()).filter(|&at| usize::from(images.label(at)) == class);
        found.nth(nth)
    };
    (0..COLUMNS)
        .filter_map(|at| of(at % classes, at / classes))
        .collect()
}

/// Some of the digits that can be painted on.
fn styled(images: &LabelledImages) -> Vec<usize> {
    let painted = |&at: &usize| [1, 4, 7, 9].contains(&images.label(at));
    (0..images.len()).filter(painted).take(COLUMNS).collect()
}
