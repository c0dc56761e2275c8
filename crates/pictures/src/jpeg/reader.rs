//! The segments of a file, from scan to scan.

use super::damage::{
    Damage::{Short, Wrong},
    Problem,
};
use super::frame::{Frame, is_frame};
use super::tables::Tables;

pub(super) const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DQT: u8 = 0xdb;
const DHT: u8 = 0xc4;
const DRI: u8 = 0xdd;
const DNL: u8 = 0xdc;
const APP1: u8 = 0xe1;
const APP14: u8 = 0xee;

/// Goes through a file, and keeps what its segments say.
pub(super) struct Reader<'a> {
    segments: Segments<'a>,
    pub tables: Tables,
    pub frame: Option<Frame>,
    /// How colours are stored, by a segment of Adobe.
    pub transform: Option<u8>,
    /// The contents of the Exif segments behind their name, in their order.
    pub exif: Vec<&'a [u8]>,
    /// The XMP packet.
    pub xmp: Option<&'a [u8]>,
    /// Whether the last marker came.
    pub ended: bool,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader {
            segments: Segments { bytes, at: 2 },
            tables: Tables::default(),
            frame: None,
            transform: None,
            exif: Vec::new(),
            xmp: None,
            ended: false,
        }
    }

    /// The header of the next scan, and where its data begin; none at the end.
    pub fn next_scan(&mut self) -> Result<Option<(&'a [u8], usize)>, Problem> {
        while let Some((marker, content)) = self.segments.next()? {
            match marker {
                SOS => return Ok(Some((content, self.segments.at))),
                EOI => {
                    self.ended = true;
                    break;
                }
                DHT => self.tables.huffman(content)?,
                DQT => self.tables.quantization(content)?,
                DRI => {
                    let &[high, low] = content else {
                        return Err(Wrong.into());
                    };
                    self.tables.restart = usize::from(u16::from_be_bytes([high, low]));
                }
                APP1 => {
                    if let Some(content) = content.strip_prefix(b"Exif\0\0") {
                        self.exif.push(content);
                    } else if let Some(content) =
                        content.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0")
                    {
                        self.xmp.get_or_insert(content);
                    }
                }
                APP14 if content.starts_with(b"Adobe") => self.transform = content.get(11).copied(),
                DNL => return Err("its height stands behind its pixels".into()),
                marker if is_frame(marker) => {
                    if self.frame.is_some() {
                        return Err(Wrong.into());
                    }
                    self.frame = Some(Frame::read(marker, content)?);
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Goes on behind the data of a scan.
    pub fn go_on(&mut self, at: usize) {
        self.segments.at = at;
    }
}

/// The markers of a file with their contents, as far as they have any.
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    /// The next one; none at the end of the file.
    fn next(&mut self) -> Result<Option<(u8, &'a [u8])>, Problem> {
        loop {
            // Some cameras leave bytes between segments; decoders pass over them.
            let Some(skipped) = self.bytes[self.at..].iter().position(|&byte| byte == 0xff) else {
                return Ok(None);
            };
            self.at += skipped;
            let Some(&marker) = self.bytes.get(self.at + 1) else {
                return Ok(None);
            };
            match marker {
                0xff => self.at += 1,
                EOI => {
                    self.at += 2;
                    return Ok(Some((EOI, &[])));
                }
                0 | 1 | SOI | 0xd0..=0xd7 => self.at += 2,
                _ => break,
            }
        }
        let rest = &self.bytes[self.at + 2..];
        let &[high, low, ..] = rest else {
            return Err(Short.into());
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < 2 {
            return Err(Wrong.into());
        }
        let content = rest.get(2..length).ok_or(Short)?;
        let marker = self.bytes[self.at + 1];
        self.at += 2 + length;
        Ok(Some((marker, content)))
    }
}
