//! What DNS servers answer for the names of an explanation.

use futures::future::join_all;
use openmcp_dns_core::name::HostName;
use openmcp_dns_kit::explain::{AnswerStep, Explanation};
use openmcp_dns_service::probe::{Asker, wire_type};

use super::super::probe::servers::Asked;

/// Asks each server for each name, and adds the answers.
///
/// # Errors
/// When a server cannot be asked at all. That it does not answer is an answer.
pub(super) async fn ask(explanation: &mut Explanation, servers: &[Asked]) -> anyhow::Result<()> {
    let askers = servers
        .iter()
        .map(|server| Ok((server, Asker::new(server.address)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut answered: Vec<(HostName, Vec<AnswerStep>)> = Vec::new();
    for step in &explanation.names {
        let expectation = &step.expectation;
        let questions = expectation.questions();
        let asking = askers.iter().flat_map(|(server, asker)| {
            questions.iter().map(move |record_type| async move {
                let answer = asker.ask_through(expectation.name.as_str(), wire_type(*record_type)).await;
                let verdict = expectation.judge(*record_type, &answer);
                let (address, cluster) = (server.address.to_string(), server.cluster.clone());
                AnswerStep::new(address, cluster, *record_type, &answer, verdict)
            })
        });
        answered.push((step.name.clone(), join_all(asking).await));
    }
    for (name, answers) in answered {
        explanation.answered(&name, answers);
    }
    Ok(())
}
