//! Devices that other machines lend, through Burn's remote protocol: reached, tried, and watched while a run uses
//! them.
//!
//! What is asked of a lender that is gone is dropped without a word, until something is read; what is asked of
//! one that hangs is waited for without end. So whatever a run waits for has a deadline, and a run that can't go
//! on says which lender is why.

use std::{
    any::Any,
    fmt, fs, io,
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    panic::{self, AssertUnwindSafe},
    path::Path,
    process,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use burn::{
    remote::{ConnectError, RemoteHost},
    tensor::Device,
};
use kernels::remote::{GreetError, Lender as Greeting, greet};
use thiserror::Error;

use crate::{agreement, outcome::TrainingError, progress::say};

/// What an address begins with.
const SCHEME: &str = "remote://";

/// How long a machine may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Where a device is lent, as `remote://HOST:PORT`, or `remote://HOST:PORT/INDEX` where a lender has several.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// With its port.
    host: String,
    index: usize,
}

/// Why a device can't be borrowed.
#[derive(Debug, Error)]
pub enum LenderError {
    /// It isn't an address.
    #[error(
        "--device {0}: not an address of a device; write remote://HOST:PORT, such as remote://gpu-box:7010"
    )]
    Address(String),
    /// Named twice.
    #[error(
        "--device {0}: named twice; each device gets a part of every batch, so name others or name it once"
    )]
    Twice(Address),
    /// The token can't be read.
    #[error("{path}: can't read the token: {source}", path = .path.display())]
    Token {
        /// The file.
        path: std::path::PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file holds no token.
    #[error("{}: this file holds no token; make one with: openssl rand -hex 32 > FILE", .0.display())]
    NoToken(std::path::PathBuf),
    /// Nobody is there.
    #[error(
        "{at}: nobody lends a device there ({problem}); start `train --serve-device` on that machine, and check address and firewall"
    )]
    Unreachable {
        /// Where.
        at: Address,
        /// What the operating system said.
        problem: String,
    },
    /// Somebody is there who doesn't lend, or not to us.
    #[error("{at}: {problem}")]
    Refused {
        /// Where.
        at: Address,
        /// In words, and the way out.
        problem: String,
    },
    /// It computes wrong numbers.
    #[error("{at}: {source}")]
    Wrong {
        /// Where.
        at: Address,
        /// What differs.
        source: agreement::AgreementError,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.host)?;
        match self.index {
            0 => Ok(()),
            index => write!(f, "/{index}"),
        }
    }
}

impl std::str::FromStr for Address {
    type Err = LenderError;

    fn from_str(text: &str) -> Result<Self, LenderError> {
        let wrong = || LenderError::Address(text.to_owned());
        let rest = text.strip_prefix(SCHEME).ok_or_else(wrong)?;
        let (host, index) = match rest.split_once('/') {
            None => (rest, 0),
            Some((host, index)) => (host, index.parse().map_err(|_| wrong())?),
        };
        let (name, port) = host.rsplit_once(':').ok_or_else(wrong)?;
        let spaces = host.contains(|c: char| c.is_whitespace() || "@?#".contains(c));
        if name.is_empty() || spaces || port.parse::<u16>().is_err() {
            return Err(wrong());
        }
        Ok(Address {
            host: host.to_owned(),
            index,
        })
    }
}

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
        let gone: Vec<String> = self
            .lenders
            .iter()
            .filter_map(|lender| {
                let problem = reach(&lender.at.host).err()?;
                Some(format!("{} is gone ({problem})", lender.at))
            })
            .collect();
        let what = match gone.is_empty() {
            // It listens, and its session is over, or it hangs.
            true => {
                let names: Vec<String> = self.addresses().collect();
                let reason = reason.lines().next().unwrap_or_default();
                format!(
                    "{} can't be computed on any more: {reason}",
                    names.join(" and ")
                )
            }
            false => gone.join("; "),
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
        if let Err(problem) = reach(&at.host) {
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

/// Why a connection came to nothing, and the way out.
fn refusal(error: &ConnectError) -> String {
    match error {
        ConnectError::Unauthorized => {
            "the lender refuses this token; --token-file has to name a file with the token that it was started with"
                .to_owned()
        }
        ConnectError::NoSuchDevice { device_count: 1 } => {
            "the lender has one device: leave /INDEX out of its address".to_owned()
        }
        ConnectError::NoSuchDevice { device_count } => {
            format!("the lender has {device_count} devices, from /0 on")
        }
        ConnectError::IncompatibleProtocol { .. } => {
            format!("{error}; build both programs from one source")
        }
        ConnectError::Unreachable { .. } | ConnectError::Handshake { .. } => format!(
            "something answers there that lends no devices ({}); check the port",
            error.to_string().replace('\n', " ")
        ),
        other => other.to_string().replace('\n', " "),
    }
}

/// Whether a machine accepts connections, and in words why not.
fn reach(host: &str) -> Result<(), String> {
    let addresses: Vec<SocketAddr> = match host.to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => return Err(error.to_string()),
    };
    let mut problem = "it has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(_) => return Ok(()),
            Err(error) => problem = error.to_string(),
        }
    }
    Err(problem)
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_a_port_and_maybe_an_index() {
        for text in [
            "remote://gpu-box:7010",
            "remote://[::1]:7010/3",
            "remote://10.0.0.2:1",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in [
            "gpu-box:7010",
            "remote://gpu-box",
            "remote://:7010",
            "remote://gpu-box:70100",
            "remote://gpu-box:7010/one",
            "remote://token@gpu-box:7010",
            "ws://gpu-box:7010",
            "",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
