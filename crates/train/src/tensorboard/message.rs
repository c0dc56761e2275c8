//! The protocol buffers that TensorBoard reads, as far as a run writes them: `event.proto`,
//! `summary.proto`, `tensor.proto` and `hparams/plugin_data.proto`. Six kinds of field are less than the
//! compiler plugin, run-time library and generated code that would write them.

use report::Mosaic;

/// A message in its bytes: fields one after the other.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

/// How a field is written, in the three low bits of its key.
const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const LENGTH_FIRST: u64 = 2;
const FOUR_BYTES: u64 = 5;

impl Message {
    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn field(mut self, number: u64, kind: u64, bytes: &[u8]) -> Self {
        self.varint(number << 3 | kind);
        if kind == LENGTH_FIRST {
            self.varint(bytes.len() as u64);
        }
        self.0.extend(bytes);
        self
    }

    fn int(mut self, number: u64, value: u64) -> Self {
        self.varint(number << 3 | VARINT);
        self.varint(value);
        self
    }

    fn double(self, number: u64, value: f64) -> Self {
        self.field(number, EIGHT_BYTES, &value.to_le_bytes())
    }

    fn float(self, number: u64, value: f32) -> Self {
        self.field(number, FOUR_BYTES, &value.to_le_bytes())
    }

    fn bytes(self, number: u64, value: impl AsRef<[u8]>) -> Self {
        self.field(number, LENGTH_FIRST, value.as_ref())
    }

    fn message(self, number: u64, value: Message) -> Self {
        self.bytes(number, value.0)
    }

    fn doubles(self, number: u64, values: &[f64]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.bytes(number, bytes)
    }
}

/// The value of a recipe's key, or of another parameter.
pub enum Parameter {
    Number(f64),
    Text(String),
    Truth(bool),
}

/// An `Event`: when, in seconds since 1970, at which step, and what.
fn event(seconds: f64, step: usize) -> Message {
    Message::default().double(1, seconds).int(2, step as u64)
}

/// The event that a file begins with.
pub fn version(seconds: f64) -> Message {
    event(seconds, 0).bytes(3, "brain.Event:2")
}

/// A `SessionLog` that says that all events of this step and later ones are void so far.
pub fn start(seconds: f64, step: usize) -> Message {
    const START: u64 = 1;
    event(seconds, step).message(7, Message::default().int(1, START))
}

/// An event with values, each a `Summary.Value`.
pub fn summary(seconds: f64, step: usize, values: Vec<Message>) -> Message {
    let summary = values
        .into_iter()
        .fold(Message::default(), |summary, value| {
            summary.message(1, value)
        });
    event(seconds, step).message(5, summary)
}

/// A number.
pub fn scalar(tag: &str, value: f64) -> Message {
    Message::default().bytes(1, tag).float(2, value as f32)
}

/// A picture.
pub fn image(tag: &str, picture: &Mosaic) -> Message {
    let image = Message::default()
        .int(1, picture.height as u64)
        .int(2, picture.width as u64)
        .int(3, picture.channels as u64)
        .bytes(4, &picture.png);
    Message::default().bytes(1, tag).message(4, image)
}

/// A text in Markdown, as the text plugin takes it: a tensor of one string.
pub fn text(tag: &str, markdown: &str) -> Message {
    const DT_STRING: u64 = 7;
    let one = Message::default().message(2, Message::default().int(1, 1));
    let tensor = Message::default()
        .int(1, DT_STRING)
        .message(2, one)
        .bytes(8, markdown);
    Message::default()
        .bytes(1, tag)
        .message(8, tensor)
        .message(9, plugin("text", Message::default()))
}

/// How values are distributed over buckets of equal width; those that are no finite numbers don't count.
pub fn histogram(tag: &str, values: &[f32]) -> Message {
    const BUCKETS: usize = 30;
    let finite = || {
        values
            .iter()
            .copied()
            .filter(|v| v.is_finite())
            .map(f64::from)
    };
    let low = finite().fold(f64::INFINITY, f64::min);
    let high = finite().fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low <= high { (low, high) } else { (0.0, 0.0) };
    let width = (high - low) / BUCKETS as f64;
    let mut counts = [0.0; BUCKETS];
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for value in finite() {
        let bucket = if width > 0.0 {
            ((value - low) / width) as usize
        } else {
            0
        };
        counts[bucket.min(BUCKETS - 1)] += 1.0;
        count += 1.0;
        sum += value;
        squares += value * value;
    }
    let limits: Vec<f64> = (1..=BUCKETS)
        .map(|edge| low + edge as f64 * width)
        .collect();
    let histogram = Message::default()
        .double(1, low)
        .double(2, high)
        .double(3, count)
        .double(4, sum)
        .double(5, squares)
        .doubles(6, &limits)
        .doubles(7, &counts);
    Message::default().bytes(1, tag).message(5, histogram)
}

/// What the run was given, for the plugin that compares runs by it.
pub fn parameters(seconds: f64, parameters: &[(String, Parameter)]) -> Message {
    let mut session = Message::default();
    for (name, value) in parameters {
        let value = match value {
            Parameter::Number(number) => Message::default().double(2, *number),
            Parameter::Text(text) => Message::default().bytes(3, text),
            Parameter::Truth(truth) => Message::default().int(4, u64::from(*truth)),
        };
        let entry = Message::default().bytes(1, name).message(2, value);
        session = session.message(1, entry);
    }
    let data = Message::default().message(3, session.double(5, seconds));
    Message::default()
        .bytes(1, "_hparams_/session_start_info")
        .message(9, plugin("hparams", data))
}

/// How a session ended, for the plugin that compares runs: a reader takes one that has no end for running.
pub fn ended(seconds: f64, well: bool) -> Message {
    const SUCCESS: u64 = 1;
    const FAILURE: u64 = 2;
    let status = if well { SUCCESS } else { FAILURE };
    let session = Message::default().int(1, status).double(2, seconds);
    let data = Message::default().message(4, session);
    Message::default()
        .bytes(1, "_hparams_/session_end_info")
        .message(9, plugin("hparams", data))
}

/// A `SummaryMetadata`: which plugin a value is for.
fn plugin(name: &str, data: Message) -> Message {
    let plugin = Message::default().bytes(1, name).message(2, data);
    Message::default().message(1, plugin)
}

/// The step of an event; none if the bytes are no event.
pub fn step_of(event: &[u8]) -> Option<u64> {
    let mut rest = event;
    let mut step = 0;
    while !rest.is_empty() {
        let key = take_varint(&mut rest)?;
        match key & 7 {
            VARINT => {
                let value = take_varint(&mut rest)?;
                if key >> 3 == 2 {
                    step = value;
                }
            }
            EIGHT_BYTES => rest = rest.get(8..)?,
            FOUR_BYTES => rest = rest.get(4..)?,
            LENGTH_FIRST => {
                let length = usize::try_from(take_varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            _ => return None,
        }
    }
    Some(step)
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
