//! Devices that other machines lend, through Burn's remote protocol: reached, tried, and watched while a run uses
//! them.
//!
//! What is asked of a lender that is gone is dropped without a word, until something is read; what is asked of
//! one that hangs is waited for without end. So whatever a run waits for has a deadline, and a run that can't go
//! on says which lender is why.

mod address;
mod error;

use std::{
    any::Any,
    fs,
    panic::{self, AssertUnwindSafe},
    path::Path,
    process,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use burn::{remote::RemoteHost, tensor::Device};
use kernels::remote::{GreetError, Lender as Greeting, greet};

pub use address::Address;
pub use error::LenderError;
use error::refusal;

use crate::{agreement, outcome::TrainingError, progress::say};

/// A device that another machine lends.
#[derive(Clone, Debug)]
struct Lender {
    at: Address,
    device: Device,
}

/// The devices that a run computes its steps on.
#[derive(Clone, Debug)]
pub struct Lenders {
    lenders: Vec<Lender>,
    /// How long none of them may say anything.
    patience: Duration,
    /// When that will have been too long, while something is waited for.
    deadline: Arc<Mutex<Option<Instant>>>,
}

impl Lenders {
    /// Reaches the devices at the given addresses, of which there is one at least, and tries each.
    ///
    /// # Errors
    /// [`LenderError`] with the first that can't be used.
    pub fn connect(
        addresses: &[String],
        token: &Path,
        patience: Duration,
    ) -> Result<Self, LenderError> {
        let addresses: Vec<Address> = addresses
            .iter()
            .map(|address| address.parse())
            .collect::<Result<_, _>>()?;
        for (number, at) in addresses.iter().enumerate() {
            if addresses[..number].contains(at) {
                return Err(LenderError::Twice(at.clone()));
            }
        }
        let token = read_token(token)?;
        let lenders = Lenders {
            lenders: addresses
                .into_iter()
                .map(|at| {
                    let (named, token) = (at.clone(), token.clone());
                    within(patience, move || Lender::connect(at, &token)).unwrap_or_else(|| {
                        Err(LenderError::Unreachable {
                            at: named,
                            problem: format!("no answer for {} s", patience.as_secs()),
                        })
                    })
                })
                .collect::<Result<_, _>>()?,
            patience,
            deadline: Arc::default(),
        };
        Ok(lenders)
    }

    /// The devices, without automatic differentiation.
    pub fn devices(&self) -> impl Iterator<Item = Device> + '_ {
        self.lenders.iter().map(|lender| lender.device.clone())
    }

    /// Their addresses.
    pub fn addresses(&self) -> impl Iterator<Item = String> + '_ {
        self.lenders.iter().map(|lender| lender.at.to_string())
    }

    /// From now on something is waited for, and for no longer than the patience.
    pub(crate) fn wait(&self) {
        self.set(Some(Instant::now() + self.patience));
    }

    /// Nothing is waited for.
    pub(crate) fn rest(&self) {
        self.set(None);
    }

    fn set(&self, deadline: Option<Instant>) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
    }

    /// Ends the process where what is waited for doesn't come: a call that hangs in a lender can't be taken back.
    pub(crate) fn watch(&self, resume: &str) {
        let (lenders, resume) = (self.clone(), resume.to_owned());
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(200));
                let deadline = *lenders
                    .deadline
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    let silent = format!("no answer for {} s", lenders.patience.as_secs());
                    let error = lenders.lost(&silent, &resume);
                    say(format_args!("error: {error}"));
                    process::exit(1);
                }
            }
        });
    }

    /// Runs what computes on the devices. Where it can't go on, because Burn says so or panics, the error says which
    /// lender is why.
    pub(crate) fn guard<T>(
        &self,
        resume: &str,
        run: impl FnOnce() -> Result<T, TrainingError>,
    ) -> Result<T, TrainingError> {
        // Burn has no other way to say that a tensor can't be read: the message is in the error.
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| ()));
        let result = panic::catch_unwind(AssertUnwindSafe(run));
        panic::set_hook(hook);
        self.rest();
        match result {
            Ok(Err(TrainingError::Burn(reason))) => Err(self.lost(&reason, resume)),
            Ok(result) => result,
            Err(payload) => Err(self.lost(&message(&*payload), resume)),
        }
    }

    /// What to say when the devices can't be computed on any more.
    fn lost(&self, reason: &str, resume: &str) -> TrainingError {
        let reason = reason.lines().next().unwrap_or_default();
        let troubles: Vec<String> = thread::scope(|scope| {
            let asked = self
                .lenders
                .iter()
                .map(|Lender { at, .. }| scope.spawn(move || at.trouble(reason)));
            let asked: Vec<_> = asked.collect();
            let troubles = asked
                .into_iter()
                .filter_map(|one| one.join().ok().flatten());
            troubles.collect()
        });
        let what = match troubles.is_empty() {
            // All of them answer: a session is over, or a step takes too long.
            true => {
                let names: Vec<String> = self.addresses().collect();
                let names = names.join(" and ");
                format!("{names} can't be computed on any more: {reason}")
            }
            false => troubles.join("; "),
        };
        TrainingError::Lender {
            what,
            resume: resume.to_owned(),
        }
    }
}

impl Lender {
    fn connect(at: Address, token: &str) -> Result<Self, LenderError> {
        // Burn tries for a quarter of a minute, and doesn't tell a machine that isn't there from one that refuses.
        if let Err(problem) = at.reach() {
            return Err(LenderError::Unreachable { at, problem });
        }
        let host = RemoteHost::websocket(&format!("ws://{}", at.host)).with_credential(token);
        let device = Device::remote_options(&host).device_index(at.index).init();
        let device = match device {
            Ok(device) => device,
            Err(error) => {
                let problem = refusal(&error);
                return Err(LenderError::Refused { at, problem });
            }
        };
        let kernels = match greet(&device) {
            Ok(Greeting { kernels }) => kernels,
            Err(error) => {
                let problem = match error {
                    GreetError::Foreign { .. } => {
                        format!("{error}; start `train --serve-device` there")
                    }
                    other => other.to_string(),
                };
                return Err(LenderError::Refused { at, problem });
            }
        };
        if let Err(source) = agreement::check(&device, &at.to_string()) {
            return Err(LenderError::Wrong { at, source });
        }
        if !kernels {
            say(format_args!(
                "note: {at} has no kernels of this program: layers are made of Burn's own operations there"
            ));
        }
        Ok(Lender { at, device })
    }
}

/// Runs what may wait without end, and gives it up after a while.
fn within<T: Send + 'static>(
    patience: Duration,
    run: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(run()));
    result.recv_timeout(patience).ok()
}

/// The token in a file, without white space around it.
///
/// # Errors
/// If there is none.
pub(crate) fn read_token(path: &Path) -> Result<String, LenderError> {
    let text = fs::read_to_string(path).map_err(|source| LenderError::Token {
        path: path.to_owned(),
        source,
    })?;
    let token = text.trim();
    if token.is_empty() {
        return Err(LenderError::NoToken(path.to_owned()));
    }
    Ok(token.to_owned())
}

pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a step failed").to_owned()
}
