//! The server as its clients see it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use flate2::{
    Compression,
    read::GzDecoder,
    write::{GzEncoder, ZlibEncoder},
};
use serde_json::{Value, json};
use tests::{
    Sandbox,
    asking::{PIXELS, doubtful, infer, mnist, png},
    pretrained,
    server::{Server, read},
};

#[test]
fn a_picture_gets_the_answer_that_digits_predict_gives() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let (images, _) = mnist(20);
    for (index, pixels) in images.chunks_exact(PIXELS).enumerate() {
        let name = format!("{index}.png");
        fs::write(sandbox.path(&name), png(pixels)).unwrap();
        let checkpoint = pretrained().display().to_string();
        let line = sandbox.succeed("digits", &["predict", &checkpoint, &name, "--json"]);
        let mut expected: Value = serde_json::from_str(&line.stdout).unwrap();
        expected.as_object_mut().unwrap().remove("file");
        let found = server.send("POST", "/predict", &[], &png(pixels)).json();
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&found[key], value, "{key} of image {index}");
        }
        assert_eq!(found["model"], "pretrained");
    }
}

#[test]
fn a_picture_may_come_in_a_form() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let (images, labels) = mnist(1);
    let mut body =
        b"--x\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"a.png\"\r\n\r\n"
            .to_vec();
    body.extend(png(&images));
    body.extend(b"\r\n--x--\r\n");
    let kind = "Content-Type: multipart/form-data; boundary=x";
    let reply = server.send("POST", "/predict", &[kind], &body);
    assert_eq!(reply.json()["digit"], labels[0], "{reply:?}");
    // Whatever other file comes before it; and two are not one.
    let thumbnail =
        b"--x\r\nContent-Disposition: form-data; name=\"thumb\"; filename=\"b.png\"\r\n\r\nno picture\r\n";
    let after = [&thumbnail[..], &body].concat();
    let reply = server.send("POST", "/predict", &[kind], &after);
    assert_eq!(reply.json()["digit"], labels[0], "{reply:?}");
    let twice = [&body[..body.len() - b"--x--\r\n".len()], &body].concat();
    let refused = server.send("POST", "/predict", &[kind], &twice);
    assert_eq!(refused.status, 400, "{refused:?}");
    let empty = server.send("POST", "/predict", &[kind], b"--x--\r\n");
    assert_eq!(empty.status, 400);
}

#[test]
fn each_answer_says_what_to_do_next() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let (images, _) = mnist(1);
    let clear = server.send("POST", "/predict", &[], &png(&images)).json();
    assert_eq!(clear["next"]["do"], "keep");
    assert_eq!(clear["review"], Value::Null);
    let blank = server
        .send("POST", "/predict", &[], &png(&[255; PIXELS]))
        .json();
    assert_eq!(
        (&blank["next"]["do"], &blank["next"]["why"]),
        (&json!("retake"), &json!("no_digit"))
    );
    let doubt = server
        .send("POST", "/predict", &[], &png(&doubtful(&server)))
        .json();
    assert_eq!(doubt["next"]["do"], "wait");
    assert!(doubt["review"].is_string(), "{doubt}");
    let unread = server.send("POST", "/predict", &[], b"no picture at all");
    assert_eq!(unread.status, 422);
    assert!(unread.json()["error"].is_string());
}

