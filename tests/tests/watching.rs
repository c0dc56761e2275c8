//! The page that shows how a run learns, while it learns.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{fs, io::Read, path::Path, process::Child, thread::sleep, time::Duration};

use flate2::read::GzDecoder;
use roxmltree::{Document, ParsingOptions};
use tests::{Sandbox, root, smoke};

/// Parses strictly, once the elements that HTML leaves open because they are empty are closed.
fn parse(html: &str) -> Document<'static> {
    let mut xml = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        xml += before;
        // Of a script nothing but its end is a tag.
        let (tag, after) = tag.split_once('>').unwrap();
        let name = tag.split(' ').next().unwrap();
        let end = match ["img", "link", "meta"].contains(&name) {
            true => "/>",
            false => ">",
        };
        xml += &format!("<{tag}{end}");
        rest = after;
        if name == "script" {
            let (script, after) = rest.split_once("</script>").unwrap();
            xml += &format!("<![CDATA[{script}]]></script>");
            rest = after;
        }
    }
    xml += rest;
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(Box::leak(xml.into_boxed_str()), options).unwrap()
}

/// The elements of a name.
fn count(document: &Document, name: &str) -> usize {
    let all = document.descendants();
    all.filter(|node| node.tag_name().name() == name).count()
}

fn sections(document: &Document) -> Vec<String> {
    let all = document.descendants();
    let all = all.filter(|node| node.tag_name().name() == "section");
    all.filter_map(|node| Some(node.attribute("id")?.to_owned()))
        .collect()
}

/// Waits for a page with a text in it.
fn wait(child: &mut Child, page: &Path, text: &str) -> String {
    loop {
        if let Ok(html) = fs::read_to_string(page)
            && html.contains(text)
        {
            return html;
        }
        assert!(child.try_wait().unwrap().is_none(), "no page said {text}");
        sleep(Duration::from_millis(2));
    }
}

/// A run of so many epochs that a test can watch it.
fn start(sandbox: &Sandbox, more: &[&str]) -> Child {
    let config = smoke();
    let mut args = vec!["--config", &config, "--run-dir", "run", "--quiet"];
    args.extend(more);
    sandbox.start("train", &args)
}

