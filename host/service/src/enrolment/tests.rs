//! Certificates of agents, in Secrets of a platform cluster in memory.

use openmcp_dns_kube_memory::Server;
use serde_json::json;

use super::*;

const NAMESPACE: &str = "openmcp-dns";

fn platform() -> Server {
    let server = Server::new("platform");
    server
        .put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }))
        .unwrap();
    server
}

fn enrolment(server: &Server) -> Enrolment {
    Enrolment::new(EnrolmentOptions {
        platform: server.client(),
        namespace: NAMESPACE.to_owned(),
        config_name: "openmcp-dns".to_owned(),
        images: Images::default(),
        lifetimes: Lifetimes { overlap: Duration::ZERO, ..Lifetimes::default() },
        pod: None,
        port: None,
    })
}

fn w1() -> ClusterId {
    ClusterId::new("clusters", "w1")
}

fn admitted(enrolment: &Enrolment) -> BTreeSet<Fingerprint> {
    enrolment.inputs().agents.borrow().keys().copied().collect()
}

async fn authority(enrolment: &Enrolment) -> Authority {
    enrolment.keeper().authority(k8s_openapi::jiff::Timestamp::now()).await.unwrap()
}

/// The certificate is due to be renewed.
fn age(server: &Server) {
    let name = secret_name(&w1());
    let mut secret = server.get("v1", "Secret", NAMESPACE, &name).unwrap();
    secret["metadata"]["annotations"]["dns.openmcp.cloud/not-after"] = json!("2026-01-01T00:00:00Z");
    server.put(secret).unwrap();
}

#[tokio::test]
async fn an_agent_is_let_in_with_the_certificate_before_until_it_has_the_new_one_also_after_a_restart() {
    let server = platform();
    let first = enrolment(&server);
    let authority = authority(&first).await;
    let old = first.issue(&w1(), &authority).await.unwrap();
    assert_eq!((old.former.as_ref(), admitted(&first).len()), (None, 1));
    assert!(first.is_settled());

    age(&server);
    let new = first.issue(&w1(), &authority).await.unwrap();
    assert_eq!(new.former.as_ref(), Some(&old.certificate));
    let both = [&old, &new].map(|pair| fingerprint(&pair.certificate).unwrap());
    assert_eq!(admitted(&first), BTreeSet::from(both));
    assert!(!first.is_settled());

    let second = enrolment(&server);
    let mut again = second.issue(&w1(), &authority).await.unwrap();
    assert_eq!(again, new);
    assert_eq!(admitted(&second), BTreeSet::from(both));
    second.settle(&w1(), &mut again).await.unwrap();
    assert_eq!((again.former.as_ref(), admitted(&second)), (None, BTreeSet::from([both[1]])));
    assert!(second.is_settled());
    assert_eq!(second.issue(&w1(), &authority).await.unwrap(), again, "the earlier one is forgotten");
    assert_eq!(admitted(&second), BTreeSet::from([both[1]]));

    // Whoever deletes the Secret has a certificate made that nothing leads to from the earlier one.
    server.remove("v1", "Secret", NAMESPACE, &secret_name(&w1()), true);
    let other = second.issue(&w1(), &authority).await.unwrap();
    assert_eq!(admitted(&second), BTreeSet::from([fingerprint(&other.certificate).unwrap()]));
}

#[tokio::test]
async fn what_is_handed_out_stays_beside_a_certificate_that_is_renewed_and_goes_with_it() {
    let server = platform();
    let enrolment = enrolment(&server);
    let authority = authority(&enrolment).await;
    enrolment.issue(&w1(), &authority).await.unwrap();
    let command = enrolment.hand_out(&w1(), &[json!({ "kind": "Deployment" })]).await.unwrap();
    assert!(command.contains(&secret_name(&w1())), "{command}");
    let secret = || server.get("v1", "Secret", NAMESPACE, &secret_name(&w1()));
    let handed = secret().unwrap()["data"][OBJECTS].clone();
    assert!(handed.is_string());
    let writes = server.writes();
    enrolment.hand_out(&w1(), &[json!({ "kind": "Deployment" })]).await.unwrap();
    assert_eq!(server.writes(), writes, "it stands there already");
    age(&server);
    let pair = enrolment.issue(&w1(), &authority).await.unwrap();
    assert!(pair.former.is_some());
    assert_eq!(secret().unwrap()["data"][OBJECTS], handed);
    assert!(enrolment.revoke(&w1()).await.unwrap());
    assert!(secret().is_none() && admitted(&enrolment).is_empty());
}
