use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use queue::{Options, Part, Queue, State};

use crate::place::{class, deferred, on_both};

const CHILD: &str = "QUEUE_TEST_CHILD";
const KILLS: usize = 20;

fn options() -> Options {
    Options {
        second_opinion: 0.0,
        ..Options::default()
    }
}

/// Not a test by itself: what the test below starts and kills. It says what it is about to answer, and
/// that it was acknowledged.
#[tokio::test]
async fn child() {
    let Ok(url) = std::env::var(CHILD) else {
        return;
    };
    let queue = Queue::open(&url, options()).await.unwrap();
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes()).unwrap();
        out.flush().unwrap();
    };
    for number in 0.. {
        let item = queue.next("ann").await.unwrap().item.unwrap();
        let (id, lease) = (&item.id, &item.lease);
        let digit = (number % 10).to_string();
        say(format!("\nabout {id} {lease} {digit}\n"));
        queue
            .answer(id, "ann", lease, class(&digit), lease)
            .await
            .unwrap();
        say(format!("\ndone {id}\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_were_acknowledged_outlive_twenty_kills_and_none_counts_twice() {
    on_both(async |place| {
        let queue = Queue::open(&place.url, options()).await.unwrap();
        for number in 0..KILLS * 20 {
            queue.defer(deferred(number as u8)).await.unwrap();
        }
        let mut said: HashMap<String, String> = HashMap::new();
        let mut unheard = 0;
        for kill in 0..KILLS {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "killed::child", "--nocapture"])
                .env(CHILD, &place.url)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // Killed at once after what it said as the `until`th, and so in all stages of its work.
            let until = 2 + kill * 37 % 29;
            let mut heard = 0;
            let mut about: Option<[String; 3]> = None;
            for line in BufReader::new(child.stdout.take().unwrap()).lines() {
                let line = line.unwrap();
                match line.split(' ').collect::<Vec<_>>()[..] {
                    ["about", id, lease, digit] => {
                        about = Some([id, lease, digit].map(str::to_owned))
                    }
                    ["done", id] => {
                        let [about, _, digit] = about.take().unwrap();
                        assert_eq!(about, id);
                        assert_eq!(said.insert(about, digit), None, "answered before");
                    }
                    _ => continue,
                }
                heard += 1;
                if heard == until {
                    child.kill().unwrap();
                }
            }
            assert!(!child.wait().unwrap().success());
            // The person heard nothing of this one, and sends it again with the same key.
            if let Some([id, lease, digit]) = about {
                unheard += 1;
                let state = queue
                    .answer(&id, "ann", &lease, class(&digit), &lease)
                    .await;
                assert_eq!(state.unwrap(), State::Done);
                assert_eq!(said.insert(id, digit), None);
            }
        }
        assert!(
            unheard > 0,
            "no kill fell between an answer and its acknowledgement"
        );
        let mut kept = queue.export(Part::Learn).await.unwrap();
        kept.extend(queue.export(Part::Judge).await.unwrap());
        assert!(kept.iter().all(|example| example.reviewers == 1));
        let kept: HashMap<_, _> = kept
            .into_iter()
            .map(|example| (example.id, example.label))
            .collect();
        assert_eq!(kept, said);
        assert_eq!(queue.counts().await.unwrap().done, said.len() as u64);
    })
    .await;
}
