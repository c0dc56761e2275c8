//! What people answered, as a data set in MNIST's format, in a part to learn from and one to judge by.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use queue::{Address, Example, Options, Part, Queue};

use crate::args::DATABASE;

/// What each image is and where it comes from; also what tells a folder of ours.
const PROVENANCE: &str = "provenance.csv";

/// Write what people answered as a data set that `train` reads.
///
/// Images whose class people agree on become train-* (to learn from) and t10k-* (to judge by) in IDX, with
/// classes.txt and provenance.csv. Which part an image belongs to follows from its bytes, and never changes.
#[derive(Args, Clone, Debug)]
pub struct Export {
    /// The folder to write; one that was written by an export before is replaced
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// Only what was deferred by the model of this name
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Where the review queue is: a SQLite file, or postgres://USER@HOST/DATABASE
    #[arg(long, value_name = "DATABASE", default_value = DATABASE)]
    database: String,
}

impl Export {
    /// Writes the folder, as a whole or not at all.
    ///
    /// # Errors
    /// If the queue can't be read, nothing was answered, images differ in shape or classes, or the folder is
    /// somebody else's or can't be written.
    pub async fn run(&self) -> anyhow::Result<()> {
        let address: Address = self.database.parse()?;
        ensure!(
            address.file().is_none_or(Path::exists),
            "{address}: there is no review queue"
        );
        let queue = Queue::open(&self.database, Options::default()).await?;
        let learn = examples(&queue, Part::Learn, self.model.as_deref()).await?;
        let judge = examples(&queue, Part::Judge, self.model.as_deref()).await?;
        queue.close().await;
        let all = || learn.iter().chain(&judge);
        let Some(first) = all().next() else {
            bail!("{address}: nobody has named an image yet");
        };
        for example in all() {
            ensure!(
                example.shape == first.shape && example.classes == first.classes,
                "the images of model {} differ from those of {} in shape or classes: choose one with --model",
                example.model,
                first.model
            );
        }
        let written = self.to.join(PROVENANCE).is_file();
        ensure!(
            written || !self.to.exists(),
            "{} is there already, and no export of before",
            self.to.display()
        );
        let whole = |end: &str| {
            let mut name = self.to.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        let (partial, old) = (whole(".partial"), whole(".old"));
        for rest in [&partial, &old] {
            if rest.exists() {
                fs::remove_dir_all(rest).with_context(|| rest.display().to_string())?;
            }
        }
        write(&partial, first, &learn, &judge)
            .with_context(|| format!("can't write {}", partial.display()))?;
        if written {
            fs::rename(&self.to, &old).with_context(|| self.to.display().to_string())?;
        }
        fs::rename(&partial, &self.to).with_context(|| self.to.display().to_string())?;
        if written {
            fs::remove_dir_all(&old).with_context(|| old.display().to_string())?;
        }
        println!(
            "{} images to learn from, {} to judge by: {}",
            learn.len(),
            judge.len(),
            self.to.display()
        );
        Ok(())
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

fn write(
    folder: &Path,
    first: &Example,
    learn: &[Example],
    judge: &[Example],
) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let create =
        |name: &str| Ok::<_, anyhow::Error>(BufWriter::new(File::create(folder.join(name))?));
    let mut names = create("classes.txt")?;
    for class in &first.classes {
        writeln!(names, "{class}")?;
    }
    let mut table = create(PROVENANCE)?;
    writeln!(
        table,
        "part,index,review,class,people,answered,model,version"
    )?;
    for (part, prefix, examples) in [("learn", "train", learn), ("judge", "t10k", judge)] {
        if examples.is_empty() {
            continue;
        }
        let [channels, height, width] = first.shape;
        let count = u32::try_from(examples.len()).context("too many images")?;
        // As MNIST's files are where the images are grey; with channels otherwise.
        let sides = match channels {
            1 => vec![count, height, width],
            _ => vec![count, channels, height, width],
        };
        let mut images = create(&format!("{prefix}-images-idx{}-ubyte", sides.len()))?;
        images.write_all(&[0, 0, 0x08, sides.len() as u8])?;
        for side in sides {
            images.write_all(&side.to_be_bytes())?;
        }
        let mut labels = create(&format!("{prefix}-labels-idx1-ubyte"))?;
        // Bytes, as MNIST's are, where they suffice; else numbers of four.
        let wide = first.classes.len() > 256;
        labels.write_all(&[0, 0, if wide { 0x0C } else { 0x08 }, 1])?;
        labels.write_all(&count.to_be_bytes())?;
        for (index, example) in examples.iter().enumerate() {
            images.write_all(&example.input)?;
            let class = example.class.to_be_bytes();
            labels.write_all(if wide { &class } else { &class[3..] })?;
            let Example {
                id,
                reviewers,
                answered,
                model,
                version,
                ..
            } = example;
            let class = example.class;
            writeln!(
                table,
                "{part},{index},{id},{class},{reviewers},{answered},{model},{version}"
            )?;
        }
        for mut file in [images, labels] {
            file.flush()?;
            file.get_ref().sync_all()?;
        }
    }
    for mut file in [names, table] {
        file.flush()?;
        file.get_ref().sync_all()?;
    }
    Ok(())
}
