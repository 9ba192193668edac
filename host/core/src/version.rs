//! Which version of the service may take over from which.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A version of the service, as far as it counts: a patch changes nothing that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u64,
    minor: u64,
}

/// Why a version must not take over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is not read what it is.
    #[error("{0:?} is no version of openmcp-dns")]
    Unknown(String),
    /// What a later version keeps, an earlier one may read only if it is the next one.
    #[error(
        "version {last} has led here, and {own} is more than one version before it: it may not understand what that one has \
         kept. Go back one minor version at a time"
    )]
    TooFarBack {
        /// This version.
        own: Version,
        /// The one that led last.
        last: Version,
    },
}

impl FromStr for Version {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let unknown = || Refused::Unknown(text.to_owned());
        let mut parts = text.split('.').map(str::parse);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(_)) => Ok(Self { major, minor }),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

impl Version {
    /// Whether this version may take over from the one that led last. Any later one may, however many were left out.
    ///
    /// # Errors
    /// When it goes back too far.
    pub fn may_follow(self, last: Self) -> Result<(), Refused> {
        let is_next = self.major == last.major && self.minor + 1 == last.minor;
        if self >= last || is_next { Ok(()) } else { Err(Refused::TooFarBack { own: self, last }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwards_any_way_is_open_and_back_there_is_one_step() {
        let may_follow = |own: &str, last: &str| own.parse::<Version>()?.may_follow(last.parse()?);
        for (own, last) in [
            ("0.1.0", "0.1.9"),
            ("0.9.0", "0.1.0"),
            ("2.0.0", "1.7.3"),
            ("0.1.0", "0.2.4"),
            ("1.0.0-rc.1", "1.0.0"),
        ] {
            assert_eq!(may_follow(own, last), Ok(()), "{own} after {last}");
        }
        for (own, last) in [("0.1.0", "0.3.0"), ("0.9.0", "1.0.0"), ("1.0.0", "2.0.0")] {
            let error = may_follow(own, last).unwrap_err().to_string();
            assert!(error.contains("more than one version before"), "{own} after {last}: {error}");
        }
        assert_eq!(may_follow("0.1.0", "soon"), Err(Refused::Unknown("soon".to_owned())));
    }
}
