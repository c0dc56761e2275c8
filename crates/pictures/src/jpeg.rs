//! What a JPEG file holds: its frame, the notes of the camera, and whether the data of its pixels are
//! whole (ITU-T T.81).
//!
//! The decoder fills what is missing with grey and says nothing. Here the entropy-coded data are
//! walked through to the last block without reconstructing pixels: they must hold exactly the blocks
//! that the frame needs. On the way, the mean of each block is at hand: the picture at an eighth of its
//! size, which is how pictures are read that would be too large for the memory.

use image::{DynamicImage, GrayImage, RgbImage};

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DQT: u8 = 0xdb;
const DHT: u8 = 0xc4;
const DRI: u8 = 0xdd;
const DNL: u8 = 0xdc;
const APP1: u8 = 0xe1;
const APP14: u8 = 0xee;

/// Bytes of one value that may fill the space between the data of a scan and the next marker.
const PADDING: usize = 64;

/// Why a file can't be believed, in the words of an error.
type Problem = String;

/// What is wrong with data; small, because every symbol may return it.
#[derive(Clone, Copy)]
enum Damage {
    Short,
    Wrong,
    Long,
}

use Damage::{Short, Wrong};

impl From<Damage> for Problem {
    fn from(damage: Damage) -> Self {
        match damage {
            Damage::Short => "its data end early",
            Damage::Wrong => "its data are damaged",
            Damage::Long => "it holds more data than pixels",
        }
        .into()
    }
}

pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, SOI, 0xff])
}

/// The frame of a file, and what stands in its segments up to the first pixels.
pub(crate) struct Header<'a> {
    pub width: u32,
    pub height: u32,
    pub components: usize,
    /// Bytes of coefficients that the decoder keeps until the last scan, beside the pixels.
    pub coefficients: u64,
    /// Bytes that [`check`] takes for the picture at an eighth of its size.
    pub eighth: u64,
    /// The contents of the Exif segments behind their name, in their order.
    pub exif: Vec<&'a [u8]>,
    /// The XMP packet.
    pub xmp: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// # Errors
    ///
    /// If the file ends before its pixels or is of a kind that the decoder doesn't read.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Problem> {
        let mut segments = Segments::new(bytes);
        let mut frame = None;
        let (mut exif, mut xmp) = (Vec::new(), None);
        loop {
            match segments.next()? {
                Some((APP1, content)) => {
                    if let Some(content) = content.strip_prefix(b"Exif\0\0") {
                        exif.push(content);
                    } else if let Some(content) =
                        content.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0")
                    {
                        xmp.get_or_insert(content);
                    }
                }
                Some((marker, content)) if is_frame(marker) => {
                    frame = Some(Frame::read(marker, content)?);
                }
                Some((SOS, content)) => {
                    let frame = frame.ok_or(Wrong)?;
                    let scanned = content.first().map_or(0, |&count| usize::from(count));
                    let whole = !frame.progressive && scanned == frame.components.len();
                    // The decoder mixes up the pixels of both kinds of files.
                    if frame.is_colour_finer() {
                        return Err("its colours have more pixels than its light".into());
                    }
                    if !frame.progressive && !whole && frame.is_subsampled() {
                        return Err("its colours are stored one after another".into());
                    }
                    let blocks = frame
                        .components
                        .iter()
                        .map(Component::blocks)
                        .sum::<usize>() as u64;
                    return Ok(Header {
                        width: frame.width as u32,
                        height: frame.height as u32,
                        components: frame.components.len(),
                        coefficients: if whole { 0 } else { 128 * blocks },
                        eighth: (if frame.progressive { 13 } else { 5 }) * blocks,
                        exif,
                        xmp,
                    });
                }
                Some(_) => {}
                None => return Err(Short.into()),
            }
        }
    }
}

