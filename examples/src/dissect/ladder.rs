//! The exchange as a sequence diagram: one lifeline per address, one arrow per frame.

use std::fmt::Write as _;

use super::node::{Node, Value};
use super::report::{Layer, Report};

const LEFT: usize = 130;
const COLUMN: usize = 560;
const TOP: usize = 64;
const MARGIN: usize = 40;

/// A run of frames that say the same (ESP packets, keepalives, VRRP) becomes one arrow.
struct Arrow<'a> {
    report: &'a Report,
    layer: &'a Layer,
    title: String,
    detail: Vec<String>,
    count: usize,
}

/// Draws the frames.
pub fn svg(reports: &[Report]) -> String {
    let mut people: Vec<&str> = Vec::new();
    let mut arrows: Vec<Arrow<'_>> = Vec::new();
    for report in reports {
        let Some(layer) = report.layers.first() else {
            continue;
        };
        for end in [&report.source, &report.destination] {
            let host = host(end);
            if !people.contains(&host) {
                people.push(host);
            }
        }
        let arrow = Arrow {
            report,
            layer,
            title: title(layer),
            detail: detail(report),
            count: 1,
        };
        match arrows.last_mut() {
            Some(last)
                if layer.exchange.is_none()
                    && last.title == arrow.title
                    && host(&last.report.source) == host(&report.source)
                    && host(&last.report.destination) == host(&report.destination) =>
            {
                last.count = last.count.saturating_add(1);
            }
            _ => arrows.push(arrow),
        }
    }
    draw(&people, &arrows)
}

fn draw(people: &[&str], arrows: &[Arrow<'_>]) -> String {
    let x = |who: &str| {
        let column = people.iter().position(|other| *other == who).unwrap_or(0);
        LEFT.saturating_add(MARGIN)
            .saturating_add(column.saturating_mul(COLUMN))
    };
    let rows = arrows
        .iter()
        .map(height)
        .fold(0usize, usize::saturating_add);
    let width = LEFT
        .saturating_add(MARGIN.saturating_mul(2))
        .saturating_add(people.len().saturating_sub(1).saturating_mul(COLUMN))
        .saturating_add(90);
    let bottom = TOP.saturating_add(30).saturating_add(rows);
    let total = bottom.saturating_add(24);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" width="{width}" height="{total}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif">
<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M0 0 L10 5 L0 10 z" fill="context-stroke"/></marker></defs>
<rect width="100%" height="100%" fill="#ffffff"/>
"##
    );
    for who in people {
        let x = x(who);
        let _ = writeln!(
            out,
            r##"<line x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}" stroke="#9aa5b1" stroke-width="1.5"/>"##
        );
        let half = who.len().saturating_mul(4).saturating_add(16);
        let _ = writeln!(
            out,
            r##"<rect x="{}" y="{}" width="{}" height="28" rx="6" fill="#1f3a5f"/><text x="{x}" y="{}" text-anchor="middle" font-size="14" font-weight="bold" fill="#ffffff">{}</text>"##,
            x.saturating_sub(half),
            TOP.saturating_sub(40),
            half.saturating_mul(2),
            TOP.saturating_sub(21),
            escaped(who)
        );
    }
    let begin = arrows
        .first()
        .map_or(std::time::Duration::ZERO, |arrow| arrow.report.time);
    let mut y = TOP.saturating_add(20);
    for arrow in arrows {
        let height = height(arrow);
        let line_y = y.saturating_add(height).saturating_sub(14);
        let (from, to) = (
            x(host(&arrow.report.source)),
            x(host(&arrow.report.destination)),
        );
        let middle = from.midpoint(to);
        let colour = colour(arrow.layer);
        let seconds = arrow.report.time.saturating_sub(begin);
        let _ = writeln!(
            out,
            r##"<text x="12" y="{}" font-size="12" fill="#52606d">#{} +{}.{:03} s</text>"##,
            line_y.saturating_add(4),
            arrow.report.frame,
            seconds.as_secs(),
            seconds.subsec_millis()
        );
        if arrow.layer.error.is_some() && from == to {
            continue;
        }
        let dash = if arrow.layer.exchange.is_none() {
            r#" stroke-dasharray="6 4""#
        } else {
            ""
        };
        let _ = writeln!(
            out,
            r##"<line x1="{from}" y1="{line_y}" x2="{to}" y2="{line_y}" stroke="{colour}" stroke-width="2"{dash} marker-end="url(#head)"/>"##
        );
        let times = if arrow.count > 1 {
            format!(" × {}", arrow.count)
        } else {
            String::new()
        };
        let mut text_y = y.saturating_add(12);
        let _ = writeln!(
            out,
            r##"<text x="{middle}" y="{text_y}" text-anchor="middle" font-size="13" font-weight="bold" fill="{colour}">{}{times}</text>"##,
            escaped(&arrow.title)
        );
        for line in &arrow.detail {
            text_y = text_y.saturating_add(15);
            let _ = writeln!(
                out,
                r##"<text x="{middle}" y="{text_y}" text-anchor="middle" font-size="12" fill="#323f4b">{}</text>"##,
                escaped(line)
            );
        }
        y = y.saturating_add(height);
    }
    out.push_str("</svg>\n");
    out
}

