//! Questions and answers as they go over TCP: each with its length in front (RFC 1035, section 4.2.2).

use std::collections::BTreeSet;

use hickory_resolver::proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use openmcp_dns_core::expectation::Answer;

/// How many bytes say how long a message is.
const LENGTH: usize = 2;

/// A name that is complete: nothing is appended to it.
pub(super) fn complete(name: &str) -> Result<Name, String> {
    Name::from_ascii(format!("{}.", name.trim_end_matches('.')))
        .map_err(|error| format!("{name:?} cannot be asked for: {error}"))
}

/// A question as it is sent.
///
/// # Errors
/// When the name is none.
pub fn question(id: u16, name: &str, record_type: RecordType) -> Result<Vec<u8>, String> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(complete(name)?, record_type));
    let bytes = message.to_vec().map_err(|error| error.to_string())?;
    let length = u16::try_from(bytes.len()).map_err(|error| error.to_string())?;
    Ok([&length.to_be_bytes(), bytes.as_slice()].concat())
}

/// Takes the answer to a question out of what was received; `None` while it has not come. What belongs to another question is left out.
pub fn answer(received: &mut Vec<u8>, id: u16, record_type: RecordType) -> Option<Answer> {
    loop {
        let length = usize::from(u16::from_be_bytes(received.get(..LENGTH)?.try_into().ok()?));
        let message = received.get(LENGTH..LENGTH + length)?;
        let message = Message::from_vec(message);
        received.drain(..LENGTH + length);
        match message {
            Err(error) => return Some(Answer::Silence(format!("what was answered is not DNS: {error}"))),
            Ok(message) if message.metadata.id == id => return Some(read(&message, record_type)),
            Ok(_) => {}
        }
    }
}

/// What a message answers.
pub(super) fn read(message: &Message, record_type: RecordType) -> Answer {
    match message.metadata.response_code {
        ResponseCode::NoError if message.answers.is_empty() => return Answer::NoData,
        ResponseCode::NoError => {}
        code => return failure(code),
    }
    let mut values = BTreeSet::new();
    let mut cnames = BTreeSet::new();
    for record in &message.answers {
        match &record.data {
            RData::CNAME(target) if record_type != RecordType::CNAME => {
                cnames.insert(undotted(&target.0));
            }
            data if record.record_type() == record_type => {
                values.insert(text(data));
            }
            _ => {}
        }
    }
    Answer::Records { values, cnames }
}

/// What a response code says where no record was found.
pub(super) fn failure(code: ResponseCode) -> Answer {
    match code {
        ResponseCode::NXDomain => Answer::NoSuchName,
        ResponseCode::NoError => Answer::NoData,
        code => Answer::Failure(mnemonic(code)),
    }
}

/// Codes as `dig` shows them.
fn mnemonic(code: ResponseCode) -> String {
    match code {
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        other => other.to_string(),
    }
}

/// A value in the form in which record values are shown everywhere else.
fn text(data: &RData) -> String {
    match data {
        RData::CNAME(target) => undotted(&target.0),
        RData::PTR(host) => undotted(&host.0),
        RData::SRV(SRV { priority, weight, port, target, .. }) => {
            format!("{priority} {weight} {port} {}", undotted(target))
        }
        RData::TXT(txt) => {
            let bytes: Vec<u8> = txt.txt_data.iter().flat_map(|part| part.iter().copied()).collect();
            format!("{:?}", String::from_utf8_lossy(&bytes))
        }
        other => other.to_string(),
    }
}

fn undotted(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use hickory_resolver::proto::rr::Record;

    use super::*;

    fn answered(id: u16, code: ResponseCode, addresses: &[[u8; 4]]) -> Vec<u8> {
        let mut message = Message::error_msg(id, OpCode::Query, code);
        for address in addresses {
            let data = RData::A(Ipv4Addr::from(*address).into());
            message.add_answer(Record::from_rdata(complete("a.example").unwrap(), 5, data));
        }
        let bytes = message.to_vec().unwrap();
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes.as_slice()].concat()
    }

    #[test]
    fn an_answer_is_taken_as_soon_as_it_is_whole_and_others_are_left_out() {
        let asked = question(7, ".", RecordType::NS).unwrap();
        assert_eq!(asked.len(), usize::from(asked[1]) + LENGTH);
        assert!(question(7, "a..b", RecordType::A).is_err());
        let stream = [
            answered(6, ResponseCode::ServFail, &[]),
            answered(7, ResponseCode::NoError, &[[10, 0, 0, 1]]),
            answered(8, ResponseCode::NXDomain, &[]),
        ]
        .concat();
        let (mut received, mut found) = (Vec::new(), Vec::new());
        for byte in stream {
            received.push(byte);
            found.extend(answer(&mut received, 7 + u16::from(!found.is_empty()), RecordType::A));
        }
        let records = Answer::Records { values: ["10.0.0.1".to_owned()].into(), cnames: BTreeSet::new() };
        assert_eq!(found, [records, Answer::NoSuchName]);
        assert!(received.is_empty());
    }

    #[test]
    fn an_answer_says_why_there_is_no_record() {
        for (code, expected) in [
            (ResponseCode::NoError, Answer::NoData),
            (ResponseCode::NXDomain, Answer::NoSuchName),
            (ResponseCode::Refused, Answer::Failure("REFUSED".to_owned())),
        ] {
            assert_eq!(answer(&mut answered(7, code, &[]), 7, RecordType::A), Some(expected));
        }
        let nonsense = answer(&mut vec![0, 3, 1, 2, 3], 7, RecordType::A);
        assert!(matches!(&nonsense, Some(Answer::Silence(why)) if why.contains("not DNS")), "{nonsense:?}");
    }
}
