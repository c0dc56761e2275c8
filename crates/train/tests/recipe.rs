//! Recipes: any text and any change give a recipe or one line that says what is wrong.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use train::config::{Config, DEFAULT_RECIPE};

fn many() -> ProptestConfig {
    ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..Default::default()
    }
}

fn recipe_or_one_line(text: &str, changes: &[String]) -> Result<(), TestCaseError> {
    match Config::parse(text, "recipe.toml", changes) {
        Ok(config) => {
            let again = Config::parse(&config.to_toml().unwrap(), "config.toml", &[]);
            prop_assert_eq!(again.unwrap(), config);
        }
        Err(error) => {
            let line = error.to_string();
            prop_assert!(!line.is_empty() && !line.contains('\n'), "{}", line);
        }
    }
    Ok(())
}

/// Every key of the default recipe, some that it leaves out, and some that don't exist.
fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "seed",
        "backend",
        "data",
        "data.dir",
        "data.validation",
        "data.limit",
        "data.augmentation",
        "data.augmentation.rotation",
        "data.augmentation.shift",
        "network.blocks",
        "network.dense",
        "network.norm",
        "network.order",
        "network.dropout",
        "training.epochs",
        "training.batch_size",
        "training.plain_epochs",
        "training.patience",
        "training.min_gain",
        "training.time_budget",
        "optimizer.learning_rate",
        "optimizer.beta_1",
        "optimizer.weight_decay",
        "schedule",
        "schedule.kind",
        "schedule.warmup",
        "calibration.target_risk",
        "calibration.conformal_levels",
        "",
        ".",
        "seed.seed",
        "no.such.key",
    ])
    .prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        (0_u32..100).prop_map(|number| number.to_string()),
        (0.0..1.0_f64).prop_map(|number| number.to_string()),
        prop::sample::select(vec![
            "true",
            "nan",
            "inf",
            "-0.0",
            "[]",
            "{}",
            "[[]]",
            "\"constant\"",
            "{kind=\"constant\"}",
            "{kind=\"one-cycle\",warmup=0.5}",
            "[{channels=4,kernel=3}]",
            "[{channels=4,kernel=30,padding=29}]",
            "[4096,4096]",
            "0x10",
            "1979-05-27",
            "1_000",
            "''' '''",
        ])
        .prop_map(str::to_owned),
        ".{0,20}",
    ]
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn any_text_is_a_recipe_or_an_error(text in ".{0,300}") {
        recipe_or_one_line(&text, &[])?;
    }

    #[test]
    fn any_changes_give_a_recipe_or_an_error(
        changes in prop::collection::vec((key(), value()), 1..4),
    ) {
        let changes: Vec<_> = changes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        recipe_or_one_line(DEFAULT_RECIPE, &changes)?;
    }

    #[test]
    fn a_recipe_with_text_overwritten_is_read_or_refused(
        place in any::<prop::sample::Index>(),
        length in 0_usize..40,
        text in prop_oneof!["[ -~]{0,20}", ".{0,5}", "[\\[\\]{}=\"',.#\n0-9]{0,8}"],
    ) {
        let recipe: Vec<char> = DEFAULT_RECIPE.chars().collect();
        let start = place.index(recipe.len());
        let end = (start + length).min(recipe.len());
        let changed: String =
            recipe[..start].iter().chain(&text.chars().collect::<Vec<_>>()).chain(&recipe[end..]).collect();
        recipe_or_one_line(&changed, &[])?;
    }
}

#[test]
fn the_default_recipe_survives_being_written() {
    let config = Config::parse(DEFAULT_RECIPE, "default", &[]).unwrap();
    assert_eq!(
        Config::parse(&config.to_toml().unwrap(), "config.toml", &[]).unwrap(),
        config
    );
}
