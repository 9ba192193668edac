//! `openmcp-dns docs-cli`: the reference of all commands, made of the same texts as `--help`.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use crate::terminal::output::print;

const HEAD: &str = "<!-- Made by `openmcp-dns docs-cli`; a test fails when it is not up to date. -->\n\
    # Commands of openmcp-dns\n\n\
    Data goes to stdout; progress, logs and errors go to stderr. An error ends with a line that starts with\n\
    `hint:` where there is a next step to name. `RUST_LOG` says what is logged, `NO_COLOR` turns colour off.\n";

/// Runs the command.
pub fn run(mut command: Command) -> anyhow::Result<()> {
    // Fills in what depends on the commands above, such as the usage.
    command.build();
    Ok(print(&markdown(&command))?)
}

/// All commands, from the top: contents first, then a section for each.
fn markdown(top: &Command) -> String {
    let mut commands = Vec::new();
    collect(top, &mut commands);
    let mut text = HEAD.to_owned();
    text.push('\n');
    for command in commands.iter().filter(|command| !is_group(command)) {
        let name = path(command);
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        // Writing into a String cannot fail, here and below.
        let _ = writeln!(text, "- [`{name}`](#{}): {}", name.replace(' ', "-"), first_line(&about));
    }
    for command in commands {
        section(command, &mut text);
    }
    text
}

fn collect<'c>(command: &'c Command, commands: &mut Vec<&'c Command>) {
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        if command.get_name() != "help" {
            commands.push(command);
            collect(command, commands);
        }
    }
}

fn section(command: &Command, text: &mut String) {
    let name = path(command);
    let _ = write!(text, "\n{} {name}\n\n", if name.matches(' ').count() > 1 { "###" } else { "##" });
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string);
    let _ = writeln!(text, "{}", about.unwrap_or_default().trim());
    if is_group(command) {
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let _ = write!(text, "\n```\n{}\n```\n", usage.trim_start_matches("Usage: "));
    let arguments: Vec<&Arg> = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set() && argument.get_id() != "help")
        .collect();
    if !arguments.is_empty() {
        text.push_str("\n| argument | meaning |\n|---|---|\n");
    }
    for argument in arguments {
        // A bar would end the cell, even within code.
        let cells = [spelling(argument), meaning(argument)].map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| `{}` | {} |", cells[0], cells[1]);
    }
    if let Some(more) = command.get_after_long_help().or(command.get_after_help()) {
        let _ = write!(text, "\n```text\n{}\n```\n", more.to_string().trim());
    }
}

fn spelling(argument: &Arg) -> String {
    // Clap shows arguments as the usage line does, for example `--output <FORMAT>` and `[VECTORS]...`.
    let shown = argument.to_string();
    let repeats = matches!(argument.get_action(), ArgAction::Append) && !shown.ends_with("...");
    if repeats { format!("{shown}...") } else { shown }
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string);
    let mut text = help.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let takes_values = argument.get_action().takes_values();
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|_| takes_values)
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !values.is_empty() {
        let _ = write!(text, ". One of {}", values.join(", "));
    }
    let defaults: Vec<_> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_values && !defaults.is_empty() {
        let _ = write!(text, ". Default: `{}`", defaults.join(" "));
    }
    if let Some(variable) = argument.get_env() {
        let _ = write!(text, ". Environment: `{}`", variable.to_string_lossy());
    }
    text
}

/// A command that only holds others.
fn is_group(command: &Command) -> bool {
    command.is_subcommand_required_set() || command.get_subcommands().any(|inner| inner.get_name() != "help")
}

fn path(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).to_owned()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
