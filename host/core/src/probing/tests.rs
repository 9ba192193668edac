use super::*;
use crate::record::{RecordType, RecordValue};

const W1: &str = "w1";

fn cluster() -> ClusterId {
    ClusterId::new("openmcp-system", W1)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn expectation(name: &str, address: Option<&str>) -> Expectation {
    let mut expectation = Expectation::nothing(&format!("{name}.openmcp.cluster").parse().unwrap());
    expectation.clusters.insert(cluster());
    if let Some(address) = address {
        expectation.values.insert(RecordValue::parse(RecordType::A, address).unwrap());
    }
    expectation
}

/// A server that answers all names alike, and takes no time for it.
struct Served {
    probing: Probing,
    now: Duration,
    verdict: Verdict,
    asked: Vec<(Duration, String)>,
    said: Vec<(Duration, Verdict)>,
}

impl Served {
    fn new(cached: u64, verdict: Verdict) -> Self {
        let probing = Probing::new(Pace { cached: seconds(cached) });
        Self { probing, now: Duration::ZERO, verdict, asked: Vec::new(), said: Vec::new() }
    }

    fn expect(&mut self, name: &str, address: Option<&str>) {
        self.probing.expect(expectation(name, address), self.now);
    }

    fn answer(&mut self, question: &Question) {
        let answer = match self.verdict {
            Verdict::NoAnswer => Answer::Silence("timeout".into()),
            Verdict::Match | Verdict::Mismatch => Answer::NoSuchName,
        };
        self.asked.push((self.now, question.expectation.name.to_string()));
        if let Outcome::Said { verdict, .. } =
            self.probing.answered(question, self.verdict, &answer, self.now)
        {
            self.said.push((self.now, verdict));
        }
    }

    /// Lets time go by until then.
    fn run_until(&mut self, end: Duration) {
        loop {
            while let Some(question) = self.probing.next(self.now) {
                self.answer(&question);
            }
            match self.probing.wakes_at().filter(|at| *at <= end) {
                Some(at) => {
                    assert!(at > self.now, "what is due is asked for");
                    self.now = at;
                }
                None => break,
            }
        }
        self.now = end;
    }

    fn counts(&self) -> ProbeCounts {
        self.probing.counts(&cluster())
    }
}

#[test]
fn a_new_name_is_asked_for_at_once_and_counted_when_it_is_met() {
    let mut served = Served::new(30, Verdict::Match);
    served.expect("a", Some("10.0.0.1"));
    assert_eq!(served.counts().outstanding, 1);
    served.run_until(Duration::ZERO);
    assert_eq!(served.said, [(Duration::ZERO, Verdict::Match)]);
    assert_eq!(served.counts(), ProbeCounts { matching: 1, ..ProbeCounts::default() });
}

#[test]
fn a_wrong_answer_is_said_only_when_no_cache_can_have_given_it() {
    let mut served = Served::new(30, Verdict::Mismatch);
    served.expect("a", Some("10.0.0.1"));
    served.run_until(seconds(34));
    assert_eq!((served.said.len(), served.counts().outstanding), (0, 1));
    served.run_until(seconds(35));
    assert_eq!(served.said, [(seconds(35), Verdict::Mismatch)]);
    let counts = served.counts();
    assert_eq!((counts.mismatching, counts.outstanding), (1, 0));
    assert_eq!(counts.example.unwrap(), "a.openmcp.cluster: expected 10.0.0.1, got NXDOMAIN");
    served.verdict = Verdict::Match;
    served.run_until(seconds(40));
    assert_eq!(served.counts(), ProbeCounts { matching: 1, ..ProbeCounts::default() });
}

#[test]
fn a_failing_name_is_asked_for_soon_again_and_ever_more_seldom() {
    let mut served = Served::new(0, Verdict::Mismatch);
    served.expect("a", Some("10.0.0.1"));
    served.run_until(seconds(600));
    let times: Vec<Duration> = served.asked.iter().map(|(at, _)| *at).collect();
    let pauses: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(times[1] <= Duration::from_millis(5), "{times:?}");
    assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE), "{pauses:?}");
    assert_eq!(pauses.last(), Some(&LONGEST_PAUSE));
    assert!(times.len() < 40, "{} questions in ten minutes", times.len());
}

