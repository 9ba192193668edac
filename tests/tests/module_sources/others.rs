//! Modules on web servers and in files, and sources that are none.

use openmcp_dns_tests::faults::Content;
use openmcp_dns_tests::manifests::POLICY;
use serde_json::{Value, json};

use crate::modules::{digest, marked};
use crate::world::World;

pub(crate) async fn a_source_that_is_incomplete_is_refused_by_the_api_server(
    world: &World,
) -> anyhow::Result<()> {
    let (sha256, pinned) = ("0".repeat(64), format!("r.example/a@sha256:{}", "0".repeat(64)));
    let url = "https://a.example/module.wasm";
    for (source, expected) in [
        (json!({}), "exactly one of"),
        (json!({ "builtIn": "standard", "http": { "url": url }, "sha256": sha256 }), "exactly one of"),
        (json!({ "oci": { "reference": pinned }, "file": { "path": "/a" } }), "exactly one of"),
        (json!({ "configMap": { "namespace": "a", "name": "b" } }), "sha256 must be set with configMap"),
        (json!({ "http": { "url": url } }), "sha256 must be set with http"),
        (json!({ "oci": { "reference": "r.example/a:1" } }), "sha256 must be set with oci"),
        (json!({ "oci": { "reference": "r.example:80/a" }, "sha256": sha256 }), "needs a tag or a digest"),
        (json!({ "oci": { "reference": "a:1" }, "sha256": sha256 }), "should match"),
        (
            json!({ "oci": { "reference": pinned, "insecure": true, "ca": { "pem": "x" } } }),
            "ca has no effect",
        ),
        (json!({ "oci": { "reference": pinned, "ca": {} } }), "exactly one of pem and configMap"),
        (json!({ "oci": { "reference": pinned, "pullPolicy": "Never" } }), "Unsupported value"),
        (json!({ "http": { "url": "https://user:word@a.example/x" }, "sha256": sha256 }), "should match"),
        (json!({ "http": { "url": "ftp://a.example/x" }, "sha256": sha256 }), "should match"),
        (json!({ "http": { "url": url }, "sha256": "0" }), "should match"),
    ] {
        let error = world.set(&source.clone()).await.err().map(|error| format!("{error:#}"));
        let error = error.unwrap_or_default();
        assert!(error.contains(expected), "{source}: {error:?}");
    }
    // A digest of the manifest is enough.
    world.set(&json!({ "oci": { "reference": pinned } })).await?;
    world.reset().await
}

fn http(url: &str, ca: &Value, sha256: &str) -> Value {
    json!({ "http": { "url": url, "ca": ca }, "sha256": sha256 })
}

pub(crate) async fn a_module_comes_over_https_with_its_digest(world: &World) -> anyhow::Result<()> {
    let module = marked("https")?;
    let sha256 = world.push_bytes(&module, "https/module:1")?;
    // A registry without a password is a web server as well.
    let url = format!("https://{}/v2/https/module/blobs/sha256:{sha256}", world.open.address);
    let ca = json!({ "pem": std::fs::read_to_string(&world.open.authority)? });
    world.set(&http(&url, &ca, &"1".repeat(64))).await?;
    let message = world.wait_inactive("ModuleDigestMismatch").await?;
    assert!(message.contains(&sha256) && message.contains(&url), "{message}");
    world.set(&http(&url, &world.ca()?, &sha256)).await?;
    let message = world.wait_inactive("ModuleUnavailable").await?;
    assert!(message.contains("set ca to the certificate of its authority"), "{message}");
    world.set(&http(&url, &ca, &sha256)).await?;
    let status = world.wait_active(&sha256).await?;
    assert_eq!(status["module"]["resolvedReference"], "");
    world.reset().await?;

    // Plain http is for listed hosts, and a query is nobody's business.
    let module = marked("http")?;
    world.elsewhere.serve(Content::Bytes(module.clone()));
    let url = format!("http://{}/module.wasm?key=abc", world.elsewhere.address);
    world.set(&http(&url, &Value::Null, &"2".repeat(64))).await?;
    let message = world.wait_inactive("ModuleDigestMismatch").await?;
    assert!(!message.contains("abc"), "{message}");
    world.set(&http(&url, &Value::Null, &digest(&module))).await?;
    world.wait_active(&digest(&module)).await?;
    let url = format!("http://{}/module.wasm", world.plain.address);
    world.set(&http(&url, &Value::Null, &"3".repeat(64))).await?;
    let message = world.wait_inactive("ModuleRejected").await?;
    assert!(message.contains("--insecure-registry"), "{message}");
    world.reset().await
}

pub(crate) async fn what_is_no_component_is_refused_with_a_reason(world: &World) -> anyhow::Result<()> {
    let before = world.active().await?;
    for (bytes, expected) in
        [(&b"\0asm\x01\0\0\0"[..], "core WebAssembly module"), (b"\x7fELF and so on", ".cwasm")]
    {
        world.elsewhere.serve(Content::Bytes(bytes.to_vec()));
        let url = format!("http://{}/module.wasm", world.elsewhere.address);
        world.set(&http(&url, &Value::Null, &digest(bytes))).await?;
        let message = world.wait_inactive("ModuleInvalid").await?;
        assert!(message.contains(expected), "{message}");
        assert_eq!(world.active().await?, before);
        world.reset().await?;
    }
    Ok(())
}

pub(crate) async fn a_configuration_that_the_module_refuses_is_told_in_its_words(
    world: &World,
) -> anyhow::Result<()> {
    let before = world.active().await?;
    let configured = |configuration: Value| json!({ "spec": { "configuration": configuration } });
    POLICY.merge(&world.client(), &configured(json!({ "ttlSeconds": "long" }))).await?;
    let message = world.wait_inactive("ConfigurationRefused").await?;
    assert!(message.contains("ttlSeconds"), "{message}");
    assert_eq!(world.active().await?, before);
    POLICY.merge(&world.client(), &configured(Value::Null)).await?;
    world.reset().await
}

pub(crate) async fn a_file_takes_an_operator_who_allows_it(world: &mut World) -> anyhow::Result<()> {
    let module = marked("file")?;
    let path = world.file("file.wasm", &module)?;
    world.set(&json!({ "file": { "path": path } })).await?;
    let message = world.wait_inactive("ModuleRejected").await?;
    assert!(message.contains("--allow-file-modules"), "{message}");
    world.run_service(&["--allow-file-modules"])?;
    world.wait_active(&digest(&module)).await?;
    let large = world.file("large.wasm", &[b"\0asm\r\0\x01\0", &[0; 2 << 20][..]].concat())?;
    for (path, reason, expected) in [
        (
            large.to_str().unwrap_or_default(),
            "ModuleTooLarge",
            "raise the limits (`openmcp-dns policy inspect`",
        ),
        ("file.wasm", "ModuleRejected", "not absolute"),
        ("/dev/zero", "ModuleRejected", "no file"),
        ("/nowhere/module.wasm", "ModuleUnavailable", "unable to read"),
    ] {
        world.set(&json!({ "file": { "path": path } })).await?;
        let message = world.wait_inactive(reason).await?;
        assert!(message.contains(expected), "{message}");
    }
    let object = POLICY.get(&world.client()).await?.unwrap_or_default();
    assert_eq!(object["status"]["module"]["lastErrorTime"].as_str().map(str::len), Some(20));
    world.reset().await
}
