//! The languages of guests, and how a guest's language is recognised.

use std::fmt;
use std::path::Path;

use openmcp_dns_policy::Limits;

use crate::sources_error::SourcesError;

/// The language of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Compiled by cargo.
    Rust,
    /// Compiled by clang.
    C,
    /// Put into a JavaScript engine by componentize-js.
    JavaScript,
    /// Put into a Python interpreter by componentize-py.
    Python,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rust, Self::C, Self::JavaScript, Self::Python];

    /// Recognises the language of the guest in a folder by the file that only its guests have.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn of(guest: &Path) -> Result<Self, SourcesError> {
        let found: Vec<Self> =
            Self::ALL.into_iter().filter(|language| guest.join(language.marker()).is_file()).collect();
        match found[..] {
            [language] => Ok(language),
            [] => Err(SourcesError::NoLanguage { guest: guest.into() }),
            [first, second, ..] => Err(SourcesError::TwoLanguages { guest: guest.into(), first, second }),
        }
    }

    /// The file that a guest is recognised by.
    #[must_use]
    pub const fn marker(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::C => "src/decisions.c",
            Self::JavaScript => "package.json",
            Self::Python => "src/decisions.py",
        }
    }

    /// What decides the bytes of a module besides everything below `src`, in a guest's folder.
    pub(crate) const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["Cargo.toml", "Cargo.lock", ".cargo/config.toml"],
            Self::C => &[],
            Self::JavaScript => &["package.json", "package-lock.json"],
            Self::Python => &["requirements.txt"],
        }
    }

    /// Whether a module brings the runtime of its language along. Such modules have 12 to 18 MB: the
    /// repository holds their sources only.
    #[must_use]
    pub const fn has_runtime(self) -> bool {
        match self {
            Self::Rust | Self::C => false,
            Self::JavaScript | Self::Python => true,
        }
    }

    /// The limits that a module is checked with.
    #[must_use]
    pub fn limits(self) -> Limits {
        if self.has_runtime() { Limits::for_language_runtimes() } else { Limits::default() }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "Rust",
            Self::C => "C",
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_of_the_language_whose_file_it_has() {
        for language in Language::ALL {
            let folder = tempfile::tempdir().unwrap();
            assert!(matches!(Language::of(folder.path()), Err(SourcesError::NoLanguage { .. })));
            std::fs::create_dir(folder.path().join("src")).unwrap();
            std::fs::write(folder.path().join(language.marker()), "").unwrap();
            assert_eq!(Language::of(folder.path()).unwrap(), language);
        }
    }

    #[test]
    fn a_folder_of_two_languages_is_refused_with_the_names_of_both() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        std::fs::write(folder.path().join("package.json"), "").unwrap();
        let error = Language::of(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("Rust (Cargo.toml)") && error.contains("JavaScript (package.json)"),
            "{error}"
        );
    }
}
