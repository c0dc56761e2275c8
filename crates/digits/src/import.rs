//! `digits import`: weights that PyTorch saved, as a checkpoint.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::BackendArg;

#[derive(Args)]
#[command(after_help = "Examples:
  digits import --from model.safetensors --architecture net.toml --to imported
  digits calibrate imported --data-dir held-out --to calibrated
  digits import --from exported/model.safetensors --architecture exported/config.json --to back

The architecture of PyTorch's own example for MNIST, for instance:

  classes = 10            # or [\"cat\", \"dog\"], in the order of the logits
  picture = \"framed\"      # as MNIST's were; \"whole\" for other pictures
  input = { channels = 1, height = 28, width = 28 }
  normalization = { mean = 0.1307, std = 0.3081 }   # of byte / 255
  [network]               # as in a recipe
  blocks = [{ channels = 32, kernel = 3, pool = false }, { channels = 64, kernel = 3 }]
  dense = [128]
  norm = false
  order = \"conv-norm-relu-pool\"
  dropout = 0.0
  [names]                 # only where neither names, positions nor shapes tell
  \"blocks.0.conv\" = \"conv1\"
  \"output\" = \"fc2\"

safetensors.torch.save_file(model.state_dict(), \"model.safetensors\") writes the weights in Python. Weights of 16
and 64 bits are converted. Each tensor that is missing, unexpected or of another shape is named; nothing is
guessed. The checkpoint isn't calibrated: it accepts no answer before digits calibrate.")]
pub struct Import {
    /// The safetensors file with the weights
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The architecture: config.json of an export, or TOML
    #[arg(long, value_name = "FILE")]
    architecture: PathBuf,
    /// The checkpoint folder to write
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Replace a checkpoint that is there already
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    backend: BackendArg,
}

impl Import {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        exchange::check_place(&self.to, self.force)?;
        let imported = exchange::import(&self.from, &self.architecture, &self.backend.device()?)?;
        imported.write(&self.to, self.force)?;
        for note in &imported.notes {
            errln!("note: {note}");
        }
        let to = self.to.display();
        let (parameters, shape) = (imported.manifest.parameters(), imported.manifest.input);
        outln!("{to}: {parameters} parameters for images of {shape}");
        outln!("not calibrated: it accepts no answer before `digits calibrate`");
        Ok(ExitCode::SUCCESS)
    }
}
