//! Recipes with changes from the command line: any text gives a recipe or an error of one line, and
//! a recipe survives being written.
//!
//! The input is the text; after a line `--set`, each line is one change.

#![no_main]

use libfuzzer_sys::fuzz_target;
use train::Config;

fuzz_target!(|text: &str| {
    let (recipe, changes) = text.split_once("\n--set\n").unwrap_or((text, ""));
    let changes: Vec<_> = changes.lines().map(str::to_owned).collect();
    check(recipe, &changes);
    // Changes reach further from a recipe that is right.
    check(train::config::DEFAULT_RECIPE, &changes);
});

fn check(recipe: &str, changes: &[String]) {
    match Config::parse(recipe, "recipe.toml", changes) {
        Ok(config) => {
            let text = config.to_toml().expect("no path here that is not UTF-8");
            let again = Config::parse(&text, "config.toml", &[]);
            assert_eq!(again.ok().as_ref(), Some(&config));
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
}
