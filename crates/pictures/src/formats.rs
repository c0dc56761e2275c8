//! What a file is, by its first bytes.

use image::ImageFormat;

/// The format that a file is read as; none if it isn't read. JPEG has a module of its own.
pub(crate) fn read(bytes: &[u8]) -> Option<ImageFormat> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(ImageFormat::Png)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(ImageFormat::WebP)
    } else if bytes.starts_with(b"BM") && bytes.get(6..10) == Some(&[0; 4]) {
        Some(ImageFormat::Bmp)
    } else {
        None
    }
}

/// Whether a file with these first bytes (32 are enough) is a picture, be it one that can be read or one
/// whose format isn't supported.
pub fn is_picture(start: &[u8]) -> bool {
    crate::jpeg::is_jpeg(start) || read(start).is_some() || unsupported(start).is_some()
}

/// What a file is that isn't read.
pub(crate) fn described(bytes: &[u8]) -> &'static str {
    match unsupported(bytes) {
        Some(described) => described,
        None if bytes.is_empty() => "it is empty",
        None if bytes.iter().all(|&byte| byte == 0) => "it holds nothing but zeros",
        None if bytes.starts_with(b"%PDF") => "a PDF document",
        None if bytes.starts_with(&[0, 5, 0x16, 7]) => "notes of macOS on another file",
        None => "its format is unknown",
    }
}

fn unsupported(bytes: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 9] = [
        (b"GIF87a", "a GIF"),
        (b"GIF89a", "a GIF"),
        (b"II*\0", "a TIFF or a camera's raw data"),
        (b"MM\0*", "a TIFF or a camera's raw data"),
        (b"8BPS", "a Photoshop document"),
        (b"\xff\x0a", "a JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000"),
        (b"\xff\x4f\xff\x51", "a JPEG 2000"),
    ];
    let known = STARTS.iter().find(|(start, _)| bytes.starts_with(start));
    if let Some((_, described)) = known {
        return Some(described);
    }
    match bytes.get(4..8)? {
        b"ftyp" => match bytes.get(8..12)? {
            b"avif" | b"avis" => Some("an AVIF"),
            b"heic" | b"heix" | b"hevc" | b"heim" | b"heis" | b"mif1" | b"msf1" => Some("a HEIC"),
            _ => None,
        },
        _ => None,
    }
}

/// What desktops and network drives leave in folders.
const LITTER: [&str; 15] = [
    ".DS_Store",
    ".localized",
    ".directory",
    ".nomedia",
    ".picasa.ini",
    ".Spotlight-V100",
    ".Trashes",
    ".fseventsd",
    ".TemporaryItems",
    "@eaDir",
    "__MACOSX",
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "lost+found",
];

/// Whether a file or folder of this name was left by a desktop or a network drive.
pub fn is_litter(name: &str) -> bool {
    LITTER
        .iter()
        .any(|litter| name.eq_ignore_ascii_case(litter))
}
