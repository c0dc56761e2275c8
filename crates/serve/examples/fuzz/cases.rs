//! What is asked.

use std::io::{Cursor, Write as _};

use axum::body::Bytes;
use flate2::{Compression, write::GzEncoder};
use image::{DynamicImage, ImageFormat};
use serde_json::{Value, json};

use crate::Failed;

const PIXELS: usize = 28 * 28;
const INFER: &str = "/v2/models/model/infer";
/// Bytes of a large body, which may have 16 MB.
const LARGE: usize = 15_800_000;
/// Bytes of a piece of a large body, at most.
const PIECE: usize = 1 << 16;
/// Of so many bodies one is large.
const RARE: usize = 10_000;

/// Address, lines of the head, body.
type Parts = (String, Vec<(&'static str, String)>, Vec<u8>);

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators").
pub struct Random(pub u64);

impl Random {
    /// A number below `limit`, which is above 0.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        ((u128::from(bits) * limit as u128) >> 64) as usize
    }

    fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// A request.
pub struct Case {
    pub uri: String,
    pub lines: Vec<(&'static str, String)>,
    /// In pieces, which large bodies share with each other: the memory that is watched is the server's.
    pub body: Vec<Bytes>,
}

/// What the queue gave.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Of an item or a first picture.
    id: Option<String>,
    /// An item and its lease.
    item: Option<(String, String)>,
}

impl Known {
    /// Remembers what an answer gives.
    pub fn learn(&mut self, said: &Value) {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        self.id = text(&said["first"]).or(self.id.take());
        let item = &said["item"];
        let item = text(&item["id"]).zip(text(&item["lease"]));
        self.item = item.or(self.item.take());
    }
}

/// Valid bodies to begin with.
pub struct Seeds {
    json: Vec<Vec<u8>>,
    /// JSON and the bytes behind it.
    binary: Vec<(Vec<u8>, Vec<u8>)>,
    pictures: Vec<Vec<u8>>,
    people: Vec<Vec<u8>>,
    /// Large ones.
    large: Vec<Bytes>,
    /// More than a body may have, compressed.
    bomb: Bytes,
}

/// What stands in JSON in the place of something else.
const WORDS: [&str; 28] = [
    "0",
    "-1",
    "1",
    "255",
    "256",
    "0.5",
    "1e400",
    "NaN",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775807",
    "4294967296",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "[[[[[[[[[[",
    "]]]]",
    "\"UINT8\"",
    "\"FP32\"",
    "\"images\"",
    "\"data\":[1]",
    "\"binary_data_size\":784",
    "\"shape\":[0,1,28,28]",
    "\"\\ud800\"",
    "\"name\":\"set\"",
    "\u{0}",
];

impl Seeds {
    /// # Errors
    /// If a picture can't be written.
    pub fn new() -> Result<Self, Failed> {
        let tensor = |data: Value, shape: [usize; 4]| json!({ "name": "images", "datatype": "UINT8", "shape": shape, "data": data });
        let flat = json!((0..PIXELS).map(|index| index % 256).collect::<Vec<_>>());
        let nested = json!([[vec![vec![7; 28]; 28]]]);
        let all = json!([
            { "name": "probabilities" }, { "name": "logits" }, { "name": "class" }, { "name": "set" },
            { "name": "reason", "parameters": { "binary_data": true } },
        ]);
        let json = [
            json!({ "id": "a", "inputs": [tensor(flat.clone(), [1, 1, 28, 28])] }),
            json!({ "inputs": [tensor(nested, [1, 1, 28, 28])], "outputs": all, "parameters": { "timeout": 5 } }),
            json!({ "inputs": [tensor(json!([]), [0, 1, 28, 28])], "parameters": { "binary_data_output": true } }),
            json!({ "inputs": [tensor(json!([1, 2, 3]), [1, 1, 28, 28])] }),
        ];
        let head = |count: usize, outputs: Value| {
            let input = json!({
                "name": "images", "datatype": "UINT8", "shape": [count, 1, 28, 28],
                "parameters": { "binary_data_size": count * PIXELS },
            });
            json!({ "id": "\u{e9}", "inputs": [input], "outputs": outputs })
                .to_string()
                .into_bytes()
        };
        let bytes = |count: usize| {
            (0..count * PIXELS)
                .map(|index| (index % 251) as u8)
                .collect()
        };
        let binary = vec![
            (head(1, all.clone()), bytes(1)),
            (head(3, json!([{ "name": "class" }])), bytes(3)),
            (head(0, json!([])), Vec::new()),
        ];
        let mut pictures = Vec::new();
        for (width, height) in [(28, 28), (40, 24), (1, 1)] {
            let mut picture = image::GrayImage::from_pixel(width, height, image::Luma([250]));
            for step in 4..height.saturating_sub(4) {
                for column in 10..width.min(15) {
                    picture.put_pixel(column, step, image::Luma([10]));
                }
            }
            let picture = DynamicImage::ImageLuma8(picture);
            let formats = [
                ImageFormat::Png,
                ImageFormat::Jpeg,
                ImageFormat::WebP,
                ImageFormat::Bmp,
            ];
            for format in formats {
                let mut bytes = Cursor::new(Vec::new());
                DynamicImage::from(picture.to_rgb8()).write_to(&mut bytes, format)?;
                pictures.push(bytes.into_inner());
            }
        }
        let people = [
            json!({ "reviewer": "ann" }),
            json!({ "reviewer": "ann", "lease": "0123456789abcdef", "answer": "3", "key": "k" }),
        ];
        let written = |values: &[Value]| {
            values
                .iter()
                .map(|value| value.to_string().into())
                .collect()
        };
        let noise = |width, height| {
            let mut random = Random(0);
            let pixel = |_, _| image::Luma([random.below(256) as u8]);
            DynamicImage::ImageLuma8(image::GrayImage::from_fn(width, height, pixel))
        };
        let mut large = Vec::new();
        for picture in [noise(3900, 4000), DynamicImage::new_luma8(9000, 9000)] {
            let mut bytes = Cursor::new(Vec::new());
            picture.write_to(&mut bytes, ImageFormat::Png)?;
            large.push(bytes.into_inner().into());
        }
        Ok(Seeds {
            large,
            bomb: gzip(&vec![b' '; 3 * LARGE])?.into(),
            json: written(&json),
            people: written(&people),
            binary,
            pictures,
        })
    }

    /// A request of random changes, or now and then without any.
    ///
    /// # Errors
    /// If compressing fails.
    pub fn case(&self, known: &Known, random: &mut Random) -> Result<Case, Failed> {
        if random.below(RARE) == 0 {
            return Ok(self.large(random));
        }
        let (uri, mut lines, mut body) = match random.below(64) {
            0..=26 => {
                let mut body = random.one_of(&self.json).clone();
                change_text(&mut body, random);
                (INFER.to_owned(), Vec::new(), body)
            }
            27..=53 => self.binary(random),
            54..=56 => self.form(known, random),
            57..=60 => {
                let mut body = random.one_of(&self.pictures).clone();
                change(&mut body, random);
                let (uri, lines) = picture(known, random);
                (uri, lines, body)
            }
            61..=62 => {
                let length = *random.one_of(&[0, 1, 783, 784, 784, 785, 4096]);
                let body = (0..length).map(|_| random.below(256) as u8).collect();
                let uri = "/predict/pixels?review=false&pixels=true".to_owned();
                (uri, Vec::new(), body)
            }
            _ => self.person(known, random),
        };
        if random.below(32) == 0 {
            body = gzip(&body)?;
            if random.below(2) == 0 {
                change(&mut body, random);
            }
            lines.push(("content-encoding", "gzip".to_owned()));
        }
        Ok(Case {
            uri,
            lines,
            body: vec![body.into()],
        })
    }

    /// A body of nearly all the bytes that it may have, or that is more when it is unpacked.
    fn large(&self, random: &mut Random) -> Case {
        let element = random.one_of(&["0", "[]", "{}", "\"\"", "null", "{\"name\":\"class\"}"]);
        let many = format!("{element},");
        let field = random.one_of(&["shape", "data", "parameters", "name"]);
        let of_input = format!("{{\"inputs\":[{{\"{field}\":[");
        let (before, repeated, after) = match random.below(12) {
            0 => ("{\"inputs\":[", &*many, "0]}"),
            1 => ("{\"inputs\":[],\"outputs\":[", &*many, "0]}"),
            2 => ("{\"inputs\":[],\"parameters\":{\"x\":[", &*many, "0]}}"),
            3 => ("{\"x\":[", &*many, "0],\"inputs\":[]}"),
            4 => (&*of_input, &*many, "0]}]}"),
            5 => ("{\"inputs\":", "[", ""),
            6 => ("{\"x\":", "{\"a\":", ""),
            7 => ("{\"inputs\":[],\"id\":\"", "\\n", "\"}"),
            8 => ("{\"inputs\":\"", "\\\"", "\"}"),
            9 => ("{\"reviewer\":\"", "a", "\"}"),
            10 => {
                return Case {
                    uri: INFER.to_owned(),
                    lines: vec![("content-encoding", "gzip".to_owned())],
                    body: vec![self.bomb.clone()],
                };
            }
            _ => {
                let picture = random.one_of(&self.large);
                let pieces = (0..picture.len()).step_by(PIECE);
                let pieces = pieces.map(|at| picture.slice(at..picture.len().min(at + PIECE)));
                return Case {
                    uri: "/predict?review=false".to_owned(),
                    lines: Vec::new(),
                    body: change_one(pieces.collect(), random),
                };
            }
        };
        let piece = Bytes::from(repeated.repeat(PIECE / repeated.len()));
        let mut body = vec![piece.clone(); LARGE / piece.len()];
        body.insert(0, Bytes::from(before.to_owned()));
        body.push(Bytes::from(after.to_owned()));
        if random.below(2) == 0 {
            body = change_one(body, random);
        }
        let uri = match repeated {
            "a" => "/review/next",
            _ => INFER,
        };
        Case {
            uri: uri.to_owned(),
            lines: Vec::new(),
            body,
        }
    }

    /// What a person says, of an item that is theirs or of one that never was.
    fn person(&self, known: &Known, random: &mut Random) -> Parts {
        let unknown = || ("0123456789abcdef".repeat(2), "fedcba9876543210".repeat(2));
        let (id, lease) = match &known.item {
            Some(item) if random.below(2) == 0 => item.clone(),
            _ => unknown(),
        };
        let key = random.below(1000);
        let mut body = match random.below(2) {
            0 => random.one_of(&self.people).clone(),
            _ => {
                json!({ "reviewer": "ann", "lease": lease, "answer": "3", "key": key.to_string() })
                    .to_string()
                    .into_bytes()
            }
        };
        if random.below(4) > 0 {
            change_text(&mut body, random);
        }
        let uri = match random.below(6) {
            0 => "/review/next".to_owned(),
            1 => format!("/review/{id}/answer"),
            2 => format!("/review/{id}/skip"),
            3 => format!("/review/{id}/renew"),
            4 => "/review/x/skip".to_owned(),
            _ => "/review/undo".to_owned(),
        };
        (uri, Vec::new(), body)
    }

    fn binary(&self, random: &mut Random) -> Parts {
        let (mut head, mut tensors) = random.one_of(&self.binary).clone();
        if random.below(2) == 0 {
            change_text(&mut head, random);
        }
        if random.below(3) == 0 {
            change(&mut tensors, random);
        }
        let length = match random.below(12) {
            0 => (head.len() + random.below(3)).saturating_sub(1).to_string(),
            1 => random
                .one_of(&[
                    "",
                    "-1",
                    "x",
                    "0",
                    "18446744073709551616",
                    "99999999999",
                    "+5",
                    " 7",
                ])
                .to_string(),
            2 => random.below(head.len() + tensors.len() + 2).to_string(),
            _ => head.len().to_string(),
        };
        head.append(&mut tensors);
        let lines = vec![("inference-header-content-length", length)];
        (INFER.to_owned(), lines, head)
    }

    fn form(&self, known: &Known, random: &mut Random) -> Parts {
        let field = random.one_of(&["picture", "picture", "picture", "file", "", "\u{e9}"]);
        let mut body = format!(
            "--x\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"a\"\r\n\r\n"
        )
        .into_bytes();
        let mut seed = random.one_of(&self.pictures).clone();
        if random.below(2) == 0 {
            change(&mut seed, random);
        }
        body.append(&mut seed);
        body.extend(b"\r\n--x--\r\n");
        if random.below(2) == 0 {
            change(&mut body, random);
        }
        let kinds = [
            "multipart/form-data; boundary=x",
            "multipart/form-data",
            "multipart/form-data; boundary=\"",
            "multipart/form-data; boundary=xx",
        ];
        let kind = match random.below(4) {
            0 => random.one_of(&kinds).to_string(),
            _ => kinds[0].to_owned(),
        };
        let (uri, mut lines) = picture(known, random);
        lines.push(("content-type", kind));
        (uri, lines, body)
    }
}

/// Where a picture goes: now and then to people, or as the second of one before.
fn picture(known: &Known, random: &mut Random) -> (String, Vec<(&'static str, String)>) {
    let people = random.below(64) == 0;
    let mut lines = Vec::new();
    if people || random.below(64) == 0 {
        let unknown = || "0123456789abcdef".repeat(2);
        let id = match random.below(4) {
            0 => unknown(),
            1 => "\u{e9}".to_owned(),
            _ => known.id.clone().unwrap_or_else(unknown),
        };
        lines.push(("x-first", id));
    }
    // The first of a second.
    if random.below(2) == 0 {
        lines.clear();
    }
    (format!("/predict?review={people}"), lines)
}

fn gzip(body: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(body)?;
    Ok(packed.finish()?)
}

/// Random changes of bytes.
fn change(body: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(6) {
        let at = random.below(body.len() + 1);
        match random.below(7) {
            0 => body.truncate(at),
            1 => body.insert(at, random.below(256) as u8),
            2 => {
                let end = (at + random.below(16)).min(body.len());
                body.drain(at..end);
            }
            3 => {
                let end = (at + random.below(64)).min(body.len());
                let piece = body[at..end].to_vec();
                let to = random.below(body.len() + 1);
                body.splice(to..to, piece);
            }
            4 => {
                // Sizes and counts, in either order of bytes.
                let value =
                    *random.one_of(&[0_u32, 1, 0x7fff_ffff, 0xffff_ffff, 0x8000_0000, 0x1_0000]);
                for (byte, new) in body.iter_mut().skip(at).zip(value.to_be_bytes()) {
                    *byte = new;
                }
            }
            5 => {
                if let Some(byte) = body.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            _ => {
                if let Some(byte) = body.get_mut(at) {
                    *byte = random.below(256) as u8;
                }
            }
        }
    }
}

/// Random changes of the first piece, the last or one between.
fn change_one(mut pieces: Vec<Bytes>, random: &mut Random) -> Vec<Bytes> {
    let last = pieces.len().saturating_sub(1);
    let at = *random.one_of(&[0, random.0 as usize % pieces.len().max(1), last]);
    if let Some(piece) = pieces.get_mut(at) {
        let mut bytes = piece.to_vec();
        change(&mut bytes, random);
        *piece = bytes.into();
    }
    pieces
}

/// Random changes of JSON, half of which leave most of it standing.
fn change_text(body: &mut Vec<u8>, random: &mut Random) {
    if random.below(2) == 0 {
        return change(body, random);
    }
    for _ in 0..1 + random.below(3) {
        // From one mark to the next: an element, a key, a value.
        let marks = b",:[]{}\"";
        let at = random.below(body.len() + 1);
        let start = body[..at]
            .iter()
            .rposition(|byte| marks.contains(byte))
            .map_or(0, |mark| mark + 1);
        let end = body[at..]
            .iter()
            .position(|byte| marks.contains(byte))
            .map_or(body.len(), |mark| at + mark);
        let word = random.one_of(&WORDS).bytes();
        body.splice(start..end.max(start), word);
    }
}
