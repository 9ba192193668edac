//! `openmcp-dns policy push` and `policy pull`.

use anyhow::ensure;
use openmcp_dns_tests::registry::{PASSWORD, USER, docker_config};

use crate::modules::{deny_prefix, digest, marked};
use crate::world::World;

pub(crate) async fn what_is_pushed_is_what_is_pulled(world: &World) -> anyhow::Result<()> {
    let module = deny_prefix()?;
    let file = world.file("module.wasm", &module)?;
    let printed = world.push(&file, "team/deny-prefix:1.0.0")?;
    let reference = printed.lines().find_map(|line| line.trim().strip_prefix("reference: "));
    let reference = reference.unwrap_or_default();
    let start = format!("{}/team/deny-prefix:1.0.0@sha256:", world.guarded.address);
    assert!(reference.starts_with(&start), "{printed}");
    assert!(printed.contains(&format!("sha256: {}", digest(&module))), "{printed}");

    // By the digest, with what `docker login` has saved.
    let ca = world.guarded.authority.display().to_string();
    std::fs::create_dir_all(world.logs().join("../docker"))?;
    world.file("docker/config.json", docker_config(world.guarded.address, PASSWORD).as_bytes())?;
    let output = world.policy(&["pull", reference, "--ca", &ca], PASSWORD)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read(world.logs().join("../deny-prefix.wasm"))?, module);
    // The file was there already, and that time it was ours.
    let output = world.policy(&["pull", reference, "--ca", &ca], PASSWORD)?;
    assert!(String::from_utf8_lossy(&output.stderr).contains("--out"));
    std::fs::remove_dir_all(world.logs().join("../docker"))?;
    Ok(())
}

pub(crate) async fn the_same_module_has_the_same_digest(world: &World) -> anyhow::Result<()> {
    let file = world.file("module.wasm", &deny_prefix()?)?;
    let pinned = |printed: &str| printed.split('@').nth(1).map(str::to_owned);
    let first = pinned(&world.push(&file, "same/one:1")?);
    assert!(first.is_some());
    assert_eq!(first, pinned(&world.push(&file, "same/one:1")?));
    assert_eq!(first, pinned(&world.push(&file, "same/other:2")?));
    let other = world.file("other.wasm", &marked("other")?)?;
    assert_ne!(first, pinned(&world.push(&other, "same/one:2")?));
    Ok(())
}

pub(crate) async fn a_refused_push_says_why_and_never_the_password(world: &World) -> anyhow::Result<()> {
    let file = world.file("module.wasm", &deny_prefix()?)?.display().to_string();
    let reference = format!("{}/refused/module:1", world.guarded.address);
    let ca = world.guarded.authority.display().to_string();
    let login = ["--username", USER, "--password-stdin"];
    for (arguments, password, expected) in [
        (vec!["--ca", &ca], PASSWORD, "wants credentials"),
        ([&login[..], &["--ca", &ca]].concat(), "a wrong password", "401"),
        (login.to_vec(), PASSWORD, "set ca"),
        ([&login[..], &["--insecure"]].concat(), PASSWORD, "400"),
    ] {
        let all = [&["push", &file, &reference][..], &arguments].concat();
        let output = world.policy(&all, password)?;
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected) && message.contains("hint:"), "{arguments:?}: {message}");
    }
    Ok(())
}

pub(crate) async fn what_is_no_policy_module_is_not_pushed(world: &World) -> anyhow::Result<()> {
    let reference = format!("{}/refused/module:2", world.guarded.address);
    for (bytes, expected) in [
        (&b"\0asm\x01\0\0\0"[..], "core WebAssembly module"),
        (b"\x7fELF and so on", ".cwasm"),
        (b"(component)", "text"),
        (b"", "empty"),
    ] {
        let file = world.file("none.wasm", bytes)?.display().to_string();
        let output = world.policy(&["push", &file, &reference], PASSWORD)?;
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains(expected), "{message}");
    }
    Ok(())
}
