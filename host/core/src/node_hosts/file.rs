//! Our lines in a hosts file (hosts(5)), which is somebody else's.
//!
//! ```text
//! # BEGIN openmcp-dns: the lines up to END are overwritten # openmcp-dns
//! 172.18.101.2<TAB>svc.workload01.openmcp.cluster # openmcp-dns
//! # END openmcp-dns # openmcp-dns
//! 127.0.0.1 localhost                              ◄── all that was there, byte for byte
//! ```
//! Each line of ours says so itself, by its end. So there is no block that could be torn: a marker that is missing or
//! there twice, or a line that somebody has written between ours, changes nothing about whose lines those are. Ours stand
//! in front: whether the last line of the file ends in a line feed, is then nothing that has to be changed.

use std::collections::BTreeSet;

use thiserror::Error;

use super::selection::Hosts;
use crate::name::HostName;

/// How a line of ours ends. What follows a `#` is a comment (hosts(5)).
pub const TAG: &str = " # openmcp-dns";

const BEGIN: &str = "# BEGIN openmcp-dns: the lines up to END are overwritten";
const END: &str = "# END openmcp-dns";

/// Most bytes of a hosts file: one that is larger is left alone.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// Why a file is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HostsFileError {
    /// See [`MAX_FILE_BYTES`].
    #[error("it has {0} bytes, at most {MAX_FILE_BYTES} are read; make it shorter")]
    TooLong(usize),
}

/// What a file should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Names of which it already says something, so that ours is left out.
    pub theirs: BTreeSet<HostName>,
}

/// The file with these hosts as our lines, in place of those that it has. A name of which others say something
/// in it stays theirs. Without any, no line of ours is there.
///
/// # Errors
/// When the file is to be left alone.
pub fn apply(file: &[u8], hosts: &Hosts) -> Result<Applied, HostsFileError> {
    let rest = remove(file)?;
    let taken = names_in(&rest);
    let is_theirs = |name: &HostName| taken.contains(name.as_str());
    let theirs = hosts.names().filter(|name| is_theirs(name)).cloned().collect();
    let lines: Vec<String> = hosts
        .pairs()
        .filter(|(_, name)| !is_theirs(name))
        .map(|(address, name)| format!("{address}\t{name}{TAG}\n"))
        .collect();
    let mut bytes = Vec::new();
    if !lines.is_empty() {
        bytes.extend(format!("{BEGIN}{TAG}\n").into_bytes());
        bytes.extend(lines.concat().into_bytes());
        bytes.extend(format!("{END}{TAG}\n").into_bytes());
    }
    bytes.extend(rest);
    Ok(Applied { bytes, theirs })
}

/// The file without our lines.
///
/// # Errors
/// When the file is to be left alone.
pub fn remove(file: &[u8]) -> Result<Vec<u8>, HostsFileError> {
    if file.len() > MAX_FILE_BYTES {
        return Err(HostsFileError::TooLong(file.len()));
    }
    Ok(file.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_ours(line)).flatten().copied().collect())
}

fn is_ours(line: &[u8]) -> bool {
    line.trim_ascii_end().ends_with(TAG.as_bytes())
}