#[test]
fn tensors_come_and_go_as_json_or_as_bytes() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let (images, labels) = mnist(30);
    let reply = infer(
        &server,
        &images,
        &["class", "probabilities", "set", "reason"],
    );
    let found = reply.json();
    assert_eq!(found["id"], "seven");
    let classes: Vec<u64> = labels.iter().map(|&label| label.into()).collect();
    assert_eq!(found["outputs"][0]["data"], json!(classes));
    assert_eq!(found["outputs"][1]["shape"], json!([30, 10]));
    // The same as nested lists, and all outputs as bytes.
    let nested: Vec<Value> = images
        .chunks_exact(PIXELS)
        .map(|image| json!([image.chunks(28).collect::<Vec<_>>()]))
        .collect();
    let request = json!({
        "inputs": [{ "name": "images", "datatype": "UINT8", "shape": [30, 1, 28, 28], "data": nested }],
        "outputs": [{ "name": "class" }, { "name": "probabilities" }, { "name": "set" }, { "name": "reason" }],
        "parameters": { "binary_data_output": true },
    });
    let reply = server.post("/v2/models/pretrained/infer", &request);
    let length: usize = reply
        .header("inference-header-content-length")
        .parse()
        .unwrap();
    let (head, tensors) = reply.body.split_at(length);
    let head: Value = serde_json::from_slice(head).unwrap();
    let sizes = head["outputs"].as_array().unwrap().iter();
    let sizes = sizes.map(|output| output["parameters"]["binary_data_size"].as_u64().unwrap());
    assert_eq!(sizes.sum::<u64>() as usize, tensors.len());
    let (class, rest) = tensors.split_at(8 * 30);
    let class = class
        .as_chunks::<8>()
        .0
        .iter()
        .map(|bytes| u64::from_le_bytes(*bytes));
    assert_eq!(class.collect::<Vec<_>>(), classes);
    let probabilities = rest[..8 * 300].as_chunks::<8>().0.iter();
    let probabilities: Vec<f64> = probabilities
        .map(|bytes| f64::from_le_bytes(*bytes))
        .collect();
    assert_eq!(json!(probabilities), found["outputs"][1]["data"]);
}

#[test]
fn what_makes_no_sense_is_told_what_is_wrong_with_it_and_harms_nobody_else() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &["--max-body", "1"]);
    let input = |change: &dyn Fn(&mut Value)| {
        let mut input = json!({
            "name": "images", "datatype": "UINT8", "shape": [1, 1, 28, 28], "data": vec![0; PIXELS],
        });
        change(&mut input);
        json!({ "inputs": [input] }).to_string()
    };
    let two = {
        let one: Value = serde_json::from_str(&input(&|_| ())).unwrap();
        json!({ "inputs": [one["inputs"][0], one["inputs"][0]] }).to_string()
    };
    for (body, word) in [
        (String::new(), "JSON"),
        ("{".into(), "JSON"),
        ("[".repeat(100_000), "JSON"),
        ("{\"inputs\":[]}".into(), "one input"),
        (two, "one input"),
        (input(&|input| input["name"] = "image".into()), "images"),
        (input(&|input| input["datatype"] = "FP32".into()), "UINT8"),
        (input(&|input| input["shape"] = json!([1, 28, 28])), "shape"),
        (
            input(&|input| input["shape"] = json!([2, 1, 28, 28])),
            "shape",
        ),
        (
            input(&|input| input["shape"] = json!([u64::MAX, 1, 28, 28])),
            "shape",
        ),
        (
            input(&|input| input["shape"] = json!([-1, 1, 28, 28])),
            "JSON",
        ),
        (input(&|input| input["data"][0] = json!(256)), "255"),
        (input(&|input| input["data"][0] = json!(-1)), "JSON"),
        (input(&|input| input["data"][0] = json!(0.5)), "JSON"),
        (input(&|input| input["data"] = json!(7)), "JSON"),
        // The axes in another order.
        (
            input(&|input| input["data"] = json!([vec![vec![[0]; 28]; 28]])),
            "nested as [1, 28, 28, 1]",
        ),
        (
            input(&|input| input["data"] = json!([vec![0; 700], vec![0; 84]])),
            "unevenly",
        ),
        (input(&|input| input["data"] = Value::Null), "data"),
        (
            input(&|input| input["parameters"] = json!({ "binary_data_size": 784 })),
            "both",
        ),
        (
            input(&|input| input["parameters"] = json!({ "shared_memory_region": "x" })),
            "shared",
        ),
        (
            input(&|input| input["parameters"] = json!({ "binary_data_size": -1 })),
            "binary_data_size",
        ),
        (
            "{\"inputs\":[],\"parameters\":{\"callback_url\":7}}".into(),
            "callback_url",
        ),
        (
            format!("{{\"inputs\":[\"{}\"]}}", "x".repeat(100_000)),
            "JSON",
        ),
        (input(&|_| ()).replace("[0,", "[NaN,"), "JSON"),
    ] {
        let reply = server.send("POST", "/v2/models/pretrained/infer", &[], body.as_bytes());
        let said = reply.json()["error"].as_str().unwrap().to_owned();
        let start = &body[..body.len().min(60)];
        assert_eq!(reply.status, 400, "{start}: {said}");
        assert!(said.contains(word), "{start}: {said}");
        assert!(said.len() < 1000, "{start}: {} bytes", said.len());
        assert_eq!(reply.header("content-type"), "application/json");
    }
    for (path, lines, status) in [
        ("/v2/models/nothing/infer", &[][..], 404),
        ("/v2/models/pretrained/versions/1/infer", &[], 404),
        (
            "/v2/models/pretrained/infer",
            &["Inference-Header-Content-Length: 5"],
            400,
        ),
        (
            "/v2/models/pretrained/infer",
            &["Inference-Header-Content-Length: x"],
            400,
        ),
        (
            "/v2/models/pretrained/infer",
            &["Inference-Header-Content-Length: 0"],
            400,
        ),
        (
            "/v2/models/pretrained/infer",
            &["Content-Encoding: br"],
            415,
        ),
        (
            "/v2/models/pretrained/infer",
            &["Content-Length: 1000001"],
            413,
        ),
        ("/v2/models/pretrained", &[], 405),
        ("/v2/models/%ff/infer", &[], 400),
        ("/nowhere", &[], 404),
        ("/predict?pixels=perhaps", &[], 400),
        ("/predict?model=nothing", &[], 404),
        ("/predict/pixels", &[], 400),
        ("/review/next", &[], 400),
    ] {
        let reply = server.send("POST", path, lines, b"{}");
        assert_eq!(reply.status, status, "{path} {lines:?}: {reply:?}");
        assert!(reply.json()["error"].is_string(), "{path}");
    }
    let (images, labels) = mnist(1);
    let found = infer(&server, &images, &["class"]).json();
    assert_eq!(found["outputs"][0]["data"], json!([labels[0]]));
}

