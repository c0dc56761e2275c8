use queue::{Error, Options, Queue};
use sqlx::{Connection, Row, SqliteConnection};

use crate::place::{deferred, on_both};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_that_start_at_once_on_a_new_database_share_one_queue() {
    on_both(async |place| {
        let started: Vec<_> = (0..8)
            .map(|_| {
                let (url, options) = (place.url.clone(), place.options());
                tokio::spawn(async move { Queue::open(&url, options).await })
            })
            .collect();
        let mut queues = Vec::new();
        for queue in started {
            queues.push(queue.await.unwrap().unwrap());
        }
        let id = queues[0].defer(deferred(1)).await.unwrap();
        for queue in &queues {
            assert!(queue.state(&id).await.unwrap().is_some());
        }
    })
    .await;
}

#[tokio::test]
async fn a_queue_opened_again_has_what_was_in_it() {
    on_both(async |place| {
        let queue = place.open().await;
        let id = queue.defer(deferred(1)).await.unwrap();
        queue.close().await;
        assert!(queue.state(&id).await.is_err());
        assert!(place.open().await.state(&id).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn sqlite_writes_ahead_to_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let path = path.to_str().unwrap();
    let queue = Queue::open(path, Options::default()).await.unwrap();
    let mut other = SqliteConnection::connect(path).await.unwrap();
    let mode = sqlx::query("PRAGMA journal_mode")
        .fetch_one(&mut other)
        .await
        .unwrap();
    assert_eq!(mode.get::<String, _>(0), "wal");
    assert_eq!(queue.database(), path);
}

#[tokio::test]
async fn what_can_not_be_opened_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database ".repeat(100)).unwrap();
    let text = text.to_str().unwrap();
    let cases = [
        (text, text),
        ("/no/such/folder/queue.db", "/no/such/folder"),
        ("sqlite:", "sqlite:PATH"),
        (":memory:", "memory"),
        ("mysql://ann:secret@host/db", "mysql"),
        (
            "postgres://ann:secret@127.0.0.1:1/db",
            "postgres://127.0.0.1:1/db",
        ),
        ("postgres://ann:secret@127.0.0.1:port/db", "postgres://"),
    ];
    for (url, named) in cases {
        let error = Queue::open(url, Options::default())
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(named), "{url}: {error}");
        assert!(
            !error.contains("secret") && !error.contains('\n'),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let path = path.to_str().unwrap();
    Queue::open(path, Options::default())
        .await
        .unwrap()
        .close()
        .await;
    let mut other = SqliteConnection::connect(path).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations SELECT 999, description, installed_on, success, checksum, \
        execution_time FROM _sqlx_migrations LIMIT 1";
    sqlx::query(newer).execute(&mut other).await.unwrap();
    let error = Queue::open(path, Options::default()).await.unwrap_err();
    assert!(
        matches!(error, Error::Migration { .. }) && error.to_string().contains(path),
        "{error}"
    );
}

#[tokio::test]
async fn options_out_of_range_are_named() {
    let cases = [
        (
            Options {
                second_opinion: 1.5,
                ..Options::default()
            },
            "second_opinion",
        ),
        (
            Options {
                second_opinion: f64::NAN,
                ..Options::default()
            },
            "second_opinion",
        ),
        (
            Options {
                lease: std::time::Duration::ZERO,
                ..Options::default()
            },
            "lease",
        ),
        (
            Options {
                skip: std::time::Duration::MAX,
                ..Options::default()
            },
            "skip",
        ),
    ];
    for (options, named) in cases {
        let error = Queue::open("unused.db", options).await.unwrap_err();
        assert!(
            matches!(&error, Error::Option { name, .. } if *name == named),
            "{error}"
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_acknowledged_while_the_file_is_not_the_one_that_was_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (path, aside) = (folder.path().join("queue.db"), folder.path().join("aside"));
    let queue = Queue::open(path.to_str().unwrap(), Options::default());
    let queue = queue.await.unwrap();
    queue.defer(deferred(1)).await.unwrap();
    std::fs::rename(&path, &aside).unwrap();
    let told = queue.defer(deferred(2)).await.unwrap_err().to_string();
    assert!(told.contains("removed or replaced"), "{told}");
    assert!(queue.counts().await.is_err());
    std::fs::write(&path, "").unwrap();
    assert!(queue.defer(deferred(2)).await.is_err());
    std::fs::rename(&aside, &path).unwrap();
    queue.defer(deferred(2)).await.unwrap();
    assert_eq!(queue.counts().await.unwrap().open, 2);
}
