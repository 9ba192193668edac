//! The main job on real servers: a route on one cluster resolves from another, and everything that
//! may go wrong on the way is reported where somebody looks, while the rest goes on.
//!
//! One landscape serves all steps, in the order below; each step leaves all conditions True behind.

mod cluster_dns;
mod decisions;
mod deletion;
mod diff;
mod evacuate;
mod explain;
mod kinds;
mod kube_api;
mod metrics;
mod monitor;
mod names;
mod open_reports;
mod policy;
mod restart;
mod route_status;
mod status;
mod store;
mod trouble;

use std::time::Duration;

use openmcp_dns_tests::conditions::{wait_all_good, wait_condition};
use openmcp_dns_tests::kinds::apply;
use openmcp_dns_tests::landscape::Landscape;
use openmcp_dns_tests::manifests::{self, POLICY, accept, gateway, give_addresses};
use openmcp_dns_tests::service::Service;
use openmcp_dns_tests::steps::Steps;
use serde_json::Value;

/// For everything that takes milliseconds unless the machine is busy.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// For answers of a cluster's CoreDNS, which keeps an old one for up to 30 seconds, and for what the
/// service looks at again only every so often.
pub(crate) const LATER: Duration = Duration::from_secs(90);

/// The host name of the example.
pub(crate) const SEED: &str = "svc-abc123.workload01.openmcp.cluster";

/// The landscape with the service.
pub(crate) struct World {
    pub(crate) landscape: Landscape,
    pub(crate) service: Service,
}

impl World {
    pub(crate) fn platform(&self) -> kube::Client {
        self.landscape.platform.client()
    }

    /// Waits until all is well with every cluster, and gives what each ClusterDNS says.
    pub(crate) async fn wait_all_good(&self) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        for cluster in self.landscape.clusters() {
            all.push(wait_all_good(&self.platform(), cluster.name, LATER).await?);
        }
        Ok(all)
    }

    /// Creates a route on workload01 that its Gateway accepts.
    pub(crate) async fn publish(&self, route: &str, host_names: &[&str]) -> anyhow::Result<()> {
        let client = self.landscape.workload01.client();
        apply(&client, &manifests::route(route, host_names)).await?;
        accept(&client, route).await
    }

    /// Everything that the store holds, with revisions.
    pub(crate) async fn stored(
        &self,
    ) -> anyhow::Result<std::collections::BTreeMap<String, openmcp_dns_tests::etcd::Stored>> {
        self.landscape.store.below("/skydns/").await
    }
}

