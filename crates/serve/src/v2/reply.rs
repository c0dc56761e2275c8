//! What is answered: each output as a tensor, in JSON or as bytes behind it.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use model::Decision;
use serde_json::{Value, json};

use super::{
    HEADER_LENGTH,
    request::{INPUT, Wanted},
};
use crate::{engine::Told, failure::Failure, models::Loaded};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// FP64 `[n, classes]`: calibrated.
    Probabilities,
    /// FP64 `[n, classes]`: as the networks give them.
    Logits,
    /// INT64 `[n]`: the index of the likeliest class.
    Class,
    /// FP64 `[n]`: its probability.
    Confidence,
    /// BOOL `[n]`: whether it may be kept without a person.
    Accepted,
    /// BYTES `[n]`: why not, empty where it may.
    Reason,
    /// BOOL `[n, classes]`: which classes can't be excluded, by the conformal rule of the highest level.
    Set,
    /// BYTES `[n]`: under which id a person is asked, empty where none is. Who asks for this asks for people.
    Review,
}

/// All of them.
pub const OUTPUTS: [Output; 8] = [
    Output::Probabilities,
    Output::Logits,
    Output::Class,
    Output::Confidence,
    Output::Accepted,
    Output::Reason,
    Output::Set,
    Output::Review,
];

/// The elements of a tensor.
enum Elements<'a> {
    Numbers(Vec<f64>),
    Indices(Vec<i64>),
    Flags(Vec<bool>),
    Words(Vec<&'a str>),
}

impl Output {
    /// As clients call it.
    pub fn name(self) -> &'static str {
        match self {
            Output::Probabilities => "probabilities",
            Output::Logits => "logits",
            Output::Class => "class",
            Output::Confidence => "confidence",
            Output::Accepted => "accepted",
            Output::Reason => "reason",
            Output::Set => "set",
            Output::Review => "review",
        }
    }

    fn datatype(self) -> &'static str {
        match self {
            Output::Probabilities | Output::Logits | Output::Confidence => "FP64",
            Output::Class => "INT64",
            Output::Accepted | Output::Set => "BOOL",
            Output::Reason | Output::Review => "BYTES",
        }
    }

    fn has_classes(self) -> bool {
        matches!(self, Output::Probabilities | Output::Logits | Output::Set)
    }

    fn of<'a>(self, told: &Told, reviews: &'a [String]) -> Elements<'a> {
        let answers = told.answers.iter();
        match self {
            Output::Probabilities => Elements::Numbers(
                answers
                    .flat_map(|(_, answer)| &answer.probabilities)
                    .copied()
                    .collect(),
            ),
            Output::Logits => Elements::Numbers(
                answers
                    .flat_map(|(output, _)| &output.logits)
                    .copied()
                    .collect(),
            ),
            Output::Class => {
                Elements::Indices(answers.map(|(_, answer)| answer.class.into()).collect())
            }
            Output::Confidence => {
                Elements::Numbers(answers.map(|(_, answer)| answer.confidence).collect())
            }
            Output::Accepted => Elements::Flags(
                answers
                    .map(|(_, answer)| answer.decision == Decision::Accept)
                    .collect(),
            ),
            Output::Reason => Elements::Words(
                answers
                    .map(|(_, answer)| answers::reason(answer).unwrap_or_default())
                    .collect(),
            ),
            Output::Review => {
                let mut ids = reviews.iter();
                let id = |(_, answer): &(_, model::Answer)| match answer.decision {
                    Decision::Accept => "",
                    Decision::Review { .. } => ids.next().map_or("", String::as_str),
                };
                Elements::Words(answers.map(id).collect())
            }
            Output::Set => Elements::Flags(
                answers
                    .flat_map(|(_, answer)| {
                        let surest = answer
                            .sets
                            .iter()
                            .max_by(|a, b| a.level.total_cmp(&b.level));
                        let classes = 0..answer.probabilities.len();
                        classes.map(move |class| {
                            // Without a rule nothing can be excluded.
                            surest.is_none_or(|set| set.or_top().contains(&(class as u16)))
                        })
                    })
                    .collect(),
            ),
        }
    }
}

impl Elements<'_> {
    fn json(&self) -> Value {
        match self {
            Elements::Numbers(numbers) => json!(numbers),
            Elements::Indices(indices) => json!(indices),
            Elements::Flags(flags) => json!(flags),
            Elements::Words(words) => json!(words),
        }
    }

    /// Little-endian; words with their length before them.
    fn append_to(&self, bytes: &mut Vec<u8>) {
        match self {
            Elements::Numbers(numbers) => {
                bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            }
            Elements::Indices(indices) => {
                bytes.extend(indices.iter().flat_map(|index| index.to_le_bytes()));
            }
            Elements::Flags(flags) => bytes.extend(flags.iter().map(|&flag| u8::from(flag))),
            Elements::Words(words) => {
                for word in words {
                    bytes.extend((word.len() as u32).to_le_bytes());
                    bytes.extend(word.as_bytes());
                }
            }
        }
    }
}

/// The answer to an inference request; `reviews` are the ids of those images that people are asked about, in
/// their order.
///
/// # Errors
/// Never but by a fault of the program.
pub fn write(
    name: &str,
    id: Option<&str>,
    told: &Told,
    wanted: &[Wanted],
    reviews: &[String],
) -> Result<Response, Failure> {
    let (images, classes) = (told.answers.len(), told.model.classifier.classes().len());
    let mut tensors = Vec::new();
    let outputs: Vec<Value> = wanted
        .iter()
        .map(|&Wanted { output, binary }| {
            let shape = match output.has_classes() {
                true => vec![images, classes],
                false => vec![images],
            };
            let mut tensor = json!({
                "name": output.name(), "datatype": output.datatype(), "shape": shape,
            });
            let elements = output.of(told, reviews);
            let (key, value) = match binary {
                false => ("data", elements.json()),
                true => {
                    let before = tensors.len();
                    elements.append_to(&mut tensors);
                    let size = tensors.len() - before;
                    ("parameters", json!({ "binary_data_size": size }))
                }
            };
            tensor[key] = value;
            tensor
        })
        .collect();
    let mut head = json!({
        "model_name": name, "model_version": told.model.version, "outputs": outputs,
    });
    if let Some(id) = id {
        head["id"] = id.into();
    }
    let failed = |_| Failure::internal("writing the answer failed");
    let mut body = serde_json::to_vec(&head).map_err(failed)?;
    if !wanted.iter().any(|wanted| wanted.binary) {
        return Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response());
    }
    let length = body.len();
    body.append(&mut tensors);
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    let mut response = (kind, body).into_response();
    response.headers_mut().insert(
        HeaderName::from_static(HEADER_LENGTH),
        HeaderValue::from(length),
    );
    Ok(response)
}

/// What a model takes and gives.
pub fn metadata(name: &str, model: &Loaded) -> Value {
    let classifier = &model.classifier;
    let shape = classifier.shape();
    let classes = classifier.classes().len();
    let outputs = OUTPUTS.iter().map(|output| {
        let shape = match output.has_classes() {
            true => json!([-1, classes]),
            false => json!([-1]),
        };
        json!({ "name": output.name(), "datatype": output.datatype(), "shape": shape })
    });
    json!({
        "name": name,
        "versions": [model.version],
        "platform": "burn",
        "inputs": [{
            "name": INPUT,
            "datatype": "UINT8",
            "shape": [-1, shape.channels, shape.height, shape.width],
        }],
        "outputs": outputs.collect::<Value>(),
        "parameters": { "classes": classifier.classes(), "promise": model.promise() },
    })
}
