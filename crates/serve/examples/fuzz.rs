//! Bodies that no client would send, by the million, through everything that stands between a body and its answer.
//!
//! `cargo run --release -p serve --example fuzz -- --count 10000000`. Each body is a valid one with random changes:
//! JSON, the binary extension, forms, pictures, single images, answers of reviewers. It fails on a panic, on an
//! answer that says the server failed, on an error that isn't JSON, and on more than 512 MB; the body and its head
//! are then in a file. The same seed, the same bodies.

use std::{
    io::Cursor,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use clap::Parser;
use image::{DynamicImage, ImageFormat};
use serde_json::{Value, json};
use serve::{args::Args, http, service::Service};
use tower::ServiceExt as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The most memory that may be needed, in bytes.
const MOST_MEMORY: u64 = 512_000_000;
const PIXELS: usize = 28 * 28;

#[derive(Parser)]
struct Options {
    /// Bodies
    #[arg(long, default_value_t = 10_000_000)]
    count: usize,
    /// Stop after this many seconds, whatever was done
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
    /// Seed of all random choices
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Checkpoint folder
    #[arg(long, default_value = "artifacts/pretrained")]
    checkpoint: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(said) => {
            println!("fuzz: seed {}: {said}", options.seed);
            ExitCode::SUCCESS
        }
        Err(problem) => {
            println!("fuzz: seed {}: FAILED: {problem}", options.seed);
            ExitCode::FAILURE
        }
    }
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What all tasks share.
struct Shared {
    router: Router,
    seeds: Seeds,
    next: AtomicUsize,
    over: AtomicBool,
    /// Answers by the hundred of their status.
    statuses: [AtomicUsize; 6],
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

fn run(options: &Options) -> Result<String, Failed> {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        usual(panic);
    }));
    let folder = tempfile::tempdir()?;
    let checkpoint = format!("model={}", options.checkpoint.display());
    let database = folder.path().join("reviews.sqlite").display().to_string();
    let args = Args::parse_from(["serve", &checkpoint, "--database", &database]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let began = Instant::now();
    let ends = began + Duration::from_secs(options.seconds);
    let (shared, count) = runtime.block_on(async {
        let service = Arc::new(Service::start(args).await?);
        let shared = Arc::new(Shared {
            router: http::router(service),
            seeds: Seeds::new()?,
            next: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            statuses: Default::default(),
        });
        let (count, seed) = (options.count, options.seed);
        let tasks: Vec<_> = (0..8)
            .map(|_| tokio::spawn(work(Arc::clone(&shared), count, seed, ends)))
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok::<_, Failed>((shared, count))
    })?;
    let done = shared.next.load(Ordering::Relaxed).min(count);
    let memory = most_memory().unwrap_or(0);
    let statuses = shared
        .statuses
        .each_ref()
        .map(|count| count.load(Ordering::Relaxed));
    let panics = PANICS.load(Ordering::Relaxed);
    if panics > 0 {
        return Err(format!("{panics} panics").into());
    }
    if memory > MOST_MEMORY {
        return Err(format!("{} MB of memory", memory / 1_000_000).into());
    }
    Ok(format!(
        "{done} bodies, {} answered, {} refused as wrong, {} told to come back; 0 panics, {} MB at most, {} s",
        statuses[2],
        statuses[4],
        statuses[5],
        memory / 1_000_000,
        began.elapsed().as_secs()
    ))
}

async fn work(shared: Arc<Shared>, count: usize, seed: u64, ends: Instant) -> Result<(), Failed> {
    loop {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= count || shared.over.load(Ordering::Relaxed) || Instant::now() > ends {
            return Ok(());
        }
        let mut random = Random(seed ^ (number as u64).wrapping_mul(0xd134_2543_de82_ef95));
        let case = shared.seeds.case(&mut random);
        if let Err(problem) = ask(&shared, &case).await {
            shared.over.store(true, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("fuzz-{seed}-{number}"));
            std::fs::write(&path, &case.body)?;
            let (uri, lines) = (case.uri, case.lines);
            let path = path.display();
            return Err(
                format!("body {number} to {uri} with {lines:?}: {problem}; see {path}").into(),
            );
        }
    }
}

async fn ask(shared: &Shared, case: &Case) -> Result<(), Failed> {
    let mut request = Request::post(case.uri)
        .header("host", "127.0.0.1")
        .header("content-length", case.body.len());
    for (name, value) in &case.lines {
        request = request.header(*name, value);
    }
    let request = request.body(Body::from(case.body.clone()))?;
    let panics = PANICS.load(Ordering::Relaxed);
    let response = shared.router.clone().oneshot(request).await?;
    let status = response.status().as_u16();
    shared.statuses[usize::from(status / 100).min(5)].fetch_add(1, Ordering::Relaxed);
    let body = to_bytes(response.into_body(), 1 << 24).await?;
    if PANICS.load(Ordering::Relaxed) > panics {
        return Err("a panic".into());
    }
    if status >= 500 && status != 503 {
        return Err(format!("status {status}").into());
    }
    if status >= 400 {
        let said: Value = serde_json::from_slice(&body)?;
        let line = said["error"]
            .as_str()
            .ok_or("an error without a sentence")?;
        if line.is_empty() || line.contains('\n') {
            return Err(format!("an error that is no line: {line:?}").into());
        }
    }
    Ok(())
}

fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(1024 * kilobytes)
}

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators").
struct Random(u64);

impl Random {
    /// A number below `limit`, which is above 0.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        ((u128::from(bits) * limit as u128) >> 64) as usize
    }

    fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// A request.
struct Case {
    uri: &'static str,
    lines: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// Valid bodies to begin with.
struct Seeds {
    json: Vec<Vec<u8>>,
    /// JSON and the bytes behind it.
    binary: Vec<(Vec<u8>, Vec<u8>)>,
    pictures: Vec<Vec<u8>>,
    people: Vec<Vec<u8>>,
}

/// What stands in JSON in the place of something else.
const WORDS: [&str; 28] = [
    "0",
    "-1",
    "1",
    "255",
    "256",
    "0.5",
    "1e400",
    "NaN",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775807",
    "4294967296",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "[[[[[[[[[[",
    "]]]]",
    "\"UINT8\"",
    "\"FP32\"",
    "\"images\"",
    "\"data\":[1]",
    "\"binary_data_size\":784",
    "\"shape\":[0,1,28,28]",
    "\"\\ud800\"",
    "\"name\":\"set\"",
    "\u{0}",
];

impl Seeds {
    fn new() -> Result<Self, Failed> {
        let tensor = |data: Value, shape: [usize; 4]| json!({ "name": "images", "datatype": "UINT8", "shape": shape, "data": data });
        let flat = json!((0..PIXELS).map(|index| index % 256).collect::<Vec<_>>());
        let nested = json!([[vec![vec![7; 28]; 28]]]);
        let all = json!([
            { "name": "probabilities" }, { "name": "logits" }, { "name": "class" }, { "name": "set" },
            { "name": "reason", "parameters": { "binary_data": true } },
        ]);
        let json = [
            json!({ "id": "a", "inputs": [tensor(flat.clone(), [1, 1, 28, 28])] }),
            json!({ "inputs": [tensor(nested, [1, 1, 28, 28])], "outputs": all, "parameters": { "timeout": 5 } }),
            json!({ "inputs": [tensor(json!([]), [0, 1, 28, 28])], "parameters": { "binary_data_output": true } }),
            json!({ "inputs": [tensor(json!([1, 2, 3]), [1, 1, 28, 28])] }),
        ];
        let head = |count: usize, outputs: Value| {
            let input = json!({
                "name": "images", "datatype": "UINT8", "shape": [count, 1, 28, 28],
                "parameters": { "binary_data_size": count * PIXELS },
            });
            json!({ "id": "\u{e9}", "inputs": [input], "outputs": outputs })
                .to_string()
                .into_bytes()
        };
        let bytes = |count: usize| {
            (0..count * PIXELS)
                .map(|index| (index % 251) as u8)
                .collect()
        };
        let binary = vec![
            (head(1, all.clone()), bytes(1)),
            (head(3, json!([{ "name": "class" }])), bytes(3)),
            (head(0, json!([])), Vec::new()),
        ];
        let mut pictures = Vec::new();
        for (width, height) in [(28, 28), (40, 24), (1, 1)] {
            let mut picture = image::GrayImage::from_pixel(width, height, image::Luma([250]));
            for step in 4..height.saturating_sub(4) {
                for column in 10..width.min(15) {
                    picture.put_pixel(column, step, image::Luma([10]));
                }
            }
            let picture = DynamicImage::ImageLuma8(picture);
            let formats = [
                ImageFormat::Png,
                ImageFormat::Jpeg,
                ImageFormat::WebP,
                ImageFormat::Bmp,
            ];
            for format in formats {
                let mut bytes = Cursor::new(Vec::new());
                DynamicImage::from(picture.to_rgb8()).write_to(&mut bytes, format)?;
                pictures.push(bytes.into_inner());
            }
        }
        let people = [
            json!({ "reviewer": "ann" }),
            json!({ "reviewer": "ann", "lease": "0123456789abcdef", "answer": "3", "key": "k" }),
        ];
        let written = |values: &[Value]| {
            values
                .iter()
                .map(|value| value.to_string().into())
                .collect()
        };
        Ok(Seeds {
            json: written(&json),
            people: written(&people),
            binary,
            pictures,
        })
    }

