//! A connection that costs its process little, so that what is measured is the server.

use std::io::{Error, ErrorKind, Result};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// An answer.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The status.
    pub status: u16,
    /// The head, without the empty line.
    pub head: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

/// A connection that stays open from request to request.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A whole request: its head and its body.
pub fn request(method: &str, path: &str, lines: &[String], body: &[u8]) -> Vec<u8> {
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n",
        body.len()
    );
    for line in lines {
        head += line;
        head += "\r\n";
    }
    head += "\r\n";
    [head.as_bytes(), body].concat()
}

impl Connection {
    /// # Errors
    /// If nobody listens.
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// If the connection ends before a whole answer.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Reply<'_>> {
        // A server may answer before it has read all, and take no more then.
        let sent = self.stream.write_all(request).await;
        match self.read().await {
            Err(error) => Err(sent.err().unwrap_or(error)),
            Ok((head, whole)) => {
                let (head, body) = (&self.buffer[..head], &self.buffer[head + 4..whole]);
                let status = head.get(9..12).and_then(|digits| {
                    let digits = std::str::from_utf8(digits).ok()?;
                    digits.parse().ok()
                });
                let status = status.ok_or(ErrorKind::InvalidData)?;
                Ok(Reply { status, head, body })
            }
        }
    }

    /// Whether the server ends the connection after this answer.
    pub fn ends(reply: &Reply<'_>) -> bool {
        value(reply.head, b"connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"))
    }

    /// Where the head ends, and where the body does.
    async fn read(&mut self) -> Result<(usize, usize)> {
        self.buffer.clear();
        let mut head = None;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(Error::from(ErrorKind::UnexpectedEof));
            }
            if head.is_none() {
                let mut ends = self.buffer.windows(4);
                head = ends.position(|end| end == b"\r\n\r\n");
            }
            let Some(head) = head else { continue };
            let length = value(&self.buffer[..head], b"content-length");
            let length = length.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
            let whole = head + 4 + length.unwrap_or(0);
            if self.buffer.len() >= whole {
                return Ok((head, whole));
            }
        }
    }
}

/// The value of a header.
pub fn value<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let lines = head.split(|&byte| byte == b'\n').skip(1);
    for line in lines {
        if let Some((found, value)) = line.split_at_checked(name.len())
            && found.eq_ignore_ascii_case(name)
            && let [b':', value @ ..] = value
        {
            return Some(value.trim_ascii());
        }
    }
    None
}
