//! The lock file of a scaffolded guest: that of the example it is made of, with another package name.

/// Cargo takes a lock file only in the form in which it would write it itself: the packages are sorted by
/// their names.
pub(super) fn renamed(lock: &str, from: &str, to: &str) -> String {
    const START: &str = "[[package]]\n";
    let mut parts = lock.split(START);
    let head = parts.next().unwrap_or_default();
    let named = |name: &str| format!("name = \"{name}\"\n");
    let mut packages: Vec<String> = parts
        .map(|package| package.trim_end().to_owned() + "\n")
        .map(|package| package.replacen(&named(from), &named(to), 1))
        .collect();
    packages.sort_by_key(|package| package_name(package).to_owned());
    let packages: Vec<String> = packages.into_iter().map(|package| format!("{START}{package}")).collect();
    format!("{head}{}", packages.join("\n"))
}

fn package_name(package: &str) -> &str {
    let line = package.lines().next().unwrap_or_default();
    line.trim_start_matches("name = \"").trim_end_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = include_str!("../../../../policies/deny-prefix/Cargo.lock");

    #[test]
    fn the_same_name_gives_the_same_file() {
        let name = "openmcp-dns-policy-deny-prefix";
        assert_eq!(renamed(LOCK, name, name), LOCK);
    }

    #[test]
    fn a_package_goes_where_its_name_belongs() {
        let lock = renamed(LOCK, "openmcp-dns-policy-deny-prefix", "policy-zone");
        let names: Vec<&str> = lock.split("[[package]]\n").skip(1).map(package_name).collect();
        assert!(names.contains(&"policy-zone"));
        assert!(names.is_sorted());
    }
}
