//! The event files for TensorBoard, read back by a reader of our own.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

use serde_json::Value;
use tests::{Sandbox, smoke};

/// Bit by bit, unlike the writer's.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = match crc & 1 {
                1 => (crc >> 1) ^ 0x82f6_3b78,
                _ => crc >> 1,
            };
        }
    }
    !crc
}

fn masked(bytes: &[u8]) -> [u8; 4] {
    let crc = crc32c(bytes);
    crc.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// The records of a file, both checksums of each compared.
fn records(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_at(8);
        assert_eq!(after[..4], masked(length));
        let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        let (record, after) = after[4..].split_at(length);
        assert_eq!(after[..4], masked(record));
        records.push(record.to_vec());
        rest = &after[4..];
    }
    records
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// The fields of a message: number and content, a varint as its eight bytes.
type Fields = Vec<(u64, Vec<u8>)>;

fn fields(mut bytes: &[u8]) -> Fields {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                let value = varint(&mut bytes);
                fields.push((key >> 3, value.to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => varint(&mut bytes) as usize,
            5 => 4,
            kind => panic!("{kind}"),
        };
        fields.push((key >> 3, bytes[..length].to_vec()));
        bytes = &bytes[length..];
    }
    fields
}

fn field(fields: &[(u64, Vec<u8>)], number: u64) -> Option<&[u8]> {
    let found = fields.iter().find(|(known, _)| *known == number);
    found.map(|(_, bytes)| &bytes[..])
}

/// Everything that the event files of a run hold: for each tag, pairs of step and content of the value.
#[derive(Default)]
struct Events {
    values: BTreeMap<String, Vec<(u64, Fields)>>,
    /// The steps of what says that the run was started again.
    starts: Vec<u64>,
}

fn files(run: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(run).unwrap().map(|e| e.unwrap().path());
    let is_events = |path: &PathBuf| path.to_string_lossy().contains("events.out.tfevents.");
    let mut files: Vec<PathBuf> = entries.filter(is_events).collect();
    files.sort();
    files
}

fn events(run: &Path) -> Events {
    let mut events = Events::default();
    for file in files(run) {
        for (at, record) in records(&file).iter().enumerate() {
            let event = fields(record);
            let step = field(&event, 2).map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap()));
            if at == 0 {
                assert_eq!(field(&event, 3), Some(&b"brain.Event:2"[..]));
            }
            if field(&event, 7).is_some() {
                events.starts.push(step);
            }
            let summary = field(&event, 5).map(fields).unwrap_or_default();
            for (_, value) in summary {
                let value = fields(&value);
                let tag = String::from_utf8(field(&value, 1).unwrap().to_vec()).unwrap();
                events.values.entry(tag).or_default().push((step, value));
            }
        }
    }
    events
}

impl Events {
    fn scalars(&self, tag: &str) -> Vec<(u64, f32)> {
        let values = self.values[tag].iter();
        let number = |value: &[(u64, Vec<u8>)]| {
            f32::from_le_bytes(field(value, 2).unwrap().try_into().unwrap())
        };
        values.map(|(step, value)| (*step, number(value))).collect()
    }
}

/// What `metrics.jsonl` says of single steps, or of whole epochs.
fn measured(run: &Path, split: &str, name: &str, by_step: bool) -> Vec<(u64, f32)> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let wanted = |m: &Value| m["split"] == split && m["name"] == name;
    lines
        .filter(|m| wanted(m) && m["step"].is_number() == by_step)
        .map(|m| {
            let at = if by_step { &m["step"] } else { &m["epoch"] };
            (at.as_u64().unwrap(), m["value"].as_f64().unwrap() as f32)
        })
        .collect()
}