#[test]
fn what_a_request_says_beside_its_images_takes_no_more_memory_than_its_text() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let many = |element: &str| vec![element; 15_000_000 / (element.len() + 1)].join(",");
    let before = server.most_memory();
    for body in [
        format!("{{\"inputs\":[],\"parameters\":{{\"x\":[{}]}}}}", many("0")),
        format!("{{\"inputs\":[],\"x\":[{}]}}", many("{}")),
        format!(
            "{{\"inputs\":[],\"outputs\":[{}]}}",
            many("{\"name\":\"\"}")
        ),
        format!(
            "{{\"inputs\":[{{\"name\":\"\",\"datatype\":\"\",\"shape\":[{}]}}]}}",
            many("1")
        ),
        format!("{{\"inputs\":[{}]}}", many("{}")),
        format!("{{\"inputs\":[],\"x\":{}", "[".repeat(15_000_000)),
    ] {
        let reply = server.send("POST", "/v2/models/pretrained/infer", &[], body.as_bytes());
        assert_eq!(reply.status, 400, "{}", &body[..60]);
    }
    if let (Some(before), Some(after)) = (before, server.most_memory()) {
        let more = after - before;
        assert!(more < 120_000_000, "{more} bytes more");
    }
}

#[test]
fn a_doubtful_image_waits_for_a_person_whose_answer_reaches_the_caller() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &["--second-opinion", "0"]);
    let picture = png(&doubtful(&server));
    let asked = server.send("POST", "/predict", &[], &picture).json();
    let id = asked["review"].as_str().unwrap();
    let path = format!("/reviews/{id}");
    assert_eq!(server.get(&path).json()["state"], "open");

    let next = server
        .post("/review/next", &json!({ "reviewer": "ann" }))
        .json();
    let item = &next["item"];
    assert_eq!(item["id"], *id);
    assert!(
        item["picture"]
            .as_str()
            .unwrap()
            .starts_with("data:image/png;base64,")
    );
    assert_eq!(item["probabilities"], asked["probabilities"]);
    // Nobody else gets it meanwhile.
    let other = server
        .post("/review/next", &json!({ "reviewer": "ben" }))
        .json();
    assert_eq!(
        (&other["item"], &other["leased"]),
        (&Value::Null, &json!(1))
    );

    let answer = json!({
        "reviewer": "ann", "lease": item["lease"], "answer": "5", "key": "a key",
    });
    let stolen = json!({ "reviewer": "ben", "lease": item["lease"], "answer": "3", "key": "b" });
    let answers = format!("/review/{id}/answer");
    assert_eq!(server.post(&answers, &stolen).status, 409);
    let waiting = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.get(&format!("{path}?wait=30")).json());
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(server.post(&answers, &answer).json()["state"], "done");
        waiting.join().unwrap()
    });
    assert_eq!(
        (&waiting["answer"], &waiting["class"]),
        (&json!("5"), &json!(5))
    );
    // A retry of the same answer is the same answer.
    assert_eq!(server.post(&answers, &answer).json()["state"], "done");
    let status = server.get("/api/status").json();
    assert_eq!(status["queue"]["done"], 1);
    assert_eq!(server.get("/reviews/0123").status, 404);
}

