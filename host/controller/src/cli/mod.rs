//! The commands.

mod crds;

/// entry
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
