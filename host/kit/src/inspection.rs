//! What a module is, and whether the service would use it.

use openmcp_dns_policy::{Engine, Limits, LoadError, Module, Survey};

/// What was found out about the bytes of a module.
#[derive(Debug)]
pub struct Inspection {
    /// How many they are.
    pub bytes: usize,
    /// Their SHA-256 as 64 hexadecimal digits.
    pub digest: String,
    /// What can be seen without running anything.
    pub survey: Result<Survey, LoadError>,
    /// The module as the service would use it, or why it would not.
    pub admitted: Result<Module, LoadError>,
}

impl Inspection {
    /// Looks at a module, and has it admitted with a configuration (JSON text).
    #[must_use]
    pub fn of(module: &[u8], engine: &Engine, configuration: &str) -> Self {
        let survey = Survey::of(module);
        let digest = match &survey {
            Ok(survey) => survey.digest.clone(),
            Err(_) => openmcp_dns_policy::digest(module),
        };
        Self { bytes: module.len(), digest, survey, admitted: engine.load(module, configuration) }
    }

    /// Whether the service takes the module only when its limits are raised from these.
    #[must_use]
    pub fn needs_raised(&self, limits: &Limits) -> bool {
        self.survey.as_ref().is_ok_and(|survey| !survey.beyond(limits).is_empty())
    }
}