#[test]
fn answers_outlive_the_server() {
    let sandbox = Sandbox::new();
    let id = {
        let server = Server::start(&sandbox, &["--second-opinion", "0"]);
        let picture = png(&doubtful(&server));
        let asked = server.send("POST", "/predict", &[], &picture).json();
        let next = server
            .post("/review/next", &json!({ "reviewer": "ann" }))
            .json();
        let id = asked["review"].as_str().unwrap().to_owned();
        let lease = &next["item"]["lease"];
        let answer = json!({ "reviewer": "ann", "lease": lease, "answer": "none", "key": "k" });
        let path = format!("/review/{id}/answer");
        assert_eq!(server.post(&path, &answer).status, 200);
        id
    };
    let server = Server::start(&sandbox, &[]);
    assert_eq!(
        server.get(&format!("/reviews/{id}")).json()["answer"],
        "none"
    );
}

#[test]
fn tokens_say_who_may_ask_and_who_may_review() {
    let sandbox = Sandbox::new();
    fs::write(
        sandbox.path("tokens"),
        "ask aaaaaaaaaaaaaaaaaaaa\nreview rrrrrrrrrrrrrrrrrrrr\n",
    )
    .unwrap();
    let server = Server::start(&sandbox, &["--token-file", "tokens"]);
    let ask = &["Authorization: bearer aaaaaaaaaaaaaaaaaaaa"][..];
    let review = &["Authorization: Bearer rrrrrrrrrrrrrrrrrrrr"][..];
    let wrong = &["Authorization: Bearer aaaaaaaaaaaaaaaaaaab"][..];
    for (path, lines, status) in [
        ("/api/model", &[][..], 401),
        ("/api/model", wrong, 401),
        ("/api/model", ask, 200),
        ("/api/model", review, 200),
        ("/v2/models/pretrained", &[], 401),
        ("/api/status", ask, 403),
        ("/api/status", review, 200),
        ("/metrics", ask, 403),
        ("/v2/health/ready", &[], 200),
        ("/", &[], 200),
    ] {
        assert_eq!(
            server.send("GET", path, lines, b"").status,
            status,
            "{path} {lines:?}"
        );
    }
}

