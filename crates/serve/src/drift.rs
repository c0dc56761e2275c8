//! Whether a model leaves more to people than validation promised: its last hour by the minute.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus::{Encoder, GaugeVec, Opts, Registry, TextEncoder};

use crate::models::{Loaded, Models};

/// Minutes that are remembered.
const MINUTES: u64 = 60;
/// Standard errors by which the share of deferred images has to differ from what was promised, to be called
/// a drift: by chance alone it does in one look of 16,000.
const SIGNIFICANT: f64 = 4.0;

/// What the models in service decided, by name. A model that takes the place of another begins anew: what was
/// promised for one says nothing of the other.
#[derive(Debug, Default)]
pub struct Decided(Mutex<BTreeMap<String, Record>>);

/// What a version of a model decided since it came into service.
#[derive(Clone, Debug, Default)]
pub struct Record {
    version: String,
    /// The last hour.
    pub minutes: VecDeque<Minute>,
    /// Images.
    pub images: u64,
    /// Those of them that were left to people.
    pub deferred: u64,
}

/// What was decided within a minute.
#[derive(Clone, Copy, Debug)]
pub struct Minute {
    /// Since 1970.
    pub at: u64,
    /// Images.
    pub images: u64,
    /// Those of them that were left to people.
    pub deferred: u64,
}

/// The share of images that was left to people in the last hour, beside the one that validation promised.
#[derive(Debug)]
pub struct Drift {
    /// None without images.
    pub now: Option<f64>,
    /// None if nothing was promised.
    pub promised: Option<f64>,
    /// Whether they differ by more than chance.
    pub significant: bool,
}

impl Decided {
    /// A model, which is the one in service under its name, decided on images.
    pub fn images(&self, name: &str, model: &Loaded, accepted: u64, deferred: u64) {
        let images = accepted + deferred;
        let mut records = self.lock();
        if records
            .get(name)
            .is_none_or(|record| record.version != model.version)
        {
            records.insert(name.to_owned(), Record::of(model));
        }
        let Some(record) = records.get_mut(name) else {
            return;
        };
        let at = minute();
        record.pass(at);
        record.images += images;
        record.deferred += deferred;
        match record.minutes.back_mut().filter(|minute| minute.at == at) {
            Some(minute) => {
                minute.images += images;
                minute.deferred += deferred;
            }
            None => record.minutes.push_back(Minute {
                at,
                images,
                deferred,
            }),
        }
    }

    /// What the model in service under a name decided.
    pub fn record(&self, name: &str, model: &Loaded) -> Record {
        let found = self.lock().get(name).cloned();
        let found = found.filter(|record| record.version == model.version);
        let mut record = found.unwrap_or_else(|| Record::of(model));
        record.pass(minute());
        record
    }

    /// For Prometheus, of each model in service. The gauges are made anew each time, so that none is left of
    /// models that aren't in service any more.
    ///
    /// # Errors
    /// Never but by a fault of the program: two gauges of one name.
    pub fn text(&self, models: &Models) -> prometheus::Result<String> {
        let registry = Registry::new();
        let gauge = |name, help| {
            let gauge = GaugeVec::new(Opts::new(name, help), &["model", "version"])?;
            registry.register(Box::new(gauge.clone()))?;
            prometheus::Result::Ok(gauge)
        };
        let deferred = gauge(
            "serve_deferred_share",
            "Share of the images of the last hour that a model left to people; NaN without images.",
        )?;
        let promised = gauge(
            "serve_promised_share",
            "Share that validation promised; NaN if none was.",
        )?;
        let significant = gauge(
            "serve_drift_significant",
            "Whether the two differ by more than chance.",
        )?;
        for (name, slot) in models.iter() {
            let model = slot.current();
            let drift = self.record(name, &model).drift(&model);
            let labels = [name, &model.version];
            let set = |gauge: &GaugeVec, value| gauge.with_label_values(&labels).set(value);
            set(&deferred, drift.now.unwrap_or(f64::NAN));
            set(&promised, drift.promised.unwrap_or(f64::NAN));
            set(&significant, f64::from(u8::from(drift.significant)));
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text)?;
        Ok(String::from_utf8(text).unwrap_or_default())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn of(model: &Loaded) -> Self {
        Record {
            version: model.version.clone(),
            ..Record::default()
        }
    }

    /// Forgets what is longer ago than an hour.
    fn pass(&mut self, minute: u64) {
        let minutes = &mut self.minutes;
        while minutes
            .front()
            .is_some_and(|first| first.at + MINUTES <= minute)
        {
            minutes.pop_front();
        }
    }

    /// The last hour beside what `model`, which it is of, was promised to do.
    pub fn drift(&self, model: &Loaded) -> Drift {
        let promised = promised(model);
        let sum = |of: fn(&Minute) -> u64| self.minutes.iter().map(of).sum::<u64>() as f64;
        let (n, deferred) = (sum(|minute| minute.images), sum(|minute| minute.deferred));
        let now = (n > 0.0).then(|| deferred / n);
        let beyond = |(share, promised): (f64, f64)| {
            // At least one image's worth, so that a promise of none isn't broken by one.
            let error = (promised * (1.0 - promised) / n).sqrt().max(1.0 / n);
            (share - promised).abs() > SIGNIFICANT * error
        };
        Drift {
            now,
            promised,
            significant: now.zip(promised).is_some_and(beyond),
        }
    }
}

/// Minutes since 1970.
fn minute() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or(Duration::ZERO).as_secs() / 60
}

/// The share of its validation images that a model leaves to people, where its threshold was fitted on any.
fn promised(model: &Loaded) -> Option<f64> {
    let deferral = &model.classifier.calibration().deferral;
    (deferral.n > 0).then_some(1.0 - deferral.coverage)
}
