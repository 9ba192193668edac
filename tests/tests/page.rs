//! The live page, in a real browser: `openmcp-dns demo --page` on the example.
//!
//! Pictures of it are left in `page` in the folder for temporary files of the build (`target/tmp`).

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use openmcp_dns_tests::browser::{Browser, Tab};
use openmcp_dns_tests::http::get;
use openmcp_dns_tests::ports::free_address;
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::{openmcp_dns, repository};
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

/// For everything that takes a second unless the machine is busy.
const SOON: Duration = Duration::from_secs(60);

const FIRST: &str = "svc-abc123.workload01.openmcp.cluster";
const ADDED: &str = "added.workload01.openmcp.cluster";
const INVALID: &str = "my_service.workload02.openmcp.cluster";

/// What a person reads in the part that changes.
const MAIN: &str = "document.getElementById('main').innerText";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_follows_the_files_in_a_browser_and_reads_the_same_without_javascript() {
    let (folder, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&pictures).unwrap();
    let landscape = folder.path().join("landscape");
    copy(&repository("examples/landscape"), &landscape).unwrap();
    let address = free_address().unwrap();
    let arguments = ["demo".to_owned(), landscape.display().to_string(), format!("--page={address}")];
    let mut demo =
        Process::start("demo", &openmcp_dns().unwrap(), &arguments, &[("NO_COLOR", "1")], logs.path())
            .unwrap();
    demo.wait_ready("the page has a name that is answered", SOON, async || {
        let (_, page) = get(address, &format!("/names/{FIRST}")).await.map_err(|error| error.to_string())?;
        if page.contains("as recorded") { Ok(()) } else { Err(page) }
    })
    .await
    .unwrap();

    let mut browser = Browser::start(logs.path()).await.unwrap();
    let tab = browser.tab().await.unwrap();
    let url = format!("http://{address}/");
    browser.go(&tab, &url).await.unwrap();
    says(&mut browser, &tab, "document.getElementById('live').textContent", "live, as of").await.unwrap();
    let text = says(&mut browser, &tab, MAIN, FIRST).await.unwrap();
    for expected in
        ["outside-domain", "invalid-host-name", "Next: rename", "points nowhere", "standard 0.1.0"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }

    // Somebody types, and has scrolled; then a file is added.
    let typing = "window.isTheSame = true; const q = document.getElementById('q'); q.value = 'typing'; q.focus(); scrollTo(0, 300)";
    browser.value(&tab, typing).await.unwrap();
    std::fs::write(landscape.join("workload01/added.yaml"), ingress(ADDED)).unwrap();
    says(&mut browser, &tab, MAIN, ADDED).await.unwrap();
    let kept = "[window.isTheSame, document.activeElement.id, document.activeElement.value, scrollY]";
    let kept = browser.value(&tab, kept).await.unwrap();
    assert_eq!(kept, json!([true, "q", "typing", 300]), "it was loaded anew");
    let answered = format!(
        "Array.from(document.querySelectorAll('#main tr'), (row) => row.innerText).find((row) => row.startsWith({ADDED:?}))"
    );
    says(&mut browser, &tab, &answered, "answered").await.unwrap();
    std::fs::remove_file(landscape.join("workload01/added.yaml")).unwrap();
    gone(&mut browser, &tab, &format!("{MAIN}.split('Recent changes')[0]"), ADDED).await.unwrap();

    for (width, scheme, name) in [(1360, "light", "light"), (1360, "dark", "dark"), (390, "light", "narrow")]
    {
        picture(&mut browser, &tab, width, scheme, &pictures.join(format!("{name}.png"))).await.unwrap();
    }
    // Nothing is wider than a phone.
    assert_eq!(browser.value(&tab, "document.documentElement.scrollWidth").await.unwrap(), 390);
    browser.go(&tab, &format!("{url}names/{INVALID}")).await.unwrap();
    let way = says(&mut browser, &tab, MAIN, "Denied").await.unwrap();
    assert!(way.contains("by the service itself") && way.contains("is no host name"), "{way}");
    picture(&mut browser, &tab, 1100, "light", &pictures.join("denied.png")).await.unwrap();
    browser.go(&tab, &format!("{url}?q=wiki6")).await.unwrap();
    let found = says(&mut browser, &tab, MAIN, "wiki6").await.unwrap();
    assert!(!found.contains(FIRST), "{found}");

    // The same words without JavaScript.
    browser.go(&tab, &url).await.unwrap();
    let with = says(&mut browser, &tab, MAIN, FIRST).await.unwrap();
    let plain = browser.tab().await.unwrap();
    browser.call(&plain, "Emulation.setScriptExecutionDisabled", json!({ "value": true })).await.unwrap();
    browser.go(&plain, &url).await.unwrap();
    let without = says(&mut browser, &plain, MAIN, FIRST).await.unwrap();
    assert_eq!(with.split("Policies").next(), without.split("Policies").next());
    let live = browser.text(&plain, "document.getElementById('live').textContent").await.unwrap();
    assert!(live.starts_with("as of "), "{live}");

    for tab in [&tab, &plain] {
        assert_eq!(browser.complaints(tab).await.unwrap(), Vec::<String>::new());
        let requests = browser.requests(tab).await.unwrap();
        assert!(!requests.is_empty() && requests.iter().all(|to| to.starts_with(&url)), "{requests:?}");
    }

    // Who reads an old picture is told so; a tab that nobody sees asks for nothing.
    browser.call(&tab, "Page.bringToFront", json!({})).await.unwrap();
    demo.terminate(SOON).await.unwrap();
    says(&mut browser, &tab, "document.getElementById('live').textContent", "connection lost").await.unwrap();
    assert!(browser.text(&tab, MAIN).await.unwrap().contains(FIRST));
}

/// Waits until an expression says this.
async fn says(browser: &mut Browser, tab: &Tab, expression: &str, expected: &str) -> anyhow::Result<String> {
    wait_until(&format!("the page says {expected:?}"), SOON, async || {
        // There is no document while another one comes.
        let text = browser.text(tab, expression).await.unwrap_or_default();
        Ok(if text.contains(expected) { Ok(text) } else { Err(text) })
    })
    .await
}

/// Waits until it says so no more.
async fn gone(browser: &mut Browser, tab: &Tab, expression: &str, unwanted: &str) -> anyhow::Result<()> {
    wait_until(&format!("the page says {unwanted:?} no more"), SOON, async || {
        let text = browser.text(tab, expression).await?;
        Ok(if text.contains(unwanted) { Err(text) } else { Ok(()) })
    })
    .await
}

async fn picture(
    browser: &mut Browser,
    tab: &Tab,
    width: u32,
    scheme: &str,
    file: &Path,
) -> anyhow::Result<()> {
    let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
    browser.call(tab, "Emulation.setEmulatedMedia", media).await?;
    browser.draw(tab, width, file).await?;
    let is_dark = browser.value(tab, "matchMedia('(prefers-color-scheme: dark)').matches").await?;
    ensure!(is_dark == Value::Bool(scheme == "dark"), "the picture has another scheme than {scheme}");
    Ok(())
}

fn ingress(host: &str) -> String {
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "namespace": "tools", "name": "added" },
        "spec": { "rules": [{ "host": host }] },
        "status": { "loadBalancer": { "ingress": [{ "ip": "172.18.201.99" }] } },
    });
    ingress.to_string()
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (entry, target) = {
            let entry = entry?;
            let target = to.join(entry.file_name());
            (entry.path(), target)
        };
        if entry.is_dir() { copy(&entry, &target)? } else { std::fs::copy(&entry, &target).map(drop)? }
    }
    Ok(())
}
