//! The examination as text for a terminal.

use std::fmt::{self, Display, Formatter};

use evaluation::{Estimate, Evaluation, Report};

use crate::Examination;

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
        confusion(&self.evaluation.after, f)?;
        trust(&self.evaluation, f)?;
        writeln!(f, "threshold {}", self.deferral.statement)?;
        sets(&self.evaluation, f)
    }
}

fn confusion(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "\nlabel  precision    recall   answered as ")?;
    for class in 0..report.confusion.len() {
        write!(f, "{class:>5}")?;
    }
    writeln!(f)?;
    for (class, (row, figures)) in report.confusion.iter().zip(&report.per_class).enumerate() {
        let (precision, recall) = (100.0 * figures.precision, 100.0 * figures.recall);
        write!(
            f,
            "{class:>5}  {precision:>7.2} %  {recall:>6.2} %               "
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
