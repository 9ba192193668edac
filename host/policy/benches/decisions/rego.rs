//! The rules in Rego. The configuration is data, read once; the question is parsed before it is asked.

use regorus::{Engine, Value};
use serde_json::json;

use crate::cases::{Case, DOMAIN, RULES};

/// The rules with the questions that are asked.
pub(crate) struct Rules {
    engine: Engine,
    questions: Vec<Value>,
}

impl Rules {
    pub(crate) fn new(cases: &[Case]) -> Self {
        let mut configuration: serde_json::Value = serde_json::from_str(RULES).unwrap();
        // Rego has no ranges of characters without a regular expression.
        let letters: String = ('a'..='z').chain('0'..='9').collect();
        configuration["rules"][2]["allowedCharacters"] = letters.into();
        let mut engine = Engine::new();
        engine.add_policy("rules.rego".to_owned(), include_str!("rules.rego").to_owned()).unwrap();
        engine.add_data_json(&json!({ "configuration": configuration }).to_string()).unwrap();
        Self { engine, questions: cases.iter().map(question).collect() }
    }

    pub(crate) fn verdict(&mut self, case: usize) -> String {
        self.engine.set_input(self.questions[case].clone());
        let verdict = self.engine.eval_rule("data.dns.verdict".to_owned()).unwrap();
        verdict.as_string().unwrap().to_string()
    }
}

fn question(case: &Case) -> Value {
    let Case { context, claim } = case;
    let question = json!({
        "domain": DOMAIN,
        "purposes": context.cluster.purposes,
        "sharedNames": context.shared_names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "hostName": claim.host_name.as_str(),
        "kind": claim.source.kind.as_str(),
        "namespace": claim.source.namespace,
        "targets": claim.targets,
    });
    Value::from_json_str(&question.to_string()).unwrap()
}
