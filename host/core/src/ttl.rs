//! Times to live.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shortest time to live in seconds that is published.
pub const MIN_TTL_SECONDS: u32 = 1;
/// Longest time to live in seconds that is published: a day, after which a wrong answer is gone.
pub const MAX_TTL_SECONDS: u32 = 86_400;

/// Within which times to live are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TtlBounds {
    /// In seconds, at least [`MIN_TTL_SECONDS`].
    pub min_seconds: u32,
    /// In seconds, at most [`MAX_TTL_SECONDS`]; where it is less than the least, that counts.
    pub max_seconds: u32,
}

impl Default for TtlBounds {
    fn default() -> Self {
        Self { min_seconds: MIN_TTL_SECONDS, max_seconds: MAX_TTL_SECONDS }
    }
}

impl TtlBounds {
    /// The time to live within the bounds that is nearest to this one.
    #[must_use]
    pub fn nearest(self, seconds: u32) -> u32 {
        let Self { min_seconds, max_seconds } = self;
        seconds.min(max_seconds).max(min_seconds).clamp(MIN_TTL_SECONDS, MAX_TTL_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_is_brought_into_the_bounds_and_those_into_what_is_possible() {
        let bounds = |min_seconds, max_seconds| TtlBounds { min_seconds, max_seconds };
        for (bounds, asked, expected) in [
            (TtlBounds::default(), 0, 1),
            (TtlBounds::default(), 60, 60),
            (TtlBounds::default(), u32::MAX, 86_400),
            (bounds(30, 300), 5, 30),
            (bounds(30, 300), 3600, 300),
            (bounds(300, 30), 60, 300),
            (bounds(0, u32::MAX), 0, 1),
        ] {
            assert_eq!(bounds.nearest(asked), expected, "{bounds:?} {asked}");
        }
    }
}
