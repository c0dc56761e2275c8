//! How the server fares under more than it can do, and beside clients that only hold on to it.

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use tests::server::Server;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::LocalSet,
    time::{sleep, sleep_until, timeout},
};

use crate::{
    Setting, drive, images, spread,
    wire::{self, Connection},
};

/// The most memory that a server may have had, in megabytes.
const MOST_MEMORY: f64 = 300.0;
/// By how much the 99th percentile may be longer beside connections that only hold on.
const SLOWER: f64 = 2.0;
/// Share of the requests that were to be offered without which nothing is shown.
const OFFERED: f64 = 0.9;
/// How long an answer may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of the requests of one client.
#[derive(Default)]
struct Fates {
    answered: usize,
    refused: usize,
    lost: usize,
    example: Option<String>,
    slowest: Duration,
}

/// Offers many times what the server can answer, and looks what becomes of each request.
///
/// # Errors
/// If a request is neither answered nor refused, the server takes too much memory, or far fewer requests could
/// be offered.
pub fn overload(
    setting: &Setting,
    times: f64,
    batch: usize,
    connections: usize,
) -> anyhow::Result<()> {
    let server = setting.server();
    let all = images::mnist(10_000)?;
    let requests: Vec<_> = all
        .chunks_exact(batch * images::PIXELS)
        .map(|images| images::infer("model", images, &["probabilities", "class"], true))
        .collect();
    let capacity = drive::closed(
        &server.address,
        &requests,
        4,
        setting.time.min(Duration::from_secs(5)),
    )?;
    let rate = times * capacity.rate();
    let (fates, seconds) = offer(&server.address, &requests, rate, connections, setting.time)?;
    let offered = fates.answered + fates.refused + fates.lost;
    let memory = memory(&server);
    println!(
        "| images/s that it can answer | {:.0} |",
        capacity.rate() * batch as f64
    );
    println!(
        "| images/s offered, in requests of {batch} | {:.0}, {:.1} times as many |",
        (offered * batch) as f64 / seconds,
        offered as f64 / seconds / capacity.rate()
    );
    println!("| seconds | {seconds:.1} |");
    println!(
        "| requests answered, refused at once (503), lost | {}, {}, {} |",
        fates.answered, fates.refused, fates.lost
    );
    println!(
        "| longest wait for an answer, s | {:.2} |",
        fates.slowest.as_secs_f64()
    );
    println!("| memory at most, MB | {memory:.0} |");
    if let Some(example) = fates.example {
        bail!("{} requests were lost: {example}", fates.lost);
    }
    ensure!(
        memory <= MOST_MEMORY,
        "more than {MOST_MEMORY} MB of memory"
    );
    let reached = offered as f64 / seconds / capacity.rate();
    ensure!(
        reached >= OFFERED * times,
        "only {reached:.1} times as many as it can answer were offered, instead of {times}: give the clients more \
         --connections, or a machine with less to do"
    );
    // Whoever comes later is answered.
    drive::closed(
        &server.address,
        &requests[..1],
        1,
        Duration::from_millis(100),
    )?;
    Ok(())
}

fn memory(server: &Server) -> f64 {
    server.most_memory().unwrap_or(0) as f64 / 1e6
}

/// Sends requests at a rate, whatever becomes of those before.
fn offer(
    address: &str,
    requests: &[Vec<u8>],
    rate: f64,
    connections: usize,
    time: Duration,
) -> anyhow::Result<(Fates, f64)> {
    let runtime = drive::runtime()?;
    let local = LocalSet::new();
    let requests: Rc<[Vec<u8>]> = requests.into();
    let next = Rc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|_| {
            let (requests, next) = (Rc::clone(&requests), Rc::clone(&next));
            let address = address.to_owned();
            local.spawn_local(async move {
                let mut fates = Fates::default();
                let mut connection = None;
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let due = Duration::from_secs_f64(number as f64 / rate);
                    if due > time || began.elapsed() > time {
                        return fates;
                    }
                    sleep_until((began + due).into()).await;
                    let request = &requests[number % requests.len()];
                    ask(&address, &mut connection, request, &mut fates).await;
                }
            })
        })
        .collect();
    local.block_on(&runtime, async {
        let mut all = Fates::default();
        for client in clients {
            let fates = client.await?;
            all.answered += fates.answered;
            all.refused += fates.refused;
            all.lost += fates.lost;
            all.example = all.example.or(fates.example);
            all.slowest = all.slowest.max(fates.slowest);
        }
        Ok((all, time.as_secs_f64()))
    })
}

