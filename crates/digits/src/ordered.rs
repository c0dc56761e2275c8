//! Work on all cores whose results come in the order of what was worked on.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, PoisonError, mpsc},
};

/// Items that may be worked on ahead of the first that isn't done: enough that one slow item doesn't
/// hold up the others, few enough that their results take little memory.
const AHEAD: usize = 1024;
/// Results that are handed on together at most.
const TOGETHER: usize = 64;

/// The next item to be worked on, and the first whose result isn't handed on; none when it is over.
struct Position {
    next: usize,
    handed_on: Option<usize>,
}

/// Works on each item on so many threads, and hands on the results in order as soon as they are there,
/// several together where several are: with the index of the first, on the caller's thread.
///
/// # Errors
///
/// The first that `hand_on` returns; no further items are then begun.
pub fn each<T: Sync, R: Send, E>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
    mut hand_on: impl FnMut(usize, Vec<R>) -> Result<(), E>,
) -> Result<(), E> {
    let position = Mutex::new(Position {
        next: 0,
        handed_on: Some(0),
    });
    let moved = Condvar::new();
    let locked = || position.lock().unwrap_or_else(PoisonError::into_inner);
    let next = || {
        let mut position = locked();
        loop {
            let handed_on = position.handed_on?;
            let next = position.next;
            if next == items.len() {
                return None;
            }
            if next < handed_on + AHEAD {
                position.next += 1;
                return Some(next);
            }
            position = moved.wait(position).unwrap_or_else(PoisonError::into_inner);
        }
    };
    std::thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for _ in 0..threads.clamp(1, items.len().max(1)) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while let Some(index) = next() {
                    if sender.send((index, work(&items[index]))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut first = 0;
        let mut outcome = Ok(());
        while let Ok((index, result)) = results.recv() {
            early.insert(index, result);
            // Whatever else is there goes with it.
            while let Ok((index, result)) = results.try_recv() {
                early.insert(index, result);
            }
            while outcome.is_ok() && early.contains_key(&first) {
                let mut together = Vec::new();
                while let Some(result) = early.remove(&(first + together.len())) {
                    together.push(result);
                    if together.len() == TOGETHER {
                        break;
                    }
                }
                let count = together.len();
                outcome = hand_on(first, together);
                first += count;
            }
            locked().handed_on = outcome.is_ok().then_some(first);
            moved.notify_all();
            if outcome.is_err() {
                break;
            }
        }
        outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_once_and_in_order() {
        let items: Vec<usize> = (0..5000).collect();
        for threads in [1, 2, 7] {
            let mut seen = Vec::new();
            let work = |&item: &usize| {
                // The first of many takes longest.
                if item % 1000 == 0 {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
                2 * item
            };
            let outcome = each(&items, threads, work, |first, results| {
                assert_eq!(first, seen.len());
                seen.extend(results);
                Ok::<_, ()>(())
            });
            assert_eq!(outcome, Ok(()));
            assert!(
                seen.iter()
                    .enumerate()
                    .all(|(index, &result)| result == 2 * index)
            );
            assert_eq!(seen.len(), items.len());
        }
        assert_eq!(each(&[0; 0], 2, |_| (), |_, _| Err(())), Ok(()));
    }

    #[test]
    fn an_error_ends_the_work() {
        let items: Vec<usize> = (0..100_000).collect();
        let outcome = each(
            &items,
            2,
            |&item| item,
            |first, results| {
                if first + results.len() > 10 {
                    Err("full")
                } else {
                    Ok(())
                }
            },
        );
        assert_eq!(outcome, Err("full"));
    }
}
