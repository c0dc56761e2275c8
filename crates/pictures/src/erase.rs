//! Lines replaced by the ground beside them.

use crate::plane::Plane;
use crate::rank::ranked;
use crate::segments::Segment;

/// Ink this many times as strong as a line is the digit's, over the line.
const CROSSING: f32 = 1.45;
/// How many times as wide as usual a line may be before it is taken for a stroke that crosses it.
const WIDER: f32 = 1.5;

/// Where a line is in one column: first and last row, and the value at its middle.
struct Cut {
    column: usize,
    rows: (usize, usize),
    peak: f32,
}

/// Replaces lines along rows and columns by the ground beside them, but for where a stroke crosses.
pub(crate) fn erase(value: &mut Plane, [rows, columns]: &[Vec<Segment>; 2], factor: usize) {
    if !rows.is_empty() {
        erase_rows(value, rows, factor);
    }
    if !columns.is_empty() {
        let mut turned = value.transposed();
        erase_rows(&mut turned, columns, factor);
        *value = turned.transposed();
    }
}

fn erase_rows(value: &mut Plane, lines: &[Segment], factor: usize) {
    let source = value.clone();
    for line in lines {
        let cuts = cuts(&source, line, factor);
        if cuts.is_empty() {
            continue;
        }
        let widths: Vec<f32> = cuts
            .iter()
            .map(|cut| (cut.rows.1 - cut.rows.0 + 1) as f32)
            .collect();
        let width = ranked(&widths, widths.len() * 2 / 5);
        let peaks: Vec<f32> = cuts.iter().map(|cut| cut.peak).collect();
        let peak = ranked(&peaks, peaks.len() / 2);
        // The soft edge.
        let soft = 1 + (width / 3.0) as usize;
        for (cut, own) in cuts.iter().zip(&widths) {
            if *own > WIDER * width + 1.5 || cut.peak > CROSSING * peak {
                continue;
            }
            let first = cut.rows.0.saturating_sub(soft);
            let last = (cut.rows.1 + soft).min(value.height - 1);
            let above = source.at(cut.column, first.saturating_sub(1));
            let below = source.at(cut.column, (last + 1).min(value.height - 1));
            let ground = above.min(below);
            for row in first..=last {
                let at = row * value.width + cut.column;
                value.values[at] = value.values[at].min(ground);
            }
        }
    }
}

/// Follows a line through the picture, of which the reduced one has `factor` pixels in one.
fn cuts(source: &Plane, line: &Segment, factor: usize) -> Vec<Cut> {
    const BEYOND: usize = 3;
    const SMOOTH: usize = 15;
    let first = line.start.saturating_sub(BEYOND) * factor;
    let end = ((line.end + 1 + BEYOND) * factor).min(source.width);
    let row = |column: usize| {
        let reduced = (column as f32 + 0.5) / factor as f32 - 0.5;
        (line.row(reduced) + 0.5) * factor as f32 - 0.5
    };
    let strongest = |column: usize, row: f32, reach: f32| {
        let from = (row - reach).round().max(0.0) as usize;
        let to = ((row + reach).round().max(0.0) as usize).min(source.height - 1);
        (from..=to).max_by(|a, b| source.at(column, *a).total_cmp(&source.at(column, *b)))
    };
    // How far off the straight line it is, without what crosses it.
    let reach = 1.5 * factor as f32 + 1.0;
    let offsets: Vec<f32> = (first..end)
        .map(|column| {
            strongest(column, row(column), reach).map_or(0.0, |at| at as f32 - row(column))
        })
        .collect();
    let window = 3 * factor + 4;
    let mut cuts = Vec::new();
    for column in first..end {
        let place = column - first;
        let around = place.saturating_sub(SMOOTH)..(place + SMOOTH + 1).min(offsets.len());
        let off = ranked(&offsets[around.clone()], around.len() / 2);
        let Some(middle) = strongest(column, row(column) + off, 1.0 + factor as f32 / 3.0) else {
            continue;
        };
        let (from, to) = (
            middle.saturating_sub(window),
            (middle + window).min(source.height - 1),
        );
        let values = (from..=to).map(|row| source.at(column, row));
        let ground = values.fold(f32::INFINITY, f32::min);
        let peak = source.at(column, middle) - ground;
        let ink = |row: &usize| source.at(column, *row) - ground > 0.5 * peak;
        let above = (from..middle).rev().take_while(ink).count();
        let below = (middle + 1..=to).take_while(ink).count();
        cuts.push(Cut {
            column,
            rows: (middle - above, middle + below),
            peak,
        });
    }
    cuts
}
