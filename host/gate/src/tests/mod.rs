//! What a malicious client tries, and what everybody else notices of it: nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod attacks;
mod certificates;
mod client;
mod doors;
mod world;
