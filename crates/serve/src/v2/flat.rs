//! The `data` of a tensor of bytes in JSON, flat or nested, read without a tree of values.

use std::fmt;

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, SeqAccess, Unexpected, Visitor},
};

/// The elements in row-major order, and how they are nested.
#[derive(Debug, Default)]
pub struct Flat {
    pub bytes: Vec<u8>,
    /// How many there are in a list of each level, from the outermost.
    pub sides: Vec<u64>,
}

impl Flat {
    /// Whether the elements lie in one list, or are nested as `shape` says.
    pub fn has_shape(&self, shape: &[u64]) -> bool {
        self.sides.len() <= 1 || self.sides == shape
    }
}

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut found = Found::default();
        let seed = Into {
            found: &mut found,
            level: 0,
        };
        seed.deserialize(deserializer)?;
        let sides = found.sides.into_iter().map_while(|side| side).collect();
        Ok(Flat {
            bytes: found.bytes,
            sides,
        })
    }
}

/// What has been read.
#[derive(Default)]
struct Found {
    bytes: Vec<u8>,
    /// Of each level that was begun, the length of its lists, as soon as one has ended.
    sides: Vec<Option<u64>>,
    /// The level of the elements.
    leaves: Option<usize>,
}

struct Into<'a> {
    found: &'a mut Found,
    /// How many lists this is in.
    level: usize,
}

impl<'de> DeserializeSeed<'de> for Into<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Into<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            0 => f.write_str("a list of whole numbers from 0 to 255"),
            _ => f.write_str("a whole number from 0 to 255, or a list of them"),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        let (Ok(byte), 1..) = (u8::try_from(value), self.level) else {
            return Err(E::invalid_value(Unexpected::Unsigned(value), &self));
        };
        if *self.found.leaves.get_or_insert(self.level) != self.level {
            return Err(E::custom(UNEVEN));
        }
        self.found.bytes.push(byte);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self { found, level } = self;
        if found.leaves.is_some_and(|leaves| leaves <= level) {
            return Err(A::Error::custom(UNEVEN));
        }
        if found.sides.len() == level {
            found.sides.push(None);
        }
        let mut count = 0;
        while elements
            .next_element_seed(Into {
                found,
                level: level + 1,
            })?
            .is_some()
        {
            count += 1;
        }
        match *found.sides[level].get_or_insert(count) == count {
            true => Ok(()),
            false => Err(A::Error::custom(UNEVEN)),
        }
    }
}

const UNEVEN: &str = "`data` is nested unevenly";
