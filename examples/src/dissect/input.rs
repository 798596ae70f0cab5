//! Frames out of a pcap, a pcapng or a hex text.

use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcap::PcapParser;
use pcap_file::pcapng::blocks::block_common::Block;
use pcap_file::pcapng::{PcapNgParser, PcapNgState};
use thiserror::Error;

/// How the bytes of a frame start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// As the capture file says.
    Captured(DataLink),
    /// Hex text that may be a bare ISAKMP message.
    Unknown,
}

/// A frame as it was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Number in the file, from 1.
    pub number: u64,
    /// Time stamp since the Unix epoch; zero for hex.
    pub time: Duration,
    /// Link layer.
    pub link: Link,
    /// The octets that were captured.
    pub data: Vec<u8>,
    /// Octets the frame had on the wire.
    pub original_len: usize,
}

/// A file that cannot be read on.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum InputError {
    /// The capture file is damaged.
    #[error("{format} file damaged at octet {offset}: {why}")]
    Damaged {
        /// `pcap` or `pcapng`.
        format: &'static str,
        /// Octets read before.
        offset: usize,
        /// What the reader says.
        why: String,
    },
    /// Neither a capture nor hex.
    #[error("neither pcap nor pcapng nor hex: {why} in line {line}")]
    Hex {
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// All frames up to the first fault, and the fault.
pub fn frames(bytes: &[u8]) -> (Vec<Frame>, Option<InputError>) {
    match bytes.first_chunk() {
        Some([0xa1, 0xb2, 0xc3, 0xd4] | [0xd4, 0xc3, 0xb2, 0xa1]) => pcap(bytes),
        Some([0xa1, 0xb2, 0x3c, 0x4d] | [0x4d, 0x3c, 0xb2, 0xa1]) => pcap(bytes),
        Some([0x0a, 0x0d, 0x0d, 0x0a]) => pcapng(bytes),
        _ => hex_text(bytes),
    }
}

fn pcap(bytes: &[u8]) -> (Vec<Frame>, Option<InputError>) {
    let mut frames = Vec::new();
    let damaged = |rest: &[u8], why: String| InputError::Damaged {
        format: "pcap",
        offset: bytes.len().saturating_sub(rest.len()),
        why,
    };
    let (mut rest, parser) = match PcapParser::new(bytes) {
        Ok(start) => start,
        Err(error) => return (frames, Some(damaged(bytes, error.to_string()))),
    };
    let header = parser.header();
    while !rest.is_empty() {
        // The raw form: snap lengths and fractions of a second are often wrong in real files.
        match parser.next_raw_packet(rest) {
            Ok((tail, packet)) => {
                let nanos = match header.ts_resolution {
                    pcap_file::pcap::PcapTsResolution::NanoSecond => u64::from(packet.ts_frac),
                    _ => u64::from(packet.ts_frac).saturating_mul(1000),
                };
                let time = Duration::from_secs(packet.ts_sec.into())
                    .saturating_add(Duration::from_nanos(nanos));
                frames.push(Frame {
                    number: number(frames.len()),
                    time,
                    link: Link::Captured(header.datalink),
                    data: packet.data.to_vec(),
                    original_len: usize::try_from(packet.orig_len).unwrap_or(usize::MAX),
                });
                if tail.len() >= rest.len() {
                    return (frames, Some(damaged(rest, "no progress".into())));
                }
                rest = tail;
            }
            Err(error) => return (frames, Some(damaged(rest, error.to_string()))),
        }
    }
    (frames, None)
}

fn pcapng(bytes: &[u8]) -> (Vec<Frame>, Option<InputError>) {
    let mut frames = Vec::new();
    let damaged = |rest: &[u8], why: String| InputError::Damaged {
        format: "pcapng",
        offset: bytes.len().saturating_sub(rest.len()),
        why,
    };
    let (mut rest, mut parser) = match PcapNgParser::new(bytes) {
        Ok(start) => start,
        Err(error) => return (frames, Some(damaged(bytes, error.to_string()))),
    };
    while !rest.is_empty() {
        let (tail, block) = match parser.next_block(rest) {
            Ok(next) => next,
            Err(error) => return (frames, Some(damaged(rest, error.to_string()))),
        };
        if tail.len() >= rest.len() {
            return (frames, Some(damaged(rest, "no progress".into())));
        }
        rest = tail;
        let state = parser.state();
        match block {
            Block::EnhancedPacket(packet) => frames.push(Frame {
                number: number(frames.len()),
                time: packet.timestamp,
                link: link_of(
                    state,
                    usize::try_from(packet.interface_id).unwrap_or(usize::MAX),
                ),
                original_len: usize::try_from(packet.original_len).unwrap_or(usize::MAX),
                data: packet.data.to_vec(),
            }),
            Block::SimplePacket(packet) => frames.push(Frame {
                number: number(frames.len()),
                time: Duration::ZERO,
                link: link_of(state, 0),
                original_len: usize::try_from(packet.original_len).unwrap_or(usize::MAX),
                data: packet.data.to_vec(),
            }),
            _ => {}
        }
    }
    (frames, None)
}

fn link_of(state: &PcapNgState, interface: usize) -> Link {
    state
        .interfaces()
        .get(interface)
        .map_or(Link::Unknown, |found| Link::Captured(found.linktype))
}

/// One frame per line or paragraph. Offsets (`0010  …`, `0x0010: …`) and the text column of
/// `tcpdump -x`/`hexdump -C` are skipped; a line without an offset that holds more than 16 octets is
/// a frame of its own.
fn hex_text(bytes: &[u8]) -> (Vec<Frame>, Option<InputError>) {
    let mut frames: Vec<Frame> = Vec::new();
    let mut current: Vec<u8> = Vec::new();
    let mut finish = |current: &mut Vec<u8>| {
        if !current.is_empty() {
            frames.push(Frame {
                number: number(frames.len()),
                time: Duration::ZERO,
                link: Link::Unknown,
                original_len: current.len(),
                data: std::mem::take(current),
            });
        }
    };
    let text = String::from_utf8_lossy(bytes);
    let mut fault = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.is_empty() {
            finish(&mut current);
            continue;
        }
        match hex_line(line) {
            Ok((offset, octets)) => {
                if offset == Some(0) || (offset.is_none() && octets.len() > 16) {
                    finish(&mut current);
                }
                let alone = offset.is_none() && octets.len() > 16;
                current.extend(octets);
                if alone {
                    finish(&mut current);
                }
            }
            Err(why) => {
                fault = Some(InputError::Hex {
                    line: index.saturating_add(1),
                    why,
                });
                break;
            }
        }
    }
    finish(&mut current);
    (frames, fault)
}

