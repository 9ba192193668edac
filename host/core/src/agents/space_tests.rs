use super::*;

const WEB: &str = "/skydns/example/w1/web/3dc2be40";

fn put(key: &str, value: &str) -> Request {
    Operation::Put { key: key.into(), value: value.into(), previous: false }.into()
}

fn host(target: &str) -> String {
    format!(r#"{{"host":"{target}","targetstrip":1}}"#)
}

const HERITAGE: &str = r#"{"text":"\"heritage=external-dns,external-dns/owner=w1\"","targetstrip":1}"#;

fn interval(key: &[u8], end: &[u8]) -> Interval {
    Interval { key: key.into(), end: end.into() }
}

fn below(key: &str) -> Interval {
    let mut end = key.as_bytes().to_vec();
    *end.last_mut().unwrap() += 1;
    interval(key.as_bytes(), &end)
}

fn delete(interval: Interval) -> Request {
    Operation::Delete { interval, previous: false }.into()
}

fn read(interval: Interval) -> Operation {
    Operation::Read(Read { interval, ..Read::default() })
}

/// Drafts and takes.
fn ask(space: &mut KeySpace, request: &Request) -> Result<Reply, Refusal> {
    let Draft { reply, edits } = space.draft(request)?;
    space.take(edits);
    Ok(reply)
}

fn filled(pairs: &[(&str, &str)]) -> KeySpace {
    let mut space = KeySpace::of([]);
    for (key, value) in pairs {
        ask(&mut space, &put(key, value)).unwrap();
    }
    space
}

fn keys(space: &KeySpace, interval: Interval) -> Vec<String> {
    let reply = space.draft(&read(interval).into()).unwrap().reply;
    let [Outcome::Read { pairs, .. }] = reply.outcomes.as_slice() else { panic!("{reply:?}") };
    pairs.iter().map(|pair| String::from_utf8(pair.key.clone()).unwrap()).collect()
}

fn all(space: &KeySpace) -> Vec<String> {
    keys(space, interval(b"\0", b"\0"))
}

fn targets(space: &KeySpace, name: &str) -> Vec<String> {
    let mut targets: Vec<String> = space.targets(&name.parse().unwrap()).cloned().collect();
    targets.sort();
    targets
}

#[test]
fn what_was_written_is_read_and_the_hosts_of_a_name_are_its_targets() {
    let other = "/skydns/example/w1/web/3dc2be41";
    let space = filled(&[(WEB, &host("10.0.0.1")), (other, &host("10.0.0.2"))]);
    assert_eq!(keys(&space, below("/skydns/")), [WEB, other]);
    assert_eq!(keys(&space, Interval::exactly(WEB)), [WEB]);
    assert_eq!(
        keys(&space, interval(b"z", b"a")),
        [""; 0],
        "an interval that ends before it begins is empty"
    );
    assert_eq!(targets(&space, "web.w1.example"), ["10.0.0.1", "10.0.0.2"]);
    assert_eq!(space.draft(&read(interval(b"", b"\0")).into()).unwrap_err(), Refusal::NoKey);
}

#[test]
fn revisions_and_versions_grow_as_in_etcd_and_other_states_are_not_there() {
    let mut space = KeySpace::of([]);
    assert_eq!(ask(&mut space, &put(WEB, &host("10.0.0.1"))).unwrap().revision, 2);
    assert_eq!(ask(&mut space, &put(WEB, &host("10.0.0.2"))).unwrap().revision, 3);
    let reply = ask(&mut space, &read(Interval::exactly(WEB)).into()).unwrap();
    let [Outcome::Read { pairs, count: 1, more: false }] = reply.outcomes.as_slice() else {
        panic!("{reply:?}")
    };
    let Pair { create_revision, mod_revision, version, .. } = pairs[0];
    assert_eq!((create_revision, mod_revision, version, reply.revision), (2, 3, 2, 3));
    let at = |revision| Read { interval: Interval::exactly(WEB), revision, ..Read::default() };
    assert_eq!(space.draft(&Operation::Read(at(2)).into()).unwrap_err(), Refusal::Compacted);
    assert_eq!(space.draft(&Operation::Read(at(4)).into()).unwrap_err(), Refusal::FutureRevision);
    assert!(space.draft(&Operation::Read(at(3)).into()).is_ok());
}

#[test]
fn a_read_is_sorted_bounded_and_without_values_where_that_is_asked() {
    let space = filled(&[
        ("/skydns/example/b/00000001", &host("10.0.0.1")),
        ("/skydns/example/a/00000001", &host("10.0.0.2")),
        ("/skydns/example/c/00000001", &host("10.0.0.3")),
    ]);
    let everything = || Read { interval: below("/skydns/"), ..Read::default() };
    let ask = |read: Read| match space.draft(&Operation::Read(read).into()).unwrap().reply.outcomes.remove(0)
    {
        Outcome::Read { pairs, count, more } => {
            let names = pairs.iter().map(|pair| char::from(pair.key[16])).collect::<String>();
            (names, count, more, pairs.iter().all(|pair| pair.value.is_empty()))
        }
        other => panic!("{other:?}"),
    };
    let order = |by, descending| Some(Order { by, descending });
    for (read, expected) in [
        (everything(), ("abc", 3, false, false)),
        (Read { order: order(SortBy::Key, true), ..everything() }, ("cba", 3, false, false)),
        (Read { order: order(SortBy::ModRevision, false), ..everything() }, ("bac", 3, false, false)),
        (Read { order: order(SortBy::Value, true), ..everything() }, ("cab", 3, false, false)),
        (Read { limit: 2, ..everything() }, ("ab", 3, true, false)),
        (Read { limit: 3, ..everything() }, ("abc", 3, false, false)),
        (Read { keys_only: true, ..everything() }, ("abc", 3, false, true)),
        (Read { count_only: true, ..everything() }, ("", 3, false, true)),
        (Read { mod_revisions: (3, 3), ..everything() }, ("a", 3, false, false)),
    ] {
        let (names, count, more, valueless) = ask(read.clone());
        assert_eq!((names.as_str(), count, more, valueless), expected, "{read:?}");
    }
}

#[test]
fn a_transaction_does_what_its_conditions_say_or_nothing() {
    let mut space = KeySpace::of([]);
    let is_new = Compare {
        interval: Interval::exactly(WEB),
        compared: Compared::ModRevision(0),
        relation: Relation::Equal,
    };
    let write = Operation::Put { key: WEB.into(), value: host("10.0.0.1").into(), previous: false };
    let request = Request {
        compares: vec![is_new],
        success: vec![write, read(Interval::exactly(WEB))],
        failure: vec![Operation::Delete { interval: Interval::exactly(WEB), previous: true }],
    };
    let reply = ask(&mut space, &request).unwrap();
    assert!(reply.succeeded);
    assert!(matches!(&reply.outcomes[1], Outcome::Read { count: 1, .. }), "it reads what it has written");
    let reply = ask(&mut space, &request).unwrap();
    assert!(!reply.succeeded);
    assert!(matches!(&reply.outcomes[0], Outcome::Deleted { count: 1, previous } if previous.len() == 1));
    assert!(space.is_empty());
    let bad = Operation::Put { key: b"/other".to_vec(), value: Vec::new(), previous: false };
    let good = Operation::Put { key: WEB.into(), value: host("10.0.0.1").into(), previous: false };
    let both = Request { success: vec![good.clone(), bad], ..Request::default() };
    assert!(ask(&mut space, &both).is_err());
    assert!(space.is_empty());
    let twice = Request { success: vec![good.clone(), good.clone()], ..Request::default() };
    assert_eq!(ask(&mut space, &twice), Err(Refusal::DuplicateKey));
    let many = Request { success: vec![read(below("/skydns/")); MAX_OPERATIONS + 1], ..Request::default() };
    assert_eq!(ask(&mut space, &many), Err(Refusal::TooManyOperations));
    let over = Operation::Delete { interval: below("/skydns/"), previous: false };
    let over = Request { success: vec![over, good], ..Request::default() };
    assert_eq!(ask(&mut space, &over), Err(Refusal::DuplicateKey));
}

#[test]
fn a_comparison_with_a_key_of_somebody_else_is_one_with_a_key_that_is_not_there() {
    let space = filled(&[(WEB, &host("10.0.0.1"))]);
    for key in ["/skydns/example/w2/web/00000001", "openmcp-dns/leader/uid", "/registry/secrets"] {
        for (compared, relation, holds) in [
            (Compared::ModRevision(0), Relation::Equal, true),
            (Compared::ModRevision(0), Relation::Greater, false),
            (Compared::CreateRevision(1), Relation::Less, true),
            (Compared::Version(0), Relation::NotEqual, false),
            (Compared::Value(b"x".to_vec()), Relation::NotEqual, false),
        ] {
            let compare = Compare { interval: Interval::exactly(key), compared, relation };
            let request = Request { compares: vec![compare], ..Request::default() };
            assert_eq!(space.draft(&request).unwrap().reply.succeeded, holds, "{request:?}");
        }
    }
}

#[test]
fn a_deletion_takes_its_interval_and_says_what_it_has_taken() {
    let mut space = filled(&[
        (WEB, &host("10.0.0.1")),
        ("/skydns/example/w1/web2/00000001", &host("10.0.0.2")),
        ("/skydns/example/w1/x/00000001", &host("10.0.0.3")),
    ]);
    let Draft { reply, edits } = space.draft(&delete(below("/skydns/example/w1/web"))).unwrap();
    assert_eq!(reply.outcomes, [Outcome::Deleted { count: 2, previous: Vec::new() }]);
    let touched = space.take(edits);
    let gone = |name: &str, target: &str| (name.parse::<HostName>().unwrap(), Some(target.to_owned()));
    assert_eq!(touched, [gone("web.w1.example", "10.0.0.1"), gone("web2.w1.example", "10.0.0.2")]);
    assert_eq!(all(&space), ["/skydns/example/w1/x/00000001"]);
    let nothing = space.draft(&delete(Interval::exactly(WEB))).unwrap();
    assert_eq!((nothing.reply.revision, nothing.edits.len()), (space.revision, 0));
}

#[test]
fn a_text_of_the_registry_takes_the_place_of_the_one_before() {
    let mut space = filled(&[("/skydns/example/w1/a-web/00000001", HERITAGE)]);
    ask(&mut space, &put("/skydns/example/w1/a-web/00000002", HERITAGE)).unwrap();
    ask(&mut space, &put("/skydns/example/w1/a-other/00000003", HERITAGE)).unwrap();
    assert_eq!(all(&space), ["/skydns/example/w1/a-other/00000003", "/skydns/example/w1/a-web/00000002"]);
}

#[test]
fn a_text_of_the_registry_that_is_deleted_where_it_does_not_lie_is_found() {
    let mut space = filled(&[
        ("/skydns/example/w1/a-web/00000001", HERITAGE),
        ("/skydns/example/w1/a-web/sub/00000002", HERITAGE),
    ]);
    ask(&mut space, &delete(Interval::exactly("/skydns/example/w1/a-web"))).unwrap();
    assert_eq!(all(&space), ["/skydns/example/w1/a-web/sub/00000002"]);
}

#[test]
fn with_the_text_of_a_record_go_all_its_targets_and_no_others() {
    let mut space = filled(&[
        ("/skydns/example/w1/web/00000001", &host("10.0.0.1")),
        ("/skydns/example/w1/web/00000002", &host("10.0.0.2")),
        ("/skydns/example/w1/web/00000003", &host("fd00::1")),
        ("/skydns/example/w1/other/00000004", &host("10.0.0.1")),
        ("/skydns/example/w1/a-web/00000005", HERITAGE),
    ]);
    ask(&mut space, &delete(below("/skydns/example/w1/a-web/00000005"))).unwrap();
    assert_eq!(targets(&space, "web.w1.example"), ["fd00::1"]);
    assert_eq!(targets(&space, "other.w1.example"), ["10.0.0.1"]);
}

#[test]
fn hosts_are_read_before_texts() {
    let space = filled(&[
        ("/skydns/example/w1/web/00000001", HERITAGE),
        ("/skydns/example/w1/web/00000002", &host("10.0.0.1")),
    ]);
    assert_eq!(
        keys(&space, below("/skydns/")),
        ["/skydns/example/w1/web/00000002", "/skydns/example/w1/web/00000001"]
    );
}

#[test]
fn an_agent_has_no_more_than_it_may_and_can_always_take_back() {
    let pair = |n: usize| Pair {
        key: format!("/skydns/example/w1/n{n}/00000001").into_bytes(),
        value: host("10.0.0.1").into_bytes(),
        create_revision: 1,
        mod_revision: 1,
        version: 1,
    };
    let mut space = KeySpace::of((0..MAX_KEYS).map(pair));
    assert!(matches!(ask(&mut space, &put(WEB, &host("10.0.0.1"))), Err(Refusal::NoSpace(_))));
    let first = String::from_utf8(pair(0).key).unwrap();
    ask(&mut space, &put(&first, &host("10.0.0.2"))).unwrap();
    ask(&mut space, &delete(Interval::exactly(first))).unwrap();
    ask(&mut space, &put(WEB, &host("10.0.0.1"))).unwrap();

    let filler = format!(r#"{{"host":"10.0.0.1","targetstrip":1,"mail":"{}"}}"#, "x".repeat(4000));
    let large = |n: usize| Pair { value: filler.clone().into_bytes(), ..pair(n) };
    let mut space = KeySpace::of((0..MAX_BYTES / (filler.len() + 30)).map(large));
    let refused = (0..10).any(|n| {
        let key = format!("/skydns/example/w1/m{n}/00000001");
        matches!(ask(&mut space, &put(&key, &filler)), Err(Refusal::NoSpace(_)))
    });
    assert!(refused);

    let key = |n: usize| format!("/skydns/example/w1/web/{n:08x}");
    let value = |n: usize| host(&format!("10.0.{}.{}", n / 256, n % 256));
    let mut space = KeySpace::of([]);
    for n in 0..MAX_TARGETS {
        ask(&mut space, &put(&key(n), &value(n))).unwrap();
    }
    assert!(matches!(ask(&mut space, &put(&key(MAX_TARGETS), &value(0))), Err(Refusal::NoSpace(_))));
}

#[test]
fn what_was_kept_is_there_again_after_a_restart() {
    let space = filled(&[(WEB, &host("10.0.0.1")), ("/skydns/example/w1/a-web/00000005", HERITAGE)]);
    let kept = space.held.values().map(|held| {
        let pair = &held.pair;
        Pair::decode(pair.key.clone(), &pair.encode()).unwrap()
    });
    let again = KeySpace::of(kept);
    assert_eq!(all(&again), all(&space));
    assert_eq!((again.revision, again.bytes), (space.revision, space.bytes));
    assert!(again.has(WEB.as_bytes(), host("10.0.0.1").as_bytes()));
}
