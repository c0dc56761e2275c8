//! The learning rate over time.

use std::f64::consts::PI;

use burn::optim::lr_scheduler::{LrScheduler, LrSchedulerRecord};

use crate::config::ScheduleConfig;

/// A learning rate that depends on the step alone.
#[derive(Clone, Debug)]
pub struct Schedule {
    config: ScheduleConfig,
    peak: f64,
    total: usize,
    /// Steps taken so far: the only state.
    step: usize,
}

impl Schedule {
    /// A schedule over `total` steps with the given peak rate.
    pub fn new(config: ScheduleConfig, peak: f64, total: usize) -> Self {
        Schedule {
            config,
            peak,
            total,
            step: 0,
        }
    }

    /// The shape of the schedule.
    pub fn config(&self) -> &ScheduleConfig {
        &self.config
    }

    /// The rate of a step, counted from 0.
    pub fn rate(&self, step: usize) -> f64 {
        match self.config {
            ScheduleConfig::Constant {} => self.peak,
            ScheduleConfig::OneCycle { warmup } => {
                // The first and the last step move a little too: neither sits at zero.
                let position = (step as f64 + 1.0) / (self.total as f64 + 1.0);
                if position < warmup {
                    self.peak * position / warmup
                } else {
                    let descent =
                        ((position - warmup) / (1.0 - warmup).max(f64::MIN_POSITIVE)).min(1.0);
                    self.peak * 0.5 * (1.0 + (PI * descent).cos())
                }
            }
        }
    }
}

impl LrScheduler for Schedule {
    fn step(&mut self) -> f64 {
        let rate = self.rate(self.step);
        self.step += 1;
        rate
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar("step", self.step as u64)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(step) = record.scalar::<u64>("step") {
            self.step = step as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cycle_rises_to_the_peak_and_falls_to_about_zero() {
        let schedule = Schedule::new(ScheduleConfig::OneCycle { warmup: 0.25 }, 0.01, 1000);
        let rates: Vec<_> = (0..1000).map(|step| schedule.rate(step)).collect();
        let peak = rates.iter().copied().fold(0.0, f64::max);
        assert!((peak - 0.01).abs() < 1e-4);
        assert!(rates[..249].windows(2).all(|pair| pair[0] < pair[1]));
        assert!(rates[251..].windows(2).all(|pair| pair[0] > pair[1]));
        assert!(rates[0] > 0.0 && rates[999] > 0.0 && rates[999] < 1e-6);
    }

    #[test]
    fn a_restored_schedule_goes_on_where_it_was() {
        let mut original = Schedule::new(ScheduleConfig::OneCycle { warmup: 0.3 }, 0.01, 100);
        let mut restored = original.clone();
        for _ in 0..37 {
            original.step();
        }
        restored.load_record(original.to_record());
        assert_eq!(original.step().to_bits(), restored.step().to_bits());
    }
}
