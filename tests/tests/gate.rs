//! A new model in the place of one in service: compared first, on what people answered and on the test images.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    time::Duration,
};

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tests::{
    Sandbox, pretrained, root,
    server::{Server, read},
};

const PIXELS: usize = 28 * 28;

/// MNIST's first training images, one after the other, and their labels.
fn mnist(count: usize) -> (Vec<u8>, Vec<u8>) {
    let read = |file: &str, header: usize, length: usize| {
        let path = root().join(format!("crates/data/mnist/train-{file}-ubyte.gz"));
        let mut bytes = vec![0; header + length];
        let mut file = GzDecoder::new(fs::File::open(path).unwrap());
        file.read_exact(&mut bytes).unwrap();
        bytes.split_off(header)
    };
    let images = read("images-idx3", 16, count * PIXELS);
    (images, read("labels-idx1", 8, count))
}

/// What the model `m` says of images.
fn infer(server: &Server, images: &[u8], output: &str) -> Vec<Value> {
    let head = json!({
        "inputs": [{
            "name": "images", "datatype": "UINT8", "shape": [images.len() / PIXELS, 1, 28, 28],
            "parameters": { "binary_data_size": images.len() },
        }],
        "outputs": [{ "name": output }],
    })
    .to_string();
    let length = format!("Inference-Header-Content-Length: {}", head.len());
    let body = [head.as_bytes(), images].concat();
    let reply = server.send("POST", "/v2/models/m/infer", &[&length], &body);
    let found = reply.json()["outputs"][0]["data"].clone();
    found.as_array().unwrap().clone()
}

/// Has people asked about what the model `m` doesn't accept; each review's id, with the label of its image.
fn ask(server: &Server, images: &[u8], labels: &[u8]) -> Vec<(String, u8)> {
    let ids = infer(server, images, "review");
    let ids = ids.iter().zip(labels);
    ids.map(|(id, label)| (id.as_str().unwrap().to_owned(), *label))
        .filter(|(id, _)| !id.is_empty())
        .collect()
}

/// Answers so many images rightly, as the page does.
fn answer(server: &Server, asked: &[(String, u8)], count: usize) {
    for _ in 0..count {
        let next = server.post("/review/next", &json!({ "reviewer": "ann" }));
        let item = next.json()["item"].clone();
        let id = item["id"].as_str().expect("an image waits").to_owned();
        let label = asked.iter().find(|(asked, _)| *asked == id).unwrap().1;
        let answer = json!({
            "reviewer": "ann", "lease": item["lease"], "answer": label.to_string(), "key": id,
        });
        let reply = server.post(&format!("/review/{id}/answer"), &answer).json();
        assert_eq!(reply["state"], "done");
    }
}

