//! A file read back.

use std::collections::HashSet;

use prost::Message;

use super::proto::{DataType, GraphProto, ModelProto, TensorProto};

/// Reads a file and checks that its graph is whole: that every node works on what is there by then, and that
/// every tensor has as many values as its shape says.
pub fn read(file: &[u8]) -> Result<ModelProto, String> {
    let model = ModelProto::decode(file).map_err(|error| format!("no ONNX file: {error}"))?;
    check(&model.graph.clone().unwrap_or_default())?;
    Ok(model)
}

fn check(graph: &GraphProto) -> Result<(), String> {
    for tensor in &graph.initializer {
        let TensorProto { name, .. } = tensor;
        let size = size(tensor).ok_or_else(|| format!("{name} is of no size that there is"))?;
        let found = tensor.raw_data.len();
        if found != size {
            return Err(format!("{name} has {found} bytes where {size} should be"));
        }
    }
    let inputs = graph.input.iter().map(|input| &input.name);
    let constants = graph.initializer.iter().map(|tensor| &tensor.name);
    let mut known: HashSet<&String> = inputs.chain(constants).collect();
    for node in &graph.node {
        if let Some(missing) = node.input.iter().find(|input| !known.contains(input)) {
            return Err(format!(
                "{} works on {missing}, which isn't there",
                node.name
            ));
        }
        for output in &node.output {
            if !known.insert(output) {
                return Err(format!("{output} is there twice"));
            }
        }
    }
    match graph
        .output
        .iter()
        .find(|output| !known.contains(&output.name))
    {
        Some(output) => Err(format!("nothing computes {}", output.name)),
        None => Ok(()),
    }
}

/// The bytes that a tensor takes.
fn size(tensor: &TensorProto) -> Option<usize> {
    let each = match tensor.data_type {
        of if of == DataType::Float as i32 => 4,
        of if of == DataType::Double as i32 || of == DataType::Int64 as i32 => 8,
        _ => return None,
    };
    tensor.dims.iter().try_fold(each, |product: usize, &size| {
        product.checked_mul(usize::try_from(size).ok()?)
    })
}

/// Says what differs first.
pub fn compare(found: &ModelProto, expected: &ModelProto) -> Result<(), String> {
    let graphs = [found, expected].map(|model| model.graph.clone().unwrap_or_default());
    let [there, here] = &graphs;
    for (there, here) in there.initializer.iter().zip(&here.initializer) {
        if there != here {
            return Err(format!("{} is not the checkpoint's", here.name));
        }
    }
    for (there, here) in there.node.iter().zip(&here.node) {
        if there != here {
            return Err(format!("the node {} is another", here.name));
        }
    }
    if there != here {
        return Err("the graph is not that of the checkpoint".to_owned());
    }
    for (there, here) in found.metadata_props.iter().zip(&expected.metadata_props) {
        if there != here {
            return Err(format!("{} is not the checkpoint's", here.key));
        }
    }
    match found == expected {
        true => Ok(()),
        false => Err("what it says of itself is not what the checkpoint says".to_owned()),
    }
}
