//! Reads bodies up to a bound.

use reqwest::Response;

use super::RemoteError;
use super::client::host_of;

/// Reads a body of at most `limit` bytes. A longer one is not read to its end, and not at all where
/// its length is announced.
///
/// # Errors
/// When the body is longer, ends early, or comes too slowly.
pub async fn read_bounded(
    mut response: Response,
    what: &'static str,
    limit: usize,
) -> Result<Vec<u8>, RemoteError> {
    let host = host_of(response.url());
    let too_large = |host: &str| RemoteError::TooLarge { host: host.to_owned(), what, limit };
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large(&host));
    }
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(bytes),
            Ok(Some(chunk)) if bytes.len() + chunk.len() > limit => return Err(too_large(&host)),
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Err(error) => return Err(RemoteError::Broken { host, source: error.without_url() }),
        }
    }
}
