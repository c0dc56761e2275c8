//! People who answer while the server is killed again and again.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tests::random::Random;

use crate::{
    Setting, drive, images,
    wire::{self, Connection},
};

/// Images that wait for people at least, while there are people.
const WAITING: u64 = 100;
/// Images that are asked about at a time.
const BATCH: usize = 5;

/// What all threads know.
struct Shared {
    /// Where the server is, while it lives.
    address: Mutex<Option<String>>,
    over: AtomicBool,
    /// Ids that the server said people are asked about.
    deferred: Mutex<HashSet<String>>,
    /// What was answered and acknowledged, by id.
    answered: Mutex<HashMap<String, String>>,
    /// Images that wait, by what people were told last.
    left: AtomicUsize,
    /// Answers that were sent again as the server died before it acknowledged them.
    again: AtomicUsize,
}

/// Kills the server so often while people answer, then looks into its database.
///
/// # Errors
/// If an acknowledged answer or question is lost, an image is answered twice, or the server fails otherwise.
pub fn kill(
    setting: &Setting,
    count: usize,
    reviewers: usize,
    database: Option<&str>,
    seed: u64,
) -> anyhow::Result<()> {
    let file = setting.sandbox.path("reviews.sqlite").display().to_string();
    let database = database.unwrap_or(&file);
    let arguments = ["--database", database, "--second-opinion", "0"];
    let shared = Shared {
        address: Mutex::new(None),
        over: AtomicBool::new(false),
        deferred: Mutex::default(),
        answered: Mutex::default(),
        left: AtomicUsize::new(0),
        again: AtomicUsize::new(0),
    };
    let mut random = Random::new(seed);
    let began = Instant::now();
    let kills = thread::scope(|scope| {
        let mut people: Vec<_> = (0..reviewers)
            .map(|number| {
                let (shared, seed) = (&shared, seed ^ (number as u64 + 1));
                let name = format!("person-{seed:x}-{number}");
                scope.spawn(move || {
                    let answering = review(shared, &name, Random::new(seed));
                    drive::runtime()?
                        .block_on(answering)
                        .inspect_err(|_| shared.end())
                })
            })
            .collect();
        let asking = ask(&shared, Random::new(seed ^ 0x5eed));
        people.push(scope.spawn(|| {
            drive::runtime()?
                .block_on(asking)
                .inspect_err(|_| shared.end())
        }));
        // Whatever happens here, they end.
        let _ends = Ends(&shared);
        let mut kills = 0;
        while kills < count && began.elapsed() < setting.time && !shared.is_over() {
            let server = setting.server_with(&arguments);
            *lock(&shared.address) = Some(server.address.clone());
            thread::sleep(random.time(Duration::from_millis(400)));
            // SIGKILL, at whatever the server is doing just now.
            drop(server);
            *lock(&shared.address) = None;
            kills += 1;
        }
        // What was under way is finished, on a server that stays.
        let server = setting.server_with(&arguments);
        *lock(&shared.address) = Some(server.address.clone());
        thread::sleep(Duration::from_millis(500));
        shared.end();
        for person in people {
            person
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        Ok::<_, anyhow::Error>(kills)
    })?;
    let (answered, deferred) = (lock(&shared.answered), lock(&shared.deferred));
    println!("| SIGKILLs | {kills} |");
    println!("| seconds | {:.1} |", began.elapsed().as_secs_f64());
    println!("| images deferred and acknowledged | {} |", deferred.len());
    println!("| answers acknowledged | {} |", answered.len());
    println!(
        "| of these, sent again after a kill | {} |",
        shared.again.load(Ordering::Relaxed)
    );
    let kept = drive::runtime()?.block_on(kept(database))?;
    let twice = kept.values().filter(|answers| answers.len() > 1).count();
    let lost = |(id, answer): &(&String, &String)| {
        kept.get(*id)
            .is_none_or(|answers| !answers.contains(answer))
    };
    let lost = answered.iter().filter(lost).count();
    let forgotten = deferred.iter().filter(|id| !kept.contains_key(*id)).count();
    println!("| images lost, answers lost, images answered twice | {forgotten}, {lost}, {twice} |");
    ensure!(
        forgotten + lost + twice == 0,
        "the queue isn't what was acknowledged"
    );
    ensure!(kills >= count, "only {kills} kills within the time");
    Ok(())
}

/// Ends what the threads do when it is dropped.
struct Ends<'a>(&'a Shared);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// The answer to a request of whichever server lives; none if it died meanwhile. Statuses but 200 are errors.
    async fn tell(
        &self,
        connection: &mut Option<(String, Connection)>,
        request: &[u8],
    ) -> anyhow::Result<Option<Value>> {
        let Some(address) = lock(&self.address).clone() else {
            tokio::time::sleep(Duration::from_millis(3)).await;
            return Ok(None);
        };
        let open = match connection.take() {
            Some((of, open)) if of == address => Ok(open),
            _ => Connection::open(&address).await,
        };
        let Ok(mut open) = open else {
            return Ok(None);
        };
        let Ok(reply) = open.ask(request).await else {
            return Ok(None);
        };
        if reply.status != 200 {
            bail!("{}: {}", reply.status, String::from_utf8_lossy(reply.body));
        }
        let json = serde_json::from_slice(reply.body)?;
        *connection = Some((address, open));
        Ok(Some(json))
    }
}

