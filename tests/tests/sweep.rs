//! Many runs of a table, each once, and what is said of them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

use roxmltree::{Document, ParsingOptions};
use serde_json::Value;
use tests::{Outcome, Sandbox, root, smoke};

/// Changes that make a run of the smoke recipe as short as it can be.
const SHORT: &str = r#""data.limit=256", "data.validation=200", "training.epochs=1", "training.plain_epochs=0", "network.dense=[16]""#;
/// The same for so many epochs of a few milliseconds each.
const LONG: &str = r#""data.limit=256", "data.validation=200", "training.epochs=120", "training.plain_epochs=0", "network.dense=[16]""#;

/// A group of a table, of the smoke recipe.
fn group(name: &str, set: &str, seeds: &str) -> String {
    let recipe = smoke();
    format!("[[runs]]\nname = '{name}'\nrecipe = '{recipe}'\nset = [{set}]\nseeds = {seeds}\n")
}

fn write(sandbox: &Sandbox, table: &str) {
    fs::write(sandbox.path("table.toml"), table).unwrap();
}

fn sweep(sandbox: &Sandbox, more: &[&str]) -> Outcome {
    let args = [&["sweep", "table.toml", "--folder", "runs"], more].concat();
    sandbox.run("train", &args)
}

fn start(sandbox: &Sandbox, more: &[&str]) -> Child {
    let args = [&["sweep", "table.toml", "--folder", "runs"], more].concat();
    sandbox.start("train", &args)
}

/// The runs that a process has made, as it told.
fn made(outcome: &Outcome) -> Vec<String> {
    let lines = outcome.stderr.lines().filter(|line| line.starts_with('['));
    let name = |line: &str| {
        line.split_once("] ")?
            .1
            .split_once(':')
            .map(|(name, _)| name.to_owned())
    };
    lines.filter_map(name).collect()
}

fn ended(child: Child) -> Outcome {
    child.wait_with_output().unwrap().into()
}

fn modified(path: PathBuf) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

/// Waits until something has come about.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        sleep(Duration::from_millis(5));
    }
}

/// How often each epoch of a run was validated, as its journal says.
fn validated(sandbox: &Sandbox, run: &str) -> BTreeMap<u64, usize> {
    let text = String::from_utf8(sandbox.bytes(&format!("runs/{run}/metrics.jsonl"))).unwrap();
    let mut times = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["split"] == "validation" && line["name"] == "accuracy" {
            *times.entry(line["epoch"].as_u64().unwrap()).or_default() += 1;
        }
    }
    times
}

