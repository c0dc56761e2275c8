//! What people have, from picture to answer, with the committed checkpoint.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![recursion_limit = "256"]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use data::{LabelledImages, PIXELS, Source};
use image::{DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage, imageops};
use model::{Backend, Classifier};
use pictures::Framing;
use rayon::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

fn pretrained() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../artifacts/pretrained")
}

fn test_images() -> LabelledImages {
    Source::Bundled.test().unwrap()
}

/// A test digit drawn `size` pixels high in ink on paper, with the paper's light from `light(x, y)`.
fn drawn(
    image: &[u8],
    size: u32,
    paper: [f32; 3],
    ink: [f32; 3],
    light: impl Fn(f32, f32) -> f32,
) -> DynamicImage {
    let small = GrayImage::from_raw(28, 28, image.to_vec()).unwrap();
    let large = imageops::resize(&small, size, size, imageops::FilterType::CatmullRom);
    RgbImage::from_fn(size * 3 / 2, size * 5 / 4, |x, y| {
        let (u, v) = (x.wrapping_sub(size / 3), y.wrapping_sub(size / 10));
        let value = if u < size && v < size {
            f32::from(large.get_pixel(u, v)[0]) / 255.0
        } else {
            0.0
        };
        // A pen's edge is sharper than an enlarged pixel's.
        let share = ((value - 0.5) * 3.0 + 0.5).clamp(0.0, 1.0);
        let light = light(x as f32 / size as f32, y as f32 / size as f32);
        Rgb([0, 1, 2].map(|c| ((paper[c] * (1.0 - share) + ink[c] * share) * light) as u8))
    })
    .into()
}

fn jpeg(picture: &DynamicImage) -> DynamicImage {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 70)
        .encode_image(picture)
        .unwrap();
    image::load_from_memory(&bytes).unwrap()
}

/// One way to draw a digit: from its number and its image.
type Kind = fn(usize, &[u8]) -> DynamicImage;

#[test]
fn drawn_digits_keep_the_answer_that_their_original_has() {
    let kinds: [(&str, Kind); 3] = [
        ("dark on light", |index, image| {
            drawn(
                image,
                150 + 2 * index as u32,
                [250.0; 3],
                [20.0; 3],
                |_, _| 1.0,
            )
        }),
        ("light on dark", |index, image| {
            drawn(
                image,
                150 + 2 * index as u32,
                [10.0; 3],
                [240.0, 240.0, 160.0],
                |_, _| 1.0,
            )
        }),
        ("a photo in a shadow", |index, image| {
            let light = |x: f32, y: f32| {
                if x + 0.3 * y > 0.9 {
                    0.55
                } else {
                    1.0 - 0.2 * x
                }
            };
            jpeg(&drawn(
                image,
                150 + 2 * index as u32,
                [230.0, 225.0, 210.0],
                [40.0, 45.0, 90.0],
                light,
            ))
        }),
    ];
    let classifier = Classifier::load(pretrained(), &Backend::default().device().unwrap()).unwrap();
    let images = test_images();
    let originals: Vec<[u8; PIXELS]> = images.pixels().as_chunks::<PIXELS>().0[..200].to_vec();
    let expected = classifier.classify_all(&originals);
    for (name, kind) in kinds {
        let framings: Vec<Framing> = (0..originals.len())
            .into_par_iter()
            .map(|index| pictures::find(&kind(index, &originals[index])))
            .collect();
        let framed: Vec<[u8; PIXELS]> = framings
            .iter()
            .map(|framing| match framing {
                Framing::Digit(framed) => framed.pixels,
                _ => [0; PIXELS],
            })
            .collect();
        let found = framings
            .iter()
            .filter(|framing| matches!(framing, Framing::Digit(_)))
            .count();
        let answers = classifier.classify_all(&framed);
        let kept = answers
            .iter()
            .zip(&expected)
            .zip(&framings)
            .filter(|((answer, expected), framing)| {
                answer.digit == expected.digit && matches!(framing, Framing::Digit(_))
            })
            .count();
        println!("{name}: {found} of 200 found, {kept} as their original");
        assert!(
            kept >= 194,
            "{name}: {found} of 200 found, {kept} as their original"
        );
    }
}