/// Walks through all data of a file. With `eighth` it returns the picture at an eighth of its size.
///
/// # Errors
///
/// If the data hold less or more than the picture, or are no JPEG data.
pub(crate) fn check(bytes: &[u8], eighth: bool) -> Result<Option<DynamicImage>, Problem> {
    let mut segments = Segments::new(bytes);
    let mut tables = Tables::default();
    let mut picture: Option<Picture> = None;
    let mut transform = None;
    let mut ended = false;
    while let Some((marker, content)) = segments.next()? {
        match marker {
            EOI => {
                ended = true;
                break;
            }
            DHT => tables.huffman(content)?,
            DQT => tables.quantization(content)?,
            DRI => {
                let &[high, low] = content else {
                    return Err(Wrong.into());
                };
                tables.restart = usize::from(u16::from_be_bytes([high, low]));
            }
            APP14 if content.starts_with(b"Adobe") => transform = content.get(11).copied(),
            DNL => return Err("its height stands behind its pixels".into()),
            SOS => {
                let picture = picture.as_mut().ok_or(Wrong)?;
                let scan = Scan::read(content, &picture.frame)?;
                segments.at = scan.walk(bytes, segments.at, &tables, picture)?;
            }
            marker if is_frame(marker) => {
                if picture.is_some() {
                    return Err(Wrong.into());
                }
                picture = Some(Picture::new(Frame::read(marker, content)?, eighth));
            }
            _ => {}
        }
    }
    let picture = picture.ok_or(Short)?;
    // A file that has lost its last marker alone is whole; one that has lost a scan isn't.
    if !picture.is_whole(ended) {
        return Err(Short.into());
    }
    match eighth {
        true => picture.eighth(&tables, transform).map(Some),
        false => Ok(None),
    }
}

/// The markers of a file with their contents, as far as they have any.
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Segments { bytes, at: 2 }
    }

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

/// Whether a marker begins a frame: `C0` to `CF` but for three that define tables.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

struct Component {
    id: u8,
    horizontal: usize,
    vertical: usize,
    table: usize,
    /// Columns and rows of blocks, with those that fill the last unit.
    padded: (usize, usize),
    /// Columns and rows of blocks that hold pixels.
    used: (usize, usize),
}

impl Component {
    fn blocks(&self) -> usize {
        self.padded.0 * self.padded.1
    }
}

struct Frame {
    width: usize,
    height: usize,
    progressive: bool,
    /// Columns and rows of units: one block of each component, or several where one has more pixels.
    units: (usize, usize),
    components: Vec<Component>,
}

impl Frame {
    fn read(marker: u8, content: &[u8]) -> Result<Self, Problem> {
        let progressive = match marker {
            0xc0 | 0xc1 => false,
            0xc2 => true,
            0xc3 => return Err("lossless JPEG".into()),
            0xc9 | 0xca => return Err("arithmetic coding".into()),
            _ => return Err("a kind of JPEG that is hardly used".into()),
        };
        let &[precision, y1, y0, x1, x0, count, ref list @ ..] = content else {
            return Err(Short.into());
        };
        if precision != 8 {
            return Err(format!("{precision} bits a channel in a JPEG"));
        }
        let side = |high, low| usize::from(u16::from_be_bytes([high, low]));
        let (width, height) = (side(x1, x0), side(y1, y0));
        if width == 0 || height == 0 || list.len() != 3 * usize::from(count) {
            return Err(Wrong.into());
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(format!("{count} channels in a JPEG"));
        }
        let mut components = Vec::new();
        for entry in list.chunks_exact(3) {
            let (horizontal, vertical) = (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
            if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) || entry[2] > 3 {
                return Err(Wrong.into());
            }
            components.push(Component {
                id: entry[0],
                horizontal,
                vertical,
                table: usize::from(entry[2]),
                padded: (0, 0),
                used: (0, 0),
            });
        }
        let most =
            |factor: fn(&Component) -> usize| components.iter().map(factor).max().unwrap_or(1);
        let (across, down) = (most(|c| c.horizontal), most(|c| c.vertical));
        let units = (width.div_ceil(8 * across), height.div_ceil(8 * down));
        for component in &mut components {
            let (h, v) = (component.horizontal, component.vertical);
            component.padded = (units.0 * h, units.1 * v);
            component.used = (
                (width * h).div_ceil(8 * across),
                (height * v).div_ceil(8 * down),
            );
        }
        Ok(Frame {
            width,
            height,
            progressive,
            units,
            components,
        })
    }

