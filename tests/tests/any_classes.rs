//! Other data sets than MNIST, from files to answers: each trained on, examined, used and shown, through the
//! binaries. The images are MNIST's handwriting in other forms.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use image::{GrayImage, RgbImage, imageops};
use serde_json::Value;
use tests::{Sandbox, root, smoke};

const PIXELS: usize = 28 * 28;

/// MNIST's images of a split, and what they show.
fn mnist(split: &str) -> (Vec<[u8; PIXELS]>, Vec<u8>) {
    let read = |file: &str, header: usize| {
        let path = format!("crates/data/mnist/{split}-{file}-ubyte.gz");
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(File::open(root().join(path)).unwrap())
            .read_to_end(&mut bytes)
            .unwrap();
        bytes.split_off(header)
    };
    let images = read("images-idx3", 16);
    (images.as_chunks().0.to_vec(), read("labels-idx1", 8))
}

fn idx(kind: u8, sizes: &[usize], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, sizes.len() as u8];
    for &size in sizes {
        bytes.extend((size as u32).to_be_bytes());
    }
    bytes.extend(values);
    bytes
}

fn turned(image: &[u8; PIXELS]) -> [u8; PIXELS] {
    std::array::from_fn(|at| image[(27 - at % 28) * 28 + at / 28])
}

/// A class for each digit in each of five forms: as it is, its negative, a quarter turn, both, half as dark.
fn in_forms(image: &[u8; PIXELS], form: usize) -> [u8; PIXELS] {
    match form {
        0 => *image,
        1 => image.map(|value| 255 - value),
        2 => turned(image),
        3 => turned(image).map(|value| 255 - value),
        _ => image.map(|value| value / 2),
    }
}

/// Writes a set of `classes` classes, of which labels begin at `first`.
fn write_forms(folder: &Path, names: [&str; 2], first: u8, classes: usize, counts: [usize; 2]) {
    fs::create_dir_all(folder).unwrap();
    for (split, (name, count)) in ["train", "t10k"].iter().zip(names.iter().zip(counts)) {
        let (images, labels) = mnist(split);
        let (mut pixels, mut found) = (Vec::new(), Vec::new());
        for (index, (image, &label)) in images.iter().zip(&labels).enumerate() {
            let form = index % classes.div_ceil(10);
            let class = 10 * form + usize::from(label);
            if class < classes && found.len() < count {
                pixels.extend(in_forms(image, form));
                found.push(first + class as u8);
            }
        }
        let sizes = [found.len(), 28, 28];
        let file = |kind: &str| folder.join(format!("{name}-{kind}"));
        fs::write(file("images-idx3-ubyte"), idx(8, &sizes, &pixels)).unwrap();
        fs::write(file("labels-idx1-ubyte"), idx(8, &sizes[..1], &found)).unwrap();
    }
}

fn json(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    serde_json::from_str(&sandbox.succeed("digits", arguments).stdout).unwrap()
}

/// Trains on a folder and examines what came of it in each way. Returns the accuracy and the checkpoint.
fn through_all(sandbox: &Sandbox, data: &str, more: &[&str]) -> (f64, Value) {
    let recipe = smoke();
    let mut arguments = vec!["--config", &recipe, "--run-dir", "run", "--data-dir", data];
    arguments.extend(["--set", "data.validation=500", "--set", "training.epochs=3"]);
    arguments.extend(more);
    sandbox.succeed("train", &arguments);
    let summary = sandbox.json("run/summary.json");
    let accuracy = summary["test"]["accuracy"].as_f64().unwrap();
    // The same again, from the checkpoint alone: it knows where the data were and how they are read.
    let again = json(sandbox, &["evaluate", "run/model", "--json"]);
    assert_eq!(again["test"]["accuracy"], summary["test"]["accuracy"]);
    assert_eq!(again["test"]["origin"]["same"], true);
    sandbox.succeed("digits", &["verify", "run"]);
    let report = String::from_utf8(sandbox.bytes("run/report.html")).unwrap();
    assert!(report.ends_with("</html>\n") || report.ends_with("</html>"));
    let stress = json(sandbox, &["stress", "run/model", "--limit", "50", "--json"]);
    assert_eq!(stress["rows"].as_array().unwrap().len(), 21);
    (accuracy, sandbox.json("run/model/checkpoint.json"))
}

