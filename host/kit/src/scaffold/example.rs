//! The examples in `policies`, which scaffolded guests are made of: there is no second copy to keep up.

use super::File;

/// A guest of the folder `policies`.
pub(super) struct Example {
    /// What the example calls itself, and its folder.
    pub(super) name: &'static str,
    /// Path below the folder, and content.
    pub(super) files: &'static [(&'static str, &'static str)],
}

/// Takes files of an example into the binary.
macro_rules! example {
    ($name:literal : $($path:literal),+ $(,)?) => {
        Example {
            name: $name,
            files: &[$((
                $path,
                include_str!(concat!("../../../../policies/", $name, "/", $path)),
            )),+],
        }
    };
}
pub(super) use example;

impl Example {
    /// The files of a guest that is this one under another name.
    pub(super) fn files(&self, name: &str) -> Vec<File> {
        self.files.iter().map(|(path, content)| (*path, self.renamed(content, name))).collect()
    }

    /// Text of the example for a guest with another name.
    pub(super) fn renamed(&self, content: &str, name: &str) -> String {
        content.replace(self.name, name)
    }
}
