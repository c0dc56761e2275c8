//! PNG files whose lengths, checks and compressed streams are right, so that the fuzzer gets behind
//! them to what the chunks say.
//!
//! The input is width, height, depth, colour type, interlacing and the number of chunks, a byte each;
//! then the chunks, each as a byte that chooses its type, a byte with its length and its content; then
//! the pixels. The chunks stand before the pixels, the last one behind them if its type says so.

#![no_main]

use std::io::Write;

use flate2::{Compression, Crc, write::ZlibEncoder};
use libfuzzer_sys::fuzz_target;
use pictures::picture;

/// Larger pictures are only slower.
const SIDE: u8 = 48;
const CHUNKS: usize = 8;
const PLAIN: [&[u8; 4]; 15] = [
    b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs", b"eXIf", b"tEXt",
    b"cICP", b"mDCV", b"cLLI", b"acTL", b"fcTL",
];
/// Their content is compressed, behind a name and the method.
const COMPRESSED: [(&[u8; 4], &[u8]); 3] = [
    (b"iCCP", b"name\0\0"),
    (b"zTXt", b"name\0\0"),
    (b"iTXt", b"name\0\x01\0\0\0"),
];
/// In the byte with the type: the chunk stands behind the pixels.
const BEHIND: u8 = 0x80;

fuzz_target!(|bytes: &[u8]| {
    let Some(([width, height, depth, colour, interlaced, count], mut rest)) =
        bytes.split_first_chunk()
    else {
        return;
    };
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut behind = Vec::new();
    let header = [
        [0, 0, 0, width % SIDE],
        [0, 0, 0, height % SIDE],
        [*depth, *colour, 0, 0],
    ];
    let mut header = header.concat();
    header.push(interlaced & 1);
    chunk(&mut file, b"IHDR", &header);
    for _ in 0..usize::from(*count) % CHUNKS {
        let Some(([kind, length], after)) = rest.split_first_chunk() else {
            break;
        };
        let (content, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        let target = if kind & BEHIND != 0 {
            &mut behind
        } else {
            &mut file
        };
        let kind = usize::from(kind & !BEHIND) % (PLAIN.len() + COMPRESSED.len());
        match PLAIN.get(kind) {
            // Longer ones than a byte can say: all colours of a palette.
            Some(name) if *name == b"PLTE" && *length == u8::MAX => {
                chunk(target, name, &content.repeat(3));
            }
            Some(name) => chunk(target, name, content),
            None => {
                let (name, start) = COMPRESSED[kind - PLAIN.len()];
                chunk(target, name, &[start, &deflated(content)].concat());
            }
        }
    }
    chunk(&mut file, b"IDAT", &deflated(rest));
    file.extend(behind);
    chunk(&mut file, b"IEND", b"");
    if let Err(error) = picture(&file, "input.png") {
        let line = error.to_string();
        assert!(line.contains("input.png") && !line.contains('\n'));
    }
});

fn chunk(file: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    let mut crc = Crc::new();
    crc.update(name);
    crc.update(content);
    file.extend((content.len() as u32).to_be_bytes());
    file.extend(name);
    file.extend(content);
    file.extend(crc.sum().to_be_bytes());
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}
