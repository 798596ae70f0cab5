//! Wireshark's own table files, in a folder that it takes as a profile (`WIRESHARK_CONFIG_DIR`).
//!
//! One line that Wireshark does not understand makes it ignore the whole table, so that algorithms it has no name for
//! are left out here.

use crate::process::files;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Write},
    net::IpAddr,
    path::{Path, PathBuf},
};

/// The tables that lines are added to.
const TABLES: [&str; 3] = ["ikev1_decryption_table", "ikev2_decryption_table", "esp_sa"];

/// The keys of one direction of an ESP SA, in Wireshark's words.
#[derive(Debug, Clone, Copy)]
pub struct EspKeys<'a> {
    /// Outer source.
    pub source: IpAddr,
    /// Outer destination.
    pub destination: IpAddr,
    /// The SPI on the wire.
    pub spi: u32,
    /// Wireshark's name of the cipher.
    pub encryption: &'a str,
    /// Its key (and salt).
    pub encryption_key: &'a [u8],
    /// Wireshark's name of the integrity algorithm.
    pub authentication: &'a str,
    /// Its key.
    pub authentication_key: &'a [u8],
}

/// The folder being written. Its files hold secrets and are readable by their owner only.
pub struct KeyFiles {
    folder: PathBuf,
    /// Open all the time: the rights that opened them may be gone later.
    tables: BTreeMap<&'static str, File>,
    written: BTreeSet<String>,
}

impl KeyFiles {
    /// Makes the folder and, in it, the preference that switches ESP decryption on.
    ///
    /// # Errors
    /// The folder or its files cannot be written.
    pub fn create(folder: &Path) -> io::Result<Self> {
        files::secret_folder(folder)?;
        let mut files = Self {
            folder: folder.into(),
            tables: BTreeMap::new(),
            written: BTreeSet::new(),
        };
        let mut preferences = files.open("preferences")?;
        preferences.write_all(b"esp.enable_encryption_decode: TRUE\n")?;
        for table in TABLES {
            files.tables.insert(table, files.open(table)?);
        }
        Ok(files)
    }

    /// Makes Wireshark take other UDP ports for IKE and for NAT traversal.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn decode_ports(&self, ike: u16, natt: u16) -> io::Result<()> {
        let mut file = self.open("decode_as_entries")?;
        writeln!(file, "decode_as_entry: udp.port,{ike},(none),ISAKMP")?;
        writeln!(file, "decode_as_entry: udp.port,{natt},(none),UDPENCAP")
    }

    /// The encryption key of an ISAKMP SA.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn ikev1(&mut self, initiator_cookie: [u8; 8], key: &[u8]) -> io::Result<()> {
        let line = format!("{},{}", hex::encode(initiator_cookie), hex::encode(key));
        self.append("ikev1_decryption_table", line)
    }

    /// The keys of an IKEv2 SA: SK_ei, SK_er, SK_ai, SK_ar, and Wireshark's names of the algorithms.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn ikev2(
        &mut self,
        spis: [[u8; 8]; 2],
        encryption_keys: [&[u8]; 2],
        encryption: &str,
        integrity_keys: [&[u8]; 2],
        integrity: &str,
    ) -> io::Result<()> {
        let [spi_i, spi_r] = spis.map(hex::encode);
        let [ei, er] = encryption_keys.map(hex::encode);
        let [ai, ar] = integrity_keys.map(hex::encode);
        let line = format!("{spi_i},{spi_r},{ei},{er},\"{encryption}\",{ai},{ar},\"{integrity}\"");
        self.append("ikev2_decryption_table", line)
    }

    /// The keys of one direction of an ESP SA.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn esp(&mut self, sa: &EspKeys<'_>) -> io::Result<()> {
        let family = if sa.source.is_ipv4() { "IPv4" } else { "IPv6" };
        let line = format!(
            "\"{family}\",\"{}\",\"{}\",\"{:#010x}\",\"{}\",\"{}\",\"{}\",\"{}\"",
            sa.source,
            sa.destination,
            sa.spi,
            sa.encryption,
            hex_key(sa.encryption_key),
            sa.authentication,
            hex_key(sa.authentication_key),
        );
        self.append("esp_sa", line)
    }

    /// Appends a line once.
    fn append(&mut self, table: &str, line: String) -> io::Result<()> {
        if self.written.contains(&line) {
            return Ok(());
        }
        let file = self.tables.get_mut(table);
        let file = file.ok_or_else(|| io::Error::other(format!("no table {table}")))?;
        // One write: a line that is cut spoils the table.
        file.write_all(format!("{line}\n").as_bytes())?;
        self.written.insert(line);
        Ok(())
    }

    fn open(&self, name: &str) -> io::Result<File> {
        let path = self.folder.join(name);
        files::secret_file(&path)
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
    }
}

fn hex_key(key: &[u8]) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!("0x{}", hex::encode(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_tables_have_wiresharks_form_and_no_line_twice() {
        let folder = std::env::temp_dir().join(format!("keyfiles-{}", std::process::id()));
        let mut files = KeyFiles::create(&folder).unwrap();
        files.ikev1([0xd2; 8], &[1, 2, 3]).unwrap();
        let sa = EspKeys {
            source: "192.0.2.2".parse().unwrap(),
            destination: "192.0.2.1".parse().unwrap(),
            spi: 0x863e0c5,
            encryption: "AES-CBC [RFC3602]",
            encryption_key: &[0x90; 16],
            authentication: "HMAC-SHA-1-96 [RFC2404]",
            authentication_key: &[],
        };
        files.esp(&sa).unwrap();
        files.esp(&sa).unwrap();
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(read("ikev1_decryption_table"), "d2d2d2d2d2d2d2d2,010203\n");
        let expected = "\"IPv4\",\"192.0.2.2\",\"192.0.2.1\",\"0x0863e0c5\",\"AES-CBC [RFC3602]\",\
                        \"0x90909090909090909090909090909090\",\"HMAC-SHA-1-96 [RFC2404]\",\"\"\n";
        assert_eq!(read("esp_sa"), expected);
        assert!(read("preferences").contains("esp.enable_encryption_decode: TRUE"));
        fs::remove_dir_all(folder).unwrap();
    }
}
