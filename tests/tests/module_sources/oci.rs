//! Modules in registries.

use openmcp_dns_tests::kinds::apply;
use openmcp_dns_tests::manifests::CLUSTERS;
use openmcp_dns_tests::programs::repository;
use openmcp_dns_tests::registry::{PASSWORD, docker_config};
use serde_json::json;

use crate::modules::{deny_prefix, marked};
use crate::world::World;

pub(crate) async fn a_module_is_swapped_in_from_a_registry_and_back(world: &World) -> anyhow::Result<()> {
    let sha256 = world.push_bytes(&deny_prefix()?, "swap/module:1")?;
    // The certificate of the authority in a ConfigMap this time.
    let pem = std::fs::read_to_string(&world.guarded.authority)?;
    let authority = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "registry-ca", "namespace": CLUSTERS },
        "data": { "ca.crt": pem },
    });
    apply(&world.client(), &authority).await?;
    let mut source = world.oci("swap/module:1", &sha256)?;
    source["oci"]["ca"] = json!({ "configMap": { "namespace": CLUSTERS, "name": "registry-ca" } });
    world.set(&source).await?;
    let status = world.wait_active(&sha256).await?;
    let module = &status["module"];
    let text = |field: &str| module[field].as_str().unwrap_or_default();
    let reference = format!("{}/swap/module:1@sha256:", world.guarded.address);
    assert!(text("resolvedReference").starts_with(&reference), "{module}");
    assert!(text("description").starts_with("deny-prefix"), "{module}");
    assert_eq!(text("lastFetchedDigest"), sha256);
    assert!(text("lastDownloadTime").ends_with('Z') && text("lastActivationTime").ends_with('Z'), "{module}");
    world.reset().await
}

pub(crate) async fn a_digest_pins_the_module_and_needs_no_registry_to_go_back_to(
    world: &World,
) -> anyhow::Result<()> {
    let module = marked("pinned")?;
    let file = world.file("pinned.wasm", &module)?;
    let printed = world.push(&file, "pinned/module:1")?;
    let manifest = printed.split('@').nth(1).and_then(|rest| rest.split_whitespace().next());
    let name = format!("pinned/module@{}", manifest.unwrap_or_default());
    let sha256 = crate::modules::digest(&module);
    // sha256 is not needed: the digest of the manifest leads to that of the module.
    let mut source = world.faulty(&name, &sha256);
    source["sha256"] = json!(null);
    world.set(&source).await?;
    world.wait_active(&sha256).await?;
    world.reset().await?;
    let asked = world.faults.heads().len();
    world.set(&source).await?;
    world.wait_active(&sha256).await?;
    assert_eq!(world.faults.heads().len(), asked, "the registry was asked for what is in memory");
    // With Always it is asked, although nothing new can come of it.
    source["oci"]["pullPolicy"] = json!("Always");
    world.set(&source).await?;
    world.wait_active(&sha256).await?;
    assert!(world.faults.heads().len() > asked);
    world.reset().await
}

pub(crate) async fn another_module_than_sha256_says_is_refused(world: &World) -> anyhow::Result<()> {
    let before = world.active().await?;
    let found = world.push_bytes(&marked("wrong sha256")?, "wrong/module:1")?;
    let expected = "0".repeat(64);
    world.set(&world.oci("wrong/module:1", &expected)?).await?;
    let message = world.wait_inactive("ModuleDigestMismatch").await?;
    for part in [&found, &expected, &before, "goes on deciding"] {
        assert!(message.contains(part), "{part} is missing: {message}");
    }
    assert_eq!(world.active().await?, before);
    world.reset().await
}