    /// A body with random changes, or now and then without any.
    fn case(&self, random: &mut Random) -> Case {
        const INFER: &str = "/v2/models/model/infer";
        match random.below(64) {
            0..=26 => {
                let mut body = random.one_of(&self.json).clone();
                change_text(&mut body, random);
                Case {
                    uri: INFER,
                    lines: Vec::new(),
                    body,
                }
            }
            27..=53 => self.binary(INFER, random),
            54..=56 => self.form(random),
            57..=60 => {
                let mut body = random.one_of(&self.pictures).clone();
                change(&mut body, random);
                Case {
                    uri: "/predict?review=false",
                    lines: Vec::new(),
                    body,
                }
            }
            61..=62 => {
                let length = *random.one_of(&[0, 1, 783, 784, 784, 785, 4096]);
                let body = (0..length).map(|_| random.below(256) as u8).collect();
                Case {
                    uri: "/predict/pixels?review=false&pixels=true",
                    lines: Vec::new(),
                    body,
                }
            }
            _ => {
                let uris = [
                    "/review/next",
                    "/review/0123456789abcdef/answer",
                    "/review/x/skip",
                    "/review/undo",
                ];
                let mut body = random.one_of(&self.people).clone();
                change_text(&mut body, random);
                Case {
                    uri: random.one_of::<&str>(&uris),
                    lines: Vec::new(),
                    body,
                }
            }
        }
    }

    fn binary(&self, uri: &'static str, random: &mut Random) -> Case {
        let (mut head, mut tensors) = random.one_of(&self.binary).clone();
        if random.below(2) == 0 {
            change_text(&mut head, random);
        }
        if random.below(3) == 0 {
            change(&mut tensors, random);
        }
        let length = match random.below(12) {
            0 => (head.len() + random.below(3)).saturating_sub(1).to_string(),
            1 => random
                .one_of(&[
                    "",
                    "-1",
                    "x",
                    "0",
                    "18446744073709551616",
                    "99999999999",
                    "+5",
                    " 7",
                ])
                .to_string(),
            2 => random.below(head.len() + tensors.len() + 2).to_string(),
            _ => head.len().to_string(),
        };
        head.append(&mut tensors);
        Case {
            uri,
            lines: vec![("inference-header-content-length", length)],
            body: head,
        }
    }

    fn form(&self, random: &mut Random) -> Case {
        let field = random.one_of(&["picture", "picture", "picture", "file", "", "\u{e9}"]);
        let mut body = format!(
            "--x\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"a\"\r\n\r\n"
        )
        .into_bytes();
        let mut picture = random.one_of(&self.pictures).clone();
        if random.below(2) == 0 {
            change(&mut picture, random);
        }
        body.append(&mut picture);
        body.extend(b"\r\n--x--\r\n");
        if random.below(2) == 0 {
            change(&mut body, random);
        }
        let kinds = [
            "multipart/form-data; boundary=x",
            "multipart/form-data",
            "multipart/form-data; boundary=\"",
            "multipart/form-data; boundary=xx",
        ];
        let kind = match random.below(4) {
            0 => random.one_of(&kinds).to_string(),
            _ => kinds[0].to_owned(),
        };
        Case {
            uri: "/predict?review=false",
            lines: vec![("content-type", kind)],
            body,
        }
    }
}

/// Random changes of bytes.
fn change(body: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(6) {
        let at = random.below(body.len() + 1);
        match random.below(7) {
            0 => body.truncate(at),
            1 => body.insert(at, random.below(256) as u8),
            2 => {
                let end = (at + random.below(16)).min(body.len());
                body.drain(at..end);
            }
            3 => {
                let end = (at + random.below(64)).min(body.len());
                let piece = body[at..end].to_vec();
                let to = random.below(body.len() + 1);
                body.splice(to..to, piece);
            }
            4 => {
                // Sizes and counts, in either order of bytes.
                let value =
                    *random.one_of(&[0_u32, 1, 0x7fff_ffff, 0xffff_ffff, 0x8000_0000, 0x1_0000]);
                for (byte, new) in body.iter_mut().skip(at).zip(value.to_be_bytes()) {
                    *byte = new;
                }
            }
            5 => {
                if let Some(byte) = body.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            _ => {
                if let Some(byte) = body.get_mut(at) {
                    *byte = random.below(256) as u8;
                }
            }
        }
    }
}

/// Random changes of JSON, half of which leave most of it standing.
fn change_text(body: &mut Vec<u8>, random: &mut Random) {
    if random.below(2) == 0 {
        return change(body, random);
    }
    for _ in 0..1 + random.below(3) {
        // From one mark to the next: an element, a key, a value.
        let marks = b",:[]{}\"";
        let at = random.below(body.len() + 1);
        let start = body[..at]
            .iter()
            .rposition(|byte| marks.contains(byte))
            .map_or(0, |mark| mark + 1);
        let end = body[at..]
            .iter()
            .position(|byte| marks.contains(byte))
            .map_or(body.len(), |mark| at + mark);
        let word = random.one_of(&WORDS).bytes();
        body.splice(start..end.max(start), word);
    }
}
