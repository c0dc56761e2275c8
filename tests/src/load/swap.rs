//! A model that is replaced again and again while it is asked.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tests::{Sandbox, server::Server, smoke};

use crate::{
    Setting, drive, images,
    wire::{self, Connection},
};

/// What the server needs to be told so that it takes any model over that it can load.
const UNCHECKED: &[&str] = &["--swap-unchecked"];

/// Images of a request, and how many requests there are to choose from.
const BATCH: usize = 5;
const REQUESTS: usize = 40;

/// By version, what is to be answered to each request.
type Known = HashMap<String, Vec<Value>>;

/// Replaces the model so often while clients ask, and looks whether each answer is that of one model.
///
/// # Errors
/// If an answer fails, or is not what the model of its version says.
pub fn swap(setting: &Setting, count: usize, connections: usize) -> anyhow::Result<()> {
    let sandbox = &setting.sandbox;
    let run = sandbox.path("run").display().to_string();
    sandbox.succeed(
        "train",
        &["--config", &smoke(), "--quiet", "--run-dir", &run],
    );
    let folders = [
        PathBuf::from(&setting.checkpoint),
        Path::new(&run).join("model"),
    ];
    let all = images::mnist(BATCH * REQUESTS)?;
    let requests: Vec<_> = all
        .chunks_exact(BATCH * images::PIXELS)
        .map(|images| images::infer("model", images, &["probabilities", "class"], false))
        .collect();
    let mut known = Known::new();
    for folder in &folders {
        let model = format!("model={}", folder.display());
        let server = Server::start_with(sandbox, &[&model]);
        let (version, answers) = drive::runtime()?.block_on(answers(&server.address, &requests))?;
        known.insert(version, answers);
    }
    ensure!(known.len() == 2, "both models have the same version");
    let served = sandbox.path("served");
    copy(&folders[0], &served)?;
    let model = format!("model={}", served.display());
    let own = setting.serve.iter().map(String::as_str);
    let arguments: Vec<_> = [&model[..]]
        .into_iter()
        .chain(own)
        .chain(UNCHECKED.iter().copied())
        .collect();
    let server = Server::start_with(sandbox, &arguments);
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let began = Instant::now();
    let done = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|number| {
                let (requests, known, over, asked) = (&requests, &known, &over, &asked);
                let address = &server.address;
                scope.spawn(move || {
                    let looked = watch(address, requests, known, over, asked, number);
                    drive::runtime()?.block_on(looked)
                })
            })
            .collect();
        let replaced = replace(
            sandbox,
            &server,
            &folders,
            &served,
            count,
            &over,
            setting.time,
        );
        over.store(true, Ordering::Relaxed);
        for client in clients {
            client
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        replaced
    })?;
    println!("| times that the model was replaced | {done} |");
    println!("| seconds | {:.1} |", began.elapsed().as_secs_f64());
    println!(
        "| answers meanwhile, each of one model and right in every bit | {} |",
        asked.into_inner()
    );
    println!("| failed or mixed | 0 |");
    ensure!(done >= count, "only {done} times within the time");
    Ok(())
}

/// The version in service, and what it answers.
async fn answers(address: &str, requests: &[Vec<u8>]) -> anyhow::Result<(String, Vec<Value>)> {
    let mut connection = Connection::open(address).await?;
    let (mut version, mut answers) = (String::new(), Vec::new());
    for request in requests {
        let (of, answer) = answer(&mut connection, request).await?;
        version = of;
        answers.push(answer);
    }
    Ok((version, answers))
}

async fn answer(connection: &mut Connection, request: &[u8]) -> anyhow::Result<(String, Value)> {
    let reply = connection.ask(request).await?;
    if reply.status != 200 {
        bail!("{}: {}", reply.status, String::from_utf8_lossy(reply.body));
    }
    let mut json: Value = serde_json::from_slice(reply.body)?;
    let version = json["model_version"]
        .as_str()
        .context("no version")?
        .to_owned();
    Ok((version, json["outputs"].take()))
}

/// Asks until it is over, and compares.
async fn watch(
    address: &str,
    requests: &[Vec<u8>],
    known: &Known,
    over: &AtomicBool,
    asked: &AtomicUsize,
    first: usize,
) -> anyhow::Result<()> {
    let mut connection = Connection::open(address).await?;
    for number in (0..requests.len()).cycle().skip(first) {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let found = answer(&mut connection, &requests[number]).await;
        let (version, found) = found.inspect_err(|_| over.store(true, Ordering::Relaxed))?;
        let expected = known.get(&version).and_then(|answers| answers.get(number));
        if expected != Some(&found) {
            over.store(true, Ordering::Relaxed);
            bail!("version {version} answers {found} where it should {expected:?}");
        }
        asked.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Puts one model in the place of the other, so often; how often it was taken over.
fn replace(
    sandbox: &Sandbox,
    server: &Server,
    folders: &[PathBuf; 2],
    served: &Path,
    count: usize,
    over: &AtomicBool,
    time: Duration,
) -> anyhow::Result<usize> {
    let runtime = drive::runtime()?;
    let ends = Instant::now() + time;
    let mut before = runtime.block_on(version(&server.address))?;
    for done in 0..count {
        let (next, old) = (sandbox.path("next"), sandbox.path("old"));
        copy(&folders[(done + 1) % 2], &next)?;
        fs::rename(served, &old)?;
        fs::rename(&next, served)?;
        fs::remove_dir_all(&old)?;
        let told = Command::new("kill")
            .args(["-HUP", &server.id().to_string()])
            .status()?;
        ensure!(told.success(), "the server can't be told");
        loop {
            let now = runtime.block_on(version(&server.address))?;
            if now != before {
                before = now;
                break;
            }
            if over.load(Ordering::Relaxed) || Instant::now() > ends {
                return Ok(done);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(count)
}

async fn version(address: &str) -> anyhow::Result<String> {
    let mut connection = Connection::open(address).await?;
    let reply = connection
        .ask(&wire::request("GET", "/api/model", &[], b""))
        .await?;
    let json: Value = serde_json::from_slice(reply.body)?;
    Ok(json["version"].as_str().context("no version")?.to_owned())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
