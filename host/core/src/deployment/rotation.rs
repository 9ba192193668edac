//! Another certificate authority takes the place of one that ends, without an outage: everybody trusts the new one before
//! anything is signed by it, and the old one until nothing is left that it has signed.
//!
//! ```text
//! one ──due──► Prepare: both are trusted ──rested──► Take: the new one signs ──rested──► Forget: one is trusted
//! ```

/// How an authority stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorityState {
    /// It ends soon.
    pub is_due: bool,
    /// Its successor is there, and signs nothing yet.
    pub has_next: bool,
    /// Its predecessor is still trusted.
    pub trusts_former: bool,
    /// Everybody has had what was changed last, for long enough.
    pub has_rested: bool,
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Nothing.
    Stay,
    /// A successor is made, and trusted.
    Prepare,
    /// The successor signs from now on.
    Take,
    /// The predecessor is no longer trusted.
    Forget,
}

/// The next step.
pub const fn rotation(state: AuthorityState) -> Rotation {
    match state {
        AuthorityState { has_next: true, has_rested: true, .. } => Rotation::Take,
        AuthorityState { has_next: false, trusts_former: true, has_rested: true, .. } => Rotation::Forget,
        AuthorityState { has_next: false, trusts_former: false, is_due: true, .. } => Rotation::Prepare,
        _ => Rotation::Stay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_waits_until_all_have_the_one_before() {
        let state = |is_due, has_next, trusts_former, has_rested| {
            rotation(AuthorityState { is_due, has_next, trusts_former, has_rested })
        };
        assert_eq!(state(false, false, false, true), Rotation::Stay);
        assert_eq!(state(true, false, false, false), Rotation::Prepare);
        assert_eq!(state(true, true, false, false), Rotation::Stay);
        assert_eq!(state(true, true, false, true), Rotation::Take);
        assert_eq!(state(false, false, true, false), Rotation::Stay);
        assert_eq!(state(true, false, true, false), Rotation::Stay, "one after the other");
        assert_eq!(state(false, false, true, true), Rotation::Forget);
    }
}
