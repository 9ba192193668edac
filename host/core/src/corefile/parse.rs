//! Groups the tokens of a Corefile into server blocks and their plugins.
//!
//! Follows `coredns/caddy` `caddyfile/parse.go` and `dispenser.go` step by step, so that a text is
//! accepted here exactly if CoreDNS accepts it, with the blocks that CoreDNS sees. Two things
//! differ: files are not imported (they lie in the pod), and each block remembers where in the
//! text it stands.

use std::collections::HashMap;
use std::ops::Range;

use super::environment;
use super::error::CorefileError;
use super::lexer::{Comment, Token, lex};

/// Imports of snippets that the original allows in one file.
const MAX_SNIPPET_IMPORTS: usize = 10_000;

/// Tokens after all snippets are expanded. The original has no such limit; a ConfigMap holds 1 MiB
/// at most, so a real file is far below, and nested snippets cannot use up our memory.
const MAX_TOKENS: usize = 200_000;

/// A Corefile as CoreDNS understands it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corefile {
    /// The server blocks in order, snippets expanded.
    pub blocks: Vec<ServerBlock>,
    /// The imports of files, which were not followed.
    pub file_imports: Vec<FileImport>,
    /// All tokens as they stand in the text.
    pub tokens: Vec<Token>,
    /// All comments.
    pub comments: Vec<Comment>,
}

/// One server: the zones it serves and its plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerBlock {
    /// The keys, environment variables replaced if they were known.
    pub keys: Vec<String>,
    /// Line of the first key, from 1.
    pub line: u32,
    /// The plugins in the order of the text.
    pub plugins: Vec<Plugin>,
    /// Whether the plugins stand in braces; without, the rest of the file belongs to this server.
    pub has_braces: bool,
    /// From the first key to the closing brace, in bytes; `None` when a snippet holds the block.
    pub span: Option<Range<usize>>,
}

/// One plugin with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// Name of the plugin.
    pub name: String,
    /// Its line, from 1.
    pub line: u32,
    /// The name and all that belongs to it, braces included.
    pub tokens: Vec<String>,
    /// Its bytes in the text; `None` when snippets contribute to it.
    pub span: Option<Range<usize>>,
}

/// An import that is no snippet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileImport {
    /// A path or a pattern, relative to the importing file.
    pub pattern: String,
    /// Its line, from 1.
    pub line: u32,
    /// Whether it is a pattern: no matching file is fine then, a plain file must exist.
    pub is_pattern: bool,
    /// Whether it stands beside the servers, so that what it names may hold servers too.
    pub beside_servers: bool,
}

impl Corefile {
    /// Reads a Corefile; environment variables are left as they are written.
    ///
    /// # Errors
    /// When CoreDNS would reject the text, whatever the files hold that it imports.
    pub fn parse(text: &str) -> Result<Self, CorefileError> {
        Self::parse_with(text, None)
    }

    /// Reads a Corefile as a process with the given environment would.
    ///
    /// # Errors
    /// As [`Corefile::parse`].
    pub fn parse_in_environment(
        text: &str,
        value_of: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, CorefileError> {
        Self::parse_with(text, Some(value_of))
    }

    fn parse_with(text: &str, environment: Option<Environment<'_>>) -> Result<Self, CorefileError> {
        let lexed = lex(text);
        let stream = (0..lexed.tokens.len()).map(|index| Slot { index, expanded: false }).collect();
        let mut parser = Parser {
            source: &lexed.tokens,
            environment,
            stream,
            read: 0,
            snippets: HashMap::new(),
            snippet_imports: 0,
            file_imports: Vec::new(),
        };
        let blocks = parser.all()?;
        let file_imports = parser.file_imports;
        Ok(Self { blocks, file_imports, tokens: lexed.tokens, comments: lexed.comments })
    }
}

type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// A token in the order in which it is read, as its index in the text.
#[derive(Clone, Copy)]
struct Slot {
    index: usize,
    /// Whether it stands here because of an import.
    expanded: bool,
}

struct Parser<'s> {
    source: &'s [Token],
    environment: Option<Environment<'s>>,
    /// The tokens with snippets spliced in as they are imported.
    stream: Vec<Slot>,
    /// How many slots have been read; the current one is the last of them. May be one past the
    /// end, after an import of nothing at the end of the text.
    read: usize,
    snippets: HashMap<String, Vec<Slot>>,
    snippet_imports: usize,
    file_imports: Vec<FileImport>,
}

