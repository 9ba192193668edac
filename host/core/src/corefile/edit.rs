//! Inserts, updates and removes our block.

use std::net::SocketAddr;
use std::ops::Range;

use super::address::Key;
use super::error::CorefileError;
use super::managed::{Content, Managed, check_markers, checked_upstreams, find};
use super::neighbours::{Warning, check_neighbours};
use super::parse::{Corefile, ServerBlock};
use super::root::Root;
use crate::name::{HostName, NameError};

/// The result of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The whole text.
    pub text: String,
    /// Whether it differs from the text that was given.
    pub changed: bool,
    /// What is allowed but may surprise.
    pub warnings: Vec<Warning>,
}

/// Makes a Corefile forward `zone` to `upstreams`: inserts our block before the one that serves
/// the root zone, or updates it where it stands.
///
/// The block listens where the server for the root zone listens, and how (its port, and its `bind` and
/// `multisocket` lines); where that server is there several times, on all their addresses.
/// A block that already says the same is left alone, also when its markers or its formatting are
/// gone. Imported files are not seen: a warning names each that may hold servers.
///
/// # Errors
/// When the zone or an upstream is unusable, when the text is not understood completely, or when
/// the zone is served already by a block that is not ours. The text is to be left as it is then.
pub fn set_forward(text: &str, zone: &str, upstreams: &[SocketAddr]) -> Result<Edited, CorefileError> {
    let order = Order::read(text, zone, upstreams)?;
    with_block(text, &order.main, &order.content(), order.root.start)
}

/// Makes a file that a Corefile imports beside its servers, and that others write into as well, forward `zone` to
/// `upstreams`: our block is inserted at its start, or updated where it stands.
///
/// The block listens where the server for the root zone of `main` listens. What else stands in `main` is to be looked at
/// with [`check_imported`].
///
/// # Errors
/// As [`set_forward`], for either text.
pub fn set_forward_in_shared_file(
    main: &str,
    file: &str,
    zone: &str,
    upstreams: &[SocketAddr],
) -> Result<Edited, CorefileError> {
    let order = Order::read(main, zone, upstreams)?;
    // A byte order mark stays the first character.
    let start = file.len() - file.strip_prefix('\u{feff}').unwrap_or(file).len();
    with_block(file, &understood(file)?, &order.content(), start)
}

/// Looks at a file that `main` imports beside its servers: CoreDNS takes its servers for its own.
///
/// # Errors
/// When CoreDNS does not start with the file, when a server in it serves the zone, or may; also when that is our own.
pub fn check_imported(main: &str, file: &str, zone: &str) -> Result<Vec<Warning>, CorefileError> {
    let root = Root::of(main, &understood(main)?)?;
    check_neighbours(&understood(file)?, None, &parse_zone(zone)?, root.port)
}

/// What is to be forwarded, beside a main Corefile that is understood.
struct Order {
    zone: HostName,
    upstreams: Vec<SocketAddr>,
    main: Corefile,
    root: Root,
}

impl Order {
    fn read(main: &str, zone: &str, upstreams: &[SocketAddr]) -> Result<Self, CorefileError> {
        let (zone, upstreams) = (parse_zone(zone)?, checked_upstreams(upstreams)?);
        let corefile = understood(main)?;
        let root = Root::of(main, &corefile)?;
        Ok(Self { zone, upstreams, main: corefile, root })
    }

    fn content(&self) -> Content<'_> {
        let Self { zone, upstreams, main: _, root } = self;
        Content { zone, port: root.port, listening: &root.listening, upstreams }
    }
}

