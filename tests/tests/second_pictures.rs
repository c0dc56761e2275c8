//! Two pictures of the same thing, sent one after the other.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};
use tests::{
    Sandbox,
    asking::{PIXELS, infer, mnist, png},
    pretrained,
    server::{Reply, Server},
};

/// Images of which the network isn't sure, or very sure.
struct Digits {
    images: Vec<u8>,
    answers: Vec<(usize, f64, String)>,
}

impl Digits {
    fn of(server: &Server) -> Self {
        let (images, _) = mnist(3000);
        let reply = infer(server, &images, &["class", "confidence", "reason"]).json();
        let data = |output: usize| reply["outputs"][output]["data"].as_array().unwrap().clone();
        let answers = data(0).into_iter().zip(data(1)).zip(data(2));
        let answers = answers.map(|((class, confidence), reason)| {
            let class = class.as_u64().unwrap() as usize;
            (
                class,
                confidence.as_f64().unwrap(),
                reason.as_str().unwrap().to_owned(),
            )
        });
        Digits {
            answers: answers.collect(),
            images,
        }
    }

    fn image(&self, index: usize) -> &[u8] {
        &self.images[index * PIXELS..][..PIXELS]
    }

    /// The surest of those that are left to a person for want of confidence, and its class.
    fn doubtful(&self) -> (&[u8], usize) {
        let doubtful = self.answers.iter().enumerate();
        let doubtful = doubtful.filter(|(_, (.., reason))| reason == "low_confidence");
        let (index, (class, ..)) = doubtful.max_by(|a, b| a.1.1.total_cmp(&b.1.1)).unwrap();
        (self.image(index), *class)
    }

    /// The surest of a class.
    fn clear(&self, of: usize) -> &[u8] {
        let clear = self.answers.iter().enumerate();
        let clear = clear.filter(|(_, (class, _, reason))| *class == of && reason.is_empty());
        let (index, _) = clear.max_by(|a, b| a.1.1.total_cmp(&b.1.1)).unwrap();
        self.image(index)
    }
}

fn ask(server: &Server, pixels: &[u8], first: Option<&Value>) -> Reply {
    let header = first.map(|first| format!("X-First: {}", first.as_str().unwrap()));
    let lines: Vec<&str> = header.iter().map(String::as_str).collect();
    server.send("POST", "/predict/pixels", &lines, pixels)
}

#[track_caller]
fn refused(reply: &Reply, status: u16, word: &str) {
    let said = reply.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(reply.status, status, "{said}");
    assert!(said.contains(word), "{said}");
}

#[test]
fn two_pictures_that_agree_are_kept_by_their_geometric_mean() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let digits = Digits::of(&server);
    let (image, class) = digits.doubtful();
    let first = ask(&server, image, None).json();
    assert_eq!(first["next"]["do"], "wait");
    assert_eq!(first["first"], first["review"]);
    let alone = ask(&server, digits.clear(class), None).json();
    assert_eq!(alone["first"], Value::Null, "what is kept needs no second");
    let both = ask(&server, digits.clear(class), Some(&first["first"])).json();
    assert_eq!(both["next"]["do"], "keep", "{both}");
    assert_eq!(both["judged_with"], first["first"]);
    assert_eq!(
        (&both["accepted"], &both["digit"]),
        (&json!(true), &json!(class))
    );
    assert_eq!(
        (&both["review"], &both["reason"]),
        (&Value::Null, &Value::Null)
    );
    let p = |answer: &Value| -> Vec<f64> {
        let p = answer["probabilities"].as_array().unwrap().iter();
        p.map(|p| p.as_f64().unwrap()).collect()
    };
    let (a, b) = (p(&first), p(&alone));
    let mean: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a * b).sqrt()).collect();
    let sum: f64 = mean.iter().sum();
    for (found, expected) in p(&both).iter().zip(&mean) {
        assert!((found - expected / sum).abs() < 1e-9, "{found}, {expected}");
    }
    let text = String::from_utf8(server.get("/metrics").body).unwrap();
    let line = "serve_pairs_total{decision=\"accepted\",model=\"pretrained\"} 1";
    assert!(text.contains(line), "{text}");
    let third = ask(&server, digits.clear(class), Some(&first["first"]));
    refused(&third, 409, "no third");
}

#[test]
fn of_seconds_that_come_at_once_one_is_judged_with_the_first() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let digits = Digits::of(&server);
    let (image, class) = digits.doubtful();
    let first = ask(&server, image, None).json();
    let second = digits.clear(class);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asking = (0..8).map(|_| scope.spawn(|| ask(&server, second, Some(&first["first"]))));
        let asking: Vec<_> = asking.collect();
        let replies = asking.into_iter();
        replies.map(|reply| reply.join().unwrap().status).collect()
    });
    let of = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((of(200), of(409)), (1, 7), "{statuses:?}");
}

