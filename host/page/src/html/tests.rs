use crate::model::*;
use crate::question::Question;

const EVIL: &str = "<script>alert(1)</script>\"onload='x' & {{7*7}} javascript:x \u{202e}";

/// A text wherever there is room for one.
fn filled(text: &str) -> (Landscape, NamePage) {
    let t = || text.to_owned();
    let claim = Claim {
        host_name: t(),
        cluster: t(),
        object: t(),
        standing: Standing::Denied,
        records: vec![t()],
        answer: Some(t()),
        code: Some(t()),
        message: Some(t()),
        next: Some(t()),
    };
    let module = Module { description: t(), sha256: t(), since: Some(t()) };
    let condition = Condition { about: t(), status: "False".to_owned(), reason: t(), message: t() };
    let instance = Instance { version: t(), leads: false, leader: Some(t()), starting: Some(t()) };
    let policy = Policy {
        name: t(),
        zone: t(),
        mode: t(),
        module: Some(module.clone()),
        guards: vec![module],
        candidate: Some(Candidate { description: t(), differences: vec![t()], ..Candidate::default() }),
        clusters: 1,
        conditions: vec![condition.clone()],
    };
    let cluster = Cluster {
        name: t(),
        domain: t(),
        phase: t(),
        conditions: vec![condition],
        published: 1,
        not_published: 1,
    };
    let held = Held {
        cluster: t(),
        names: Listed { first: vec![t()], all: Some(9) },
        hold_seconds: Some(600),
        confirm: t(),
    };
    let landscape = Landscape {
        title: t(),
        at: t(),
        instance: instance.clone(),
        facts: vec![Fact { name: t(), value: t() }],
        problems: vec![Problem { place: t(), message: t(), hint: t() }],
        policies: vec![policy],
        clusters: Listed { first: vec![cluster], all: Some(2) },
        held: Some(vec![held]),
        denials: Some(Listed { first: vec![claim.clone()], all: None }),
        changes: vec![Change { at: t(), name: t(), records: vec![t()] }],
        names: Names { claims: vec![claim.clone()], next: Some(t()), is_cut: true },
        counts: Counts::default(),
    };
    let steps = vec![Step { what: t(), lines: vec![t()], is_well: Some(false) }];
    let name = NamePage {
        name: t(),
        instance,
        at: t(),
        ways: vec![Way { claim, steps: steps.clone() }],
        has_more: true,
        outcome: steps,
        next: vec![t()],
    };
    (landscape, name)
}

#[test]
fn what_tenants_write_stays_text_wherever_it_stands() {
    let (landscape, name) = filled(EVIL);
    let question = Question { search: EVIL.to_owned(), ..Question::default() };
    for page in [
        super::landscape(&landscape, &Question::default()),
        super::landscape(&landscape, &question),
        super::name(&name),
    ] {
        assert!(!page.contains("<script>") && !page.contains("alert(1)</"), "{page}");
        // What ends an attribute.
        assert!(!page.contains("\"onload"), "{page}");
        // The only scripts, and no address that leads elsewhere.
        assert_eq!(page.matches("<script").count(), 1);
        assert!(
            !page.contains("href=\"javascript") && !page.contains("http://") && !page.contains("https://")
        );
    }
}

#[test]
fn a_landscape_is_drawn_whole() {
    let (landscape, name) = filled("text.example");
    insta::assert_snapshot!("landscape", lines(&super::landscape(&landscape, &Question::default())));
    insta::assert_snapshot!("name", lines(&super::name(&name)));
}

#[test]
fn an_empty_landscape_says_what_is_not_there() {
    let page = super::landscape(&Landscape::default(), &Question::default());
    for says in [
        "There are none.",
        "No cluster stands under a DNSPolicy.",
        "There is no DNSPolicy",
        "Nothing was written",
    ] {
        assert!(page.contains(says), "{says}: {page}");
    }
    let page = super::name(&NamePage { name: "a.b".to_owned(), ..NamePage::default() });
    assert!(page.contains("No object asks for this name."), "{page}");
}

#[test]
fn headings_stand_in_order_and_tables_say_what_their_columns_are() {
    let (landscape, name) = filled("x");
    for page in [super::landscape(&landscape, &Question::default()), super::name(&name)] {
        let levels: Vec<u32> = page
            .match_indices("<h")
            .filter_map(|(at, _)| page[at + 2..].chars().next()?.to_digit(10))
            .collect();
        assert_eq!((levels[0], levels.iter().filter(|level| **level == 1).count()), (1, 1), "{levels:?}");
        let mut before = 1;
        for level in levels {
            // A step stands below its way, which has no heading of its own between them.
            assert!(level <= before + 2, "{page}");
            before = level;
        }
        let heads = page.matches("<th ").count();
        assert_eq!(heads, page.matches("scope=\"col\"").count() + page.matches("scope=\"row\"").count());
        assert!(page.contains("<html lang=\"en\">") && page.contains("<main id=\"main\""));
    }
}

/// One element a line, so that a change is seen.
fn lines(page: &str) -> String {
    page.replace("><", ">\n<")
}
