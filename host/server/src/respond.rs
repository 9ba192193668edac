//! From the bytes of a request to the bytes of its response.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hickory_proto::op::{Edns, Header, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder};
use tracing::{debug, error};

use crate::lookup::Answer;
use crate::records::Records;

/// Largest response without EDNS over UDP, in bytes (RFC 1035 section 2.3.4).
const MAX_PLAIN_UDP_BYTES: u16 = 512;

/// Largest response over UDP in bytes, whatever the asker would take: what passes every network in one
/// piece (DNS flag day 2020). Fragments get lost, and large answers serve attackers as an amplifier.
const MAX_UDP_BYTES: u16 = 1232;

/// How much of a request that led to a panic is logged: enough to find out why.
const MAX_LOGGED_BYTES: usize = 512;

/// EDNS version that is understood (RFC 6891).
const EDNS_VERSION: u8 = 0;

/// How a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// In a datagram; a large answer is cut, and the asker comes back over TCP.
    Udp,
    /// In a stream.
    Tcp,
}

/// Answers one request. `None` when it is better not answered: it is too short to be a message, or is
/// itself a response, to which another server's answer would be the next one.
pub(crate) fn respond(records: &Records, request: &[u8], transport: Transport) -> Option<Vec<u8>> {
    // Strangers decide what is parsed here. If they ever find a panic in the parser, it must cost them
    // their answer, and not everybody the server. Nothing is changed in here that could be left half done.
    catch_unwind(AssertUnwindSafe(|| respond_or_panic(records, request, transport))).unwrap_or_else(|_| {
        error!(request = ?request.get(..MAX_LOGGED_BYTES).unwrap_or(request), "a request led to a panic");
        None
    })
}

fn respond_or_panic(records: &Records, request: &[u8], transport: Transport) -> Option<Vec<u8>> {
    let header = Header::read(&mut BinDecoder::new(request)).ok()?;
    if header.message_type == MessageType::Response {
        return None;
    }
    let mut response = Message::response(header.id, header.op_code);
    response.metadata.recursion_desired = header.recursion_desired;
    // From here on the outcome is in `response`; what is asked beyond the header may be unreadable.
    let max_bytes = match (header.op_code, Message::from_vec(request)) {
        (OpCode::Query, Ok(request)) => {
            answer(records, &request, &mut response);
            max_bytes(&request, transport)
        }
        (OpCode::Query, Err(error)) => {
            debug!(%error, "a request is malformed");
            response.metadata.response_code = ResponseCode::FormErr;
            MAX_PLAIN_UDP_BYTES
        }
        _ => {
            response.metadata.response_code = ResponseCode::NotImp;
            MAX_PLAIN_UDP_BYTES
        }
    };
    encode(&response, max_bytes, transport)
}

fn max_bytes(request: &Message, transport: Transport) -> u16 {
    match (transport, &request.edns) {
        (Transport::Tcp, _) => u16::MAX,
        (Transport::Udp, None) => MAX_PLAIN_UDP_BYTES,
        (Transport::Udp, Some(edns)) => edns.max_payload().clamp(MAX_PLAIN_UDP_BYTES, MAX_UDP_BYTES),
    }
}

/// Fills the response to a well-formed query.
fn answer(records: &Records, request: &Message, response: &mut Message) {
    response.add_queries(request.queries.iter().cloned());
    if let Some(asked) = &request.edns {
        let mut edns = Edns::new();
        edns.set_version(EDNS_VERSION);
        edns.set_max_payload(MAX_UDP_BYTES);
        edns.set_dnssec_ok(asked.flags().dnssec_ok);
        response.set_edns(edns);
        if asked.version() > EDNS_VERSION {
            response.metadata.response_code = ResponseCode::BADVERS;
            return;
        }
    }
    let [query] = request.queries.as_slice() else {
        response.metadata.response_code = ResponseCode::FormErr;
        return;
    };
    response.metadata.response_code = answer_query(records, query, response);
    debug!(
        name = %query.name,
        record_type = %query.query_type,
        response_code = %response.metadata.response_code,
        answers = response.answers.len(),
        "answered"
    );
}

fn answer_query(records: &Records, query: &Query, response: &mut Message) -> ResponseCode {
    let transfer = matches!(query.query_type, RecordType::AXFR | RecordType::IXFR);
    if query.query_class != DNSClass::IN || transfer {
        return ResponseCode::Refused;
    }
    let (answer, soa) = records.answer(&query.name, query.query_type);
    let (code, answers, authority, additionals) = match answer {
        Answer::Outside => return ResponseCode::Refused,
        // The asker tries another server, and remembers nothing.
        Answer::NotYetKnown => return ResponseCode::ServFail,
        Answer::Records { mut records, additionals } => {
            rotate(&mut records, query.query_type, response.metadata.id);
            (ResponseCode::NoError, records, None, additionals)
        }
        Answer::NoData { aliases } => (ResponseCode::NoError, aliases, soa, Vec::new()),
        Answer::NoSuchName { aliases } => (ResponseCode::NXDomain, aliases, soa, Vec::new()),
    };
    response.metadata.authoritative = true;
    response.add_answers(answers);
    response.add_authorities(authority);
    response.add_additionals(additionals);
    code
}

