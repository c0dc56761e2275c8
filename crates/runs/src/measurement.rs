use serde::{Deserialize, Serialize};

/// No line of `metrics.jsonl` has more bytes.
pub const LINE_LIMIT: u64 = 1 << 12;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The epoch, from 1; 0 is before training.
    pub epoch: usize,
    /// The optimizer step, from 1, for values of one step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// `train` or `validation`.
    pub split: String,
    /// `loss` (nats per image), `accuracy` (fraction), `learning_rate` or `images_per_second`.
    pub name: String,
    /// The value.
    pub value: f64,
    /// Seconds since this run, or its latest resumption, began.
    pub seconds: f64,
}
