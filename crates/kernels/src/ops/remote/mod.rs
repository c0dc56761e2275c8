//! The kernels on devices that another machine lends through Burn's remote protocol.
//!
//! Burn sends the operations of its backends to a lender one by one; a layer made of them is many times slower than
//! the kernels. So each operation of this crate crosses as one custom operation: the borrower's side builds it
//! (`borrow.rs`), and a lender that [`lend`] has prepared runs the kernel on its own tensors. What a
//! forward pass keeps for the backward pass stays with the lender, as tensors that the borrower holds by name.
//!
//! Borrower and lender have to be of one version of this crate: [`greet`] asks before anything else does.

mod borrow;
mod greeting;
#[cfg(feature = "remote-server")]
mod lend;

pub(super) use greeting::has_lent_kernels;
pub use greeting::{GreetError, Lender, greet};
#[cfg(feature = "remote-server")]
pub use lend::lend;

/// What a borrower and a lender must agree on: names, order and meaning of what is below.
const PROTOCOL: u32 = 1;

/// The names of the operations.
mod id {
    pub(super) const HELLO: &str = "kernels.hello";
    pub(super) const SHIFT: &str = "kernels.shift";
    pub(super) const SHIFT_BACK: &str = "kernels.shift.back";
    pub(super) const NORM: &str = "kernels.norm";
    pub(super) const NORM_BACK: &str = "kernels.norm.back";
    pub(super) const INFER: &str = "kernels.norm.infer";
    pub(super) const FLATTEN: &str = "kernels.flatten";
    pub(super) const LOSS: &str = "kernels.loss";
    pub(super) const ADAMW: &str = "kernels.adamw";
}

/// What the numbers of a layer begin with.
pub(super) const CONV: u64 = 0;
/// As [`CONV`].
pub(super) const DENSE: u64 = 1;
