//! A graph while it is built: every operation gives the name of its result.

use super::proto::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, NodeProto, Size, TensorProto,
    TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
};

/// What the number of images is called, which is known at run time.
const IMAGES: &str = "n";

/// The name of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(String);

impl Value {
    /// What goes into the graph under a name.
    pub fn input(name: &str) -> Self {
        Value(name.to_owned())
    }
}

/// Nodes and constants so far.
#[derive(Default)]
pub struct Graph {
    graph: GraphProto,
    scope: String,
}

impl Graph {
    /// What follows belongs to this part, whose name begins the names of its nodes.
    pub fn part(&mut self, name: impl Into<String>) {
        self.scope = name.into();
    }

    /// An operation without attributes.
    pub fn node(&mut self, op: &str, inputs: &[&Value]) -> Value {
        self.node_with(op, inputs, Vec::new())
    }

    /// An operation with attributes.
    pub fn node_with(
        &mut self,
        op: &str,
        inputs: &[&Value],
        attribute: Vec<AttributeProto>,
    ) -> Value {
        let name = format!("{}/{op}_{}", self.scope, self.graph.node.len());
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: op.to_owned(),
            attribute,
        });
        Value(name)
    }

    /// The same values as another type.
    pub fn cast(&mut self, value: &Value, to: DataType) -> Value {
        self.node_with("Cast", &[value], vec![int("to", to as i64)])
    }

    /// A reduction whose axes are an attribute in this version of the operators.
    pub fn reduce(&mut self, op: &str, value: &Value, axes: &[i64], keep: bool) -> Value {
        let attributes = vec![ints("axes", axes), int("keepdims", keep.into())];
        self.node_with(op, &[value], attributes)
    }

    /// A sum, whose axes are an input in this version of the operators.
    pub fn sum(&mut self, value: &Value, axes: &[i64], keep: bool) -> Value {
        let axes = self.int64s("axes", axes);
        let keep = vec![int("keepdims", keep.into())];
        self.node_with("ReduceSum", &[value, &axes], keep)
    }

    /// The part of a value from `starts` to before `ends` along the last two of four axes.
    pub fn window(&mut self, value: &Value, starts: [usize; 2], ends: [usize; 2]) -> Value {
        let starts = self.int64s("starts", &starts.map(|at| at as i64));
        let ends = self.int64s("ends", &ends.map(|at| at as i64));
        let axes = self.int64s("axes", &[2, 3]);
        self.node("Slice", &[value, &starts, &ends, &axes])
    }

    /// The same values in another shape, in which one size may be -1 for what is left.
    pub fn reshape(&mut self, value: &Value, shape: &[i64]) -> Value {
        let shape = self.int64s("shape", shape);
        self.node("Reshape", &[value, &shape])
    }

    /// A constant of type f32.
    pub fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Value {
        let raw = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(name, DataType::Float, dims, raw.collect())
    }

    /// A constant of type f64.
    pub fn doubles(&mut self, name: &str, dims: &[usize], values: &[f64]) -> Value {
        let raw = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(name, DataType::Double, dims, raw.collect())
    }

    /// A single number of type f64.
    pub fn double(&mut self, name: &str, value: f64) -> Value {
        self.doubles(name, &[], &[value])
    }

    /// A constant of type i64 with one axis.
    pub fn int64s(&mut self, name: &str, values: &[i64]) -> Value {
        let raw = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(name, DataType::Int64, &[values.len()], raw.collect())
    }

    /// A single number of type i64.
    pub fn int64(&mut self, name: &str, value: i64) -> Value {
        let raw = value.to_le_bytes().to_vec();
        self.constant(name, DataType::Int64, &[], raw)
    }

    fn constant(&mut self, name: &str, of: DataType, dims: &[usize], raw_data: Vec<u8>) -> Value {
        let (dims, data_type) = (dims.iter().map(|&size| size as i64).collect(), of as i32);
        let same = |known: &&TensorProto| {
            known.data_type == data_type && known.dims == dims && known.raw_data == raw_data
        };
        if let Some(known) = self.graph.initializer.iter().find(same) {
            return Value(known.name.clone());
        }
        let name = format!("{}/{name}_{}", self.scope, self.graph.initializer.len());
        self.graph.initializer.push(TensorProto {
            dims,
            data_type,
            name: name.clone(),
            raw_data,
        });
        Value(name)
    }

    /// Makes a result an output of the graph under a name, of shape `[n]` and further sizes.
    pub fn output(&mut self, value: &Value, name: &str, of: DataType, more: &[usize], doc: &str) {
        for node in &mut self.graph.node {
            for known in node.input.iter_mut().chain(&mut node.output) {
                if *known == value.0 {
                    name.clone_into(known);
                }
            }
        }
        self.graph.output.push(info(name, of, more, doc));
    }

    /// Declares an input of shape `[n]` and further sizes.
    pub fn declare(&mut self, value: &Value, of: DataType, more: &[usize], doc: &str) {
        self.graph.input.push(info(&value.0, of, more, doc));
    }

    /// The graph as it is written.
    pub fn finish(self, name: &str) -> GraphProto {
        GraphProto {
            name: name.to_owned(),
            ..self.graph
        }
    }
}

/// An attribute with one whole number.
pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        i: Some(value),
        ints: Vec::new(),
        r#type: AttributeType::Int as i32,
    }
}

/// An attribute with several whole numbers.
pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        i: None,
        ints: values.to_vec(),
        r#type: AttributeType::Ints as i32,
    }
}

fn info(name: &str, of: DataType, more: &[usize], doc: &str) -> ValueInfoProto {
    let sizes = more.iter().map(|&size| Size::Value(size as i64));
    let dim = [Size::Param(IMAGES.to_owned())].into_iter().chain(sizes);
    let shape = TensorShapeProto {
        dim: dim.map(|size| Dimension { value: Some(size) }).collect(),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorType {
                elem_type: of as i32,
                shape: Some(shape),
            }),
        }),
        doc_string: doc.to_owned(),
    }
}
