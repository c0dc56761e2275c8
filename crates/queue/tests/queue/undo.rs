use queue::{Error, State};

use crate::place::{MINUTE, class, deferred, on_both, say, take};

#[tokio::test]
async fn an_answer_taken_back_does_not_count_and_the_item_is_the_same_person_s_again() {
    on_both(async |place| {
        let queue = place.open().await;
        let id = queue.defer(deferred(1)).await.unwrap();
        assert_eq!(queue.undo("ann", None).await.unwrap(), None);
        let old = take(&queue, "ann").await;
        queue
            .answer(&id, "ann", &old.lease, class("1"), "key")
            .await
            .unwrap();
        let item = queue.undo("ann", None).await.unwrap().unwrap();
        assert_eq!(
            (&item.id, item.second, item.expires),
            (&id, false, place.now() + 300_000)
        );
        let reviewed = queue.state(&id).await.unwrap().unwrap();
        assert_eq!(
            (reviewed.state, reviewed.answer, reviewed.answered),
            (State::Open, None, None)
        );
        assert_eq!(queue.next("ben").await.unwrap().item, None);
        let again = queue
            .answer(&id, "ann", &old.lease, class("1"), "key")
            .await;
        assert_eq!(
            again.unwrap(),
            State::Done,
            "a retry says what was told then"
        );
        assert_eq!(
            queue.state(&id).await.unwrap().unwrap().state,
            State::Open,
            "and counts no more"
        );
        queue
            .answer(&id, "ann", &item.lease, class("7"), "new key")
            .await
            .unwrap();
        assert_eq!(queue.state(&id).await.unwrap().unwrap().class, Some(7));
    })
    .await;
}

#[tokio::test]
async fn undo_goes_back_ten_answers_the_latest_first() {
    on_both(async |place| {
        let queue = place.open().await;
        let mut ids = Vec::new();
        for pixel in 0..12 {
            ids.push(queue.defer(deferred(pixel)).await.unwrap());
            say(&queue, "ann", class("1")).await;
        }
        for id in ids.iter().rev().take(10) {
            assert_eq!(&queue.undo("ann", None).await.unwrap().unwrap().id, id);
        }
        assert_eq!(queue.undo("ann", None).await.unwrap(), None);
        assert_eq!(
            queue.undo("ben", None).await.unwrap(),
            None,
            "nobody else's"
        );
        assert_eq!(queue.counts().await.unwrap().done, 2);
    })
    .await;
}

#[tokio::test]
async fn an_item_taken_back_and_left_goes_to_another() {
    on_both(async |place| {
        let queue = place.open().await;
        let id = queue.defer(deferred(1)).await.unwrap();
        say(&queue, "ann", class("1")).await;
        queue.undo("ann", None).await.unwrap();
        place.pass(5 * MINUTE);
        assert_eq!(take(&queue, "ben").await.id, id);
    })
    .await;
}

#[tokio::test]
async fn undo_waits_while_another_person_has_the_item() {
    on_both(async |place| {
        let queue = place.open_in_pairs().await;
        let id = queue.defer(deferred(1)).await.unwrap();
        say(&queue, "ann", class("1")).await;
        let item = take(&queue, "ben").await;
        let undone = queue.undo("ann", None).await;
        assert!(
            matches!(&undone, Err(Error::Held(held)) if *held == id),
            "{undone:?}"
        );
        queue
            .answer(&id, "ben", &item.lease, class("2"), "key")
            .await
            .unwrap();
        let item = queue.undo("ann", None).await.unwrap().unwrap();
        assert_eq!(
            (item.second, item.disputed),
            (true, None),
            "the other answer stays hidden"
        );
        let state = queue
            .answer(&id, "ann", &item.lease, class("2"), "key")
            .await
            .unwrap();
        assert_eq!(state, State::Done);
        let agreement = queue.agreement().await.unwrap().unwrap();
        assert_eq!((agreement.pairs, agreement.agreed), (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn undo_asked_for_twice_at_once_takes_no_answer_back_twice() {
    on_both(async |place| {
        let queue = place.open().await;
        let id = queue.defer(deferred(1)).await.unwrap();
        for _ in 0..5 {
            say(&queue, "ann", class("1")).await;
            let both = [0, 1].map(|_| {
                let queue = queue.clone();
                tokio::spawn(async move { queue.undo("ann", None).await })
            });
            let mut items = 0;
            for undone in both {
                items += match undone.await.unwrap() {
                    Ok(item) => usize::from(item.is_some()),
                    Err(error) => usize::from(!error.is_conflict()) * 10,
                };
            }
            assert_eq!(items, 1);
            place.pass(5 * MINUTE);
        }
        assert_eq!(take(&queue, "ben").await.id, id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_at_several_processes_answer_and_undo_without_getting_in_each_other_s_way() {
    on_both(async |place| {
        let queue = place.open().await;
        let mut ids = Vec::new();
        for pixel in 0..40 {
            ids.push(queue.defer(deferred(pixel)).await.unwrap());
        }
        let mut people = Vec::new();
        for person in 0..4 {
            let (queue, reviewer) = (place.open().await, format!("person {person}"));
            people.push(tokio::spawn(async move {
                for _ in 0..10 {
                    say(&queue, &reviewer, class("1")).await;
                    let item = queue.undo(&reviewer, None).await.unwrap().unwrap();
                    let (id, lease) = (&item.id, &item.lease);
                    queue
                        .answer(id, &reviewer, lease, class("2"), lease)
                        .await
                        .unwrap();
                }
            }));
        }
        for person in people {
            person.await.unwrap();
        }
        for id in ids {
            let reviewed = queue.state(&id).await.unwrap().unwrap();
            assert_eq!((reviewed.state, reviewed.class), (State::Done, Some(2)));
        }
    })
    .await;
}

#[tokio::test]
async fn an_undo_that_is_told_again_with_its_key_takes_no_second_answer_back() {
    on_both(async |place| {
        let queue = place.open().await;
        for pixel in 1..=2 {
            queue.defer(deferred(pixel)).await.unwrap();
            say(&queue, "ann", class("1")).await;
        }
        let undone = queue.undo("ann", Some("undo")).await.unwrap().unwrap();
        let again = queue.undo("ann", Some("undo")).await.unwrap().unwrap();
        assert_eq!(again, undone);
        assert_eq!(queue.counts().await.unwrap().done, 1);
        let answered = queue.answer(&undone.id, "ann", &undone.lease, class("2"), "anew");
        answered.await.unwrap();
        assert_eq!(queue.undo("ann", Some("undo")).await.unwrap(), None);
        assert_eq!(queue.counts().await.unwrap().done, 2);
        let reused = queue.undo("ann", Some("anew")).await;
        assert!(matches!(reused, Err(Error::KeyReused(_))), "{reused:?}");
    })
    .await;
}
