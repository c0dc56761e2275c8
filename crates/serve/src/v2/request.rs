//! What a client asks for: JSON, and behind it the bytes of its tensors where it sends them so.

use axum::body::Bytes;
use model::ImageShape;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
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
    parameters: Map<String, Value>,
    inputs: Vec<Tensor>,
    outputs: Option<Vec<Requested>>,
}

#[derive(Deserialize)]
struct Tensor {
    name: String,
    shape: Vec<u64>,
    datatype: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    data: Option<Flat>,
}

#[derive(Deserialize)]
struct Requested {
    name: String,
    #[serde(default)]
    parameters: Map<String, Value>,
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
    let head: Head = serde_json::from_slice(json)
        .map_err(|error| Failure::bad(format!("the JSON of the request: {error}")))?;
    Ok(Asked {
        images: images(head.inputs, tensors, shape)?,
        outputs: outputs(head.outputs, &head.parameters)?,
        callback: text(&head.parameters, "callback_url")?,
        id: head.id,
    })
}

fn images(inputs: Vec<Tensor>, tensors: &[u8], shape: ImageShape) -> Result<Vec<u8>, Failure> {
    let Ok([input]) = <[Tensor; 1]>::try_from(inputs) else {
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
    let count = match &input.shape[..] {
        [count, rest @ ..] if *rest == sides => usize::try_from(*count).ok(),
        _ => return Err(Failure::bad(format!("`{INPUT}` has the shape {takes}"))),
    };
    let length = count.and_then(|count| count.checked_mul(shape.len()));
    let shared = input
        .parameters
        .keys()
        .any(|key| key.starts_with("shared_memory"));
    if shared {
        return Err(Failure::bad("shared memory is not offered: send the data"));
    }
    let binary = match input.parameters.get("binary_data_size") {
        None => None,
        Some(size) => {
            let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
            Some(size.ok_or_else(|| Failure::bad("binary_data_size is no number of bytes"))?)
        }
    };
    let images = match (input.data, binary) {
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
        (Some(Flat(data)), None) if tensors.is_empty() => data,
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

fn outputs(
    requested: Option<Vec<Requested>>,
    parameters: &Map<String, Value>,
) -> Result<Vec<Wanted>, Failure> {
    let by_default = flag(parameters, "binary_data_output")?.unwrap_or(false);
    let requested = requested.unwrap_or_default();
    if requested.is_empty() {
        let all = OUTPUTS.iter().map(|&output| Wanted {
            output,
            binary: by_default,
        });
        return Ok(all.collect());
    }
    let mut wanted: Vec<Wanted> = Vec::with_capacity(requested.len().min(OUTPUTS.len()));
    for Requested { name, parameters } in requested {
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
        let refused = parameters
            .keys()
            .any(|key| key == "classification" || key.starts_with("shared_memory"));
        if refused {
            return Err(Failure::bad(
                "classification and shared memory are not offered",
            ));
        }
        let binary = flag(&parameters, "binary_data")?.unwrap_or(by_default);
        wanted.push(Wanted { output, binary });
    }
    Ok(wanted)
}

fn text(parameters: &Map<String, Value>, name: &str) -> Result<Option<String>, Failure> {
    match parameters.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Failure::bad(format!("{name} is a text"))),
    }
}

fn flag(parameters: &Map<String, Value>, name: &str) -> Result<Option<bool>, Failure> {
    match parameters.get(name) {
        None => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(Failure::bad(format!("{name} is true or false"))),
    }
}
