//! Which domain belongs to a cluster.

use alloc::format;
use alloc::string::String;

use crate::bindings::exports::openmcp::dns_policy::policy::Cluster;
use crate::configuration::check_labels;

/// Checks that a template is one, and that what it makes lies in the base domain.
pub fn check_template(template: &str) -> Result<(), String> {
    if template != "{base}" && !template.ends_with(".{base}") {
        return Err(format!(
            "domainTemplate: '{template}' is not '{{base}}' and does not end with '.{{base}}'"
        ));
    }
    let labels = template.strip_suffix("{base}").unwrap_or_default();
    if labels.contains("{base}") {
        return Err(format!("domainTemplate: '{template}' has {{base}} twice"));
    }
    // Cluster `a-b` in namespace `c` and cluster `a` in namespace `b-c` would get one domain.
    if labels.split('.').any(|label| label.matches('{').count() > 1) {
        return Err(format!(
            "domainTemplate: '{template}' has two placeholders in one label, join them by a dot"
        ));
    }
    let example = fill(template, |placeholder| match placeholder {
        "cluster" | "namespace" | "base" => Ok("x"),
        _ => Err(format!(
            "domainTemplate: {{{placeholder}}} is none of {{cluster}}, {{namespace}} and {{base}}"
        )),
    })?;
    check_labels("domainTemplate", &example)
}

/// Makes a cluster's domain of the template.
pub fn render(template: &str, base: &str, cluster: &Cluster) -> Result<String, String> {
    check_template(template)?;
    let domain = fill(template, |placeholder| match placeholder {
        "cluster" => cluster_label(&cluster.name),
        "namespace" => Ok(&cluster.namespace),
        _ => Ok(base),
    })?;
    // A prefix in the template can make a label too long that was fine as a name.
    check_labels("domain", &domain).map(|()| domain)
}

/// A cluster's name must be one label: with dots, cluster `b.a` would publish inside the domain of
/// cluster `a`.
fn cluster_label(name: &str) -> Result<&str, String> {
    if name.contains('.') {
        return Err(format!("cluster name '{name}' contains a dot, so it cannot be one label of a domain"));
    }
    Ok(name)
}

fn fill<'a>(template: &str, value: impl Fn(&str) -> Result<&'a str, String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((literal, tail)) = rest.split_once('{') {
        let Some((placeholder, tail)) = tail.split_once('}') else {
            return Err(format!("domainTemplate: '{template}' has a {{ without its }}"));
        };
        filled.push_str(literal);
        filled.push_str(value(placeholder)?);
        rest = tail;
    }
    filled.push_str(rest);
    Ok(filled)
}
