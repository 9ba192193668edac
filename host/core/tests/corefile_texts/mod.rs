//! Corefiles that are made up: such as CoreDNS can read, and pieces that make trouble.

#![allow(unreachable_pub, reason = "a test has no outside; here `pub` says what the tests use")]

use proptest::prelude::*;
use proptest::sample::select;

const BLOCK: &str = "\
# BEGIN openmcp-dns managed - do not edit
openmcp.cluster:53 {
    errors
    cache 30 {
        denial 9984 5
    }
    forward . 172.18.200.3:53
}
# END openmcp-dns managed
";

/// Blanks and comments between two things.
fn trivia() -> impl Strategy<Value = String> {
    let piece = select(vec!["\n", "\n\n", "# note\n", "  # } { \"\n", "\t\n", "#start\n", "\u{a0}\n"]);
    prop::collection::vec(piece, 0..3).prop_map(|pieces| pieces.concat())
}

/// One plugin on lines of its own.
fn plugin() -> impl Strategy<Value = &'static str> {
    select(vec![
        "errors",
        "cache 30 { success 100 }",
        "forward . 8.8.8.8#google dns",
        "forward . /etc/resolv.conf {\n       max_concurrent 1000\n    }",
        "log \"a } \\\" b\n}\" # quoted",
        "import snippet",
        "import custom/*.override",
        "bind 10.0.0.1 {$POD_IP} # here",
        "bind eth0 {\n       # the } second\n       except \"10.0.0.2\"\n    }",
        "template IN A example.org {\n       answer \"{{ .Name }} 60 IN A {$IP}\"\n    }",
        "kubernetes cluster.local in-addr.arpa {\n      pods insecure\n    }",
    ])
}

fn server(keys: &'static [&'static str]) -> impl Strategy<Value = String> {
    let plugins = prop::collection::vec((plugin(), select(vec!["    ", "\t", ""])), 0..5);
    let open = select(vec![" {\n", "\n{\n", " { # open\n"]);
    let close = select(vec!["}\n", "  }\n", "} # closed\n", "} "]);
    (select(keys), open, plugins, close).prop_map(|(keys, open, plugins, close)| {
        let plugins: String = plugins.into_iter().map(|(text, indent)| format!("{indent}{text}\n")).collect();
        format!("{keys}{open}{plugins}{close}")
    })
}

/// A Corefile that CoreDNS can read, with a server for the root zone and without our zone.
pub fn corefile() -> impl Strategy<Value = String> {
    const OTHERS: &[&str] = &[
        "example.org",
        "a.example b.example:5300",
        "c.example,\n  d.example",
        "\"quoted.example\"",
        "tls://openmcp.cluster",
        "openmcp.cluster:5300",
        "wl01.openmcp.cluster:53",
        "cluster:53",
        "10.0.0.0/24",
        "{$OTHER}.example:53",
    ];
    let others = || {
        let other = (trivia(), server(OTHERS)).prop_map(|(trivia, server)| trivia + &server);
        prop::collection::vec(other, 0..3).prop_map(|servers| servers.concat())
    };
    let root = server(&[".:53", ".", "dns://.:53", "example.com .:53", ":53"]);
    let start = select(vec!["", "\u{feff}"]);
    let snippet = "(snippet) {\n    errors\n    log\n}\n";
    let tail = select(vec!["", "\n", "import custom/*.server\n", "# end", "\n  "]);
    (start, trivia(), others(), trivia(), root, others(), trivia(), tail, any::<bool>()).prop_map(
        move |(start, first, before, second, root, after, third, tail, windows)| {
            // An import counts only at the start of a line.
            let third = format!("\n{third}");
            let text = [start, &first, snippet, &before, &second, &root, &after, &third, tail].concat();
            if windows { text.replace('\n', "\r\n") } else { text }
        },
    )
}

/// Pieces that Corefiles are made of, the troublesome ones more often than in life.
pub fn piece() -> impl Strategy<Value = &'static str> {
    select(vec![
        ".:53 {\n    errors\n}\n",
        ". {\n  forward . 9.9.9.9#quad nine\n} ",
        ".:53 {\r\n    bind 10.0.0.1\r\n}\r\n",
        "openmcp.cluster:53 {\n    forward . 10.0.0.1\n}\n",
        "openmcp.cluster {\n    file db\n}\n",
        "openmcp.cluster {\nerrors\ncache 30 {\ndenial 9984 5\n}\nforward . 10.0.0.1:53\n}",
        BLOCK,
        "# BEGIN openmcp-dns managed - do not edit\n",
        "# END openmcp-dns managed\n",
        "(snip) {\n    errors\n}\n",
        "import snip\n",
        "import *.server\n",
        "example.org example.net,\n example.com {\n    log \"a\n}\" {\n x \n}\n}\n",
        "{$ZONE} {\n whoami\n}\n",
        "# comment\n",
        "{",
        "}",
        "\"",
        "#",
        "\\",
        ",",
        " ",
        "\n",
        "\r\n",
        "\u{feff}",
        "\u{a0}",
        "é",
    ])
}