/// The names of which a file says something, in lower case.
fn names_in(file: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(file);
    let without_comment = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let names = without_comment.flat_map(|line| line.split_ascii_whitespace().skip(1));
    names.map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hosts(text: &str) -> Hosts {
        Hosts::parse(text).unwrap()
    }

    fn applied(file: &str, text: &str) -> String {
        String::from_utf8(apply(file.as_bytes(), &hosts(text)).unwrap().bytes).unwrap()
    }

    const TWO: &str = "10.0.0.1 a.openmcp.cluster\nfd00::1 a.openmcp.cluster\n10.0.0.2 b.openmcp.cluster\n";
    const LINES: &str = "# BEGIN openmcp-dns: the lines up to END are overwritten # openmcp-dns\n\
        10.0.0.1\ta.openmcp.cluster # openmcp-dns\n\
        fd00::1\ta.openmcp.cluster # openmcp-dns\n\
        10.0.0.2\tb.openmcp.cluster # openmcp-dns\n\
        # END openmcp-dns # openmcp-dns\n";

    #[test]
    fn our_lines_stand_before_those_of_others_which_stay_as_they_are() {
        for file in
            ["", "127.0.0.1 localhost\n", "127.0.0.1 localhost", "127.0.0.1\tlocalhost\r\n\r\n# end", "\n\n"]
        {
            assert_eq!(applied(file, TWO), format!("{LINES}{file}"), "{file:?}");
            assert_eq!(applied(file, ""), file, "{file:?}");
        }
    }

    #[test]
    fn what_was_ours_is_replaced_however_little_of_its_markers_is_left() {
        let file = "127.0.0.1 localhost\n";
        for before in [
            LINES.to_owned(),
            LINES.replace("# END openmcp-dns # openmcp-dns\n", ""),
            format!("{LINES}{LINES}"),
            LINES.replace('\n', "\r\n"),
            "10.9.9.9\tgone.openmcp.cluster # openmcp-dns\n".to_owned(),
        ] {
            assert_eq!(applied(&format!("{file}{before}"), TWO), format!("{LINES}{file}"));
            assert_eq!(remove(format!("{before}{file}").as_bytes()).unwrap(), file.as_bytes());
        }
        // A line that somebody has written between ours is theirs.
        let between = LINES.replacen("fd00::1", "10.8.8.8 other\nfd00::1", 1);
        assert_eq!(applied(&between, TWO), format!("{LINES}10.8.8.8 other\n"));
    }

    #[test]
    fn a_name_of_which_others_say_something_stays_theirs() {
        let file = "10.1.1.1 B.OpenMCP.cluster. other\n# 10.0.0.9 a.openmcp.cluster\n";
        let Applied { bytes, theirs } = apply(file.as_bytes(), &hosts(TWO)).unwrap();
        assert_eq!(theirs, BTreeSet::from(["b.openmcp.cluster".parse().unwrap()]));
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("10.0.0.1\ta.openmcp.cluster") && !text.contains("10.0.0.2"), "{text}");
    }

    #[test]
    fn a_file_that_is_no_text_keeps_its_bytes_and_one_that_is_huge_is_left_alone() {
        let file = b"\xff\xfe 10.0.0.1\n\0";
        let Applied { bytes, .. } = apply(file, &hosts(TWO)).unwrap();
        assert_eq!(bytes, [LINES.as_bytes(), file].concat());
        let huge = vec![b'\n'; MAX_FILE_BYTES + 1];
        assert_eq!(apply(&huge, &hosts(TWO)), Err(HostsFileError::TooLong(huge.len())));
    }

    /// Lines as they stand in hosts files, ours and halves of ours among them.
    fn file() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            Just("127.0.0.1 localhost".to_owned()),
            Just("10.0.0.7 b.openmcp.cluster".to_owned()),
            Just(format!("{BEGIN}{TAG}")),
            Just(format!("{END}{TAG}")),
            Just(format!("10.0.0.1\ta.openmcp.cluster{TAG}")),
            Just(format!("{TAG}er")),
            "[ -~]{0,12}",
        ];
        let ends = prop_oneof![Just("\n"), Just("\r\n"), Just("")];
        let lines = prop::collection::vec((line, ends), 0..8).prop_map(|lines| {
            lines.into_iter().map(|(line, end)| line + end).collect::<String>().into_bytes()
        });
        prop_oneof![3 => lines, 1 => prop::collection::vec(any::<u8>(), 0..64)]
    }

    fn some_hosts() -> impl Strategy<Value = Hosts> {
        prop::collection::vec(("10\\.0\\.0\\.[1-9]", "[a-c]\\.openmcp\\.cluster"), 0..5).prop_map(|pairs| {
            hosts(&pairs.iter().map(|(address, name)| format!("{address} {name}\n")).collect::<String>())
        })
    }

    proptest! {
        #[test]
        fn to_apply_twice_is_to_apply_once(file in file(), hosts in some_hosts()) {
            let once = apply(&file, &hosts).unwrap();
            prop_assert_eq!(apply(&once.bytes, &hosts).unwrap(), once);
        }

        #[test]
        fn removal_gives_back_what_was_not_ours(file in file(), hosts in some_hosts(), others in some_hosts()) {
            let theirs = remove(&file).unwrap();
            let once = apply(&file, &hosts).unwrap().bytes;
            let twice = apply(&once, &others).unwrap().bytes;
            prop_assert_eq!(remove(&twice).unwrap(), theirs);
        }

        #[test]
        fn each_name_is_there_with_all_its_addresses_or_is_said_to_be_theirs(file in file(), hosts in some_hosts()) {
            let Applied { bytes, theirs } = apply(&file, &hosts).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            for (address, name) in hosts.pairs() {
                let is_there = text.contains(&format!("{address}\t{name}{TAG}\n"));
                prop_assert_eq!(is_there, !theirs.contains(name));
            }
        }
    }
}
