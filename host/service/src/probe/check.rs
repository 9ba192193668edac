//! Asks one DNS server all that is expected of a name.

use openmcp_dns_core::expectation::{Answer, Expectation, Verdict};

use super::ask::{Asker, wire_type};

/// Asks every question once; gives the first answer that is not as expected.
pub(super) async fn check(asker: &Asker, expectation: &Expectation) -> (Verdict, Answer) {
    let mut last = (Verdict::Match, Answer::NoData);
    for record_type in expectation.questions() {
        let answer = asker.ask_through(expectation.name.as_str(), wire_type(record_type)).await;
        let verdict = expectation.judge(record_type, &answer);
        if verdict != Verdict::Match {
            return (verdict, answer);
        }
        last = (verdict, answer);
    }
    last
}
