//! Bodies that come compressed.

use std::io::{BufRead, ErrorKind, Read};

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
};
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

use crate::{admission::Taking, failure::Failure};

/// Bytes that are unpacked at a time.
const PIECE: usize = 16 * 1024;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// `gzip`
    Gzip,
    /// `deflate`, which is the format of zlib.
    Deflate,
}

impl Packing {
    /// What a request says of its body; none where it comes as it is.
    ///
    /// # Errors
    /// 415 if it comes in another way.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        let mut given = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(encoding) = given.next() else {
            return Ok(None);
        };
        let encoding = encoding.as_bytes().to_ascii_lowercase();
        match (&encoding[..], given.next()) {
            (b"identity" | b"", None) => Ok(None),
            (b"gzip" | b"x-gzip", None) => Ok(Some(Packing::Gzip)),
            (b"deflate", None) => Ok(Some(Packing::Deflate)),
            _ => Err(Failure::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send the body as it is, or compressed by gzip or deflate",
            )),
        }
    }

    /// The body, of no more than `most` bytes, for which room is taken as it unfolds.
    ///
    /// # Errors
    /// 413 if it has more, 503 if there is no room for it now, 400 if it isn't compressed so.
    pub fn unpack(self, packed: &[u8], most: usize, room: &mut Taking) -> Result<Bytes, Failure> {
        match self {
            Packing::Gzip => read(MultiGzDecoder::new(packed), most, room),
            Packing::Deflate => {
                let mut decoder = ZlibDecoder::new(packed);
                let body = read(&mut decoder, most, room)?;
                match decoder.into_inner().fill_buf() {
                    Ok([]) => Ok(body),
                    _ => Err(damaged()),
                }
            }
        }
    }
}

fn read(mut decoder: impl Read, most: usize, room: &mut Taking) -> Result<Bytes, Failure> {
    let mut body = Vec::new();
    let mut piece = [0; PIECE];
    loop {
        let length = match decoder.read(&mut piece) {
            Ok(0) => return Ok(body.into()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return Err(damaged()),
        };
        if body.len() + length > most {
            return Err(Failure::too_large(most));
        }
        room.grow(body.len() + length)?;
        body.extend_from_slice(&piece[..length]);
    }
}

fn damaged() -> Failure {
    Failure::bad("the body is damaged: it isn't compressed as Content-Encoding says")
}
