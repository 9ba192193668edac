//! `openmcp-dns completions`: completions for a shell.

use clap_complete::Shell;

use crate::terminal::output::print;

/// Prints completions for a shell: commands, options and their values.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  For bash, from the next shell on:
    mkdir -p ~/.local/share/bash-completion/completions
    openmcp-dns completions bash > ~/.local/share/bash-completion/completions/openmcp-dns

  For zsh, into a folder of $fpath:
    openmcp-dns completions zsh > \"${fpath[1]}/_openmcp-dns\"

  For fish:
    mkdir -p ~/.config/fish/completions
    openmcp-dns completions fish > ~/.config/fish/completions/openmcp-dns.fish")]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// As it is typed.
const NAME: &str = "openmcp-dns";

/// Runs the command.
pub fn run(args: &CompletionsArgs, mut command: clap::Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    // clap_complete's script for bash has two forms of a name with a hyphen, and finds nothing below the first level.
    let (name, function) = match args.shell {
        Shell::Bash => ("openmcp_dns", "_openmcp_dns"),
        _ => (NAME, NAME),
    };
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = script.lines().map(|line| match line.trim_start().strip_prefix("complete ") {
        // Everything but the line that says for which command it is.
        Some(rest) if rest.contains(function) => line.replace(&format!(" {name}"), &format!(" {NAME}")),
        _ => line.to_owned(),
    });
    Ok(print(&(script.collect::<Vec<_>>().join("\n") + "\n"))?)
}
