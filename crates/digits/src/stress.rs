//! `digits stress`: what a checkpoint does with corrupted digits and with images of something else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;
use data::{Classes, ImageShape, LabelledImages, idx, mnist};
use model::{Answer, Classifier, Decision};
use report::{Examination, Misread, Page, View};
use serde_json::json;

use crate::{Computing, evaluate::history, output::Output, test_images::test_images};

/// So many images tell whether the network knows what a set shows.
const TRIED: usize = 1000;

#[derive(Args)]
#[command(
    after_help = "Example: digits stress artifacts/pretrained --report stress.html

Sixteen corruptions in the manner of MNIST-C are applied to test images; blank images, noise,
checkerboards and single strokes show nothing of any class, and an accepted one is a mistake.

Without --data-dir these are the test images of what the checkpoint was trained on: MNIST's, or those
in the folder that it records.

With --letters or --fashion, images whose label the network answers are left out where labels lie
beside them: what it was trained on is no other thing.

With --json the result is an object: checkpoint (path), precision (f32 or int8), seed, origin (source, trained_on, same), misread
(a view of the images that is read, where they aren't as they are), and rows with name, images, accuracy
(null where there is no digit), accepted, errors and risk among the accepted, deferral_rate,
out_of_distribution, unreliable and low_confidence (why images go to a person),
accepted_by_confidence_alone and errors_by_confidence_alone, mean_confidence and energy (least, median,
greatest; nats); shares are fractions."
)]
pub struct Stress {
    /// Checkpoint folder
    checkpoint: PathBuf,
    /// Folder with the test images: IDX files (t10k-images-idx3-ubyte …, plain or .gz) or pictures by class
    /// [default: that of the training images]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Folder with a file of letters in MNIST's format, such as EMNIST's test images
    #[arg(long, value_name = "DIR")]
    letters: Option<PathBuf>,
    /// Folder with Fashion-MNIST's test images
    #[arg(long, value_name = "DIR")]
    fashion: Option<PathBuf>,
    /// Images of each kind
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Seed of the corruptions
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Write the whole report, with this test in it, as one HTML file
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    #[command(flatten)]
    computing: Computing,
}

