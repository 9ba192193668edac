//! What a person asks of the service by an annotation on an object, as openMCP's general guidelines for controllers have it
//! (`docs/developers/general.mdx` of openMCP's documentation).

use kube::ResourceExt;

/// Annotation that asks all controllers of an object.
pub const OPERATION_ANNOTATION: &str = "openmcp.cloud/operation";

/// Annotation that asks this service, and counts more where both are there.
pub const DNS_OPERATION_ANNOTATION: &str = "dns.openmcp.cloud/operation";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The object is left alone, its deletion included.
    Ignore,
    /// Everything is looked at anew, what would be skipped included. The annotation is removed then.
    Reconcile,
}

impl Operation {
    /// The annotation's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Reconcile => "reconcile",
        }
    }
}

/// An operation, and the annotation that asks for it.
pub type Asked = (Operation, &'static str);

/// What is asked of us. Our own annotation hides the one for all, whatever its value is; a value that is not known asks for
/// nothing.
pub fn operation(object: &impl ResourceExt) -> Option<Asked> {
    let annotations = object.annotations();
    let key = [DNS_OPERATION_ANNOTATION, OPERATION_ANNOTATION]
        .into_iter()
        .find(|&key| annotations.contains_key(key))?;
    let all = [Operation::Ignore, Operation::Reconcile];
    let operation = all.into_iter().find(|operation| annotations[key] == operation.as_str())?;
    Some((operation, key))
}

/// The annotation by which an object is to be left alone, if it is.
pub fn ignored_by(object: &impl ResourceExt) -> Option<&'static str> {
    operation(object).filter(|(operation, _)| *operation == Operation::Ignore).map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cluster;

    #[test]
    fn the_annotation_for_this_service_counts_more_than_the_one_for_all() {
        let (ours, all) = (DNS_OPERATION_ANNOTATION, OPERATION_ANNOTATION);
        for (annotations, expected) in [
            (&[][..], None),
            (&[(all, "ignore")], Some((Operation::Ignore, all))),
            (&[(all, "reconcile")], Some((Operation::Reconcile, all))),
            (&[(ours, "reconcile"), (all, "ignore")], Some((Operation::Reconcile, ours))),
            (&[(ours, "ignore"), (all, "reconcile")], Some((Operation::Ignore, ours))),
            (&[(ours, ""), (all, "ignore")], None),
            (&[(all, "Ignore")], None),
            (&[(all, "restart")], None),
        ] {
            let mut cluster = Cluster::new("w1", Default::default());
            let pairs = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            cluster.metadata.annotations = Some(pairs.collect());
            assert_eq!(operation(&cluster), expected, "{annotations:?}");
            let ignored = expected.filter(|(operation, _)| *operation == Operation::Ignore);
            assert_eq!(ignored_by(&cluster), ignored.map(|(_, key)| key));
        }
    }
}
