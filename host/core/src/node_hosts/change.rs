//! A change of a file in its place, so that what was begun can be ended.

/// What a file was before it is overwritten in its place, and what it will be. It is kept beside the file until that is
/// done: who is killed meanwhile leaves a file that begins as the new one and goes on as the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its bytes before.
    pub old: Vec<u8>,
    /// Its bytes afterwards.
    pub new: Vec<u8>,
}

const HEAD: &str = "openmcp-dns";

impl Change {
    /// As it is kept.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let head = format!("{HEAD} {} {}\n", self.old.len(), self.new.len());
        [head.as_bytes(), &self.old, &self.new].concat()
    }

    /// Reads what was kept; `None` when it is not whole.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (head, rest) = bytes.split_at_checked(end)?;
        let mut parts = std::str::from_utf8(head).ok()?.split(' ');
        if parts.next() != Some(HEAD) {
            return None;
        }
        let (old, new): (usize, usize) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let rest = rest.get(1..)?;
        (parts.next().is_none() && rest.len() == old.checked_add(new)?).then(|| {
            let (old, new) = rest.split_at(old);
            Self { old: old.to_vec(), new: new.to_vec() }
        })
    }

    /// Whether a file is what an end in the middle of the change leaves, so that the change is to be made again. Else
    /// it was made, was never begun, or somebody has written something else since.
    #[must_use]
    pub fn is_torn(&self, file: &[u8]) -> bool {
        let Self { old, new } = self;
        // The first bytes are overwritten first, and what is too much is cut off last.
        let written = file.iter().zip(new).take_while(|(is, wanted)| is == wanted).count();
        file != old && file != new && file.get(written..) == Some(old.get(written..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_change_that_is_not_whole_is_none() {
        let change = Change { old: b"a\nb".to_vec(), new: b"\n".to_vec() };
        let bytes = change.encode();
        assert_eq!(Change::decode(&bytes), Some(change));
        for end in 0..bytes.len() {
            assert_eq!(Change::decode(&bytes[..end]), None, "{end}");
        }
        for text in [
            "openmcp-dns 1\na",
            "other 0 0\n",
            "openmcp-dns 0 0 0\n",
            "openmcp-dns -1 1\n",
            "openmcp-dns 9 9\na",
        ] {
            assert_eq!(Change::decode(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn wherever_it_ends_it_is_known_to_have_begun(
            old in prop::collection::vec(0_u8..3, 0..12), new in prop::collection::vec(0_u8..3, 0..12), at in 0_usize..13,
        ) {
            let change = Change { old: old.clone(), new: new.clone() };
            let at = at.min(new.len());
            let file = [&new[..at], old.get(at..).unwrap_or_default()].concat();
            prop_assert_eq!(change.is_torn(&file), file != old && file != new);
            let changed = [&file[..], &[9]].concat();
            prop_assert!(!change.is_torn(&changed));
            prop_assert_eq!(Change::decode(&change.encode()), Some(change));
        }
    }
}
