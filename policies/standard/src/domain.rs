//! Which domain belongs to a cluster.

use alloc::format;
use alloc::string::String;

use crate::bindings::exports::openmcp::dns_policy::policy::Cluster;
use crate::configuration::MAX_LABEL_BYTES;

/// Checks that a template is one, and that what it makes lies in the base domain.
pub fn check_template(template: &str) -> Result<(), String> {
    if template != "{base}" && !template.ends_with(".{base}") {
        return Err(format!(
            "domainTemplate: '{template}' is not '{{base}}' and does not end with '.{{base}}'"
        ));
    }
    fill(template, |placeholder| match placeholder {
        "cluster" | "namespace" | "base" => Ok("x"),
        _ => Err(format!(
            "domainTemplate: {{{placeholder}}} is none of {{cluster}}, {{namespace}} and {{base}}"
        )),
    })
    .map(|_| ())
}

/// Makes a cluster's domain of the template.
pub fn render(template: &str, base: &str, cluster: &Cluster) -> Result<String, String> {
    check_template(template)?;
    fill(template, |placeholder| match placeholder {
        "cluster" => cluster_label(&cluster.name),
        "namespace" => Ok(&cluster.namespace),
        _ => Ok(base),
    })
}

/// A cluster's name must be one label: with dots, cluster `b.a` would publish inside the domain of
/// cluster `a`.
fn cluster_label(name: &str) -> Result<&str, String> {
    if name.contains('.') {
        return Err(format!("cluster name '{name}' contains a dot, so it cannot be one label of a domain"));
    }
    if name.len() > MAX_LABEL_BYTES {
        return Err(format!(
            "cluster name '{name}' has {} bytes, a label of a domain at most {MAX_LABEL_BYTES}",
            name.len()
        ));
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
