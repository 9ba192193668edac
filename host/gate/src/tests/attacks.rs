//! Attacks of somebody who has a certificate of one cluster, by what is asked.

use http::HeaderMap;
use prost::Message;
use tonic::Code;

use super::client::{Answer, Client, framed, whole};
use super::world::{OWN_KEY, SECRET, VICTIM_KEY, World, everything, put};
use crate::messages as pb;

/// What must become of a call.
enum Expect {
    /// It is refused so, and etcd's text is in the message.
    Refused(Code, &'static str),
    /// It is answered, with so many keys of the attacker's own, or deletions of them.
    Own(usize),
    /// It is answered, and its condition does not hold.
    Fails,
}

struct Attack {
    name: &'static str,
    path: &'static str,
    headers: HeaderMap,
    body: Vec<u8>,
    expect: Expect,
}

const RANGE: &str = "/etcdserverpb.KV/Range";
const PUT: &str = "/etcdserverpb.KV/Put";
const DELETE: &str = "/etcdserverpb.KV/DeleteRange";
const TXN: &str = "/etcdserverpb.KV/Txn";

fn attack(name: &'static str, path: &'static str, message: &impl Message, expect: Expect) -> Attack {
    let body = framed(false, &message.encode_to_vec()).to_vec();
    Attack { name, path, headers: HeaderMap::new(), body, expect }
}

fn raw(name: &'static str, path: &'static str, body: &[u8], expect: Expect) -> Attack {
    Attack { name, path, headers: HeaderMap::new(), body: body.to_vec(), expect }
}

fn range(key: &str, end: &str) -> pb::RangeRequest {
    pb::RangeRequest { key: key.into(), range_end: end.into(), ..Default::default() }
}

fn delete(key: &[u8], end: &[u8]) -> pb::DeleteRangeRequest {
    pb::DeleteRangeRequest { key: key.into(), range_end: end.into(), prev_kv: true }
}

fn then(success: Vec<pb::RequestKind>) -> pb::TxnRequest {
    let operation = |kind| pb::RequestOp { request: Some(kind) };
    pb::TxnRequest { success: success.into_iter().map(operation).collect(), ..Default::default() }
}

fn when(target: i32, union: Option<pb::TargetUnion>, result: i32) -> pb::TxnRequest {
    let key = VICTIM_KEY.into();
    let compare = pb::Compare { result, target, key, target_union: union, range_end: Vec::new() };
    pb::TxnRequest { compare: vec![compare], ..Default::default() }
}

fn reads() -> Vec<Attack> {
    use Expect::{Own, Refused};
    let all = everything;
    vec![
        attack(
            "a range over the victim's names",
            RANGE,
            &range("/skydns/example/victim/", "/skydns/example/victim0"),
            Own(0),
        ),
        attack("the victim's key", RANGE, &range(VICTIM_KEY, ""), Own(0)),
        attack("everything there is", RANGE, &all(), Own(1)),
        attack("everything from a slash on", RANGE, &range("/", "\0"), Own(1)),
        attack(
            "an empty key",
            RANGE,
            &range("", "\0"),
            Refused(Code::InvalidArgument, "key is not provided"),
        ),
        attack(
            "an empty key alone",
            RANGE,
            &range("", ""),
            Refused(Code::InvalidArgument, "key is not provided"),
        ),
        attack("how many there are", RANGE, &pb::RangeRequest { count_only: true, ..all() }, Own(1)),
        attack("which keys there are", RANGE, &pb::RangeRequest { keys_only: true, ..all() }, Own(1)),
        attack(
            "what was written last",
            RANGE,
            &pb::RangeRequest { sort_order: 2, sort_target: 3, limit: 1, ..all() },
            Own(1),
        ),
        attack(
            "what came to be lately",
            RANGE,
            &pb::RangeRequest { min_create_revision: 3, ..all() },
            Own(1),
        ),
        attack(
            "an unknown order",
            RANGE,
            &pb::RangeRequest { sort_order: 9, ..all() },
            Refused(Code::InvalidArgument, "sort order"),
        ),
        attack(
            "an earlier state",
            RANGE,
            &pb::RangeRequest { revision: 1, ..all() },
            Refused(Code::OutOfRange, "compacted"),
        ),
        attack(
            "a later state",
            RANGE,
            &pb::RangeRequest { revision: 1000, ..all() },
            Refused(Code::OutOfRange, "future revision"),
        ),
        attack("a negative limit", RANGE, &pb::RangeRequest { limit: -1, ..all() }, Own(1)),
        attack("an interval that ends before it begins", RANGE, &range("/z", "/a"), Own(0)),
        attack("what the service keeps for itself", RANGE, &range("openmcp-dns/", "openmcp-dns0"), Own(0)),
        attack(
            "keys that are no text",
            RANGE,
            &pb::RangeRequest { key: vec![0xff], range_end: vec![0], ..Default::default() },
            Own(0),
        ),
    ]
}

fn writes() -> Vec<Attack> {
    use Expect::{Own, Refused};
    let value = |key: &str, value: &str| pb::PutRequest {
        key: key.into(),
        value: value.into(),
        ..Default::default()
    };
    let stripped = r#"{"host":"10.6.6.6","targetstrip":2}"#;
    vec![
        attack(
            "a name of the victim",
            PUT,
            &put("/skydns/example/victim/web/00000002", "10.6.6.6"),
            Refused(Code::PermissionDenied, "not within"),
        ),
        attack(
            "the victim's key",
            PUT,
            &put(VICTIM_KEY, "10.6.6.6"),
            Refused(Code::PermissionDenied, "not within"),
        ),
        attack(
            "the parent of all names",
            PUT,
            &put("/skydns/example/00000002", "10.6.6.6"),
            Refused(Code::PermissionDenied, "not within"),
        ),
        attack(
            "a key of its own that strips to the parent",
            PUT,
            &value("/skydns/example/attacker/00000002", stripped),
            Refused(Code::PermissionDenied, "not within"),
        ),
        attack(
            "what the service keeps for itself",
            PUT,
            &put("openmcp-dns/leader/uid", "10.6.6.6"),
            Refused(Code::PermissionDenied, "permission denied"),
        ),
        attack(
            "a way up",
            PUT,
            &put("/skydns/example/attacker/../victim/00000002", "10.6.6.6"),
            Refused(Code::InvalidArgument, "no host name"),
        ),
        attack(
            "no JSON",
            PUT,
            &value(OWN_KEY, "\0"),
            Refused(Code::InvalidArgument, "not as external-dns writes it"),
        ),
        attack(
            "a value without end",
            PUT,
            &value(OWN_KEY, &format!(r#"{{"host":"{}"}}"#, "a".repeat(100_000))),
            Refused(Code::InvalidArgument, "too large"),
        ),
        attack(
            "a key without end",
            PUT,
            &put(&format!("/skydns/{}", "a/".repeat(100_000)), "10.0.0.1"),
            Refused(Code::InvalidArgument, "too large"),
        ),
        attack(
            "deep JSON",
            PUT,
            &value(OWN_KEY, &"[".repeat(4000)),
            Refused(Code::InvalidArgument, "not as external-dns"),
        ),
        attack(
            "a lease",
            PUT,
            &pb::PutRequest { lease: 1, ..put(OWN_KEY, "10.0.0.1") },
            Refused(Code::NotFound, "lease not found"),
        ),
        attack(
            "the value that is there",
            PUT,
            &pb::PutRequest { ignore_value: true, ..put(VICTIM_KEY, "") },
            Refused(Code::InvalidArgument, "value has to be given"),
        ),
        attack("a deletion of the victim's key", DELETE, &delete(VICTIM_KEY.as_bytes(), b""), Own(0)),
        attack(
            "a deletion of the victim's names",
            DELETE,
            &delete(b"/skydns/example/victim", b"/skydns/example/victin"),
            Own(0),
        ),
        attack("a deletion of everything", DELETE, &delete(b"\0", b"\0"), Own(1)),
        attack(
            "a deletion of nothing",
            DELETE,
            &delete(b"", b""),
            Refused(Code::InvalidArgument, "key is not provided"),
        ),
        attack(
            "a message of many megabytes",
            PUT,
            &value(OWN_KEY, &"x".repeat(3_000_000)),
            Refused(Code::OutOfRange, ""),
        ),
    ]
}

fn transactions() -> Vec<Attack> {
    use Expect::{Fails, Own, Refused};
    let own = || pb::RequestKind::Put(put("/skydns/example/attacker/new/00000003", "10.0.0.1"));
    let foreign = || pb::RequestKind::Put(put("/skydns/example/victim/new/00000003", "10.0.0.1"));
    let nested = then(vec![own()]).encode_to_vec();
    // As deep as a message of this size can be.
    let mut deep = Vec::new();
    for _ in 0..10_000 {
        deep = pb::RequestOp { request: Some(pb::RequestKind::Txn(deep)) }.encode_to_vec();
        deep.truncate(600_000);
    }
    vec![
        attack(
            "its own names with another's",
            TXN,
            &then(vec![own(), foreign()]),
            Refused(Code::PermissionDenied, "not within"),
        ),
        attack(
            "a deletion of everything in it",
            TXN,
            &then(vec![pb::RequestKind::DeleteRange(delete(b"\0", b"\0"))]),
            Own(1),
        ),
        attack("a read of everything in it", TXN, &then(vec![pb::RequestKind::Range(everything())]), Own(1)),
        attack(
            "one in it",
            TXN,
            &then(vec![pb::RequestKind::Txn(nested)]),
            Refused(Code::PermissionDenied, "within a transaction"),
        ),
        attack(
            "one in one in one",
            TXN,
            &then(vec![pb::RequestKind::Txn(deep)]),
            Refused(Code::PermissionDenied, "within a transaction"),
        ),
        attack(
            "nothing in it",
            TXN,
            &pb::TxnRequest { success: vec![pb::RequestOp { request: None }], ..Default::default() },
            Refused(Code::InvalidArgument, "key is not provided"),
        ),
        attack(
            "too much in it",
            TXN,
            &then(vec![pb::RequestKind::Range(everything()); 129]),
            Refused(Code::InvalidArgument, "too many operations"),
        ),
        attack(
            "the same twice",
            TXN,
            &then(vec![own(), own()]),
            Refused(Code::InvalidArgument, "duplicate key"),
        ),
        attack(
            "whether the victim's key is there",
            TXN,
            &when(2, Some(pb::TargetUnion::ModRevision(0)), 1),
            Fails,
        ),
        attack(
            "when the victim's key came to be",
            TXN,
            &when(1, Some(pb::TargetUnion::CreateRevision(2)), 0),
            Fails,
        ),
        attack("how often it was written", TXN, &when(0, Some(pb::TargetUnion::Version(1)), 0), Fails),
        attack(
            "what the victim's value is",
            TXN,
            &when(3, Some(pb::TargetUnion::Value(Vec::new())), 1),
            Fails,
        ),
        attack("what it is not", TXN, &when(3, Some(pb::TargetUnion::Value(SECRET.into())), 3), Fails),
        attack(
            "its lease",
            TXN,
            &when(4, Some(pb::TargetUnion::Lease(0)), 0),
            Refused(Code::InvalidArgument, "not known"),
        ),
    ]
}

fn calls() -> Vec<Attack> {
    let denied = || Expect::Refused(Code::PermissionDenied, "etcdserver: permission denied");
    let unknown = || Expect::Refused(Code::Unimplemented, "unknown method");
    let empty = framed(false, b"");
    let call = |name, path, expect| raw(name, path, &empty, expect);
    vec![
        call("a lease", "/etcdserverpb.Lease/LeaseGrant", denied()),
        call("a lease for ever", "/etcdserverpb.Lease/LeaseKeepAlive", denied()),
        call("a watch", "/etcdserverpb.Watch/Watch", denied()),
        call("a snapshot", "/etcdserverpb.Maintenance/Snapshot", denied()),
        call("the status", "/etcdserverpb.Maintenance/Status", denied()),
        call("a defragmentation", "/etcdserverpb.Maintenance/Defragment", denied()),
        call("a compaction", "/etcdserverpb.KV/Compact", denied()),
        call("a stream", "/etcdserverpb.KV/RangeStream", denied()),
        call("a member", "/etcdserverpb.Cluster/MemberAdd", denied()),
        call("the members", "/etcdserverpb.Cluster/MemberList", denied()),
        call("a user", "/etcdserverpb.Auth/UserAdd", denied()),
        call("no more users", "/etcdserverpb.Auth/AuthDisable", denied()),
        call("a lock", "/v3lockpb.Lock/Lock", unknown()),
        call("an election", "/v3electionpb.Election/Campaign", unknown()),
        call("a reflection", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", unknown()),
        call("a way up", "/etcdserverpb.KV/../etcdserverpb.KV/Put", denied()),
        call("another service of the name", "/etcdserverpb.KVX/Put", unknown()),
        call("no path", "/", unknown()),
    ]
}

fn frames() -> Vec<Attack> {
    use Expect::{Own, Refused};
    let message = everything().encode_to_vec();
    let with = |name: &'static str, value: &'static str, mut attack: Attack| {
        attack.headers.insert(name, value.parse().unwrap());
        attack
    };
    let mut long = vec![0, 0xff, 0xff, 0xff, 0xff];
    long.extend(&message);
    // A gzip of zeros: what it says of itself is not even looked at.
    let bomb = framed(true, &[0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0xff, 0xed, 0xc1, 0x01]);
    vec![
        raw("a message of four gigabytes, says its frame", RANGE, &long, Refused(Code::OutOfRange, "")),
        raw("half a message", RANGE, &framed(false, &message)[..7], Refused(Code::Internal, "")),
        raw("no message", RANGE, b"", Refused(Code::Internal, "")),
        raw("no protobuf", RANGE, &framed(false, &[0xff; 64]), Refused(Code::Internal, "")),
        raw("a bomb that says nothing", RANGE, &bomb, Refused(Code::Internal, "")),
        with("grpc-encoding", "gzip", raw("a bomb", RANGE, &bomb, Refused(Code::Unimplemented, ""))),
        with("authorization", "root", attack("the token of another", RANGE, &everything(), Own(1))),
        with(
            "x-forwarded-client-cert",
            "CN=victim",
            attack("the certificate of another, says a header", RANGE, &everything(), Own(1)),
        ),
        with(
            "grpc-timeout",
            "1n",
            attack("no time", "/v3lockpb.Lock/Lock", &everything(), Refused(Code::Unimplemented, "")),
        ),
    ]
}

async fn carry_out(client: &Client, attack: Attack) {
    let Attack { name, path, headers, body, expect } = attack;
    let body = whole(body);
    match expect {
        Expect::Refused(code, text) => {
            let Answer { code: found, message, .. } =
                client.call::<pb::PutResponse>(path, headers, body).await.unwrap();
            assert_eq!(found, code, "{name}: {message}");
            assert!(message.contains(text), "{name}: {message}");
        }
        Expect::Fails => {
            let answer: Answer<pb::TxnResponse> = client.call(path, headers, body).await.unwrap();
            assert!(!answer.answer.unwrap().succeeded, "{name}");
        }
        Expect::Own(count) => {
            let (keys, counted) = match path {
                RANGE => {
                    let answer: Answer<pb::RangeResponse> = client.call(path, headers, body).await.unwrap();
                    let answer = answer.answer.unwrap_or_else(|| panic!("{name} is not answered"));
                    (answer.kvs, answer.count)
                }
                DELETE => {
                    let answer: Answer<pb::DeleteRangeResponse> =
                        client.call(path, headers, body).await.unwrap();
                    let answer = answer.answer.unwrap_or_else(|| panic!("{name} is not answered"));
                    (answer.prev_kvs, answer.deleted)
                }
                _ => {
                    let answer: Answer<pb::TxnResponse> = client.call(path, headers, body).await.unwrap();
                    match answer.answer.unwrap().responses.remove(0).response {
                        Some(pb::ResponseKind::Range(range)) => (range.kvs, range.count),
                        Some(pb::ResponseKind::DeleteRange(deleted)) => (deleted.prev_kvs, deleted.deleted),
                        other => panic!("{name}: {other:?}"),
                    }
                }
            };
            assert!(keys.iter().all(|pair| pair.key == OWN_KEY.as_bytes()), "{name}: {keys:?}");
            assert!(keys.len() <= count, "{name}");
            // What came to be lately is counted before it is left out, as in etcd: its own.
            assert!(counted <= 1, "{name}: {counted}");
            if name != "how many there are" {
                assert_eq!(keys.len(), count, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn whatever_an_agent_asks_it_hears_and_changes_nothing_of_another() {
    let world = World::new().await;
    let attacks: Vec<Attack> =
        [reads(), writes(), transactions(), calls(), frames()].into_iter().flatten().collect();
    assert!(attacks.len() > 60);
    let client = world.attacker().await;
    for attack in attacks {
        // It has one key of its own each time.
        let _: Answer<pb::DeleteRangeResponse> =
            client.kv("DeleteRange", &delete(b"\0", b"\0")).await.unwrap();
        let written: Answer<pb::PutResponse> = client.kv("Put", &put(OWN_KEY, "10.0.0.1")).await.unwrap();
        assert_eq!(written.code, Code::Ok, "{}", written.message);
        let name = attack.name;
        carry_out(&client, attack).await;
        world.victim_is_well(name).await;
    }
}