pub(crate) async fn a_pull_secret_that_is_missing_or_wrong_is_reported_until_it_is_right(
    world: &World,
) -> anyhow::Result<()> {
    let sha256 = world.push_bytes(&marked("pull secret")?, "secret/module:1")?;
    let mut source = world.oci("secret/module:1", &sha256)?;
    source["oci"]["pullSecret"] = json!(null);
    world.set(&source).await?;
    let message = world.wait_inactive("ModuleUnavailable").await?;
    assert!(message.contains("wants credentials") && message.contains("pullSecret"), "{message}");

    source["oci"]["pullSecret"] = json!({ "namespace": CLUSTERS, "name": "later" });
    world.set(&source).await?;
    wait_message(world, &["Secret openmcp-clusters/later", "does not exist"]).await?;
    world.put_secret("later", &docker_config(world.plain.address, PASSWORD)).await?;
    let guarded = world.guarded.address.to_string();
    wait_message(world, &["has no entry for", &guarded]).await?;
    world.put_secret("later", &docker_config(world.guarded.address, "a wrong password")).await?;
    let message = wait_message(world, &["401", "credentials"]).await?;
    assert!(!message.contains("a wrong password"), "{message}");
    // Base64 of something without a colon.
    let broken = json!({ "auths": { guarded: { "auth": "c2VjcmV0" } } });
    world.put_secret("later", &broken.to_string()).await?;
    let message = wait_message(world, &["Secret openmcp-clusters/later cannot be used"]).await?;
    assert!(!message.contains("c2Vj"), "{message}");

    world.put_secret("later", &docker_config(world.guarded.address, PASSWORD)).await?;
    let status = world.wait_active(&sha256).await?;
    assert!(status["module"]["lastErrorTime"].is_string() && status["module"]["lastError"] == "");
    world.reset().await
}

async fn wait_message(world: &World, parts: &[&str]) -> anyhow::Result<String> {
    use openmcp_dns_tests::conditions::wait_object;
    use openmcp_dns_tests::manifests::POLICY;
    let what = format!("its module is not active: {parts:?}");
    wait_object(&world.client(), POLICY, &what, 2 * crate::world::SOON, |object| {
        let conditions = object["status"]["conditions"].as_array()?;
        let condition = conditions.iter().find(|condition| condition["type"] == "ModuleActive")?;
        let message = condition["message"].as_str()?;
        let is_it =
            condition["reason"] == "ModuleUnavailable" && parts.iter().all(|part| message.contains(part));
        is_it.then(|| message.to_owned())
    })
    .await
}

pub(crate) async fn a_moved_tag_is_noticed_and_the_old_module_decides(world: &World) -> anyhow::Result<()> {
    let (first, second) = (marked("first")?, marked("second")?);
    let sha256 = world.push_bytes(&first, "moved/module:latest")?;
    world.set(&world.oci("moved/module:latest", &sha256)?).await?;
    world.wait_active(&sha256).await?;

    let other = world.push_bytes(&second, "moved/module:latest")?;
    let message = world.wait_inactive("ModuleDigestMismatch").await?;
    for part in ["moved/module:latest", "sha256:", &other, &sha256] {
        assert!(message.contains(part), "{part} is missing: {message}");
    }
    assert_eq!(world.active().await?, sha256);

    // It moves back.
    world.push_bytes(&first, "moved/module:latest")?;
    world.wait_active(&sha256).await?;
    world.reset().await
}

/// As the README of the policies says: with the limits of which the command line and the condition speak.
pub(crate) async fn a_module_in_python_takes_raised_limits(world: &mut World) -> anyhow::Result<()> {
    let file = repository("policies/name-pattern/name-pattern.wasm");
    let Ok(module) = std::fs::read(&file) else {
        println!("skipped: {} is not built; the tests of policies/builder do that", file.display());
        return Ok(());
    };
    let sha256 = world.push_bytes(&module, "large/module:1")?;
    world.set(&world.oci("large/module:1", &sha256)?).await?;
    let message = world.wait_inactive("ModuleTooLarge").await?;
    assert!(message.contains("2097152 bytes"), "{message}");
    world.run_service(&[
        "--policy-module-bytes=33554432",
        "--policy-function-bytes=1048576",
        "--policy-compile-work=10000000",
    ])?;
    world.wait_active(&sha256).await?;
    world.run_service(&[])?;
    world.wait_inactive("ModuleTooLarge").await?;
    world.reset().await
}

pub(crate) async fn plain_http_takes_a_host_that_the_operator_listed(world: &World) -> anyhow::Result<()> {
    let sha256 = world.push_bytes(&marked("plain")?, "plain/module:1")?;
    let mut source = world.faulty("plain/module:1", &sha256);
    source["oci"]["reference"] = json!(format!("{}/plain/module:1", world.plain.address));
    source["oci"]["pullSecret"] = json!(null);
    world.set(&source).await?;
    let message = world.wait_inactive("ModuleRejected").await?;
    let listed = format!("--insecure-registry {}", world.plain.address);
    assert!(message.contains(&listed), "{message}");
    world.set(&world.faulty("plain/module:1", &sha256)).await?;
    world.wait_active(&sha256).await?;
    world.reset().await
}
