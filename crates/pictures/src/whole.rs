//! A whole picture as an image of given sides.

use image::imageops::{FilterType, overlay, resize};
use image::{DynamicImage, Rgb, RgbImage};

use crate::ground::on_ground;

/// All of an upright picture as `[channels, height, width]`.
pub(crate) fn fitted(picture: DynamicImage, [channels, height, width]: [usize; 3]) -> Vec<u8> {
    let picture = match picture.color().has_alpha() {
        true => on_ground(picture.into_rgba8()),
        false => picture,
    };
    let (to_width, to_height) = (width as u32, height as u32);
    let same = (picture.width(), picture.height()) == (to_width, to_height);
    if same && channels == 1 {
        return picture.into_luma8().into_raw();
    }
    let picture = picture.into_rgb8();
    let fitted = if same {
        picture
    } else {
        scaled(&picture, to_width, to_height)
    };
    if channels == 1 {
        return DynamicImage::from(fitted).into_luma8().into_raw();
    }
    let channel = |channel: usize| fitted.pixels().map(move |pixel| pixel.0[channel]);
    (0..3).flat_map(channel).collect()
}

/// The picture as large as it fits, in the middle of the mean colour of its edge.
fn scaled(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    let scale = f64::min(
        f64::from(width) / f64::from(picture.width()),
        f64::from(height) / f64::from(picture.height()),
    );
    let side = |side: u32, most: u32| ((f64::from(side) * scale).round() as u32).clamp(1, most);
    let (inner_width, inner_height) =
        (side(picture.width(), width), side(picture.height(), height));
    let inner = resize(picture, inner_width, inner_height, FilterType::Triangle);
    let mut fitted = RgbImage::from_pixel(width, height, edge(picture));
    let (left, top) = ((width - inner_width) / 2, (height - inner_height) / 2);
    overlay(&mut fitted, &inner, left.into(), top.into());
    fitted
}

/// The mean colour of the outermost pixels.
fn edge(picture: &RgbImage) -> Rgb<u8> {
    let (width, height) = picture.dimensions();
    let rows = (0..width).flat_map(|x| [(x, 0), (x, height - 1)]);
    let columns = (0..height).flat_map(|y| [(0, y), (width - 1, y)]);
    let (mut sums, mut count) = ([0_u64; 3], 0);
    for (x, y) in rows.chain(columns) {
        let pixel = picture.get_pixel(x, y);
        for (sum, value) in sums.iter_mut().zip(pixel.0) {
            *sum += u64::from(value);
        }
        count += 1;
    }
    Rgb(sums.map(|sum| ((sum + count / 2) / count) as u8))
}