/// Begins with another record each time, so that askers who take the first one spread out. CNAMEs in
/// front stay there. The id is as random as it must be against forged responses.
fn rotate(records: &mut [Record], record_type: RecordType, id: u16) {
    if let Some(start) = records.iter().position(|record| record.record_type() == record_type) {
        let set = &mut records[start..];
        set.rotate_left(usize::from(id) % set.len());
    }
}

/// Encodes a response; when it does not fit into a datagram, one without records that says so. Half a
/// record set would be of no use, and this way there is always room for the OPT record (RFC 6891).
fn encode(response: &Message, max_bytes: u16, transport: Transport) -> Option<Vec<u8>> {
    let result = match encode_within(response, max_bytes) {
        Ok(bytes) if transport == Transport::Udp && is_truncated(&bytes) => {
            encode_within(&response.truncate(), max_bytes)
        }
        other => other,
    };
    result.inspect_err(|error| error!(%error, "failed to encode a response")).ok().or_else(|| {
        let Message { metadata, .. } = response;
        Message::error_msg(metadata.id, metadata.op_code, ResponseCode::ServFail).to_vec().ok()
    })
}

fn encode_within(response: &Message, max_bytes: u16) -> Result<Vec<u8>, hickory_proto::ProtoError> {
    let mut bytes = Vec::with_capacity(usize::from(MAX_PLAIN_UDP_BYTES));
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_max_size(max_bytes);
    response.emit(&mut encoder)?;
    Ok(bytes)
}

