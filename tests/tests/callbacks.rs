//! Who left something to people is called back when they have answered.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use serde_json::{Value, json};
use tests::{
    Sandbox,
    asking::{PIXELS, doubtful, png},
    server::Server,
};

const SOON: Duration = Duration::from_secs(20);
const A_WHILE: Duration = Duration::from_secs(3);

/// Somebody who is called back, and answers with these statuses in turn, then with 200.
struct Called {
    host: String,
    calls: Receiver<(String, Value)>,
}

impl Called {
    fn answering(statuses: &'static [&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (sender, calls) = channel();
        std::thread::spawn(move || {
            let statuses = statuses.iter().chain(std::iter::repeat(&"200 OK"));
            for (stream, status) in listener.incoming().zip(statuses) {
                let mut stream = BufReader::new(stream.unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    stream.read_line(&mut head).unwrap();
                }
                let head = head.to_ascii_lowercase();
                let length = head.split("content-length: ").nth(1).unwrap();
                let length = length.lines().next().unwrap().parse().unwrap();
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 9000000\r\n\r\n");
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
                let body = serde_json::from_slice(&body).unwrap();
                if sender.send((head, body)).is_err() {
                    return;
                }
            }
        });
        Called { host, calls }
    }

    fn header(&self) -> String {
        format!("X-Callback-Url: http://{}/told?by=serve", self.host)
    }

    fn is_left_alone(&self) -> bool {
        self.calls.recv_timeout(A_WHILE).is_err()
    }
}

fn start(sandbox: &Sandbox, hosts: &str) -> Server {
    let mut arguments = vec!["--second-opinion", "0"];
    if !hosts.is_empty() {
        arguments.extend(["--callback-hosts", hosts]);
    }
    Server::start(sandbox, &arguments)
}

/// Leaves a picture to people who tell whoever the header names; the review's id.
fn leave(server: &Server, header: &str) -> String {
    let picture = png(&doubtful(server));
    let asked = server.send("POST", "/predict", &[header], &picture);
    let asked = asked.json();
    asked["review"].as_str().expect("a review").to_owned()
}

