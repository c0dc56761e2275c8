//! The keys of a recipe, and which of them someone meant who typed another.

/// Every key that holds a value, by its full name.
pub(crate) const KEYS: [&str; 74] = [
    "seed",
    "backend",
    "data.dir",
    "data.validation",
    "data.split_seed",
    "data.also",
    "data.calibrate_on",
    "data.limit",
    "data.transpose",
    "data.size",
    "data.channels",
    "data.picture",
    "data.negatives",
    "data.augmentation.rotation",
    "data.augmentation.shift",
    "data.augmentation.zoom",
    "data.augmentation.stretch",
    "data.augmentation.shear",
    "data.augmentation.elastic",
    "data.augmentation.stroke",
    "data.augmentation.outline",
    "data.augmentation.resolution",
    "data.augmentation.blur",
    "data.augmentation.binarize",
    "data.augmentation.contrast",
    "data.augmentation.shade",
    "data.augmentation.noise",
    "data.augmentation.crop",
    "data.augmentation.styles",
    "data.validation_augmentation.rotation",
    "data.validation_augmentation.shift",
    "data.validation_augmentation.zoom",
    "data.validation_augmentation.stretch",
    "data.validation_augmentation.shear",
    "data.validation_augmentation.elastic",
    "data.validation_augmentation.stroke",
    "data.validation_augmentation.outline",
    "data.validation_augmentation.resolution",
    "data.validation_augmentation.blur",
    "data.validation_augmentation.binarize",
    "data.validation_augmentation.contrast",
    "data.validation_augmentation.shade",
    "data.validation_augmentation.noise",
    "data.validation_augmentation.crop",
    "data.validation_augmentation.styles",
    "network.blocks",
    "network.dense",
    "network.norm",
    "network.order",
    "network.dropout",
    "training.epochs",
    "training.precision",
    "training.batch_size",
    "training.members",
    "training.start_from",
    "training.start_weights",
    "training.plain_epochs",
    "training.patience",
    "training.min_gain",
    "training.ema_decay",
    "training.time_budget",
    "training.tensorboard",
    "optimizer.learning_rate",
    "optimizer.beta_1",
    "optimizer.beta_2",
    "optimizer.epsilon",
    "optimizer.weight_decay",
    "schedule.kind",
    "schedule.warmup",
    "calibration.target_risk",
    "calibration.confidence_level",
    "calibration.conformal_levels",
    "calibration.in_distribution_share",
    "inference.views",
];

/// What the same thing is called elsewhere, spelled as [`plain`] does.
const ELSEWHERE: [(&str, &str); 58] = [
    ("lr", "optimizer.learning_rate"),
    ("maxlr", "optimizer.learning_rate"),
    ("rate", "optimizer.learning_rate"),
    ("momentum", "optimizer.beta_1"),
    ("beta1", "optimizer.beta_1"),
    ("beta2", "optimizer.beta_2"),
    ("eps", "optimizer.epsilon"),
    ("wd", "optimizer.weight_decay"),
    ("decay", "optimizer.weight_decay"),
    ("bs", "training.batch_size"),
    ("batch", "training.batch_size"),
    ("epoch", "training.epochs"),
    ("numepochs", "training.epochs"),
    ("nepochs", "training.epochs"),
    ("maxepochs", "training.epochs"),
    ("earlystopping", "training.patience"),
    ("mindelta", "training.min_gain"),
    ("ema", "training.ema_decay"),
    ("averagedecay", "training.ema_decay"),
    ("maxtime", "training.time_budget"),
    ("budget", "training.time_budget"),
    ("dtype", "training.precision"),
    ("mixedprecision", "training.precision"),
    ("randomseed", "seed"),
    ("randomstate", "seed"),
    ("device", "backend"),
    ("datadir", "data.dir"),
    ("path", "data.dir"),
    ("folder", "data.dir"),
    ("val", "data.validation"),
    ("valsize", "data.validation"),
    ("validationsize", "data.validation"),
    ("subset", "data.limit"),
    ("maxsamples", "data.limit"),
    ("extra", "data.also"),
    ("moredata", "data.also"),
    ("on", "data.calibrate_on"),
    ("finetune", "training.start_from"),
    ("initfrom", "training.start_from"),
    ("checkpoint", "training.start_from"),
    ("imagesize", "data.size"),
    ("resize", "data.size"),
    ("rotate", "data.augmentation.rotation"),
    ("degrees", "data.augmentation.rotation"),
    ("translate", "data.augmentation.shift"),
    ("scale", "data.augmentation.zoom"),
    ("layers", "network.blocks"),
    ("filters", "network.blocks"),
    ("hidden", "network.dense"),
    ("batchnorm", "network.norm"),
    ("bn", "network.norm"),
    ("dropoutrate", "network.dropout"),
    ("scheduler", "schedule.kind"),
    ("lrschedule", "schedule.kind"),
    ("risk", "calibration.target_risk"),
    ("ensemble", "training.members"),
    ("ensemblesize", "training.members"),
    ("tta", "inference.views"),
];

