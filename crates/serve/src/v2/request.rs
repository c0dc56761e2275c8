//! What a client asks for: JSON, and behind it the bytes of its tensors where it sends them so.

use axum::body::Bytes;
use model::ImageShape;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    few::Few,
    flat::Flat,
    reply::{OUTPUTS, Output},
};
use crate::failure::Failure;

/// The name of the one input.
pub const INPUT: &str = "images";

/// A request that makes sense.
#[derive(Debug)]
pub struct Asked {
    /// The client's name for it.
    pub id: Option<String>,
    /// `[n, channels, height, width]`
    pub images: Vec<u8>,
    /// What to answer, in this order.
    pub outputs: Vec<Wanted>,
    /// Whom to tell what people say.
    pub callback: Option<String>,
}

/// An output that was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Which.
    pub output: Output,
    /// Whether as bytes behind the JSON.
    pub binary: bool,
}

#[derive(Deserialize)]
struct Head {
    id: Option<String>,
    #[serde(default)]
    parameters: OfRequest,
    inputs: Few<Tensor, 2>,
    outputs: Option<Few<Requested, { OUTPUTS.len() + 1 }>>,
}

#[derive(Deserialize)]
struct Tensor {
    name: String,
    shape: Few<u64, 5>,
    datatype: String,
    #[serde(default)]
    parameters: OfInput,
    data: Option<Flat>,
}

#[derive(Deserialize)]
struct Requested {
    name: String,
    #[serde(default)]
    parameters: OfOutput,
}

/// What is known of the parameters of a request. Others are skipped as they are read, here as below: a tree of
/// them would take forty times the memory of their text.
#[derive(Default, Deserialize)]
struct OfRequest {
    #[serde(default, deserialize_with = "said::flag")]
    binary_data_output: Option<bool>,
    #[serde(default, deserialize_with = "said::callback_url")]
    callback_url: Option<String>,
}

/// Those of an input.
#[derive(Default, Deserialize)]
struct OfInput {
    #[serde(default, deserialize_with = "said::size")]
    binary_data_size: Option<usize>,
    shared_memory_region: Option<IgnoredAny>,
    shared_memory_byte_size: Option<IgnoredAny>,
    shared_memory_offset: Option<IgnoredAny>,
}

/// Those of an output.
#[derive(Default, Deserialize)]
struct OfOutput {
    #[serde(default, deserialize_with = "said::flag")]
    binary_data: Option<bool>,
    classification: Option<IgnoredAny>,
    shared_memory_region: Option<IgnoredAny>,
    shared_memory_byte_size: Option<IgnoredAny>,
    shared_memory_offset: Option<IgnoredAny>,
}

/// Reads a request; `header` is the length of its JSON where a header says so.
///
/// # Errors
/// 400, with what is wrong.
pub fn parse(body: &Bytes, header: Option<usize>, shape: ImageShape) -> Result<Asked, Failure> {
    let (json, tensors) = match header {
        None => (&body[..], &[][..]),
        Some(0) => {
            let message = "a body of raw bytes without JSON is not taken: send it to /predict/pixels, or \
                           with the JSON of an inference request before it";
            return Err(Failure::bad(message));
        }
        Some(length) => body.split_at_checked(length).ok_or_else(|| {
            Failure::bad(format!(
                "Inference-Header-Content-Length is {length}, but the body has {} bytes",
                body.len()
            ))
        })?,
    };
    let head: Head = serde_json::from_slice(json).map_err(|error| Failure::json(&error))?;
    let by_default = head.parameters.binary_data_output.unwrap_or(false);
    Ok(Asked {
        images: images(head.inputs, tensors, shape)?,
        outputs: outputs(head.outputs.map_or_else(Vec::new, |few| few.0), by_default)?,
        callback: head.parameters.callback_url,
        id: head.id,
    })
}