impl<'s> Parser<'s> {
    fn all(&mut self) -> Result<Vec<ServerBlock>, CorefileError> {
        let mut blocks = Vec::new();
        while self.next() {
            blocks.extend(self.block()?);
        }
        if let Some(import) = self
            .file_imports
            .iter()
            .find(|import| !import.is_pattern && self.snippets.contains_key(&import.pattern))
        {
            let FileImport { pattern, line, .. } = import;
            return Err(CorefileError::SnippetBeforeDefinition { line: *line, name: pattern.clone() });
        }
        Ok(blocks)
    }

    /// Reads one block; `None` for a snippet and for a block without keys, which CoreDNS ignores.
    fn block(&mut self) -> Result<Option<ServerBlock>, CorefileError> {
        let Addresses { keys, first, at_end } = self.addresses()?;
        let line = first.map_or(1, |slot| self.source[slot.index].line);
        let mut block = ServerBlock { keys, line, plugins: Vec::new(), has_braces: false, span: None };
        if !at_end {
            if let [key] = block.keys.as_slice()
                && let Some(inner) = key.strip_prefix('(')
                && key.ends_with(')')
            {
                let name = inner.strip_suffix(')').unwrap_or(inner).to_owned();
                self.snippet(name)?;
                return Ok(None);
            }
            block.has_braces = self.value() == "{";
            if !block.has_braces {
                self.read -= 1;
            }
            self.plugins(&mut block.plugins)?;
            // As weak as the original: at the end of the text any last `}` will do.
            if block.has_braces && self.value() != "}" {
                return Err(CorefileError::MissingClose { line: self.line() });
            }
        }
        if let (Some(first), Some(last)) = (first, self.current().or(self.stream.last().copied()))
            && !first.expanded
            && !last.expanded
        {
            block.span = Some(self.source[first.index].span.start..self.source[last.index].span.end);
        }
        Ok((!block.keys.is_empty()).then_some(block))
    }

    fn addresses(&mut self) -> Result<Addresses, CorefileError> {
        let mut found = Addresses { keys: Vec::new(), first: None, at_end: false };
        let mut expecting_another = false;
        loop {
            let mut key = self.expanded_value();
            if key == "import" && self.is_new_line() {
                self.import(true)?;
                continue;
            }
            found.first = found.first.or(self.current());
            if key == "{" {
                if expecting_another {
                    return Err(CorefileError::ExtraComma { line: self.line() });
                }
                return Ok(found);
            }
            if !key.is_empty() {
                expecting_another = key.ends_with(',');
                if expecting_another {
                    key.pop();
                }
                found.keys.push(key);
            }
            if !self.next() {
                if expecting_another {
                    return Err(CorefileError::UnexpectedEnd { line: self.line() });
                }
                found.at_end = true;
                return Ok(found);
            }
            if !expecting_another && self.is_new_line() {
                return Ok(found);
            }
        }
    }

    fn plugins(&mut self, plugins: &mut Vec<Plugin>) -> Result<(), CorefileError> {
        while self.next() {
            match self.value() {
                "}" => break,
                "import" => {
                    self.import(false)?;
                    self.read -= 1;
                }
                _ => plugins.push(self.plugin()?),
            }
        }
        Ok(())
    }

    fn plugin(&mut self) -> Result<Plugin, CorefileError> {
        let name = self.expanded_value();
        let line = self.line();
        // The original keeps the name's token as it is written.
        let mut tokens = vec![self.value().to_owned()];
        let mut slots: Vec<Slot> = self.current().into_iter().collect();
        let mut nesting = 0_usize;
        while self.next() {
            let value = self.value();
            if value == "{" {
                nesting += 1;
            } else if self.is_new_line() && nesting == 0 {
                self.read -= 1;
                break;
            } else if value == "}" {
                nesting =
                    nesting.checked_sub(1).ok_or(CorefileError::UnexpectedClose { line: self.line() })?;
            } else if value == "import" && self.is_new_line() {
                self.import(false)?;
                self.read -= 1;
                continue;
            }
            tokens.push(self.expanded_value());
            slots.extend(self.current());
        }
        if nesting > 0 {
            return Err(CorefileError::UnexpectedEnd { line: self.line() });
        }
        let span = match slots.as_slice() {
            slots @ [first, .., last] | slots @ [first @ last] if slots.iter().all(|slot| !slot.expanded) => {
                Some(self.source[first.index].span.start..self.source[last.index].span.end)
            }
            _ => None,
        };
        Ok(Plugin { name, line, tokens, span })
    }

