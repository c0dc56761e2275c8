//! What people answered, taken out: into a folder by the command, as an archive by the page.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, ensure};
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use clap::Args;
use flate2::{Compression, write::GzEncoder};
use queue::{Address, Options, Queue};
use serde::Deserialize;

use crate::{
    answered::{Answered, PROVENANCE},
    args::DATABASE,
    failure::Failure,
    reviews::failed,
    service::Service,
};

/// Bytes of images that people may have named, of all models, for an archive to be made: all of them are read.
const MOST: u64 = 64 << 20;

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
        let answered = Answered::read(&queue, self.model.as_deref()).await;
        queue.close().await;
        let answered = answered.with_context(|| address.to_string())?;
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
        write(&partial, &answered).with_context(|| format!("can't write {}", partial.display()))?;
        if written {
            fs::rename(&self.to, &old).with_context(|| self.to.display().to_string())?;
        }
        fs::rename(&partial, &self.to).with_context(|| self.to.display().to_string())?;
        if written {
            fs::remove_dir_all(&old).with_context(|| old.display().to_string())?;
        }
        println!(
            "{} images to learn from, {} to judge by: {}",
            answered.learn.len(),
            answered.judge.len(),
            self.to.display()
        );
        Ok(())
    }
}

fn write(folder: &Path, answered: &Answered) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in answered.files()? {
        let mut file = File::create(folder.join(name))?;
        file.write_all(&bytes)?;
        file.sync_all()?;
    }
    Ok(())
}

/// Whose images.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// The model that deferred them; without, the first.
    model: Option<String>,
}

/// `GET /review/export`: what `serve export` writes, as an archive.
///
/// # Errors
/// 404 if there is no such model, 409 if nobody has named an image of it, 413 if they are too many for an archive,
/// 503 if the queue can't be reached or another archive is being made.
pub async fn archive(
    State(service): State<Arc<Service>>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(Which { model }) = which.map_err(|rejection| Failure::bad(rejection.body_text()))?;
    let found = service.models.get(model.as_deref());
    let (name, _) =
        found.ok_or_else(|| Failure::not_found("no model of that name is in service"))?;
    let Ok(_one) = service.archives.try_acquire() else {
        let message = "another archive is being made; try again in a second";
        return Err(Failure::unavailable(message));
    };
    let bytes = service.queue.named_bytes().await;
    if bytes.map_err(|fault| failed(&fault))? > MOST {
        let message = "too many images were answered for a download: ask who runs the server for `serve export`";
        return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    let answered = Answered::read(&service.queue, Some(name)).await;
    let answered = answered.map_err(|error| match error.downcast_ref() {
        Some(fault) => failed(fault),
        None => Failure::conflict(error.to_string()),
    })?;
    let root = format!("answers-{name}");
    let fault = |_| Failure::internal("making the archive failed");
    let file = format!("attachment; filename=\"{root}.tar.gz\"");
    let archive = tokio::task::spawn_blocking(move || packed(&root, &answered));
    let archive = archive.await.map_err(fault)?;
    let archive = archive.map_err(|_| Failure::internal("making the archive failed"))?;
    let headers = [
        (header::CONTENT_TYPE, "application/gzip"),
        (header::CONTENT_DISPOSITION, &file),
    ];
    Ok((headers, archive).into_response())
}

/// The data set as an archive with one folder.
fn packed(folder: &str, answered: &Answered) -> anyhow::Result<Vec<u8>> {
    let packing = GzEncoder::new(Vec::new(), Compression::default());
    let mut archive = tar::Builder::new(packing);
    for (name, bytes) in answered.files()? {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{folder}/{name}"), &bytes[..])?;
    }
    Ok(archive.into_inner()?.finish()?)
}
