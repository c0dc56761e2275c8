use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use queue::{Answer, Clock, Deferred, Item, Options, Queue, State};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// When the clock of tests starts, in milliseconds since 1970.
pub const START: i64 = 1_700_000_000_000;
pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);

/// A database without a queue yet, and a clock.
pub struct Place {
    pub url: String,
    pub time: Arc<AtomicI64>,
}

impl Place {
    pub fn options(&self) -> Options {
        let clock = Clock::manual(self.time.clone());
        Options {
            second_opinion: 0.0,
            clock,
            ..Options::default()
        }
    }

    /// A queue in which one person's answer is enough.
    pub async fn open(&self) -> Queue {
        Queue::open(&self.url, self.options()).await.unwrap()
    }

    /// A queue in which two people are to agree on each item.
    pub async fn open_in_pairs(&self) -> Queue {
        let options = Options {
            second_opinion: 1.0,
            ..self.options()
        };
        Queue::open(&self.url, options).await.unwrap()
    }

    pub fn pass(&self, time: Duration) {
        self.time
            .fetch_add(time.as_millis() as i64, Ordering::SeqCst);
    }

    pub fn now(&self) -> i64 {
        self.time.load(Ordering::SeqCst)
    }
}

/// Runs a test on both databases, each new.
pub async fn on_both(test: impl AsyncFn(&Place)) {
    let time = || Arc::new(AtomicI64::new(START));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    test(&Place {
        url: format!("sqlite:{}", path.display()),
        time: time(),
    })
    .await;

    let Ok(server) = std::env::var("QUEUE_POSTGRES") else {
        eprintln!("not on PostgreSQL: QUEUE_POSTGRES has no address of a server");
        return;
    };
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let name = format!("queue_test_{}_{number}", std::process::id());
    let (base, _) = server
        .rsplit_once('/')
        .expect("postgres://USER@HOST/DATABASE");
    let mut connection = PgConnection::connect(&server).await.unwrap();
    let create = format!("CREATE DATABASE {name} TEMPLATE template0");
    sqlx::query(AssertSqlSafe(create))
        .execute(&mut connection)
        .await
        .unwrap();
    test(&Place {
        url: format!("{base}/{name}"),
        time: time(),
    })
    .await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    sqlx::query(AssertSqlSafe(drop))
        .execute(&mut connection)
        .await
        .unwrap();
}

/// A picture of a digit, all of whose pixels are `pixel`.
pub fn deferred(pixel: u8) -> Deferred {
    Deferred {
        model: "digits".into(),
        version: "7".into(),
        picture: Some(vec![pixel; 40]),
        media_type: Some("image/png".into()),
        input: Some(vec![pixel; 28 * 28]),
        shape: [1, 28, 28],
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        probabilities: vec![0.1; 10],
        reason: "low_confidence".into(),
        callback: None,
        first: None,
    }
}

pub fn class(name: &str) -> Answer {
    Answer::Class(name.to_owned())
}

/// The next item for a person, which there has to be.
pub async fn take(queue: &Queue, reviewer: &str) -> Item {
    queue.next(reviewer).await.unwrap().item.expect("an item")
}

/// Has a person answer the item that is next for them.
pub async fn say(queue: &Queue, reviewer: &str, answer: Answer) -> State {
    let item = take(queue, reviewer).await;
    let key = format!("{}-{reviewer}", item.lease);
    queue
        .answer(&item.id, reviewer, &item.lease, answer, &key)
        .await
        .unwrap()
}
