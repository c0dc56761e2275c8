//! The backends that are compiled in, by name, and the device that each one computes on.

use std::{fmt, str::FromStr};

use burn::tensor::Device;
use thiserror::Error;

/// A Burn backend. Which of them are compiled in is decided by the cargo features of the same
/// names; see [`Backend::available`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `burn-ndarray`: the CPU, any platform.
    NdArray,
    /// `burn-flex`: the CPU, Burn's newer backend.
    Flex,
    /// `burn-wgpu`: a GPU through Vulkan, Metal or DX12, or a software Vulkan driver.
    Wgpu,
}

/// Why a backend can't be used.
#[derive(Debug, Error)]
pub enum BackendError {
    /// The name is none of the known ones.
    #[error("unknown backend `{name}`; known are ndarray, flex and wgpu")]
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// The backend exists, but this build leaves it out.
    #[error(
        "backend `{name}` is not compiled in (this build has: {available}); \
         rebuild with `--features {name}`"
    )]
    NotCompiled {
        /// The name that was asked for.
        name: &'static str,
        /// The backends of this build.
        available: String,
    },
    /// There is no graphics adapter to compute on.
    #[error(
        "no usable graphics adapter for backend `wgpu`: {reason}; install a Vulkan driver \
         (Debian's mesa-vulkan-drivers has one in software) or use the backend `ndarray`"
    )]
    NoAdapter {
        /// What the graphics runtime said.
        reason: String,
    },
    /// The build has no backend at all.
    #[error("this build has no backend; enable one of the features ndarray, flex, wgpu")]
    None,
}

impl Backend {
    /// The backends of this build, the preferred one first.
    pub fn available() -> Vec<Backend> {
        [Backend::NdArray, Backend::Flex, Backend::Wgpu]
            .into_iter()
            .filter(|backend| match backend {
                Backend::NdArray => cfg!(feature = "ndarray"),
                Backend::Flex => cfg!(feature = "flex"),
                Backend::Wgpu => cfg!(feature = "wgpu"),
            })
            .collect()
    }

    /// The backend's name, as in the cargo features and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Backend::NdArray => "ndarray",
            Backend::Flex => "flex",
            Backend::Wgpu => "wgpu",
        }
    }

    /// The device to compute on, without gradients.
    ///
    /// # Errors
    /// [`BackendError::NotCompiled`] if the build leaves the backend out, and
    /// [`BackendError::NoAdapter`] if `wgpu` finds nothing to compute on. There is no fallback to
    /// another backend.
    pub fn device(self) -> Result<Device, BackendError> {
        match self {
            #[cfg(feature = "ndarray")]
            #[allow(
                deprecated,
                reason = "upstream prefers flex; 0.22.1 is pinned and still has it"
            )]
            Backend::NdArray => Ok(Device::ndarray()),
            #[cfg(feature = "flex")]
            Backend::Flex => Ok(Device::flex()),
            #[cfg(feature = "wgpu")]
            Backend::Wgpu => wgpu_device(),
            #[allow(unreachable_patterns)]
            other => Err(other.not_compiled()),
        }
    }

    fn not_compiled(self) -> BackendError {
        let available = Backend::available();
        if available.is_empty() {
            return BackendError::None;
        }
        let names: Vec<_> = available.iter().map(|b| b.name()).collect();
        BackendError::NotCompiled {
            name: self.name(),
            available: names.join(", "),
        }
    }
}

#[cfg(feature = "wgpu")]
fn wgpu_device() -> Result<Device, BackendError> {
    Device::wgpu_options()
        .init()
        .map_err(|error| BackendError::NoAdapter {
            reason: error.to_string().replace('\n', " "),
        })
}

/// The preferred backend of this build: the first of `ndarray`, `flex` and `wgpu` that is
/// compiled in.
impl Default for Backend {
    fn default() -> Self {
        Backend::available()
            .first()
            .copied()
            .unwrap_or(Backend::NdArray)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = BackendError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let backend = match name {
            "ndarray" => Backend::NdArray,
            "flex" => Backend::Flex,
            "wgpu" => Backend::Wgpu,
            _ => {
                return Err(BackendError::Unknown {
                    name: name.to_owned(),
                });
            }
        };
        if Backend::available().contains(&backend) {
            Ok(backend)
        } else {
            Err(backend.not_compiled())
        }
    }
}