/// Inserts the block at `at`, or updates it where it stands.
fn with_block(
    text: &str,
    corefile: &Corefile,
    content: &Content<'_>,
    at: usize,
) -> Result<Edited, CorefileError> {
    let (zone, port) = (content.zone, content.port);
    check_markers(text, corefile, zone)?;
    let managed = find(text, corefile, zone, Some(port))?;
    let warnings = check_neighbours(corefile, managed.as_ref().map(|managed| managed.index), zone, port)?;

    let mut block = content.render(newline(text));
    let (ours, span) = match &managed {
        Some(Managed { index, .. }) if says(&corefile.blocks[*index], &block)? => {
            return Ok(Edited { text: text.to_owned(), changed: false, warnings });
        }
        Some(Managed { span, .. }) => {
            // The line break after the block stays the one that is there, if only by its form.
            let inner = without_break(text, span);
            if inner.end < span.end || span.end == text.len() {
                block.truncate(block.trim_end().len());
            }
            (span.clone(), inner)
        }
        None => (at..at, at..at),
    };
    let edited = replaced(text, &span, &block);
    let after = understood(&edited)?;
    // Stray markers of ours around other blocks: the next edit would no longer know what is ours.
    check_markers(&edited, &after, zone)?;
    let now_managed = find(&edited, &after, zone, Some(port))?;
    let as_meant = match &now_managed {
        Some(Managed { index, span }) => {
            says(&after.blocks[*index], &block)? && replaced(&edited, span, "") == replaced(text, &ours, "")
        }
        None => false,
    };
    if !as_meant {
        return Err(CorefileError::ForeignChange);
    }
    check_foreign((text, corefile, managed.as_ref()), (&edited, &after, now_managed.as_ref()))?;
    Ok(Edited { text: edited, changed: true, warnings })
}

/// Gives the text of a file of our own that forwards `zone` to `upstreams`, for clusters whose main
/// Corefile imports server blocks and must not be edited itself. `file` is what the file holds now.
///
/// The block listens where the server for the root zone of `main` listens.
///
/// # Errors
/// As [`set_forward`] for `main`, also when our own block stands there: remove that one first.
/// Other imported files are not seen here.
pub fn set_forward_in_own_file(
    main: &str,
    file: &str,
    zone: &str,
    upstreams: &[SocketAddr],
) -> Result<Edited, CorefileError> {
    let order = Order::read(main, zone, upstreams)?;
    let warnings = check_neighbours(&order.main, None, &order.zone, order.root.port)?;
    let text = order.content().render("\n");
    Ok(Edited { changed: text != file, text, warnings })
}

/// Removes our block for `zone`, and nothing else; a text without it stays as it is.
///
/// # Errors
/// When the text speaks of the zone or has a marker of ours, and is not understood completely.
pub fn remove_forward(text: &str, zone: &str) -> Result<Edited, CorefileError> {
    let zone = parse_zone(zone)?;
    let unchanged = || Edited { text: text.to_owned(), changed: false, warnings: Vec::new() };
    // A clean-up must not fail over a text that somebody broke and that has nothing of ours.
    if !text.to_ascii_lowercase().contains(zone.as_str()) && !text.contains("openmcp-dns managed") {
        return Ok(unchanged());
    }
    let corefile = understood(text)?;
    check_markers(text, &corefile, &zone)?;
    // Without a server for the root zone, our block is found by its content alone.
    let port = Root::of(text, &corefile).ok().map(|root| root.port);
    let Some(managed) = find(text, &corefile, &zone, port)? else { return Ok(unchanged()) };
    // A block in the middle of a line: what follows it would join that line, which is right when
    // the block was inserted there, and wrong when an import follows.
    let narrower = without_break(text, &managed.span);
    let text_without = |span: &Range<usize>| {
        let edited = replaced(text, span, "");
        let after = understood(&edited)?;
        check_foreign((text, &corefile, Some(&managed)), (&edited, &after, None))?;
        Ok(edited)
    };
    let edited = text_without(&managed.span).or_else(|_| text_without(&narrower))?;
    Ok(Edited { text: edited, changed: true, warnings: Vec::new() })
}

