/// Most items that a file may hold: room for the largest published set in this format (EMNIST
/// ByClass, 697,932 training images).
pub const MAX_ITEMS: u32 = 700_000;
/// Up to this many uncompressed bytes any ratio that gzip can reach is accepted.
pub const PLAUSIBLE_BYTES: u64 = 16 << 20;
/// Greatest ratio of compression accepted above [`PLAUSIBLE_BYTES`].
pub const PLAUSIBLE_RATIO: u64 = 200;
