//! A pcap file of IKE and ESP, with the IP and UDP headers they had on the wire.

use etherparse::{IpNumber, PacketBuilder};
pub use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    net::{IpAddr, SocketAddr},
    path::Path,
    time::{Duration, SystemTime},
};

/// Hop limit written into made-up headers.
const TTL: u8 = 64;

/// A pcap file being written.
pub struct Capture<W: Write = BufWriter<File>> {
    writer: PcapWriter<W>,
}

impl Capture {
    /// Creates the file for raw IP packets (link type 101).
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        Self::new(BufWriter::new(File::create(path)?), DataLink::RAW)
    }
}

impl<W: Write> Capture<W> {
    /// Writes to `writer`.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(writer: W, datalink: DataLink) -> io::Result<Self> {
        let header = PcapHeader {
            datalink,
            ..PcapHeader::default()
        };
        let writer = PcapWriter::with_header(writer, header).map_err(io::Error::other)?;
        Ok(Self { writer })
    }

    /// A UDP datagram: IKE, or ESP in UDP.
    ///
    /// # Errors
    /// The writer's; a mix of address families.
    pub fn udp(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
    ) -> io::Result<()> {
        let builder = ip(source.ip(), destination.ip())?.udp(source.port(), destination.port());
        let mut packet = Vec::with_capacity(builder.size(payload.len()));
        builder
            .write(&mut packet, payload)
            .map_err(io::Error::other)?;
        self.packet(now(), &packet)
    }

    /// An ESP packet directly over IP.
    ///
    /// # Errors
    /// The writer's; a mix of address families.
    pub fn esp(&mut self, source: IpAddr, destination: IpAddr, payload: &[u8]) -> io::Result<()> {
        let builder = ip(source, destination)?;
        let protocol = IpNumber::ENCAPSULATING_SECURITY_PAYLOAD;
        let mut packet = Vec::with_capacity(builder.size(payload.len()));
        builder
            .write(&mut packet, protocol, payload)
            .map_err(io::Error::other)?;
        self.packet(now(), &packet)
    }

    /// A whole packet of the file's link type, `at` since 1970.
    ///
    /// # Errors
    /// The writer's; a packet beyond the snap length of 65,535.
    pub fn packet(&mut self, at: Duration, packet: &[u8]) -> io::Result<()> {
        let length = u32::try_from(packet.len()).map_err(io::Error::other)?;
        let packet = PcapPacket::new(at, length, packet).map_err(io::Error::other)?;
        self.writer
            .write_packet(&packet)
            .map_err(io::Error::other)?;
        Ok(())
    }

    /// Hands everything to the file, so that a reader sees it.
    ///
    /// # Errors
    /// The writer's.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush().map_err(io::Error::other)
    }

    /// Gives the writer back.
    pub fn into_inner(self) -> W {
        self.writer.into_inner()
    }
}

fn ip(
    source: IpAddr,
    destination: IpAddr,
) -> io::Result<etherparse::PacketBuilderStep<etherparse::IpHeaders>> {
    match (source, destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => Ok(PacketBuilder::ipv4(s.octets(), d.octets(), TTL)),
        (IpAddr::V6(s), IpAddr::V6(d)) => Ok(PacketBuilder::ipv6(s.octets(), d.octets(), TTL)),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "address families differ",
        )),
    }
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::SlicedPacket;
    use pcap_file::pcap::PcapReader;

    #[test]
    fn packets_read_back_with_their_addresses_and_protocols() {
        let mut capture = Capture::new(Vec::new(), DataLink::RAW).unwrap();
        let [a, b] = ["192.0.2.1:500", "192.0.2.2:4500"].map(|s| s.parse().unwrap());
        capture.udp(a, b, b"ike").unwrap();
        capture
            .esp(
                "2001:db8::1".parse().unwrap(),
                "2001:db8::2".parse().unwrap(),
                &[7; 40],
            )
            .unwrap();
        assert!(capture.esp(a.ip(), "::1".parse().unwrap(), &[]).is_err());

        let bytes = capture.into_inner();
        let mut reader = PcapReader::new(bytes.as_slice()).unwrap();
        assert_eq!(reader.header().datalink, DataLink::RAW);
        let first = reader.next_packet().unwrap().unwrap().into_owned();
        let first = SlicedPacket::from_ip(first.data()).unwrap();
        let etherparse::TransportSlice::Udp(udp) = first.transport.unwrap() else {
            panic!("UDP")
        };
        assert_eq!(
            (udp.source_port(), udp.destination_port(), udp.payload()),
            (500, 4500, &b"ike"[..])
        );
        let second = reader.next_packet().unwrap().unwrap().into_owned();
        let second = SlicedPacket::from_ip(second.data()).unwrap();
        let payload = second.net.unwrap().ip_payload_ref().unwrap().clone();
        assert_eq!(payload.ip_number, IpNumber::ENCAPSULATING_SECURITY_PAYLOAD);
        assert_eq!(payload.payload, [7; 40]);
        assert!(reader.next_packet().is_none());
    }
}
