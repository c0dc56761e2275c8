//! Every command of the README, as a reader types it.
//!
//! They run in a folder like the root of the repository, one after another, as each may use what the ones before it
//! have left. Where a command takes long, or needs what isn't there, [`COMMANDS`] says what is done
//! instead and why. A command that isn't in the table fails the test, and so does an entry that the
//! README no longer has.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{collections::BTreeSet, fs, io::Read as _, path::Path, process::Command};

use flate2::read::GzDecoder;
use image::{GrayImage, Luma};
use tests::{Sandbox, binary, root};

/// What is done about a command.
#[derive(Clone, Copy)]
enum How {
    /// It is run as it stands.
    Run,
    /// It is run with these arguments too, for the reason in words.
    Shortened(&'static [&'static str], &'static str),
    /// Another test or step runs it, or this run is it.
    Elsewhere(&'static str),
}
use How::{Elsewhere, Run, Shortened};

/// A moment of training in the place of a whole recipe.
const MOMENT: &[&str] = &["--set", "data.limit=512", "--set", "data.validation=500"];
const LONG: &str = "it trains a whole recipe";

/// Each command of the README's blocks, and what is done about it.
const COMMANDS: &[(&str, How)] = &[
    ("cargo run -p train --release", Shortened(MOMENT, LONG)),
    (
        "cargo test --workspace --release --locked",
        Elsewhere("this test is a part of it"),
    ),
    (
        "cargo build --release",
        Elsewhere("what it builds is run by all commands after it"),
    ),
    (
        "target/release/digits predict artifacts/pretrained three.png",
        Run,
    ),
    (
        "target/release/digits predict artifacts/pretrained scans --recursive --csv --review-dir to-check > answers.csv",
        Run,
    ),
    (
        "target/release/digits join answers.csv to-check/review.csv > final.csv",
        Run,
    ),
    ("target/release/digits evaluate artifacts/latest/model", Run),
    (
        "target/release/digits evaluate artifacts/pretrained --resplits 100",
        Run,
    ),
    ("target/release/digits inspect artifacts/latest/model", Run),
    ("target/release/digits verify artifacts/latest", Run),
    ("target/release/digits stress artifacts/pretrained", Run),
    (
        "target/release/digits compare artifacts/pretrained artifacts/latest/model",
        Run,
    ),
    (
        "target/release/digits export artifacts/pretrained --to exported --format onnx",
        Run,
    ),
    (
        "target/release/digits export artifacts/pretrained --to weights --format safetensors",
        Run,
    ),
    (
        "target/release/digits import --from weights/model.safetensors --architecture weights/config.json --to imported",
        Run,
    ),
    (
        "target/release/digits calibrate artifacts/pretrained --risk 0.01 --to bolder",
        Run,
    ),
    (
        "target/release/digits sign bolder --key key.pem",
        Elsewhere("tests/sign.rs, which has a key"),
    ),
    (
        r#"target/release/train --config configs/adapt.toml --start-from artifacts/pretrained --set data.also='[{dir="new-images",weight=20}]'"#,
        Elsewhere("tests/adapt.rs, which has new images"),
    ),
    (
        "target/release/digits compare artifacts/pretrained artifacts/latest/model --data-dir new-images",
        Elsewhere("tests/adapt.rs, which has new images"),
    ),
    (
        "target/release/train --config configs/pictures.toml --data-dir flowers",
        Shortened(&["--set", "training.epochs=2"], LONG),
    ),
    (
        "target/release/digits predict artifacts/latest/model garden.jpg",
        Run,
    ),
    (
        "cargo run -p serve --release",
        Elsewhere("tests/serve.rs, on a port of its own"),
    ),
    ("target/release/train --resume artifacts/latest", Run),
    ("train --config configs/fast.toml", Shortened(MOMENT, LONG)),
    (
        "train --set training.epochs=3 --set optimizer.learning_rate=3e-3 --print-config",
        Run,
    ),
    (
        "train --seed 7 --run-dir artifacts/seven",
        Shortened(MOMENT, LONG),
    ),
    ("train sweep configs/sweeps/recipes.toml --jobs 2", Run),
    ("train --data-dir fashion-mnist", Shortened(MOMENT, LONG)),
    (
        "train --data-dir mnist --download",
        Elsewhere("tests/download.rs, with a server on this machine"),
    ),
    (
        "cargo run -p train --release --features remote-server -- --serve-device flex --token-file token",
        Elsewhere("tests/remote.rs, on a port of its own"),
    ),
    (
        "cargo run -p train --release --features remote -- --device remote://127.0.0.1:7010 --token-file token",
        Elsewhere("tests/remote.rs, with a lender"),
    ),
    (
        "cargo run -p train --release --features wgpu -- --backend wgpu",
        Elsewhere("tests/wgpu.rs, where there is an adapter"),
    ),
];

/// The commands in the blocks of the README that are marked `sh`, without comments.
fn commands() -> Vec<String> {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let mut commands = Vec::new();
    for block in text.split("```sh\n").skip(1) {
        let (block, _) = block.split_once("```").expect("a block ends");
        // A line that ends in a backslash goes on in the next.
        for line in block.replace("\\\n", " ").lines() {
            let command = line.split(" #").next().unwrap().trim();
            if !command.is_empty() && !command.starts_with('#') {
                commands.push(command.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
    assert!(!commands.is_empty(), "the README has commands");
    commands
}

/// The binary and the arguments that a command comes down to.
fn resolved(command: &str) -> (&str, Vec<&str>) {
    let mut words: Vec<_> = command.split(' ').collect();
    if let ["cargo", "run", "-p", name, ..] = words[..] {
        let arguments = words.iter().position(|word| *word == "--");
        return (
            name,
            arguments.map_or(Vec::new(), |at| words.split_off(at + 1)),
        );
    }
    let program = Path::new(words.remove(0)).file_name().unwrap();
    (program.to_str().unwrap(), words)
}

#[test]
fn every_command_is_known_here_and_nothing_else_is() {
    let written: BTreeSet<_> = commands().into_iter().collect();
    let known: BTreeSet<_> = COMMANDS
        .iter()
        .map(|(command, _)| (*command).to_owned())
        .collect();
    let unknown: Vec<_> = written.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "in the README and not in this test: {unknown:#?}"
    );
    let gone: Vec<_> = known.difference(&written).collect();
    assert!(
        gone.is_empty(),
        "in this test and not in the README: {gone:#?}"
    );
}

#[test]
fn the_commands_do_what_they_are_there_for() {
    let sandbox = Sandbox::new();
    lay_out(&sandbox);
    for command in commands() {
        let how = COMMANDS.iter().find(|(known, _)| *known == command);
        let (_, how) = how.expect("the other test says which are known");
        let (name, mut args) = resolved(&command);
        match how {
            Run => {}
            Shortened(more, why) => {
                eprintln!("{command}: shortened, {why}");
                args.extend(*more);
            }
            Elsewhere(why) => {
                eprintln!("{command}: not here, {why}");
                continue;
            }
        }
        eprintln!("{command}");
        let into = args.iter().position(|word| *word == ">");
        let file = into.map(|at| args.split_off(at)[1]);
        let outcome = sandbox.succeed(name, &args);
        if let Some(file) = file {
            fs::write(sandbox.path(file), outcome.stdout).unwrap();
        }
    }
    let table = fs::read_to_string(sandbox.path("final.csv")).unwrap();
    assert_eq!(
        table.lines().count(),
        3,
        "a header and two pictures:\n{table}"
    );
    // What the text below the first command promises.
    for name in ["model", "summary.json", "metrics.jsonl", "report.html"] {
        assert!(
            sandbox.path("artifacts/default-001").join(name).exists(),
            "{name}"
        );
    }
    assert!(sandbox.path("artifacts/seven/model").is_dir());
    assert!(sandbox.path("artifacts/recipes/sweep.html").is_file());
}

/// Lays out what the commands find in the root of the repository, or bring themselves.
fn lay_out(sandbox: &Sandbox) {
    for folder in ["configs", "configs/sweeps", "artifacts/pretrained"] {
        fs::create_dir_all(sandbox.path(folder)).unwrap();
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let name = path.file_name().unwrap();
            fs::copy(&path, sandbox.path(folder).join(name)).unwrap();
        }
    }
    for name in ["train", "digits"] {
        assert!(binary(name).is_file());
    }
    let unpack = |name: &str| {
        let file = fs::File::open(root().join("crates/data/mnist").join(name)).unwrap();
        let mut bytes = Vec::new();
        GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        bytes
    };
    let images = unpack("t10k-images-idx3-ubyte.gz");
    let labels = unpack("t10k-labels-idx1-ubyte.gz");
    let three = labels[8..].iter().position(|&label| label == 3).unwrap();
    let picture = |index: usize| {
        let pixels = images[16 + index * 28 * 28..][..28 * 28].to_vec();
        GrayImage::from_raw(28, 28, pixels).unwrap()
    };
    picture(three).save(sandbox.path("three.png")).unwrap();
    fs::create_dir_all(sandbox.path("scans/blank")).unwrap();
    picture(three)
        .save(sandbox.path("scans/three.png"))
        .unwrap();
    let blank = GrayImage::from_pixel(64, 64, Luma([255]));
    blank.save(sandbox.path("scans/blank/page.png")).unwrap();
    // As good as flowers, for a network.
    for (digit, name) in [(0, "rose"), (1, "tulip")] {
        let folder = sandbox.path("flowers").join(name);
        fs::create_dir_all(&folder).unwrap();
        let shown = (0..10_000).filter(|&index| labels[8 + index] == digit);
        for index in shown.take(300) {
            let file = folder.join(format!("{index}.jpg"));
            picture(index).save(file).unwrap();
        }
    }
    picture(three).save(sandbox.path("garden.jpg")).unwrap();
    // Any set in MNIST's format.
    let other = sandbox.path("fashion-mnist");
    fs::create_dir(&other).unwrap();
    for split in ["train", "t10k"] {
        fs::write(other.join(format!("{split}-images-idx3-ubyte")), &images).unwrap();
        fs::write(other.join(format!("{split}-labels-idx1-ubyte")), &labels).unwrap();
    }
}

/// One seed in the place of many, with the binaries as they are, and nothing written down.
const ONE_SEED: &[&str] = &[
    "--count",
    "1",
    "--no-build",
    "--no-save",
    "--set",
    "data.limit=512",
    "--set",
    "training.epochs=1",
    "--set",
    "training.plain_epochs=0",
    "--set",
    "training.members=1",
];
const SEEDS: &str = "it trains a whole recipe for each of many seeds, and writes into docs/";

/// The scripts that the text names outside of its blocks.
const SCRIPTS: &[(&str, How)] = &[
    (
        "python3 bench/seeds.py --count 20",
        Shortened(ONE_SEED, SEEDS),
    ),
    (
        "python3 bench/seeds.py --count 20 --set training.epochs=4 --no-save",
        Shortened(ONE_SEED, SEEDS),
    ),
    (
        "python3 bench/seeds.py --config configs/fast.toml --count 20",
        Shortened(ONE_SEED, SEEDS),
    ),
    (
        "python3 bench/seeds.py --config configs/small.toml --count 10",
        Shortened(ONE_SEED, SEEDS),
    ),
    (
        "python3 bench/seeds.py --config configs/accurate.toml --count 10",
        Shortened(ONE_SEED, SEEDS),
    ),
    (
        "python3 bench/seeds.py --config configs/tiny.toml --count 10",
        Shortened(ONE_SEED, SEEDS),
    ),
    (
        "python3 bench/seeds.py --config configs/committee.toml --count 10",
        Shortened(ONE_SEED, SEEDS),
    ),
    (
        "python3 bench/run.py --install",
        Shortened(
            &["--help"],
            "it takes an hour of a machine with nothing else to do",
        ),
    ),
];

#[test]
fn the_scripts_that_the_text_names_run() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let spans = text.split('`').skip(1).step_by(2);
    let written: BTreeSet<_> = spans.filter(|span| span.starts_with("python3 ")).collect();
    let known: BTreeSet<_> = SCRIPTS.iter().map(|(command, _)| *command).collect();
    assert_eq!(written, known, "those of the README, those of this test");
    let release = binary("train").parent().unwrap().to_owned();
    for (command, how) in SCRIPTS {
        let mut words: Vec<_> = command.split(' ').collect();
        if let Shortened(more, _why) = how {
            words.extend(*more);
        }
        eprintln!("{}", words.join(" "));
        let outcome = Command::new(words[0])
            .args(&words[1..])
            .current_dir(root())
            .env("CARGO_TARGET_DIR", release.parent().unwrap())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&outcome.stderr);
        assert!(outcome.status.success(), "{command}\n{said}");
    }
}
