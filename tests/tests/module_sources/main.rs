//! Where policy modules come from, on real servers: `policy push` and `policy pull` with a registry,
//! and a running service whose module is taken from registries, web servers and files, some of which
//! misbehave.
//!
//! One platform cluster with one DNSPolicy serves all steps, in the order below; each step leaves the
//! built-in module active.

mod command_line;
mod faults;
mod modules;
mod oci;
mod others;
mod world;

use openmcp_dns_tests::steps::Steps;

use world::World;

#[tokio::test(flavor = "multi_thread")]
async fn modules_come_from_where_a_policy_says() {
    let mut world = World::start().await.unwrap();
    let mut steps = Steps::new(world.logs());
    macro_rules! step {
        (always $step:expr) => {
            step!(@always, $step);
        };
        (@$how:ident, $step:expr) => {
            // On the heap: unoptimised, all steps beside each other are too much for a stack.
            steps.$how(stringify!($step).split('(').next().unwrap_or_default(), Box::pin($step)).await;
        };
        ($step:expr) => {
            step!(@run, $step);
        };
    }
    step!(command_line::what_is_pushed_is_what_is_pulled(&world));
    step!(command_line::the_same_module_has_the_same_digest(&world));
    step!(command_line::a_refused_push_says_why_and_never_the_password(&world));
    step!(command_line::what_is_no_policy_module_is_not_pushed(&world));
    step!(always world.wait_built_in());
    if steps.all_good() {
        step!(others::a_source_that_is_incomplete_is_refused_by_the_api_server(&world));
        step!(oci::a_module_is_swapped_in_from_a_registry_and_back(&world));
        step!(oci::a_digest_pins_the_module_and_needs_no_registry_to_go_back_to(&world));
        step!(oci::another_module_than_sha256_says_is_refused(&world));
        step!(oci::a_pull_secret_that_is_missing_or_wrong_is_reported_until_it_is_right(&world));
        step!(oci::a_moved_tag_is_noticed_and_the_old_module_decides(&world));
        step!(oci::plain_http_takes_a_host_that_the_operator_listed(&world));
        step!(faults::trouble_that_passes_is_told_and_then_over(&world));
        step!(faults::a_slow_registry_is_waited_for(&world));
        step!(faults::a_module_without_an_end_is_not_read_to_it(&world));
        step!(faults::a_silent_registry_holds_up_nothing(&world));
        step!(faults::credentials_do_not_follow_a_redirect(&world));
        step!(faults::a_restart_needs_no_registry(&mut world));
        step!(others::a_module_comes_over_https_with_its_digest(&world));
        step!(others::what_is_no_component_is_refused_with_a_reason(&world));
        step!(others::a_configuration_that_the_module_refuses_is_told_in_its_words(&world));
        step!(oci::a_module_in_python_takes_raised_limits(&mut world));
        step!(others::a_file_takes_an_operator_who_allows_it(&mut world));
    }
    step!(always world.no_secret_was_written());
    steps.finish();
}
