//! The log of decisions: what is told comes to lie in files, and is read again as the history of a name.

use super::*;
use crate::decision_log::{Answer, Book, DecisionLog, Event, History};
use crate::objects::Change;
use crate::recording::ClusterCommand;

/// Files of a log, and the book that makes their lines.
#[derive(Default)]
struct Log {
    book: Book,
    files: Vec<String>,
    seconds: u32,
}

impl Log {
    fn new() -> Self {
        let mut log = Self::default();
        log.begin();
        log
    }

    fn begin(&mut self) {
        self.book.begin(self.files.len() as u64);
        self.files.push(String::new());
    }

    /// Everything but the files is forgotten.
    fn restart(&mut self) {
        self.book = Book::default();
        for (number, text) in (0..).zip(&self.files) {
            self.book.read(number, text);
        }
    }

    /// Takes down what was told since; gives how many lines that makes.
    fn take(&mut self, world: &mut World) -> usize {
        self.seconds += 1;
        let time = format!("2026-01-01T00:00:{:02}.000Z", self.seconds);
        let mut lines = String::new();
        for report in world.reports.drain(..) {
            lines += &match report {
                Report::Decided(decided) => self.book.decided(&time, &decided),
                Report::Recorded { expectation, revision } => {
                    self.book.recorded(&time, &expectation, revision)
                }
                _ => continue,
            };
        }
        self.files.last_mut().unwrap().push_str(&lines);
        lines.lines().count()
    }

    fn read(&self) -> DecisionLog {
        DecisionLog::read(self.files.iter().map(String::as_str))
    }

    fn history(&self, name: &str) -> History {
        History::of(&self.read(), &format!("{name}.w1.{ZONE}").parse().unwrap())
    }

    /// What was said of a name, one after another.
    fn said(&self, name: &str) -> Vec<String> {
        let said = self.history(name).events.into_iter().map(|entry| match entry.event {
            Event::Decided(answered) => answered.answer.as_str().to_owned(),
            Event::Recorded(recorded) => recorded.records.join(" "),
            _ => "lost".to_owned(),
        });
        said.collect()
    }
}

fn named(name: &str, address: &str) -> Change {
    Change::Set(ingress(name, &format!("{name}.w1.{ZONE}"), address))
}

#[test]
fn every_claim_and_answer_for_a_name_is_read_again_in_order_with_since_when_it_is_so() {
    let (mut log, mut world) = (Log::new(), World::new());
    world.govern("w1", &Rules::default());
    world.list_named("w1", &["a", "b"]);
    world.rest();
    log.take(&mut world);
    // Its address changes, a module denies it, another allows it, and the object goes.
    world.observe("w1", named("a", "10.0.0.2"));
    world.rest();
    log.take(&mut world);
    world.govern("w1", &Rules::denying("a"));
    world.rest();
    log.take(&mut world);
    let denied = log.history("a");
    let Answer::Denied { code, .. } = &denied.claims[0].answer else { panic!("{denied:?}") };
    assert_eq!((code.as_str(), denied.claims[0].since.as_str()), ("prefix", "2026-01-01T00:00:03.000Z"));
    assert!(denied.claims[0].modules[0].digest.contains("denies: Some(\"a\")"), "{denied:?}");
    world.govern("w1", &Rules::default());
    world.rest();
    log.take(&mut world);
    let allowed = log.history("a");
    assert_eq!(allowed.claims[0].records, [format!("a.w1.{ZONE} 60 A 10.0.0.2")]);
    let recorded = allowed.recorded.unwrap();
    assert_eq!(recorded.records, ["A 10.0.0.2"]);
    assert_eq!(recorded.revision, Some(world.revision()));
    world.remove("w1", "a");
    world.rest();
    log.take(&mut world);
    assert_eq!(
        log.said("a"),
        [
            "published",
            "A 10.0.0.1",
            "published",
            "A 10.0.0.2",
            "denied",
            "",
            "published",
            "A 10.0.0.2",
            "withdrawn",
            ""
        ]
    );
    let gone = log.history("a");
    assert!(gone.claims.is_empty() && gone.recorded.unwrap().records.is_empty());
    // The other one was left alone.
    assert_eq!(log.said("b"), ["published", "A 10.0.0.1"]);
    assert_eq!(log.history("b").claims[0].since, "2026-01-01T00:00:01.000Z");
    let DecisionLog { asked_in, unreadable, .. } = log.read();
    assert_eq!((asked_in.len(), unreadable), (1, 0), "the questions have the same in common");
}

