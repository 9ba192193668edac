//! Completions, loaded in the shells that they are for. A shell that is not there is passed over: `scripts/setup test`
//! installs all of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::process::Command;

use support::run;

/// What a shell prints when it has run a text, with the script in the file `$SCRIPT`; `None` where it is not there.
fn in_shell(shell: &str, arguments: &[&str], text: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("_openmcp-dns");
    let made = run(&["completions", shell]);
    assert_eq!(made.code, 0, "{made:?}");
    fs::write(&script, made.stdout).unwrap();
    let mut command = Command::new(shell);
    command.args(arguments).args(["-c", text]).env("SCRIPT", &script).env("HOME", folder.path());
    let Ok(output) = command.output() else {
        assert_ne!(shell, "bash", "every machine has bash");
        eprintln!("passed over: {shell} is not there");
        return None;
    };
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The words that bash offers in the place of the last one.
fn offered_by_bash(words: &str) -> Vec<String> {
    let text = format!(
        "source \"$SCRIPT\"; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()\n\
         function=$(complete -p openmcp-dns | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n\
         \"$function\" openmcp-dns \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let offered = in_shell("bash", &["--norc"], &text).unwrap();
    offered.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_offers_what_fits_on_every_level() {
    let offered = offered_by_bash("openmcp-dns ''");
    assert!(offered.contains(&"policy".to_owned()), "{offered:?}");
    assert!(!offered.contains(&"docs-cli".to_owned()), "{offered:?}");
    let offered = offered_by_bash("openmcp-dns policy ''");
    assert!(offered.contains(&"scaffold".to_owned()), "{offered:?}");
    assert_eq!(
        offered_by_bash("openmcp-dns policy scaffold x --language ''"),
        ["rust", "c", "javascript", "python"]
    );
    let offered = offered_by_bash("openmcp-dns schema ''");
    assert!(offered.contains(&"demo-events".to_owned()), "{offered:?}");
}

#[test]
fn zsh_loads_the_script_from_a_folder_of_its_path() {
    let text = "fpath=(${SCRIPT:h} $fpath); autoload -U compinit; compinit -u -d ${SCRIPT:h}/dump\n\
                print ${_comps[openmcp-dns]}; autoload +X _openmcp-dns && print loaded";
    if let Some(said) = in_shell("zsh", &["-f"], text) {
        assert_eq!(said, "_openmcp-dns\nloaded\n");
    }
}

#[test]
fn fish_offers_what_fits_on_every_level() {
    let text = "source $SCRIPT; complete -C 'openmcp-dns policy '; complete -C 'openmcp-dns policy scaffold x --language '";
    if let Some(said) = in_shell("fish", &["--no-config"], text) {
        for wanted in ["scaffold\t", "javascript\t"] {
            assert!(said.contains(wanted), "{wanted}: {said}");
        }
    }
}
