//! Intersection of a listener's and a route's host names (Gateway API, `HTTPRouteSpec.hostnames`).

/// The more specific of two host names if one covers the other; an empty one covers everything.
///
/// A wildcard covers names with one label or more in the place of the `*`, not its own parent.
/// Case does not matter; the result is in lower case.
pub(super) fn intersect(listener: &str, route: &str) -> Option<String> {
    let listener = listener.to_ascii_lowercase();
    let route = route.to_ascii_lowercase();
    if listener.is_empty() || listener == route || covers(&listener, &route) {
        return Some(if route.is_empty() { listener } else { route });
    }
    if route.is_empty() || covers(&route, &listener) {
        return Some(listener);
    }
    None
}

fn covers(wildcard: &str, name: &str) -> bool {
    wildcard
        .strip_prefix('*')
        .is_some_and(|suffix| suffix.starts_with('.') && name.len() > suffix.len() && name.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::intersect;

    #[test]
    fn the_more_specific_name_wins() {
        for (listener, route, expected) in [
            ("", "", Some("")),
            ("", "a.example", Some("a.example")),
            ("a.example", "", Some("a.example")),
            ("A.example", "a.Example", Some("a.example")),
            ("*.example", "a.example", Some("a.example")),
            ("*.example", "b.a.example", Some("b.a.example")),
            ("a.example", "*.example", Some("a.example")),
            ("*.example", "*.a.example", Some("*.a.example")),
            ("*.example", "*.example", Some("*.example")),
            ("*.example", "example", None),
            ("*.example", "aexample", None),
            ("a.example", "b.example", None),
        ] {
            assert_eq!(intersect(listener, route).as_deref(), expected, "{listener:?} with {route:?}");
        }
    }
}
