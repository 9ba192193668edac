//! Values of CoreDNS's Helm chart, changed in their text: an entry in the list `servers`, from which the chart renders the
//! Corefile (<https://github.com/coredns/helm>). Helm replaces lists as a whole: where no list is there, ours has the servers
//! that the Corefile has now beside the one for the zone.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::{Map, Value};

use super::Order;
use crate::corefile::{Corefile, Plugin, ServerBlock};
use crate::name::HostName;

const BEGIN: &str = "# BEGIN openmcp-dns managed - do not edit: ";
const END: &str = "# END openmcp-dns managed";

/// The text with our entry; `None` where it is there. `corefile` is what the chart has rendered last.
///
/// # Errors
/// Says in words why the text is to stay as it is.
pub(super) fn with(text: &str, corefile: &str, order: Order<'_>) -> Result<Option<String>, String> {
    let zone = order.zone;
    let ours = span(text, zone)?;
    let rest = ours.as_ref().map_or_else(|| text.to_owned(), |span| without_span(text, span));
    let before = values(&rest)?;
    let listed =
        before.get("servers").map(|servers| servers.as_array().ok_or("servers is no list")).transpose()?;
    if listed.is_some_and(|servers| servers.iter().any(|server| serves(server, zone))) {
        return Err("servers has the zone already, and that entry is not ours".to_owned());
    }
    let parsed = Corefile::parse(corefile).map_err(|error| error.to_string())?;
    let port = root_port(&parsed)?;
    let wanted = forwarding(order, port);
    if ours.is_some() && values(text)?["servers"].as_array().is_some_and(|all| all.contains(&wanted)) {
        return Ok(None);
    }
    let (after, servers) = match listed {
        Some(servers) => (inserted(&rest, zone, &wanted)?, [&[wanted], servers.as_slice()].concat()),
        None => {
            let mut servers = rendered(corefile, &parsed, zone)?;
            servers.push(wanted);
            (appended(&rest, zone, &servers), servers)
        }
    };
    let mut expected = before;
    expected.insert("servers".to_owned(), Value::from(servers));
    if values(&after)? != expected {
        return Err("the list servers is written in a way that is not understood".to_owned());
    }
    Ok(Some(after))
}

/// The text without our lines; `None` where there are none.
///
/// # Errors
/// Says in words why the text is to stay as it is.
pub(super) fn without(text: &str, zone: &HostName) -> Result<Option<String>, String> {
    Ok(span(text, zone)?.map(|span| without_span(text, &span)))
}

/// Our lines with their markers.
fn span(text: &str, zone: &HostName) -> Result<Option<Range<usize>>, String> {
    let marker = format!("{BEGIN}{zone}");
    let mut start = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        match (line.trim(), start) {
            (line, None) if line == marker => start = Some(at),
            (line, Some(start)) if line == END => {
                return Ok(Some(start..at + text[at..].find('\n').map_or(text.len() - at, |end| end + 1)));
            }
            _ => {}
        }
        at += line.len();
    }
    start.map_or(Ok(None), |_| Err(format!("the line {marker:?} has no {END:?}")))
}

fn without_span(text: &str, span: &Range<usize>) -> String {
    [&text[..span.start], &text[span.end..]].concat()
}

fn values(text: &str) -> Result<Map<String, Value>, String> {
    match serde_saphyr::from_str::<Option<Map<String, Value>>>(text) {
        Ok(values) => Ok(values.unwrap_or_default()),
        Err(_) if is_blank(text) => Ok(Map::new()),
        Err(error) => Err(format!("it is no YAML with values: {error}")),
    }
}

/// Whether a text has nothing but comments.
fn is_blank(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
}

fn serves(server: &Value, zone: &HostName) -> bool {
    let zones = server["zones"].as_array().map(Vec::as_slice).unwrap_or_default();
    zones.iter().filter_map(|entry| entry["zone"].as_str()).any(|name| is_zone(name, zone))
}

fn is_zone(name: &str, zone: &HostName) -> bool {
    name.trim_end_matches('.').eq_ignore_ascii_case(zone.as_str())
}

/// The entry for the zone.
fn forwarding(order: Order<'_>, port: u16) -> Value {
    let servers = order.upstreams().join(" ");
    serde_json::json!({
        "zones": [{"zone": order.zone.as_str()}],
        "port": port,
        "plugins": [
            {"name": "errors"},
            {"name": "cache", "parameters": "30", "configBlock": "denial 9984 5"},
            {"name": "forward", "parameters": format!(". {servers}")},
        ],
    })
}

/// The first item of the list that is there.
fn inserted(text: &str, zone: &HostName, wanted: &Value) -> Result<String, String> {
    let mut at = 0;
    let mut lines = text.split_inclusive('\n');
    for line in lines.by_ref() {
        at += line.len();
        if line.split('#').next().unwrap_or_default().trim_end() == "servers:" && line.ends_with('\n') {
            let first = lines.find(|line| !is_blank(line)).unwrap_or_default();
            let indent = first.len() - first.trim_start().len();
            return Ok([&text[..at], &marked(zone, std::slice::from_ref(wanted), indent, None), &text[at..]]
                .concat());
        }
    }
    Err("the list servers is not written line by line".to_owned())
}