impl Stress {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let classifier = self.computing.classifier(&self.checkpoint)?;
        let (images, origin) = test_images(classifier.manifest(), self.data_dir.as_deref())?;
        let limit = self.limit as usize;
        let mut others = Vec::new();
        for (name, dir) in [("letters", &self.letters), ("fashion items", &self.fashion)] {
            if let Some(dir) = dir {
                others.push((
                    name,
                    Others::read(dir)?.of_nothing_known(&classifier, limit)?,
                ));
            }
        }
        let report_to = self.report.as_deref().map(Output::open).transpose()?;
        let mut stress = stress::Stress::new(&classifier, &images, limit, self.seed)?;
        for (name, others) in &others {
            stress.add(&classifier, name, &others.concat())?;
        }
        let undamaged = stress.rows.first().and_then(|row| row.accuracy);
        let accuracy = undamaged.map_or(1.0, |accuracy| accuracy.value);
        let misread = Misread::find(&classifier, &images, accuracy)?;
        // The result is told even if it can't be written down.
        let written = report_to.map(|file| {
            let mut examination = Examination::new(&classifier, &images)?;
            examination.origin = Some(origin.clone());
            let history = history(&self.checkpoint);
            let page = Page {
                classifier: &classifier,
                images: &images,
                examination: &examination,
                history: history.as_ref(),
                stress: Some(&stress),
            };
            file.write(page.html()?.as_bytes())
        });
        if self.json {
            let mut json = json!({
                "checkpoint": self.checkpoint.display().to_string(),
                "precision": classifier.precision().name(),
                "seed": stress.seed,
                "origin": origin,
                "rows": stress.rows,
            });
            if let Some(misread) = &misread {
                json["misread"] = json!(misread);
            }
            outln!("{}", serde_json::to_string_pretty(&json)?);
        } else {
            let hint = misread.as_ref().map(Misread::hint);
            for note in origin.caveat().into_iter().chain(hint) {
                outln!("note: {note}");
            }
            out!("{stress}");
        }
        written.unwrap_or(Ok(()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Images that may show something else than the network knows.
struct Others {
    /// The file of the images.
    file: PathBuf,
    shape: ImageShape,
    images: Vec<Vec<u8>>,
    /// What they show, as the file of the labels says that lies beside.
    labels: Option<Vec<u16>>,
}

impl Others {
    /// The images of a folder's test file: `t10k-images-idx3-ubyte`, or a name that ends in
    /// `test-images-idx3-ubyte`, plain or `.gz`.
    fn read(dir: &Path) -> anyhow::Result<Self> {
        let cannot_read = || format!("{}: can't read", dir.display());
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).with_context(cannot_read)? {
            let name = entry.with_context(cannot_read)?.file_name();
            names.extend(name.into_string());
        }
        names.sort();
        let split = names.iter().find_map(|name| {
            let plain = name.strip_suffix(".gz").unwrap_or(name);
            let split = plain.strip_suffix("-images-idx3-ubyte")?;
            (split == "t10k" || split.ends_with("test")).then_some((name, split))
        });
        let Some((name, split)) = split else {
            bail!(
                "{}: no test images here; put t10k-images-idx3-ubyte or …-test-images-idx3-ubyte (plain or .gz) into it",
                dir.display()
            );
        };
        let read =
            |file: &Path| fs::read(file).with_context(|| format!("{}: can't read", file.display()));
        let file = dir.join(name);
        let (shape, pixels) = idx::read_images(&read(&file)?, &file.display().to_string())?;
        let mut images: Vec<Vec<u8>> = pixels
            .chunks_exact(shape.len())
            .map(<[u8]>::to_vec)
            .collect();
        if split.starts_with("emnist-") {
            errln!(
                "{}: EMNIST's files hold rows and columns exchanged: the images are turned",
                file.display()
            );
            images = images
                .iter()
                .map(|image| View::TRANSPOSED.of(shape, image))
                .collect();
        }
        let labels = ["", ".gz"].iter().find_map(|gz| {
            let name = format!("{split}-labels-idx1-ubyte{gz}");
            names.contains(&name).then(|| dir.join(name))
        });
        let labels = labels
            .map(|labels| {
                let found = idx::read_labels(&read(&labels)?, &labels.display().to_string())?;
                if found.len() != images.len() {
                    bail!(
                        "{}: {} labels for {} images; use files of the same set",
                        labels.display(),
                        found.len(),
                        images.len()
                    );
                }
                Ok(found)
            })
            .transpose()?;
        Ok(Others {
            file,
            shape,
            images,
            labels,
        })
    }

    /// The first `limit` images without those that show what the network was trained on. Where labels
    /// tell, these are the images of its classes, if most of them are answered as they are labelled.
    fn of_nothing_known(
        self,
        classifier: &Classifier,
        limit: usize,
    ) -> anyhow::Result<Vec<Vec<u8>>> {
        let file = self.file.display();
        let first = &self.images[..self.images.len().min(limit)];
        let (shape, count) = (self.shape, self.images.len());
        if shape != classifier.shape() {
            bail!(
                "{file}: images of {shape}, and the network takes {}; name others",
                classifier.shape()
            );
        }
        let classes = Classes::numbered(vec![0, 1])?;
        let unlabelled = LabelledImages::new(shape, classes, self.images.concat(), vec![0; count])?;
        if unlabelled.digest().images == mnist::TEST.images {
            bail!("{file}: these are MNIST's digits; name images of something else");
        }
        let Some(labels) = &self.labels else {
            let answers = classifier.classify_all(&first.concat())?;
            let accepted = answers.iter().filter(|a| a.decision == Decision::Accept);
            let share = accepted.count() as f64 / first.len().max(1) as f64;
            if share > 0.5 {
                errln!(
                    "warning: {file}: {:.1} % of these images are accepted, and no labels beside them tell what they show; if it is what the network was trained on, their row says nothing",
                    100.0 * share
                );
            }
            return Ok(first.to_vec());
        };
        let classes = classifier.manifest().spec()?.classes;
        let known = |label: u16| classes.index_of(label).is_some();
        let of_known: Vec<usize> = (0..labels.len())
            .filter(|&row| known(labels[row]))
            .collect();
        let tried: Vec<usize> = of_known
            .iter()
            .step_by(of_known.len().div_ceil(TRIED).max(1))
            .copied()
            .collect();
        let mut answered = 0.0;
        for view in [View::default(), View::TRANSPOSED] {
            let seen = tried.iter().map(|&row| view.of(shape, &self.images[row]));
            let answers = classifier.classify_all(&seen.collect::<Vec<_>>().concat())?;
            let is_right = |(answer, row): &(&Answer, &usize)| {
                Some(answer.class) == classes.index_of(labels[**row])
            };
            let right = answers.iter().zip(&tried).filter(is_right).count();
            answered = f64::max(answered, right as f64 / tried.len().max(1) as f64);
        }
        if answered < 0.5 {
            return Ok(first.to_vec());
        }
        if of_known.len() == labels.len() {
            bail!(
                "{file}: the network answers {:.1} % of these images as they are labelled, so they show what it was trained on; name images of something else, and these with --data-dir",
                100.0 * answered
            );
        }
        errln!(
            "{file}: {} images whose labels the network answers are left out",
            of_known.len()
        );
        let others = self.images.iter().zip(labels);
        let others = others.filter(|(_, label)| !known(**label));
        Ok(others.map(|(image, _)| image.clone()).take(limit).collect())
    }
}