/// Puts a copy of a checkpoint into the place of another, as a whole.
fn replace(sandbox: &Sandbox, by: &Path) {
    let [place, new, old] = ["m", "new", "old"].map(|name| sandbox.path(name));
    copy(by, &new);
    fs::rename(&place, &old).unwrap();
    fs::rename(&new, &place).unwrap();
    fs::remove_dir_all(old).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// What the server tells of a replacement once it is `wanted`.
fn told(server: &Server, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let told = server.get("/api/status").json()["replacement"].clone();
        if wanted(&told) {
            return told;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{}", server.get("/api/status").json());
}

fn version(server: &Server) -> String {
    let model = server.get("/api/model").json();
    model["version"].as_str().unwrap().to_owned()
}

#[cfg(unix)]
#[test]
fn a_new_model_is_taken_over_only_if_it_is_shown_to_be_not_worse() {
    let sandbox = Sandbox::new();
    sandbox.train("poor", &["--seed", "1"]);
    sandbox.train("other", &["--seed", "2"]);
    let (poor, other) = (sandbox.path("poor/model"), sandbox.path("other/model"));
    copy(&poor, &sandbox.path("m"));
    let server = Server::start_with(&sandbox, &["m=m", "--second-opinion", "0"]);
    let first = version(&server);
    let (images, labels) = mnist(1000);
    let asked = ask(&server, &images, &labels);

    // Better, but nobody has answered anything that could show it.
    replace(&sandbox, &pretrained());
    let refused = told(&server, |told| told["taken"] == false);
    let say = refused["say"].as_str().unwrap();
    assert!(
        say.contains("nobody has answered") && say.contains("--swap-unchecked"),
        "{say}"
    );
    assert_eq!(version(&server), first);
    // That is no verdict: whoever starts a server with it wants it.
    drop(Server::start_with(&sandbox, &["m=m"]));

    // Looked at again on SIGHUP, when there is something to compare on.
    answer(&server, &asked, 300);
    server.hang_up();
    let taken = told(&server, |told| told["taken"] == true);
    let say = taken["say"].as_str().unwrap();
    assert!(
        say.contains("images that judge right") && say.contains("of 10000 test images"),
        "{say}"
    );
    assert_eq!(taken["version"], refused["version"]);
    let second = version(&server);
    assert_eq!(taken["version"], second.as_str());

    // Worse.
    replace(&sandbox, &other);
    let refused = told(&server, |told| told["taken"] == false);
    let say = refused["say"].as_str().unwrap();
    assert!(say.contains("isn't shown"), "{say}");
    assert_eq!(version(&server), second);
    // Nor does it come into service by a start of another server.
    let said = sandbox.fail("serve", &["m=m", "--listen", "127.0.0.1:0"]);
    let refused = refused["version"].as_str().unwrap();
    assert!(
        said.contains(refused) && said.contains("--swap-unchecked"),
        "{said}"
    );
    // Other models are served without it.
    let good = format!("good={}", pretrained().display());
    let others = Server::start_with(&sandbox, &["m=m", &good]);
    assert_eq!(others.get("/v2/models/good").status, 200);
    assert_eq!(others.get("/v2/models/m").status, 404);
    assert_eq!(
        others.get("/api/model").status,
        404,
        "no other in its place"
    );
    assert_eq!(others.get("/api/status").json()["model"], "good");
    drop(others);

    // As good, but so calibrated that everything would be left to people.
    copy(&pretrained(), &sandbox.path("doubting"));
    let mut manifest = sandbox.json("doubting/checkpoint.json");
    let deferral = &mut manifest["calibration"]["deferral"];
    deferral["certified"] = false.into();
    deferral["errors"] = 100.into();
    let text = serde_json::to_vec_pretty(&manifest).unwrap();
    fs::write(sandbox.path("doubting/checkpoint.json"), text).unwrap();
    sandbox.reseal("doubting");
    replace(&sandbox, &sandbox.path("doubting"));
    let refused = told(&server, |told| {
        let say = told["say"].as_str().unwrap_or_default();
        told["taken"] == false && say.contains("it accepts nothing")
    });
    assert_ne!(refused["version"], second.as_str());
    assert_eq!(version(&server), second);

    // What was in service needs no comparison to be so again, and the old one put back is no news.
    replace(&sandbox, &pretrained());
    told(&server, Value::is_null);
    replace(&sandbox, &poor);
    let back = told(&server, |told| told["taken"] == true);
    assert_eq!(back["version"], first.as_str());
    assert_eq!(version(&server), first);
}

#[test]
fn a_version_that_was_asked_for_is_never_answered_by_another() {
    let sandbox = Sandbox::new();
    sandbox.train("other", &["--seed", "1"]);
    copy(&pretrained(), &sandbox.path("m"));
    let server = Server::start_with(&sandbox, &["m=m", "--swap-unchecked"]);
    let first = version(&server);
    let body = json!({
        "inputs": [{
            "name": "images", "datatype": "UINT8", "shape": [1, 1, 28, 28], "data": vec![0; PIXELS],
        }],
    })
    .to_string();
    let (begun, rest) = body.split_at(body.len() / 2);
    let begin = |path: &str| {
        let mut stream = server.connect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{begun}",
            server.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let decided = || server.get("/api/status").json()["images"].clone();
    infer(&server, &mnist(20).0, "class");
    assert_eq!(decided(), 20);
    let mut pinned = begin(&format!("/v2/models/m/versions/{first}/infer"));
    let mut any = begin("/v2/models/m/infer");
    // The body's first half is there before the model goes.
    std::thread::sleep(Duration::from_millis(200));
    replace(&sandbox, &sandbox.path("other/model"));
    let second = told(&server, |told| told["taken"] == true)["version"].clone();
    // What the one decided isn't held against the other.
    assert_eq!(decided(), 0);
    for stream in [&mut pinned, &mut any] {
        stream.write_all(rest.as_bytes()).unwrap();
    }
    let refused = read(&mut pinned);
    assert_eq!(refused.status, 404, "{}", refused.json());
    let answered = read(&mut any);
    assert_eq!(
        (answered.status, &answered.json()["model_version"]),
        (200, &second)
    );
    assert_eq!(decided(), 1);
}

#[test]
fn a_model_that_takes_pictures_in_another_way_needs_a_new_start() {
    let sandbox = Sandbox::new();
    copy(&pretrained(), &sandbox.path("m"));
    copy(&pretrained(), &sandbox.path("whole"));
    let mut manifest = sandbox.json("whole/checkpoint.json");
    manifest["picture"] = "whole".into();
    let text = serde_json::to_vec_pretty(&manifest).unwrap();
    fs::write(sandbox.path("whole/checkpoint.json"), text).unwrap();
    sandbox.reseal("whole");
    let server = Server::start_with(&sandbox, &["m=m", "--swap-unchecked"]);
    replace(&sandbox, &sandbox.path("whole"));
    let refused = told(&server, |told| told["taken"] == false);
    let say = refused["say"].as_str().unwrap();
    assert!(say.contains("start the server anew"), "{say}");
}

#[test]
fn a_comparison_that_failed_is_made_later() {
    let sandbox = Sandbox::new();
    sandbox.train("poor", &["--seed", "1"]);
    copy(&sandbox.path("poor/model"), &sandbox.path("m"));
    let unknown = ["m=m", "--listen", "127.0.0.1:0", "--test-data", "n=tests"];
    let said = sandbox.fail("serve", &unknown);
    assert!(said.contains("--test-data n=tests"), "{said}");
    let arguments = ["m=m", "--second-opinion", "0", "--test-data", "m=tests"];
    let server = Server::start_with(&sandbox, &arguments);
    let (images, labels) = mnist(500);
    let asked = ask(&server, &images, &labels);
    answer(&server, &asked, 300);
    replace(&sandbox, &pretrained());
    let failed = told(&server, |told| told["taken"] == false);
    let say = failed["say"].as_str().unwrap();
    assert!(say.contains("tests"), "{say}");
    copy(&root().join("crates/data/mnist"), &sandbox.path("tests"));
    told(&server, |told| told["taken"] == true);
}

#[test]
fn few_images_that_judge_show_a_clear_gain_only() {
    let sandbox = Sandbox::new();
    sandbox.train("poor", &["--seed", "1"]);
    copy(&sandbox.path("poor/model"), &sandbox.path("m"));
    let server = Server::start_with(&sandbox, &["m=m", "--second-opinion", "0"]);
    let (images, labels) = mnist(500);
    let asked = ask(&server, &images, &labels);
    answer(&server, &asked, 60);
    // The same weights, and so the same answers, but not the same bytes.
    let twin = sandbox.path("poor/model");
    let mut manifest = sandbox.json("poor/model/checkpoint.json");
    manifest["provenance"]["seed"] = 3.into();
    let text = serde_json::to_vec_pretty(&manifest).unwrap();
    fs::write(twin.join("checkpoint.json"), text).unwrap();
    sandbox.reseal("poor/model");
    replace(&sandbox, &twin);
    let refused = told(&server, |told| told["taken"] == false);
    let say = refused["say"].as_str().unwrap();
    assert!(
        say.contains("with fewer than 73 images only a clear gain shows it"),
        "{say}"
    );
}

#[test]
fn what_people_answer_makes_the_next_model_better_on_what_is_asked_here() {
    let sandbox = Sandbox::new();
    sandbox.train("first", &["--seed", "1"]);
    copy(&sandbox.path("first/model"), &sandbox.path("m"));
    // So short a training forgets a little.
    let arguments = [
        "m=m",
        "--second-opinion",
        "0",
        "--database",
        "reviews.sqlite",
        "--margin",
        "0.02",
    ];
    let server = Server::start_with(&sandbox, &arguments);
    // Digits as this place writes them: rows for columns.
    let (images, labels) = mnist(900);
    let images: Vec<u8> = images
        .chunks_exact(PIXELS)
        .flat_map(|image| (0..PIXELS).map(|at| image[at % 28 * 28 + at / 28]))
        .collect();
    let (coming, unseen) = images.split_at(500 * PIXELS);
    let (known, labels) = labels.split_at(500);
    let right = || {
        let classes = infer(&server, unseen, "class");
        let pairs = classes.iter().zip(labels);
        pairs.filter(|(class, label)| **class == **label).count()
    };
    let before = right();
    let asked = ask(&server, coming, known);
    answer(&server, &asked, 300);

    let export = ["export", "--to", "answers", "--database", "reviews.sqlite"];
    sandbox.succeed("serve", &export);
    let learn = [
        "--start-from",
        "m",
        "--set",
        "data.also=[{dir=\"answers\",weight=20}]",
        "--set",
        "data.calibrate_on=\"also\"",
    ];
    sandbox.train("second", &learn);
    replace(&sandbox, &sandbox.path("second/model"));
    let told = told(&server, Value::is_object);
    assert_eq!(told["taken"], true, "{told}");
    let after = right();
    assert!(after > before + 80, "{before}, then {after} of 400");
}
