use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::{NamePage, Show};

/// Says what it was asked.
#[derive(Default)]
struct Echo(AtomicU64);

#[async_trait]
impl Source for Echo {
    fn edition(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    async fn landscape(&self, question: &Question) -> Landscape {
        let mut landscape = Landscape { title: format!("{question:?}"), ..Landscape::default() };
        if question.search == "too early" {
            landscape.instance.starting = Some("the store has not been read yet".to_owned());
        }
        landscape
    }

    async fn name(&self, name: &str) -> NamePage {
        NamePage { name: name.to_owned(), ..NamePage::default() }
    }
}

struct World {
    echo: Arc<Echo>,
    pages: Pages,
}

impl World {
    fn on(address: &str) -> Self {
        let echo = Arc::new(Echo::default());
        Self { pages: Pages::new(Arc::clone(&echo) as _, address.parse().unwrap()), echo }
    }

    async fn ask(&self, method: &str, uri: &str, headers: &[(HeaderName, &str)]) -> Response<Full<Bytes>> {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(name, value);
        }
        self.pages.answer(&method.parse().unwrap(), &uri.parse().unwrap(), &all).await
    }

    async fn get(&self, uri: &str) -> (StatusCode, String) {
        let answer = self.ask("GET", uri, &[(HOST, "localhost:8053")]).await;
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn every_answer_forbids_to_load_anything_else_and_to_frame_it() {
    let world = World::on("127.0.0.1");
    for (method, uri) in
        [("GET", "/"), ("GET", "/page.js"), ("GET", "/nothing"), ("POST", "/"), ("HEAD", "/names/a")]
    {
        let answer = world.ask(method, uri, &[(HOST, "localhost")]).await;
        for (name, value) in FIXED {
            assert_eq!(answer.headers()[&name], value, "{method} {uri}");
        }
        assert!(answer.headers().contains_key(CONTENT_TYPE));
    }
    assert!(CONTENT.contains("default-src 'none'") && CONTENT.contains("frame-ancestors 'none'"));
}

#[tokio::test]
async fn what_is_no_page_is_refused() {
    let world = World::on("127.0.0.1");
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        let answer = world.ask(method, "/", &[(HOST, "localhost")]).await;
        assert_eq!(
            (answer.status(), &answer.headers()[ALLOW]),
            (StatusCode::METHOD_NOT_ALLOWED, &HeaderValue::from_static("GET, HEAD"))
        );
    }
    for path in ["/names/", "/page.css/", "/../etc/passwd", "/index.html"] {
        assert_eq!(world.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn on_a_loopback_address_only_its_own_names_are_answered_to() {
    let world = World::on("::1");
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8053", "127.9.9.9", "[::1]:8053"] {
        assert_eq!(world.ask("GET", "/", &[(HOST, host)]).await.status(), StatusCode::OK, "{host}");
    }
    for host in
        ["evil.example", "localhost.evil.example:8053", "10.0.0.1", "", "a b", "localhost@evil.example"]
    {
        let answer = world.ask("GET", "/", &[(HOST, host)]).await;
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    let twice = [(HOST, "localhost"), (HOST, "evil.example")];
    for (uri, hosts) in [("/", &[][..]), ("/", &twice), ("http://evil.example/", &twice[..1])] {
        assert_eq!(world.ask("GET", uri, hosts).await.status(), StatusCode::MISDIRECTED_REQUEST, "{uri}");
    }
    // Elsewhere nobody knows by which names it is reached.
    let world = World::on("0.0.0.0");
    assert_eq!(world.ask("GET", "/", &[(HOST, "platform.example")]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn who_has_the_edition_that_holds_is_sent_nothing_again() {
    let world = World::on("127.0.0.1");
    let edition = |answer: &Response<_>| answer.headers()[ETAG].to_str().unwrap().to_owned();
    let first = edition(&world.ask("GET", "/", &[(HOST, "localhost")]).await);
    let again = world.ask("GET", "/", &[(HOST, "localhost"), (IF_NONE_MATCH, &first)]).await;
    assert_eq!((again.status(), edition(&again)), (StatusCode::NOT_MODIFIED, first.clone()));
    assert!(again.into_body().collect().await.unwrap().to_bytes().is_empty());
    world.echo.0.store(7, Ordering::Relaxed);
    let other = world.ask("GET", "/", &[(HOST, "localhost"), (IF_NONE_MATCH, &first)]).await;
    assert_eq!(other.status(), StatusCode::OK);
    assert_ne!(edition(&other), first);
    assert!(!world.ask("GET", "/nothing", &[(HOST, "localhost")]).await.headers().contains_key(ETAG));
}

#[tokio::test]
async fn what_is_not_all_that_is_to_be_known_is_asked_for_again() {
    let world = World::on("127.0.0.1");
    for uri in ["/?q=too+early", "/landscape.json?q=too+early"] {
        let answer = world.ask("GET", uri, &[(HOST, "localhost")]).await;
        assert_eq!((answer.status(), answer.headers().get(ETAG)), (StatusCode::OK, None), "{uri}");
    }
}

#[tokio::test]
async fn what_is_asked_for_reaches_the_source() {
    let world = World::on("127.0.0.1");
    let question = Question { search: "a<b".to_owned(), show: Show::NotPublished, after: "x y".to_owned() };
    let (_, page) = world.get(&question.uri()).await;
    assert!(
        page.contains("search: &quot;a&lt;b&quot;, show: NotPublished, after: &quot;x y&quot;"),
        "{page}"
    );
    let (_, json) = world.get(&format!("/landscape.json{}", &question.uri()[1..])).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["title"].as_str().unwrap().contains("a<b") && json["names"]["isCut"] == false, "{json}");
    let (_, page) = world.get("/names/%2A.shop.example").await;
    assert!(page.contains("<title>*.shop.example · openmcp-dns</title>"), "{page}");
}

#[tokio::test]
async fn a_connection_carries_one_answer_and_none_to_who_speaks_something_else() {
    let server = PageServer::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.address();
    let running = tokio::spawn(server.run(Arc::new(Echo::default())));
    let ask = async |request: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let both = format!("GET /icon.svg HTTP/1.1\r\nHost: {address}\r\n\r\n").repeat(2);
    let answer = ask(&both).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.matches("HTTP/1.1").count() == 1, "{answer}");
    let head = ask(&format!("HEAD / HTTP/1.1\r\nHost: {address}\r\n\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(!ask("\u{16}\u{3}\u{1} hello\r\n\r\n").await.contains("200"));
    running.abort();
}