#[test]
fn the_page_is_there_before_the_first_step_and_shows_each_epoch_until_the_report_takes_its_place() {
    let sandbox = Sandbox::new();
    let mut child = start(&sandbox, &["--set", "training.epochs=4"]);
    let path = sandbox.path("run/report.html");

    let begun = wait(&mut child, &path, "<html");
    assert!(begun.contains("step 0 of 252"), "{begun}");
    let before = wait(&mut child, &path, "before training</h1>");
    let after = wait(&mut child, &path, "after epoch ");
    for page in [&begun, &before, &after] {
        let document = parse(page);
        assert_eq!(count(&document, "script"), 1);
        assert!(page.contains("http-equiv=\"refresh\""));
        assert!(page.contains("train --resume run"));
        assert!(!page.contains("url(") && !page.contains("src=\"http"));
    }
    assert_eq!(
        sections(&parse(&before)),
        ["curves", "learned", "mistakes", "course"]
    );
    for text in [
        "Accuracy",
        "Loss",
        "Learned in epoch",
        "Still wrong",
        "Confidence of its answers",
        "Confusion matrix",
        "What was learned when",
        "How the first filters took shape",
    ] {
        assert!(after.contains(text), "{text}");
    }

    assert!(child.wait().unwrap().success());
    let report = fs::read_to_string(&path).unwrap();
    let document = parse(&report);
    assert_eq!(count(&document, "script"), 0);
    assert!(!report.contains("http-equiv") && !report.contains("data-written"));
    assert!(report.contains("test images"));
    assert!(report.contains("What was learned when"));
    assert_eq!(report.matches("alt=\"The first 8 filters").count(), 5);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_so_and_what_it_learned_is_there_when_it_goes_on() {
    let sandbox = Sandbox::new();
    let mut child = start(&sandbox, &["--set", "training.epochs=40"]);
    let path = sandbox.path("run/report.html");
    wait(&mut child, &path, "after epoch ");
    let ended = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(ended.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let page = fs::read_to_string(&path).unwrap();
    let document = parse(&page);
    assert_eq!(count(&document, "script"), 0);
    assert!(!page.contains("http-equiv=\"refresh\""));
    assert!(page.contains("The run was interrupted."));
    assert!(page.contains("train --resume run"));
    // Each image bears the number and the label that it has in MNIST's files.
    let file = fs::File::open(root().join("crates/data/mnist/train-labels-idx1-ubyte.gz")).unwrap();
    let mut labels = Vec::new();
    GzDecoder::new(file).read_to_end(&mut labels).unwrap();
    let numbers = document.descendants().filter_map(|node| {
        let alt = node.attribute("alt")?.strip_prefix("Validation image ")?;
        let (number, label) = alt.split_once(", labelled ")?;
        let label = label.trim_matches(|letter: char| !letter.is_ascii_digit());
        Some((number.parse::<usize>().unwrap(), label.parse().unwrap()))
    });
    let numbers: Vec<(usize, u8)> = numbers.collect();
    assert!(numbers.len() > 4, "{numbers:?}");
    assert!(numbers.iter().any(|(number, _)| *number > 10_000));
    for (number, label) in numbers {
        assert_eq!(labels[8 + number], label, "{number}");
    }

    sandbox.succeed("train", &["--resume", "run"]);
    let learned = sandbox.json("run/learning.json");
    let epochs: Vec<u64> = learned
        .as_array()
        .unwrap()
        .iter()
        .map(|learned| learned["epoch"].as_u64().unwrap())
        .collect();
    assert_eq!(epochs[..9], [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(epochs.last(), Some(&40));
    assert!(epochs.is_sorted());
}

#[test]
fn a_run_that_fails_says_why_on_its_page() {
    let sandbox = Sandbox::new();
    let config = smoke();
    let args = [
        "--config",
        &config,
        "--run-dir",
        "run",
        "--set",
        "optimizer.learning_rate=1e30",
    ];
    let error = sandbox.fail("train", &args);
    let page = String::from_utf8(sandbox.bytes("run/report.html")).unwrap();
    parse(&page);
    let why = error.trim_start_matches("error: ");
    let (what, _) = why.split_once(" (epoch").unwrap();
    assert!(page.contains(what), "{error}");
    assert!(!page.contains("http-equiv=\"refresh\""));
}

#[test]
fn a_page_that_can_not_be_written_costs_no_run_before_its_report() {
    let sandbox = Sandbox::new();
    let mut child = start(&sandbox, &["--set", "training.epochs=30"]);
    let path = sandbox.path("run/report.html");
    wait(&mut child, &path, "<html");
    // In the way of the page until the run has trained for a while.
    while fs::remove_file(&path).is_err() || fs::create_dir(&path).is_err() {}
    fs::write(path.join("in-the-way"), "").unwrap();
    while !sandbox.path("run/checkpoints/epoch-020").exists() {
        assert!(child.try_wait().unwrap().is_none());
        sleep(Duration::from_millis(5));
    }
    fs::remove_dir_all(&path).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr.matches("not kept up to date").count(), 1, "{stderr}");
    assert!(path.is_file());
}

#[test]
fn each_member_is_shown_in_turn_in_the_one_page() {
    let sandbox = Sandbox::new();
    let two = ["--set", "training.members=2", "--set", "training.epochs=6"];
    let mut child = start(&sandbox, &two);
    let path = sandbox.path("run/report.html");
    wait(&mut child, &path, "run, member 1 of 2");
    wait(&mut child, &path, "run, member 2 of 2");
    assert!(child.wait().unwrap().success());
    assert!(!sandbox.path("run/members/1/report.html").exists());
    assert!(sandbox.path("run/members/2/learning.json").exists());
    let report = fs::read_to_string(&path).unwrap();
    assert!(report.contains("How the first filters took shape"));
}

#[test]
fn many_classes_are_shown_in_a_bounded_page() {
    let sandbox = Sandbox::new();
    letters(&sandbox);
    let config = root().join("configs/pictures.toml").display().to_string();
    let args = [
        "--config",
        &config,
        "--data-dir",
        "data",
        "--run-dir",
        "run",
        "--set",
        "training.epochs=3",
        "--set",
        "data.validation=200",
    ];
    let mut child = sandbox.start("train", &args);
    let path = sandbox.path("run/report.html");
    let page = wait(&mut child, &path, "after epoch ");
    let document = parse(&page);
    assert!(page.contains("Confusion matrix of 26 classes"));
    assert!(count(&document, "td") < 1000 && page.len() < 1_000_000);
    assert!(child.wait().unwrap().success());
}

/// IDX files of 26 classes, 32 by 32 pixels in three channels: a bright bar whose place and colour tell the
/// class.
fn letters(sandbox: &Sandbox) {
    const SIDE: usize = 32;
    let folder = sandbox.path("data");
    fs::create_dir(&folder).unwrap();
    let write = |name: &str, dims: &[u32], bytes: &[u8]| {
        let mut file = vec![0, 0, 8, dims.len() as u8];
        file.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
        file.extend(bytes);
        fs::write(folder.join(name), file).unwrap();
    };
    for (set, count) in [("train", 780_u32), ("t10k", 130)] {
        let labels: Vec<u8> = (0..count).map(|n| (n % 26) as u8).collect();
        let mut pixels = Vec::new();
        for (n, &label) in labels.iter().enumerate() {
            let class = usize::from(label);
            for channel in 0..3 {
                for y in 0..SIDE {
                    for x in 0..SIDE {
                        let bar = y / 3 == class % 9 && channel == class / 9;
                        let noise = (n * 31 + y * 17 + x * 7) % 40;
                        pixels.push(if bar { 220 } else { noise as u8 });
                    }
                }
            }
        }
        let dims = [count, 3, SIDE as u32, SIDE as u32];
        write(&format!("{set}-images-idx4-ubyte"), &dims, &pixels);
        write(&format!("{set}-labels-idx1-ubyte"), &[count], &labels);
    }
}
