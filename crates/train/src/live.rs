//! Loss and accuracy as Burn metrics, for the progress bar and for Burn's dashboard.

use std::sync::Arc;

use burn::{
    tensor::TensorReadError,
    train::{
        SupervisedTraining,
        logger::MetricLogger,
        metric::{
            Adaptor, Metric, MetricAttributes, MetricDefinition, MetricId, MetricMetadata,
            MetricName, Numeric, NumericAttributes, NumericEntry, SerializedEntry,
            state::{FormatOptions, NumericMetricState},
            store::{EpochSummary, MetricsUpdate, Split},
        },
    },
};

use crate::learner::{BatchResult, StepResult, Trainee};

/// What a live metric shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Mean cross-entropy, in nats.
    Loss,
    /// Share of right images, in percent.
    Accuracy,
}

impl Quantity {
    fn name(self) -> MetricName {
        Arc::new(format!("{self:?}"))
    }

    /// The id under which Burn reports the metric.
    pub fn id(self) -> MetricId {
        MetricId::new(self.name())
    }
}

/// Registers loss and accuracy for both splits. The training loop keeps the record of a run
/// itself, so Burn's own log files are left out.
pub fn register(training: SupervisedTraining<Trainee>) -> SupervisedTraining<Trainee> {
    training
        .metrics((Live::new(Quantity::Loss), Live::new(Quantity::Accuracy)))
        .with_metric_logger(Nowhere)
        .with_application_logger(None)
}

#[derive(Clone)]
struct Live {
    quantity: Quantity,
    state: NumericMetricState,
}

impl Live {
    fn new(quantity: Quantity) -> Self {
        Live {
            quantity,
            state: NumericMetricState::new(),
        }
    }

    fn format(&self) -> FormatOptions {
        let options = FormatOptions::new(self.quantity.name()).precision(4);
        match self.quantity {
            Quantity::Loss => options,
            Quantity::Accuracy => options.unit("%"),
        }
    }
}

impl Adaptor<BatchResult> for BatchResult {
    fn adapt(&self) -> BatchResult {
        *self
    }
}

impl Adaptor<BatchResult> for StepResult {
    fn adapt(&self) -> BatchResult {
        match self {
            StepResult::Read(result) => *result,
            StepResult::Logits(parts) => {
                let mut whole = BatchResult::default();
                for (logits, labels) in parts {
                    whole += BatchResult::measure(&logits.to_data(), labels);
                }
                whole
            }
        }
    }
}

impl Metric for Live {
    type Input = BatchResult;

    fn name(&self) -> MetricName {
        self.quantity.name()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes {
            unit: (self.quantity == Quantity::Accuracy).then(|| "%".to_owned()),
            higher_is_better: self.quantity == Quantity::Accuracy,
        }
        .into()
    }

    fn update(
        &mut self,
        batch: &BatchResult,
        _: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let value = match self.quantity {
            Quantity::Loss => batch.mean_loss(),
            Quantity::Accuracy => 100.0 * batch.accuracy(),
        };
        self.state.update(value, batch.count);
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.state.compute_final(self.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
    }
}

impl Numeric for Live {
    fn value(&self) -> Option<NumericEntry> {
        Some(self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        Some(self.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}

/// Burn needs a metric logger and would write one file per metric and epoch without it.
struct Nowhere;

impl MetricLogger for Nowhere {
    fn log(&mut self, _: MetricsUpdate, _: usize, _: &Split) {}

    fn read_numeric(&mut self, _: &str, _: usize, _: &Split) -> Result<Vec<NumericEntry>, String> {
        Ok(Vec::new())
    }

    fn log_metric_definition(&mut self, _: MetricDefinition) {}

    fn log_epoch_summary(&mut self, _: EpochSummary) {}
}
