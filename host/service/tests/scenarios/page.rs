//! The live page that the service serves.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use openmcp_dns_page::PageServer;
use openmcp_dns_service::page::{About, Page};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::objects::{POLICY, ingress, policy};
use crate::replica::Replica;
use crate::world::World;

/// A page on a free port, and where it is.
async fn page() -> (Page, SocketAddr) {
    let server = PageServer::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.address();
    let about = About {
        title: None,
        version: "1.2.3",
        facts: Vec::new(),
        problems: tokio::sync::watch::channel(Vec::new()).1,
        confirm: Box::new(|cluster, token| format!("confirm {cluster} {token}")),
    };
    (Page { server, about }, address)
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    // Where a long name may be broken is no matter here.
    answer.replace("<wbr>", "")
}

/// Waits until a page says this.
async fn says(address: SocketAddr, path: &str, text: &str) -> String {
    for _ in 0..600 {
        let page = get(address, path).await;
        if page.contains(text) {
            return page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{path} never says {text:?}: {}", get(address, path).await);
}

/// The names that a page lists, without those that stand elsewhere on it.
fn listed(page: &str) -> Vec<&str> {
    let names = page.split("id=\"names\"").nth(1).unwrap().split("</section>").next().unwrap();
    names.split("href=\"/names/").skip(1).map(|after| after.split('"').next().unwrap()).collect()
}

fn next(page: &str) -> Option<String> {
    let (_, after) = page.split_once("rel=\"next\" href=\"")?;
    Some(after.split('"').next()?.replace("&amp;", "&"))
}

#[tokio::test]
async fn the_page_lists_a_hundred_names_at_a_time_and_leads_along_the_way_of_each() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    let many: Vec<String> = (0..230).map(|number| format!("n{number:03}.w1.openmcp.cluster")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    w1.put(ingress("many", &many, "10.0.0.1")).unwrap();
    w1.put(ingress("outside", &["<b>.w2.openmcp.cluster"], "10.0.0.2")).unwrap();
    let (page, address) = page().await;
    world.access.say_something();
    let mut service = world.own_service();
    service.page = Some(page);
    world.start_service(service);
    world.published(many[229], &["10.0.0.1"]).await;
    world.status_is("w1", "all are counted", |status| status["published"] == 230).await;

    let mut page = says(address, "/", "1 of 1").await;
    assert!(page.contains("openmcp-dns 1.2.3 · this instance leads"), "{page}");
    assert!(page.contains("invalid-host-name") && !page.contains("<b>."), "{page}");
    let (mut seen, mut pages) = (Vec::new(), 1);
    loop {
        let names = listed(&page);
        assert!(names.len() <= 100 && page.len() < 150_000, "{} names, {} bytes", names.len(), page.len());
        seen.extend(names.into_iter().map(str::to_owned));
        let Some(next) = next(&page) else { break };
        page = get(address, &next).await;
        pages += 1;
    }
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len(), pages), (231, 231, 3));

    let found = get(address, "/?q=N117").await;
    assert_eq!(listed(&found), ["n117.w1.openmcp.cluster"]);
    let found = get(address, "/?q=n0").await;
    assert_eq!(
        (listed(&found).len(), next(&found)),
        (100, None),
        "a page that is full is not always followed by one"
    );
    for copied in ["Ingress/default/many", "openmcp/w1"] {
        assert!(next(&get(address, &format!("/?q={copied}")).await).is_some(), "{copied}");
    }
    assert_eq!(listed(&get(address, "/?show=not-published").await).len(), 1);
    let searched = get(address, "/landscape.json?q=n117").await;
    assert!(
        searched.contains("\"held\":null,\"denials\":null"),
        "what was not asked for is not none: {searched}"
    );
    says(address, "/names/n117.w1.openmcp.cluster", "as recorded").await;
    let way = get(address, "/names/%3Cb%3E.w2.openmcp.cluster").await;
    assert!(way.contains("Denied") && way.contains("by the service itself"), "{way}");
    assert!(get(address, "/names/nobody.w1.openmcp.cluster").await.contains("No object asks for this name."));

    // What would take too much away waits, and the page says how it is confirmed.
    w1.put(ingress("many", &many[..10], "10.0.0.1")).unwrap();
    let page = says(address, "/", "confirm openmcp/w1 ").await;
    assert!(page.contains("220 names of openmcp/w1"), "{page}");
    let way = says(address, "/names/n229.w1.openmcp.cluster", "the deletion of 220 names is held").await;
    assert!(way.contains("No object asks for this name.") && way.contains("A 10.0.0.1"), "{way}");
    world.stop().await;
}

#[tokio::test]
async fn the_page_of_a_standby_says_who_leads() {
    let world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.put(ingress("web", &["shop.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    world.access.say_something();
    let first = Replica::start(&world, "first");
    world.published("shop.w1.openmcp.cluster", &["10.0.0.1"]).await;
    let (page, address) = page().await;
    let second = Replica::start_with(&world, "second", Some(page));
    let page = says(address, "/", "this instance stands by; first leads").await;
    assert!(page.contains("This instance stands by."), "{page}");
    says(address, "/?q=shop", "shop.w1.openmcp.cluster").await;
    first.stop().await;
    says(address, "/", "this instance leads").await;
    second.stop().await;
}
