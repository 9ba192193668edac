//! The certificate authority, and what it signs.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use openmcp_dns_core::deployment::{AuthorityState, Rotation, digest, rotation};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::CertificateError;

/// Clocks differ: a new certificate is good from a while ago.
const BACKDATED: Duration = Duration::from_secs(3600);

/// How long certificates are good for. Each is renewed when a third of that is left.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Of the authority.
    pub authority: Duration,
    /// Of what it signs.
    pub certificate: Duration,
    /// How long both authorities are trusted before and after another one takes over: by then, every pod has got the
    /// files that it was given last.
    pub overlap: Duration,
}

impl Default for Lifetimes {
    /// Ten years, 90 days; and ten minutes, of which a kubelet takes two.
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Self {
            authority: Duration::from_secs(3650 * DAY),
            certificate: Duration::from_secs(90 * DAY),
            overlap: Duration::from_secs(600),
        }
    }
}

/// Which authority it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AuthorityId {
    /// The Secret that keeps it.
    pub(crate) secret: &'static str,
    /// Its own name, which has to be the same whenever something is signed.
    pub(crate) common_name: &'static str,
}

/// A certificate and its key (PEM).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// An authority, and who is trusted beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(super) id: AuthorityId,
    pub(super) current: Signed,
    pub(super) next: Option<Signed>,
    /// All that are trusted, as PEM.
    pub(super) trusted: String,
    /// When the current one ends; `None` where nobody knows.
    pub(super) ends: Option<Timestamp>,
    /// When this was changed last.
    pub(super) changed: Timestamp,
}

