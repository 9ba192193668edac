//! Registries that misbehave.

use std::time::Instant;

use openmcp_dns_tests::conditions::wait_object;
use openmcp_dns_tests::faults::{Content, Fault};
use openmcp_dns_tests::manifests::POLICY;
use serde_json::json;

use crate::modules::{digest, marked};
use crate::world::{SOON, World};

pub(crate) async fn trouble_that_passes_is_told_and_then_over(world: &World) -> anyhow::Result<()> {
    let before = world.active().await?;
    for (fault, mark, reason, expected) in [
        (Fault::Status(500), "status", "ModuleUnavailable", "answers 500"),
        (Fault::Status(429), "often", "ModuleUnavailable", "too often"),
        (Fault::Truncated, "truncated", "ModuleUnavailable", "broke off"),
        (Fault::WrongByte, "wrong byte", "ModuleDigestMismatch", "instead of sha256:"),
    ] {
        let name = format!("faulty/{}:1", mark.replace(' ', "-"));
        let sha256 = world.push_bytes(&marked(mark)?, &name)?;
        world.faults.set(fault.clone());
        world.set(&world.faulty(&name, &sha256)).await?;
        let message = world.wait_inactive(reason).await?;
        assert!(message.contains(expected), "{fault:?}: {message}");
        assert_eq!(world.active().await?, before, "{fault:?}");
        world.faults.set(Fault::None);
        // By itself: nobody touches the policy.
        world.wait_active(&sha256).await?;
        world.reset().await?;
    }
    Ok(())
}

pub(crate) async fn a_slow_registry_is_waited_for(world: &World) -> anyhow::Result<()> {
    let sha256 = world.push_bytes(&marked("slow")?, "faulty/slow:1")?;
    world.faults.set(Fault::Slow);
    world.set(&world.faulty("faulty/slow:1", &sha256)).await?;
    world.wait_active(&sha256).await?;
    world.faults.set(Fault::None);
    world.reset().await
}

pub(crate) async fn a_module_without_an_end_is_not_read_to_it(world: &World) -> anyhow::Result<()> {
    let sha256 = world.push_bytes(&marked("endless")?, "faulty/endless:1")?;
    world.faults.set(Fault::Endless);
    world.set(&world.faulty("faulty/endless:1", &sha256)).await?;
    let message = world.wait_inactive("ModuleTooLarge").await?;
    assert!(message.contains("more than 2097152 bytes"), "{message}");
    world.faults.set(Fault::None);
    world.reset().await
}

pub(crate) async fn a_silent_registry_holds_up_nothing(world: &World) -> anyhow::Result<()> {
    let sha256 = world.push_bytes(&marked("silent")?, "faulty/silent:1")?;
    world.faults.set(Fault::Silent);
    world.set(&world.faulty("faulty/silent:1", &sha256)).await?;
    openmcp_dns_tests::wait::wait_until("the module is asked for", SOON, async || {
        let heads = world.faults.heads();
        let asked = heads.iter().any(|head| head.starts_with("GET /v2/faulty/silent/blobs/"));
        Ok(if asked { Ok(()) } else { Err(format!("{} requests", heads.len())) })
    })
    .await?;
    // Another source is used at once, long before the silence is given up on.
    let started = Instant::now();
    world.reset().await?;
    assert!(started.elapsed().as_secs() < 15, "it took {:?}", started.elapsed());
    world.faults.set(Fault::None);
    Ok(())
}

pub(crate) async fn credentials_do_not_follow_a_redirect(world: &World) -> anyhow::Result<()> {
    let module = marked("redirect")?;
    let sha256 = world.push_bytes(&module, "faulty/redirect:1")?;
    world.elsewhere.serve(Content::Bytes(module.clone()));
    world.faults.set(Fault::Elsewhere(format!("http://{}/storage?signature=abc", world.elsewhere.address)));
    world.set(&world.faulty("faulty/redirect:1", &sha256)).await?;
    world.wait_active(&sha256).await?;
    let heads = world.elsewhere.heads();
    assert!(heads.iter().any(|head| head.starts_with("GET /storage?signature=abc")), "{heads:?}");
    let told = |heads: &[String]| heads.iter().any(|head| head.to_lowercase().contains("authorization:"));
    assert!(!told(&heads), "{heads:?}");
    assert!(told(&world.faults.heads()), "the registry was told nothing");

    // Other bytes than the manifest names are refused, wherever they come from; and a host that is
    // not listed is not asked over plain http.
    world.reset().await?;
    let other = world.push_bytes(&marked("redirect 2")?, "faulty/redirect:2")?;
    world.set(&world.faulty("faulty/redirect:2", &other)).await?;
    let message = world.wait_inactive("ModuleDigestMismatch").await?;
    assert!(message.contains(&digest(&module)) && !message.contains("signature"), "{message}");
    world.faults.set(Fault::Elsewhere(format!("http://{}/x", world.plain.address)));
    let third = world.push_bytes(&marked("redirect 3")?, "faulty/redirect:3")?;
    world.set(&world.faulty("faulty/redirect:3", &third)).await?;
    let message = world.wait_inactive("ModuleUnavailable").await?;
    assert!(message.contains("redirect to plain http"), "{message}");
    world.faults.set(Fault::None);
    world.reset().await
}

pub(crate) async fn a_restart_needs_no_registry(world: &mut World) -> anyhow::Result<()> {
    let sha256 = world.push_bytes(&marked("kept")?, "faulty/kept:1")?;
    world.set(&world.faulty("faulty/kept:1", &sha256)).await?;
    world.wait_active(&sha256).await?;
    world.wait_kept(&sha256).await?;
    world.faults.set(Fault::Status(503));
    world.stop_service();
    // What is said from now on, the new process has found. (It knows from the status which module has decided.)
    POLICY.merge_status(&world.client(), &json!({ "conditions": null })).await?;
    world.run_service(&[])?;
    wait_object(&world.client(), POLICY, "the module that was kept decides", SOON, |object| {
        let status = &object["status"];
        let ready = status["conditions"].as_array()?.iter().find(|condition| condition["type"] == "Ready")?;
        (status["module"]["activeDigest"] == sha256 && ready["status"] == "True").then_some(())
    })
    .await?;
    world.faults.set(Fault::None);
    world.reset().await
}
