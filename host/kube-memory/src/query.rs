//! The query of a request.

use crate::refusal::Refusal;
use crate::selector::Selector;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) selector: Selector,
    pub(crate) limit: usize,
    /// Empty on the first page.
    pub(crate) continued: String,
    /// None when it is not given, or empty.
    pub(crate) resource_version: Option<u64>,
    pub(crate) exactly: bool,
    pub(crate) watch: bool,
    pub(crate) bookmarks: bool,
    /// Whether a watch begins with what is there, whatever its resource version.
    pub(crate) initial: bool,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) field_manager: String,
    pub(crate) force: bool,
}

impl Query {
    pub(crate) fn parse(query: &str) -> Result<Self, Refusal> {
        let mut parsed = Self::default();
        let (mut labels, mut fields) = (String::new(), String::new());
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let number = || {
                let bad = || Refusal::bad_request(format!("{key}: Invalid value: {value:?}"));
                value.parse::<u64>().map_err(|_| bad())
            };
            let truth = matches!(&*value, "true" | "1");
            match &*key {
                "labelSelector" => labels = value.into_owned(),
                "fieldSelector" => fields = value.into_owned(),
                "limit" => parsed.limit = usize::try_from(number()?).unwrap_or(usize::MAX),
                "continue" => parsed.continued = value.into_owned(),
                "resourceVersion" if value.is_empty() => {}
                "resourceVersion" => parsed.resource_version = Some(number()?),
                "resourceVersionMatch" => parsed.exactly = value == "Exact",
                "watch" => parsed.watch = truth,
                "allowWatchBookmarks" => parsed.bookmarks = truth,
                "sendInitialEvents" => parsed.initial = truth,
                "timeoutSeconds" => parsed.timeout_seconds = Some(number()?),
                "fieldManager" => parsed.field_manager = value.into_owned(),
                "force" => parsed.force = truth,
                // Better none at all than one that is none.
                "dryRun" => return Err(Refusal::bad_request("this server knows no dry run")),
                _ => {}
            }
        }
        parsed.selector = Selector::parse(&labels, &fields)?;
        Ok(parsed)
    }
}