async fn ask(
    address: &str,
    connection: &mut Option<Connection>,
    request: &[u8],
    fates: &mut Fates,
) {
    let asked = Instant::now();
    let fate = async {
        let mut open = match connection.take() {
            Some(open) => open,
            None => Connection::open(address)
                .await
                .map_err(|error| format!("connecting: {error}"))?,
        };
        let reply = timeout(PATIENCE, open.ask(request)).await;
        let reply = reply.map_err(|_| "no answer in time".to_owned())?;
        let reply = reply.map_err(|error| format!("asking: {error}"))?;
        let (status, ends) = (reply.status, Connection::ends(&reply));
        let retry = wire::value(reply.head, b"retry-after").is_some();
        if status == 503 && !retry {
            return Err("503 without Retry-After".to_owned());
        }
        if !ends {
            *connection = Some(open);
        }
        Ok(status)
    };
    match fate.await {
        Ok(200) => {
            fates.answered += 1;
            fates.slowest = fates.slowest.max(asked.elapsed());
        }
        Ok(503) => fates.refused += 1,
        Ok(status) => {
            fates.lost += 1;
            fates.example = Some(format!("status {status}"));
        }
        Err(problem) => {
            fates.lost += 1;
            fates.example = Some(problem);
        }
    }
}

/// Times of ordinary requests, with and without many connections that do nothing or send a byte now and then.
///
/// # Errors
/// If an ordinary request isn't answered.
pub fn slow(setting: &Setting, count: usize, share: f64) -> anyhow::Result<()> {
    let server = setting.server();
    let all = images::mnist(1000)?;
    let requests: Vec<_> = all
        .chunks_exact(images::PIXELS)
        .map(images::pixels)
        .collect();
    let most = drive::closed(&server.address, &requests, 32, setting.time / 3)?.rate();
    let stop = AtomicBool::new(false);
    let paced = || {
        drive::paced(
            &server.address,
            &requests,
            16,
            share * most,
            setting.time,
            &stop,
        )
    };
    let (mut alone, mut beside, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut held = Vec::new();
    for _ in 0..setting.rounds {
        let before = paced()?.quantile(0.99);
        let holders = Holders::start(&server.address, count)?;
        let during = paced()?.quantile(0.99);
        held.push(holders.open() as f64);
        drop(holders);
        alone.push(before);
        beside.push(during);
        ratios.push(during / before);
    }
    println!("| requests/s beside them | {:.0} |", share * most);
    println!("| connections that only hold on | {} |", spread(&held, 0));
    println!(
        "| 99th percentile without them, ms | {} |",
        spread(&alone, 3)
    );
    println!(
        "| 99th percentile beside them, ms | {} |",
        spread(&beside, 3)
    );
    println!("| ratio | {} |", spread(&ratios, 2));
    println!("| memory at most, MB | {:.0} |", memory(&server));
    setting.must("ratio of the 99th percentiles", &ratios, SLOWER)
}

/// Connections that only hold on: a third does nothing, a third sends a head and a third a body byte by byte.
struct Holders {
    over: Arc<AtomicBool>,
    open: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Holders {
    fn start(address: &str, count: usize) -> anyhow::Result<Self> {
        let (over, open) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let runtime = drive::runtime()?;
        let thread = std::thread::spawn({
            let (over, open, address) = (Arc::clone(&over), Arc::clone(&open), address.to_owned());
            move || {
                let local = LocalSet::new();
                for number in 0..count {
                    let (open, address) = (Arc::clone(&open), address.clone());
                    local.spawn_local(async move {
                        loop {
                            // The server ends it after a while: then another takes its place.
                            hold(&address, number, &open).await;
                            sleep(Duration::from_millis(50)).await;
                        }
                    });
                }
                local.block_on(&runtime, async {
                    while !over.load(Ordering::Relaxed) {
                        sleep(Duration::from_millis(20)).await;
                    }
                });
            }
        });
        // All of them are there before anything is measured.
        let began = Instant::now();
        while open.load(Ordering::Relaxed) < count {
            ensure!(
                began.elapsed() < PATIENCE,
                "connections: is `ulimit -n` high enough?"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Holders {
            over,
            open,
            thread: Some(thread),
        })
    }

    fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

async fn hold(address: &str, number: usize, open: &AtomicUsize) {
    let Ok(stream) = TcpStream::connect(address).await else {
        return;
    };
    open.fetch_add(1, Ordering::Relaxed);
    let (mut reader, mut writer) = stream.into_split();
    let send = async {
        let head = "POST /predict/pixels HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 784\r\n";
        match number % 3 {
            0 => std::future::pending::<()>().await,
            1 => {}
            _ => {
                let whole = format!("{head}\r\n");
                let _ = writer.write_all(whole.as_bytes()).await;
            }
        }
        // Not all at the same moment.
        sleep(Duration::from_millis(number as u64 % 500)).await;
        for byte in head.bytes().cycle() {
            if writer.write_all(&[byte]).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(500)).await;
        }
    };
    let mut end = [0; 256];
    let read = async { while reader.read(&mut end).await.is_ok_and(|read| read > 0) {} };
    tokio::select! {
        () = send => {}
        () = read => {}
    }
    open.fetch_sub(1, Ordering::Relaxed);
}
