use serde::Serialize;

/// What to expect of a value, and how much it varies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// How many values there are.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// The standard deviation of the population that they are drawn from, estimated with `n - 1`; none of
    /// a single value.
    pub sd: Option<f64>,
}

impl Spread {
    /// That of some values; none where there are none.
    ///
    /// ```
    /// let spread = report::Spread::of([1.0, 2.0, 3.0]).ok_or("there are values")?;
    /// assert_eq!((spread.mean, spread.sd), (2.0, Some(1.0)));
    /// assert_eq!(report::Spread::of([]), None);
    /// # Ok::<(), &str>(())
    /// ```
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        Some(Spread { n, mean, sd })
    }

    /// `99.59 ± 0.04`, in units of `1 / scale`.
    pub(crate) fn shown(&self, scale: f64, decimals: usize) -> String {
        let mean = scale * self.mean;
        match self.sd {
            Some(sd) => format!("{mean:.decimals$} ± {:.decimals$}", scale * sd),
            None => format!("{mean:.decimals$}"),
        }
    }
}