/// A folder with pictures in it.
struct Sandbox(TempDir);

impl Sandbox {
    fn new() -> Self {
        Sandbox(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes the test digit at `index` as a PNG.
    fn digit(&self, name: &str, index: usize) {
        self.save(
            name,
            &drawn(
                test_images().image(index),
                300,
                [250.0; 3],
                [20.0; 3],
                |_, _| 1.0,
            ),
        );
    }

    fn save(&self, name: &str, picture: &DynamicImage) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        picture
            .save_with_format(self.path(name), ImageFormat::Png)
            .unwrap();
    }

    fn digits(&self, verb: &str, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_digits"))
            .current_dir(self.0.path())
            .arg(verb)
            .arg(pretrained())
            .args(args)
            .output()
            .unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn blank() -> DynamicImage {
    RgbImage::from_pixel(300, 200, Rgb([240, 240, 240])).into()
}

#[test]
fn one_unreadable_file_does_not_stop_the_others() {
    let sandbox = Sandbox::new();
    sandbox.digit("a/seven.png", 0);
    sandbox.digit("a/two.jpg", 1);
    fs::write(sandbox.path("a/broken.png"), "no picture").unwrap();
    fs::write(sandbox.path("a/notes.txt"), "no picture either").unwrap();
    let output = sandbox.digits("predict", &["--json", "a", "nowhere.png"]);
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let files: Vec<&str> = lines
        .iter()
        .map(|line| line["file"].as_str().unwrap())
        .collect();
    assert_eq!(
        files,
        ["a/broken.png", "a/seven.png", "a/two.jpg", "nowhere.png"]
    );
    assert!(lines[0]["error"].as_str().unwrap().contains("a/broken.png"));
    assert_eq!(
        (&lines[1]["digit"], &lines[2]["digit"]),
        (&Value::from(7), &Value::from(2))
    );
    assert_eq!(lines[1]["probabilities"].as_array().unwrap().len(), 10);
}

#[test]
fn pictures_without_a_single_digit_go_to_a_person() {
    let sandbox = Sandbox::new();
    sandbox.save("blank.png", &blank());
    sandbox.digit("seven.png", 0);
    let seven = image::open(sandbox.path("seven.png")).unwrap().to_rgb8();
    let two = RgbImage::from_fn(2 * seven.width(), seven.height(), |x, y| {
        *seven.get_pixel(x % seven.width(), y)
    });
    sandbox.save("two.png", &two.into());
    let output = sandbox.digits("predict", &["--csv", "blank.png", "two.png", "seven.png"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "file,digit,confidence,runner_up,accepted,reason");
    assert_eq!(lines[1], "blank.png,,,,false,no_digit");
    assert_eq!(lines[2], "two.png,,,,false,several_digits");
    assert!(lines[3].starts_with("seven.png,7,0.9"), "{}", lines[3]);
    let words = stdout(&sandbox.digits("predict", &["blank.png", "two.png"]));
    assert!(
        words.contains("no digit found") && words.contains("more than one digit"),
        "{words}"
    );
}

#[test]
fn a_threshold_of_one_accepts_nothing_and_one_that_is_no_share_is_bad_usage() {
    let sandbox = Sandbox::new();
    sandbox.digit("seven.png", 0);
    let line: Value = serde_json::from_slice(
        &sandbox
            .digits("predict", &["--json", "--threshold", "1", "seven.png"])
            .stdout,
    )
    .unwrap();
    assert_eq!(
        (&line["accepted"], &line["reason"]),
        (&false.into(), &"low_confidence".into())
    );
    for threshold in ["2", "-1", "nan", "much"] {
        let output = sandbox.digits(
            "predict",
            &[&format!("--threshold={threshold}"), "seven.png"],
        );
        assert_eq!(output.status.code(), Some(2), "{threshold}");
    }
}

#[test]
fn show_prints_what_the_network_sees_without_colours_into_a_pipe() {
    let sandbox = Sandbox::new();
    sandbox.digit("one.png", 2);
    let text = stdout(&sandbox.digits("predict", &["--show", "one.png"]));
    assert_eq!(text.lines().count(), 15);
    assert!(text.contains('@') && !text.contains('\x1b'), "{text}");
}

#[test]
fn review_folders_keep_every_picture_and_are_never_overwritten() {
    let sandbox = Sandbox::new();
    for folder in ["a", "b"] {
        sandbox.save(&format!("{folder}/blank.png"), &blank());
    }
    sandbox.digit("a/seven.png", 0);
    let output = sandbox.digits("predict", &["a", "b", "--review-dir", "review"]);
    assert_eq!(output.status.code(), Some(0));
    let table = fs::read_to_string(sandbox.path("review/review.csv")).unwrap();
    assert_eq!(
        table,
        "file,digit,confidence,runner_up,reason,answer\nblank.png,,,,no_digit,\nblank-2.png,,,,no_digit,\n"
    );
    for name in ["blank.png", "blank-2.png"] {
        assert_eq!(
            fs::read(sandbox.path("review").join(name)).unwrap(),
            fs::read(sandbox.path("a/blank.png")).unwrap()
        );
    }
    let again = sandbox.digits("predict", &["a", "--review-dir", "review"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("review.csv"));
    assert_eq!(
        fs::read_to_string(sandbox.path("review/review.csv")).unwrap(),
        table
    );

    fs::write(
        sandbox.path("review/review.csv"),
        table.replace("blank.png,,,,no_digit,", "blank.png,,,,no_digit,none"),
    )
    .unwrap();
    let counted: Value = serde_json::from_slice(
        &sandbox
            .digits("evaluate", &["--json", "--review", "review/review.csv"])
            .stdout,
    )
    .unwrap();
    assert_eq!(counted["review"]["deferred"], 2);
    assert_eq!(
        (
            &counted["review"]["no_digit"],
            &counted["review"]["pending"]
        ),
        (&1.into(), &1.into())
    );
}

#[test]
fn machine_and_person_together_are_measured_on_the_test_images() {
    let sandbox = Sandbox::new();
    let output = sandbox.digits("evaluate", &["--review-dir", "review"]);
    assert_eq!(output.status.code(), Some(0));
    let table = fs::read_to_string(sandbox.path("review/review.csv")).unwrap();
    let images = test_images();
    // A person who is always right, and answers all but the first.
    let answered: Vec<String> = table
        .lines()
        .enumerate()
        .map(|(row, line)| match line.strip_prefix("test-") {
            Some(rest) if row > 1 => format!("{line}{}", images.label(rest[..5].parse().unwrap())),
            _ => line.to_owned(),
        })
        .collect();
    fs::write(sandbox.path("answers.csv"), answered.join("\r\n")).unwrap();
    let json: Value = serde_json::from_slice(
        &sandbox
            .digits("evaluate", &["--json", "--review", "answers.csv"])
            .stdout,
    )
    .unwrap();
    let review = &json["review"];
    let deferred = table.lines().count() as u64 - 1;
    assert_eq!(
        (&review["n"], &review["pending"]),
        (&10_000.into(), &1.into())
    );
    assert_eq!(review["answered"], deferred - 1);
    assert_eq!(review["accepted"], 10_000 - deferred);
    assert_eq!(review["person_errors"], 0);
    assert!(review["accuracy"]["value"].as_f64() > review["machine_accuracy"]["value"].as_f64());

    // The pictures are the images themselves.
    let name = table.lines().nth(1).unwrap().split(',').next().unwrap();
    let picture = image::open(sandbox.path("review").join(name))
        .unwrap()
        .to_luma8();
    assert_eq!(picture.as_raw(), images.image(name[5..10].parse().unwrap()));

    for (from, to, problem) in [
        (",answer", ",reply", "no column answer"),
        (
            "test-00",
            "test-99",
            "not an image that this checkpoint defers",
        ),
    ] {
        fs::write(sandbox.path("wrong.csv"), table.replace(from, to)).unwrap();
        let output = sandbox.digits("evaluate", &["--review", "wrong.csv"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(1) && error.contains(problem),
            "{error}"
        );
    }
}
