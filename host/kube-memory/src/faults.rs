//! Trouble on request: what a server does instead of answering.

use std::time::Duration;

use crate::path::Verb;
use crate::refusal::Refusal;
use crate::state::Call;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The connection fails.
    Disconnect,
    /// It is refused with this HTTP status code.
    Refuse(u16),
    /// It is never answered, even when the fault has been healed.
    Hang,
    /// It is answered later.
    Delay(Duration),
}

/// A fault: which requests have trouble, and what trouble. Watches that run already go on; see
/// [`Server::drop_watches`](crate::Server::drop_watches).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    effect: Effect,
    verbs: Vec<Verb>,
    plurals: Vec<String>,
    times: Option<u32>,
}

/// Names a fault that is to be healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultId(u64);

impl Fault {
    /// All requests have this trouble.
    #[must_use]
    pub const fn new(effect: Effect) -> Self {
        Self { effect, verbs: Vec::new(), plurals: Vec::new(), times: None }
    }

    /// Only requests with these verbs.
    #[must_use]
    pub fn verbs(mut self, verbs: impl IntoIterator<Item = Verb>) -> Self {
        self.verbs.extend(verbs);
        self
    }

    /// Only requests for this kind, for example `secrets`, with its subresources; may be called more
    /// than once.
    #[must_use]
    pub fn kind(mut self, plural: &str) -> Self {
        self.plurals.push(plural.to_owned());
        self
    }

    /// Only the next so many requests.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn hits(&self, verb: Verb, plural: &str) -> bool {
        (self.verbs.is_empty() || self.verbs.contains(&verb))
            && (self.plurals.is_empty() || self.plurals.iter().any(|wanted| wanted == plural))
    }
}

/// All faults of a server.
#[derive(Default)]
pub(crate) struct Faults {
    next: u64,
    all: Vec<(FaultId, Fault)>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> FaultId {
        let id = FaultId(self.next);
        self.next += 1;
        self.all.push((id, fault));
        id
    }

    pub(crate) fn heal(&mut self, id: FaultId) {
        self.all.retain(|(there, _)| *there != id);
    }

    pub(crate) fn heal_all(&mut self) {
        self.all.clear();
    }

    /// What happens to a request; the fault that was made first counts.
    pub(crate) fn strike(&mut self, call: &Call) -> Option<Effect> {
        let subject = call.subject();
        let plural = subject.split('/').next().unwrap_or_default();
        let at = self.all.iter().position(|(_, fault)| fault.hits(call.verb, plural))?;
        let fault = &mut self.all[at].1;
        let effect = fault.effect;
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.all.remove(at);
            }
        }
        Some(effect)
    }
}

/// The refusal of a request by a fault.
pub(crate) fn refusal(code: u16, call: &Call) -> Refusal {
    let subject = call.subject();
    let (reason, message) = match code {
        401 => ("Unauthorized", "Unauthorized".to_owned()),
        403 => {
            let verb = call.verb.as_str();
            let message =
                format!("{subject} is forbidden: User \"memory\" cannot {verb} resource \"{subject}\"");
            ("Forbidden", message)
        }
        429 => ("TooManyRequests", "too many requests, please try again later".to_owned()),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request".to_owned()),
        504 => ("Timeout", "the server was unable to return a response in the time allotted".to_owned()),
        _ => ("InternalError", "an error on the server has prevented the request from succeeding".to_owned()),
    };
    Refusal::new(code, reason, message)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn call(method: &Method, path: &str) -> Call {
        Call::parse(method, path, "", "", "").unwrap()
    }

    #[test]
    fn a_fault_strikes_what_it_names_as_often_as_it_says() {
        let mut faults = Faults::default();
        let fault = Fault::new(Effect::Refuse(500)).verbs([Verb::Patch]).kind("things").times(2);
        faults.add(fault);
        let hit = call(&Method::PATCH, "/apis/g/v1/namespaces/a/things/b/status");
        assert_eq!(faults.strike(&call(&Method::GET, "/apis/g/v1/namespaces/a/things/b")), None);
        assert_eq!(faults.strike(&call(&Method::PATCH, "/apis/g/v1/namespaces/a/others/b")), None);
        assert_eq!(faults.strike(&hit), Some(Effect::Refuse(500)));
        assert_eq!(faults.strike(&hit), Some(Effect::Refuse(500)));
        assert_eq!(faults.strike(&hit), None);
    }

    #[test]
    fn a_healed_fault_is_gone_and_others_stay() {
        let mut faults = Faults::default();
        let first = faults.add(Fault::new(Effect::Hang));
        faults.add(Fault::new(Effect::Disconnect));
        let any = call(&Method::GET, "/apis");
        assert_eq!(faults.strike(&any), Some(Effect::Hang));
        faults.heal(first);
        assert_eq!(faults.strike(&any), Some(Effect::Disconnect));
        faults.heal_all();
        assert_eq!(faults.strike(&any), None);
    }
}
