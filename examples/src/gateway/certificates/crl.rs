//! Certificate revocation lists out of files. None is ever fetched: where from would be a peer's choice.

use super::super::config::UnknownStatus;
use rustls_pki_types::{CertificateRevocationListDer, UnixTime, pem::PemObject};
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};
use webpki::{
    CertRevocationList, ExpirationPolicy, OwnedCertRevocationList, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};
use x509_cert::{
    crl::CertificateList,
    der::{DateTime, Decode},
};

/// Files of CRLs, and what to think of certificates that none speaks of.
#[derive(Debug, Default)]
pub(super) struct Crls {
    files: Vec<File>,
    pub(super) unknown: UnknownStatus,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    changed: Option<SystemTime>,
    lists: Vec<CertRevocationList<'static>>,
}

impl Crls {
    pub(super) fn load(&mut self, path: &Path, now: UnixTime) -> Result<Vec<String>, String> {
        let (lists, odd) = read(path, now)?;
        self.files.push(File {
            path: path.to_owned(),
            changed: changed(path),
            lists,
        });
        Ok(odd)
    }

    /// Reads again what has changed. A file that is no CRL any more leaves the old ones in place.
    pub(super) fn refresh(&mut self) {
        for file in &mut self.files {
            let changed = changed(&file.path);
            if changed.is_some()
                && changed != file.changed
                && let Ok((lists, _)) = read(&file.path, UnixTime::now())
            {
                file.lists = lists;
                file.changed = changed;
            }
        }
    }

    pub(super) fn lists(&self) -> Vec<&CertRevocationList<'static>> {
        self.files.iter().flat_map(|file| &file.lists).collect()
    }

    /// How `webpki` uses `lists`; not at all, where there is no file.
    pub(super) fn options<'a>(
        &self,
        lists: &'a [&'a CertRevocationList<'a>],
    ) -> Option<RevocationOptions<'a>> {
        let (unknown, old) = match self.unknown {
            UnknownStatus::Refuse => (UnknownStatusPolicy::Deny, ExpirationPolicy::Enforce),
            UnknownStatus::Accept => (UnknownStatusPolicy::Allow, ExpirationPolicy::Ignore),
        };
        let options = RevocationOptionsBuilder::new(lists).ok()?;
        let options = options.with_status_policy(unknown);
        Some(options.with_expiration_policy(old).build())
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

/// The CRLs of a file, PEM or DER, and what is odd about them.
fn read(
    path: &Path,
    now: UnixTime,
) -> Result<(Vec<CertRevocationList<'static>>, Vec<String>), String> {
    let told = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let octets = fs::read(path).map_err(|e| told(&e))?;
    let all: Vec<Vec<u8>> = if octets.first() == Some(&0x30) {
        vec![octets]
    } else {
        CertificateRevocationListDer::pem_slice_iter(&octets)
            .map(|list| list.map(|der| der.to_vec()))
            .collect::<Result<_, _>>()
            .map_err(|e| told(&e))?
    };
    if all.is_empty() {
        return Err(told(&"no CRL"));
    }
    let (mut lists, mut odd) = (Vec::new(), Vec::new());
    for der in all {
        let list = OwnedCertRevocationList::from_der(&der)
            .map_err(|e| told(&format_args!("no CRL: {e:?}")))?;
        lists.push(list.into());
        let next = <CertificateList>::from_der(&der).ok();
        let next = next.and_then(|list| list.tbs_cert_list.next_update);
        let next = next.map(|time| time.to_unix_duration());
        if let Some(next) = next.filter(|next| next.as_secs() < now.as_secs()) {
            let date = DateTime::from_unix_duration(next)
                .map_or_else(|_| String::new(), |d| d.to_string());
            odd.push(told(&format_args!("the CRL ended at {date}")));
        }
    }
    Ok((lists, odd))
}
