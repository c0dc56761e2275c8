//! What a JPEG file holds: its frame, the notes of the camera, and whether the data of its pixels are
//! whole (ITU-T T.81).
//!
//! The decoder fills what is missing with grey and says nothing. Here the entropy-coded data are
//! walked through to the last block without reconstructing pixels: they must hold exactly the blocks
//! that the frame needs. On the way, the mean of each block is at hand: the picture at an eighth of its
//! size, which is how pictures are read that would be too large for the memory.

mod bits;
mod blocks;
mod damage;
mod frame;
mod huffman;
mod picture;
mod reader;
mod scan;
mod tables;

use image::DynamicImage;

use damage::{
    Damage::{Short, Wrong},
    Problem,
};
use frame::Component;
use picture::Picture;
use reader::{Reader, SOI};
use scan::Scan;

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
        let mut reader = Reader::new(bytes);
        let (scan, _) = reader.next_scan()?.ok_or(Short)?;
        let frame = reader.frame.ok_or(Wrong)?;
        let scanned = scan.first().map_or(0, |&count| usize::from(count));
        let whole = !frame.progressive && scanned == frame.components.len();
        // The decoder mixes up the pixels of both kinds of files.
        if frame.is_colour_finer() {
            return Err("its colours have more pixels than its light".into());
        }
        if !frame.progressive && !whole && frame.is_subsampled() {
            return Err("its colours are stored one after another".into());
        }
        let blocks = frame.components.iter().map(Component::blocks);
        let blocks = blocks.sum::<usize>() as u64;
        Ok(Header {
            width: frame.width as u32,
            height: frame.height as u32,
            components: frame.components.len(),
            coefficients: if whole { 0 } else { 128 * blocks },
            eighth: (if frame.progressive { 13 } else { 5 }) * blocks,
            exif: reader.exif,
            xmp: reader.xmp,
        })
    }
}

/// Walks through all data of a file. With `eighth` it returns the picture at an eighth of its size.
///
/// # Errors
///
/// If the data hold less or more than the picture, or are no JPEG data.
pub(crate) fn check(bytes: &[u8], eighth: bool) -> Result<Option<DynamicImage>, Problem> {
    let mut reader = Reader::new(bytes);
    let mut picture: Option<Picture> = None;
    while let Some((content, at)) = reader.next_scan()? {
        let frame = reader.frame.as_ref().ok_or(Wrong)?;
        let picture = picture.get_or_insert_with(|| Picture::new(frame.clone(), eighth));
        let scan = Scan::read(content, frame)?;
        let end = scan.walk(bytes, at, &reader.tables, picture)?;
        reader.go_on(end);
    }
    let picture = picture.ok_or(Short)?;
    // A file that has lost its last marker alone is whole; one that has lost a scan isn't.
    if !picture.is_whole(reader.ended) {
        return Err(Short.into());
    }
    match eighth {
        true => picture.eighth(&reader.tables, reader.transform).map(Some),
        false => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_eighth_is_the_mean_of_each_block() {
        let files: [&[u8]; 8] = [
            include_bytes!("../../tests/fixtures/baseline-420.jpg"),
            include_bytes!("../../tests/fixtures/baseline-440.jpg"),
            include_bytes!("../../tests/fixtures/baseline-rgb.jpg"),
            include_bytes!("../../tests/fixtures/restart-420.jpg"),
            include_bytes!("../../tests/fixtures/progressive-420.jpg"),
            include_bytes!("../../tests/fixtures/progressive-grey.jpg"),
            include_bytes!("../../tests/fixtures/progressive-restart-420.jpg"),
            include_bytes!("../../tests/fixtures/noninterleaved-444.jpg"),
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