#[test]
fn it_is_open_to_this_machine_only_unless_told_otherwise() {
    let sandbox = Sandbox::new();
    let error = sandbox.fail("serve", &["--listen", "0.0.0.0:0"]);
    assert!(
        error.contains("--token-file") && error.contains("--no-auth"),
        "{error}"
    );
    let server = Server::start(&sandbox, &[]);
    // A site whose name was made to point here, and a page that asks on behalf of another site.
    let rebound = server.send("GET", "/api/model", &["Host: evil.example"], b"");
    assert_eq!(rebound.status, 421);
    for line in ["Origin: http://evil.example", "Sec-Fetch-Site: cross-site"] {
        let body = json!({ "reviewer": "eve" }).to_string();
        let reply = server.send("POST", "/review/next", &[line], body.as_bytes());
        assert_eq!(reply.status, 403, "{line}");
    }
    let own = format!("Origin: http://{}", server.address);
    let body = json!({ "reviewer": "ann" }).to_string();
    assert_eq!(
        server
            .send("POST", "/review/next", &[&own], body.as_bytes())
            .status,
        200
    );
    // For everyone: by its address and the names that it was given, and for what asks with a token by any.
    let tokens = sandbox.path("tokens");
    fs::write(&tokens, "ask asksecret0123456789").unwrap();
    let tokens = tokens.display().to_string();
    let (everyone, named) = (&["--no-auth"][..], &["--host", "digits.example"][..]);
    let with_token = &["--token-file", &tokens][..];
    let bearer = "Authorization: Bearer asksecret0123456789";
    for (arguments, host, status) in [
        (&[everyone][..], "evil.example", 421),
        (&[everyone], "192.0.2.7", 200),
        (&[everyone, named], "digits.example:8080", 200),
        (&[with_token], "evil.example", 200),
        (&[with_token, named], "evil.example", 421),
        (&[with_token, named], "digits.example", 200),
    ] {
        let server = Server::start(
            &sandbox,
            &[&arguments.concat()[..], &["--listen", "0.0.0.0:0"]].concat(),
        );
        let lines = [&format!("Host: {host}")[..], bearer];
        let reply = server.send("GET", "/api/model", &lines, b"");
        assert_eq!(reply.status, status, "{arguments:?} {host}");
    }
    let page = server.get("/");
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
}

#[test]
fn a_model_whose_files_arrive_one_by_one_is_taken_over_when_all_are_there() {
    let sandbox = Sandbox::new();
    sandbox.train("one", &["--seed", "1"]);
    sandbox.train("two", &["--seed", "2"]);
    let server = Server::start_with(&sandbox, &["m=one/model", "--swap-unchecked"]);
    let version = || {
        server.get("/api/model").json()["version"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first = version();
    for name in ["SHA256SUMS", "checkpoint.json", "model.bpk"] {
        let [from, to] = ["two", "one"].map(|run| sandbox.path(&format!("{run}/model/{name}")));
        fs::copy(from, to).unwrap();
        if name != "model.bpk" {
            std::thread::sleep(Duration::from_millis(1300));
            assert_eq!(version(), first);
        }
    }
    let taken = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        version() != first
    });
    assert!(taken, "the new model comes into service");
}

#[test]
fn every_address_of_the_description_is_there() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let description = server.get("/openapi.json").json();
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() > 15, "{}", paths.len());
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let path = path.replace("{model}", "pretrained");
            let reply = server.send(&method.to_uppercase(), &path, &[], b"{}");
            let nowhere = String::from_utf8_lossy(&reply.body).contains("nothing at this address");
            assert!(
                !nowhere && reply.status != 405,
                "{method} {path}: {reply:?}"
            );
        }
    }
}

#[test]
fn a_model_whose_folder_is_replaced_is_taken_over_if_it_is_whole() {
    let sandbox = Sandbox::new();
    sandbox.train("one", &["--seed", "1"]);
    sandbox.train("two", &["--seed", "2"]);
    sandbox.train("other", &["--seed", "3"]);
    let server = Server::start_with(&sandbox, &["m=one/model", "--swap-unchecked"]);
    let version = || {
        server.get("/api/model").json()["version"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first = version();
    let replace = |by: &str| {
        let (old, new) = (sandbox.path("one/model"), sandbox.path(by));
        fs::rename(&old, sandbox.path(&format!("{by}-old"))).unwrap();
        fs::rename(new, old).unwrap();
    };
    // Damaged: the old one stays.
    let weights = sandbox.path("other/model/model.bpk");
    let mut bytes = fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&weights, bytes).unwrap();
    replace("other/model");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(version(), first);
    replace("two/model");
    let second = (0..100)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(50));
            version()
        })
        .find(|version| *version != first)
        .expect("the new model comes into service");
    assert_eq!(
        server
            .get(&format!("/v2/models/m/versions/{second}/ready"))
            .status,
        200
    );
    assert_eq!(
        server
            .get(&format!("/v2/models/m/versions/{first}/ready"))
            .status,
        404
    );
}

