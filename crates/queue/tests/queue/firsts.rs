use queue::{Deferred, Error};

use crate::place::{class, deferred, on_both, say};

#[tokio::test]
async fn a_first_picture_is_known_until_a_second_was_left_to_people() {
    on_both(async |place| {
        let queue = place.open().await;
        let id = queue.defer(deferred(1)).await.unwrap();
        let first = queue.first(&id).await.unwrap().unwrap();
        assert_eq!(first.input, deferred(1).input);
        assert_eq!(first.probabilities, deferred(1).probabilities);
        assert_eq!(
            (first.created, first.answered, first.paired),
            (place.now(), false, false)
        );
        let second = Deferred {
            first: Some(id.clone()),
            ..deferred(2)
        };
        let second = queue.defer(second).await.unwrap();
        for id in [&id, &second] {
            assert!(queue.first(id).await.unwrap().unwrap().paired);
        }
        say(&queue, "ann", class("1")).await;
        assert!(queue.first(&id).await.unwrap().unwrap().answered);
        for unknown in ["", "0123", "00112233445566778899aabbccddeeff"] {
            assert_eq!(queue.first(unknown).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_all_seconds_to_a_first_picture_one_is_judged_with_it() {
    on_both(async |place| {
        let queue = place.open().await;
        let id = queue.defer(deferred(1)).await.unwrap();
        let seconds: Vec<_> = (0..8)
            .map(|number| {
                let (queue, id) = (queue.clone(), id.clone());
                tokio::spawn(async move {
                    let first = Some(id.clone());
                    match number % 2 {
                        0 => queue.pair(&id).await,
                        _ => queue
                            .defer(Deferred {
                                first,
                                ..deferred(number)
                            })
                            .await
                            .map(drop),
                    }
                })
            })
            .collect();
        let mut paired = 0;
        for second in seconds {
            match second.await.unwrap() {
                Ok(()) => paired += 1,
                Err(error) => assert!(matches!(error, Error::Paired(_)), "{error}"),
            }
        }
        assert_eq!(paired, 1);
        assert!(queue.first(&id).await.unwrap().unwrap().paired);
    })
    .await;
}
