//! Where compiled modules are kept between two commands: a module in Python takes half a minute to compile.

use std::path::PathBuf;

use openmcp_dns_policy::CompiledModules;

/// The user's cache, as the XDG Base Directory Specification has it; `None` where there is none, or where others can
/// write there. Then each command compiles for itself, as a command does that is the first.
pub(super) fn modules() -> Option<CompiledModules> {
    let folder = folder(|name| std::env::var_os(name).map(PathBuf::from))?;
    CompiledModules::in_folder(&folder)
        .inspect_err(|error| {
            tracing::debug!("compiled modules are not kept: {}", openmcp_dns_core::chain(error));
        })
        .ok()
}

fn folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    // The specification wants what is not absolute to be ignored.
    let set = |name| variable(name).filter(|path| path.is_absolute());
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(cache.join("openmcp-dns/modules"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(variables: &[(&str, &str)]) -> Option<PathBuf> {
        folder(|name| Some(PathBuf::from(variables.iter().find(|(known, _)| *known == name)?.1)))
    }

    #[test]
    fn modules_are_kept_where_the_user_has_caches() {
        let home = ("HOME", "/home/a");
        let kept = |path: &str| Some(PathBuf::from(path));
        assert_eq!(at(&[home, ("XDG_CACHE_HOME", "/c")]), kept("/c/openmcp-dns/modules"));
        for ignored in ["", "c"] {
            assert_eq!(at(&[home, ("XDG_CACHE_HOME", ignored)]), kept("/home/a/.cache/openmcp-dns/modules"));
        }
        assert_eq!(at(&[]), None);
    }
}
