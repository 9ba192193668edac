//! What is written, so that only changes are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash, RandomState};

use super::decided::Decided;
use super::entry::{Answer, AskedIn, ClaimAnswered, Entry, Event, NameRecorded, QuestionAsked};
use super::reading::entries;
use crate::expectation::Expectation;

/// Makes the lines of the log, which lie in files with a number each.
///
/// It knows the last answer to each claim and what was recorded last at each name, in a few bytes each. What is as it
/// was, also before a restart, is not written again. When the oldest file goes, what is still so is
/// [carried over](Self::carry_over).
#[derive(Default)]
pub struct Book {
    file: u64,
    /// What questions in the current file may refer to.
    asked_in: HashSet<String>,
    last: HashMap<u64, Last>,
    keys: RandomState,
}

/// What was written last of a claim, or of a name.
#[derive(Clone, Copy)]
struct Last {
    content: u64,
    file: u64,
}

impl Book {
    /// Takes in what a file holds, the oldest first; what is written next comes to the last one.
    pub fn read(&mut self, file: u64, text: &str) {
        self.begin(file);
        for entry in entries(text).flatten() {
            match entry.event {
                Event::AskedIn(asked_in) => drop(self.asked_in.insert(asked_in.id)),
                event => {
                    if let Some((subject, content)) = self.of_event(&event) {
                        self.note(subject, content);
                    }
                }
            }
        }
    }

    /// What is written from now on comes to this file, which is empty.
    pub fn begin(&mut self, file: u64) {
        self.file = file;
        self.asked_in.clear();
    }

    /// The lines for a decision; nothing when it is as it was.
    pub fn decided(&mut self, time: &str, decided: &Decided) -> String {
        let asked_in = decided.question.as_ref().map(AskedIn::of);
        let answered = ClaimAnswered::of(decided, asked_in.as_ref());
        self.changed(time, Event::Decided(Box::new(answered)), asked_in)
    }

    /// The line for what the store holds at a name now; nothing when it is as it was. `revision` is the one that made it
    /// so, if it was changed.
    pub fn recorded(&mut self, time: &str, expectation: &Expectation, revision: Option<i64>) -> String {
        self.changed(time, Event::Recorded(NameRecorded::of(expectation, revision)), None)
    }

    /// The line that says that some events are missing.
    #[must_use]
    pub fn lost(&self, time: &str, events: u64) -> String {
        Entry { time: time.to_owned(), event: Event::Lost { events } }.to_line()
    }

    /// The oldest file, which holds this, goes: gives the lines that are still so, as many as find room in so many bytes.
    /// What finds none is written anew when it is decided anew.
    pub fn carry_over(&mut self, file: u64, text: &str, room: usize) -> String {
        let mut asked_in = BTreeMap::new();
        let mut current = BTreeMap::new();
        for (number, entry) in entries(text).flatten().enumerate() {
            if let Event::AskedIn(of) = entry.event {
                asked_in.insert(of.id.clone(), of);
            } else if let Some((subject, _)) = self.of_event(&entry.event)
                && self.last.get(&subject).is_some_and(|last| last.file == file)
            {
                current.insert(subject, (number, entry));
            }
        }
        let mut in_order: Vec<(u64, usize, Entry)> =
            current.into_iter().map(|(subject, (number, entry))| (subject, number, entry)).collect();
        in_order.sort_unstable_by_key(|(_, number, _)| *number);
        let mut carried = String::new();
        for (subject, _, Entry { time, event }) in in_order {
            let asked_in = match &event {
                Event::Decided(answered) => {
                    answered.question.as_ref().and_then(|question| asked_in.get(&question.asked_in))
                }
                Event::Recorded(_) | Event::AskedIn(_) | Event::Lost { .. } | Event::Unknown => None,
            };
            let is_there = asked_in.is_none_or(|asked_in| self.asked_in.contains(&asked_in.id));
            let lines = self.lines(&time, event, asked_in.map(|asked_in| (**asked_in).clone()));
            if carried.len() + lines.len() > room {
                self.last.remove(&subject);
                if let Some(asked_in) = asked_in.filter(|_| !is_there) {
                    self.asked_in.remove(&asked_in.id);
                }
                continue;
            }
            carried.push_str(&lines);
            if let Some(last) = self.last.get_mut(&subject) {
                last.file = self.file;
            }
        }
        self.last.retain(|_, last| last.file != file);
        carried
    }

    fn changed(&mut self, time: &str, event: Event, asked_in: Option<AskedIn>) -> String {
        let Some((subject, content)) = self.of_event(&event) else { return String::new() };
        let is_end = is_end(&event);
        let is_news = match (self.last.get(&subject), &event) {
            (Some(last), _) => last.content != content,
            // An end of what was never written is news only when somebody made it.
            (None, Event::Recorded(recorded)) => !is_end || recorded.revision.is_some(),
            (None, _) => !is_end,
        };
        if !is_news {
            return String::new();
        }
        let lines = self.lines(time, event, asked_in);
        if is_end {
            self.last.remove(&subject);
        } else {
            self.note(subject, content);
        }
        lines
    }

    fn lines(&mut self, time: &str, event: Event, asked_in: Option<AskedIn>) -> String {
        let mut lines = String::new();
        if let Some(asked_in) = asked_in
            && self.asked_in.insert(asked_in.id.clone())
        {
            let event = Event::AskedIn(Box::new(asked_in));
            lines.push_str(&Entry { time: time.to_owned(), event }.to_line());
        }
        lines.push_str(&Entry { time: time.to_owned(), event }.to_line());
        lines
    }

    fn note(&mut self, subject: u64, content: u64) {
        self.last.insert(subject, Last { content, file: self.file });
    }

    /// What it is about, and what it says of that. Which module says so, how many names it was told, which is counted anew
    /// after a restart, and who wrote it when, makes no difference.
    fn of_event(&self, event: &Event) -> Option<(u64, u64)> {
        match event {
            Event::Decided(answered) => {
                let ClaimAnswered { cluster, object, host_name, question, answer, records, modules: _ } =
                    &**answered;
                let question = question.as_ref().map(|question| {
                    let question = QuestionAsked { published_names: None, ..question.clone() };
                    serde_json::to_string(&question).ok()
                });
                Some((self.hash(&(cluster, object, host_name)), self.hash(&(question, answer, records))))
            }
            Event::Recorded(NameRecorded { name, records, clusters: _, revision: _ }) => {
                Some((self.hash(name), self.hash(records)))
            }
            Event::AskedIn(_) | Event::Lost { .. } | Event::Unknown => None,
        }
    }

    fn hash(&self, value: &impl Hash) -> u64 {
        self.keys.hash_one(value)
    }
}

/// Whether nothing is left to be known of it.
fn is_end(event: &Event) -> bool {
    match event {
        Event::Decided(answered) => answered.answer == Answer::Withdrawn,
        Event::Recorded(recorded) => recorded.records.is_empty(),
        Event::AskedIn(_) | Event::Lost { .. } | Event::Unknown => false,
    }
}