fn images(inputs: Few<Tensor, 2>, tensors: &[u8], shape: ImageShape) -> Result<Vec<u8>, Failure> {
    let Ok([input]) = <[Tensor; 1]>::try_from(inputs.0) else {
        return Err(Failure::bad(format!(
            "there is one input, `{INPUT}`: send it and no other"
        )));
    };
    if input.name != INPUT {
        return Err(Failure::bad(format!(
            "the input is called `{INPUT}`; there is no other"
        )));
    }
    if input.datatype != "UINT8" {
        return Err(Failure::bad(format!(
            "`{INPUT}` is UINT8, a byte for each value"
        )));
    }
    let takes = format!("[n, {}, {}, {}]", shape.channels, shape.height, shape.width);
    let sides = [shape.channels, shape.height, shape.width].map(|side| side as u64);
    let count = match &input.shape.0[..] {
        [count, rest @ ..] if *rest == sides => usize::try_from(*count).ok(),
        _ => return Err(Failure::bad(format!("`{INPUT}` has the shape {takes}"))),
    };
    let length = count.and_then(|count| count.checked_mul(shape.len()));
    let of = input.parameters;
    if of.shared_memory_region.is_some()
        || of.shared_memory_byte_size.is_some()
        || of.shared_memory_offset.is_some()
    {
        return Err(Failure::bad("shared memory is not offered: send the data"));
    }
    let images = match (input.data, of.binary_data_size) {
        (Some(_), Some(_)) => {
            return Err(Failure::bad(format!(
                "`{INPUT}` has both `data` and binary_data_size"
            )));
        }
        (None, None) => {
            return Err(Failure::bad(format!(
                "`{INPUT}` has neither `data` nor binary_data_size"
            )));
        }
        // A list for each value of another order of axes would be read as another image, without a word.
        (Some(data), None) if !data.has_shape(&input.shape.0) => {
            return Err(Failure::bad(format!(
                "`data` is nested as {:?}, its shape {:?}",
                data.sides, input.shape.0
            )));
        }
        (Some(data), None) if tensors.is_empty() => data.bytes,
        (None, Some(size)) if size == tensors.len() => tensors.to_vec(),
        (_, size) => {
            return Err(Failure::bad(format!(
                "{} bytes follow the JSON, where {} should",
                tensors.len(),
                size.unwrap_or(0)
            )));
        }
    };
    if length != Some(images.len()) {
        return Err(Failure::bad(format!(
            "`{INPUT}` has {} values, which is not what its shape says ({takes})",
            images.len()
        )));
    }
    Ok(images)
}

fn outputs(requested: Vec<Requested>, by_default: bool) -> Result<Vec<Wanted>, Failure> {
    if requested.is_empty() {
        let all = OUTPUTS.iter().map(|&output| Wanted {
            output,
            binary: by_default,
        });
        return Ok(all.collect());
    }
    let mut wanted: Vec<Wanted> = Vec::with_capacity(requested.len());
    for Requested {
        name,
        parameters: of,
    } in requested
    {
        let Some(&output) = OUTPUTS.iter().find(|output| output.name() == name) else {
            let names: Vec<_> = OUTPUTS.iter().map(|output| output.name()).collect();
            return Err(Failure::bad(format!("outputs are {}", names.join(", "))));
        };
        if wanted.iter().any(|wanted| wanted.output == output) {
            return Err(Failure::bad(format!(
                "`{}` is asked for twice",
                output.name()
            )));
        }
        let refused = of.classification.is_some()
            || of.shared_memory_region.is_some()
            || of.shared_memory_byte_size.is_some()
            || of.shared_memory_offset.is_some();
        if refused {
            return Err(Failure::bad(
                "classification and shared memory are not offered",
            ));
        }
        let binary = of.binary_data.unwrap_or(by_default);
        wanted.push(Wanted { output, binary });
    }
    Ok(wanted)
}

/// Values of parameters, with what is wrong with them by their names.
mod said {
    use serde::{Deserialize as _, Deserializer, de::Error as _};

    pub fn flag<'de, D: Deserializer<'de>>(value: D) -> Result<Option<bool>, D::Error> {
        let wrong = "binary_data and binary_data_output are true or false";
        Option::deserialize(value).map_err(|_| D::Error::custom(wrong))
    }

    pub fn size<'de, D: Deserializer<'de>>(value: D) -> Result<Option<usize>, D::Error> {
        let wrong = "binary_data_size is no number of bytes";
        Option::deserialize(value).map_err(|_| D::Error::custom(wrong))
    }

    pub fn callback_url<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
        let wrong = "callback_url is a text";
        Option::deserialize(value).map_err(|_| D::Error::custom(wrong))
    }
}
