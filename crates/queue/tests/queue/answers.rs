use queue::{Answer, Error, State};

use crate::place::{class, deferred, on_both, say, take};

#[tokio::test]
async fn an_answer_is_what_the_item_s_state_says_from_then_on() {
    on_both(async |place| {
        let queue = place.open().await;
        for (answer, index) in [
            (class("3"), Some(3)),
            (Answer::None, None),
            (Answer::Unsure, None),
        ] {
            let id = queue.defer(deferred(1)).await.unwrap();
            let before = queue.state(&id).await.unwrap().unwrap();
            assert_eq!(
                (before.state, before.answer, before.answered),
                (State::Open, None, None)
            );
            assert_eq!(say(&queue, "ann", answer.clone()).await, State::Done);
            let after = queue.state(&id).await.unwrap().unwrap();
            assert_eq!((after.state, after.class), (State::Done, index));
            assert_eq!(
                (after.answer, after.answered),
                (Some(answer), Some(place.now()))
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_told_again_with_its_key_says_the_same_and_counts_once() {
    on_both(async |place| {
        let queue = place.open_in_pairs().await;
        queue.defer(deferred(1)).await.unwrap();
        let item = take(&queue, "ann").await;
        for _ in 0..3 {
            let state = queue
                .answer(&item.id, "ann", &item.lease, class("1"), "key")
                .await;
            assert_eq!(state.unwrap(), State::Open);
        }
        say(&queue, "ben", class("1")).await;
        let state = queue
            .answer(&item.id, "ann", &item.lease, class("1"), "key")
            .await;
        assert_eq!(state.unwrap(), State::Open, "what was told then");
        let reviewed = queue.state(&item.id).await.unwrap().unwrap();
        assert_eq!(reviewed.state, State::Done);
        assert_eq!(queue.agreement().await.unwrap().unwrap().pairs, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_answer_sent_eight_times_at_once_counts_once() {
    on_both(async |place| {
        let queue = place.open_in_pairs().await;
        let id = queue.defer(deferred(1)).await.unwrap();
        let item = take(&queue, "ann").await;
        let sent: Vec<_> = (0..8)
            .map(|_| {
                let (queue, item) = (queue.clone(), item.clone());
                tokio::spawn(async move {
                    queue
                        .answer(&item.id, "ann", &item.lease, class("1"), "key")
                        .await
                })
            })
            .collect();
        for answer in sent {
            assert_eq!(answer.await.unwrap().unwrap(), State::Open);
        }
        assert_eq!(queue.state(&id).await.unwrap().unwrap().state, State::Open);
    })
    .await;
}

#[tokio::test]
async fn a_key_belongs_to_one_answer_of_one_person() {
    on_both(async |place| {
        let queue = place.open().await;
        for pixel in 0..3 {
            queue.defer(deferred(pixel)).await.unwrap();
        }
        let one = take(&queue, "ann").await;
        queue
            .answer(&one.id, "ann", &one.lease, class("1"), "key")
            .await
            .unwrap();
        let two = take(&queue, "ann").await;
        for (item, answer) in [(&one, class("2")), (&two, class("1"))] {
            let reused = queue
                .answer(&item.id, "ann", &item.lease, answer, "key")
                .await;
            assert!(matches!(reused, Err(Error::KeyReused(_))), "{reused:?}");
        }
        let three = take(&queue, "ben").await;
        queue
            .answer(&three.id, "ben", &three.lease, class("1"), "key")
            .await
            .unwrap();
        queue
            .answer(&two.id, "ann", &two.lease, class("1"), "another")
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_is_no_answer_is_refused_and_the_lease_kept() {
    on_both(async |place| {
        let queue = place.open().await;
        queue.defer(deferred(1)).await.unwrap();
        let item = take(&queue, "ann").await;
        let answer = queue
            .answer(&item.id, "ann", &item.lease, class("ten"), "key")
            .await;
        let error = answer.unwrap_err();
        assert!(
            matches!(error, Error::Invalid(_)) && error.to_string().contains("ten"),
            "{error}"
        );
        let answer = queue
            .answer(&item.id, "ann", &item.lease, class("1"), "")
            .await;
        assert!(matches!(answer, Err(Error::Invalid(_))), "{answer:?}");
        for id in ["no such item", "a\0b", &"0".repeat(32)] {
            let answer = queue
                .answer(id, "ann", &item.lease, class("1"), "key")
                .await;
            assert!(matches!(answer, Err(Error::Unknown(_))), "{answer:?}");
            let skipped = queue.skip(id, "ann", &item.lease).await;
            assert!(matches!(skipped, Err(Error::Unknown(_))), "{skipped:?}");
            assert_eq!(queue.state(id).await.unwrap(), None);
        }
        let renewed = queue.renew(&item.id, "ann", "a\0b").await;
        assert!(matches!(renewed, Err(Error::NotLeased(_))), "{renewed:?}");
        queue
            .answer(&item.id, "ann", &item.lease, class("1"), "key")
            .await
            .unwrap();
        for name in ["", " ", "a\0b", "a\nb", &"n".repeat(201)] {
            let next = queue.next(name).await;
            assert!(matches!(next, Err(Error::Invalid(_))), "{name:?}: {next:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_could_not_be_answered_is_not_deferred() {
    on_both(async |place| {
        let queue = place.open().await;
        let sound = deferred(1);
        let bad = [
            queue::Deferred {
                input: Some(vec![0; 783]),
                ..sound.clone()
            },
            queue::Deferred {
                shape: [u32::MAX; 3],
                ..sound.clone()
            },
            queue::Deferred {
                classes: vec![],
                probabilities: vec![],
                ..sound.clone()
            },
            queue::Deferred {
                probabilities: vec![0.5; 9],
                ..sound.clone()
            },
            queue::Deferred {
                probabilities: vec![f64::NAN; 10],
                ..sound.clone()
            },
            queue::Deferred {
                classes: vec!["none".into(); 10],
                ..sound.clone()
            },
            queue::Deferred {
                classes: vec!["same".into(); 10],
                ..sound.clone()
            },
            queue::Deferred {
                reason: "a\0b".into(),
                ..sound.clone()
            },
        ];
        for deferred in bad {
            let id = queue.defer(deferred).await;
            assert!(matches!(id, Err(Error::Invalid(_))), "{id:?}");
        }
        let nothing = queue::Deferred {
            picture: None,
            input: None,
            probabilities: vec![],
            ..sound
        };
        queue.defer(nothing).await.unwrap();
        let item = take(&queue, "ann").await;
        assert_eq!(
            (item.picture, item.input, item.probabilities),
            (None, None, vec![])
        );
        assert_eq!(queue.counts().await.unwrap().leased, 1);
    })
    .await;
}
