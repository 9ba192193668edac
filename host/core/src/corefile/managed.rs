//! Our block: how it is written, and how it is found again.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::address::Key;
use super::error::CorefileError;
use super::lexer::Comment;
use super::parse::{Corefile, ServerBlock};
use super::root::LISTENING;
use crate::name::HostName;

/// Servers that one `forward` of CoreDNS can have (`plugin/forward/setup.go`).
pub const MAX_UPSTREAMS: usize = 15;

/// Starts the line above our block. Only a help for people: kubeadm and Cluster API delete all
/// comments when they migrate a Corefile.
const BEGIN: &str = "# BEGIN openmcp-dns managed";
const BEGIN_NOTE: &str = " - do not edit";

/// Starts the line below our block.
const END: &str = "# END openmcp-dns managed";

/// Arguments of `cache`. An answer is kept 30 seconds at most, like in the default Corefile of kubeadm,
/// and a denial 5: a new name resolves only after the last denial for it is forgotten, and this is
/// the lowest TTL that the plugin does not raise. It wants a number of entries before the TTL, which
/// is its default.
const CACHE: [&str; 6] = ["30", "{", "denial", "9984", "5", "}"];

/// Plugins that our block has, whichever version of this program wrote it.
const PLUGINS: [&str; 5] = ["errors", "bind", "multisocket", "cache", "forward"];

/// What our block says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content<'c> {
    pub(super) zone: &'c HostName,
    /// The port of the server for the root zone; `None` when that one has none written down.
    pub(super) port: Option<u16>,
    /// Lines of [`LISTENING`] plugins, as the server for the root zone has them.
    pub(super) listening: &'c [String],
    /// In order, without duplicates.
    pub(super) upstreams: &'c [SocketAddr],
}

impl Content<'_> {
    /// The block with its markers; every line ends with `newline`.
    pub(super) fn render(&self, newline: &str) -> String {
        let Self { zone, port, listening, upstreams } = self;
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let mut lines =
            vec![format!("{BEGIN}{BEGIN_NOTE}"), format!("{zone}{port} {{"), "    errors".to_owned()];
        lines.extend(listening.iter().map(|line| format!("    {line}")));
        let [ttl, open, denial @ .., close] = CACHE;
        lines.push(format!("    cache {ttl} {open}"));
        lines.push(format!("        {}", denial.join(" ")));
        lines.push(format!("    {close}"));
        let upstreams: Vec<String> = upstreams.iter().map(ToString::to_string).collect();
        lines.push(format!("    forward . {}", upstreams.join(" ")));
        lines.push("}".to_owned());
        lines.push(END.to_owned());
        lines.into_iter().map(|line| line + newline).collect()
    }
}

/// Sorts and checks the servers to forward to. `forward` chooses at random, so their order has no
/// meaning, and a stable one avoids needless reloads of CoreDNS.
pub(super) fn checked_upstreams(upstreams: &[SocketAddr]) -> Result<Vec<SocketAddr>, CorefileError> {
    let mut sorted = upstreams.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    for upstream in &sorted {
        let unreachable = match upstream.ip() {
            IpAddr::V4(v4) => v4.is_broadcast(),
            IpAddr::V6(_) => matches!(upstream, SocketAddr::V6(v6) if v6.scope_id() != 0),
        };
        let ip = upstream.ip();
        if unreachable || ip.is_unspecified() || ip.is_multicast() || upstream.port() == 0 {
            return Err(CorefileError::InvalidUpstream(*upstream));
        }
    }
    match sorted.len() {
        0 => Err(CorefileError::NoUpstreams),
        1..=MAX_UPSTREAMS => Ok(sorted),
        more => Err(CorefileError::TooManyUpstreams(more)),
    }
}

/// Our block in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Managed {
    /// Index of the block.
    pub(super) index: usize,
    /// Its bytes with its markers, and with its lines as a whole where nothing else stands on them.
    pub(super) span: Range<usize>,
}

/// Finds our block for `zone`.
///
/// A block between our markers is ours whatever it holds. Without markers, the only block for the
/// zone on `port` is ours if it says what we write, servers and how it listens aside. `port` is that of the server
/// for the root zone; `None` if there is no such server, then any port will do.
pub(super) fn find(
    text: &str,
    corefile: &Corefile,
    zone: &HostName,
    port: Option<Option<u16>>,
) -> Result<Option<Managed>, CorefileError> {
    let mut marked: Option<(usize, Markers)> = None;
    let mut serving = Vec::new();
    for (index, block) in corefile.blocks.iter().enumerate() {
        let addresses = block.keys.iter().filter_map(|key| match Key::parse(key) {
            Key::Plain(address) if address.serves(zone) => Some(address),
            Key::Plain(_) | Key::OtherTransport | Key::Variable | Key::InvalidPort => None,
        });
        let ports: Vec<_> = addresses.collect();
        if ports.is_empty() {
            continue;
        }
        if let Some(markers) = Markers::around(text, corefile, block).filter(|_| block.keys.len() == 1) {
            if let Some((first, _)) = marked {
                let first_line = corefile.blocks[first].line;
                return Err(CorefileError::ManagedTwice { first_line, line: block.line });
            }
            marked = Some((index, markers));
        }
        if port.is_none_or(|port| ports.iter().any(|address| address.same_port(port))) {
            serving.push(index);
        }
    }
    let found = match (marked, serving.as_slice()) {
        (Some(marked), _) => Some(marked),
        (None, &[only]) if has_our_content(&corefile.blocks[only]) => Some((only, Markers::default())),
        (None, _) => None,
    };
    Ok(found.and_then(|(index, markers)| {
        let block = corefile.blocks[index].span.clone()?;
        let start = markers.begin.map_or(block.start, |begin| begin.start);
        let end = markers.end.map_or(block.end, |end| end.end);
        Some(Managed { index, span: whole_lines(text, start..end) })
    }))
}

