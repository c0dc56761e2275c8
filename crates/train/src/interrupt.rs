//! Ctrl-C and SIGTERM: the first one ends the run after the step in flight, or at once where there are
//! no steps; the second ends it at once.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag, low_level,
};

use crate::progress::say;

/// How often to look for a signal.
const WATCH: Duration = Duration::from_millis(50);

/// Ends what [`Interrupt::leave_at_once`] began.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct LeaveAtOnce {
    done: Option<Sender<()>>,
    watch: Option<JoinHandle<()>>,
}

impl Drop for LeaveAtOnce {
    fn drop(&mut self) {
        drop(self.done.take());
        // Afterwards nothing ends the process from there any more.
        let _ = self.watch.take().map(JoinHandle::join);
    }
}

/// Tells whether the process was asked to stop.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Listens to SIGINT and SIGTERM from now on.
    ///
    /// # Errors
    /// The operating system's.
    pub fn listen() -> io::Result<Self> {
        let interrupt = Interrupt::default();
        let armed = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the shutdown unarmed and arms it. Nothing on
            // disk is ever half written under its final name, so leaving at once is safe.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&armed))?;
            flag::register(signal, Arc::clone(&armed))?;
            flag::register_usize(signal, Arc::clone(&interrupt.signal), signal as usize)?;
        }
        // With a handler, whatever it does, a write beyond the limit on the size of files is an error
        // like others, and does not end the process without a word.
        #[cfg(unix)]
        flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
        Ok(interrupt)
    }

    /// From now on, until what is returned is dropped, the first signal ends the process at once too,
    /// with `line` on standard error. For work that has no steps to stop after.
    pub fn leave_at_once(&self, line: String) -> LeaveAtOnce {
        let (done, until) = mpsc::channel::<()>();
        let interrupt = self.clone();
        // Without a thread the second signal still does it.
        let watch = thread::Builder::new().spawn(move || {
            while until.recv_timeout(WATCH) == Err(RecvTimeoutError::Timeout) {
                if let Some(code) = interrupt.exit_code() {
                    say(line);
                    // At once: what runs at the end of a process may not expect other threads at work.
                    low_level::exit(code.into());
                }
            }
        });
        LeaveAtOnce {
            done: Some(done),
            watch: watch.ok(),
        }
    }

    /// Takes the end of standard input for SIGTERM, from now on: whoever holds its other end wants this
    /// process to stop, or is gone.
    pub fn heed_end_of_input(&self) {
        let signal = Arc::clone(&self.signal);
        // Without a thread there is the signal.
        let _ = thread::Builder::new().spawn(move || {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            let _ =
                signal.compare_exchange(0, SIGTERM as usize, Ordering::Relaxed, Ordering::Relaxed);
        });
    }

    /// The exit code by convention, 128 and the signal's number, if one has come.
    pub fn exit_code(&self) -> Option<u8> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            signal => Some((128 + signal) as u8),
        }
    }
}
