//! A TUN device: inner packets leave the kernel here, and enter it.

use mio::{Interest, Registry, Token, event::Source, unix::SourceFd};
use std::{io, os::fd::AsRawFd};
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

/// A TUN device that lives as long as this value.
pub struct Tun {
    device: SyncDevice,
    index: u32,
}

impl Tun {
    /// Creates the device and sets it up.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_NET_ADMIN`; `NotFound` without `/dev/net/tun`.
    pub fn create(name: &str, mtu: u16) -> io::Result<Self> {
        let device = DeviceBuilder::new()
            .name(name)
            .mtu(mtu)
            .layer(Layer::L3)
            .build_sync()?;
        device.set_nonblocking(true)?;
        device.enabled(true)?;
        let index = device.if_index()?;
        Ok(Self { device, index })
    }

    /// Its interface index.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// Takes one IP packet.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.device.recv(buffer)
    }

    /// Gives one IP packet to the kernel.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        self.device.send(packet).map(drop)
    }
}

impl Tun {
    /// Says whether there is somebody at the other end: without, the kernel shows `NO-CARRIER` and routing daemons look
    /// for another way. Addresses and routes stay.
    ///
    /// # Errors
    /// The kernel refuses it.
    #[allow(unsafe_code)]
    pub fn set_carrier(&self, on: bool) -> io::Result<()> {
        // linux/if_tun.h: TUNSETCARRIER is _IOW('T', 226, int).
        const TUNSETCARRIER: libc::Ioctl = 0x4004_54e2;
        let value = libc::c_int::from(on);
        // SAFETY: the descriptor lives as long as `self`, and the kernel reads one int.
        match unsafe { libc::ioctl(self.device.as_raw_fd(), TUNSETCARRIER, &raw const value) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Source for Tun {
    fn register(&mut self, r: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        SourceFd(&self.device.as_raw_fd()).register(r, token, interest)
    }
    fn reregister(&mut self, r: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        SourceFd(&self.device.as_raw_fd()).reregister(r, token, interest)
    }
    fn deregister(&mut self, r: &Registry) -> io::Result<()> {
        SourceFd(&self.device.as_raw_fd()).deregister(r)
    }
}