fn parse_zone(zone: &str) -> Result<HostName, CorefileError> {
    let invalid = |source| CorefileError::InvalidZone { zone: zone.to_owned(), source };
    let name: HostName = zone.parse().map_err(invalid)?;
    if name.is_wildcard() {
        return Err(invalid(NameError::InvalidLabel { label: "*".to_owned() }));
    }
    Ok(name)
}

/// Reads a text and makes sure that it means what its braces say.
fn understood(text: &str) -> Result<Corefile, CorefileError> {
    let corefile = Corefile::parse(text)?;
    let mut open = Vec::new();
    for token in &corefile.tokens {
        match token.text.as_str() {
            "{" => open.push(token.line),
            "}" if open.pop().is_none() => return Err(CorefileError::Unbalanced { line: token.line }),
            _ => {}
        }
    }
    if let Some(line) = open.pop() {
        return Err(CorefileError::Unbalanced { line });
    }
    for block in &corefile.blocks {
        if !block.has_braces {
            return Err(CorefileError::NoBraces { line: block.line });
        }
        if let Some(key) = block.keys.iter().find(|key| Key::parse(key) == Key::InvalidPort) {
            return Err(CorefileError::InvalidPort { line: block.line, key: key.clone() });
        }
    }
    Ok(corefile)
}

/// Whether a block means the same as the rendered one.
fn says(block: &ServerBlock, rendered: &str) -> Result<bool, CorefileError> {
    let wanted = Corefile::parse(rendered)?;
    let Some(wanted) = wanted.blocks.first() else { return Ok(false) };
    let meaning = |block: &ServerBlock| {
        let keys: Vec<Key> = block.keys.iter().map(|key| Key::parse(key)).collect();
        let plugins: Vec<_> = block.plugins.iter().map(|plugin| plugin.tokens.clone()).collect();
        (keys, plugins)
    };
    Ok(meaning(block) == meaning(wanted))
}

/// Makes sure that all blocks but ours are the same, to the byte.
fn check_foreign(
    (text, before, ours): (&str, &Corefile, Option<&Managed>),
    (edited, after, now_ours): (&str, &Corefile, Option<&Managed>),
) -> Result<(), CorefileError> {
    let imports = |corefile: &Corefile| -> Vec<String> {
        corefile.file_imports.iter().map(|import| import.pattern.clone()).collect()
    };
    let same_blocks = foreign(text, before, ours).eq(foreign(edited, after, now_ours));
    if same_blocks && imports(before) == imports(after) { Ok(()) } else { Err(CorefileError::ForeignChange) }
}

/// What is compared of a block: its bytes, its keys, and its plugins with snippets expanded.
type Foreign<'f> = (Option<&'f str>, &'f [String], Vec<&'f [String]>);

fn foreign<'f>(
    text: &'f str,
    corefile: &'f Corefile,
    ours: Option<&Managed>,
) -> impl Iterator<Item = Foreign<'f>> {
    let ours = ours.map(|managed| managed.index);
    corefile.blocks.iter().enumerate().filter(move |(index, _)| Some(*index) != ours).map(
        move |(_, block)| {
            let bytes = block.span.clone().map(|span: Range<usize>| &text[span]);
            let plugins = block.plugins.iter().map(|plugin| plugin.tokens.as_slice()).collect();
            (bytes, block.keys.as_slice(), plugins)
        },
    )
}

/// A span without the blanks and the line break at its end.
fn without_break(text: &str, span: &Range<usize>) -> Range<usize> {
    span.start..span.start + text[span.clone()].trim_end().len()
}

fn replaced(text: &str, span: &Range<usize>, by: &str) -> String {
    [&text[..span.start], by, &text[span.end..]].concat()
}

/// The line ending of a text, judged by its first line.
fn newline(text: &str) -> &'static str {
    match text.split_once('\n') {
        Some((first, _)) if first.ends_with('\r') => "\r\n",
        Some(_) | None => "\n",
    }
}
