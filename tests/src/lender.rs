//! A process that lends a device, for those that need one.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
};

use crate::{Sandbox, binary};

/// The file with the token in the folder of a test.
pub const TOKEN: &str = "token";

/// A lender of a test; it ends with this value.
pub struct Lender {
    child: Child,
    /// Where it lends: `remote://HOST:PORT`.
    pub address: String,
}

impl Lender {
    /// Starts one on a free port of the loopback interface.
    pub fn start(sandbox: &Sandbox, backend: &str) -> Self {
        Self::at(sandbox, backend, "127.0.0.1:0", &[])
    }

    /// Starts one that listens at an address; `within` is a command that runs it, such as in a namespace.
    pub fn at(sandbox: &Sandbox, backend: &str, listen: &str, within: &[&str]) -> Self {
        let token = sandbox.path(TOKEN);
        if !token.exists() {
            std::fs::write(&token, "a token of the tests\n").expect("the token can be written");
        }
        let train = binary("train");
        let mut command = match within.split_first() {
            None => Command::new(train),
            Some((program, args)) => {
                let mut command = Command::new(program);
                command.args(args).arg(train);
                command
            }
        };
        let mut child = command
            .args([
                "--serve-device",
                backend,
                "--listen",
                listen,
                "--token-file",
            ])
            .arg(&token)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the lender starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let first = lines.next().expect("it says where it lends");
        let first = first.expect("it is text");
        let address = first
            .split_whitespace()
            .find(|word| word.starts_with("remote://"));
        let address = address.unwrap_or_else(|| panic!("{first}"));
        let address = address.trim_end_matches(',').to_owned();
        // Somebody has to read what it says, or it would wait for that.
        thread::spawn(move || lines.for_each(drop));
        Lender { child, address }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.id().to_string()])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "kill -{name}");
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Lender {
    fn drop(&mut self) {
        self.kill();
    }
}