#[test]
fn what_is_done_is_skipped_and_the_table_says_what_the_summaries_say() {
    let sandbox = Sandbox::new();
    let wide = SHORT.replace("[16]", "[32]");
    write(
        &sandbox,
        &(group("a", SHORT, "{ count = 3 }") + &group("b", &wide, "[7]")),
    );
    let first = sweep(&sandbox, &["--jobs", "2"]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let mut names = made(&first);
    names.sort();
    assert_eq!(names, ["a-seed-0", "a-seed-1", "a-seed-2", "b-seed-7"]);

    let all = sandbox.json("runs/sweep.json");
    assert_eq!(all["version"], 1);
    assert_eq!(all["count"]["done"], 4);
    assert_eq!(all["differing"][0]["key"], "network.dense");
    assert_eq!(all["differing"].as_array().unwrap().len(), 1);
    assert_eq!(
        all["differing"][0]["values"],
        serde_json::json!(["[16]", "[32]"])
    );
    let summaries: Vec<Value> = (0..3)
        .map(|seed| sandbox.json(&format!("runs/a-seed-{seed}/summary.json")))
        .collect();
    let values = |of: &str| -> Vec<f64> {
        let value = |summary: &Value| summary.pointer(of).unwrap().as_f64().unwrap();
        summaries.iter().map(value).collect()
    };
    for (name, of) in [
        ("test_accuracy", "/test/accuracy"),
        ("test_nll", "/test/evaluation/after/nll"),
        ("validation_accuracy", "/validation/accuracy"),
        ("seconds", "/seconds"),
    ] {
        let values = values(of);
        let mean = values.iter().sum::<f64>() / 3.0;
        let sd = (values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / 2.0)
            .sqrt();
        let told = &all["groups"][0][name];
        assert!(
            (told["mean"].as_f64().unwrap() - mean).abs() < 1e-12,
            "{name}"
        );
        assert!((told["sd"].as_f64().unwrap() - sd).abs() < 1e-12, "{name}");
        if name == "test_accuracy" {
            let shown = format!("{:.2} ± {:.2}", 100.0 * mean, 100.0 * sd);
            assert!(first.stdout.contains(&shown), "{}", first.stdout);
        }
    }
    assert_eq!(all["groups"][1]["test_accuracy"]["sd"], Value::Null);
    let validation = values("/validation/accuracy");
    let best = validation.iter().copied().fold(0.0, f64::max);
    let best_run = all["groups"][0]["best"].as_str().unwrap();
    let seed: usize = best_run.strip_prefix("a-seed-").unwrap().parse().unwrap();
    assert_eq!(validation[seed], best);

    let before = modified(sandbox.path("runs/a-seed-0/summary.json"));
    let second = sweep(&sandbox, &["--json"]);
    assert_eq!(second.code, Some(0));
    assert_eq!(made(&second), [""; 0]);
    assert_eq!(modified(sandbox.path("runs/a-seed-0/summary.json")), before);
    let printed: Value = serde_json::from_str(&second.stdout).unwrap();
    assert_eq!(printed, sandbox.json("runs/sweep.json"));
    assert_eq!(printed, all);
}

#[test]
fn a_run_of_a_sweep_is_the_run_that_train_makes_alone() {
    let sandbox = Sandbox::new();
    write(&sandbox, &group("a", SHORT, "[3]"));
    assert_eq!(sweep(&sandbox, &["--quiet"]).code, Some(0));
    let changes = SHORT.split(", \"").map(|change| change.trim_matches('"'));
    let sets = changes.flat_map(|change| ["--set", change]);
    sandbox.train(
        "alone",
        &["--seed", "3"].into_iter().chain(sets).collect::<Vec<_>>(),
    );
    for file in ["config.toml", "model/model.bpk"] {
        let [alone, swept] =
            ["alone", "runs/a-seed-3"].map(|run| sandbox.bytes(&format!("{run}/{file}")));
        assert_eq!(alone, swept, "{file}");
    }
}

#[test]
fn processes_that_work_at_once_make_each_run_once() {
    let sandbox = Sandbox::new();
    write(&sandbox, &group("a", SHORT, "{ count = 7 }"));
    let children: Vec<Child> = (0..3).map(|_| start(&sandbox, &[])).collect();
    let mut names = Vec::new();
    for child in children {
        let outcome = ended(child);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("failed"), "{}", outcome.stderr);
        names.extend(made(&outcome));
    }
    names.sort();
    let all: Vec<String> = (0..7).map(|seed| format!("a-seed-{seed}")).collect();
    assert_eq!(names, all);
    assert_eq!(sandbox.json("runs/sweep.json")["count"]["done"], 7);
}

