//! Where a device is lent, and whether anybody is there.

use std::{
    fmt,
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use super::LenderError;

/// What an address begins with.
const SCHEME: &str = "remote://";

/// How long a machine may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a lender may take to answer a request that needs no device.
const ANSWER: Duration = Duration::from_secs(3);

/// Where a device is lent, as `remote://HOST:PORT`, or `remote://HOST:PORT/INDEX` where a lender has several.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// With its port.
    pub(super) host: String,
    pub(super) index: usize,
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

impl Address {
    /// A connection to the machine.
    ///
    /// # Errors
    /// In words, why there is none.
    pub(super) fn reach(&self) -> Result<TcpStream, String> {
        let addresses = self.host.to_socket_addrs();
        let mut problem = "it has no address".to_owned();
        for address in addresses.map_err(|error| error.to_string())? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => return Ok(stream),
                Err(error) => problem = error.to_string(),
            }
        }
        Err(problem)
    }

    /// In words, what has become of a lender that is gone or hangs; none of one that answers. `reason` is why that is
    /// asked.
    pub(super) fn trouble(&self, reason: &str) -> Option<String> {
        let gone = |problem: &dyn fmt::Display| Some(format!("{self} is gone ({problem})"));
        let stream = match self.reach() {
            Ok(stream) => stream,
            Err(problem) => return gone(&problem),
        };
        // The system accepts connections for a process that is stopped. One that runs answers any request, and while
        // its device computes, too.
        match ask(stream, &self.host) {
            Ok(()) => None,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                Some(format!("{self} hangs ({reason})"))
            }
            Err(error) => gone(&error),
        }
    }
}

/// Asks a server for a page, and waits for the first byte of what it says to that.
fn ask(mut stream: TcpStream, host: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(ANSWER))?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    stream.read(&mut [0]).map(|_| ())
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
