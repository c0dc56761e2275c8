//! The `data` of a tensor of bytes in JSON, flat or nested, read without a tree of values.

use std::fmt;

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, SeqAccess, Unexpected, Visitor},
};

/// The elements in row-major order.
#[derive(Debug, Default)]
pub struct Flat(pub Vec<u8>);

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut flat = Vec::new();
        Into {
            flat: &mut flat,
            outermost: true,
        }
        .deserialize(deserializer)?;
        Ok(Flat(flat))
    }
}

struct Into<'a> {
    flat: &'a mut Vec<u8>,
    outermost: bool,
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
        match self.outermost {
            true => f.write_str("a list of whole numbers from 0 to 255"),
            false => f.write_str("a whole number from 0 to 255, or a list of them"),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match u8::try_from(value) {
            Ok(byte) if !self.outermost => {
                self.flat.push(byte);
                Ok(())
            }
            _ => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let flat = self.flat;
        while elements
            .next_element_seed(Into {
                flat,
                outermost: false,
            })?
            .is_some()
        {}
        Ok(())
    }
}
