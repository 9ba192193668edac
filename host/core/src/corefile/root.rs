//! The server for the root zone, which the pods of the cluster ask.

use super::address::Key;
use super::error::CorefileError;
use super::managed::line_start;
use super::parse::{Corefile, ServerBlock};

/// Plugins that say how a server listens. Our block has those of the server for the root zone: without its
/// `bind` it would listen where nobody asks, and as the first server of its port it would switch its
/// `multisocket` off, which CoreDNS takes from the first one only (`core/dnsserver/register.go`).
pub(super) const LISTENING: [&str; 2] = ["bind", "multisocket"];

/// Where the pods of the cluster ask.
pub(super) struct Root {
    /// Where our block is inserted.
    pub(super) start: usize,
    pub(super) port: Option<u16>,
    /// Lines of [`LISTENING`] plugins.
    pub(super) listening: Vec<String>,
}

impl Root {
    /// Finds it. There may be several on one port, if each binds to addresses of its own: pods may ask any of
    /// them, so that our block has to listen on all those addresses.
    pub(super) fn of(text: &str, corefile: &Corefile) -> Result<Self, CorefileError> {
        let mut found: Vec<(&ServerBlock, Option<u16>)> = Vec::new();
        for block in &corefile.blocks {
            for key in &block.keys {
                let Key::Plain(address) = Key::parse(key) else { continue };
                match found.first() {
                    _ if !address.serves_root() => {}
                    Some((first, port)) if !address.same_port(*port) => {
                        let (first_line, line) = (first.line, block.line);
                        return Err(CorefileError::AmbiguousPort { first_line, line });
                    }
                    _ if found.iter().any(|(known, _)| std::ptr::eq(*known, block)) => {}
                    _ => found.push((block, address.port)),
                }
            }
        }
        let (first, port) = *found.first().ok_or(CorefileError::NoDefaultServer)?;
        let not_written_out = CorefileError::NotWrittenOut { line: first.line };
        let start = first.span.as_ref().ok_or(not_written_out)?.start;
        let (mut binds, mut others) = lines(text, first)?;
        for (block, _) in &found[1..] {
            let (more, other) = lines(text, block)?;
            // One that binds to nothing listens on all addresses, and our block cannot do both.
            if binds.is_empty() || more.is_empty() || other != others {
                let (first_line, line) = (first.line, block.line);
                return Err(CorefileError::AmbiguousListeners { first_line, line });
            }
            binds.extend(more);
        }
        binds.append(&mut others);
        Ok(Self { start: line_start(text, start), port, listening: binds })
    }
}

/// The `bind` lines of a server, and those of the other [`LISTENING`] plugins, as they are written.
fn lines(text: &str, block: &ServerBlock) -> Result<(Vec<String>, Vec<String>), CorefileError> {
    let (mut binds, mut others) = (Vec::new(), Vec::new());
    for plugin in block.plugins.iter().filter(|plugin| LISTENING.contains(&plugin.name.as_str())) {
        let span = plugin.span.clone().ok_or(CorefileError::NotWrittenOut { line: block.line })?;
        let lines = if plugin.name == "bind" { &mut binds } else { &mut others };
        lines.push(text[span].to_owned());
    }
    Ok((binds, others))
}
