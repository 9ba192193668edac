//! Given: what is used instead of what the landscape says.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use openmcp_dns_landscape::folder::{Object, Syntax, parse};
use serde_json::Value;

use crate::terminal::hint::{Hint as _, hinted};

/// What `--policy` names.
#[derive(Clone, Debug, Default)]
pub(super) enum Given {
    /// Nothing: the landscape's policies hold.
    #[default]
    Nothing,
    /// A policy module, by the absolute path of its file.
    Module(PathBuf),
    /// A DNSPolicy as it stands in its file.
    Policy(Value),
}

impl Given {
    /// Reads what a file holds.
    ///
    /// # Errors
    /// When it is neither a policy module nor a DNSPolicy.
    pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self::Nothing) };
        let hint = "name a file with a DNSPolicy, or a policy module (a WebAssembly component)";
        let failed = || format!("failed to read {}", file.display());
        let bytes = std::fs::read(file).with_context(failed).hint(hint)?;
        if bytes.starts_with(b"\0asm") {
            return Ok(Self::Module(std::path::absolute(file).with_context(failed).hint(hint)?));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| hinted(format!("{} is neither text nor WebAssembly", file.display()), hint))?;
        let parsed = parse(Syntax::of(&file.to_string_lossy()).unwrap_or(Syntax::Yaml), &text);
        if let Some(problem) = parsed.problems.first() {
            return Err(hinted(problem.at(&file.display().to_string()), hint));
        }
        let policy = parsed.objects.into_iter().find_map(|(_, manifest)| match manifest.object {
            Object::Policy(_) => Some(manifest.raw.object()),
            _ => None,
        });
        let policy = policy.ok_or_else(|| hinted(format!("{} holds no DNSPolicy", file.display()), hint))?;
        Ok(Self::Policy(policy))
    }
}
