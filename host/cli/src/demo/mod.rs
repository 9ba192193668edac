//! Demo: the whole service on a folder of manifests, in one process.
//!
//! ```text
//! folder ──scan──► Files ──object changes──► Session ──► Service (coordinator, store, DNS server, prober)
//!    ▲                                          │ ▲                      │
//!    └──watch                          events ◄─┘ └──── reports, answers ┘
//! ```
//! Only the store, the clusters and their watches are stand-ins: decisions, records, DNS answers and
//! probes are those of the real service.

mod answer;
mod causes;
mod event;
mod paint;
mod picture;
pub mod rules;
mod run;
mod service;
mod session;
mod text;
mod view;

pub use run::{Settings, run};
