//! Keys as external-dns writes them: a prefix, and labels in reverse.

use crate::name::HostName;

/// What every key of an agent starts with: external-dns's default of `--coredns-prefix`.
pub const PREFIX: &str = "/skydns/";

/// Longest key in bytes: the longest name of DNS, a label of external-dns, and the prefix fit twice.
pub const MAX_KEY_BYTES: usize = 512;

/// The labels of a key from left to right; `None` where it is no key of an agent.
fn labels(key: &str) -> Option<Vec<&str>> {
    let path = key.strip_prefix(PREFIX)?;
    let usable = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_graphic());
    path.split('/').all(usable).then(|| path.split('/').rev().collect())
}

/// The name that a value at this key stands for, whose first labels only tell values apart, as text; `None` where
/// nothing is left of it.
pub(super) fn name_at(key: &str, strip: usize) -> Option<String> {
    let labels = labels(key)?;
    labels.get(strip..).filter(|rest| !rest.is_empty()).map(|rest| rest.join("."))
}

/// Whether what follows a key, as `/3dc2be40`, is one label as external-dns makes them to tell values apart.
pub(super) fn is_value_label(rest: &[u8]) -> bool {
    matches!(rest, [b'/', digits @ ..] if digits.len() == 8 && digits.iter().all(u8::is_ascii_hexdigit))
}

/// The type and the name that a name of the registry stands for: `a-web.w1.example` is about the addresses of
/// `web.w1.example`.
pub(super) fn registered(name: &str) -> Option<(&'static str, HostName)> {
    let (kind, rest) = name.split_once('-')?;
    let kind = ["a", "aaaa", "cname"].into_iter().find(|known| *known == kind)?;
    Some((kind, rest.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_reversed_name_with_a_label_in_front() {
        for (key, strip, name) in [
            ("/skydns/example/w1/web/3dc2be40", 1, Some("web.w1.example")),
            ("/skydns/example/w1/web", 0, Some("web.w1.example")),
            ("/skydns/example/w1/*/3dc2be40", 1, Some("*.w1.example")),
            ("/skydns/example", 1, None),
            ("/skydns/example//web", 0, None),
            ("/skydns/", 0, None),
            ("/skydns/example/w1/web/", 0, None),
            ("/skydns/example/w\u{1}", 0, None),
            ("/other/example/web", 0, None),
            ("openmcp-dns/leader", 0, None),
            ("", 0, None),
        ] {
            assert_eq!(name_at(key, strip).as_deref(), name, "{key}");
        }
    }

    #[test]
    fn a_name_of_the_registry_says_which_records_it_is_about() {
        let found = |name: &str| registered(name).map(|(kind, name)| format!("{kind} {name}"));
        assert_eq!(found("a-web.w1.example").as_deref(), Some("a web.w1.example"));
        assert_eq!(found("aaaa-my-web.w1.example").as_deref(), Some("aaaa my-web.w1.example"));
        assert_eq!(found("my-web.w1.example"), None);
        assert_eq!(found("web.w1.example"), None);
    }
}
