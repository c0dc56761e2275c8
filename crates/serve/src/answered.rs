//! What people answered, as a data set in MNIST's format, in a part to learn from and one to judge by.

use std::{collections::HashMap, io::Write as _};

use anyhow::{Context, ensure};
use queue::{Example, Part, Queue};

/// What each image is and where it comes from; also what tells a folder of ours.
pub const PROVENANCE: &str = "provenance.csv";

/// Images that people named, all of the same shape and classes.
#[derive(Debug)]
pub struct Answered {
    /// To learn from.
    pub learn: Vec<Example>,
    /// To judge by.
    pub judge: Vec<Example>,
}

impl Answered {
    /// What is in the queue, of one model or of all.
    ///
    /// # Errors
    /// If the queue can't be read, nobody has named an image, or images differ in shape or classes.
    pub async fn read(queue: &Queue, model: Option<&str>) -> anyhow::Result<Self> {
        let answered = Answered {
            learn: examples(queue, Part::Learn, model).await?,
            judge: examples(queue, Part::Judge, model).await?,
        };
        let first = answered.all().next();
        let first = first.context("nobody has named an image yet")?;
        for example in answered.all() {
            ensure!(
                example.shape == first.shape && example.classes == first.classes,
                "the images of model {} differ from those of {} in shape or classes: choose one model",
                example.model,
                first.model
            );
        }
        Ok(answered)
    }

    fn all(&self) -> impl Iterator<Item = &Example> {
        self.learn.iter().chain(&self.judge)
    }

    /// The files of the data set, by name: images and labels in IDX, the names of classes, and where each
    /// image comes from.
    ///
    /// # Errors
    /// If there are more images than IDX can count.
    pub fn files(&self) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let mut files = Vec::new();
        let classes = self.all().next().map_or(&[][..], |first| &first.classes);
        let mut names = Vec::new();
        for class in classes {
            writeln!(names, "{class}")?;
        }
        files.push(("classes.txt".to_owned(), names));
        let mut table = Vec::new();
        writeln!(
            table,
            "part,index,review,class,people,answered,model,version"
        )?;
        for (part, prefix, examples) in [
            ("learn", "train", &self.learn),
            ("judge", "t10k", &self.judge),
        ] {
            let Some(first) = examples.first() else {
                continue;
            };
            let [channels, height, width] = first.shape;
            let count = u32::try_from(examples.len()).context("too many images")?;
            // As MNIST's files are where the images are grey; with channels otherwise.
            let sides = match channels {
                1 => vec![count, height, width],
                _ => vec![count, channels, height, width],
            };
            let kind = format!("{prefix}-images-idx{}-ubyte", sides.len());
            let mut images = vec![0, 0, 0x08, sides.len() as u8];
            for side in sides {
                images.extend(side.to_be_bytes());
            }
            // Bytes, as MNIST's are, where they suffice; else numbers of four.
            let wide = classes.len() > 256;
            let mut labels = vec![0, 0, if wide { 0x0C } else { 0x08 }, 1];
            labels.extend(count.to_be_bytes());
            for (index, example) in examples.iter().enumerate() {
                images.extend(&example.input);
                let class = example.class.to_be_bytes();
                labels.extend(if wide { &class } else { &class[3..] });
                let Example {
                    id,
                    reviewers,
                    answered,
                    model,
                    version,
                    class,
                    ..
                } = example;
                writeln!(
                    table,
                    "{part},{index},{id},{class},{reviewers},{answered},{model},{version}"
                )?;
            }
            files.push((kind, images));
            files.push((format!("{prefix}-labels-idx1-ubyte"), labels));
        }
        files.push((PROVENANCE.to_owned(), table));
        Ok(files)
    }
}

/// The images of a part that people named, each once, as it was named last: the same image twice says no more
/// than once, and would be counted twice by whatever is certified or compared on it.
///
/// # Errors
/// If the queue can't be read.
pub async fn examples(
    queue: &Queue,
    part: Part,
    model: Option<&str>,
) -> Result<Vec<Example>, queue::Error> {
    let mut examples = queue.export(part).await?;
    examples.retain(|example| model.is_none_or(|model| example.model == model));
    let mut last: HashMap<Vec<u8>, (i64, String)> = HashMap::new();
    for example in &examples {
        let this = (example.answered, example.id.clone());
        let last = last.entry(example.input.clone()).or_default();
        *last = this.max(last.clone());
    }
    examples.retain(|example| last[&example.input].1 == example.id);
    Ok(examples)
}