    /// Reads the body of a snippet; the current token is the one after its name.
    fn snippet(&mut self, name: String) -> Result<(), CorefileError> {
        let line = self.line();
        if self.snippets.contains_key(&name) {
            return Err(CorefileError::SnippetRedefined { line, name });
        }
        if self.value() != "{" {
            return Err(CorefileError::MissingOpen { line });
        }
        let mut nesting = 1_usize;
        let mut body = Vec::new();
        while self.next() {
            match self.value() {
                "}" if nesting == 1 => {
                    if self.imports_itself(&name, &body) {
                        return Err(CorefileError::TooManyExpansions { line });
                    }
                    self.snippets.insert(name, body);
                    return Ok(());
                }
                "}" => nesting -= 1,
                "{" => nesting += 1,
                _ => {}
            }
            body.extend(self.current());
        }
        Err(CorefileError::MissingClose { line: self.line() })
    }

    fn imports_itself(&self, name: &str, body: &[Slot]) -> bool {
        let token = |slot: &Slot| &self.source[slot.index];
        body.windows(2).enumerate().any(|(at, pair)| {
            let starts_line = at == 0 || token(&body[at - 1]).line != token(&pair[0]).line;
            starts_line && token(&pair[0]).text == "import" && self.expand(&token(&pair[1]).text) == name
        })
    }

    /// Replaces the `import` at the current token and its argument by what it imports. The current
    /// token is the first imported one afterwards, or the one after the import.
    fn import(&mut self, beside_servers: bool) -> Result<(), CorefileError> {
        let line = self.line();
        if !self.next_on_line() {
            return Err(CorefileError::ImportArguments { line });
        }
        let pattern = self.expanded_value();
        if pattern.is_empty() {
            return Err(CorefileError::ImportEmpty { line });
        }
        if self.next_on_line() {
            return Err(CorefileError::ImportArguments { line });
        }
        let imported = match self.snippets.get(&pattern) {
            Some(body) => {
                self.snippet_imports += 1;
                let tokens = self.stream.len() + body.len();
                if self.snippet_imports > MAX_SNIPPET_IMPORTS || tokens > MAX_TOKENS {
                    return Err(CorefileError::TooManyExpansions { line });
                }
                body.iter().map(|slot| Slot { expanded: true, ..*slot }).collect()
            }
            None => {
                self.file_imports.push(file_import(pattern, line, beside_servers)?);
                Vec::new()
            }
        };
        self.stream.splice(self.read - 2..self.read, imported);
        self.read -= 1;
        Ok(())
    }

    fn next(&mut self) -> bool {
        let more = self.read < self.stream.len();
        self.read += usize::from(more);
        more
    }

    /// Goes on to the next token if it stands on the same line.
    fn next_on_line(&mut self) -> bool {
        let same_line = match (self.current(), self.stream.get(self.read)) {
            (Some(current), Some(next)) => {
                self.source[current.index].last_line() == self.source[next.index].line
            }
            _ => false,
        };
        self.read += usize::from(same_line);
        same_line
    }

    /// Whether the current token is on a later line than the one before it. Imported tokens keep
    /// the line of their snippet, as in the original.
    fn is_new_line(&self) -> bool {
        match (self.read.checked_sub(2).and_then(|at| self.stream.get(at)), self.current()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(before), Some(current)) => {
                self.source[before.index].last_line() < self.source[current.index].line
            }
        }
    }

    fn current(&self) -> Option<Slot> {
        self.stream.get(self.read.checked_sub(1)?).copied()
    }

    fn value(&self) -> &'s str {
        self.current().map_or("", |slot| &self.source[slot.index].text)
    }

    fn expanded_value(&self) -> String {
        self.expand(self.value())
    }

    fn expand(&self, text: &str) -> String {
        match self.environment {
            Some(value_of) => environment::expand(text, value_of),
            None => text.to_owned(),
        }
    }

    fn line(&self) -> u32 {
        self.current().or(self.stream.last().copied()).map_or(1, |slot| self.source[slot.index].line)
    }
}

struct Addresses {
    keys: Vec<String>,
    first: Option<Slot>,
    /// Whether the text ended with the keys.
    at_end: bool,
}

fn file_import(pattern: String, line: u32, beside_servers: bool) -> Result<FileImport, CorefileError> {
    let count = |wanted| pattern.chars().filter(|c| *c == wanted).count();
    // A class is refused by the original, an open bracket by Go's filepath.Glob.
    if count('*') > 1 || count('?') > 1 || count('[') > 0 {
        return Err(CorefileError::ImportPattern { line, pattern });
    }
    let is_pattern = pattern.contains(['*', '?', ']']);
    Ok(FileImport { pattern, line, is_pattern, beside_servers })
}
