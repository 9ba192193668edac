//! The configuration of a module on the command line.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use crate::terminal::hint::{Hint as _, hinted};

const HINT: &str =
    "give an object, for example --config '{\"ttlSeconds\": 60}', or a JSON or YAML file that holds one";

/// Reads a configuration: JSON, or the path of a JSON or YAML file.
///
/// # Errors
/// When it is neither, or no object: a DNSPolicy can hold nothing else.
pub(super) fn read(text: &str) -> anyhow::Result<Value> {
    let value: Value = if text.trim_start().starts_with(['{', '[', '"']) {
        serde_json::from_str(text).context("--config is no JSON").hint(HINT)?
    } else {
        let file = Path::new(text);
        let what = || format!("failed to read the configuration {text}");
        let content = std::fs::read_to_string(file).with_context(what).hint(HINT)?;
        let options = serde_saphyr::options! { with_snippet: false };
        serde_saphyr::from_str_with_options(&content, options).with_context(what).hint(HINT)?
    };
    if !value.is_object() {
        return Err(hinted("the configuration is no JSON object", HINT));
    }
    Ok(value)
}

/// The text that a module gets.
pub(super) fn text(given: Option<&str>) -> anyhow::Result<String> {
    Ok(match given {
        Some(given) => read(given)?.to_string(),
        None => "{}".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_files_of_json_or_yaml_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        std::fs::write(&file, "ttlSeconds: 60\n").unwrap();
        let expected = serde_json::json!({ "ttlSeconds": 60 });
        assert_eq!(read(" {\"ttlSeconds\": 60}").unwrap(), expected);
        assert_eq!(read(file.to_str().unwrap()).unwrap(), expected);
        assert_eq!(text(None).unwrap(), "{}");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in ["{", "[1]", "\"a\"", "/does/not/exist", ""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
