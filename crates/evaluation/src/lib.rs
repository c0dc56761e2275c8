//! From logits to decisions, and from decisions to figures: how often a classifier is right, how
//! far its probabilities can be trusted, when it should hand an image to a person, and which classes
//! it cannot exclude.
//!
//! Logits or probabilities and labels go in, figures come out; nothing here knows how they were
//! made. Rows are `f64` in row-major order, `[images, classes]`. They are checked once, by
//! [`Logits::new`] or [`Predictions::from_probabilities`]; everything after that works on valid
//! values.
//!
//! | question | answer |
//! |---|---|
//! | how often is it right, and on which classes? | [`metrics`] |
//! | does 99 % mean 99 times in 100? | [`reliability`], [`Temperature`] |
//! | does it know when it is wrong? | [`selective`] |
//! | which images go to a person? | [`Deferral`], [`EnergyLimit`], [`DistanceLimit`], [`review`] |
//! | which classes cannot be excluded? | [`conformal`] |
//! | what do several networks say together? | [`combine`] |
//! | how exact are these figures? | [`interval`] |
//! | is one classifier better than another? | [`Paired`] |
//!
//! [`Report`] collects the figures of one set of probabilities. [`Calibration`] is what a
//! checkpoint keeps: it is fitted on validation images, turns the logits of an image into a
//! [`Classification`], and [`Calibration::evaluate`] measures all of it on test images.
//!
//! ```
//! use evaluation::{Calibration, CalibrationConfig, Decision, Logits};
//!
//! let validation = Logits::new(
//!     3,
//!     vec![6.0, 0.0, 1.0, 0.5, 5.0, 0.0, 1.0, 1.2, 4.0, 2.0, 1.9, 0.0],
//!     vec![0, 1, 2, 1],
//! )?;
//! let calibration = Calibration::fit(&validation, &CalibrationConfig::default())?;
//! assert!(!calibration.deferral.certified, "four images certify nothing");
//!
//! let classification = calibration.decide(&[1.0, 0.9, 0.8])?;
//! assert_eq!(classification.class, 0);
//! assert!(matches!(classification.decision, Decision::Review { runner_up: 1, .. }));
//! # Ok::<(), evaluation::Error>(())
//! ```

mod calibration;
mod cholesky;
mod committee;
pub mod conformal;
mod decision;
mod deferral;
mod distance;
mod energy;
mod error;
mod evaluation;
mod evidence;
mod fared;
mod fit;
pub mod interval;
pub mod metrics;
mod pair;
mod paired;
mod pixels;
mod predictions;
mod promise;
mod random;
pub mod reliability;
mod report;
mod resplit;
pub mod review;
mod risk;
mod scores;
pub mod selective;
mod space;
mod temperature;

pub use calibration::Calibration;
pub use committee::combine;
pub use conformal::{Conformal, ConformalReport, Method, PredictionSet};
pub use decision::{Classification, Decision, ReviewReason};
pub use deferral::{Deferral, first_tested, smallest_certifiable};
pub use distance::DistanceLimit;
pub use energy::{EnergyLimit, energy, max_logit};
pub use error::Error;
pub use evaluation::{Evaluation, SelectiveReport};
pub use evidence::Evidence;
pub use fared::Fared;
pub use fit::CalibrationConfig;
pub use interval::Estimate;
pub use pair::pool;
pub use paired::{Paired, Verdict};
pub use pixels::{PixelLimits, Pixels};
pub use predictions::{Logits, MAX_CLASSES, Predictions};
pub use promise::Promise;
pub use report::Report;
pub use resplit::{Resplit, resplit};
pub use risk::RiskTarget;
pub use space::FeatureSpace;
pub use temperature::Temperature;
