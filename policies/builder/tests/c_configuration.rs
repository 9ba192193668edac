//! The reader of JSON that guests in C are scaffolded with, held against serde_json on texts that somebody made to
//! break it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use openmcp_dns_policy::{ConfigurationError, Engine, Limits, Module};
use serde::Deserialize;

fn tenant_guard() -> Module {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tenant-guard/tenant-guard.wasm");
    Engine::new(Limits::default()).unwrap().compile(&std::fs::read(file).unwrap()).unwrap()
}

/// What `policies/tenant-guard/src/configuration.c` says, once more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Configuration {
    exempt_namespaces: Option<Vec<String>>,
    ttl_seconds: Option<u32>,
    #[allow(dead_code, reason = "only its type counts")]
    wildcards: Option<bool>,
}

fn is_fine(text: &str) -> bool {
    // A list of the fields' values would be one for serde.
    let object = text.trim_start().starts_with('{');
    object
        && serde_json::from_str(text).is_ok_and(|configuration| {
            let Configuration { exempt_namespaces, ttl_seconds, wildcards: _ } = configuration;
            let namespaces = exempt_namespaces.unwrap_or_default();
            let fine = namespaces.len() <= 256 && namespaces.iter().all(|namespace| !namespace.is_empty());
            fine && ttl_seconds.is_none_or(|seconds| (1..=86400).contains(&seconds))
        })
}

/// The guest answers, and as it should.
#[track_caller]
fn check(module: &Module, text: &str) {
    match module.check_configuration(text) {
        Ok(()) => assert!(is_fine(text), "taken: {text:?}"),
        Err(ConfigurationError::Refused { message, .. }) => {
            assert!(!is_fine(text), "refused: {text:?}: {message}");
            assert!(!message.is_empty());
        }
        Err(error) => panic!("{text:?}: {error:?}"),
    }
}

#[test]
fn texts_at_the_edges_of_the_grammar_are_taken_or_refused_as_by_serde_json() {
    let module = tenant_guard();
    for value in [
        "1",
        "86400",
        "86401",
        "0",
        "-1",
        "-0",
        "01",
        "1.0",
        "1e2",
        "1E",
        "4294967295",
        "4294967296",
        "18446744073709551617",
        "999999999999999999999999",
        "",
        " 7 ",
        "null",
        "nul",
        "nulll",
        "true",
        "+1",
        "0x1",
        "{}",
    ] {
        check(&module, &format!("{{\"ttlSeconds\":{value}}}"));
        check(&module, &format!("{{\"ttlSeconds\":{value},\"wildcards\":true}}"));
    }
    for item in [
        "\"a\"",
        "\"\"",
        "\"\\\"\"",
        "\"\\u0061\"",
        "\"\\u00e9\"",
        "\"\\u20ac\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\n\"",
        "\"\\ud83d\\u0061\"",
        "\"\\ude00\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\x\"",
        "\"\\\"",
        "\"\\",
        "\"",
        "\"\t\"",
        "\"\u{0}\"",
        "\"\u{7f}\"",
        "\"é😀\"",
        "a",
        "1",
        "[]",
        "null",
        "\"a\"]",
        "\"a\",",
        ",\"a\"",
        "\"a\" \"b\"",
        "\"a\",\n\"b\"",
        "\"\\b\\f\\n\\r\\t\\/\\\\\"",
    ] {
        check(&module, &format!("{{\"exemptNamespaces\":[{item}]}}"));
    }
    for text in [
        "",
        " ",
        "{",
        "}",
        "{}",
        " {} ",
        "{}x",
        "{}{}",
        "[]",
        "\"\"",
        "null",
        "1",
        "\u{feff}{}",
        "{}\u{0}",
        "\u{0}",
        "{,}",
        "{\"wildcards\"}",
        "{\"wildcards\":}",
        "{\"wildcards\":true,}",
        "{\"wildcards\":true \"ttlSeconds\":1}",
        "{wildcards:true}",
        "{'wildcards':true}",
        "{\"wildcards\":true,\"wildcards\":true}",
        "{\"wildcards\":null,\"wildcards\":true}",
        "{\"wild\\u0063ards\":false}",
        "{\"wildcards\":tru",
        "{\"wildcards\":falsetrue}",
        "{\"Wildcards\":true}",
        "{\"\":1}",
        "{\"a\\u0000\":1}",
        "{\"wildcards\" :\ttrue\r\n}",
    ] {
        check(&module, text);
    }
}

#[test]
fn a_configuration_as_long_as_it_may_be_is_read_within_the_fuel_of_a_question() {
    let module = tenant_guard();
    let most = 64 << 10;
    for (start, again, end) in [
        ("", "[", ""),
        ("", "{\"a\":", ""),
        ("{", " ", "}"),
        ("{\"ttlSeconds\":", "9", "}"),
        ("{\"ttlSeconds\":", "0", "1}"),
        ("{\"exemptNamespaces\":", "[", ""),
        ("{\"exemptNamespaces\":[\"a\"", ",\"a\"", "]}"),
        ("{\"exemptNamespaces\":[\"", "a", "\"]}"),
        ("{\"exemptNamespaces\":[\"", "\\u0061", "\"]}"),
        ("{\"exemptNamespaces\":[\"", "\\\\", "\"]}"),
        ("{\"exemptNamespaces\":[\"", "\\", ""),
        ("{\"", "\\u0061", "\":1}"),
        ("{\"", "a", ""),
    ] {
        let count = (most - start.len() - end.len()) / again.len();
        check(&module, &format!("{start}{}{end}", again.repeat(count)));
    }
    for namespaces in [256, 257] {
        check(&module, &format!("{{\"exemptNamespaces\":[{}]}}", vec!["\"a\\t\""; namespaces].join(",")));
    }
}

#[test]
fn texts_that_were_changed_at_random_are_taken_or_refused_as_by_serde_json() {
    const TEXTS: [&str; 3] = [
        "{\"ttlSeconds\": 300, \"wildcards\": false, \"exemptNamespaces\": [\"a\", \"b-c\"]}",
        "{\"exemptNamespaces\":[\"\\u00e9\\n\",\"\\ud83d\\ude00\"],\"ttlSeconds\":1}",
        "{ \"wildcards\" : null , \"ttlSeconds\" : 86400 }",
    ];
    const PIECES: [&str; 24] = [
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "0",
        "9",
        "-",
        ".",
        "e",
        "null",
        "true",
        "\\u",
        "\\ud83d",
        "\\ude00",
        "a",
        "é",
        "\u{1}",
        "\"wildcards\":",
        "\"ttlSeconds\":1",
    ];
    let module = tenant_guard();
    // Always the same numbers (xorshift, Marsaglia 2003), so that a failure comes again.
    let mut state = 88_172_645_463_325_252_u64;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % bound as u64).unwrap()
    };
    let (mut taken, mut refused) = (0, 0);
    for round in 0..6000 {
        let mut characters: Vec<char> = TEXTS[round % TEXTS.len()].chars().collect();
        for _ in 0..=below(3) {
            let at = below(characters.len());
            let removed = if below(2) == 0 { 0 } else { below(4).min(characters.len() - at) };
            let piece = if below(3) == 0 { "" } else { PIECES[below(PIECES.len())] };
            characters.splice(at..at + removed, piece.chars());
            characters.push(' ');
        }
        let text: String = characters.into_iter().collect();
        check(&module, &text);
        *(if is_fine(&text) { &mut taken } else { &mut refused }) += 1;
    }
    assert!(taken > 100 && refused > 1000, "{taken} were taken, {refused} refused");
}
