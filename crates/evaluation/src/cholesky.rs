//! The Cholesky factor of a covariance, and its inverse.

/// The lower triangular factor of a positive definite matrix, of which the lower half is read (Golub
/// and Van Loan, "Matrix Computations", section 4.2).
pub(crate) fn cholesky(matrix: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let mut factor: Vec<Vec<f64>> = Vec::with_capacity(matrix.len());
    for (i, line) in matrix.iter().enumerate() {
        let mut row: Vec<f64> = Vec::with_capacity(i + 1);
        for j in 0..=i {
            let above = factor.get(j).unwrap_or(&row);
            let sum: f64 = row.iter().zip(above).take(j).map(|(a, b)| a * b).sum();
            let rest = line[j] - sum;
            row.push(if i == j { rest.sqrt() } else { rest / above[j] });
        }
        if !(row[i] > 0.0 && row[i].is_finite()) {
            return None;
        }
        factor.push(row);
    }
    Some(factor)
}

/// The inverse of a lower triangular matrix, row by row.
pub(crate) fn inverse(factor: &[Vec<f64>]) -> Vec<Vec<f32>> {
    let mut inverse: Vec<Vec<f64>> = Vec::with_capacity(factor.len());
    for (i, line) in factor.iter().enumerate() {
        let row = (0..=i).map(|j| {
            let unit = f64::from(u8::from(i == j));
            let sum: f64 = (j..i).map(|k| line[k] * inverse[k][j]).sum();
            (unit - sum) / line[i]
        });
        let row = row.collect();
        inverse.push(row);
    }
    inverse
        .into_iter()
        .map(|row| row.into_iter().map(|value| value as f32).collect())
        .collect()
}
