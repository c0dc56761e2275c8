//! Training on devices that other processes lend. Needs `train` with its feature `remote-server`:
//! `cargo test --workspace --release --features train/remote-server,tests/remote --test remote`.

#![cfg(feature = "remote")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use tests::{
    Sandbox,
    lender::{Lender, TOKEN},
    smoke,
};

/// What a run on lenders needs.
fn on<'a>(lenders: &[&'a Lender], more: &[&'a str]) -> Vec<&'a str> {
    let devices = lenders
        .iter()
        .flat_map(|lender| ["--device", &lender.address]);
    devices
        .chain(["--token-file", TOKEN])
        .chain(more.iter().copied())
        .collect()
}

/// A run of many short epochs that somebody can get in the way of.
const LONG: [&str; 4] = ["--set", "training.epochs=12", "--set", "data.limit=2000"];

/// Waits until a run has a whole checkpoint.
fn first_epoch(sandbox: &Sandbox, run: &str) {
    let began = Instant::now();
    let folder = sandbox.path(run).join("checkpoints/epoch-001");
    while !folder.exists() && !sandbox.path(run).join("checkpoints/epoch-002").exists() {
        assert!(began.elapsed() < Duration::from_secs(120), "no epoch ends");
        thread::sleep(Duration::from_millis(5));
    }
}

fn accuracy(sandbox: &Sandbox, run: &str) -> f64 {
    let summary = sandbox.json(&format!("{run}/summary.json"));
    summary["test"]["accuracy"].as_f64().unwrap()
}

#[test]
fn a_lent_device_computes_the_bits_of_the_same_backend_here() {
    let sandbox = Sandbox::new();
    for backend in ["ndarray", "flex"] {
        let lender = Lender::start(&sandbox, backend);
        let (here, there) = (format!("here-{backend}"), format!("there-{backend}"));
        let more = ["--backend", backend, "--set", "training.ema_decay=0.9"];
        sandbox.train(&here, &more);
        sandbox.train(&there, &on(&[&lender], &more));
        assert_eq!(
            sandbox.bytes(&format!("{there}/model/model.bpk")),
            sandbox.bytes(&format!("{here}/model/model.bpk")),
            "{backend}"
        );
        let summary = sandbox.json(&format!("{there}/summary.json"));
        assert_eq!(summary["devices"], serde_json::json!([lender.address]));
        assert_eq!(summary["backend"], backend);
    }
}

#[test]
fn two_lent_devices_learn_what_one_learns_and_the_same_bits_each_time() {
    let sandbox = Sandbox::new();
    let lenders = [(); 2].map(|()| Lender::start(&sandbox, "flex"));
    let [first, second] = &lenders;
    let one = sandbox.train("one", &on(&[first], &[]));
    sandbox.train("two", &on(&[first, second], &[]));
    sandbox.train("again", &on(&[first, second], &[]));
    assert_eq!(
        sandbox.bytes("two/model/model.bpk"),
        sandbox.bytes("again/model/model.bpk")
    );
    // Normalizations see halves of a batch, so that the bits are others.
    assert_ne!(
        sandbox.bytes("two/model/model.bpk"),
        sandbox.bytes("one/model/model.bpk")
    );
    let apart = (accuracy(&sandbox, "one") - accuracy(&sandbox, "two")).abs();
    assert!(apart < 0.02, "{apart}\n{}", one.stderr);
}

#[test]
fn a_network_without_normalization_learns_the_same_on_two_devices_but_for_rounding() {
    let sandbox = Sandbox::new();
    let lenders = [(); 2].map(|()| Lender::start(&sandbox, "flex"));
    let plain = ["--set", "network.norm=false", "--set", "training.epochs=1"];
    sandbox.train("one", &on(&[&lenders[0]], &plain));
    sandbox.train("two", &on(&[&lenders[0], &lenders[1]], &plain));
    let losses = |run: &str| -> Vec<f64> {
        let text = fs::read_to_string(sandbox.path(run).join("metrics.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &serde_json::Value| line["name"] == "loss" && line["step"].is_u64())
            .filter_map(|line| line["value"].as_f64())
            .collect()
    };
    let (one, two) = (losses("one"), losses("two"));
    assert!(one.len() > 50, "{}", one.len());
    assert_eq!(one.len(), two.len());
    for (step, (one, two)) in one.iter().zip(&two).enumerate() {
        assert!(
            (one - two).abs() < 2e-2 * one.max(0.05),
            "step {step}: {one} {two}"
        );
    }
}

#[test]
fn a_lender_that_dies_ends_the_run_with_its_name_and_the_run_goes_on_without_it() {
    let sandbox = Sandbox::new();
    sandbox.train("whole", &LONG);
    let mut lender = Lender::start(&sandbox, "ndarray");
    let smoke = smoke();
    let mut args = vec!["--config", &smoke, "--run-dir", "run"];
    args.extend(on(&[&lender], &LONG));
    let child = sandbox.start("train", &args);
    first_epoch(&sandbox, "run");
    lender.kill();
    let died = Instant::now();
    let outcome: tests::Outcome = child.wait_with_output().unwrap().into();
    assert!(
        died.elapsed() < Duration::from_secs(20),
        "{:?}",
        died.elapsed()
    );
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let errors: Vec<&str> = outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("error") || line.contains("panicked"))
        .collect();
    assert_eq!(errors.len(), 1, "{}", outcome.stderr);
    for part in [&lender.address[..], "is gone", "train --resume run"] {
        assert!(errors[0].contains(part), "{part}: {}", errors[0]);
    }
    // Here, and with the bits of a run that has been here all the time.
    sandbox.succeed("train", &["--resume", "run"]);
    assert_eq!(
        sandbox.bytes("run/model/model.bpk"),
        sandbox.bytes("whole/model/model.bpk")
    );
}

#[test]
fn the_lender_of_several_that_hangs_ends_the_run_with_its_name_and_another_goes_on() {
    let sandbox = Sandbox::new();
    let lender = Lender::start(&sandbox, "flex");
    let sound = Lender::start(&sandbox, "flex");
    let smoke = smoke();
    let mut args = vec!["--config", &smoke, "--run-dir", "run", "--patience", "2"];
    args.extend(on(&[&sound, &lender], &LONG));
    let child = sandbox.start("train", &args);
    first_epoch(&sandbox, "run");
    lender.signal("STOP");
    let hung = Instant::now();
    let outcome: tests::Outcome = child.wait_with_output().unwrap().into();
    lender.signal("CONT");
    assert!(
        hung.elapsed() < Duration::from_secs(20),
        "{:?}",
        hung.elapsed()
    );
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let hangs = format!("error: {} hangs (no answer for 2 s);", lender.address);
    assert!(outcome.stderr.contains(&hangs), "{}", outcome.stderr);
    let other = Lender::start(&sandbox, "flex");
    let mut args = vec!["--resume", "run"];
    args.extend(on(&[&other], &[]));
    sandbox.succeed("train", &args);
    assert!(accuracy(&sandbox, "run") > 0.9);
}

#[test]
fn a_lender_that_was_started_again_lends_again() {
    let sandbox = Sandbox::new();
    let mut lender = Lender::start(&sandbox, "flex");
    sandbox.train("first", &on(&[&lender], &[]));
    lender.kill();
    let listen = lender.address.trim_start_matches("remote://").to_owned();
    let again = Lender::at(&sandbox, "flex", &listen, &[]);
    assert_eq!(again.address, lender.address);
    sandbox.train("second", &on(&[&again], &[]));
    assert_eq!(
        sandbox.bytes("first/model/model.bpk"),
        sandbox.bytes("second/model/model.bpk")
    );
}

#[test]
fn what_is_wrong_with_a_lender_is_said_in_one_line_before_a_run_begins() {
    let sandbox = Sandbox::new();
    let lender = Lender::start(&sandbox, "flex");
    fs::write(sandbox.path("other"), "another token").unwrap();
    fs::write(sandbox.path("empty"), " \n").unwrap();
    // Takes connections, and answers as a web server does.
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let page = format!("remote://{}", web.local_addr().unwrap());
    thread::spawn(move || {
        for stream in web.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
    });
    // Nobody has this port: it was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = format!("remote://{free}");
    let missing = format!("{}/7", lender.address);
    let cases: [(&str, &str, &str); 8] = [
        (&lender.address, "other", "refuses this token"),
        (&lender.address, "empty", "holds no token"),
        (&lender.address, "no-file", "can't read the token"),
        (&missing, TOKEN, "has one device"),
        (&nobody, TOKEN, "nobody lends a device there"),
        (&page, TOKEN, "lends no devices"),
        ("remote://no.such.host.invalid:7010", TOKEN, "nobody lends"),
        ("tcp://127.0.0.1:7010", TOKEN, "write remote://HOST:PORT"),
    ];
    for (device, token, expected) in cases {
        let args = [
            "--config",
            &smoke(),
            "--run-dir",
            "run",
            "--device",
            device,
            "--token-file",
            token,
        ];
        let line = sandbox.fail("train", &args);
        assert!(line.contains(expected), "{expected}: {line}");
        assert!(!line.contains("a token of the tests"), "{line}");
        assert!(!sandbox.path("run").exists(), "{expected}");
    }
    let twice = [&lender, &lender];
    let args = [&["--run-dir", "run"][..], &on(&twice, &[])].concat();
    assert!(sandbox.fail("train", &args).contains("named twice"));
    let bf16 = ["--set", "training.precision=\"bf16\"", "--run-dir", "run"];
    assert!(
        sandbox
            .fail("train", &on(&[&lender], &bf16))
            .contains("--device")
    );
    assert_eq!(
        sandbox.run("train", &["--device", &lender.address]).code,
        Some(2)
    );
}

#[test]
fn a_lender_without_a_token_or_a_free_port_does_not_start() {
    let sandbox = Sandbox::new();
    let lender = Lender::start(&sandbox, "flex");
    let listen = lender.address.trim_start_matches("remote://");
    let args = [
        "--serve-device",
        "flex",
        "--token-file",
        TOKEN,
        "--listen",
        listen,
    ];
    assert!(sandbox.fail("train", &args).contains("can't listen there"));
    fs::write(sandbox.path("empty"), "").unwrap();
    let args = ["--serve-device", "flex", "--token-file", "empty"];
    assert!(sandbox.fail("train", &args).contains("openssl rand"));
    let args = ["--serve-device", "abacus", "--token-file", TOKEN];
    assert!(sandbox.fail("train", &args).contains("unknown backend"));
    assert_eq!(
        sandbox.run("train", &["--serve-device", "flex"]).code,
        Some(2)
    );
}

/// A way to an address on which everything takes so long, each way.
fn delayed(to: &str, delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let to = to.to_owned();
    thread::spawn(move || {
        for near in listener.incoming() {
            let near = near.unwrap();
            let far = TcpStream::connect(&to).unwrap();
            for (from, to) in [(&near, &far), (&far, &near)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                to.set_nodelay(true).unwrap();
                let (send, sent) = mpsc::channel::<(Instant, Vec<u8>)>();
                thread::spawn(move || {
                    for (when, bytes) in sent {
                        thread::sleep(when.saturating_duration_since(Instant::now()));
                        if to.write_all(&bytes).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Both);
                });
                thread::spawn(move || {
                    let mut buffer = vec![0; 1 << 16];
                    while let Ok(count @ 1..) = from.read(&mut buffer) {
                        let part = (Instant::now() + delay, buffer[..count].to_vec());
                        if send.send(part).is_err() {
                            break;
                        }
                    }
                });
            }
        }
    });
    address
}

#[test]
fn lenders_twenty_milliseconds_away_compute_the_same_bits() {
    let sandbox = Sandbox::new();
    let lenders = [(); 2].map(|()| Lender::start(&sandbox, "flex"));
    let far = lenders.each_ref().map(|lender| {
        let listens = lender.address.trim_start_matches("remote://");
        format!("remote://{}", delayed(listens, Duration::from_millis(20)))
    });
    let short = ["--set", "data.limit=640", "--token-file", TOKEN];
    let near = lenders.each_ref().map(|lender| &lender.address[..]);
    let far = far.each_ref().map(|address| &address[..]);
    for (run, [first, second]) in [("near", near), ("far", far)] {
        let devices = ["--device", first, "--device", second];
        sandbox.train(run, &[&devices[..], &short].concat());
    }
    assert_eq!(
        sandbox.bytes("near/model/model.bpk"),
        sandbox.bytes("far/model/model.bpk")
    );
}
