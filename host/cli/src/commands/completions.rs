//! `openmcp-dns completions`: completions for a shell.

use clap_complete::Shell;

use crate::terminal::output::print;

/// Prints completions for a shell: commands, options and their values.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  For bash, from the next shell on:
    openmcp-dns completions bash > ~/.local/share/bash-completion/completions/openmcp-dns

  For zsh, into a folder of $fpath:
    openmcp-dns completions zsh > \"${fpath[1]}/_openmcp-dns\"

  For fish:
    openmcp-dns completions fish > ~/.config/fish/completions/openmcp-dns.fish")]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
pub fn run(args: &CompletionsArgs, mut command: clap::Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "openmcp-dns", &mut script);
    Ok(print(&String::from_utf8_lossy(&script))?)
}
