//! What the queue promises, on SQLite, and on PostgreSQL where `QUEUE_POSTGRES` has the address of a server
//! on which databases can be created.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
mod callbacks;
mod firsts;
mod keeping;
mod killed;
mod leases;
mod opening;
mod opinions;
mod place;
mod refusals;
mod undo;