#[test]
fn many_failing_names_are_asked_for_at_a_bounded_rate() {
    let mut served = Served::new(0, Verdict::Mismatch);
    for name in 0..10_000 {
        served.expect(&format!("n{name}"), Some("10.0.0.1"));
    }
    served.run_until(seconds(1_000));
    served.asked.clear();
    served.run_until(seconds(2_000));
    let rate = served.asked.len() / 1_000;
    assert!((25..=60).contains(&rate), "{rate} questions in a second");
}

#[test]
fn names_that_are_met_are_asked_for_once_in_a_period_and_never_many_at_once() {
    for (names, period) in [(1, 2), (100, 200), (10_000, 900), (100_000, 2_000)] {
        let mut served = Served::new(30, Verdict::Match);
        for name in 0..names {
            served.expect(&format!("n{name}"), Some("10.0.0.1"));
        }
        // After a period in which they find their places.
        served.run_until(seconds(2 * period));
        served.asked.clear();
        served.run_until(seconds(3 * period));
        let asked = served.asked.len();
        assert!(asked.abs_diff(names) * 20 <= names.max(20), "{asked} of {names} in {period} s");
        let gaps = served.asked.windows(2).map(|pair| pair[1].0 - pair[0].0);
        assert!(gaps.min().is_none_or(|gap| gap >= FASTEST_GAP));
    }
}

#[test]
fn what_was_met_is_not_asked_for_again_when_it_is_expected_again() {
    let mut served = Served::new(30, Verdict::Match);
    served.expect("a", Some("10.0.0.1"));
    served.run_until(Duration::ZERO);
    for _ in 0..1_000 {
        served.expect("a", Some("10.0.0.1"));
    }
    served.run_until(seconds(1));
    assert_eq!(served.asked.len(), 1);
    served.expect("a", Some("10.0.0.2"));
    served.run_until(seconds(1));
    assert_eq!(served.asked.len(), 2);
}

#[test]
fn a_silent_server_is_asked_one_question_at_a_time_until_it_speaks() {
    let mut served = Served::new(30, Verdict::NoAnswer);
    for name in 0..1_000 {
        served.expect(&format!("n{name}"), Some("10.0.0.1"));
    }
    let mut under_way = Vec::new();
    while let Some(question) = served.probing.next(served.now) {
        under_way.push(question);
    }
    assert_eq!(under_way.len(), CONCURRENCY);
    for question in &under_way {
        served.answer(question);
    }
    assert!(served.probing.is_silent() && served.probing.next(served.now).is_none());
    assert_eq!((served.counts().unanswered, served.counts().outstanding), (1_000, 0));
    served.run_until(seconds(60));
    assert!(served.asked.len() <= CONCURRENCY + 30, "{} questions in a minute", served.asked.len());
    served.verdict = Verdict::Match;
    served.run_until(seconds(180));
    assert_eq!(served.counts(), ProbeCounts { matching: 1_000, ..ProbeCounts::default() });
}

#[test]
fn a_moment_of_trouble_leaves_a_name_that_was_met_as_it_is() {
    let mut served = Served::new(30, Verdict::Match);
    served.expect("a", Some("10.0.0.1"));
    served.run_until(Duration::ZERO);
    served.verdict = Verdict::Mismatch;
    served.run_until(seconds(4));
    assert_eq!(served.counts().matching, 1, "it has failed for less than the grace");
    served.run_until(seconds(10));
    assert_eq!((served.counts().matching, served.counts().mismatching), (0, 1));
}

#[test]
fn an_answer_to_an_outdated_question_does_not_count() {
    let mut served = Served::new(0, Verdict::Match);
    served.expect("a", Some("10.0.0.1"));
    let outdated = served.probing.next(served.now).unwrap();
    served.expect("a", None);
    let outcome = served.probing.answered(&outdated, Verdict::Match, &Answer::NoData, served.now);
    assert_eq!((outcome, served.counts().outstanding), (Outcome::Outdated, 1));
}

#[test]
fn a_withdrawn_name_is_forgotten_when_it_is_seen_to_be_gone() {
    let mut served = Served::new(0, Verdict::Match);
    for name in ["a", "b"] {
        served.expect(name, Some("10.0.0.1"));
        served.run_until(served.now);
        served.expect(name, None);
        served.run_until(served.now);
        assert_eq!(served.counts(), ProbeCounts::default());
    }
    assert_eq!((served.probing.slots.len(), served.probing.names.len()), (1, 0), "its place is taken again");
    assert_eq!(served.probing.wakes_at(), None);
}