    /// Whether a later component has more columns or rows than the first.
    fn is_colour_finer(&self) -> bool {
        let first = &self.components[0];
        self.components.iter().any(|component| {
            component.horizontal > first.horizontal || component.vertical > first.vertical
        })
    }

    fn is_subsampled(&self) -> bool {
        let first = &self.components[0];
        self.components.iter().any(|component| {
            (component.horizontal, component.vertical) != (first.horizontal, first.vertical)
        })
    }
}

/// Bits of a code that are looked up at once.
const LOOKUP: u32 = 9;

struct Huffman {
    /// For the next bits: the symbol and the length of its code, 0 if it is longer.
    lookup: Box<[(u8, u8)]>,
    /// For each length, the first code beyond it, shifted to 16 bits.
    limits: [u32; 17],
    /// For each length, what to add to a code for the place of its symbol.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

impl Huffman {
    fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self, Problem> {
        let mut table = Huffman {
            lookup: vec![(0, 0); 1 << LOOKUP].into_boxed_slice(),
            limits: [0; 17],
            offsets: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut place) = (0_u32, 0_usize);
        for length in 1..=16_u32 {
            table.offsets[length as usize] = place as i32 - code as i32;
            for _ in 0..counts[length as usize - 1] {
                if code >> length != 0 {
                    return Err(Wrong.into());
                }
                if length <= LOOKUP {
                    let first = (code << (LOOKUP - length)) as usize;
                    let entry = (symbols[place], length as u8);
                    table.lookup[first..first + (1 << (LOOKUP - length))].fill(entry);
                }
                code += 1;
                place += 1;
            }
            table.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Ok(table)
    }
}

#[derive(Default)]
struct Tables {
    direct: [Option<Huffman>; 4],
    alternating: [Option<Huffman>; 4],
    /// The divisor of a block's mean.
    quantization: [Option<u16>; 4],
    /// Units from one restart marker to the next; 0 without them.
    restart: usize,
}

impl Tables {
    fn huffman(&mut self, mut content: &[u8]) -> Result<(), Problem> {
        while let Some((&kind, rest)) = content.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(Short)?;
            let symbols = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = rest.get(..symbols).ok_or(Short)?;
            let tables = match kind >> 4 {
                0 => &mut self.direct,
                1 => &mut self.alternating,
                _ => return Err(Wrong.into()),
            };
            let table = tables.get_mut(usize::from(kind & 15)).ok_or(Wrong)?;
            *table = Some(Huffman::new(counts, symbols)?);
            content = &rest[symbols.len()..];
        }
        Ok(())
    }

    fn quantization(&mut self, mut content: &[u8]) -> Result<(), Problem> {
        while let Some((&kind, rest)) = content.split_first() {
            let (size, first) = match (kind >> 4, rest) {
                (0, &[first, ..]) => (64, u16::from(first)),
                (1, &[high, low, ..]) => (128, u16::from_be_bytes([high, low])),
                _ => return Err(Wrong.into()),
            };
            let table = self.quantization.get_mut(usize::from(kind & 15));
            *table.ok_or(Wrong)? = Some(first);
            content = rest.get(size..).ok_or(Short)?;
        }
        Ok(())
    }
}

/// What is known of the blocks of a component.
struct Blocks {
    /// The quantized mean of each, if it is asked for.
    means: Vec<i16>,
    /// For progressive files, a bit for each coefficient: whether it is set.
    set: Vec<u64>,
    /// For each coefficient, the bits that are still to come; none before its first scan.
    missing: [Option<u8>; 64],
}

struct Picture {
    frame: Frame,
    blocks: Vec<Blocks>,
}

impl Picture {
    fn new(frame: Frame, means: bool) -> Self {
        let blocks = frame.components.iter().map(|component| Blocks {
            means: vec![0; if means { component.blocks() } else { 0 }],
            set: vec![
                0;
                if frame.progressive {
                    component.blocks()
                } else {
                    0
                }
            ],
            missing: [None; 64],
        });
        let blocks = blocks.collect();
        Picture { frame, blocks }
    }

