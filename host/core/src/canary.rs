//! Which DNS pods answer the canary: a record that changes, so that who is outdated is seen.
//!
//! A pod that answers wrongly is taken out of the Service, but never the last one: an outdated answer is better than
//! none, and where all are wrong, it is not the pods' fault.

use std::collections::BTreeMap;

/// How often in a row a pod that was in has to answer wrongly: a round may fall into its restart.
const WRONG_ROUNDS: u32 = 2;

/// A DNS pod that was asked.
#[derive(Clone, Debug)]
pub struct AskedPod {
    /// Its name.
    pub name: String,
    /// Whether it is in the Service, as far as that is up to us; `None` for a new pod.
    pub is_in: Option<bool>,
    /// What is wrong with its answers; `None` when they are right.
    pub wrong: Option<String>,
}

/// What follows from a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The pods that are to be let in, or taken out.
    pub changes: Vec<(String, bool)>,
    /// The pods that are out from now on, and why.
    pub out: Vec<(String, String)>,
    /// The pods that answer wrongly and are in all the same, and why.
    pub wrong: Vec<(String, String)>,
    /// How many answer rightly.
    pub right: usize,
}

/// Remembers how often pods have answered wrongly.
#[derive(Debug, Default)]
pub struct Canary {
    rounds: BTreeMap<String, u32>,
}

impl Canary {
    /// Judges a round in which all pods were asked.
    pub fn judge(&mut self, pods: &[AskedPod]) -> Verdict {
        self.rounds.retain(|name, _| pods.iter().any(|pod| pod.name == *name && pod.wrong.is_some()));
        let mut verdict =
            Verdict { right: pods.iter().filter(|pod| pod.wrong.is_none()).count(), ..Verdict::default() };
        for AskedPod { name, is_in, wrong } in pods {
            let shall_be_in = match wrong {
                None => true,
                Some(why) => {
                    let rounds = self.rounds.entry(name.clone()).or_default();
                    *rounds += 1;
                    let stays = *is_in == Some(true) && *rounds < WRONG_ROUNDS;
                    let shall_be_in = verdict.right == 0 || stays;
                    let list = if shall_be_in { &mut verdict.wrong } else { &mut verdict.out };
                    list.push((name.clone(), why.clone()));
                    shall_be_in
                }
            };
            if *is_in != Some(shall_be_in) {
                verdict.changes.push((name.clone(), shall_be_in));
            }
        }
        verdict
    }
}

/// What is done while it is not known what they should answer: nobody who is new is kept out.
#[must_use]
pub fn unjudged(pods: &[AskedPod]) -> Verdict {
    let new = pods.iter().filter(|pod| pod.is_in.is_none());
    Verdict { changes: new.map(|pod| (pod.name.clone(), true)).collect(), ..Verdict::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, is_in: Option<bool>, is_right: bool) -> AskedPod {
        let wrong = (!is_right).then(|| "answers 6 and not 7".to_owned());
        AskedPod { name: name.to_owned(), is_in, wrong }
    }

    fn changes(verdict: &Verdict) -> Vec<(&str, bool)> {
        verdict.changes.iter().map(|(name, is_in)| (name.as_str(), *is_in)).collect()
    }

    #[test]
    fn a_pod_is_taken_out_when_it_is_wrong_twice_and_let_in_when_it_is_right_again() {
        let mut canary = Canary::default();
        let wrong = [pod("a", Some(true), true), pod("b", Some(true), false)];
        let first = canary.judge(&wrong);
        assert!(changes(&first).is_empty() && first.wrong.len() == 1, "{first:?}");
        let second = canary.judge(&wrong);
        assert_eq!((changes(&second), second.out.len(), second.right), (vec![("b", false)], 1, 1));
        let stays = canary.judge(&[pod("a", Some(true), true), pod("b", Some(false), false)]);
        assert!(changes(&stays).is_empty() && stays.out.len() == 1);
        let back = canary.judge(&[pod("a", Some(true), true), pod("b", Some(false), true)]);
        assert_eq!((changes(&back), back.right), (vec![("b", true)], 2));
    }

    #[test]
    fn a_new_pod_comes_in_when_it_is_right_so_that_a_rollout_stops_at_a_bad_one() {
        let mut canary = Canary::default();
        let verdict = canary.judge(&[pod("old", Some(true), true), pod("new", None, false)]);
        assert_eq!(changes(&verdict), [("new", false)]);
        let verdict = canary.judge(&[pod("old", Some(true), true), pod("new", Some(false), true)]);
        assert_eq!(changes(&verdict), [("new", true)]);
    }

    #[test]
    fn where_all_are_wrong_none_is_taken_out_and_those_that_were_come_back() {
        let mut canary = Canary::default();
        for _ in 0..3 {
            let verdict = canary.judge(&[pod("a", Some(true), false), pod("b", Some(false), false)]);
            assert_eq!(changes(&verdict), [("b", true)]);
            assert_eq!((verdict.wrong.len(), verdict.out.len()), (2, 0));
        }
    }

    #[test]
    fn the_last_one_that_is_right_decides_also_when_it_is_out() {
        let mut canary = Canary::default();
        let pods = [pod("a", Some(true), false), pod("b", Some(false), true)];
        canary.judge(&pods);
        let mut changed =
            changes(&canary.judge(&pods)).into_iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        changed.sort();
        assert_eq!(changed, ["a", "b"]);
    }

    #[test]
    fn nobody_is_kept_out_while_nobody_knows_the_answer() {
        let pods = [pod("a", None, false), pod("b", Some(false), false), pod("c", Some(true), false)];
        assert_eq!(changes(&unjudged(&pods)), [("a", true)]);
    }
}
