use queue::{Answer, Opinion, Options, Queue, State};

use crate::place::{class, deferred, on_both, say, take};

#[tokio::test]
async fn a_second_person_answers_without_knowing_the_first_answer() {
    on_both(async |place| {
        let queue = place.open_in_pairs().await;
        let id = queue.defer(deferred(1)).await.unwrap();
        assert_eq!(say(&queue, "ann", class("4")).await, State::Open);
        assert_eq!(
            queue.next("ann").await.unwrap().item,
            None,
            "not the same person again"
        );
        let item = take(&queue, "ben").await;
        assert_eq!((item.second, &item.disputed), (true, &None));
        let told = queue.state(&id).await.unwrap().unwrap();
        assert_eq!((told.state, told.answer), (State::Open, None));
        let state = queue
            .answer(&id, "ben", &item.lease, class("4"), "key")
            .await
            .unwrap();
        assert_eq!(state, State::Done);
        assert_eq!(queue.state(&id).await.unwrap().unwrap().class, Some(4));
        assert_eq!(queue.next("cem").await.unwrap().item, None);
    })
    .await;
}

#[tokio::test]
async fn two_people_never_hold_the_same_item_even_if_both_are_to_answer_it() {
    on_both(async |place| {
        let queue = place.open_in_pairs().await;
        queue.defer(deferred(1)).await.unwrap();
        take(&queue, "ann").await;
        assert_eq!(queue.next("ben").await.unwrap().item, None);
    })
    .await;
}

#[tokio::test]
async fn a_third_person_who_sees_both_answers_settles_a_dispute() {
    on_both(async |place| {
        let queue = place.open_in_pairs().await;
        let id = queue.defer(deferred(1)).await.unwrap();
        say(&queue, "ann", class("4")).await;
        assert_eq!(say(&queue, "ben", class("9")).await, State::Disputed);
        for person in ["ann", "ben"] {
            let next = queue.next(person).await.unwrap();
            assert_eq!((next.item, next.disputed), (None, 1));
        }
        assert_eq!(queue.counts().await.unwrap().disputed, 1);
        let item = take(&queue, "cem").await;
        let opinion = |who: &str, what| Opinion {
            reviewer: who.into(),
            answer: class(what),
        };
        assert_eq!(
            item.disputed,
            Some(vec![opinion("ann", "4"), opinion("ben", "9")])
        );
        assert!(!item.second);
        let state = queue
            .answer(&id, "cem", &item.lease, class("9"), "key")
            .await
            .unwrap();
        assert_eq!(state, State::Done);
        assert_eq!(queue.state(&id).await.unwrap().unwrap().class, Some(9));
        let agreement = queue.agreement().await.unwrap().unwrap();
        assert_eq!(
            (agreement.pairs, agreement.agreed),
            (1, 0),
            "the third doesn't count"
        );
    })
    .await;
}

#[tokio::test]
async fn what_three_people_see_in_three_ways_stays_disputed_and_is_offered_to_nobody() {
    on_both(async |place| {
        let queue = place.open_in_pairs().await;
        let id = queue.defer(deferred(1)).await.unwrap();
        say(&queue, "ann", class("4")).await;
        say(&queue, "ben", Answer::Unsure).await;
        assert_eq!(say(&queue, "cem", Answer::None).await, State::Disputed);
        let next = queue.next("dan").await.unwrap();
        assert_eq!((next.item, next.left, next.disputed), (None, 0, 1));
        let reviewed = queue.state(&id).await.unwrap().unwrap();
        assert_eq!((reviewed.state, reviewed.answer), (State::Disputed, None));
        assert_eq!(reviewed.answered, Some(place.now()));
    })
    .await;
}

#[tokio::test]
async fn about_the_share_of_items_that_was_asked_for_wants_two_people() {
    on_both(async |place| {
        let options = Options {
            second_opinion: 0.3,
            ..place.options()
        };
        let queue = Queue::open(&place.url, options).await.unwrap();
        let mut twice = 0;
        for pixel in 0..100 {
            queue.defer(deferred(pixel)).await.unwrap();
            twice += usize::from(say(&queue, "ann", class("1")).await == State::Open);
        }
        // Five standard deviations of the binomial distribution about 30.
        assert!((8..=52).contains(&twice), "{twice} of 100");
        let next = queue.next("ben").await.unwrap();
        assert_eq!(
            (next.left + 1, next.item.is_some_and(|item| item.second)),
            (twice as u64, true)
        );
    })
    .await;
}

#[tokio::test]
async fn agreement_is_told_beyond_chance() {
    on_both(async |place| {
        let queue = place.open_in_pairs().await;
        assert_eq!(queue.agreement().await.unwrap(), None);
        let pairs = [("1", "1"), ("1", "1"), ("2", "2"), ("1", "2")];
        for (pixel, (first, second)) in (0..).zip(pairs) {
            queue.defer(deferred(pixel)).await.unwrap();
            say(&queue, "ann", class(first)).await;
            say(&queue, "ben", class(second)).await;
            if pixel == 0 {
                let agreement = queue.agreement().await.unwrap().unwrap();
                assert_eq!((agreement.pairs, agreement.kappa), (1, None));
            }
        }
        let agreement = queue.agreement().await.unwrap().unwrap();
        assert_eq!((agreement.pairs, agreement.agreed), (4, 3));
        // Seen 3/4; by chance (5/8)² + (3/8)² = 34/64.
        let kappa = agreement.kappa.unwrap();
        assert!(
            (kappa - (48.0 - 34.0) / (64.0 - 34.0)).abs() < 1e-12,
            "{kappa}"
        );
    })
    .await;
}
