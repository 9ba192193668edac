//! Names as openMCP's own libraries make them, so that what they have made is found, and what we make is theirs.
//!
//! Source: openmcp-project/controller-utils `pkg/controller/utils.go` (`ShortenToXCharacters`, `NameHashSHAKE128Base32`), and
//! openmcp-operator `lib/clusteraccess/advanced` (names of AccessRequests).

use sha3::Shake128;
use sha3::digest::{ExtendableOutput as _, Update as _, XofReader as _};

/// Annotation with a cluster's domain: on its `Cluster`, and on its Gateway, below whose domain services build host names.
pub const DOMAIN_ANNOTATION: &str = "dns.openmcp.cloud/base-domain";

/// Namespace of the Gateway that openMCP's gateway service gives a cluster (`pkg/envoy/config.go` of
/// platform-service-gateway).
pub const GATEWAY_NAMESPACE: &str = "openmcp-system";

/// Name of that Gateway.
pub const GATEWAY_NAME: &str = "default";

/// The longest label of a name, and value of a label, in bytes.
const LABEL: usize = 63;

/// RFC 4648, in lower case.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Eight characters that stand for a text.
fn hash(text: &str) -> String {
    let mut shake = Shake128::default();
    shake.update(text.as_bytes());
    let mut bytes = [0; 8];
    // 40 bits are 8 characters of 5 bits.
    shake.finalize_xof().read(&mut bytes[3..]);
    let bits = u64::from_be_bytes(bytes);
    let character =
        |at: u32| char::from(BASE32[usize::try_from(bits >> (35 - 5 * at) & 31).unwrap_or_default()]);
    (0..8).map(character).collect()
}

/// A text of at most so many bytes: one that is longer is cut, and ends with what stands for the whole.
#[must_use]
pub fn shorten(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most.saturating_sub(10)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}--{}", text[..end].trim_end_matches(['-', '.']), hash(text))
}

/// The value of a label.
#[must_use]
pub fn label_value(text: &str) -> String {
    shorten(text, LABEL)
}

/// The name of the AccessRequest by which a controller gets into a `Cluster` of this name.
#[must_use]
pub fn access_request(controller: &str, cluster: &str) -> String {
    const SUFFIX: &str = "--cluster";
    let name = format!("{}--{}", controller.to_lowercase(), cluster.to_lowercase());
    shorten(&name, LABEL - SUFFIX.len()) + SUFFIX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_hashes_that_openmcp_gives_them() {
        assert_eq!(hash("example"), "epgccknc");
        assert_eq!(hash("default/example"), "fphxsdub");
    }

    #[test]
    fn long_texts_are_cut_as_openmcp_cuts_them() {
        assert_eq!(shorten("short1234567", 11), "s--j5gore3p");
        assert_eq!(shorten("short123456", 11), "short123456");
        assert_eq!(label_value(&"a".repeat(63)), "a".repeat(63));
        assert_eq!(label_value(&"a".repeat(64)).len(), 63);
    }

    #[test]
    fn requests_have_the_names_that_openmcp_gives_them() {
        assert_eq!(access_request("DNSCluster", "platform"), "dnscluster--platform--cluster");
        let long = access_request("DNSCluster", &"x".repeat(70));
        assert_eq!(long, format!("dnscluster--{}--xs7tfq2x--cluster", "x".repeat(32)));
        assert_eq!(long.len(), LABEL);
    }
}