/// The offset of a dump's line, if it has one, and its octets.
fn hex_line(line: &str) -> Result<(Option<usize>, Vec<u8>), String> {
    // hexdump -C and xxd put the characters behind `|` or two spaces.
    let line = line.split('|').next().unwrap_or("");
    let mut words = line.split_whitespace().peekable();
    let mut offset = None;
    if let Some(first) = words.peek().copied() {
        let bare = first.trim_end_matches(':');
        let bare = bare.strip_prefix("0x").unwrap_or(bare);
        let marked = first.ends_with(':');
        let column = matches!(bare.len(), 4 | 8)
            && line.split_whitespace().nth(1).is_some_and(|w| w.len() == 2);
        if marked || column {
            offset =
                Some(usize::from_str_radix(bare, 16).map_err(|_| format!("offset {first:?}"))?);
            words.next();
        }
    }
    let mut octets = Vec::new();
    let dumped = offset.is_some();
    for word in words {
        for part in word.split([':', ',']) {
            let part = part.strip_prefix("0x").unwrap_or(part);
            match hex::decode(part) {
                // 16 octets of a dump, then its text column.
                Ok(_) if dumped && octets.len() >= 16 => {}
                Ok(more) => octets.extend(more),
                Err(_) if dumped && !octets.is_empty() => return Ok((offset, octets)),
                Err(_) => return Err(format!("{part:?} is not hex")),
            }
        }
    }
    Ok((offset, octets))
}

fn number(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests;
