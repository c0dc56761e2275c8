use std::collections::HashMap;

use queue::{Answer, Part, State};

use crate::place::{MINUTE, class, deferred, on_both, say, take};

const DAY: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn a_sweep_deletes_pictures_reviewed_long_ago_and_keeps_what_people_said() {
    on_both(async |place| {
        let queue = place.open().await;
        let old = queue.defer(deferred(1)).await.unwrap();
        say(&queue, "ann", class("5")).await;
        place.pass(24 * 60 * MINUTE);
        let young = queue.defer(deferred(2)).await.unwrap();
        say(&queue, "ann", class("6")).await;
        let waiting = queue.defer(deferred(3)).await.unwrap();

        let later = place.now() + 29 * DAY;
        assert_eq!(queue.sweep(later - 1, 30).await.unwrap(), 0);
        assert_eq!(queue.sweep(later, 30).await.unwrap(), 1);
        assert_eq!(queue.sweep(later, 30).await.unwrap(), 0);
        let reviewed = queue.state(&old).await.unwrap().unwrap();
        assert_eq!((reviewed.state, reviewed.class), (State::Gone, Some(5)));
        assert_eq!(
            queue.state(&young).await.unwrap().unwrap().state,
            State::Done
        );
        let exported = [
            queue.export(Part::Learn).await.unwrap(),
            queue.export(Part::Judge).await.unwrap(),
        ];
        let exported: Vec<_> = exported
            .into_iter()
            .flatten()
            .map(|example| example.id)
            .collect();
        assert_eq!(exported, [young.as_str()]);
        assert_eq!(queue.counts().await.unwrap().done, 2);

        assert_eq!(queue.undo("ann", None).await.unwrap().unwrap().id, young);
        assert_eq!(
            queue.undo("ann", None).await.unwrap(),
            None,
            "there is nothing left to look at"
        );
        queue.sweep(later + 1000 * DAY, 0).await.unwrap();
        let item = take(&queue, "ben").await;
        assert_eq!(item.id, waiting);
        assert!(item.picture.is_some(), "what nobody has looked at is kept");
    })
    .await;
}

#[tokio::test]
async fn the_bytes_of_a_swept_picture_are_in_no_file_of_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let options = queue::Options {
        second_opinion: 0.0,
        ..Default::default()
    };
    let queue = queue::Queue::open(path.to_str().unwrap(), options)
        .await
        .unwrap();
    let mark = b"these bytes are easily found".to_vec();
    let found = || {
        std::fs::read_dir(folder.path()).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes.windows(mark.len()).any(|window| window == mark)
        })
    };
    let picture = Some(mark.repeat(1000));
    queue
        .defer(queue::Deferred {
            picture,
            ..deferred(1)
        })
        .await
        .unwrap();
    let item = take(&queue, "ann").await;
    let answer = Answer::None;
    queue
        .answer(&item.id, "ann", &item.lease, answer, "key")
        .await
        .unwrap();
    assert!(found());
    assert_eq!(queue.sweep(i64::MAX, 1).await.unwrap(), 1);
    assert!(!found());
}

#[tokio::test]
async fn an_export_has_the_items_of_one_class_that_people_agree_on() {
    on_both(async |place| {
        let queue = place.open_in_pairs().await;
        let answers = [
            (class("8"), class("8")),
            (class("8"), class("3")),
            (Answer::None, Answer::None),
            (Answer::Unsure, Answer::Unsure),
        ];
        let mut ids = Vec::new();
        for (pixel, (first, second)) in (0..).zip(answers) {
            ids.push(queue.defer(deferred(pixel)).await.unwrap());
            say(&queue, "ann", first).await;
            say(&queue, "ben", second).await;
        }
        queue
            .defer(queue::Deferred {
                input: None,
                ..deferred(9)
            })
            .await
            .unwrap();
        say(&queue, "ann", class("8")).await;
        say(&queue, "ben", class("8")).await;
        queue.defer(deferred(10)).await.unwrap();

        let mut examples = queue.export(Part::Learn).await.unwrap();
        examples.extend(queue.export(Part::Judge).await.unwrap());
        let [example] = examples.try_into().unwrap();
        assert_eq!(queue.named_bytes().await.unwrap(), 784);
        assert_eq!(
            (&example.id, example.class, example.label.as_str()),
            (&ids[0], 8, "8")
        );
        assert_eq!((example.input, example.shape), (vec![0; 784], [1, 28, 28]));
        assert_eq!((example.reviewers, example.answered), (2, place.now()));
        assert_eq!(
            (example.model.as_str(), example.version.as_str()),
            ("digits", "7")
        );
    })
    .await;
}

#[tokio::test]
async fn the_same_input_is_always_in_the_same_part_and_three_in_ten_are_to_judge_by() {
    on_both(async |place| {
        let queue = place.open().await;
        for round in 0..2 {
            // More than are read at once.
            for pixel in 0..60 {
                let model = format!("model {round}");
                queue
                    .defer(queue::Deferred {
                        model,
                        ..deferred(pixel)
                    })
                    .await
                    .unwrap();
                say(&queue, "ann", class("1")).await;
            }
        }
        let mut parts: HashMap<Vec<u8>, Vec<Part>> = HashMap::new();
        for part in [Part::Learn, Part::Judge] {
            for example in queue.export(part).await.unwrap() {
                assert_eq!(Part::of(&example.input), part);
                parts.entry(example.input).or_default().push(part);
            }
        }
        assert_eq!(parts.len(), 60);
        assert!(
            parts
                .values()
                .all(|parts| parts.len() == 2 && parts[0] == parts[1])
        );
        let judged = parts
            .values()
            .filter(|parts| parts[0] == Part::Judge)
            .count();
        assert!((5..=35).contains(&judged), "{judged} of 60");
    })
    .await;
    // Of the SHA-256 of these bytes, as `sha256sum` says it: another rule would let pictures change sides.
    let parts = [b"a", b"b", b"c", b"d"].map(|byte| Part::of(byte));
    assert_eq!(parts, [Part::Learn, Part::Judge, Part::Judge, Part::Judge]);
}

#[tokio::test]
async fn of_pictures_that_are_deferred_together_all_are_stored_or_none() {
    on_both(async |place| {
        let queue = place.open().await;
        let ids = queue.defer_all(&[deferred(1), deferred(2)]).await.unwrap();
        assert_eq!(ids.len(), 2);
        assert_eq!(queue.counts().await.unwrap().open, 2);
        let wrong = queue::Deferred {
            input: Some(vec![0; 3]),
            ..deferred(4)
        };
        let together = queue.defer_all(&[deferred(3), wrong]).await;
        assert!(together.is_err());
        assert_eq!(queue.counts().await.unwrap().open, 2);
        assert!(queue.defer_all(&[]).await.unwrap().is_empty());
    })
    .await;
}