/// The full key that was probably meant by one that doesn't exist: the one that ends so (`epochs`,
/// or `training.learning_rate` where the section is wrong), the one that is called so elsewhere
/// (`lr`), or the nearest.
pub(crate) fn meant(key: &str) -> Option<&'static str> {
    let last = plain(key.rsplit('.').next().unwrap_or(key));
    if last.is_empty() {
        return None;
    }
    let end = |key: &'static str| plain(key.rsplit('.').next().unwrap_or(key));
    let same = KEYS.into_iter().find(|known| end(known) == last);
    let elsewhere = || {
        let named = ELSEWHERE.into_iter().find(|(name, _)| *name == last);
        named.map(|(_, key)| key)
    };
    let nearest = || {
        KEYS.into_iter()
            .map(|known| (strsim::jaro_winkler(&last, &end(known)), known))
            .filter(|(similarity, _)| *similarity > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, known)| known)
    };
    same.or_else(elsewhere).or_else(nearest)
}

/// A name without what its spellings differ by.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use toml::{Table, Value};

    use super::*;
    use crate::config::{Config, DEFAULT_RECIPE};

    /// The dotted keys of all values in a table.
    fn leaves(table: &Table, prefix: &str, found: &mut Vec<String>) {
        for (name, value) in table {
            let key = format!("{prefix}{name}");
            match value {
                Value::Table(inner) => leaves(inner, &format!("{key}."), found),
                _ => found.push(key),
            }
        }
    }

    #[test]
    fn the_list_is_that_of_a_recipe_with_everything_in_it() {
        let all = [
            "backend=ndarray",
            "data.dir=x",
            "data.split_seed=1",
            "data.limit=5",
            "data.also=[\"x\"]",
            "training.start_from=x",
            "training.start_weights=[\"0\"]",
            "data.transpose=true",
            "data.size=[64,48]",
            "data.channels=3",
            "data.picture=whole",
            "data.validation_augmentation={rotation=1}",
            "training.patience=1",
            "training.ema_decay=0.99",
            "training.time_budget=1",
            "training.tensorboard=true",
            "training.precision=bf16",
        ];
        let config = Config::parse(DEFAULT_RECIPE, "default", &all.map(String::from)).unwrap();
        let mut found = Vec::new();
        leaves(&Table::try_from(&config).unwrap(), "", &mut found);
        found.sort();
        let mut listed = KEYS.to_vec();
        listed.sort();
        assert_eq!(found, listed);
    }

    #[test]
    fn what_others_call_a_key_is_no_key_and_names_one() {
        for (name, key) in ELSEWHERE {
            assert!(KEYS.contains(&key), "{key}");
            assert_eq!(meant(name), Some(key));
        }
    }
}