fn answer(server: &Server, answer: &str) {
    let next = server.post("/review/next", &json!({ "reviewer": "ann" }));
    let item = &next.json()["item"];
    let id = item["id"].as_str().unwrap();
    let said = json!({
        "reviewer": "ann", "lease": item["lease"], "answer": answer, "key": item["lease"],
    });
    let reply = server.post(&format!("/review/{id}/answer"), &said);
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[test]
fn who_asked_is_told_once_what_people_said() {
    let sandbox = Sandbox::new();
    let called = Called::answering(&[]);
    let server = start(&sandbox, &called.host);
    let id = leave(&server, &called.header());
    answer(&server, "5");
    let (head, told) = called.calls.recv_timeout(SOON).unwrap();
    assert!(
        head.starts_with("post /told?by=serve http/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains(&format!("host: {}\r\n", called.host)),
        "{head}"
    );
    assert_eq!(told, server.get(&format!("/reviews/{id}")).json());
    assert_eq!(told["answer"], "5");
    assert!(called.is_left_alone());
}

#[test]
fn an_answer_that_is_taken_back_is_told_again_when_it_is_given_anew() {
    let sandbox = Sandbox::new();
    let called = Called::answering(&[]);
    let server = start(&sandbox, &called.host);
    leave(&server, &called.header());
    answer(&server, "5");
    let (_, first) = called.calls.recv_timeout(SOON).unwrap();
    let undone = server.post("/review/undo", &json!({ "reviewer": "ann" }));
    let item = &undone.json()["item"];
    assert!(
        called.is_left_alone(),
        "an open question is nothing to tell"
    );
    let said = json!({ "reviewer": "ann", "lease": item["lease"], "answer": "3", "key": "anew" });
    let id = item["id"].as_str().unwrap();
    server.post(&format!("/review/{id}/answer"), &said);
    let (_, second) = called.calls.recv_timeout(SOON).unwrap();
    assert_eq!(
        (&first["answer"], &second["answer"]),
        (&json!("5"), &json!("3"))
    );
    assert!(first["answered"].as_i64() < second["answered"].as_i64());
}

#[test]
fn a_host_that_fails_is_called_again_and_a_redirect_is_a_failure() {
    let sandbox = Sandbox::new();
    let elsewhere = Called::answering(&[]);
    let called = Called::answering(&["500 Internal Server Error"]);
    let server = start(&sandbox, &called.host);
    leave(&server, &called.header());
    answer(&server, "5");
    let (_, first) = called.calls.recv_timeout(SOON).unwrap();
    let (_, second) = called.calls.recv_timeout(SOON).unwrap();
    assert_eq!(first, second);
    assert!(called.is_left_alone());
    let text = String::from_utf8(server.get("/metrics").body).unwrap();
    assert!(
        text.contains("serve_callbacks_total{result=\"failed\"} 1"),
        "{text}"
    );
    assert!(
        text.contains("serve_callbacks_total{result=\"done\"} 1"),
        "{text}"
    );

    let place = format!("302 Found\r\nLocation: http://{}/", elsewhere.host);
    let redirecting = Called::answering(vec![&*place.leak()].leak());
    let other = Sandbox::new();
    let server = start(&other, &format!("{},{}", redirecting.host, elsewhere.host));
    leave(&server, &redirecting.header());
    answer(&server, "5");
    assert!(redirecting.calls.recv_timeout(SOON).is_ok());
    assert!(
        redirecting.calls.recv_timeout(SOON).is_ok(),
        "it is called again"
    );
    assert!(elsewhere.is_left_alone());
}

#[test]
fn a_callback_outlives_the_server() {
    let sandbox = Sandbox::new();
    let called = Called::answering(&[]);
    leave(&start(&sandbox, &called.host), &called.header());
    // One that calls nobody takes the answer.
    answer(&start(&sandbox, ""), "5");
    let server = start(&sandbox, &called.host);
    let (_, told) = called.calls.recv_timeout(SOON).unwrap();
    assert_eq!(told["answer"], "5");
    drop(server);
}

#[test]
fn addresses_that_may_not_be_called_are_refused_with_a_reason() {
    let sandbox = Sandbox::new();
    let (images, refusing) = (png(&[0; PIXELS]), start(&sandbox, ""));
    let called = Called::answering(&[]);
    let ask = |server: &Server, path: &str, address: &str| {
        let header = format!("X-Callback-Url: {address}");
        let reply = server.send("POST", path, &[&header], &images);
        assert_eq!(reply.status, 400, "{address}");
        reply.json()["error"].as_str().unwrap().to_owned()
    };
    let said = ask(&refusing, "/predict", &format!("http://{}/", called.host));
    assert!(said.contains("--callback-hosts"), "{said}");
    drop(refusing);
    let server = start(&sandbox, &format!("Hooks.Example,{}", called.host));
    for (address, word) in [
        ("http://other.example/", "not allowed"),
        ("http://hooks.example:81/", "not allowed"),
        ("http://127.0.0.1:1/", "not allowed"),
        ("http://hooks.example.evil.example/", "not allowed"),
        ("https://hooks.example/", "plain http"),
        ("http://user@hooks.example/", "without a user"),
        ("http://hooks.example@other.example/", "without a user"),
        ("http://hooks.example@hooks.example:80/", "without a user"),
        ("http://hooks.example:0x50/", "HOST:PORT"),
        ("file:///etc/passwd", "HOST:PORT"),
        ("/told", "HOST:PORT"),
        ("", "HOST:PORT"),
    ] {
        let said = ask(&server, "/predict", address);
        assert!(said.contains(word), "{address}: {said}");
    }
    let allowed = "http://HOOKS.example/a";
    let said = ask(&server, "/predict?review=false", allowed);
    assert!(said.contains("review=false"), "{said}");
    let header = format!("X-Callback-Url: {allowed}");
    let reply = server.send("POST", "/predict", &[&header], &images);
    assert_eq!(reply.status, 200);

    let infer = |address: &str, outputs: Value| {
        let request = json!({
            "inputs": [{ "name": "images", "datatype": "UINT8", "shape": [1, 1, 28, 28], "data": vec![0; PIXELS] }],
            "outputs": outputs,
            "parameters": { "callback_url": address },
        });
        server.post("/v2/models/pretrained/infer", &request)
    };
    let review = json!([{ "name": "review" }]);
    assert_eq!(infer("http://other.example/", review.clone()).status, 400);
    assert_eq!(infer(allowed, json!([{ "name": "class" }])).status, 400);
    let own = format!("http://{}/v2", called.host);
    assert_eq!(infer(&own, review).status, 200);
    answer(&server, "none");
    let (head, _) = called.calls.recv_timeout(SOON).unwrap();
    assert!(head.starts_with("post /v2 "), "{head}");
    let error = sandbox.fail("serve", &["--callback-hosts", "http://hooks.example/"]);
    assert!(error.contains("HOST:PORT"), "{error}");
}