/// Whether a block says what we write, whatever the servers. The TTLs tell it from the stub that
/// the manuals of many clusters propose, which a person may have written: that one is not ours to
/// change or remove. A version that writes something else has to know this form as well.
fn has_our_content(block: &ServerBlock) -> bool {
    let plugins: Vec<_> =
        block.plugins.iter().filter(|plugin| !LISTENING.contains(&plugin.name.as_str())).collect();
    let mut names: Vec<_> = plugins.iter().map(|plugin| plugin.name.as_str()).collect();
    names.sort_unstable();
    block.keys.len() == 1
        && names == ["cache", "errors", "forward"]
        && plugins.iter().all(|plugin| {
            let arguments: Vec<_> = plugin.tokens.iter().skip(1).map(String::as_str).collect();
            match (plugin.name.as_str(), arguments.as_slice()) {
                ("errors", []) => true,
                ("cache", arguments) => arguments == CACHE,
                ("forward", [".", upstreams @ ..]) => {
                    !upstreams.is_empty()
                        && upstreams.iter().all(|upstream| upstream.parse::<SocketAddr>().is_ok())
                }
                _ => false,
            }
        })
}

/// Whether a block below our start marker can be one that we wrote.
fn has_our_plugins(block: &ServerBlock) -> bool {
    block.keys.len() == 1
        && block.plugins.iter().all(|plugin| PLUGINS.contains(&plugin.name.as_str()))
        && block.plugins.iter().any(|plugin| plugin.name == "forward")
}

/// Our comments directly above and below a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Markers {
    begin: Option<Range<usize>>,
    end: Option<Range<usize>>,
}

impl Markers {
    /// `None` when neither is there.
    fn around(text: &str, corefile: &Corefile, block: &ServerBlock) -> Option<Self> {
        let block = block.span.as_ref()?;
        let above = corefile.comments.iter().rfind(|comment| comment.span.end <= block.start);
        let below = corefile.comments.iter().find(|comment| comment.span.start >= block.end);
        let begin = above.filter(|comment| {
            is_marker(text, comment, BEGIN) && is_blank(&text[comment.span.end..block.start])
        });
        let end = below.filter(|comment| {
            is_marker(text, comment, END) && is_blank(&text[block.end..comment.span.start])
        });
        let markers = Self { begin: begin.map(|c| c.span.clone()), end: end.map(|c| c.span.clone()) };
        (markers != Self::default()).then_some(markers)
    }
}

/// Refuses a start marker that has lost its end, unless a block of ours stands right below it: what
/// was meant to be ours can then not be told from what was not.
pub(super) fn check_markers(text: &str, corefile: &Corefile, zone: &HostName) -> Result<(), CorefileError> {
    let mut markers = corefile
        .comments
        .iter()
        .filter(|comment| is_marker(text, comment, BEGIN) || is_marker(text, comment, END));
    let mut next = markers.next();
    while let Some(marker) = next {
        next = markers.next();
        let is_begin = is_marker(text, marker, BEGIN);
        let has_end = next.is_some_and(|following| is_marker(text, following, END));
        if is_begin && !has_end && !stands_above_ours(text, corefile, zone, marker) {
            return Err(CorefileError::UnterminatedMarker { line: marker.line });
        }
    }
    Ok(())
}

fn stands_above_ours(text: &str, corefile: &Corefile, zone: &HostName, marker: &Comment) -> bool {
    let below = |block: &&ServerBlock| {
        block
            .span
            .as_ref()
            .is_some_and(|span| span.start >= marker.span.end && is_blank(&text[marker.span.end..span.start]))
    };
    corefile.blocks.iter().find(below).is_some_and(|block| {
        block.keys.iter().any(|key| match Key::parse(key) {
            // Another landscape's block is known by its plugins only; the root zone is nobody's.
            Key::Plain(address) => address.serves(zone) || (has_our_plugins(block) && !address.serves_root()),
            Key::OtherTransport | Key::Variable | Key::InvalidPort => false,
        })
    })
}

fn is_marker(text: &str, comment: &Comment, marker: &str) -> bool {
    text[comment.span.clone()].starts_with(marker)
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// Widens a span to whole lines, its last line break included, where only blanks stand beside it.
fn whole_lines(text: &str, span: Range<usize>) -> Range<usize> {
    let start = line_start(text, span.start);
    let line_end = text[span.end..].find('\n').map_or(text.len(), |at| span.end + at + 1);
    let end = if is_blank(&text[span.end..line_end]) { line_end } else { span.end };
    start..end
}

/// Start of the line of `at` if only blanks stand before it on that line, else `at` itself.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    // A byte order mark must stay the first character of the text.
    let first = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let start = text[..at].rfind('\n').map_or(first, |line_break| line_break + 1);
    if is_blank(&text[start..at]) { start } else { at }
}
