//! Clients that ask: as fast as they are answered, or at times that were settled before.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    rc::Rc,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tokio::task::LocalSet;

use crate::wire::Connection;

/// What asking came to.
#[derive(Debug, Default)]
pub struct Asked {
    /// Answers of status 200.
    pub answered: u64,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// How long each answer took, in seconds, in ascending order.
    pub times: Vec<f64>,
}

impl Asked {
    /// Answers per second.
    pub fn rate(&self) -> f64 {
        self.answered as f64 / self.seconds
    }

    /// The time within which a share of the answers came, in milliseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.times.len().saturating_sub(1);
        let at = (share * self.times.len() as f64) as usize;
        1000.0 * self.times.get(at.min(last)).copied().unwrap_or(f64::NAN)
    }
}

/// Asks over so many connections for so long, each the next request as soon as it has an answer. Any answer
/// but 200 is an error.
///
/// # Errors
/// If a connection breaks, or something else than 200 is answered.
pub fn closed(
    address: &str,
    requests: &[Vec<u8>],
    connections: usize,
    time: Duration,
) -> anyhow::Result<Asked> {
    let runtime = runtime()?;
    let local = LocalSet::new();
    let requests: Rc<[Vec<u8>]> = requests.into();
    let began = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|number| {
            let (requests, address) = (Rc::clone(&requests), address.to_owned());
            local.spawn_local(async move {
                let mut connection = Connection::open(&address).await?;
                let mut times = Vec::new();
                for request in requests.iter().cycle().skip(number % requests.len()) {
                    let asked = Instant::now();
                    if asked - began >= time {
                        break;
                    }
                    let reply = connection.ask(request).await?;
                    if reply.status != 200 {
                        bail!("{}: {}", reply.status, String::from_utf8_lossy(reply.body));
                    }
                    times.push(asked.elapsed().as_secs_f64());
                }
                Ok(times)
            })
        })
        .collect();
    local.block_on(&runtime, async {
        let mut all = Asked::default();
        for client in clients {
            all.times.append(&mut client.await??);
        }
        all.seconds = began.elapsed().as_secs_f64();
        all.answered = all.times.len() as u64;
        all.times.sort_by(f64::total_cmp);
        Ok(all)
    })
}

/// One thread that may wait for many connections.
///
/// # Errors
/// If the system gives none.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().context("can't start a client")
}

/// Asks at random times, so many times a second, over so many connections with a thread each. The time of an
/// answer counts from when it was due to be asked, if its connection was waiting for another then; otherwise
/// from when its thread woke: a late timer of the client's is none of the server's.
///
/// # Errors
/// As [`closed`].
pub fn paced(
    address: &str,
    requests: &[Vec<u8>],
    connections: usize,
    rate: f64,
    time: Duration,
    stop: &AtomicBool,
) -> anyhow::Result<Asked> {
    let began = Instant::now();
    let mut all = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|number| {
                scope.spawn(move || {
                    let mean = connections as f64 / rate;
                    let mut random = tests::random::Random::new(number as u64);
                    let mut stream = TcpStream::connect(address)?;
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
                    let (mut times, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
                    // Connecting is not what is timed.
                    let began = Instant::now();
                    let mut due = began;
                    for request in requests.iter().cycle().skip(number % requests.len()) {
                        // Exponential: the next request knows nothing of the last.
                        let share = (random.below(1 << 30) as f64 + 1.0) / f64::from(1 << 30);
                        due += Duration::from_secs_f64(-share.ln() * mean);
                        if due - began >= time || stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let early = due.checked_duration_since(Instant::now());
                        early.into_iter().for_each(std::thread::sleep);
                        let from = early.map_or(due, |_| Instant::now());
                        stream.write_all(request)?;
                        let read = stream.read(&mut buffer)?;
                        // An answer is one write of the server's.
                        if !buffer[..read].starts_with(b"HTTP/1.1 200") {
                            bail!("{}", String::from_utf8_lossy(&buffer[..read]));
                        }
                        times.push(from.elapsed().as_secs_f64());
                    }
                    Ok(times)
                })
            })
            .collect();
        let mut all = Asked::default();
        for client in clients {
            let times = client.join();
            let mut times = times.map_err(|_| anyhow::anyhow!("a client panicked"))??;
            all.times.append(&mut times);
        }
        Ok::<_, anyhow::Error>(all)
    })?;
    all.seconds = began.elapsed().as_secs_f64();
    all.answered = all.times.len() as u64;
    all.times.sort_by(f64::total_cmp);
    Ok(all)
}