#[test]
fn two_pictures_that_disagree_are_for_a_person_and_a_third_is_not_tried() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &["--second-opinion", "0"]);
    let digits = Digits::of(&server);
    let (image, class) = digits.doubtful();
    let first = ask(&server, image, None).json();
    let other = digits.clear((class + 1) % 10);
    let both = ask(&server, other, Some(&first["first"])).json();
    assert_eq!(both["next"]["do"], "wait");
    assert_eq!(both["next"]["why"], "disagreement");
    assert_eq!(
        (&both["reason"], &both["accepted"]),
        (&json!("disagreement"), &json!(false))
    );
    assert_eq!(both["first"], Value::Null);
    for id in [&first["review"], &both["review"]] {
        refused(&ask(&server, digits.clear(class), Some(id)), 409, "person");
    }
    // People are told that the second belongs to the first.
    let next = || {
        server
            .post("/review/next", &json!({ "reviewer": "ann" }))
            .json()
    };
    let items = [next(), next()];
    assert_eq!(items[0]["item"]["first"], Value::Null);
    assert_eq!(items[1]["item"]["first"], first["review"]);
    assert_eq!(items[1]["item"]["reason"], "disagreement");
}

#[test]
fn a_picture_in_which_nothing_was_seen_leaves_the_second_to_speak_for_itself() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let blank = png(&[255; PIXELS]);
    let first = server.send("POST", "/predict", &[], &blank).json();
    assert_eq!(
        (&first["next"]["do"], &first["review"]),
        (&json!("retake"), &Value::Null)
    );
    let header = format!("X-First: {}", first["first"].as_str().unwrap());
    let again = server.send("POST", "/predict", &[&header], &blank).json();
    assert_eq!(again["first"], first["first"], "the id stays");
    let (images, labels) = mnist(1);
    let second = server
        .send("POST", "/predict", &[&header], &png(&images))
        .json();
    assert_eq!(
        (&second["next"]["do"], &second["digit"]),
        (&json!("keep"), &json!(labels[0]))
    );
    assert_eq!(second["judged_with"], Value::Null);
    let third = server.send("POST", "/predict", &[&header], &png(&images));
    refused(&third, 409, "no third");
}

#[test]
fn what_can_be_no_first_picture_is_told_why() {
    let sandbox = Sandbox::new();
    let checkpoint = pretrained().display().to_string();
    let models = ["a", "b"].map(|name| format!("{name}={checkpoint}"));
    let server = Server::start_with(&sandbox, &[&models[0], &models[1], "--second-opinion", "0"]);
    let (images, _) = mnist(3000);
    let find = |path: &str| {
        images
            .chunks_exact(PIXELS)
            .find(|image| {
                let said = server.send("POST", &format!("{path}?review=false"), &[], image);
                said.json()["reason"] == "low_confidence"
            })
            .unwrap()
    };
    let image = find("/predict/pixels");
    let first = ask(&server, image, None).json();
    let first = &first["first"];
    refused(&ask(&server, image, Some(first)), 400, "once more");
    for foreign in ["", "0123", "00112233445566778899aabbccddeeff", "../..", "'"] {
        refused(&ask(&server, image, Some(&foreign.into())), 404, "X-First");
    }
    let header = format!("X-First: {}", first.as_str().unwrap());
    let other = server.send(
        "POST",
        "/predict/pixels?model=b",
        &[&header],
        &images[..PIXELS],
    );
    refused(&other, 409, "another model");
    let unasked = server.send(
        "POST",
        "/predict/pixels?review=false",
        &[&header],
        &images[..PIXELS],
    );
    refused(&unasked, 400, "review=false");
    let next = server
        .post("/review/next", &json!({ "reviewer": "ann" }))
        .json();
    let (id, lease) = (next["item"]["id"].as_str().unwrap(), &next["item"]["lease"]);
    let said = json!({ "reviewer": "ann", "lease": lease, "answer": "5", "key": "k" });
    server.post(&format!("/review/{id}/answer"), &said);
    refused(
        &ask(&server, &images[..PIXELS], Some(first)),
        409,
        "answered",
    );
}

#[test]
fn a_first_picture_outlives_the_server() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let digits = Digits::of(&server);
    let (image, class) = digits.doubtful();
    let first = ask(&server, image, None).json();
    drop(server);
    let server = Server::start(&sandbox, &[]);
    let both = ask(&server, digits.clear(class), Some(&first["first"])).json();
    assert_eq!(both["judged_with"], first["first"], "{both}");
}
