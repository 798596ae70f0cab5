//! What a program keeps of root's rights once everything is open: those that sockets, routes and devices need.

use caps::{CapSet, Capability, CapsHashSet, errors::CapsError};
use nix::sys::prctl;
use std::io;

/// What stays: addresses, routes and marks; raw sockets; ports below 1024.
pub const KEPT: [Capability; 3] = [
    Capability::CAP_NET_ADMIN,
    Capability::CAP_NET_RAW,
    Capability::CAP_NET_BIND_SERVICE,
];

/// Gives up every capability but [`KEPT`], for ever: in this thread, in those that it starts from now on, and in programs
/// that they run. Threads that run already are not touched, for capabilities are a thread's own: call it before.
///
/// Unless `dumpable`, nobody without `CAP_SYS_PTRACE` reads the memory with its keys either, and no core file does.
///
/// # Errors
/// The kernel refuses a step: what is left then is more than was wished for.
pub fn confine(dumpable: bool) -> io::Result<()> {
    let kept = CapsHashSet::from(KEPT);
    // Who may not touch the bounding set has nothing to gain from it: no program gives anything from now on.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).map_err(refused)? {
        let bounding = caps::read(None, CapSet::Bounding).map_err(refused)?;
        for capability in bounding.difference(&kept) {
            caps::drop(None, CapSet::Bounding, *capability).map_err(refused)?;
        }
    }
    let permitted = caps::read(None, CapSet::Permitted).map_err(refused)?;
    let rest: CapsHashSet = permitted.intersection(&kept).copied().collect();
    caps::clear(None, CapSet::Ambient).map_err(refused)?;
    caps::clear(None, CapSet::Inheritable).map_err(refused)?;
    // What is effective has to be permitted at all times.
    caps::set(None, CapSet::Effective, &rest).map_err(refused)?;
    caps::set(None, CapSet::Permitted, &rest).map_err(refused)?;
    prctl::set_no_new_privs()?;
    if !dumpable {
        prctl::set_dumpable(false)?;
    }
    Ok(())
}

fn refused(error: CapsError) -> io::Error {
    io::Error::other(format!("giving up capabilities: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, process::Command, thread};

    fn field(status: &str, name: &str) -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(line.unwrap().trim_start_matches(':').trim(), 16).unwrap()
    }

    fn own_status() -> String {
        fs::read_to_string("/proc/thread-self/status").unwrap()
    }

    /// As root the three that are kept, without rights none: what is read back is the kernel's word.
    #[test]
    fn a_confined_thread_and_what_it_starts_have_the_kept_capabilities_at_most() {
        let kept = KEPT.iter().fold(0, |all, c| all | c.bitmask());
        let before = own_status();
        let had = field(&before, "CapPrm");
        let rooted = field(&before, "CapEff") & Capability::CAP_SETPCAP.bitmask() != 0;
        // A thread of its own: the other tests keep what they have. The dump flag is the whole process's.
        let confined = thread::spawn(|| {
            confine(true).unwrap();
            let inherited = thread::spawn(own_status).join().unwrap();
            let child = Command::new("cat")
                .arg("/proc/self/status")
                .output()
                .unwrap();
            let child = String::from_utf8(child.stdout).unwrap();
            [own_status(), inherited, child]
        });
        for status in confined.join().unwrap() {
            for set in ["CapEff", "CapPrm"] {
                assert_eq!(field(&status, set) & !kept, 0, "{status}");
            }
            for set in ["CapInh", "CapAmb"] {
                assert_eq!(field(&status, set), 0, "{status}");
            }
            assert_eq!(field(&status, "CapEff"), had & kept, "{status}");
            assert_eq!(field(&status, "NoNewPrivs"), 1, "{status}");
            if rooted {
                assert_eq!(field(&status, "CapBnd") & !kept, 0, "{status}");
            }
        }
        assert_eq!(
            field(&own_status(), "CapPrm"),
            had,
            "nobody else is touched"
        );
    }
}
