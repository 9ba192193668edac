//! The standard module, as the service loads it.

use openmcp_dns_policy::{Engine, Limits, STANDARD};

#[test]
fn the_embedded_module_loads_with_an_empty_configuration() {
    let module = Engine::new(Limits::default()).unwrap().load(STANDARD, "{}").unwrap();
    assert_eq!(module.description().name, "standard");
}