fn height(arrow: &Arrow<'_>) -> usize {
    arrow.detail.len().saturating_mul(15).saturating_add(36)
}

fn colour(layer: &Layer) -> &'static str {
    match (layer.error.is_some(), layer.decrypted, layer.protocol) {
        (true, ..) => "#c81e1e",
        (_, true, "ISAKMP") => "#0b6e4f",
        (_, _, "ISAKMP") => "#1d4e89",
        (_, _, "ESP" | "AH") => "#7b3fa0",
        _ => "#7a5c00",
    }
}

fn title(layer: &Layer) -> String {
    let lock = if layer.decrypted { " (decrypted)" } else { "" };
    match &layer.exchange {
        Some(exchange) => format!("{exchange}{lock}"),
        None => match layer
            .fields
            .iter()
            .find(|field| field.name == "Security Parameters Index")
        {
            Some(Node {
                meaning: Some(spi), ..
            }) => format!("{} {spi}{lock}", layer.protocol),
            _ => layer.protocol.into(),
        },
    }
}

/// Payloads (wrapped), what the decrypted packet is, what was refused.
fn detail(report: &Report) -> Vec<String> {
    let Some((layer, inner)) = report.layers.split_first() else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    let mut line = String::new();
    for payload in &layer.payloads {
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(payload);
        if line.chars().count() > 66 {
            lines.push(std::mem::take(&mut line));
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    if !inner.is_empty() {
        let inside: Vec<String> = inner.iter().map(inside).collect();
        lines.push(inside.join(" · "));
    }
    if let Some(note) = &layer.note {
        lines.push(note.chars().take(90).collect());
    }
    if let Some(error) = &layer.error {
        lines.push(format!(
            "✗ {}",
            error.message.chars().take(90).collect::<String>()
        ));
    }
    lines
}

fn inside(layer: &Layer) -> String {
    let text = |name| {
        layer
            .fields
            .iter()
            .find(|field| field.name == name)
            .and_then(|field| match &field.value {
                Value::Text(text) => Some(text.as_str()),
                _ => None,
            })
    };
    match (text("Source Address"), text("Destination Address")) {
        (Some(source), Some(destination)) => format!("{source} → {destination}"),
        _ => layer.protocol.into(),
    }
}

/// The address without its port.
fn host(end: &str) -> &str {
    match end.rsplit_once(':') {
        // `192.0.2.1:500`, `[2001:db8::1]:500`; a bare IPv6 address has more than one colon.
        Some((host, _)) if !host.contains(':') || host.starts_with('[') => {
            host.trim_start_matches('[').trim_end_matches(']')
        }
        _ => end,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