/// The service takes over a landscape: it says so by conditions, annotations and the finalizer.
async fn the_service_takes_the_landscape_over(world: &World) -> anyhow::Result<()> {
    wait_condition(&world.platform(), POLICY, "Ready", "True", "Succeeded", LATER).await?;
    world.wait_all_good().await?;
    for cluster in world.landscape.clusters() {
        let reference = manifests::cluster_reference(cluster.name);
        let object = reference.get(&world.platform()).await?.unwrap_or_default();
        let domain = &object["metadata"]["annotations"]["dns.openmcp.cloud/base-domain"];
        assert_eq!(*domain, format!("{}.openmcp.cluster", cluster.name));
        let finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        assert!(finalizers.contains(&Value::from("platformservice.openmcp.cloud/dns")), "{finalizers:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_on_one_cluster_resolves_from_another() {
    let landscape = Landscape::start().await.unwrap();
    landscape.install().await.unwrap();
    for (cluster, address) in
        [(&landscape.workload01, "172.18.201.1"), (&landscape.workload02, "172.18.202.1")]
    {
        apply(&cluster.client(), &gateway()).await.unwrap();
        give_addresses(&cluster.client(), &[address]).await.unwrap();
    }
    apply(&landscape.platform.client(), &manifests::dns_policy()).await.unwrap();
    let mut steps = Steps::new(landscape.logs());
    let log = decisions::log(&landscape).display().to_string();
    let service =
        Service::start_with(&landscape, "openmcp-dns", &["--decision-log".to_owned(), log]).unwrap();
    let mut world = World { landscape, service };

    macro_rules! step {
        // It leaves behind what others look at.
        (always $step:expr) => {
            step!(@always, $step);
        };
        (@$how:ident, $step:expr) => {
            // On the heap: unoptimised, all steps beside each other are too much for a stack.
            steps.$how(stringify!($step).split('(').next().unwrap_or_default(), Box::pin($step)).await;
            // A step that failed half way may have left it stopped.
            world.service.resume().unwrap();
        };
        ($step:expr) => {
            step!(@run, $step);
        };
    }
    step!(always the_service_takes_the_landscape_over(&world));
    step!(cluster_dns::nothing_but_our_block_is_new_in_the_corefile(&world));
    step!(always names::the_example_resolves_on_every_cluster(&world));
    if steps.all_good() {
        step!(kube_api::it_passes_the_battery_that_the_one_in_memory_passes(&world));
        step!(always names::a_changed_address_is_followed(&world));
        step!(names::a_second_host_name_of_a_route_resolves(&world));
        step!(always names::an_ingress_resolves(&world));
        step!(names::the_port_of_a_listener_is_looked_up_where_the_policy_wants_it(&world));
        step!(names::an_address_leads_back_to_its_host_name_where_the_policy_lists_its_network(&world));
        step!(names::a_deleted_route_no_longer_resolves(&world));
        step!(kinds::routes_of_every_kind_resolve_and_no_longer_when_they_are_gone(&world));
        step!(kinds::listeners_claim_their_host_names_where_an_annotation_wants_it(&world));
        step!(kinds::services_resolve_at_their_load_balancers_or_pods(&world));
        step!(kinds::a_kind_is_read_from_when_its_crd_comes_until_it_goes(&world));
        step!(kinds::a_kind_whose_stable_version_goes_is_read_in_another_one(&world));
        step!(metrics::the_service_says_that_it_lives_and_what_its_policy_does(&world));
        step!(diff::a_diff_shows_which_names_another_module_would_change(&world));
        step!(diff::a_diff_names_the_cluster_that_it_could_not_reach(&world));
        step!(route_status::a_route_says_what_has_become_of_its_name_and_others_keep_their_entries(&world));
        step!(open_reports::what_is_denied_stands_in_a_report_once_the_crd_is_there_until_it_is_not_wanted(
            &world
        ));
        step!(explain::the_whole_way_of_a_name_is_explained(&world));
        step!(status::status_says_whether_all_is_well_and_what_is_not(&world));
        step!(policy::a_name_of_another_cluster_is_denied(&world));
        step!(policy::a_module_that_is_none_is_refused_and_the_old_one_decides(&world));
        step!(policy::the_module_is_swapped_without_a_restart(&mut world));
        step!(policy::a_configuration_that_is_taken_away_is_gone_from_the_status_too(&world));
        step!(monitor::a_module_is_monitored_enforced_and_taken_back_by_one_field(&mut world));
        step!(monitor::a_swap_that_would_withdraw_many_names_is_held_until_it_is_confirmed(&world));
        step!(policy::a_guard_denies_what_the_module_allows_and_is_named(&world));
        step!(decisions::what_was_decided_on_a_name_is_told_and_asked_of_another_module(&mut world));
        step!(store::foreign_and_broken_values_are_reported_and_left_alone(&world));
        step!(cluster_dns::a_block_that_somebody_removed_comes_back(&world));
        step!(cluster_dns::a_file_that_the_corefile_imports_is_served(&world));
        step!(cluster_dns::a_corefile_that_is_not_understood_is_left_alone(&world));
        step!(trouble::a_cluster_without_the_gateway_api_says_so_until_it_is_installed(&world));
        step!(trouble::a_kubeconfig_that_is_no_use_is_reported_and_what_is_published_stays(&world));
        step!(trouble::an_unreachable_cluster_keeps_its_records_and_the_others_go_on(&mut world));
        step!(evacuate::a_dead_cluster_leaves_shared_names_to_others_and_comes_back(&mut world));
        step!(trouble::a_frozen_api_server_is_said_to_be_unreachable(&world));
        step!(restart::a_restarted_service_writes_nothing(&mut world));
        step!(restart::what_changed_while_the_service_was_down_is_caught_up_with(&mut world));
        step!(deletion::a_deleted_cluster_is_cleaned_up_and_then_released(&world));
    }
    steps.always("deletion::the_service_ends_cleanly", deletion::the_service_ends_cleanly(&mut world)).await;
    steps.finish();
}