/// Starts a run that writes for TensorBoard, and kills it in an epoch after the second.
fn killed(sandbox: &Sandbox) {
    let config = smoke();
    let args = [
        "--config",
        &config,
        "--run-dir",
        "run",
        "--tensorboard",
        "--set",
        "training.epochs=6",
    ];
    let mut child = sandbox.start("train", &args);
    // Written in the midst of an epoch, too.
    let second = sandbox.path("run/checkpoints/epoch-002");
    while !second.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn every_step_and_epoch_of_a_run_that_was_killed_is_there_once() {
    let sandbox = Sandbox::new();
    killed(&sandbox);
    let run = sandbox.path("run");
    let first = files(&run);
    assert_eq!(first.len(), 1);
    let end = "_hparams_/session_end_info";
    assert!(!events(&run).values.contains_key(end));
    // What a process that dies leaves of a record.
    let torn = [fs::read(&first[0]).unwrap(), vec![7; 9]].concat();
    fs::write(&first[0], torn).unwrap();
    sandbox.succeed("train", &["--resume", "run"]);

    let events = events(&run);
    assert_eq!(files(&run).len(), 2);
    for name in ["loss", "accuracy", "learning_rate"] {
        let steps = measured(&run, "train", name, true);
        assert!(steps.len() > 100);
        assert_eq!(events.scalars(&format!("step/{name}")), steps, "{name}");
    }
    let steps = measured(&run, "train", "loss", true).len() as u64;
    let ends: Vec<(u64, f32)> = (1..=6).map(|e| (e * steps / 6, e as f32)).collect();
    assert_eq!(events.scalars("epoch/number"), ends);
    for name in ["accuracy", "loss"] {
        let expected = measured(&run, "validation", name, false);
        assert_eq!(expected.len(), 7, "before training and after six epochs");
        let expected: Vec<(u64, f32)> = expected
            .iter()
            .map(|(epoch, value)| (epoch * steps / 6, *value))
            .collect();
        assert_eq!(
            events.scalars(&format!("epoch/validation_{name}")),
            expected
        );
    }
    let [start] = events.starts[..] else {
        panic!("{:?}", events.starts)
    };
    assert_eq!(
        start % (steps / 6),
        1,
        "after an epoch whose checkpoint was whole"
    );
    for tag in [
        "weights/blocks.0.conv.weight",
        "weights/output.bias",
        "validation/worst_errors",
    ] {
        assert_eq!(events.values[tag].len(), 7, "{tag}");
    }
    assert_eq!(events.values["_hparams_/session_start_info"].len(), 1);
    let [(step, value)] = &events.values[end][..] else {
        panic!("{:?}", events.values[end])
    };
    assert_eq!(
        *step,
        steps + 1,
        "goes with what is void where a run goes on"
    );
    let inner = |bytes: &[u8], number| fields(field(&fields(bytes), number).unwrap());
    let plugin = inner(field(value, 9).unwrap(), 1);
    assert_eq!(field(&plugin, 1), Some(&b"hparams"[..]));
    let ended = inner(field(&plugin, 2).unwrap(), 4);
    assert_eq!(
        field(&ended, 1),
        Some(&1_u64.to_le_bytes()[..]),
        "STATUS_SUCCESS"
    );
}

#[cfg(unix)]
#[test]
fn a_run_that_goes_on_or_was_interrupted_has_not_ended() {
    let sandbox = Sandbox::new();
    let run = sandbox.path("run");
    let ends = || {
        let found = events(&run);
        let ends = found.values.get("_hparams_/session_end_info");
        ends.map_or(0, Vec::len)
    };
    let constant = [
        "--set",
        "schedule={kind=\"constant\"}",
        "--set",
        "training.plain_epochs=0",
        "--tensorboard",
    ];
    sandbox.train("run", &constant);
    assert_eq!(ends(), 1);
    sandbox.succeed("train", &["--resume", "run", "--set", "training.epochs=3"]);
    assert_eq!(ends(), 1, "the later one");
    let more = ["--resume", "run", "--set", "training.epochs=1000"];
    let mut child = sandbox.start("train", &more);
    while !sandbox.path("run/checkpoints/epoch-004").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        sleep(Duration::from_millis(5));
    }
    let interrupt = ["-INT", &child.id().to_string()];
    assert!(
        Command::new("kill")
            .args(interrupt)
            .status()
            .unwrap()
            .success()
    );
    child.wait().unwrap();
    assert_eq!(ends(), 0);
}

#[test]
fn nothing_is_written_unless_it_is_asked_for_and_each_member_has_its_own() {
    let sandbox = Sandbox::new();
    sandbox.train("plain", &[]);
    assert!(files(&sandbox.path("plain")).is_empty());
    let two = ["--set", "training.members=2", "--tensorboard"];
    sandbox.train("two", &two);
    assert!(files(&sandbox.path("two")).is_empty());
    for member in ["two/members/1", "two/members/2"] {
        let run = sandbox.path(member);
        assert_eq!(files(&run).len(), 1);
        let ends = events(&run).scalars("epoch/number");
        assert_eq!(ends.iter().map(|(_, e)| *e).collect::<Vec<_>>(), [1.0, 2.0]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_is_said_once_and_the_run_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &["--set", "training.epochs=2"]);
    // A run of constant rate that has an epoch ahead, and whose folder takes no event files: a name in
    // the way is what a full disk is, and doesn't depend on who runs the test.
    let run = sandbox.path("run");
    fs::remove_dir_all(run.join("checkpoints/epoch-002")).unwrap();
    fs::create_dir(run.join("events.out.tfevents.0000000001.0")).unwrap();
    let outcome = sandbox.succeed("train", &["--resume", "run", "--tensorboard"]);
    assert_eq!(outcome.stderr.matches("TensorBoard").count(), 1);
    assert!(
        outcome.stderr.contains("the run goes on"),
        "{}",
        outcome.stderr
    );
}
