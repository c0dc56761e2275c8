use std::time::Duration;

use queue::{Deferred, Queue, State};

use crate::place::{MINUTE, class, deferred, on_both, say};

async fn defer_with_callback(queue: &Queue) -> String {
    let callback = Some("https://example.org/told".to_owned());
    queue
        .defer(Deferred {
            callback,
            ..deferred(1)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_callback_is_due_once_people_have_answered_and_until_it_was_made() {
    on_both(async |place| {
        let queue = place.open().await;
        let id = defer_with_callback(&queue).await;
        queue.defer(deferred(2)).await.unwrap();
        assert_eq!(queue.callbacks_due(100).await.unwrap(), []);
        say(&queue, "ann", class("1")).await;
        say(&queue, "ann", class("2")).await;
        let reviewed = queue.state(&id).await.unwrap().unwrap();
        let due = queue.callbacks_due(100).await.unwrap();
        assert_eq!(
            due,
            [(id.clone(), "https://example.org/told".to_owned(), reviewed)]
        );
        assert_eq!(queue.callbacks_due(100).await.unwrap(), [], "it is in hand");
        queue.called_back(&id, true).await.unwrap();
        place.pass(1000 * MINUTE);
        assert_eq!(queue.callbacks_due(100).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_callback_that_fails_is_tried_again_ever_later_and_then_given_up() {
    on_both(async |place| {
        let queue = place.open().await;
        let id = defer_with_callback(&queue).await;
        say(&queue, "ann", class("1")).await;
        let mut wait = Duration::from_secs(4);
        for attempt in 1..=14 {
            let due = queue.callbacks_due(100).await.unwrap();
            assert_eq!(due.len(), 1, "attempt {attempt}");
            queue.called_back(&id, false).await.unwrap();
            place.pass(wait - Duration::from_millis(1));
            assert_eq!(queue.callbacks_due(100).await.unwrap(), []);
            place.pass(Duration::from_millis(1));
            wait *= 2;
        }
        assert_eq!(queue.callbacks_due(100).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_callback_in_the_hands_of_a_process_that_died_is_due_again() {
    on_both(async |place| {
        let queue = place.open().await;
        let id = defer_with_callback(&queue).await;
        say(&queue, "ann", class("1")).await;
        assert_eq!(queue.callbacks_due(100).await.unwrap().len(), 1);
        place.pass(2 * MINUTE);
        assert_eq!(queue.callbacks_due(100).await.unwrap()[0].0, id);
    })
    .await;
}

#[tokio::test]
async fn an_answer_given_anew_is_called_back_even_if_the_old_one_is_just_being_told() {
    on_both(async |place| {
        let queue = place.open().await;
        let id = defer_with_callback(&queue).await;
        say(&queue, "ann", class("1")).await;
        assert_eq!(queue.callbacks_due(100).await.unwrap().len(), 1);
        let item = queue.undo("ann", None).await.unwrap().unwrap();
        assert_eq!(queue.callbacks_due(100).await.unwrap(), []);
        queue
            .answer(&id, "ann", &item.lease, class("2"), "key")
            .await
            .unwrap();
        queue.called_back(&id, true).await.unwrap();
        let due = queue.callbacks_due(100).await.unwrap();
        assert_eq!((due[0].2.state, due[0].2.class), (State::Done, Some(2)));
    })
    .await;
}

#[tokio::test]
async fn of_many_callbacks_no_more_are_in_hand_than_were_asked_for() {
    on_both(async |place| {
        let queue = place.open().await;
        for _ in 0..5 {
            defer_with_callback(&queue).await;
            say(&queue, "ann", class("1")).await;
        }
        let mut told = Vec::new();
        for expected in [2, 2, 1, 0] {
            let due = queue.callbacks_due(2).await.unwrap();
            assert_eq!(due.len(), expected);
            told.extend(due.into_iter().map(|(id, ..)| id));
        }
        told.sort();
        told.dedup();
        assert_eq!(told.len(), 5, "each is in hand once");
    })
    .await;
}
