//! How a command reaches a registry, and as whom.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::terminal::hint::{Hint as _, hinted};
use openmcp_dns_modules::registry::{Access, Credentials, DockerConfig, Reference, Registry};
use openmcp_dns_modules::remote::UntrustedHttp;

/// Longest password in bytes; tokens that serve as passwords have some kilobytes.
const PASSWORD_BYTES: u64 = 64 << 10;

/// How to reach a registry.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Registry")]
pub(super) struct LoginArgs {
    /// User of the registry; without it, what `docker login` has saved is used (config.json in
    /// $DOCKER_CONFIG or ~/.docker)
    #[arg(long, value_name = "USER", requires = "password_stdin")]
    username: Option<String>,

    /// Read the password from stdin
    #[arg(long, requires = "username")]
    password_stdin: bool,

    /// File with the certificates (PEM) of the only authorities to accept, instead of the system's
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,

    /// Use plain http. Whoever sits on the way sees the credentials
    #[arg(long)]
    insecure: bool,
}

impl LoginArgs {
    /// Prepares requests to the registry of a reference.
    pub(super) fn registry(&self, reference: &Reference, access: Access) -> anyhow::Result<Registry> {
        let Self { username, password_stdin: _, ca, insecure } = self;
        let authorities = match ca {
            Some(file) => Some(
                std::fs::read_to_string(file)
                    .with_context(|| format!("failed to read {}", file.display()))
                    .hint("give a file with certificates in PEM form to --ca")?,
            ),
            None => None,
        };
        let credentials = match username {
            Some(user) => Some(Credentials { user: user.clone(), password: password()? }),
            None => saved(reference)?,
        };
        // The person who asks is the operator here.
        let allowed = if *insecure { vec![reference.host().to_owned()] } else { Vec::new() };
        let untrusted_http = UntrustedHttp::new(allowed);
        let registry = Registry::new(
            &untrusted_http,
            reference.clone(),
            access,
            credentials,
            authorities.as_deref(),
            *insecure,
        );
        Ok(registry?)
    }
}

fn password() -> anyhow::Result<String> {
    let mut password = String::new();
    std::io::stdin()
        .take(PASSWORD_BYTES)
        .read_to_string(&mut password)
        .context("failed to read the password from stdin")?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        return Err(hinted(
            "there is no password on stdin",
            "send it there, for example: --password-stdin < file",
        ));
    }
    Ok(password)
}

/// What `docker login` has saved, if it has saved anything.
fn saved(reference: &Reference) -> anyhow::Result<Option<Credentials>> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("DOCKER_CONFIG").or_else(|| Some(set("HOME")?.join(".docker")));
    let Some(file) = folder.map(|folder| folder.join("config.json")) else { return Ok(None) };
    let what = || format!("failed to use {}", file.display());
    let hint = "give --username and --password-stdin instead";
    let json = match std::fs::read(&file) {
        Ok(json) => json,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(what).hint(hint),
    };
    let found = DockerConfig::parse(&json).and_then(|config| config.for_repository(reference));
    found.with_context(what).hint(hint)
}

/// The next step after a registry refused.
pub(super) const REGISTRY_HINT: &str =
    "check the reference, the credentials (docker login, or --username with --password-stdin), and --ca";
