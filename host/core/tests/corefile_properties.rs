//! What holds for every Corefile: an edit changes our block only, and taking it out again gives the
//! original bytes back.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod corefile_texts;

use std::net::SocketAddr;

use corefile_texts::{corefile, piece};
use openmcp_dns_core::corefile::{Corefile, CorefileError, remove_forward, set_forward};
use proptest::prelude::*;

const ZONE: &str = "openmcp.cluster";

fn upstreams() -> impl Strategy<Value = Vec<SocketAddr>> {
    let address = (1..=254_u8, 1..=u16::MAX, any::<bool>()).prop_map(|(host, port, v6)| {
        if v6 {
            ([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(host)], port).into()
        } else {
            ([172, 18, 200, host], port).into()
        }
    });
    prop::collection::vec(address, 1..=15)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn setting_and_removing_a_forward_gives_the_original_back(
        text in corefile(),
        first in upstreams(),
        second in upstreams(),
    ) {
        let set = set_forward(&text, ZONE, &first).unwrap();
        prop_assert!(set.changed);
        let at = set.text.find("# BEGIN openmcp-dns managed").unwrap();
        let block_bytes = set.text.len() - text.len();
        prop_assert_eq!(&set.text[..at], &text[..at], "what stands above is the same");
        prop_assert_eq!(&set.text[at + block_bytes..], &text[at..], "what stands below is the same");
        let servers = |text: &str| Corefile::parse(text).unwrap().blocks.len();
        prop_assert_eq!(servers(&set.text), servers(&text) + 1);

        let again = set_forward(&set.text, ZONE, &first).unwrap();
        prop_assert_eq!((again.changed, &again.text), (false, &set.text));
        let updated = set_forward(&set.text, ZONE, &second).unwrap();
        prop_assert_eq!(&updated.text, &set_forward(&text, ZONE, &second).unwrap().text);
        for edited in [set, updated] {
            let removed = remove_forward(&edited.text, ZONE).unwrap();
            prop_assert_eq!((removed.changed, &removed.text), (true, &text));
        }
    }

    #[test]
    fn any_text_is_edited_without_loss_or_refused(pieces in prop::collection::vec(piece(), 0..10)) {
        let text = pieces.concat();
        let removed = remove_forward(&text, ZONE);
        match set_forward(&text, ZONE, &["172.18.200.3:53".parse().unwrap()]) {
            Ok(set) => {
                prop_assert!(!set_forward(&set.text, ZONE, &["172.18.200.3:53".parse().unwrap()]).unwrap().changed);
                prop_assert_eq!(remove_forward(&set.text, ZONE).unwrap().text, removed.unwrap().text);
            }
            // A comment stuck to a brace ends at the next blank, unless the brace is taken away.
            Err(error) => {
                let explained = error != CorefileError::ForeignChange || text.contains("}#");
                prop_assert!(explained, "{}", error);
            }
        }
    }
}
