//! What people have, from picture to answer, with the committed checkpoint.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![recursion_limit = "256"]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use data::{LabelledImages, Source};
use image::{DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage, imageops};
use model::{Backend, Classifier};
use pictures::{Framing, PIXELS};
use rayon::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

fn pretrained() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../artifacts/pretrained")
}

fn test_images() -> LabelledImages {
    let train = Source::Bundled.train(&()).unwrap();
    Source::Bundled.test(&train.spec(), &()).unwrap()
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
    let expected = classifier.classify_all(originals.as_flattened()).unwrap();
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
        let answers = classifier.classify_all(framed.as_flattened()).unwrap();
        let kept = answers
            .iter()
            .zip(&expected)
            .zip(&framings)
            .filter(|((answer, expected), framing)| {
                answer.class == expected.class && matches!(framing, Framing::Digit(_))
            })
            .count();
        println!("{name}: {found} of 200 found, {kept} as their original");
        assert!(
            kept >= 192,
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
fn review_folders_lead_back_to_every_picture_and_can_be_added_to() {
    let sandbox = Sandbox::new();
    for folder in ["a", "b"] {
        sandbox.save(&format!("{folder}/blank.png"), &blank());
    }
    sandbox.digit("a/seven.png", 0);
    let review = |folders: &[&str]| {
        let output = sandbox.digits("predict", &[folders, &["--review-dir", "review"]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let table = || fs::read_to_string(sandbox.path("review/review.csv")).unwrap();
    review(&["a", "b"]);
    assert_eq!(
        table(),
        "file,source,digit,confidence,runner_up,reason,answer\nblank.png,a/blank.png,,,,no_digit,\nblank-2.png,b/blank.png,,,,no_digit,\n"
    );
    for name in ["blank.png", "blank-2.png"] {
        assert_eq!(
            fs::read(sandbox.path("review").join(name)).unwrap(),
            fs::read(sandbox.path("a/blank.png")).unwrap()
        );
    }

    // A person answers in a spreadsheet that separates by semicolons and ends with no line.
    let answered = table()
        .replace("a/blank.png,,,,no_digit,", "a/blank.png,,,,no_digit,none")
        .replace(',', ";")
        .replace('\n', "\r\n");
    let answered = format!("\u{feff}{}", answered.trim_end());
    fs::write(sandbox.path("review/review.csv"), &answered).unwrap();
    sandbox.save("c/blank.png", &blank());
    let told = review(&["a", "b", "c"]);
    assert!(
        told.contains("1 to review, 2 more were there already"),
        "{told}"
    );
    assert_eq!(
        table(),
        format!("{answered}\nblank-3.png;c/blank.png;;;;no_digit;\n")
    );
    // A picture that has changed under its name is another one.
    sandbox.save(
        "c/blank.png",
        &RgbImage::from_pixel(200, 200, Rgb([200; 3])).into(),
    );
    review(&["c"]);
    assert!(
        table().ends_with("blank-4.png;c/blank.png;;;;no_digit;\n"),
        "{}",
        table()
    );

    let evaluated = sandbox.digits("evaluate", &["--review", "review/review.csv"]);
    let text = stdout(&evaluated);
    assert!(
        text.starts_with("4 pictures went to a person: 1 answered, 3 still to answer"),
        "{text}"
    );
    assert!(!text.contains("test"), "nothing of the test images: {text}");
    let counted: Value = serde_json::from_slice(
        &sandbox
            .digits("evaluate", &["--json", "--review", "review/review.csv"])
            .stdout,
    )
    .unwrap();
    assert_eq!(counted["review"]["deferred"], 4);
    assert_eq!(
        (
            &counted["review"]["no_digit"],
            &counted["review"]["pending"]
        ),
        (&1.into(), &3.into())
    );
}

#[test]
fn a_review_folder_that_cannot_be_written_is_told_before_any_answer() {
    let sandbox = Sandbox::new();
    sandbox.save("blank.png", &blank());
    fs::write(sandbox.path("file"), "").unwrap();
    fs::create_dir_all(sandbox.path("foreign")).unwrap();
    fs::write(sandbox.path("foreign/review.csv"), "name,notes\n1,2\n").unwrap();
    for folder in ["file", "foreign"] {
        let output = sandbox.digits("predict", &["blank.png", "--review-dir", folder]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(stdout(&output), "");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(folder),
            "{output:?}"
        );
    }
    assert_eq!(
        fs::read_to_string(sandbox.path("foreign/review.csv")).unwrap(),
        "name,notes\n1,2\n"
    );
}

/// A table for `--review` with these rows.
fn reviewed(sandbox: &Sandbox, table: impl AsRef<[u8]>) -> (Option<i32>, Value, String) {
    fs::write(sandbox.path("review.csv"), table).unwrap();
    let output = sandbox.digits("evaluate", &["--json", "--review", "review.csv"]);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let error = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), json, error)
}

#[test]
fn tables_that_other_programs_have_saved_are_read_or_say_what_to_do() {
    let sandbox = Sandbox::new();
    let plain = "file,source,digit,confidence,runner_up,reason,answer\nä.png,p/ä.png,8,0.9,4,low_confidence,8\nb.png,p/b.png,4,0.8,9,low_confidence,9\nc.png,p/c.png,,,,no_digit,none\n";
    let floats = plain.replace(",8,0.9,4,low_confidence,8", ",8.0,0.9,4,low_confidence,8.0");
    let german = floats
        .replace(',', ";")
        .replace("8.0", "8,0")
        .replace("0.9", "0,9");
    let wide: Vec<u8> = std::iter::once(0xfeff)
        .chain(plain.replace(',', "\t").encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    for table in [
        plain.as_bytes(),
        floats.as_bytes(),
        german.as_bytes(),
        &wide,
    ] {
        let (code, json, error) = reviewed(&sandbox, table);
        assert_eq!(code, Some(0), "{error}");
        let review = &json["review"];
        assert_eq!(
            (&review["guessed"], &review["agreed"]),
            (&2.into(), &1.into())
        );
        assert_eq!(
            (&review["no_digit"], &review["pending"]),
            (&1.into(), &0.into())
        );
    }
    let latin: Vec<u8> = plain.chars().map(|character| character as u8).collect();
    for (table, expected) in [
        (latin, "UTF-8"),
        (b"PK\x03\x04\x14\0".to_vec(), "save it as CSV"),
        (plain.replace(",8\n", ",8.5\n").into(), "row 2"),
        (
            plain.replace(",8,0.9", ",eight,0.9").into(),
            "the class \"eight\"",
        ),
        (plain.replace("answer", "reply").into(), "no column answer"),
    ] {
        let (code, _, error) = reviewed(&sandbox, table);
        assert_eq!(code, Some(1));
        assert!(
            error.contains(expected) && error.contains("review.csv"),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn pictures_named_like_test_images_are_pictures() {
    let sandbox = Sandbox::new();
    for name in ["test-00008.png", "test-1.png"] {
        sandbox.save(name, &blank());
    }
    let files = ["test-00008.png", "test-1.png", "--review-dir", "review"];
    assert_eq!(sandbox.digits("predict", &files).status.code(), Some(0));
    let table = fs::read_to_string(sandbox.path("review/review.csv")).unwrap();
    let (code, json, error) = reviewed(&sandbox, table);
    assert_eq!(
        (code, &json["review"]["deferred"]),
        (Some(0), &2.into()),
        "{error}"
    );
    // So are they in tables that don't say where a picture came from.
    let (code, json, error) = reviewed(
        &sandbox,
        "file,digit,answer\ntest-1.png,8,8\ntest-2.png,,none\n",
    );
    assert_eq!(
        (code, &json["review"]["agreed"]),
        (Some(0), &1.into()),
        "{error}"
    );
}

#[test]
fn machine_and_person_are_joined_into_one_table() {
    let sandbox = Sandbox::new();
    sandbox.digit("in/seven.png", 0);
    for name in ["1.png", "2.png", "x/1.png", "=cmd.png"] {
        sandbox.save(&format!("in/{name}"), &blank());
    }
    fs::write(sandbox.path("in/broken.png"), "no picture").unwrap();
    let options = |format| {
        [
            "in",
            "--recursive",
            "--quiet",
            "--review-dir",
            "review",
            format,
        ]
    };
    let csv = sandbox.digits("predict", &options("--csv"));
    let json = sandbox.digits("predict", &options("--json"));
    fs::write(sandbox.path("answers.csv"), &csv.stdout).unwrap();
    fs::write(sandbox.path("answers.jsonl"), &json.stdout).unwrap();
    let table = fs::read_to_string(sandbox.path("review/review.csv")).unwrap();
    let table = table
        .replace("in/x/1.png,,,,no_digit,", "in/x/1.png,,,,no_digit,4")
        .replace("in/1.png,,,,no_digit,", "in/1.png,,,,no_digit,none");
    fs::write(sandbox.path("review/review.csv"), table).unwrap();

    let join = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_digits"))
            .current_dir(sandbox.0.path())
            .arg("join")
            .args(arguments)
            .output()
            .unwrap();
        (
            output.status.code(),
            stdout(&output),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let expected = "file,digit,by,reason\nin/1.png,none,person,no_digit\nin/2.png,,nobody,no_digit\nin/=cmd.png,,nobody,no_digit\nin/broken.png,,nobody,unreadable\nin/seven.png,7,machine,\nin/x/1.png,4,person,no_digit\n";
    for answers in ["answers.csv", "answers.jsonl"] {
        let (code, table, told) = join(&[answers, "review/review.csv"]);
        assert_eq!((code, table.as_str()), (Some(0), expected), "{told}");
        assert!(told.contains("6 pictures: 1 by the machine, 2 by a person (1 without a single digit), 3 by nobody yet"), "{told}");
        assert!(
            told.contains("pending: in/2.png, in/=cmd.png, in/broken.png"),
            "{told}"
        );
    }
    let (_, lines, _) = join(&["answers.csv", "review/review.csv", "--json"]);
    let rows: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        rows[0],
        serde_json::json!({"file": "in/1.png", "digit": "none", "by": "person", "reason": "no_digit"})
    );
    assert_eq!(rows[4]["digit"], 7);

    for (from, to, problem) in [
        ("file,digit", "name,digit", "no column file"),
        ("in/2.png,", "in/1.png,7", "twice"),
        (",7,", ",seven,", "no right digit"),
    ] {
        let answers = String::from_utf8(csv.stdout.clone()).unwrap();
        fs::write(sandbox.path("wrong.csv"), answers.replace(from, to)).unwrap();
        let (code, _, told) = join(&["wrong.csv", "review/review.csv"]);
        assert!(code == Some(1) && told.contains(problem), "{told}");
    }
}

#[test]
fn folders_tell_what_they_passed_over() {
    let sandbox = Sandbox::new();
    let jpeg = jpeg_bytes();
    for name in ["a.jpg", "b.jfif", "c.JPE", "without-ending"] {
        fs::create_dir_all(sandbox.path("in/deeper")).unwrap();
        fs::write(sandbox.path("in").join(name), &jpeg).unwrap();
    }
    fs::write(sandbox.path("in/deeper/d.jpg"), &jpeg).unwrap();
    fs::write(sandbox.path("in/notes.txt"), "a note").unwrap();
    for litter in ["._a.jpg", ".DS_Store", "Thumbs.db", "desktop.ini"] {
        fs::write(
            sandbox.path("in").join(litter),
            b"\0\x05\x16\x07\0\x02\0\0Mac OS X",
        )
        .unwrap();
    }
    let output = sandbox.digits("predict", &["--csv", "in"]);
    let files = |output: &Output| -> Vec<String> {
        let text = stdout(output);
        let rows = text.lines().skip(1);
        rows.map(|row| row.split(',').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        files(&output),
        ["in/a.jpg", "in/b.jfif", "in/c.JPE", "in/without-ending"]
    );
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(
        told.contains("1 file that is no picture (notes.txt)"),
        "{told}"
    );
    assert!(
        told.contains("1 folder in it (deeper)") && told.contains("--recursive"),
        "{told}"
    );
    assert!(
        !told.contains("DS_Store") && !told.contains("._a"),
        "{told}"
    );

    let output = sandbox.digits("predict", &["--csv", "--recursive", "--quiet", "in"]);
    assert_eq!(files(&output)[3], "in/deeper/d.jpg");
    assert!(output.stderr.is_empty(), "{output:?}");

    // A picture that can't be read is an error, not passed over.
    fs::write(sandbox.path("in/e.heic"), b"\0\0\0\x18ftypheic\0\0\0\0heic").unwrap();
    let output = sandbox.digits("predict", &["--csv", "in"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("in/e.heic,,,,false,unreadable"),
        "{output:?}"
    );
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("a HEIC"),
        "{output:?}"
    );
}

fn jpeg_bytes() -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = drawn(
        test_images().image(0),
        200,
        [250.0; 3],
        [20.0; 3],
        |_, _| 1.0,
    );
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90)
        .encode_image(&picture)
        .unwrap();
    bytes
}

#[test]
fn a_picture_comes_through_a_pipe() {
    let sandbox = Sandbox::new();
    sandbox.digit("seven.png", 0);
    let piped = |file: &str| {
        Command::new(env!("CARGO_BIN_EXE_digits"))
            .current_dir(sandbox.0.path())
            .arg("predict")
            .arg(pretrained())
            .args(["-", "--json", "--threshold", "1", "--review-dir", "review"])
            .stdin(fs::File::open(sandbox.path(file)).unwrap())
            .output()
            .unwrap()
    };
    let line: Value = serde_json::from_slice(&piped("seven.png").stdout).unwrap();
    assert_eq!((&line["file"], &line["digit"]), (&"-".into(), &7.into()));
    assert_eq!(
        fs::read(sandbox.path("review/standard-input")).unwrap(),
        fs::read(sandbox.path("seven.png")).unwrap()
    );
    fs::write(sandbox.path("empty"), "").unwrap();
    let output = piped("empty");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard input"));
    let output = sandbox.digits("predict", &["-", "seven.png"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_truncated_photo_is_no_answer() {
    let sandbox = Sandbox::new();
    let whole = jpeg_bytes();
    for share in [30, 45, 55, 65, 75, 90] {
        fs::write(sandbox.path("cut.jpg"), &whole[..whole.len() * share / 100]).unwrap();
        let output = sandbox.digits("predict", &["--json", "cut.jpg"]);
        assert_eq!(output.status.code(), Some(1));
        let line: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(
            line["error"].as_str().unwrap().contains("end early"),
            "{line}"
        );
    }
}

#[test]
fn a_note_of_the_orientation_that_programs_disagree_on_goes_to_a_person() {
    let sandbox = Sandbox::new();
    sandbox.digit("six.png", 11);
    let mut bytes = fs::read(sandbox.path("six.png")).unwrap();
    // tEXt, keyword Orientation: upside down.
    let note = b"\0\0\0\x0dtEXtOrientation\x003\x7d\x4b\xa3\xf5";
    bytes.splice(33..33, note.iter().copied());
    fs::write(sandbox.path("six.png"), bytes).unwrap();
    let line: Value =
        serde_json::from_slice(&sandbox.digits("predict", &["--json", "six.png"]).stdout).unwrap();
    assert_eq!(line["reason"], "orientation_unclear", "{line}");
    assert_eq!(
        (&line["accepted"], &line["digit"]),
        (&false.into(), &Value::Null)
    );
}

#[cfg(unix)]
#[test]
fn names_that_are_no_utf8_are_told_apart_everywhere() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    for name in [&b"\xe4.png"[..], b"\xf6.png"] {
        let path = sandbox.path("in").join(std::ffi::OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        blank().save_with_format(path, ImageFormat::Png).unwrap();
    }
    for format in [&["--json"][..], &["--csv"], &[]] {
        let output = sandbox.digits(
            "predict",
            &[&["in", "--review-dir", "review"], format].concat(),
        );
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = stdout(&output).replace("\\\\", "\\");
        assert!(
            text.contains("\\xE4.png") && text.contains("\\xF6.png"),
            "{text}"
        );
    }
    let table = fs::read_to_string(sandbox.path("review/review.csv")).unwrap();
    assert!(
        table.contains("in/\\xE4.png") && table.contains("in/\\xF6.png"),
        "{table}"
    );
    assert_eq!(table.lines().count(), 3, "{table}");
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
    assert!(table.starts_with("file,index,digit,"), "{table}");
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

    // Image 0 is accepted.
    let first = table.lines().nth(1).unwrap();
    let accepted = "test-00000.png,0,7,1,2,low_confidence,7";
    for (from, to, problem) in [
        (",answer", ",reply", "no column answer"),
        (first, accepted, "not an image that this checkpoint defers"),
        ("\n", &format!("\n{first}\n"), "twice"),
    ] {
        fs::write(sandbox.path("wrong.csv"), table.replacen(from, to, 1)).unwrap();
        let output = sandbox.digits("evaluate", &["--review", "wrong.csv"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(1) && error.contains(problem),
            "{error}"
        );
    }
}
