//! Demo: the service as in production, on a folder that is written into Kubernetes APIs in memory.
//!
//! ```text
//! folder ──watch, scan──► Files ──mirror──► API servers in memory ◄──clients── service::run
//!                                                 │ status, Events                  │
//!  overview, lines ◄──────── Session ◄────────────┴───── journal, store ◄───────────┤
//!                                                                       DNS server ◄┘
//! ```
//! Only the API servers, the clusters' own DNS and the store are stand-ins: which policy holds, which module decides, what is
//! recorded, held, reported and probed is the doing of the real service.

mod answer;
mod causes;
mod changes;
mod cluster_dns;
mod dns;
mod draw;
mod event;
mod given;
mod lines;
mod merge;
mod mirror;
mod occurrences;
mod overview;
mod page;
mod policies;
mod run;
mod servers;
mod session;
mod start;
mod statuses;
mod text;
mod tour;
mod view;
mod wanted;

pub use event::Event;
pub use overview::Overview;
pub use run::{Settings, Until, run};
