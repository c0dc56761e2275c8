//! Bodies that come compressed.

use std::io::{self, BufRead, Read};

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
};
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

use crate::failure::Failure;

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

    /// The body, of no more than `most` bytes.
    ///
    /// # Errors
    /// 413 if it has more, 400 if it isn't compressed so.
    pub fn unpack(self, packed: &[u8], most: usize) -> Result<Bytes, Failure> {
        let unpacked = match self {
            Packing::Gzip => read(MultiGzDecoder::new(packed), most),
            Packing::Deflate => {
                let mut decoder = ZlibDecoder::new(packed);
                read(&mut decoder, most).and_then(|body| match decoder.into_inner().fill_buf()? {
                    _ if body.len() > most => Ok(body),
                    [] => Ok(body),
                    _ => Err(io::ErrorKind::InvalidData.into()),
                })
            }
        };
        match unpacked {
            Ok(body) if body.len() > most => Err(Failure::too_large(most)),
            Ok(body) => Ok(body.into()),
            Err(_) => Err(Failure::bad(
                "the body is damaged: it isn't compressed as Content-Encoding says",
            )),
        }
    }
}

/// A byte more than `most` at most, so that it shows.
fn read(decoder: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut body)?;
    Ok(body)
}