/// A list of its own at the end.
fn appended(text: &str, zone: &HostName, servers: &[Value]) -> String {
    let line_break = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    [text, line_break, &marked(zone, servers, 0, Some("servers:"))].concat()
}

fn marked(zone: &HostName, servers: &[Value], indent: usize, head: Option<&str>) -> String {
    let mut lines = vec![format!("{BEGIN}{zone}")];
    lines.extend(head.map(str::to_owned));
    for server in servers {
        let plain = |value: &Value| value.to_string();
        let zones = server["zones"].as_array().map(Vec::as_slice).unwrap_or_default();
        lines.push("- zones:".to_owned());
        lines.extend(zones.iter().map(|entry| format!("  - zone: {}", plain(&entry["zone"]))));
        lines.push(format!("  port: {}", plain(&server["port"])));
        lines.push("  plugins:".to_owned());
        for plugin in server["plugins"].as_array().map(Vec::as_slice).unwrap_or_default() {
            lines.push(format!("  - name: {}", plain(&plugin["name"])));
            for key in ["parameters", "configBlock"] {
                lines.extend(plugin.get(key).map(|value| format!("    {key}: {}", plain(value))));
            }
        }
    }
    lines.push(END.to_owned());
    lines.into_iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{:indent$}{line}", "");
        text
    })
}

/// The servers of a Corefile but for the zone's, as the chart has them.
fn rendered(text: &str, corefile: &Corefile, zone: &HostName) -> Result<Vec<Value>, String> {
    if let Some(import) = corefile.file_imports.first() {
        return Err(format!("the Corefile imports {}, which the chart has no value for", import.pattern));
    }
    let others =
        corefile.blocks.iter().filter(|block| !block.keys.iter().any(|key| is_zone(split(key).0, zone)));
    others.map(|block| server(text, block)).collect()
}

fn server(text: &str, block: &ServerBlock) -> Result<Value, String> {
    let not_understood =
        |what: &str| format!("{what} on line {} of the Corefile has no value in the chart", block.line);
    if block.keys.iter().any(|key| key.contains("://")) {
        return Err(not_understood("the transport"));
    }
    let mut ports: Vec<u16> = block.keys.iter().map(|key| split(key).1).collect();
    ports.dedup();
    let [port] = ports[..] else { return Err(not_understood("a second port")) };
    let zones: Vec<Value> = block.keys.iter().map(|key| serde_json::json!({"zone": split(key).0})).collect();
    let plugins: Option<Vec<Value>> = block.plugins.iter().map(|found| plugin(text, found)).collect();
    let plugins = plugins.ok_or_else(|| not_understood("a plugin of the server"))?;
    Ok(serde_json::json!({"zones": zones, "port": port, "plugins": plugins}))
}

/// `None` where it has no form in the chart.
fn plugin(text: &str, plugin: &Plugin) -> Option<Value> {
    let text = text[plugin.span.clone()?].trim_end();
    // A template of Helm would be taken for one.
    if text.contains("{{") {
        return None;
    }
    let (head, inner) = match text.split_once('\n') {
        None => (text, None),
        Some((head, rest)) => (head.trim_end().strip_suffix('{')?, Some(rest.strip_suffix('}')?)),
    };
    if head.contains(['{', '#']) && !head.contains("{$") {
        return None;
    }
    let mut entry = Map::new();
    entry.insert("name".to_owned(), Value::from(plugin.name.as_str()));
    let parameters = head.trim().strip_prefix(plugin.name.as_str())?.trim();
    if !parameters.is_empty() {
        entry.insert("parameters".to_owned(), Value::from(parameters));
    }
    if let Some(inner) = inner {
        let lines: Vec<&str> = inner.lines().filter(|line| !line.trim().is_empty()).collect();
        let indent = lines.iter().map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
        let lines: Vec<&str> = lines.iter().map(|line| line[indent..].trim_end()).collect();
        entry.insert("configBlock".to_owned(), Value::from(lines.join("\n")));
    }
    Some(Value::from(entry))
}

fn root_port(corefile: &Corefile) -> Result<u16, String> {
    let mut keys = corefile.blocks.iter().flat_map(|block| &block.keys);
    let root = keys.find(|key| matches!(split(key).0, "" | "."));
    root.map(|key| split(key).1).ok_or_else(|| "no server of the Corefile serves the root zone".to_owned())
}

/// Zone and port of a key.
fn split(key: &str) -> (&str, u16) {
    let port = key.rsplit_once(':').and_then(|(zone, port)| Some((zone, port.parse().ok()?)));
    port.unwrap_or((key, 53))
}
