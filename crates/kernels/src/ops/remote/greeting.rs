//! Whether a lender speaks as this crate does.

use std::{
    collections::HashSet,
    sync::{PoisonError, RwLock},
};

use burn::{
    backend::{
        Device as _, DeviceId, DispatchDevice, Remote, RemoteDevice,
        ir::{CustomOpIr, TensorIr},
        ops::FloatTensorOps,
    },
    remote::CustomOpClient,
    tensor::{DType, Device, Shape, try_read_sync},
};
use thiserror::Error;

use super::{PROTOCOL, id};

/// The devices whose lenders have kernels.
static WITH_KERNELS: RwLock<Option<HashSet<DeviceId>>> = RwLock::new(None);

/// What a lender said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lender {
    /// Whether layers run on the kernels there; otherwise they are made of Burn's own operations.
    pub kernels: bool,
}

/// Why a device can't be borrowed.
#[derive(Debug, Error)]
pub enum GreetError {
    /// It isn't a device of a lender.
    #[error("not a remote device")]
    Local,
    /// Nobody answered, or somebody who doesn't lend by [`lend`](crate::ops::remote).
    #[error("what answers lends devices, but not through this program ({reason})")]
    Foreign {
        /// What Burn said.
        reason: String,
    },
    /// The lender's crate is of another version.
    #[error(
        "the lender speaks version {theirs} of the kernels' protocol, this program version {PROTOCOL}; build both from one source"
    )]
    Version {
        /// What the lender speaks.
        theirs: u32,
    },
}

/// Asks the lender of a device who it is. From then on the operations of this crate use its kernels, if it has any.
///
/// # Errors
///
/// [`GreetError`] if it doesn't lend through [`lend`](crate::ops::remote), or in another version. Its session is
/// over then.
pub fn greet(device: &Device) -> Result<Lender, GreetError> {
    let device = device.clone().inner();
    let DispatchDevice::Remote(remote) = device.as_dispatch() else {
        return Err(GreetError::Local);
    };
    let answer = ask(remote).map_err(|reason| GreetError::Foreign { reason })?;
    let &[version, kernels] = &answer[..] else {
        return Err(GreetError::Foreign {
            reason: format!("it said {answer:?}"),
        });
    };
    if version != PROTOCOL as f32 {
        return Err(GreetError::Version {
            theirs: version as u32,
        });
    }
    let kernels = kernels != 0.0;
    if kernels {
        let mut known = WITH_KERNELS.write().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert_default().insert(remote.to_id());
    }
    Ok(Lender { kernels })
}

fn ask(device: &RemoteDevice) -> Result<Vec<f32>, String> {
    let client = CustomOpClient::new(device);
    let answer = TensorIr::uninit(client.create_empty_handle(), Shape::from([2]), DType::F32);
    let operation = CustomOpIr::with_scalars(id::HELLO, &[], &[answer], Vec::new());
    let Some(answer) = client.register(operation).pop() else {
        return Err("it said nothing".to_owned());
    };
    let read = try_read_sync(Remote::float_into_data(answer));
    let data = read
        .ok_or("it said nothing")?
        .map_err(|error| error.to_string())?;
    data.try_into_vec().map_err(|error| error.to_string())
}

/// Whether the device's lender has been greeted and has kernels.
pub(in super::super) fn has_lent_kernels(device: &Device) -> bool {
    match device.clone().inner().as_dispatch() {
        DispatchDevice::Remote(remote) => {
            let known = WITH_KERNELS.read().unwrap_or_else(PoisonError::into_inner);
            known
                .as_ref()
                .is_some_and(|known| known.contains(&remote.to_id()))
        }
        _ => false,
    }
}
