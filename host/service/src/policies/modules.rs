//! Which module of a policy decides, which one only watches, and which one could come back.

use super::module::Choice;
use openmcp_dns_api::dns_policy::Mode;

/// The modules of one policy. The active and the previous one are never of the same choice, and with mode
/// `Enforce` there is no candidate.
#[derive(Clone, Debug)]
pub(super) struct Modules<M> {
    /// It decides.
    pub(super) active: Option<M>,
    /// It decided before.
    pub(super) previous: Option<M>,
    /// It is compared with the active one.
    pub(super) candidate: Option<M>,
}

impl<M> Default for Modules<M> {
    fn default() -> Self {
        Self { active: None, previous: None, candidate: None }
    }
}

impl<M: AsRef<Choice>> Modules<M> {
    /// The spec says something else than before; gives whether another module decides now.
    pub(super) fn chosen(&mut self, mode: Mode, chosen: &Choice) -> bool {
        self.candidate.take_if(|candidate| mode.enforces() || candidate.as_ref() != chosen);
        let rolls_back = mode == Mode::Rollback && self.decides(chosen) && self.previous.is_some();
        if rolls_back {
            self.candidate = std::mem::replace(&mut self.active, self.previous.take());
        }
        rolls_back
    }

    /// Whether the module that was chosen is the one that decides.
    pub(super) fn decides(&self, chosen: &Choice) -> bool {
        self.active.as_ref().is_some_and(|active| active.as_ref() == chosen)
    }

    /// The module in the spec has been admitted.
    pub(super) fn admitted(&mut self, mode: Mode, module: M) {
        if !mode.enforces() {
            self.candidate = Some(module);
            return;
        }
        self.candidate = None;
        let is_same = self.decides(module.as_ref());
        let old = self.active.replace(module);
        if !is_same {
            self.previous = old;
        }
    }

    /// A module that was remembered has been admitted again, while `chosen` is in the spec.
    pub(super) fn restored(&mut self, mode: Mode, chosen: &Choice, module: M) {
        let is_rollback = mode == Mode::Rollback && self.decides(chosen) && module.as_ref() != chosen;
        if self.active.is_none() || is_rollback {
            self.active = Some(module);
        } else if self.previous.is_none() && !self.decides(module.as_ref()) {
            self.previous = Some(module);
        }
    }
}

#[cfg(test)]
mod tests {
    use openmcp_dns_api::dns_policy::ModuleSource;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Named(Choice);

    impl AsRef<Choice> for Named {
        fn as_ref(&self) -> &Choice {
            &self.0
        }
    }

    /// Modules that differ in their configuration.
    fn module(name: &str) -> Named {
        Named(Choice { source: ModuleSource::default(), configuration: name.to_owned(), guards: Vec::new() })
    }

    fn shown(modules: &Modules<Named>) -> [&str; 3] {
        let name = |module: &Option<Named>| {
            module.as_ref().map_or("-", |module| match &*module.0.configuration {
                "a" => "a",
                "b" => "b",
                _ => "c",
            })
        };
        [name(&modules.active), name(&modules.previous), name(&modules.candidate)]
    }

    fn enforcing(names: &[&str]) -> Modules<Named> {
        let mut modules = Modules::default();
        for name in names {
            modules.chosen(Mode::Enforce, &module(name).0);
            modules.admitted(Mode::Enforce, module(name));
        }
        modules
    }

    #[test]
    fn an_enforced_module_leaves_the_one_before_it_to_come_back() {
        assert_eq!(shown(&enforcing(&["a", "b"])), ["b", "a", "-"]);
        // Loaded once more, it is not its own predecessor.
        assert_eq!(shown(&enforcing(&["a", "b", "b"])), ["b", "a", "-"]);
    }

    #[test]
    fn a_monitored_module_decides_nothing_until_it_is_enforced() {
        let mut modules = enforcing(&["a"]);
        assert!(!modules.chosen(Mode::Monitor, &module("b").0));
        modules.admitted(Mode::Monitor, module("b"));
        assert_eq!(shown(&modules), ["a", "-", "b"]);
        modules.chosen(Mode::Enforce, &module("b").0);
        modules.admitted(Mode::Enforce, module("b"));
        assert_eq!(shown(&modules), ["b", "a", "-"]);
    }

    #[test]
    fn monitoring_takes_no_module_away() {
        let mut modules = enforcing(&["a", "b"]);
        assert!(!modules.chosen(Mode::Monitor, &module("b").0));
        modules.admitted(Mode::Monitor, module("b"));
        assert_eq!(shown(&modules), ["b", "a", "b"]);
    }

    #[test]
    fn a_rollback_brings_the_module_before_back_once() {
        let mut modules = enforcing(&["a", "b"]);
        assert!(modules.chosen(Mode::Rollback, &module("b").0));
        assert_eq!(shown(&modules), ["a", "-", "b"]);
        modules.admitted(Mode::Rollback, module("b"));
        assert_eq!(shown(&modules), ["a", "-", "b"]);
        // Nothing is left to come back, so what the spec names next changes nothing.
        assert!(!modules.chosen(Mode::Rollback, &module("a").0));
        assert_eq!(shown(&modules), ["a", "-", "-"]);
    }

    #[test]
    fn a_remembered_module_decides_after_a_restart_where_the_spec_has_none_that_may() {
        let mut modules = Modules::default();
        modules.admitted(Mode::Monitor, module("b"));
        modules.restored(Mode::Monitor, &module("b").0, module("a"));
        assert_eq!(shown(&modules), ["a", "-", "b"]);
        // The spec's own was faster: the other one can come back.
        let mut modules = enforcing(&["b"]);
        modules.restored(Mode::Enforce, &module("b").0, module("a"));
        assert_eq!(shown(&modules), ["b", "a", "-"]);
        // Or it was loaded to come back.
        modules.previous = None;
        modules.restored(Mode::Rollback, &module("b").0, module("a"));
        assert_eq!(shown(&modules), ["a", "-", "-"]);
    }
}
