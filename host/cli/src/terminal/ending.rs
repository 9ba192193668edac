//! How a command ends whose exit code says more than whether it could be carried out.

use std::process::ExitCode;

use super::hint::describe;
use super::output::{is_closed, note};

/// Tells an error, and ends with `code` for it. That nobody reads the output any more is left to the caller.
pub fn or_code(ended: anyhow::Result<ExitCode>, code: u8) -> anyhow::Result<ExitCode> {
    match ended {
        Err(error) if !is_closed(&error) => {
            note(&describe(&error));
            Ok(ExitCode::from(code))
        }
        ended => ended,
    }
}