#[test]
fn a_set_in_mnists_format_is_answered_by_the_names_of_its_classes() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("fashion");
    write_forms(&folder, ["train", "t10k"], 0, 10, [4_000, 1_000]);
    let names = "T-shirt/top\nTrouser\nPull over\nDress\n=Coat()\nSandal <b>\nHemd & Hose\nSneaker\nTasche\nحذاء\n";
    fs::write(folder.join("classes.txt"), names).unwrap();
    let (accuracy, checkpoint) = through_all(&sandbox, "fashion", &[]);
    assert!(accuracy > 0.9, "{accuracy}");
    let names: Vec<_> = names.lines().collect();
    assert_eq!(checkpoint["classes"], serde_json::json!(names));
    assert_eq!(checkpoint["version"], 3);

    // A picture of the set, as it is.
    let (images, labels) = mnist("t10k");
    let coat = labels.iter().position(|&label| label == 4).unwrap();
    let picture = GrayImage::from_raw(28, 28, images[coat].to_vec()).unwrap();
    picture.save(sandbox.path("4.png")).unwrap();
    let answer = json(&sandbox, &["predict", "run/model", "4.png", "--json"]);
    assert_eq!(
        (&answer["digit"], &answer["class"]),
        (&4.into(), &"=Coat()".into())
    );
    // A spreadsheet doesn't take the name for a formula.
    let csv = sandbox.succeed("digits", &["predict", "run/model", "4.png", "--csv"]);
    let lines: Vec<_> = csv.stdout.lines().collect();
    assert!(
        lines[0].starts_with("file,class,confidence,runner_up"),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("4.png,'=Coat(),"), "{lines:?}");
    let text = sandbox.succeed("digits", &["predict", "run/model", "4.png"]);
    assert!(
        text.stdout.starts_with("4.png: =Coat() "),
        "{}",
        text.stdout
    );

    let report = String::from_utf8(sandbox.bytes("run/report.html")).unwrap();
    assert!(report.contains("Sandal &lt;b&gt;") && !report.contains("Sandal <b>"));
    assert!(report.contains("Hemd &amp; Hose") && report.contains("حذاء"));
    let inspected = sandbox.succeed("digits", &["inspect", "run/model"]).stdout;
    assert!(
        inspected.contains("28×28 grey") && inspected.contains("T-shirt/top"),
        "{inspected}"
    );
}

#[test]
fn doubtful_images_of_named_classes_go_to_a_person_and_come_back() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("pets");
    write_forms(&folder, ["train", "t10k"], 0, 3, [1_500, 400]);
    fs::write(folder.join("classes.txt"), "cat\ndog\nnone of these\n").unwrap();
    through_all(&sandbox, "pets", &[]);
    let arguments = ["evaluate", "run/model", "--review-dir", "check"];
    sandbox.succeed("digits", &arguments);
    let table = String::from_utf8(sandbox.bytes("check/review.csv")).unwrap();
    let header = table.lines().next().unwrap();
    assert_eq!(
        header,
        "file,index,class,confidence,runner_up,reason,answer"
    );
    // Everything is a dog, in the person's way of writing it.
    let filled: String = table
        .lines()
        .enumerate()
        .map(|(row, line)| {
            if row == 0 {
                format!("{line}\n")
            } else {
                format!("{line}Dog\n")
            }
        })
        .collect();
    fs::write(sandbox.path("check/review.csv"), filled).unwrap();
    let review = json(
        &sandbox,
        &[
            "evaluate",
            "run/model",
            "--review",
            "check/review.csv",
            "--json",
        ],
    );
    assert_eq!(review["review"]["answered"], table.lines().count() - 1);
    let wrong = table.replace("\n", "bird\n").replacen("bird\n", "\n", 1);
    fs::write(sandbox.path("check/review.csv"), wrong).unwrap();
    let line = sandbox.fail(
        "digits",
        &["evaluate", "run/model", "--review", "check/review.csv"],
    );
    assert!(
        line.contains("\"bird\"") && line.contains("cat, dog, none of these"),
        "{line}"
    );
}

#[test]
fn letters_are_turned_as_emnist_holds_them_and_named_by_its_mapping() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("letters");
    let names = ["emnist-letters-train", "emnist-letters-test"];
    write_forms(&folder, names, 1, 26, [6_000, 1_500]);
    let mapping: String = (1..=26)
        .map(|i| format!("{i} {} {}\n", 64 + i, 96 + i))
        .collect();
    fs::write(folder.join("emnist-letters-mapping.txt"), mapping).unwrap();
    let (accuracy, checkpoint) = through_all(&sandbox, "letters", &[]);
    assert!(accuracy > 0.8, "{accuracy}");
    assert_eq!(checkpoint["classes"][0], "Aa");
    assert_eq!(checkpoint["labels"][25], 26);
}

#[test]
fn forty_seven_classes_of_bytes_without_names_are_called_by_their_labels() {
    let sandbox = Sandbox::new();
    write_forms(
        &sandbox.path("balanced"),
        ["train", "t10k"],
        0,
        47,
        [9_000, 2_000],
    );
    let (accuracy, checkpoint) = through_all(&sandbox, "balanced", &[]);
    assert!(accuracy > 0.75, "{accuracy}");
    assert_eq!(checkpoint["classes"].as_array().unwrap().len(), 47);
    assert_eq!(checkpoint["classes"][46], "46");
}

