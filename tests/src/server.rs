//! A running `serve`, and requests to it byte by byte: what a client might send that no library would.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, ExitStatus, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{Sandbox, pretrained};

/// A server on a port of its own, stopped when it is dropped.
pub struct Server {
    process: Child,
    /// Host and port.
    pub address: String,
}

/// What a server answered.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    /// The value of a header, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(found, _)| *found == name);
        found.next().map_or("", |(_, value)| value.trim())
    }
}

impl Server {
    /// Serves the committed checkpoint, with more arguments.
    pub fn start(sandbox: &Sandbox, more: &[&str]) -> Self {
        let checkpoint = pretrained().display().to_string();
        Self::start_with(sandbox, &[&[&checkpoint[..]], more].concat())
    }

    /// Serves what the arguments say.
    pub fn start_with(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let listen = match arguments.contains(&"--listen") {
            true => &["--log", "warn"][..],
            false => &["--log", "warn", "--listen", "127.0.0.1:0"],
        };
        let mut process = sandbox
            .command("serve", &[arguments, listen].concat())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next().expect("it says where it is").unwrap();
        let address = first.split("http://").nth(1).unwrap();
        let address = address.trim_end_matches('/').to_owned();
        // It prints all before it is asked anything.
        std::thread::spawn(move || lines.for_each(drop));
        Server { process, address }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The most memory that it has had so far, in bytes, where the system tells.
    pub fn most_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(1024 * kilobytes)
    }

    /// A connection of a client's.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream
    }

    /// A request with these lines in its head.
    pub fn send(&self, method: &str, path: &str, lines: &[&str], body: &[u8]) -> Reply {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !lines.iter().any(|line| line.starts_with("Host:")) {
            head += &format!("Host: {}\r\n", self.address);
        }
        if !lines.iter().any(|line| line.starts_with("Content-Length:")) {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        for line in lines {
            head += &format!("{line}\r\n");
        }
        let mut stream = self.connect();
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        // Whoever is refused early may find the connection closed.
        let _ = stream.write_all(body);
        read(&mut stream)
    }

    /// What is at a path.
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"")
    }

    /// The answer to JSON.
    pub fn post(&self, path: &str, json: &Value) -> Reply {
        self.send("POST", path, &[], json.to_string().as_bytes())
    }

    /// Asks it to end, and waits.
    #[cfg(unix)]
    pub fn end(&mut self) -> ExitStatus {
        self.signal("-TERM");
        self.process.wait().unwrap()
    }

    /// Asks it to look at its models.
    #[cfg(unix)]
    pub fn hang_up(&self) {
        self.signal("-HUP");
    }

    #[cfg(unix)]
    fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args([signal, &id]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads an answer up to its end.
pub fn read(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    // A connection that was reset after the answer has answered.
    let _ = stream.read_to_end(&mut bytes);
    let at = bytes.windows(4).position(|end| end == b"\r\n\r\n");
    let at = at.unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
    Reply {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        body: bytes[at + 4..].to_vec(),
    }
}
