use std::collections::HashMap;

use queue::{Error, Options, Queue};

use crate::place::{MINUTE, SECOND, class, deferred, on_both, say, take};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_people_at_eight_processes_get_each_of_400_items_once() {
    on_both(async |place| {
        let queue = place.open().await;
        for pixel in 0..400 {
            queue.defer(deferred(pixel as u8)).await.unwrap();
        }
        let mut queues = Vec::new();
        for _ in 0..8 {
            queues.push(place.open().await);
        }
        let people: Vec<_> = (0..8)
            .zip(queues)
            .map(|(person, queue)| {
                tokio::spawn(async move {
                    let reviewer = format!("person {person}");
                    let mut mine = Vec::new();
                    loop {
                        let next = queue.next(&reviewer).await.unwrap();
                        match next.item {
                            Some(item) => mine.push(item.id),
                            None if next.left == 0 => return mine,
                            None => {}
                        }
                    }
                })
            })
            .collect();
        let mut times: HashMap<String, usize> = HashMap::new();
        for person in people {
            for id in person.await.unwrap() {
                *times.entry(id).or_default() += 1;
            }
        }
        assert_eq!(times.len(), 400);
        assert!(times.values().all(|&times| times == 1));
    })
    .await;
}

#[tokio::test]
async fn items_come_in_the_order_in_which_they_were_deferred_as_they_were_deferred() {
    on_both(async |place| {
        let queue = place.open().await;
        for pixel in [5, 3, 9] {
            queue.defer(deferred(pixel)).await.unwrap();
        }
        for pixel in [5, 3, 9] {
            let (item, was) = (take(&queue, "ann").await, deferred(pixel));
            assert_eq!(
                (item.picture, item.media_type),
                (was.picture, was.media_type)
            );
            assert_eq!((item.input, item.shape), (was.input, was.shape));
            assert_eq!(
                (item.classes, item.probabilities),
                (was.classes, was.probabilities)
            );
            assert_eq!(
                (item.model, item.version, item.reason),
                (was.model, was.version, was.reason)
            );
            assert_eq!(
                (item.created, item.expires),
                (place.now(), place.now() + 300_000)
            );
            assert_eq!(
                (item.second, item.disputed, item.first),
                (false, None, None)
            );
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_left_differs_from_all_leased() {
    on_both(async |place| {
        let queue = place.open().await;
        let next = queue.next("ann").await.unwrap();
        assert_eq!(
            (next.item, next.left, next.leased, next.disputed),
            (None, 0, 0, 0)
        );
        queue.defer(deferred(1)).await.unwrap();
        queue.defer(deferred(2)).await.unwrap();
        let next = queue.next("ann").await.unwrap();
        assert_eq!((next.item.is_some(), next.left, next.leased), (true, 1, 0));
        take(&queue, "ben").await;
        let next = queue.next("cem").await.unwrap();
        assert_eq!((next.item, next.left, next.leased), (None, 0, 2));
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_ran_out_is_worth_nothing_and_the_item_goes_to_another() {
    on_both(async |place| {
        let queue = place.open().await;
        queue.defer(deferred(1)).await.unwrap();
        let old = take(&queue, "ann").await;
        place.pass(5 * MINUTE - SECOND);
        assert_eq!(queue.next("ben").await.unwrap().item, None);
        place.pass(SECOND);
        let (id, lease) = (&old.id, &old.lease);
        let answer = queue.answer(id, "ann", lease, class("1"), "k").await;
        assert!(matches!(answer, Err(Error::NotLeased(_))), "{answer:?}");
        let new = take(&queue, "ben").await;
        assert_eq!(new.id, old.id);
        for result in [
            queue
                .answer(id, "ann", lease, class("1"), "k")
                .await
                .map(drop),
            queue.renew(id, "ann", lease).await.map(drop),
            queue.skip(id, "ann", lease).await,
            queue
                .answer(id, "ann", &new.lease, class("1"), "k")
                .await
                .map(drop),
            queue
                .answer(id, "ben", lease, class("1"), "k")
                .await
                .map(drop),
        ] {
            assert!(
                matches!(&result, Err(error) if error.is_conflict()),
                "{result:?}"
            );
        }
        queue
            .answer(id, "ben", &new.lease, class("1"), "k")
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_renewed_lease_holds_for_another_five_minutes() {
    on_both(async |place| {
        let queue = place.open().await;
        queue.defer(deferred(1)).await.unwrap();
        let item = take(&queue, "ann").await;
        place.pass(4 * MINUTE);
        let expires = queue.renew(&item.id, "ann", &item.lease).await.unwrap();
        assert_eq!(expires, place.now() + 300_000);
        place.pass(4 * MINUTE);
        assert_eq!(queue.next("ben").await.unwrap().item, None);
        queue
            .answer(&item.id, "ann", &item.lease, class("1"), "k")
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_skipped_item_is_there_for_others_at_once_and_for_the_same_person_after_ten_minutes() {
    on_both(async |place| {
        let queue = place.open().await;
        let first = queue.defer(deferred(1)).await.unwrap();
        let item = take(&queue, "ann").await;
        queue.skip(&item.id, "ann", &item.lease).await.unwrap();
        assert_eq!(queue.next("ann").await.unwrap().item, None);
        let other = take(&queue, "ben").await;
        assert_eq!(other.id, first);
        queue.skip(&other.id, "ben", &other.lease).await.unwrap();
        place.pass(10 * MINUTE);
        assert_eq!(take(&queue, "ann").await.id, first);
    })
    .await;
}

#[tokio::test]
async fn counts_tell_open_leased_and_done_items() {
    on_both(async |place| {
        let queue = place.open().await;
        for pixel in 0..4 {
            queue.defer(deferred(pixel)).await.unwrap();
        }
        say(&queue, "ann", class("1")).await;
        take(&queue, "ann").await;
        let counts = queue.counts().await.unwrap();
        assert_eq!(
            (counts.open, counts.leased, counts.done, counts.disputed),
            (2, 1, 1, 0)
        );
    })
    .await;
}

#[tokio::test]
async fn processes_that_share_a_database_share_the_queue() {
    on_both(async |place| {
        let options = Options {
            lease: 10 * SECOND,
            ..place.options()
        };
        let one = Queue::open(&place.url, options.clone()).await.unwrap();
        let two = Queue::open(&place.url, options).await.unwrap();
        let id = one.defer(deferred(1)).await.unwrap();
        assert_eq!(take(&two, "ann").await.id, id);
        assert_eq!(one.next("ben").await.unwrap().item, None);
        place.pass(10 * SECOND);
        assert_eq!(take(&one, "ben").await.id, id);
    })
    .await;
}

#[tokio::test]
async fn an_item_skipped_twice_was_skipped() {
    on_both(async |place| {
        let queue = place.open().await;
        queue.defer(deferred(1)).await.unwrap();
        let item = take(&queue, "ann").await;
        queue.skip(&item.id, "ann", &item.lease).await.unwrap();
        queue.skip(&item.id, "ann", &item.lease).await.unwrap();
        let others = take(&queue, "ben").await;
        queue.skip(&item.id, "ann", &item.lease).await.unwrap();
        let held = queue.renew(&others.id, "ben", &others.lease).await;
        assert!(held.is_ok(), "it is still the other's: {held:?}");
        let stranger = queue.skip(&item.id, "eve", &item.lease).await;
        assert!(stranger.unwrap_err().is_conflict());
    })
    .await;
}

#[tokio::test]
async fn what_is_left_is_counted_up_to_a_thousand() {
    on_both(async |place| {
        let queue = place.open().await;
        for _ in 0..1002 {
            queue.defer(deferred(1)).await.unwrap();
        }
        assert_eq!(queue.next("ann").await.unwrap().left, 1000);
    })
    .await;
}