fn post(path: &str, json: &Value) -> Vec<u8> {
    wire::request("POST", path, &[], json.to_string().as_bytes())
}

/// A person who takes an image and answers until it is over.
async fn review(shared: &Shared, name: &str, mut random: Random) -> anyhow::Result<()> {
    let mut connection = None;
    while !shared.is_over() {
        let next = post("/review/next", &json!({ "reviewer": name }));
        let Some(told) = shared.tell(&mut connection, &next).await? else {
            continue;
        };
        shared.left.store(
            told["left"].as_u64().unwrap_or(0) as usize,
            Ordering::Relaxed,
        );
        let item = &told["item"];
        let (Some(id), Some(lease)) = (item["id"].as_str(), item["lease"].as_str()) else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        if let Some(answer) = lock(&shared.answered).get(id) {
            bail!("{id} is offered again, although {answer} was acknowledged");
        }
        let answer = random.below(10).to_string();
        let key = format!("{:x}", random.below(1 << 60));
        let said = json!({ "reviewer": name, "lease": lease, "answer": answer, "key": key });
        let request = post(&format!("/review/{id}/answer"), &said);
        let mut tries = 0;
        while shared.tell(&mut connection, &request).await?.is_none() {
            tries += 1;
            // The last server stays until everyone has been told.
            ensure!(tries < 10_000, "no server takes an answer");
        }
        shared
            .again
            .fetch_add(usize::from(tries > 0), Ordering::Relaxed);
        lock(&shared.answered).insert(id.to_owned(), answer);
    }
    Ok(())
}

/// A program that asks about images that no classifier should accept, whenever few wait.
async fn ask(shared: &Shared, mut random: Random) -> anyhow::Result<()> {
    let mut connection = None;
    while !shared.is_over() {
        if shared.left.load(Ordering::Relaxed) as u64 > WAITING {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        let noise: Vec<u8> = (0..BATCH * images::PIXELS)
            .map(|_| random.below(256) as u8)
            .collect();
        let request = images::infer("model", &noise, &["review"], false);
        let Some(told) = shared.tell(&mut connection, &request).await? else {
            continue;
        };
        let ids = told["outputs"][0]["data"].as_array().context("no ids")?;
        let ids = ids
            .iter()
            .filter_map(Value::as_str)
            .filter(|id| !id.is_empty());
        let mut deferred = lock(&shared.deferred);
        let before = deferred.len();
        deferred.extend(ids.map(str::to_owned));
        let more = deferred.len() - before;
        shared.left.fetch_add(more, Ordering::Relaxed);
    }
    Ok(())
}

/// By item, the answers that the database holds.
async fn kept(database: &str) -> anyhow::Result<HashMap<String, Vec<String>>> {
    let query = "SELECT i.id, a.answer FROM items i LEFT JOIN answers a ON a.item = i.id";
    let rows: Vec<(String, Option<String>)> = if database.starts_with("postgres") {
        let pool = sqlx::PgPool::connect(database).await?;
        sqlx::query_as(query).fetch_all(&pool).await?
    } else {
        let file = database.trim_start_matches("sqlite:");
        let pool = sqlx::SqlitePool::connect(&format!("sqlite:{file}")).await?;
        let (sound,): (String,) = sqlx::query_as("PRAGMA integrity_check")
            .fetch_one(&pool)
            .await?;
        ensure!(sound == "ok", "the database is damaged: {sound}");
        sqlx::query_as(query).fetch_all(&pool).await?
    };
    let mut kept = HashMap::<String, Vec<String>>::new();
    for (id, answer) in rows {
        kept.entry(id).or_default().extend(answer);
    }
    Ok(kept)
}