#[test]
fn beyond_what_it_can_hold_it_says_so_at_once_and_goes_on() {
    let sandbox = Sandbox::new();
    let server = Server::start(
        &sandbox,
        &["--queue", "2", "--max-body", "1", "--read-timeout", "2"],
    );
    // Clients that send nearly a megabyte and not its end hold the room that there is.
    let slow: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = announce(&server, 900_000);
            // Whoever is refused early may find the connection closed.
            let _ = stream.write_all(&[0; 899_999]);
            std::thread::sleep(Duration::from_millis(50));
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    let (images, _) = mnist(1000);
    let refused = infer(&server, &images, &["class"]);
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(server.get("/v2/health/ready").status, 200);
    let mut statuses: Vec<_> = slow
        .into_iter()
        .map(|mut stream| read(&mut stream).status)
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [408, 408, 503, 503, 503, 503, 503, 503]);
    assert_eq!(infer(&server, &images, &["class"]).status, 200);
}

/// A client that says how many bytes it will send to `/predict`.
fn announce(server: &Server, length: usize) -> TcpStream {
    let mut stream = server.connect();
    let head = format!(
        "POST /predict HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n",
        server.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn who_reads_no_answers_is_let_go() {
    let sandbox = Sandbox::new();
    let options = ["--max-connections", "1", "--read-timeout", "1"];
    let server = Server::start(&sandbox, &options);
    let mut stream = server.connect();
    stream
        .set_write_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    // More answers than what lies between the two can hold.
    let request = format!(
        "GET /openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n",
        server.address
    );
    let _ = stream.write_all(request.repeat(5000).as_bytes());
    assert_eq!(server.get("/v2/health/ready").status, 200);
    drop(stream);
}

#[test]
fn what_clients_only_announce_takes_no_room_from_others() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &["--queue", "2", "--max-body", "1"]);
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = announce(&server, 999_000);
            stream.write_all(b"\x89").unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    let (images, _) = mnist(1000);
    assert_eq!(infer(&server, &images, &["class"]).status, 200);
    // Nor do those who don't say how much will come.
    let chunked = |chunks: &[u8]| {
        let mut stream = server.connect();
        let head = format!(
            "POST /predict HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
            server.address
        );
        let request = [head.as_bytes(), chunks].concat();
        stream.write_all(&request).unwrap();
        stream
    };
    let open: Vec<_> = (0..8).map(|_| chunked(b"1\r\nx\r\n")).collect();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(infer(&server, &images, &["class"]).status, 200);
    let picture = png(&images[..PIXELS]);
    let size = format!("{:x}\r\n", picture.len());
    let body = [size.as_bytes(), &picture, b"\r\n0\r\n\r\n"].concat();
    assert_eq!(read(&mut chunked(&body)).status, 200);
    assert_eq!(read(&mut chunked(b"this is no chunk\r\n")).status, 400);
    drop((waiting, open));
}

#[cfg(unix)]
#[test]
fn what_was_accepted_before_it_is_asked_to_end_is_answered() {
    let sandbox = Sandbox::new();
    let mut server = Server::start(&sandbox, &[]);
    let (images, _) = mnist(5000);
    let address = server.address.clone();
    let asking = {
        let mut stream = server.connect();
        let head = json!({
            "inputs": [{
                "name": "images", "datatype": "UINT8", "shape": [5000, 1, 28, 28],
                "parameters": { "binary_data_size": images.len() },
            }],
            "outputs": [{ "name": "class" }],
        })
        .to_string();
        let request = format!(
            "POST /v2/models/pretrained/infer HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Inference-Header-Content-Length: {}\r\nContent-Length: {}\r\n\r\n{head}",
            head.len(),
            head.len() + images.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream.write_all(&images).unwrap();
        std::thread::spawn(move || read(&mut stream))
    };
    std::thread::sleep(Duration::from_millis(50));
    assert!(server.end().success());
    let reply = asking.join().unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["outputs"][0]["shape"], json!([5000]));
}