/// Whether the encoder had to leave something out: the TC bit (RFC 1035 section 4.1.1).
fn is_truncated(bytes: &[u8]) -> bool {
    bytes.get(2).is_some_and(|flags| flags & 0b0000_0010 != 0)
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::Name;
    use proptest::prelude::*;

    use super::*;

    fn records() -> Records {
        let records = Records::new("openmcp.cluster".parse().unwrap(), "/skydns".parse().unwrap());
        records.replace([]);
        records.apply("/skydns/cluster/openmcp/svc", Some(br#"{"host":"10.0.0.1","ttl":60}"#));
        for index in 0..200 {
            let json = format!(r#"{{"host":"10.0.1.{index}"}}"#);
            records.apply(&format!("/skydns/cluster/openmcp/many/{index:08x}"), Some(json.as_bytes()));
        }
        records
    }

    fn query(name: &str, record_type: RecordType) -> Message {
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), record_type));
        message
    }

    fn with_edns(mut message: Message, payload: u16, version: u8) -> Message {
        let mut edns = Edns::new();
        edns.set_max_payload(payload).set_version(version);
        message.set_edns(edns);
        message
    }

    fn ask(request: &Message, transport: Transport) -> Message {
        let bytes = respond(&records(), &request.to_vec().unwrap(), transport).unwrap();
        Message::from_vec(&bytes).unwrap()
    }

    #[test]
    fn an_answer_is_authoritative_and_keeps_the_case_of_the_question() {
        let response = ask(&query("SvC.OpenMCP.cluster.", RecordType::A), Transport::Udp);
        let metadata = response.metadata;
        assert!(metadata.authoritative && metadata.recursion_desired && !metadata.recursion_available);
        assert_eq!(response.queries[0].name.to_ascii(), "SvC.OpenMCP.cluster.");
        assert_eq!(response.answers[0].to_string(), "SvC.OpenMCP.cluster. 60 IN A 10.0.0.1");
        assert!(response.authorities.is_empty() && response.edns.is_none());
    }

    #[test]
    fn a_negative_answer_carries_the_soa_with_a_short_ttl() {
        for (name, code) in
            [("x.openmcp.cluster.", ResponseCode::NXDomain), ("svc.openmcp.cluster.", ResponseCode::NoError)]
        {
            let response = ask(&query(name, RecordType::AAAA), Transport::Udp);
            assert_eq!((response.metadata.response_code, response.answers.len()), (code, 0));
            let [soa] = response.authorities.as_slice() else { panic!("no SOA") };
            assert_eq!(
                (soa.record_type(), soa.name.to_ascii().as_str(), soa.ttl),
                (RecordType::SOA, "openmcp.cluster.", 5)
            );
        }
    }

    #[test]
    fn what_is_not_for_this_server_is_refused() {
        let mut chaos = query("svc.openmcp.cluster.", RecordType::TXT);
        chaos.queries[0].set_query_class(DNSClass::CH);
        let others = [
            query("example.com.", RecordType::A),
            query(".", RecordType::NS),
            query("openmcp.cluster.", RecordType::AXFR),
            chaos,
        ];
        for request in others {
            let response = ask(&request, Transport::Tcp);
            assert_eq!(response.metadata.response_code, ResponseCode::Refused, "{request:?}");
            assert!(!response.metadata.authoritative);
        }
    }

    #[test]
    fn other_operations_are_not_implemented() {
        for op_code in [OpCode::Update, OpCode::Notify, OpCode::Status, OpCode::Unknown(1)] {
            let mut request = query("openmcp.cluster.", RecordType::SOA);
            request.metadata.op_code = op_code;
            let response = ask(&request, Transport::Udp);
            assert_eq!(response.metadata.response_code, ResponseCode::NotImp, "{op_code}");
            assert_eq!(response.metadata.op_code, op_code);
        }
    }

    #[test]
    fn malformed_requests_are_told_so_and_what_is_no_request_is_not_answered() {
        let good = query("svc.openmcp.cluster.", RecordType::A).to_vec().unwrap();
        let code = |bytes: &[u8]| {
            respond(&records(), bytes, Transport::Udp)
                .map(|bytes| Message::from_vec(&bytes).unwrap().metadata.response_code)
        };
        assert_eq!(code(&good), Some(ResponseCode::NoError));
        assert_eq!(code(&good[..good.len() - 1]), Some(ResponseCode::FormErr));
        assert_eq!(code(&good[..12]), Some(ResponseCode::FormErr));
        assert_eq!(code(&good[..11]), None);
        assert_eq!(code(&[]), None);
        let mut response = good.clone();
        response[2] |= 0b1000_0000;
        assert_eq!(code(&response), None);
        let mut two = query("svc.openmcp.cluster.", RecordType::A);
        two.add_query(two.queries[0].clone());
        assert_eq!(code(&two.to_vec().unwrap()), Some(ResponseCode::FormErr));
        // A compression pointer to itself.
        let mut pointer = good[..12].to_vec();
        pointer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
        assert_eq!(code(&pointer), Some(ResponseCode::FormErr));
    }

    #[test]
    fn an_unknown_edns_version_is_refused_and_the_known_one_is_answered_with_ours() {
        let request = query("svc.openmcp.cluster.", RecordType::A);
        let response = ask(&with_edns(request.clone(), 4096, 0), Transport::Udp);
        let edns = response.edns.unwrap();
        assert_eq!((edns.version(), edns.max_payload(), response.answers.len()), (0, MAX_UDP_BYTES, 1));
        let response = ask(&with_edns(request, 4096, 1), Transport::Udp);
        assert_eq!(response.edns.unwrap().rcode_high(), 1);
        assert_eq!(response.metadata.response_code.high(), 1);
        assert!(response.answers.is_empty());
    }

    #[test]
    fn a_large_answer_is_cut_over_udp_and_whole_over_tcp() {
        let plain = query("many.openmcp.cluster.", RecordType::A);
        for request in [plain.clone(), with_edns(plain.clone(), 1232, 0), with_edns(plain.clone(), 65_535, 0)]
        {
            let response = ask(&request, Transport::Udp);
            assert!(response.metadata.truncation && response.answers.is_empty());
            assert_eq!(response.edns.is_some(), request.edns.is_some());
        }
        let response = ask(&plain, Transport::Tcp);
        assert!(!response.metadata.truncation);
        assert_eq!(response.answers.len(), 200);
    }

    #[test]
    fn askers_that_take_the_first_address_get_different_ones() {
        let mut request = query("many.openmcp.cluster.", RecordType::A);
        let mut first = |id| {
            request.metadata.id = id;
            ask(&request, Transport::Tcp).answers[0].data.to_string()
        };
        assert_eq!([first(0), first(1), first(201)], ["10.0.1.0", "10.0.1.1", "10.0.1.1"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_server_panic_or_answer_too_much(
            noise in prop::collection::vec(any::<u8>(), 0..80),
            mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            from_noise in any::<bool>(),
        ) {
            let records = records();
            let mut bytes = if from_noise {
                noise
            } else {
                with_edns(query("svc.openmcp.cluster.", RecordType::ANY), 4096, 0).to_vec().unwrap()
            };
            if !bytes.is_empty() {
                for (index, byte) in mutations {
                    let index = index.index(bytes.len());
                    bytes[index] = byte;
                }
            }
            let response = respond_or_panic(&records, &bytes, Transport::Udp);
            if let Some(response) = response {
                prop_assert!(response.len() <= usize::from(MAX_UDP_BYTES));
                prop_assert_eq!(&response[..2], &bytes[..2]);
                prop_assert!(Message::from_vec(&response).is_ok());
            }
        }
    }
}