/// The digit in red, green or blue on a ground of another colour, 32×32.
fn coloured(image: &[u8; PIXELS], colour: usize) -> [u8; 3 * 1024] {
    let grey = GrayImage::from_raw(28, 28, image.to_vec()).unwrap();
    let large = imageops::resize(&grey, 32, 32, imageops::FilterType::Triangle);
    std::array::from_fn(|at| {
        let value = large.as_raw()[at % 1024];
        if at / 1024 == colour {
            value
        } else {
            200 - value / 2
        }
    })
}

#[test]
fn colours_in_rank_four_tell_classes_apart_that_grey_could_not() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("colours");
    fs::create_dir_all(&folder).unwrap();
    for (split, count) in [("train", 3_000), ("t10k", 600)] {
        let (images, labels) = mnist(split);
        let (mut pixels, mut found) = (Vec::new(), Vec::new());
        for (index, (image, &label)) in images.iter().zip(&labels).take(count).enumerate() {
            pixels.extend(coloured(image, index % 3));
            found.push((index % 3) as u8 * 2 + u8::from(label >= 5));
        }
        let write = |name: &str, bytes: Vec<u8>| fs::write(folder.join(name), bytes).unwrap();
        let sizes = [count, 3, 32, 32];
        write(
            &format!("{split}-images-idx4-ubyte"),
            idx(8, &sizes, &pixels),
        );
        write(
            &format!("{split}-labels-idx1-ubyte"),
            idx(8, &sizes[..1], &found),
        );
    }
    let (accuracy, checkpoint) = through_all(&sandbox, "colours", &[]);
    assert!(accuracy > 0.85, "{accuracy}");
    assert_eq!(
        checkpoint["input"],
        serde_json::json!({"channels": 3, "height": 32, "width": 32})
    );
    assert_eq!(
        checkpoint["normalization"]["mean"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    // Cut for a network that they are too small for.
    let deep = "network.blocks=[{channels=8,kernel=5},{channels=8,kernel=5},{channels=8,kernel=5},{channels=8,kernel=5}]";
    let line = sandbox.fail(
        "train",
        &["--data-dir", "colours", "--set", deep, "--run-dir", "deep"],
    );
    assert!(
        line.contains("network.blocks[2].kernel") && line.contains("larger images"),
        "{line}"
    );
}

#[test]
fn a_folder_of_pictures_needs_nothing_but_a_folder_for_each_class() {
    let sandbox = Sandbox::new();
    let (images, labels) = mnist("train");
    let names = ["Ähre", "rose garden", "ひまわり"];
    let mut counts = [0; 3];
    for (image, label) in images.iter().zip(&labels) {
        let class = usize::from(*label);
        if class > 2 || counts[class] == 120 {
            continue;
        }
        counts[class] += 1;
        let number = counts[class];
        let folder = sandbox.path("flowers").join(names[class]);
        fs::create_dir_all(&folder).unwrap();
        // Of many sizes, in colour, in two formats.
        let (width, height) = (30 + 7 * (number as u32 % 9), 30 + 5 * (number as u32 % 7));
        let grey = GrayImage::from_raw(28, 28, image.to_vec()).unwrap();
        let large = imageops::resize(&grey, width, height, imageops::FilterType::Triangle);
        let picture = RgbImage::from_fn(width, height, |x, y| {
            let value = large.get_pixel(x, y).0[0];
            image::Rgb([255 - value, 230 - value / 2, 120])
        });
        let ending = if number % 2 == 0 { "png" } else { "jpg" };
        picture
            .save(folder.join(format!("{number}.{ending}")))
            .unwrap();
    }
    let broken = sandbox.path("flowers").join(names[1]).join("broken.jpg");
    fs::write(
        &broken,
        &fs::read(broken.with_file_name("1.jpg")).unwrap()[..300],
    )
    .unwrap();
    fs::write(broken.with_file_name("Thumbs.db"), "left by a desktop").unwrap();
    fs::write(broken.with_file_name("notes.txt"), "no picture").unwrap();

    let recipe = root().join("configs/pictures.toml").display().to_string();
    let outcome = sandbox.succeed(
        "train",
        &[
            "--config",
            &recipe,
            "--data-dir",
            "flowers",
            "--run-dir",
            "run",
        ],
    );
    let notes: Vec<_> = outcome
        .stderr
        .lines()
        .filter(|line| line.contains("left out"))
        .collect();
    assert_eq!(notes.len(), 2, "{}", outcome.stderr);
    assert!(
        notes.iter().any(|note| note.contains("broken.jpg")),
        "{notes:?}"
    );
    assert!(
        outcome
            .stderr
            .contains("held out for testing, drawn by seed 0"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome
            .stderr
            .contains("images of 32×32 colour, 3 classes: rose garden, Ähre, ひまわり"),
        "{}",
        outcome.stderr
    );
    let summary = sandbox.json("run/summary.json");
    let accuracy = summary["test"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.9, "{accuracy}");
    let again = json(&sandbox, &["evaluate", "run/model", "--json"]);
    assert_eq!(
        again["test"]["accuracy"], summary["test"]["accuracy"],
        "the same pictures are held out"
    );

    let rose = broken.with_file_name("2.png").display().to_string();
    let answer = json(&sandbox, &["predict", "run/model", &rose, "--json"]);
    assert_eq!(answer["class"], "rose garden");
    assert!(
        answer["region"].is_null(),
        "the whole picture is what counts: {answer}"
    );
    // Classes and a size of one's own.
    let line = sandbox.fail(
        "train",
        &[
            "--data-dir",
            "flowers",
            "--set",
            "data.size=[300,20]",
            "--run-dir",
            "b",
        ],
    );
    assert!(line.contains("data.size"), "{line}");
    fs::create_dir(sandbox.path("flowers").join("empty")).unwrap();
    fs::write(sandbox.path("flowers/empty/x.png"), "no picture").unwrap();
    let line = sandbox.fail("train", &["--data-dir", "flowers", "--run-dir", "c"]);
    assert!(
        line.contains("empty") && line.contains("no picture that can be read"),
        "{line}"
    );
}

#[test]
fn what_belongs_to_digits_alone_is_off_for_other_classes_and_that_is_said_once() {
    let sandbox = Sandbox::new();
    let digits_only = [
        "--set",
        "data.negatives=0.3",
        "--set",
        "data.augmentation.styles=1",
        "--set",
        "data.validation_augmentation.styles=1",
    ];
    // Ten classes of MNIST's images under other names, two of its classes, and ten classes called 0 to 9 of
    // which the images are no white digits on black.
    let names = ["train", "t10k"];
    for (set, classes, count) in [("named", 10, 3_000), ("two", 2, 600), ("dark", 10, 3_000)] {
        write_forms(&sandbox.path(set), names, 0, classes, [count, 500]);
    }
    let letters = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
    fs::write(sandbox.path("named/classes.txt"), letters).unwrap();
    for file in [
        "dark/train-images-idx3-ubyte",
        "dark/t10k-images-idx3-ubyte",
    ] {
        let mut bytes = sandbox.bytes(file);
        bytes[16..]
            .iter_mut()
            .for_each(|pixel| *pixel = 255 - *pixel);
        fs::write(sandbox.path(file), bytes).unwrap();
    }
    for set in ["named", "two", "dark"] {
        let train = |run: &str, more: &[&str]| {
            let more = [&["--data-dir", set][..], more].concat();
            let notes = sandbox.train(run, &more).stderr;
            let notes = notes.lines().filter(|line| line.contains("digits"));
            (
                notes.map(str::to_owned).collect::<Vec<_>>(),
                sandbox.bytes(&format!("{run}/model/model.bpk")),
            )
        };
        let (said, plain) = train(&format!("{set}-plain"), &[]);
        assert_eq!(said, [""; 0], "{set}");
        let (said, asked) = train(&format!("{set}-asked"), &digits_only);
        assert_eq!(said.len(), 1, "{set}: {said:?}");
        assert!(
            said[0].starts_with("note: these are not the ten digits"),
            "{said:?}"
        );
        assert!(
            said[0].contains("styles") && said[0].contains("data.negatives"),
            "{said:?}"
        );
        assert_eq!(asked, plain, "{set}");
        // A sheet shows what training would do.
        let sheet = [
            "--config",
            &smoke(),
            "--data-dir",
            set,
            "--sheet",
            "sheet.svg",
        ];
        sandbox.succeed("train", &[&sheet[..], &digits_only].concat());
        let sheet = String::from_utf8(sandbox.bytes("sheet.svg")).unwrap();
        assert!(
            sheet.contains("rotation 10")
                && !sheet.contains("styles")
                && !sheet.contains("negatives")
        );
    }
}

#[test]
fn a_sheet_is_drawn_of_few_images_too() {
    let sandbox = Sandbox::new();
    // The first with all ten digits among them, fewer than a row has room for.
    write_forms(&sandbox.path("few"), ["train", "t10k"], 0, 10, [18, 18]);
    let changes = [
        "--set",
        "data.negatives=1",
        "--set",
        "data.augmentation.styles=1",
    ];
    let sheet = [
        "--config",
        &smoke(),
        "--data-dir",
        "few",
        "--sheet",
        "few.svg",
    ];
    sandbox.succeed("train", &[&sheet[..], &changes].concat());
    let sheet = String::from_utf8(sandbox.bytes("few.svg")).unwrap();
    assert!(sheet.contains("styles 1") && sheet.contains("negatives 1"));
}