impl Authority {
    pub(super) fn make(
        id: AuthorityId,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Result<Self, CertificateError> {
        let current = make_authority(id, lifetimes, now)?;
        let trusted = current.certificate.clone();
        Ok(Self {
            id,
            current,
            next: None,
            trusted,
            ends: Some(after(now, lifetimes.authority)),
            changed: now,
        })
    }

    /// Takes the next step, if there is one; `is_settled` says whether everybody has what was changed last.
    pub(super) fn rotated(
        &self,
        lifetimes: &Lifetimes,
        is_settled: bool,
        now: Timestamp,
    ) -> Result<Option<Self>, CertificateError> {
        let state = AuthorityState {
            is_due: is_due(self.ends, lifetimes.authority, now),
            has_next: self.next.is_some(),
            trusts_former: self.next.is_none() && self.trusted != self.current.certificate,
            has_rested: is_settled && after(self.changed, lifetimes.overlap) <= now,
        };
        let step = rotation(state);
        let rotated = match (step, &self.next) {
            (Rotation::Prepare, _) => {
                let next = make_authority(self.id, lifetimes, now)?;
                let trusted = format!("{}{}", self.current.certificate, next.certificate);
                Self { next: Some(next), trusted, changed: now, ..self.clone() }
            }
            // It was made when this was changed last.
            (Rotation::Take, Some(next)) => Self {
                id: self.id,
                current: next.clone(),
                next: None,
                trusted: format!("{}{}", next.certificate, self.current.certificate),
                ends: Some(after(self.changed, lifetimes.authority)),
                changed: now,
            },
            (Rotation::Forget, _) => {
                Self { trusted: self.current.certificate.clone(), changed: now, ..self.clone() }
            }
            (Rotation::Stay | Rotation::Take, _) => return Ok(None),
        };
        tracing::info!(?step, "another certificate authority takes the place of the one that ends");
        Ok(Some(rotated))
    }

    /// Tells it from others.
    pub(super) fn digest(&self) -> String {
        digest(&self.current.certificate)
    }

    /// Signs a certificate for a client, and where it has names also for a server.
    pub(super) fn sign(
        &self,
        common_name: &str,
        names: &[String],
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<Signed, CertificateError> {
        let issuing_key = KeyPair::from_pem(&self.current.key)
            .map_err(|error| CertificateError::Authority(self.id.secret, error))?;
        let issuer = Issuer::new(authority_params(self.id, lifetime, now), issuing_key);
        let mut params = params(common_name, lifetime, now);
        for name in names {
            params.subject_alt_names.push(match name.parse() {
                Ok(address) => rcgen::SanType::IpAddress(address),
                Err(_) => {
                    rcgen::SanType::DnsName(name.as_str().try_into().map_err(CertificateError::Making)?)
                }
            });
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !names.is_empty() {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let key = KeyPair::generate().map_err(CertificateError::Making)?;
        let certificate = params.signed_by(&key, &issuer).map_err(CertificateError::Making)?.pem();
        Ok(Signed { certificate, key: key.serialize_pem() })
    }
}

/// Whether a certificate is to be renewed: also where nobody knows when it ends.
pub(super) fn is_due(ends: Option<Timestamp>, lifetime: Duration, now: Timestamp) -> bool {
    ends.is_none_or(|ends| ends < after(now, lifetime / 3))
}

pub(super) fn after(time: Timestamp, duration: Duration) -> Timestamp {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(time.as_second().saturating_add(seconds)).unwrap_or(time)
}

fn params(common_name: &str, lifetime: Duration, now: Timestamp) -> CertificateParams {
    let since_1970 =
        |time: Timestamp| Duration::from_secs(u64::try_from(time.as_second()).unwrap_or_default());
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = (std::time::UNIX_EPOCH + since_1970(now).saturating_sub(BACKDATED)).into();
    params.not_after = (std::time::UNIX_EPOCH + since_1970(after(now, lifetime))).into();
    params
}

/// The authority's own words.
fn authority_params(id: AuthorityId, lifetime: Duration, now: Timestamp) -> CertificateParams {
    let mut params = params(id.common_name, lifetime, now);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn make_authority(
    id: AuthorityId,
    lifetimes: &Lifetimes,
    now: Timestamp,
) -> Result<Signed, CertificateError> {
    let key = KeyPair::generate().map_err(CertificateError::Making)?;
    let params = authority_params(id, lifetimes.authority, now);
    let certificate = params.self_signed(&key).map_err(CertificateError::Making)?.pem();
    Ok(Signed { certificate, key: key.serialize_pem() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_its_time_is_left_or_nobody_knows() {
        let (now, lifetime) = (Timestamp::now(), Duration::from_secs(90));
        assert!(!is_due(Some(after(now, Duration::from_secs(31))), lifetime, now));
        assert!(is_due(Some(after(now, Duration::from_secs(29))), lifetime, now));
        assert!(is_due(None, lifetime, now));
    }

    #[test]
    fn whoever_lags_one_step_behind_trusts_what_the_others_show_all_the_way() {
        let lifetimes = Lifetimes { overlap: Duration::from_secs(60), ..Lifetimes::default() };
        let mut now = Timestamp::now();
        let mut authority =
            Authority::make(AuthorityId { secret: "s", common_name: "n" }, &lifetimes, now).unwrap();
        let first = authority.digest();
        now = authority.ends.unwrap();
        let mut steps = 0;
        loop {
            // Nothing before everybody has it, and has had it for a while.
            assert_eq!(
                authority.rotated(&lifetimes, false, now).unwrap().is_some(),
                steps == 0,
                "only the first step waits for nobody"
            );
            now = after(now, lifetimes.overlap);
            let Some(next) = authority.rotated(&lifetimes, true, now).unwrap() else { break };
            for (one, other) in [(&authority, &next), (&next, &authority)] {
                assert!(one.trusted.contains(&other.current.certificate), "step {steps}");
            }
            (authority, steps) = (next, steps + 1);
        }
        assert_eq!((steps, authority.next.is_none()), (3, true));
        assert_ne!(authority.digest(), first);
        assert_eq!(authority.trusted, authority.current.certificate);
    }
}
