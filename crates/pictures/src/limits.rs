//! How large pictures may be.

/// Pixels up to which a picture is decoded as it is: what most telephones make. JPEG files of more are
/// read at an eighth of their size, which is enough to find a digit in them.
pub const MAX_PIXELS: u64 = 52_000_000;
/// Pixels that one side of a picture may have.
pub const MAX_SIDE: u32 = 65_535;
/// Bytes that a file may have.
pub const MAX_BYTES: u64 = 128_000_000;
/// Bytes that reading one picture may take beside its file.
pub const MAX_MEMORY: u64 = 284_000_000;
