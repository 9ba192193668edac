//! Reading and editing Corefiles without touching what is not ours.
//!
//! ```text
//! text ──lex──► tokens ──parse──► server blocks ──edit──► text with our block
//!                                      ▲                        │
//!                                      └──── compared again ◄───┘
//! ```
//! CoreDNS's own library keeps neither comments nor order, and its parser accepts texts that do not
//! mean what they look like. So this module keeps the text, finds the bytes of our block, and
//! replaces only those: an insertion followed by a removal gives the original bytes back. Whatever
//! it does not understand it refuses with a [`CorefileError`] that names the line: CoreDNS keeps
//! running with its old configuration when a new one is broken, and stops at the next restart.

mod address;
mod closest;
mod edit;
mod environment;
mod error;
mod lexer;
mod managed;
mod neighbours;
mod parse;
mod root;

pub use edit::{
    Edited, check_imported, remove_forward, set_forward, set_forward_in_own_file, set_forward_in_shared_file,
};
pub use error::CorefileError;
pub use lexer::{Comment, Lexed, Token, lex};
pub use managed::MAX_UPSTREAMS;
pub use neighbours::Warning;
pub use parse::{Corefile, FileImport, Plugin, ServerBlock};
