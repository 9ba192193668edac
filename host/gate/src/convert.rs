//! From messages to what they ask, and from what is answered to messages.

use openmcp_dns_core::agents::{
    Compare, Compared, Interval, Operation, Order, Outcome, Pair, Read, Refusal, Relation, Reply, Request,
    SortBy,
};
use tonic::{Code, Status};

use crate::messages as pb;

/// The etcd that an agent sees has one member, which leads in its first term. The same for all: it says nothing.
const CLUSTER_ID: u64 = 0x6f70_656e_6d63_7001;
const MEMBER_ID: u64 = 0x6f70_656e_6d63_7002;
const RAFT_TERM: u64 = 2;

/// A message that asks something.
pub(crate) trait Asks: prost::Message + Default + Send + 'static {
    /// What is answered.
    type Answer: prost::Message + Default + Send + 'static;

    /// What it asks.
    fn request(self) -> Result<Request, Refusal>;

    /// The answer as a message; `None` where it answers something else.
    fn answer(reply: Reply) -> Option<Self::Answer>;
}

fn invalid(what: &str) -> Refusal {
    Refusal::Invalid(what.to_owned())
}

fn operation(message: pb::RequestKind) -> Result<Operation, Refusal> {
    match message {
        pb::RequestKind::Range(range) => Ok(Operation::Read(read(range)?)),
        pb::RequestKind::Put(
            pb::PutRequest { ignore_value: true, .. } | pb::PutRequest { ignore_lease: true, .. },
        ) => Err(invalid("a value has to be given")),
        pb::RequestKind::Put(pb::PutRequest { key, value, lease: 0, prev_kv: previous, .. }) => {
            Ok(Operation::Put { key, value, previous })
        }
        pb::RequestKind::Put(_) => Err(Refusal::NoLease),
        pb::RequestKind::DeleteRange(pb::DeleteRangeRequest { key, range_end: end, prev_kv: previous }) => {
            Ok(Operation::Delete { interval: Interval { key, end }, previous })
        }
        pb::RequestKind::Txn(_) => Err(Refusal::Permission("a transaction within a transaction".to_owned())),
    }
}

fn read(message: pb::RangeRequest) -> Result<Read, Refusal> {
    let by = match message.sort_target {
        0 => SortBy::Key,
        1 => SortBy::Version,
        2 => SortBy::CreateRevision,
        3 => SortBy::ModRevision,
        4 => SortBy::Value,
        _ => return Err(invalid("unknown sort target")),
    };
    let order = match message.sort_order {
        // As etcd does: by another target than the key, without an order, it sorts ascending.
        0 if by == SortBy::Key => None,
        0 | 1 => Some(Order { by, descending: false }),
        2 => Some(Order { by, descending: true }),
        _ => return Err(invalid("unknown sort order")),
    };
    Ok(Read {
        interval: Interval { key: message.key, end: message.range_end },
        limit: usize::try_from(message.limit).unwrap_or_default(),
        revision: message.revision,
        order,
        keys_only: message.keys_only,
        count_only: message.count_only,
        mod_revisions: (message.min_mod_revision, message.max_mod_revision),
        create_revisions: (message.min_create_revision, message.max_create_revision),
    })
}

fn operations(messages: Vec<pb::RequestOp>) -> Result<Vec<Operation>, Refusal> {
    let kinds = messages.into_iter().map(|message| message.request.ok_or(Refusal::NoKey));
    kinds.map(|kind| operation(kind?)).collect()
}

fn compare(message: pb::Compare) -> Result<Compare, Refusal> {
    let compared = match message.target_union {
        // What is 0 need not be sent.
        None if message.target == 0 => Compared::Version(0),
        None if message.target == 1 => Compared::CreateRevision(0),
        None if message.target == 2 => Compared::ModRevision(0),
        Some(pb::TargetUnion::Version(version)) => Compared::Version(version),
        Some(pb::TargetUnion::CreateRevision(revision)) => Compared::CreateRevision(revision),
        Some(pb::TargetUnion::ModRevision(revision)) => Compared::ModRevision(revision),
        Some(pb::TargetUnion::Value(value)) => Compared::Value(value),
        Some(pb::TargetUnion::Lease(_)) | None => return Err(invalid("a comparison that is not known")),
    };
    let relation = match message.result {
        0 => Relation::Equal,
        1 => Relation::Greater,
        2 => Relation::Less,
        3 => Relation::NotEqual,
        _ => return Err(invalid("unknown comparison")),
    };
    Ok(Compare { interval: Interval { key: message.key, end: message.range_end }, compared, relation })
}

