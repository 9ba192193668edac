//! What the service writes, and what it does not: real API servers and a real etcd behind a proxy that sees every write.

mod killed;
mod rest;
mod side;
mod state;
