//! The examination as text for a terminal.

use std::fmt::{self, Display, Formatter};

use evaluation::{Estimate, Evaluation, Report};

use crate::Examination;
use crate::mistakes::{SHOWN, mistakes, worst_classes};

/// Most characters of a class name as the head of a column, and in a line.
const NAME: [usize; 2] = [4, 40];

impl Display for Examination {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Report {
            accuracy,
            errors,
            n,
            ..
        } = &self.evaluation.after;
        writeln!(
            f,
            "test accuracy {:.2} % ({errors} of {n} images wrong; 95 % interval {})",
            100.0 * accuracy.value,
            interval(accuracy)
        )?;
        if let Some(without) = &self.without_mislabelled {
            let Report {
                accuracy,
                errors,
                n,
                ..
            } = &without.after;
            writeln!(
                f,
                "without the images whose label is known to be wrong: {:.2} % ({errors} of {n} wrong)",
                100.0 * accuracy.value
            )?;
        }
        for caveat in self.caveats() {
            writeln!(f, "note: {caveat}")?;
        }
        classes(&self.evaluation.after, self.classes(), f)?;
        trust(&self.evaluation, f)?;
        writeln!(f, "threshold {}", self.deferral.statement)?;
        sets(&self.evaluation, f)
    }
}

/// Few classes of short names as a matrix, the worst of others as lists.
fn classes(report: &Report, names: &[String], f: &mut Formatter<'_>) -> fmt::Result {
    let short = |name: &String| name.chars().count() <= NAME[0];
    if names.len() <= SHOWN && names.iter().all(short) {
        return confusion(report, names, f);
    }
    let name = |class: u16| {
        let name = names.get(usize::from(class)).map_or("?", String::as_str);
        match name.char_indices().nth(NAME[1]) {
            Some((end, _)) => format!("{}…", &name[..end]),
            None => name.to_owned(),
        }
    };
    let worst = worst_classes(report);
    writeln!(
        f,
        "\nprecision    recall    images   class (the {} of the lowest F1 of {})",
        worst.len(),
        names.len()
    )?;
    for class in worst {
        let figures = &report.per_class[usize::from(class)];
        let (precision, recall) = (100.0 * figures.precision, 100.0 * figures.recall);
        let (images, name) = (figures.support, name(class));
        writeln!(f, "{precision:>7.2} % {recall:>7.2} % {images:>9}   {name}")?;
    }
    let mistakes = mistakes(&report.confusion);
    if !mistakes.is_empty() {
        writeln!(f, "\ntimes   most frequent mistakes: label → answer")?;
    }
    for mistake in mistakes.iter().take(SHOWN) {
        let (label, answer) = (name(mistake.label), name(mistake.answer));
        writeln!(f, "{:>5}   {label} → {answer}", mistake.times)?;
    }
    Ok(())
}

fn confusion(report: &Report, names: &[String], f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "\nlabel  precision    recall   answered as ")?;
    for name in names {
        write!(f, "{name:>5}")?;
    }
    writeln!(f)?;
    for ((name, row), figures) in names.iter().zip(&report.confusion).zip(&report.per_class) {
        let (precision, recall) = (100.0 * figures.precision, 100.0 * figures.recall);
        write!(
            f,
            "{name:>5}  {precision:>7.2} %  {recall:>6.2} %               "
        )?;
        for count in row {
            write!(f, "{count:>5}")?;
        }
        writeln!(f)?;
    }
    Ok(())
}

fn trust(evaluation: &Evaluation, f: &mut Formatter<'_>) -> fmt::Result {
    let (before, after) = (&evaluation.before, &evaluation.after);
    writeln!(f, "\n                        as trained   calibrated")?;
    for (name, before, after) in [
        ("NLL (nats)", before.nll, after.nll),
        ("Brier score", before.brier, after.brier),
        ("ECE (%)", 100.0 * before.ece, 100.0 * after.ece),
        ("AURC", before.aurc, after.aurc),
    ] {
        writeln!(f, "{name:<22}{before:>12.6} {after:>12.6}")?;
    }
    for (before, after) in before.coverage_at_risk.iter().zip(&after.coverage_at_risk) {
        let name = format!("kept at {:.2} % wrong", 100.0 * after.risk);
        let (before, after) = (100.0 * before.coverage, 100.0 * after.coverage);
        writeln!(f, "{name:<22}{before:>10.2} % {after:>10.2} %")?;
    }
    let selective = &evaluation.selective;
    writeln!(
        f,
        "\naccepted: {} of {} ({:.2} %), {} of them wrong{}; the others go to a person",
        selective.accepted,
        selective.n,
        100.0 * selective.coverage.value,
        selective.errors,
        selective.risk.map_or(String::new(), |risk| format!(
            " ({:.3} %; 95 % interval {})",
            100.0 * risk.value,
            interval(&risk)
        )),
    )
}

fn sets(evaluation: &Evaluation, f: &mut Formatter<'_>) -> fmt::Result {
    if !evaluation.conformal.is_empty() {
        writeln!(
            f,
            "\nconformal sets         level   hold the label   classes    empty"
        )?;
    }
    for sets in &evaluation.conformal {
        writeln!(
            f,
            "{:<20}{:>6.2} %{:>15.2} %{:>10.4}{:>7.2} %",
            sets.method.name(),
            100.0 * sets.level,
            100.0 * sets.coverage.value,
            sets.mean_size,
            100.0 * sets.empty
        )?;
    }
    Ok(())
}

fn interval(estimate: &Estimate) -> String {
    format!(
        "{:.2} to {:.2} %",
        100.0 * estimate.lower,
        100.0 * estimate.upper
    )
}
