//! How quick the server is when all is well.

use std::{fs, sync::atomic::AtomicBool, time::Instant};

use anyhow::{Context, ensure};

use crate::{Setting, drive, images, median, spread, wire};

/// Share of the speed of `digits evaluate` that has to be reached over HTTP, in percent.
const LEAST_SHARE: f64 = 50.0;
/// Milliseconds that one request may take at a fifth of the load: half of them, and 99 of 100.
const MEDIAN: f64 = 1.0;
const SLOW: f64 = 5.0;

/// Images per second over HTTP and, just before it, in `digits evaluate`.
///
/// # Errors
/// If anything but answers comes back.
pub fn images(setting: &Setting, connections: usize, batch: usize) -> anyhow::Result<()> {
    let all = images::mnist(10_000)?;
    let requests: Vec<_> = all
        .chunks_exact(batch * images::PIXELS)
        .map(|images| {
            images::infer(
                "model",
                images,
                &["probabilities", "class", "accepted"],
                true,
            )
        })
        .collect();
    let few = setting.sandbox.path("few");
    write_few(&few)?;
    let few = few.display().to_string();
    let (mut served, mut inside, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setting.rounds {
        let evaluated = evaluated(setting, &few)?;
        let server = setting.server();
        // The first answers find cold caches.
        drive::closed(
            &server.address,
            &requests[..1],
            connections,
            setting.time / 10,
        )?;
        let asked = drive::closed(&server.address, &requests, connections, setting.time)?;
        let rate = asked.rate() * batch as f64;
        served.push(rate);
        inside.push(evaluated);
        shares.push(100.0 * rate / evaluated);
    }
    println!(
        "| images/s over HTTP, batches of {batch} | {} |",
        spread(&served, 0)
    );
    println!("| images/s in `digits evaluate` | {} |", spread(&inside, 0));
    println!("| share, % | {} |", spread(&shares, 1));
    let share = median(&shares);
    ensure!(
        !setting.must || share >= LEAST_SHARE,
        "share: {share:.1} %, which has to be {LEAST_SHARE} % at least"
    );
    Ok(())
}

/// The first 100 test images as a data set: what `digits evaluate` needs besides computing.
fn write_few(folder: &std::path::Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let mut pixels = vec![0, 0, 8, 3, 0, 0, 0, 100, 0, 0, 0, 28, 0, 0, 0, 28];
    pixels.extend(images::mnist(100)?);
    let mut labels = vec![0, 0, 8, 1, 0, 0, 0, 100];
    labels.extend((0..100).map(|index| index % 10));
    fs::write(folder.join("t10k-images-idx3-ubyte"), pixels)?;
    fs::write(folder.join("t10k-labels-idx1-ubyte"), labels)?;
    Ok(())
}

/// Images per second of `digits evaluate`: 9,900 of the test images over what they take longer than 100 do.
fn evaluated(setting: &Setting, few: &str) -> anyhow::Result<f64> {
    let time = |more: &[&str]| {
        let began = Instant::now();
        let arguments = [&["evaluate", &setting.checkpoint, "--json"], more].concat();
        setting.sandbox.succeed("digits", &arguments);
        began.elapsed().as_secs_f64()
    };
    let mut all: Vec<f64> = (0..3).map(|_| time(&[])).collect();
    let mut start: Vec<f64> = (0..3).map(|_| time(&["--data-dir", few])).collect();
    all.sort_by(f64::total_cmp);
    start.sort_by(f64::total_cmp);
    Ok(9_900.0 / (all[1] - start[1]))
}

/// Requests of one image per second.
///
/// # Errors
/// As [`mod@images`].
pub fn single(
    setting: &Setting,
    at: Option<&[String]>,
    connections: usize,
    at_least: Option<f64>,
) -> anyhow::Result<()> {
    let server = at.is_none().then(|| setting.server());
    let own = server.as_ref().map(|server| &server.address);
    let address = own.or(at.and_then(|at| at.first())).context("no address")?;
    let all = images::mnist(1000)?;
    let requests: Vec<_> = all
        .chunks_exact(images::PIXELS)
        .map(|image| match at {
            Some([_, path]) => wire::request("POST", path, &[], image),
            _ => images::pixels(image),
        })
        .collect();
    drive::closed(address, &requests, connections, setting.time / 10)?;
    let (mut rates, mut middle, mut slow) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setting.rounds {
        let asked = drive::closed(address, &requests, connections, setting.time)?;
        rates.push(asked.rate());
        middle.push(asked.quantile(0.5));
        slow.push(asked.quantile(0.99));
    }
    println!(
        "| requests/s of one image, {connections} connections | {} |",
        spread(&rates, 0)
    );
    println!("| time of each, ms, median | {} |", spread(&middle, 3));
    println!(
        "| time of each, ms, 99th percentile | {} |",
        spread(&slow, 3)
    );
    let rate = median(&rates);
    if let Some(least) = at_least {
        ensure!(
            rate >= least,
            "requests/s: {rate:.0}, which have to be {least} at least"
        );
    }
    Ok(())
}

/// Times of requests at a share of the most that the server can answer.
///
/// # Errors
/// As [`mod@images`].
pub fn latency(setting: &Setting, share: f64, connections: usize) -> anyhow::Result<()> {
    let server = setting.server();
    let all = images::mnist(1000)?;
    let requests: Vec<_> = all
        .chunks_exact(images::PIXELS)
        .map(images::pixels)
        .collect();
    let most = drive::closed(&server.address, &requests, 32, setting.time / 3)?.rate();
    let (mut rates, mut middle, mut slow) = (Vec::new(), Vec::new(), Vec::new());
    let stop = AtomicBool::new(false);
    for _ in 0..setting.rounds {
        let rate = share * most;
        let address = &server.address;
        let asked = drive::paced(address, &requests, connections, rate, setting.time, &stop)?;
        rates.push(asked.rate());
        middle.push(asked.quantile(0.5));
        slow.push(asked.quantile(0.99));
    }
    println!("| requests/s at most | {most:.0} |");
    println!(
        "| requests/s at {:.0} % load | {} |",
        100.0 * share,
        spread(&rates, 0)
    );
    println!("| time of one, ms, median | {} |", spread(&middle, 3));
    println!(
        "| time of one, ms, 99th percentile | {} |",
        spread(&slow, 3)
    );
    setting.must("median, ms", &middle, MEDIAN)?;
    setting.must("99th percentile, ms", &slow, SLOW)
}
