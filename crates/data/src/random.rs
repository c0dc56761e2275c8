/// Numbers that are a pure function of the words they were keyed with: the same on every machine,
/// in every version, on any number of threads.
///
/// The generator is SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014, figure 16): a counter that grows by an odd constant, passed through a
/// mixing function. The key is absorbed one word at a time by the same function, so that
/// neighbouring seeds, epochs and indices give unrelated streams.
///
/// ```
/// use data::Random;
///
/// let key = [7, 1, 0]; // for example a seed, an epoch and an image index
/// assert_eq!(Random::keyed(&key).next_u64(), Random::keyed(&key).next_u64());
/// ```
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The stream of a key. Streams of different keys are unrelated; the order of the words counts.
    pub fn keyed(words: &[u64]) -> Self {
        let state = words
            .iter()
            .fold(0, |state, &word| mix((state ^ word).wrapping_add(GAMMA)));
        Self { state }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A number from 0 to `bound - 1`, each equally likely; 0 where `bound` is 0.
    ///
    /// Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29(1), 2019.
    pub fn below(&mut self, bound: u64) -> u64 {
        let threshold = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// A number in [-1, 1), a multiple of 2⁻⁵².
    pub fn symmetric(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (2.0 / (1_u64 << 53) as f64) - 1.0
    }

    /// A number in [0, 1), a multiple of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Puts `items` into an order drawn from all orders (Fisher and Yates; Knuth, TAOCP 3.4.2 P).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let chosen = self.below(end as u64 + 1) as usize;
            items.swap(end, chosen);
        }
    }
}

/// Stafford's mixing function 13, as in the paper's figure 16.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The first word of a key: what the numbers are for, so that no two uses share a stream. The crate
/// `stress` has 4 and 5.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Split = 1,
    Shuffle = 2,
    Augmentation = 3,
    Limit = 6,
    #[cfg(feature = "pictures")]
    HoldOut = 7,
    Negative = 8,
    More = 9,
}
