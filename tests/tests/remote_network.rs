//! Lent devices on hosts of their own, which are network namespaces of this machine joined by a bridge: delay, loss,
//! a cut, and a machine that is switched off. Only root can make them; others are told that this was skipped.
//! `cargo test --workspace --release --features train/remote-server,tests/remote --test remote_network`.

#![cfg(feature = "remote")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tests::{
    Outcome, Sandbox,
    lender::{Lender, TOKEN},
    smoke,
};

/// One network at a time: its addresses are the same.
static ONE: Mutex<()> = Mutex::new(());

/// Hosts 10.87.0.2, 10.87.0.3, … that reach each other and this machine, 10.87.0.1.
struct Network {
    hosts: usize,
    _one: MutexGuard<'static, ()>,
}

fn run(command: &str) -> Result<(), String> {
    let words: Vec<&str> = command.split(' ').collect();
    let output = Command::new(words[0]).args(&words[1..]).output();
    let output = output.map_err(|error| format!("{command}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{command}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

impl Network {
    fn new(hosts: usize) -> Result<Self, String> {
        let network = Network {
            hosts,
            _one: ONE.lock().unwrap_or_else(PoisonError::into_inner),
        };
        network.remove();
        run("ip link add lend-bridge type bridge")?;
        run("ip addr add 10.87.0.1/24 dev lend-bridge")?;
        run("ip link set lend-bridge up")?;
        for host in 0..hosts {
            let address = host + 2;
            for command in [
                format!("ip netns add lend-{host}"),
                format!("ip link add lend-out-{host} type veth peer name lend-in-{host}"),
                format!("ip link set lend-in-{host} netns lend-{host}"),
                format!("ip link set lend-out-{host} master lend-bridge"),
                format!("ip link set lend-out-{host} up"),
                format!("ip -n lend-{host} addr add 10.87.0.{address}/24 dev lend-in-{host}"),
                format!("ip -n lend-{host} link set lend-in-{host} up"),
                format!("ip -n lend-{host} link set lo up"),
            ] {
                run(&command)?;
            }
        }
        Ok(network)
    }

    fn remove(&self) {
        for host in 0..self.hosts {
            let _ = run(&format!("ip netns del lend-{host}"));
            let _ = run(&format!("ip link del lend-out-{host}"));
        }
        let _ = run("ip link del lend-bridge");
    }

    fn lender(&self, sandbox: &Sandbox, host: usize) -> Lender {
        let listen = format!("10.87.0.{}:7010", host + 2);
        let name = format!("lend-{host}");
        Lender::at(sandbox, "flex", &listen, &["ip", "netns", "exec", &name])
    }

    fn cable(&self, host: usize, state: &str) {
        run(&format!("ip link set lend-out-{host} {state}")).unwrap();
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A network, unless this user can't have one.
fn network(hosts: usize) -> Option<Network> {
    let network = Network::new(hosts);
    network
        .inspect_err(|problem| eprintln!("skipped: no network namespaces here: {problem}"))
        .ok()
}

fn start(sandbox: &Sandbox, lenders: &[&Lender], more: &[&str]) -> std::process::Child {
    let smoke = smoke();
    let mut args = vec![
        "--config",
        &smoke,
        "--run-dir",
        "run",
        "--token-file",
        TOKEN,
    ];
    for lender in lenders {
        args.extend(["--device", &lender.address]);
    }
    args.extend(more);
    sandbox.start("train", &args)
}

fn end(child: std::process::Child) -> Outcome {
    child.wait_with_output().unwrap().into()
}

/// Waits until a run has a whole checkpoint.
fn first_epoch(sandbox: &Sandbox) {
    let began = Instant::now();
    let folder = sandbox.path("run/checkpoints");
    while !folder.is_dir()
        || !folder
            .read_dir()
            .unwrap()
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("epoch-"))
    {
        assert!(began.elapsed() < Duration::from_secs(120), "no epoch ends");
        thread::sleep(Duration::from_millis(5));
    }
}

const LONG: [&str; 4] = ["--set", "training.epochs=12", "--set", "data.limit=2000"];

#[test]
fn two_hosts_train_together_over_a_slow_network_that_loses_packets() {
    let Some(network) = network(2) else { return };
    let sandbox = Sandbox::new();
    let mut slow = true;
    for host in 0..2 {
        let command = format!("tc qdisc add dev lend-out-{host} root netem delay 20ms loss 1%");
        if let Err(problem) = run(&command) {
            eprintln!("skipped: delay and loss: {problem}");
            slow = false;
        }
    }
    let lenders = [0, 1].map(|host| network.lender(&sandbox, host));
    // A transfer between hosts takes several round trips, for each tensor and step.
    let limit = if slow {
        "data.limit=300"
    } else {
        "data.limit=2000"
    };
    let outcome = end(start(
        &sandbox,
        &[&lenders[0], &lenders[1]],
        &["--set", limit],
    ));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let summary = sandbox.json("run/summary.json");
    assert_eq!(summary["devices"].as_array().unwrap().len(), 2);
    assert!(summary["test"]["accuracy"].as_f64().unwrap() > 0.5);
}

#[test]
fn a_cut_of_five_seconds_is_waited_out() {
    let Some(network) = network(1) else { return };
    let sandbox = Sandbox::new();
    let lender = network.lender(&sandbox, 0);
    let child = start(&sandbox, &[&lender], &LONG);
    first_epoch(&sandbox);
    network.cable(0, "down");
    thread::sleep(Duration::from_secs(5));
    network.cable(0, "up");
    let outcome = end(child);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn a_host_that_is_switched_off_ends_the_run_when_patience_is_over() {
    let Some(network) = network(1) else { return };
    let sandbox = Sandbox::new();
    let lender = network.lender(&sandbox, 0);
    let more = [&LONG[..], &["--patience", "5"]].concat();
    let child = start(&sandbox, &[&lender], &more);
    first_epoch(&sandbox);
    network.cable(0, "down");
    let off = Instant::now();
    let outcome = end(child);
    assert!(
        off.elapsed() < Duration::from_secs(30),
        "{:?}",
        off.elapsed()
    );
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains(&lender.address),
        "{}",
        outcome.stderr
    );
    sandbox.succeed("train", &["--resume", "run"]);
}

#[test]
fn a_host_that_is_not_there_is_named() {
    let Some(_network) = network(1) else { return };
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path(TOKEN), "a token of the tests").unwrap();
    let device = "remote://10.87.0.99:7010";
    let args = [
        "--config",
        &smoke(),
        "--run-dir",
        "run",
        "--token-file",
        TOKEN,
        "--device",
        device,
    ];
    let line = sandbox.fail("train", &args);
    assert!(
        line.contains(device) && line.contains("nobody lends"),
        "{line}"
    );
}