#[test]
fn what_stays_the_same_over_a_restart_is_not_noted_again_and_half_a_line_is_passed_over() {
    let (mut log, mut world) = (Log::new(), World::new());
    world.govern("w1", &Rules { at_most: Some(3), ..Rules::default() });
    world.list_named("w1", &["a", "b", "c", "d"]);
    world.rest();
    assert_eq!(log.take(&mut world), 1 + 4 + 3);
    let half = log.files[0].len() - 20;
    log.files[0].truncate(half);
    log.restart();
    world.restart();
    world.govern("w1", &Rules { at_most: Some(3), ..Rules::default() });
    world.list_named("w1", &["a", "b", "c", "d"]);
    world.rest();
    log.files[0].push('\n');
    // What was killed in between is noted again, and nothing else.
    assert_eq!(log.take(&mut world), 1);
    assert_eq!(log.read().unreadable, 1);
    // A list that is read anew, and a module that says the same, are nothing new.
    world.list_named("w1", &["a", "b", "c", "d"]);
    world.rest();
    let other = Rules { at_most: Some(3), denies: Some("x"), ..Rules::default() };
    world.govern("w1", &other);
    world.rest();
    assert_eq!(log.take(&mut world), 0);
}

#[test]
fn what_is_still_so_outlives_the_file_that_it_was_noted_in() {
    let (mut log, mut world) = (Log::new(), World::new());
    world.govern("w1", &Rules::default());
    world.list_named("w1", &["a", "b", "c"]);
    world.rest();
    log.take(&mut world);
    log.begin();
    world.observe("w1", named("b", "10.0.0.2"));
    world.remove("w1", "c");
    world.rest();
    log.take(&mut world);
    log.begin();
    let oldest = std::mem::take(&mut log.files[0]);
    let carried = log.book.carry_over(0, &oldest, oldest.len());
    log.files[2].push_str(&carried);
    assert_eq!(log.said("a"), ["published", "A 10.0.0.1"]);
    assert_eq!(log.history("a").claims[0].since, "2026-01-01T00:00:01.000Z");
    assert_eq!(log.said("b"), ["published", "A 10.0.0.2"], "only the last one is still so");
    assert!(log.files[2].starts_with('{') && log.files[2].contains("askedIn"), "{}", log.files[2]);
    log.restart();
    world.list_named("w1", &["a"]);
    world.rest();
    world.reports.retain(|report| !matches!(report, Report::Recorded { revision: Some(_), .. }));
    assert_eq!(log.take(&mut world), 1, "b is withdrawn");
    // What finds no room is noted anew when it is decided anew.
    let oldest = std::mem::take(&mut log.files[1]);
    let last = std::mem::take(&mut log.files[2]);
    log.begin();
    assert_eq!(log.book.carry_over(1, &oldest, 10), "");
    assert_eq!(log.book.carry_over(2, &last, 10), "");
    assert!(!log.history("a").knows_the_name());
    world.observe("w1", named("a", "10.0.0.3"));
    world.rest();
    assert_eq!(log.take(&mut world), 3, "with what the question refers to");
    assert_eq!(log.said("a"), ["published", "A 10.0.0.3"]);
}

#[test]
fn what_leads_nowhere_is_told_only_once_all_that_it_depends_on_is_known() {
    let (mut log, mut world) = (Log::new(), World::new());
    world.govern("w1", &Rules::default());
    let mut changes = routed("w1", &["a"]);
    let gateways = changes.remove(0);
    for change in changes {
        world.observe("w1", change);
    }
    world.rest();
    log.take(&mut world);
    assert_eq!(log.said("a"), [""; 0]);
    world.observe("w1", gateways);
    world.rest();
    log.take(&mut world);
    assert_eq!(log.said("a"), ["published", "A 10.0.0.2"]);
    let gateway = ("default".to_owned(), "gateway".to_owned());
    world.observe("w1", Change::Removed(crate::kinds::Kind::Gateway, gateway));
    world.rest();
    log.take(&mut world);
    assert_eq!(log.said("a")[2..], ["unresolved", ""]);
    // A cluster that leaves takes its claims along.
    world.command("w1", ClusterCommand::Release { zone: ZONE.parse().unwrap() });
    world.rest();
    log.take(&mut world);
    assert_eq!(log.said("a").last().unwrap(), "withdrawn");
}