#[expect(clippy::unnecessary_wraps, reason = "the field is optional")]
fn header(revision: i64) -> Option<pb::ResponseHeader> {
    Some(pb::ResponseHeader { cluster_id: CLUSTER_ID, member_id: MEMBER_ID, revision, raft_term: RAFT_TERM })
}

fn key_value(pair: Pair) -> pb::KeyValue {
    let Pair { key, value, create_revision, mod_revision, version } = pair;
    pb::KeyValue { key, create_revision, mod_revision, version, value }
}

fn response(outcome: Outcome, revision: i64) -> pb::ResponseKind {
    let header = header(revision);
    let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let all = |pairs: Vec<Pair>| pairs.into_iter().map(key_value).collect();
    match outcome {
        Outcome::Read { pairs, count, more } => {
            pb::ResponseKind::Range(pb::RangeResponse { header, kvs: all(pairs), more, count: signed(count) })
        }
        Outcome::Put(previous) => {
            pb::ResponseKind::Put(pb::PutResponse { header, prev_kv: previous.map(key_value) })
        }
        Outcome::Deleted { count, previous } => pb::ResponseKind::DeleteRange(pb::DeleteRangeResponse {
            header,
            deleted: signed(count),
            prev_kvs: all(previous),
        }),
    }
}

fn only(reply: Reply) -> Option<pb::ResponseKind> {
    let Reply { revision, mut outcomes, .. } = reply;
    outcomes.pop().map(|outcome| response(outcome, revision))
}

impl Asks for pb::RangeRequest {
    type Answer = pb::RangeResponse;

    fn request(self) -> Result<Request, Refusal> {
        Ok(operation(pb::RequestKind::Range(self))?.into())
    }

    fn answer(reply: Reply) -> Option<Self::Answer> {
        match only(reply)? {
            pb::ResponseKind::Range(range) => Some(range),
            pb::ResponseKind::Put(_) | pb::ResponseKind::DeleteRange(_) => None,
        }
    }
}

impl Asks for pb::PutRequest {
    type Answer = pb::PutResponse;

    fn request(self) -> Result<Request, Refusal> {
        Ok(operation(pb::RequestKind::Put(self))?.into())
    }

    fn answer(reply: Reply) -> Option<Self::Answer> {
        match only(reply)? {
            pb::ResponseKind::Put(put) => Some(put),
            pb::ResponseKind::Range(_) | pb::ResponseKind::DeleteRange(_) => None,
        }
    }
}

impl Asks for pb::DeleteRangeRequest {
    type Answer = pb::DeleteRangeResponse;

    fn request(self) -> Result<Request, Refusal> {
        Ok(operation(pb::RequestKind::DeleteRange(self))?.into())
    }

    fn answer(reply: Reply) -> Option<Self::Answer> {
        match only(reply)? {
            pb::ResponseKind::DeleteRange(deleted) => Some(deleted),
            pb::ResponseKind::Range(_) | pb::ResponseKind::Put(_) => None,
        }
    }
}

impl Asks for pb::TxnRequest {
    type Answer = pb::TxnResponse;

    fn request(self) -> Result<Request, Refusal> {
        let Self { compare: compares, success, failure } = self;
        Ok(Request {
            compares: compares.into_iter().map(compare).collect::<Result<_, _>>()?,
            success: operations(success)?,
            failure: operations(failure)?,
        })
    }

    fn answer(reply: Reply) -> Option<Self::Answer> {
        let Reply { revision, succeeded, outcomes } = reply;
        let responses = outcomes.into_iter().map(|outcome| response(outcome, revision));
        let responses = responses.map(|response| pb::ResponseOp { response: Some(response) }).collect();
        Some(pb::TxnResponse { header: header(revision), succeeded, responses })
    }
}

/// A refusal as etcd has it; the codes are those of `api/v3rpc/rpctypes/error.go`.
pub(crate) fn status(refusal: &Refusal) -> Status {
    let code = match refusal {
        Refusal::NoKey
        | Refusal::Invalid(_)
        | Refusal::TooLarge
        | Refusal::TooManyOperations
        | Refusal::DuplicateKey => Code::InvalidArgument,
        Refusal::Permission(_) => Code::PermissionDenied,
        Refusal::NoSpace(_) | Refusal::TooManyRequests => Code::ResourceExhausted,
        Refusal::Compacted | Refusal::FutureRevision => Code::OutOfRange,
        Refusal::NoLease => Code::NotFound,
        Refusal::NotNow(_) => Code::Unavailable,
    };
    Status::new(code, refusal.to_string())
}
