//! The server that is asked for a name.

use super::address::Key;
use super::neighbours::{is_within, normalised};
use super::parse::{Corefile, ServerBlock};

impl Corefile {
    /// The server of the closest zone that a name lies in, among those that serve plain DNS, as CoreDNS chooses it
    /// (`core/dnsserver/server.go`); `None` where there is none. `name` is with or without the trailing dot.
    #[must_use]
    pub fn closest(&self, name: &str) -> Option<&ServerBlock> {
        let name = normalised(name);
        let servers = self.blocks.iter().flat_map(|block| block.keys.iter().map(move |key| (key, block)));
        let zones = servers.filter_map(|(key, block)| match Key::parse(key) {
            Key::Plain(address) => Some((address.zone, block)),
            Key::OtherTransport | Key::Variable | Key::InvalidPort => None,
        });
        let closest = zones.filter(|(zone, _)| is_within(&name, zone)).max_by_key(|(zone, _)| zone.len());
        closest.map(|(_, block)| block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_of_the_closest_zone_is_asked() {
        let text = "a.example:53 dns://b.example {\n}\nx.a.example. {\n}\ntls://y.a.example {\n}\n. {\n}\n";
        let corefile = Corefile::parse(text).unwrap();
        for (name, line) in [
            ("a.example", 1),
            ("c.B.example.", 1),
            ("x.a.example", 3),
            ("z.x.a.example", 3),
            ("y.a.example", 1),
            ("za.example", 7),
            ("", 7),
        ] {
            assert_eq!(corefile.closest(name).map(|server| server.line), Some(line), "{name}");
        }
        assert_eq!(Corefile::parse("a.example {\n}\n").unwrap().closest("example"), None);
    }
}
