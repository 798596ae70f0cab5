//! The Don't Fragment bit of what a socket sends. Linux has an option of the socket for it, none of a packet.

use std::{
    cell::Cell,
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

/// What a socket says of fragments.
#[derive(Debug)]
pub struct DontFragment {
    v6: bool,
    set: Cell<Option<bool>>,
}

impl DontFragment {
    /// Of a socket that nobody has told yet.
    #[must_use]
    pub const fn unknown(v6: bool) -> Self {
        Self {
            v6,
            set: Cell::new(None),
        }
    }

    /// Sets the bit on what leaves from now on, or lets the kernel and routers fragment. A packet with the bit may be as
    /// long as the link takes: what the path takes is the caller's business.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn set(&self, socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
        if self.set.get() == Some(on) {
            return Ok(());
        }
        self.change(socket, on)?;
        self.set.set(Some(on));
        Ok(())
    }

    #[allow(unsafe_code)]
    fn change(&self, socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
        let (level, name, value) = match (self.v6, on) {
            (false, true) => (
                libc::IPPROTO_IP,
                libc::IP_MTU_DISCOVER,
                libc::IP_PMTUDISC_PROBE,
            ),
            (false, false) => (
                libc::IPPROTO_IP,
                libc::IP_MTU_DISCOVER,
                libc::IP_PMTUDISC_DONT,
            ),
            (true, true) => (
                libc::IPPROTO_IPV6,
                libc::IPV6_MTU_DISCOVER,
                libc::IPV6_PMTUDISC_PROBE,
            ),
            (true, false) => (
                libc::IPPROTO_IPV6,
                libc::IPV6_MTU_DISCOVER,
                libc::IPV6_PMTUDISC_DONT,
            ),
        };
        let size = u32::try_from(size_of_val(&value)).map_err(io::Error::other)?;
        let fd = socket.as_raw_fd();
        // SAFETY: the descriptor is open, and the value is an integer of the stated size.
        let done = unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), size) };
        if done == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}