    /// Whether every block came. Coefficients that a progressive file with its last marker doesn't
    /// bring are zero.
    fn is_whole(&self, ended: bool) -> bool {
        let needed = if ended { 1 } else { 64 };
        self.blocks
            .iter()
            .all(|blocks| blocks.missing[..needed].iter().all(|&bits| bits == Some(0)))
    }

    /// The means of the blocks as a picture.
    fn eighth(&self, tables: &Tables, transform: Option<u8>) -> Result<DynamicImage, Problem> {
        let frame = &self.frame;
        let (width, height) = (frame.width.div_ceil(8), frame.height.div_ceil(8));
        let first = &frame.components[0];
        let (across, down) = (first.horizontal, first.vertical);
        let mut channels = Vec::new();
        for (component, blocks) in frame.components.iter().zip(&self.blocks) {
            let divisor = f32::from(tables.quantization[component.table].ok_or(Wrong)?);
            channels.push(move |x: usize, y: usize| {
                let (x, y) = (
                    x * component.horizontal / across,
                    y * component.vertical / down,
                );
                let mean = blocks.means[y * component.padded.0 + x];
                128.0 + f32::from(mean) * divisor / 8.0
            });
        }
        let ids: Vec<u8> = frame
            .components
            .iter()
            .map(|component| component.id)
            .collect();
        let is_rgb = transform == Some(0) || transform.is_none() && ids == *b"RGB";
        let (width, height) = (width as u32, height as u32);
        match channels.as_slice() {
            [grey] => Ok(GrayImage::from_fn(width, height, |x, y| {
                image::Luma([grey(x as usize, y as usize).round() as u8])
            })
            .into()),
            [first, second, third] => Ok(RgbImage::from_fn(width, height, |x, y| {
                let (x, y) = (x as usize, y as usize);
                let (first, second, third) = (first(x, y), second(x, y), third(x, y));
                let colour = if is_rgb {
                    [first, second, third]
                } else {
                    let (blue, red) = (second - 128.0, third - 128.0);
                    [
                        first + 1.402 * red,
                        first - 0.344_136 * blue - 0.714_136 * red,
                        first + 1.772 * blue,
                    ]
                };
                image::Rgb(colour.map(|value| value.round() as u8))
            })
            .into()),
            _ => Err("so large and of four colours".into()),
        }
    }
}

/// The coefficients of a scan.
#[derive(Clone, Copy)]
enum Coding {
    Sequential,
    DirectFirst,
    DirectRefine,
    AlternatingFirst,
    AlternatingRefine,
}

struct Scan {
    /// For each component: its place in the frame and the tables of its coefficients.
    components: Vec<(usize, usize, usize)>,
    first: u32,
    last: u32,
    low: u8,
    coding: Coding,
}

impl Scan {
    fn read(content: &[u8], frame: &Frame) -> Result<Self, Problem> {
        let (&count, rest) = content.split_first().ok_or(Short)?;
        let (list, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or(Short)?;
        let &[first, last, bits] = rest else {
            return Err(Wrong.into());
        };
        let mut components: Vec<(usize, usize, usize)> = Vec::new();
        for entry in list.chunks_exact(2) {
            let of_frame = frame.components.iter();
            let place = of_frame
                .map(|component| component.id)
                .position(|id| id == entry[0]);
            let place = place.ok_or(Wrong)?;
            let (direct, alternating) = (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
            if direct > 3 || alternating > 3 || components.iter().any(|&(other, ..)| other == place)
            {
                return Err(Wrong.into());
            }
            components.push((place, direct, alternating));
        }
        let (high, low) = (bits >> 4, bits & 15);
        let coding = match (frame.progressive, first, high) {
            (false, ..) => Coding::Sequential,
            (true, 0, 0) => Coding::DirectFirst,
            (true, 0, _) => Coding::DirectRefine,
            (true, _, 0) => Coding::AlternatingFirst,
            (true, ..) => Coding::AlternatingRefine,
        };
        let right = match coding {
            Coding::Sequential => true,
            Coding::DirectFirst | Coding::DirectRefine => last == 0 && low < 14,
            _ => first <= last && last < 64 && low < 14 && components.len() == 1,
        };
        if !right || components.is_empty() {
            return Err(Wrong.into());
        }
        let (first, last, low) = match frame.progressive {
            true => (first, last, low),
            // Some writers leave other values here, which mean nothing.
            false => (0, 63, 0),
        };
        Ok(Scan {
            components,
            first: u32::from(first),
            last: u32::from(last),
            low,
            coding,
        })
    }

    /// Walks through the data of the scan from `at`, and returns where they end.
    fn walk(
        &self,
        bytes: &[u8],
        at: usize,
        tables: &Tables,
        picture: &mut Picture,
    ) -> Result<usize, Problem> {
        let mut coders = Vec::new();
        for &(place, direct, alternating) in &self.components {
            let needs_direct = matches!(self.coding, Coding::Sequential | Coding::DirectFirst);
            let needs_alternating =
                !matches!(self.coding, Coding::DirectFirst | Coding::DirectRefine);
            let (direct, alternating) = (
                tables.direct[direct].as_ref(),
                tables.alternating[alternating].as_ref(),
            );
            if needs_direct && direct.is_none() || needs_alternating && alternating.is_none() {
                return Err("a table is missing".into());
            }
            coders.push((place, direct, alternating, 0_i16));
        }
        let frame = &picture.frame;
        let alone = coders.len() == 1;
        let (across, down) = match alone {
            true => frame.components[coders[0].0].used,
            false => frame.units,
        };
        let mut bits = Bits::new(bytes, at);
        let mut run = 0;
        let mut until_restart = tables.restart;
        let mut number = 0;
        for row in 0..down {
            for column in 0..across {
                if tables.restart > 0 {
                    if until_restart == 0 {
                        bits.restart(number)?;
                        number = (number + 1) % 8;
                        until_restart = tables.restart;
                        run = 0;
                        for coder in &mut coders {
                            coder.3 = 0;
                        }
                    }
                    until_restart -= 1;
                }
                for (place, direct, alternating, mean) in &mut coders {
                    let component = &frame.components[*place];
                    let blocks = &mut picture.blocks[*place];
                    let (h, v) = match alone {
                        true => (1, 1),
                        false => (component.horizontal, component.vertical),
                    };
                    for y in row * v..row * v + v {
                        for x in column * h..column * h + h {
                            let index = y * component.padded.0 + x;
                            match (self.coding, *direct, *alternating) {
                                (Coding::Sequential, Some(direct), Some(alternating)) => {
                                    bits.direct(direct, mean)?;
                                    if let Some(kept) = blocks.means.get_mut(index) {
                                        *kept = *mean;
                                    }
                                    bits.alternating(alternating)?;
                                }
                                (Coding::DirectFirst, Some(direct), _) => {
                                    bits.direct(direct, mean)?;
                                    if let Some(kept) = blocks.means.get_mut(index) {
                                        *kept = mean.wrapping_shl(self.low.into());
                                    }
                                }
                                (Coding::AlternatingFirst, _, Some(table)) => {
                                    let set = &mut blocks.set[index];
                                    bits.first(table, self.first, self.last, &mut run, set)?;
                                }
                                (Coding::AlternatingRefine, _, Some(table)) => {
                                    let set = &mut blocks.set[index];
                                    bits.refine(table, self.first, self.last, &mut run, set)?;
                                }
                                _ => {
                                    let bit = bits.take(1)? as i16;
                                    if let Some(kept) = blocks.means.get_mut(index) {
                                        *kept |= bit << self.low;
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        for &(place, ..) in &self.components {
            let missing = &mut picture.blocks[place].missing;
            missing[self.first as usize..=self.last as usize].fill(Some(self.low));
        }
        Ok(bits.finish()?)
    }
}

/// The bits of a scan.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, the first of them highest.
    next: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Bits {
            bytes,
            at,
            next: 0,
            count: 0,
        }
    }

    /// Fetches at least 32 bits, if a marker or the end of the file isn't nearer.
    #[inline]
    fn fetch(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(&eight) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_be_bytes(eight);
            // Whether one of the bytes is FF.
            let ones = (!word).wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080;
            if ones == 0 {
                let bytes = (64 - self.count) / 8;
                let fetched = word >> (64 - 8 * bytes);
                self.next |= fetched << (64 - 8 * bytes) >> self.count;
                self.at += bytes as usize;
                self.count += 8 * bytes;
                return;
            }
        }
        while self.count <= 56 {
            let Some(byte) = self.byte() else { return };
            self.next |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next byte of data; none before a marker and at the end of the file.
    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let &byte = self.bytes.get(self.at)?;
        if byte == 0xff {
            if self.bytes.get(self.at + 1) != Some(&0) {
                return None;
            }
            self.at += 1;
        }
        self.at += 1;
        Some(byte)
    }

    #[inline]
    fn skip(&mut self, count: u32) -> Result<(), Damage> {
        if count > self.count {
            return Err(Short);
        }
        self.next <<= count;
        self.count -= count;
        Ok(())
    }

    /// Up to 16 bits as a number.
    #[inline]
    fn take(&mut self, count: u32) -> Result<u32, Damage> {
        self.fetch();
        let value = if count == 0 {
            0
        } else {
            self.next >> (64 - count)
        };
        self.skip(count)?;
        Ok(value as u32)
    }

    /// The next symbol; at least 16 more bits are fetched then, if there are any.
    #[inline]
    fn symbol(&mut self, table: &Huffman) -> Result<u8, Damage> {
        self.fetch();
        let (symbol, length) = table.lookup[(self.next >> (64 - LOOKUP)) as usize];
        if length > 0 {
            self.skip(length.into())?;
            return Ok(symbol);
        }
        let code = (self.next >> 48) as u32;
        let length = (LOOKUP + 1..=16).find(|&length| code < table.limits[length as usize]);
        let Some(length) = length else {
            // Beyond the end there are zeros, but all of the last bits may be ones.
            return Err(if self.count < 16 { Short } else { Wrong });
        };
        self.skip(length)?;
        let place = (code >> (16 - length)) as i32 + table.offsets[length as usize];
        let symbol = usize::try_from(place)
            .ok()
            .and_then(|place| table.symbols.get(place));
        symbol.copied().ok_or(Wrong)
    }

    /// The difference of a block's mean from the one before.
    #[inline]
    fn direct(&mut self, table: &Huffman, mean: &mut i16) -> Result<(), Damage> {
        let size = u32::from(self.symbol(table)?);
        if size > 11 {
            return Err(Wrong);
        }
        if size > 0 {
            let value = self.take(size)? as i16;
            let negative = value < 1 << (size - 1);
            let value = if negative {
                value - (1 << size) + 1
            } else {
                value
            };
            *mean = mean.wrapping_add(value);
        }
        Ok(())
    }

    /// All coefficients but the first of a sequential block.
    #[inline]
    fn alternating(&mut self, table: &Huffman) -> Result<(), Damage> {
        let mut place = 1;
        while place < 64 {
            let symbol = self.symbol(table)?;
            let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                if zeros < 15 {
                    return Ok(());
                }
                place += 16;
                continue;
            }
            place += zeros + 1;
            self.skip(size)?;
        }
        match place {
            64 => Ok(()),
            _ => Err(Wrong),
        }
    }

    /// The first bits of a progressive block's coefficients.
    fn first(
        &mut self,
        table: &Huffman,
        first: u32,
        last: u32,
        run: &mut u32,
        set: &mut u64,
    ) -> Result<(), Damage> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let mut place = first;
        while place <= last {
            let symbol = self.symbol(table)?;
            let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                if zeros < 15 {
                    *run = (1 << zeros) - 1 + self.take(zeros)?;
                    return Ok(());
                }
                place += 16;
                continue;
            }
            place += zeros;
            if place > last {
                return Err(Wrong);
            }
            self.skip(size)?;
            *set |= 1 << place;
            place += 1;
        }
        Ok(())
    }

    /// One more bit of a progressive block's coefficients.
    fn refine(
        &mut self,
        table: &Huffman,
        first: u32,
        last: u32,
        run: &mut u32,
        set: &mut u64,
    ) -> Result<(), Damage> {
        let mut place = first;
        if *run == 0 {
            while place <= last {
                let symbol = self.symbol(table)?;
                let (mut zeros, size) = (symbol >> 4, symbol & 15);
                match size {
                    0 if zeros < 15 => {
                        *run = (1 << zeros) + self.take(zeros.into())?;
                        break;
                    }
                    0 => {}
                    1 => self.skip(1)?,
                    _ => return Err(Wrong),
                }
                while place <= last {
                    if *set >> place & 1 == 1 {
                        self.take(1)?;
                    } else if zeros == 0 {
                        break;
                    } else {
                        zeros -= 1;
                    }
                    place += 1;
                }
                if size == 1 {
                    if place > last {
                        return Err(Wrong);
                    }
                    *set |= 1 << place;
                }
                place += 1;
            }
        }
        if *run > 0 {
            *run -= 1;
            if place <= last {
                let mut left = (*set & (u64::MAX >> (63 - last))) >> place;
                left = u64::from(left.count_ones());
                while left > 0 {
                    let some = left.min(16) as u32;
                    self.take(some)?;
                    left -= u64::from(some);
                }
            }
        }
        Ok(())
    }

    /// Passes over the restart marker with a number, which must come now.
    fn restart(&mut self, number: u8) -> Result<(), Damage> {
        let at = self.finish()?;
        let mut at = at;
        while self.bytes.get(at + 1) == Some(&0xff) {
            at += 1;
        }
        match self.bytes.get(at..at + 2) {
            Some(&[0xff, marker]) if marker == 0xd0 + number => {
                *self = Bits::new(self.bytes, at + 2);
                Ok(())
            }
            Some(&[0xff, 0xd0..=0xd7]) => Err(Wrong),
            _ => Err(Short),
        }
    }

    /// Where the marker stands that ends the data, behind which nothing but padding may be left.
    fn finish(&mut self) -> Result<usize, Damage> {
        let mut padding = None;
        let mut left = 0;
        // The rest of the last byte is no data.
        let rest = self.count % 8;
        self.skip(rest)?;
        loop {
            let byte = match self.count {
                0 => self.byte(),
                _ => Some(self.take(8)? as u8),
            };
            let Some(byte) = byte else { return Ok(self.at) };
            left += 1;
            let same = *padding.get_or_insert(byte) == byte && matches!(byte, 0 | 0xff);
            if left > PADDING || !same {
                return Err(Damage::Long);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_eighth_is_the_mean_of_each_block() {
        let files: [&[u8]; 8] = [
            include_bytes!("../tests/fixtures/baseline-420.jpg"),
            include_bytes!("../tests/fixtures/baseline-440.jpg"),
            include_bytes!("../tests/fixtures/baseline-rgb.jpg"),
            include_bytes!("../tests/fixtures/restart-420.jpg"),
            include_bytes!("../tests/fixtures/progressive-420.jpg"),
            include_bytes!("../tests/fixtures/progressive-grey.jpg"),
            include_bytes!("../tests/fixtures/progressive-restart-420.jpg"),
            include_bytes!("../tests/fixtures/noninterleaved-444.jpg"),
        ];
        for (number, bytes) in files.into_iter().enumerate() {
            let whole = image::load_from_memory(bytes).unwrap().into_luma8();
            let eighth = check(bytes, true).unwrap().unwrap();
            let size = (whole.width().div_ceil(8), whole.height().div_ceil(8));
            assert_eq!((eighth.width(), eighth.height()), size);
            let eighth = eighth.into_luma8();
            // Those at the right and lower edge are filled up with what nobody sees.
            for (x, y) in
                (0..whole.height() / 8).flat_map(|y| (0..whole.width() / 8).map(move |x| (x, y)))
            {
                let block =
                    (0..64).map(|k| u32::from(whole.get_pixel(8 * x + k % 8, 8 * y + k / 8)[0]));
                let mean = block.sum::<u32>() as f32 / 64.0;
                let apart = (mean - f32::from(eighth.get_pixel(x, y)[0])).abs();
                assert!(apart < 6.0, "file {number}, block {x}, {y}: {apart}");
            }
        }
    }
}