#[test]
fn bodies_may_come_compressed_and_are_bounded_as_they_unfold() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &["--max-body", "1"]);
    let gzip = |body: &[u8]| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(body).unwrap();
        packed.finish().unwrap()
    };
    let deflate = |body: &[u8]| {
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        packed.write_all(body).unwrap();
        packed.finish().unwrap()
    };
    let (images, labels) = mnist(30);
    let head = json!({
        "inputs": [{
            "name": "images", "datatype": "UINT8", "shape": [30, 1, 28, 28],
            "parameters": { "binary_data_size": images.len() },
        }],
        "outputs": [{ "name": "class" }],
    })
    .to_string();
    // The length is that of the JSON as it is.
    let length = format!("Inference-Header-Content-Length: {}", head.len());
    let body = [head.as_bytes(), &images].concat();
    let send = |encoding: &str, packed: &[u8]| {
        let lines = [&length[..], &format!("Content-Encoding: {encoding}")];
        server.send("POST", "/v2/models/pretrained/infer", &lines, packed)
    };
    for (encoding, packed) in [
        ("gzip", gzip(&body)),
        ("deflate", deflate(&body)),
        ("identity", body.clone()),
    ] {
        let reply = send(encoding, &packed);
        assert_eq!(
            reply.json()["outputs"][0]["data"],
            json!(labels),
            "{encoding}"
        );
    }
    let picture = gzip(&png(&images[..PIXELS]));
    let reply = server.send("POST", "/predict", &["Content-Encoding: gzip"], &picture);
    assert_eq!(reply.json()["digit"], labels[0]);

    let bomb = vec![b' '; 50_000_000];
    let cut = gzip(&body);
    for (encoding, packed, status) in [
        ("gzip", gzip(&bomb), 413),
        ("deflate", deflate(&bomb), 413),
        ("gzip", cut[..cut.len() - 9].to_vec(), 400),
        ("deflate", gzip(&body), 400),
        ("gzip", body.clone(), 400),
        ("gzip", [&gzip(&body)[..], b"more"].concat(), 400),
        ("deflate", [&deflate(&body)[..], b"more"].concat(), 400),
        ("br", body.clone(), 415),
        ("gzip, gzip", gzip(&gzip(&body)), 415),
    ] {
        let reply = send(encoding, &packed);
        assert_eq!(reply.status, status, "{encoding}: {reply:?}");
        assert!(reply.json()["error"].is_string());
    }
}

#[test]
fn metrics_count_what_was_asked() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    // Its times are of those who ask what a model says, of whom there were none.
    server.get("/v2/health/ready");
    assert_eq!(
        server.get("/api/status").json()["latency_ms"]["p99"],
        Value::Null
    );
    let (images, _) = mnist(40);
    infer(&server, &images, &["class"]);
    server.get("/%3Cscript%3Ealert(1)");
    server.get("/nowhere");
    let text = String::from_utf8(server.get("/metrics").body).unwrap();
    let line = "serve_requests_total{route=\"/v2/models/{model}/infer\",status=\"200\"} 1";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("serve_batch_images_sum 40"), "{text}");
    let line = "serve_requests_total{route=\"none\",status=\"404\"} 2";
    assert!(text.contains(line), "{text}");
    assert!(!text.contains("script"), "what a client wrote is no label");
    let (images, _) = mnist(3000);
    let reviews = infer(&server, &images, &["review"]).json();
    let reviews = reviews["outputs"][0]["data"].as_array().unwrap().clone();
    let left = reviews.iter().filter(|id| **id != json!("")).count();
    let status = server.get("/api/status").json();
    assert_eq!(status["queue"]["open"], left);
    let version = &status["version"];
    // Counting looks at every item: it is done every few seconds at most.
    let told = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        let text = String::from_utf8(server.get("/metrics").body).unwrap();
        let value = |name: &str| -> Option<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|value| value.trim().parse().ok())
        };
        let significant = status["drift"]["significant"].as_bool().unwrap();
        let of_model = |name: &str| {
            value(&format!(
                "{name}{{model=\"pretrained\",version={version}}} "
            ))
        };
        value("serve_queue_items{state=\"open\"} ") == Some(left as f64)
            && value("serve_queue_reachable ") == Some(1.0)
            && of_model("serve_deferred_share") == status["drift"]["now"].as_f64()
            && of_model("serve_promised_share") == status["promised_share"].as_f64()
            && of_model("serve_drift_significant") == Some(f64::from(u8::from(significant)))
    });
    assert!(told);
}

