//! A run as a process of its own: what ends it ends nothing else.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, BufRead, BufReader, Read as _},
    num::NonZeroUsize,
    path::PathBuf,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
};

use crate::run_dir::{IN_USE, NOT_EMPTY};

/// What numbers of threads are read from.
const THREADS: [&str; 2] = ["RAYON_NUM_THREADS", "MATMUL_NUM_THREADS"];
/// No line that a run says is kept longer.
const LINE: u64 = 1 << 12;
/// Most warnings of a run that are handed on.
const WARNINGS: usize = 20;

/// How runs are started.
pub(super) struct Runner {
    program: PathBuf,
    /// The threads of each run, if not those that it would take alone.
    threads: Option<usize>,
}

/// A run at work.
pub(super) struct Running {
    child: Child,
    said: Option<JoinHandle<Said>>,
}

/// How a run ended.
pub(super) struct Ended {
    status: ExitStatus,
    said: Said,
}

/// What a run said that is more than how it went.
#[derive(Default)]
struct Said {
    /// The last line that says what is wrong, and the last line of all.
    error: Option<String>,
    last: Option<String>,
    warnings: Vec<String>,
}

impl Runner {
    /// Runs of this program, so many at once.
    pub(super) fn new(jobs: NonZeroUsize) -> io::Result<Self> {
        let asked = env::var(THREADS[0]).ok();
        let asked = asked.and_then(|threads| threads.parse().ok());
        let all = asked.or_else(|| thread::available_parallelism().ok());
        let all: usize = all.map_or(1, NonZeroUsize::get);
        Ok(Runner {
            program: env::current_exe()?,
            threads: (jobs.get() > 1).then_some((all / jobs).max(1)),
        })
    }

    pub(super) fn begin(&self, args: &[OsString]) -> io::Result<Running> {
        self.start(args)
    }

    pub(super) fn go_on(&self, run: &OsStr) -> io::Result<Running> {
        let mut resume = OsString::from("--resume=");
        resume.push(run);
        self.start(&[resume])
    }

    fn start(&self, args: &[OsString]) -> io::Result<Running> {
        let mut command = Command::new(&self.program);
        // Standard input tells it when this process has died. Its result is in its folder.
        command
            .args(args)
            .args(["--quiet", "--stop-at-end-of-input"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(threads) = self.threads {
            command.envs(THREADS.map(|name| (name, threads.to_string())));
        }
        let mut child = command.spawn()?;
        let said = child.stderr.take().map(|stderr| {
            // Without a reader the run would wait as soon as it had said too much.
            thread::spawn(move || Said::read(stderr))
        });
        Ok(Running { child, said })
    }
}

impl Running {
    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> io::Result<Option<Ended>> {
        match self.child.try_wait()? {
            Some(status) => Ok(Some(self.end(status))),
            None => Ok(None),
        }
    }

    /// Asks it to stop as SIGTERM would.
    pub(super) fn stop(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits for its end.
    pub(super) fn wait(mut self) -> io::Result<Ended> {
        let status = self.child.wait()?;
        Ok(self.end(status))
    }

    fn end(&mut self, status: ExitStatus) -> Ended {
        let said = self.said.take().map(JoinHandle::join);
        Ended {
            status,
            said: said.and_then(Result::ok).unwrap_or_default(),
        }
    }
}

impl Ended {
    pub(super) fn is_good(&self) -> bool {
        self.status.success()
    }

    /// Whether the run is in the hands of another process.
    pub(super) fn found_it_in_use(&self) -> bool {
        self.failed_with(IN_USE)
    }

    /// Whether there was something in the folder that was to be a new run's.
    pub(super) fn found_it_there(&self) -> bool {
        self.failed_with(NOT_EMPTY)
    }

    fn failed_with(&self, what: &str) -> bool {
        let error = self.said.error.as_deref();
        self.status.code() == Some(1) && error.is_some_and(|error| error.contains(what))
    }

    /// What it warned of.
    pub(super) fn warnings(&self) -> &[String] {
        &self.said.warnings
    }

    pub(super) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub(super) fn signal(&self) -> Option<i32> {
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt;
            self.status.signal()
        }
        #[cfg(not(unix))]
        None
    }

    /// In one line, why it didn't end well.
    pub(super) fn error(&self) -> String {
        let said = self.said.error.as_ref().or(self.said.last.as_ref());
        match (self.signal(), said) {
            (Some(9), None) => {
                "ended by signal 9: someone killed it, perhaps the system for want of memory".into()
            }
            (Some(signal), None) => format!("ended by signal {signal}"),
            (Some(signal), Some(said)) => format!("ended by signal {signal} after: {said}"),
            (None, Some(said)) => said.strip_prefix("error: ").unwrap_or(said).to_owned(),
            (None, None) => "it ended without a word".into(),
        }
    }
}

impl Said {
    fn read(stderr: ChildStderr) -> Self {
        let mut said = Said::default();
        let (mut reader, mut line) = (BufReader::new(stderr), Vec::new());
        while let Ok(1..) = (&mut reader).take(LINE).read_until(b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line)
                .trim_end()
                .replace(char::is_control, " ");
            line.clear();
            said.hear(text);
        }
        said
    }

    fn hear(&mut self, line: String) {
        // What the standard library adds to a panic.
        if line.trim().is_empty() || line.starts_with("note: run with") {
            return;
        }
        if line.starts_with("error: ") {
            self.error = Some(line.clone());
        }
        if line.starts_with("warning: ") && self.warnings.len() < WARNINGS {
            self.warnings.push(line.clone());
        }
        self.last = Some(line);
    }
}
