//! What a browser asks for.

/// Which names are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// What is searched for; empty for all.
    pub search: String,
    /// Which of them.
    pub show: Show,
    /// Where the page begins, as [`crate::Names::next`] has said it; empty for the first.
    pub after: String,
}

/// Which claims are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// All.
    #[default]
    All,
    /// Those that are not published.
    NotPublished,
}

/// Longer texts are no search.
const LONGEST: usize = 512;

impl Question {
    /// Reads the query of a URI; what is not known is passed over.
    pub(crate) fn parse(query: &str) -> Self {
        let mut question = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = || value.trim().chars().take(LONGEST).collect();
            match &*key {
                "q" => question.search = value(),
                "after" => question.after = value(),
                "show" if value() == Show::NotPublished.as_str() => question.show = Show::NotPublished,
                _ => {}
            }
        }
        question
    }

    /// The URI that asks for it.
    pub(crate) fn uri(&self) -> String {
        let Self { search, show, after } = self;
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, value) in [("q", search.as_str()), ("show", show.as_str()), ("after", after)] {
            if !value.is_empty() {
                query.append_pair(key, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { "/".to_owned() } else { format!("/?{query}") }
    }
}

impl Show {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::All => "",
            Self::NotPublished => "not-published",
        }
    }
}

/// A text as one part of a path.
pub(crate) fn path_part(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// What [`path_part`] was made of.
pub(crate) fn from_path_part(part: &str) -> String {
    // `+` stands for a space in forms only.
    let part = part.replace('+', "%2B");
    form_urlencoded::parse(part.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_as_it_is_written() {
        let question = Question {
            search: "a&b=c <d>".to_owned(),
            show: Show::NotPublished,
            after: "ns/w1 HTTPRoute/default/r *.x".to_owned(),
        };
        let uri = question.uri();
        assert_eq!(Question::parse(uri.strip_prefix("/?").unwrap()), question);
        assert_eq!(Question::default().uri(), "/");
        assert_eq!(Question::parse("x=y&show=what&q=+a%20").search, "a");
        assert_eq!(Question::parse(&format!("q={}", "x".repeat(9_999))).search.len(), LONGEST);
    }

    #[test]
    fn a_name_in_a_path_is_read_as_it_is_written() {
        for name in ["*.a.example", "a b+c", "ä/../<x>&y=z%", ""] {
            assert_eq!(from_path_part(&path_part(name)), name);
        }
        assert_eq!(path_part("a/b"), "a%2Fb");
    }
}
