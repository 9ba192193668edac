//! Errors that name the next step.

use std::fmt;

/// An error with the next step that a person can take.
#[derive(Debug)]
pub struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first message only: the causes below it are shown as sources.
        fmt::Display::fmt(&self.error, f)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.chain().nth(1)
    }
}

/// Adds the next step to an error.
pub trait Hint<T, E> {
    /// Says what to do about the error; context can be put around it afterwards.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>
    where
        Self: Sized,
    {
        self.with_hint(|_| hint.into())
    }

    /// As [`Hint::hint`], for a next step that depends on the error.
    fn with_hint<H: Into<String>>(self, hint: impl FnOnce(&E) -> H) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Hint<T, E> for Result<T, E> {
    fn with_hint<H: Into<String>>(self, hint: impl FnOnce(&E) -> H) -> anyhow::Result<T> {
        self.map_err(|error| {
            let hint = hint(&error).into();
            Hinted { error: error.into(), hint }.into()
        })
    }
}

/// An error of one sentence with the next step.
pub fn hinted(message: impl fmt::Display, hint: impl Into<String>) -> anyhow::Error {
    Hinted { error: anyhow::anyhow!("{message}"), hint: hint.into() }.into()
}

/// The error with its causes in one line, and below it the next step if one is known.
pub fn describe(error: &anyhow::Error) -> String {
    let mut text = format!("error: {}", openmcp_dns_core::chain(error.as_ref()));
    for hinted in error.chain().filter_map(|cause| cause.downcast_ref::<Hinted>()) {
        text.push_str("\nhint: ");
        text.push_str(&hinted.hint);
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_hint_comes_last_wherever_in_the_chain_it_was_given() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error: anyhow::Result<()> =
            Err(missing).context("failed to read a.yaml").hint("create it").context("failed to start");
        let text = describe(&error.unwrap_err());
        assert_eq!(text, "error: failed to start: failed to read a.yaml: entity not found\nhint: create it");
    }

    #[test]
    fn an_error_without_a_hint_is_one_line() {
        assert_eq!(describe(&anyhow::anyhow!("it is broken")), "error: it is broken");
        assert_eq!(describe(&hinted("no server", "name one")), "error: no server\nhint: name one");
    }
}