#[test]
fn what_people_answered_becomes_a_data_set_that_other_commands_read() {
    let sandbox = Sandbox::new();
    let (images, labels) = mnist(3000);
    let answered = {
        let server = Server::start(&sandbox, &["--second-opinion", "0"]);
        let reviews = infer(&server, &images, &["review"]).json();
        let reviews = reviews["outputs"][0]["data"].as_array().unwrap().clone();
        assert_eq!(server.get("/review/export").status, 409);
        let mut answered = 0;
        loop {
            let next = server
                .post("/review/next", &json!({ "reviewer": "ann" }))
                .json();
            let Some(id) = next["item"]["id"].as_str() else {
                break answered;
            };
            // The last is one that nobody can read.
            let label = match next["left"] == 0 {
                true => "none".to_owned(),
                false => {
                    let index = reviews.iter().position(|review| review == id).unwrap();
                    labels[index].to_string()
                }
            };
            let lease = &next["item"]["lease"];
            let answer = json!({ "reviewer": "ann", "lease": lease, "answer": label, "key": id });
            let reply = server.post(&format!("/review/{id}/answer"), &answer);
            assert_eq!(reply.json()["state"], "done");
            answered += 1;
        }
    };
    assert!(answered > 20, "{answered}");
    let count = |name: &str| {
        let bytes = fs::read(sandbox.path(&format!("answers/{name}"))).unwrap();
        u32::from_be_bytes(bytes[4..8].try_into().unwrap())
    };
    let parts = || ["train", "t10k"].map(|part| count(&format!("{part}-images-idx3-ubyte")));
    sandbox.succeed("serve", &["export", "--to", "answers"]);
    let [learn, judge] = parts();
    assert_eq!(learn + judge, answered - 1);
    assert!(learn > judge && judge > 0, "{learn}, {judge}");
    let table = String::from_utf8(sandbox.bytes("answers/provenance.csv")).unwrap();
    assert_eq!(table.lines().count() as u32, answered);
    // The same can be downloaded.
    {
        let server = Server::start(&sandbox, &[]);
        let reply = server.get("/review/export?model=pretrained");
        assert_eq!(reply.status, 200);
        let mut archive = tar::Archive::new(GzDecoder::new(&reply.body[..]));
        let mut names = BTreeSet::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().into_owned();
            let name = path.strip_prefix("answers-pretrained").unwrap();
            let name = name.to_str().unwrap().to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, sandbox.bytes(&format!("answers/{name}")), "{name}");
            names.insert(name);
        }
        let listed = fs::read_dir(sandbox.path("answers")).unwrap();
        let listed = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names, listed.collect());
        assert_eq!(server.get("/review/export?model=letters").status, 404);
    }
    // However the database is named.
    for database in [
        "artifacts/reviews.sqlite",
        "sqlite://artifacts/reviews.sqlite",
    ] {
        let arguments = ["export", "--to", "answers", "--database", database];
        sandbox.succeed("serve", &arguments);
    }
    // Once more is the same, and a folder of somebody else's stays.
    sandbox.succeed("serve", &["export", "--to", "answers"]);
    assert_eq!(parts(), [learn, judge]);
    fs::create_dir(sandbox.path("mine")).unwrap();
    sandbox.fail("serve", &["export", "--to", "mine"]);

    let checkpoint = pretrained().display().to_string();
    let arguments = ["evaluate", &checkpoint, "--data-dir", "answers", "--json"];
    let found = sandbox.succeed("digits", &arguments).stdout;
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["test"]["evaluation"]["selective"]["n"], judge);
}