#[test]
fn what_a_killed_process_began_stops_and_goes_on_later() {
    let sandbox = Sandbox::new();
    write(&sandbox, &group("a", LONG, "{ count = 2 }"));
    let mut child = start(&sandbox, &[]);
    let checkpoints = sandbox.path("runs/a-seed-0/checkpoints");
    let newest = || {
        let names = fs::read_dir(&checkpoints).into_iter().flatten().flatten();
        let names = names.filter_map(|name| name.file_name().into_string().ok());
        names.filter(|name| name.starts_with("epoch-")).max()
    };
    until("it saves", || {
        newest().is_some_and(|name| *name >= *"epoch-005")
    });
    child.kill().unwrap();
    child.wait().unwrap();
    // Nobody is left to wait for its run.
    let lock = || fs::File::open(sandbox.path("runs/a-seed-0/.lock")).unwrap();
    until("the run stops", || lock().try_lock().is_ok());
    let stopped = newest().unwrap();
    assert!(*stopped < *"epoch-120", "it had ended before: {stopped}");
    let begun = sandbox.bytes("runs/a-seed-0/metrics.jsonl");

    let second = sweep(&sandbox, &[]);
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert_eq!(made(&second), ["a-seed-0", "a-seed-1"]);
    let whole = sandbox.bytes("runs/a-seed-0/metrics.jsonl");
    assert!(
        whole.starts_with(&begun[..begun.len() / 2]),
        "it began again"
    );
    for run in ["a-seed-0", "a-seed-1"] {
        let times = validated(&sandbox, run);
        assert!(times.keys().copied().eq(0..=120), "{run}: {times:?}");
        assert!(times.values().all(|times| *times == 1), "{run}: {times:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_signal_stops_the_runs_and_the_same_command_goes_on() {
    use std::os::unix::process::CommandExt as _;
    // To this process alone, and to all of its group, as a terminal and a queue of jobs do.
    for (signal, code, group_of_all) in [
        ("-TERM", 143, false),
        ("-INT", 130, true),
        ("-TERM", 143, true),
    ] {
        let sandbox = Sandbox::new();
        write(&sandbox, &group("a", LONG, "{ count = 2 }"));
        let child = sandbox
            .command(
                "train",
                &["sweep", "table.toml", "--folder", "runs", "--jobs", "2"],
            )
            .process_group(0)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        for seed in 0..2 {
            let saved = sandbox.path(&format!("runs/a-seed-{seed}/checkpoints"));
            until("it saves", || saved.is_dir());
        }
        let id = match group_of_all {
            true => format!("-{}", child.id()),
            false => child.id().to_string(),
        };
        Command::new("kill")
            .args([signal, "--", &id])
            .status()
            .unwrap();
        let outcome = ended(child);
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        assert!(
            outcome
                .stderr
                .contains("train sweep table.toml --folder runs"),
            "{}",
            outcome.stderr
        );
        assert!(!outcome.stderr.contains("failed"), "{}", outcome.stderr);
        assert!(!sandbox.path("runs/a-seed-0/summary.json").exists());
        let json = sandbox.json("runs/sweep.json");
        assert_eq!(json["runs"][0]["state"], "begun");
        let second = sweep(&sandbox, &[]);
        assert_eq!(second.code, Some(0), "{}", second.stderr);
        assert_eq!(made(&second).len(), 2);
    }
}

/// The processes that a process has started.
#[cfg(target_os = "linux")]
fn children(of: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let parent = |id: &String| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name, in brackets, may hold anything.
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    names.filter(|id| parent(id) == Some(of)).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_is_killed_is_one_that_failed_and_goes_on_when_it_is_tried_again() {
    let sandbox = Sandbox::new();
    write(&sandbox, &group("a", LONG, "[0, 1]"));
    let child = start(&sandbox, &[]);
    let saved = sandbox.path("runs/a-seed-0/checkpoints");
    until("it saves", || saved.is_dir());
    let [run] = &children(child.id())[..] else {
        panic!("one run at a time");
    };
    Command::new("kill").args(["-KILL", run]).status().unwrap();
    let outcome = ended(child);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let failure = sandbox.json("runs/a-seed-0.failed.json");
    assert_eq!(
        (&failure["signal"], &failure["code"]),
        (&9.into(), &Value::Null)
    );
    assert!(
        failure["error"].as_str().unwrap().contains("memory"),
        "{failure}"
    );
    assert!(sandbox.path("runs/a-seed-1/summary.json").is_file());
    assert_eq!(sweep(&sandbox, &[]).code, Some(0));
    let times = validated(&sandbox, "a-seed-0");
    assert!(times.keys().copied().eq(0..=120), "{times:?}");
}

#[test]
fn a_run_that_fails_is_told_and_the_others_go_on() {
    let sandbox = Sandbox::new();
    let bad = format!("{SHORT}, \"optimizer.learning_rate=1e30\"");
    write(
        &sandbox,
        &(group("bad", &bad, "[0]") + &group("good", SHORT, "[0, 1]")),
    );
    for attempts in 1..=2 {
        let outcome = sweep(&sandbox, &["--quiet"]);
        assert_eq!(outcome.code, Some(1));
        assert_eq!(
            outcome.stderr.matches(": failed: ").count(),
            1,
            "{}",
            outcome.stderr
        );
        let all = sandbox.json("runs/sweep.json");
        let failed = &all["runs"][0];
        assert_eq!(failed["state"], "failed");
        assert_eq!(failed["failure"]["attempts"], attempts);
        assert_eq!(failed["failure"]["code"], 1);
        let error = failed["failure"]["error"].as_str().unwrap();
        assert!(
            error.contains("learning_rate") && !error.starts_with("error"),
            "{error}"
        );
        assert!(outcome.stdout.contains(error) && outcome.stderr.contains(error));
        assert_eq!(all["groups"][0]["count"]["failed"], 1);
        assert_eq!(all["groups"][1]["count"]["done"], 2);
        assert_eq!(
            sandbox.json("runs/bad-seed-0.failed.json"),
            failed["failure"]
        );
    }
    // A group that is no longer asked for is no longer counted.
    write(&sandbox, &group("good", SHORT, "[0, 1]"));
    assert_eq!(sweep(&sandbox, &["--summary"]).code, Some(0));
}

#[test]
fn a_failure_is_forgotten_when_the_run_is_done() {
    let sandbox = Sandbox::new();
    write(&sandbox, &group("a", SHORT, "[0]"));
    // No folder of a run can be made where a file has its name.
    fs::create_dir(sandbox.path("runs")).unwrap();
    fs::write(sandbox.path("runs/a-seed-0"), "").unwrap();
    assert_eq!(sweep(&sandbox, &[]).code, Some(1));
    assert!(sandbox.path("runs/a-seed-0.failed.json").is_file());
    fs::remove_file(sandbox.path("runs/a-seed-0")).unwrap();
    assert_eq!(sweep(&sandbox, &[]).code, Some(0));
    assert!(!sandbox.path("runs/a-seed-0.failed.json").exists());
}

#[test]
fn shards_are_all_runs_once_and_each_is_done_when_its_part_is() {
    let sandbox = Sandbox::new();
    write(&sandbox, &group("a", SHORT, "{ first = 10, count = 5 }"));
    let mut names = Vec::new();
    for (shard, done) in [("1/3", 2), ("2/3", 4), ("3/3", 5)] {
        let outcome = sweep(&sandbox, &["--shard", shard]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        names.extend(made(&outcome));
        let count = &sandbox.json("runs/sweep.json")["count"];
        assert_eq!((&count["done"], &count["runs"]), (&done.into(), &5.into()));
    }
    names.sort();
    let all: Vec<String> = (10..15).map(|seed| format!("a-seed-{seed}")).collect();
    assert_eq!(names, all);
}

#[test]
fn a_run_in_other_hands_is_passed_over_and_no_failure() {
    let sandbox = Sandbox::new();
    write(&sandbox, &group("a", SHORT, "[0, 1]"));
    fs::create_dir_all(sandbox.path("runs/a-seed-0")).unwrap();
    let file = fs::File::create(sandbox.path("runs/a-seed-0/.lock")).unwrap();
    file.lock().unwrap();
    let outcome = sweep(&sandbox, &["--no-wait"]);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert_eq!(made(&outcome), ["a-seed-1"]);
    assert!(!sandbox.path("runs/a-seed-0.failed.json").exists());
    // Without that option it waits, and takes the run as soon as it is free.
    let child = start(&sandbox, &[]);
    sleep(Duration::from_millis(700));
    drop(file);
    let outcome = ended(child);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("waiting for other processes"),
        "{}",
        outcome.stderr
    );
    assert_eq!(made(&outcome), ["a-seed-0"]);
}

#[test]
fn a_run_of_another_recipe_is_never_counted() {
    let sandbox = Sandbox::new();
    write(&sandbox, &group("a", SHORT, "[0, 1]"));
    assert_eq!(sweep(&sandbox, &["--shard", "1/2"]).code, Some(0));
    let other = SHORT.replace("[16]", "[17]") + ", \"optimizer.weight_decay=0.5\"";
    write(&sandbox, &group("a", &other, "[0, 1]"));
    for more in [&[][..], &["--summary"], &["--shard", "2/2"]] {
        let args = [&["sweep", "table.toml", "--folder", "runs"], more].concat();
        let error = sandbox.fail("train", &args);
        for part in ["a-seed-0", "network.dense, optimizer.weight_decay"] {
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(sandbox.run("train", &args).code, Some(2));
    }
    assert!(!sandbox.path("runs/a-seed-1").exists());
}

#[test]
fn what_is_wrong_with_a_table_is_said_before_anything_runs() {
    let sandbox = Sandbox::new();
    let good = group("good", SHORT, "[0]");
    let with = |more: &str| format!("{good}{more}");
    for (table, parts) in [
        (String::new(), &["runs"][..]),
        ("runs = []".into(), &["no runs"]),
        ("[[runs]]\n".into(), &["seeds"]),
        (format!("sed = 1\n{good}"), &["line 1", "`sed`"]),
        (
            with("epochs = 3\n"),
            &["line 6", "`epochs`", "training.epochs=…"],
        ),
        (
            with("[[runs]]\nseeds = [1, 1]\n"),
            &["[[runs]] 2", "seeds", "twice"],
        ),
        (with("[[runs]]\nseeds = []\n"), &["[[runs]] 2", "seeds"]),
        (with("[[runs]]\nseeds = { first = 3 }\n"), &["seeds are"]),
        (with("[[runs]]\nseeds = [-1]\n"), &["seeds are"]),
        (
            with("[[runs]]\nseeds = \"all\"\n"),
            &["line 7", "seeds are"],
        ),
        (
            with("[[runs]]\nseeds = { count = 20000 }\n"),
            &["[[runs]] 2", "10000"],
        ),
        (
            with(&good.replace("good", "GOOD")),
            &["[[runs]] 2", "name", "GOOD"],
        ),
        (
            with("[[runs]]\nname = \"a/b\"\nseeds = [1]\n"),
            &["[[runs]] 2", "name", "a/b"],
        ),
        (
            with("[[runs]]\nname = \"\"\nseeds = [1]\n"),
            &["[[runs]] 2", "name"],
        ),
        (
            with("[[runs]]\nrecipe = 3\nseeds = [1]\n"),
            &["line 7", "string"],
        ),
        (
            with("[[runs]]\nrecipe = \"gone.toml\"\nseeds = [1]\n"),
            &["[[runs]] 2 (gone)", "gone.toml"],
        ),
        (
            with("[[runs]]\nset = [\"training.epoch=3\"]\nseeds = [1]\n"),
            &["[[runs]] 2 (default)", "training.epochs"],
        ),
        (
            with("[[runs]]\nset = [\"training.epochs=0\"]\nseeds = [1]\n"),
            &["[[runs]] 2 (default)", "training.epochs"],
        ),
        (
            with("[[runs]]\nset = [\"seed=3\"]\nseeds = [1]\n"),
            &["[[runs]] 2", "seeds"],
        ),
        (
            with(
                "[[runs]]\nset = [\"network.blocks=[]\", \"network.dense=[]\", \"data.dir=nowhere\"]\nseeds = [1]\n",
            ),
            &["[[runs]] 2", "nowhere"],
        ),
        (
            format!("backend = \"abacus\"\n{good}"),
            &["[[runs]] 1", "abacus"],
        ),
        ("this is no table".into(), &["line 1"]),
    ] {
        write(&sandbox, &table);
        let args = ["sweep", "table.toml", "--folder", "runs"];
        let error = sandbox.fail("train", &args);
        assert!(error.contains("table.toml"), "{table}\n{error}");
        for part in parts {
            assert!(error.contains(part), "{table}\n{error}\nhas no {part}");
        }
        assert_eq!(sandbox.run("train", &args).code, Some(2), "{table}");
        assert!(!sandbox.path("runs").exists(), "{table}");
    }
    assert!(
        sandbox
            .fail("train", &["sweep", "none.toml"])
            .contains("none.toml")
    );
    assert_eq!(
        sandbox
            .run("train", &["sweep", "table.toml", "--shard", "4/3"])
            .code,
        Some(2)
    );
}

#[test]
fn a_folder_that_is_something_else_is_refused() {
    let sandbox = Sandbox::new();
    write(&sandbox, &group("a", SHORT, "[0]"));
    let pretrained = root().join("artifacts/pretrained").display().to_string();
    fs::create_dir(sandbox.path("run")).unwrap();
    fs::write(sandbox.path("run/config.toml"), "").unwrap();
    for folder in [&pretrained[..], "run", "table.toml"] {
        let error = sandbox.fail("train", &["sweep", "table.toml", "--folder", folder]);
        assert!(
            error.contains(folder) && error.contains("--folder"),
            "{error}"
        );
    }
}

#[test]
fn the_folder_is_that_of_the_command_line_or_the_table_or_the_name_of_the_file() {
    let sandbox = Sandbox::new();
    write(&sandbox, &group("a", SHORT, "[0]"));
    sandbox.succeed("train", &["sweep", "table.toml", "--quiet"]);
    assert!(
        sandbox
            .path("artifacts/table/a-seed-0/summary.json")
            .is_file()
    );
    assert!(!sandbox.path("artifacts/latest").exists());
    write(
        &sandbox,
        &("folder = \"named\"\n".to_owned() + &group("a", SHORT, "[0]")),
    );
    sandbox.succeed("train", &["sweep", "table.toml", "--quiet"]);
    assert!(sandbox.path("named/sweep.html").is_file());
}

#[test]
fn a_summary_makes_no_run() {
    let sandbox = Sandbox::new();
    write(&sandbox, &group("a", SHORT, "[0, 1]"));
    let error = sandbox.fail(
        "train",
        &["sweep", "table.toml", "--folder", "runs", "--summary"],
    );
    assert!(error.contains("runs: there is no such folder"), "{error}");
    assert_eq!(
        sweep(&sandbox, &["--shard", "1/2", "--quiet"]).code,
        Some(0)
    );
    fs::remove_file(sandbox.path("runs/sweep.html")).unwrap();
    let outcome = sweep(&sandbox, &["--summary"]);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(sandbox.path("runs/sweep.html").is_file());
    assert!(!sandbox.path("runs/a-seed-1").exists());
}

#[test]
fn the_page_names_every_run_and_escapes_what_names_hold() {
    let sandbox = Sandbox::new();
    let name = "<b>&\"% ?#é";
    let bad = format!("{SHORT}, \"optimizer.learning_rate=1e30\"");
    write(
        &sandbox,
        &(group(name, SHORT, "[0, 1]") + &group("bad", &bad, "[0]")),
    );
    assert_eq!(sweep(&sandbox, &["--quiet"]).code, Some(1));
    let html = String::from_utf8(sandbox.bytes("runs/sweep.html")).unwrap();
    assert!(!html.contains("<script") && !html.contains("<b>"));
    let document = parse(&html);
    let text: String = document
        .descendants()
        .filter_map(|node| node.text())
        .collect();
    for run in [
        &format!("{name}-seed-0")[..],
        &format!("{name}-seed-1"),
        "bad-seed-0",
    ] {
        assert!(text.contains(run), "{run}");
    }
    let links = document
        .descendants()
        .filter_map(|node| node.attribute("href"));
    let reports: Vec<_> = links.filter(|link| link.ends_with("report.html")).collect();
    for seed in 0..2 {
        let link = format!("%3Cb%3E%26%22%25%20%3F%23%C3%A9-seed-{seed}/report.html");
        assert!(reports.contains(&&link[..]), "{reports:?}");
    }
    for id in ["groups", "curves", "differences", "runs"] {
        let is = |node: roxmltree::Node| {
            node.has_tag_name("section") && node.attribute("id") == Some(id)
        };
        assert!(document.descendants().any(is), "{id}");
    }
    assert!(text.contains("optimizer.learning_rate"));
}

/// Parses strictly, once the elements that HTML leaves open because they are empty are closed.
fn parse(html: &str) -> Document<'static> {
    let mut xml = html.to_owned();
    for name in ["meta", "link"] {
        let pieces: Vec<_> = xml.split(&format!("<{name} ")).map(str::to_owned).collect();
        let closed = pieces[1..]
            .iter()
            .map(|piece| format!("<{name} {}", piece.replacen('>', "/>", 1)));
        xml = pieces[0].clone() + &closed.collect::<String>();
    }
    let xml = xml.replacen("<!DOCTYPE html>", "", 1);
    let options = ParsingOptions::default();
    Document::parse_with_options(Box::leak(xml.into_boxed_str()), options).unwrap()
}

#[test]
fn the_sweeps_that_are_here_can_be_made() {
    let sandbox = Sandbox::new();
    let folder = root().join("configs/sweeps");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut number = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = Path::new(file.file_name().unwrap());
        let command = format!("sweep configs/sweeps/{}\n", name.display());
        assert!(text.lines().next().unwrap().starts_with("# ") && text.contains(&command));
        let file = file.display().to_string();
        let outcome = sandbox.succeed("train", &["sweep", &file, "--jobs", "2", "--json"]);
        let all: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(all["count"]["done"], all["count"]["runs"]);
        number += 1;
    }
    assert!(number >= 2);
}
