//! The descriptor that tells a Python loop "there is something": an eventfd, written without the GIL.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// Readable from `raise` until `clear`.
#[derive(Debug)]
pub struct Signal {
    fd: OwnedFd,
    is_raised: AtomicBool,
}

impl Signal {
    pub fn new() -> Result<Signal> {
        // SAFETY: eventfd takes no pointers; a negative result is checked before the descriptor is owned.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            let error = std::io::Error::last_os_error();
            return Err(Error::System { what: "no descriptor for the engine's signal", error });
        }
        Ok(Signal {
            // SAFETY: the descriptor is new and nobody else owns it.
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
            is_raised: AtomicBool::new(false),
        })
    }

    pub fn fileno(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Makes the descriptor readable; one system call however often it is called before `clear`.
    pub fn raise(&self) {
        if !self.is_raised.swap(true, Ordering::SeqCst) {
            let one = 1u64.to_ne_bytes();
            // SAFETY: eight bytes from a live array. It can't fail: the counter never exceeds 1 by much.
            unsafe { libc::write(self.fileno(), one.as_ptr().cast(), one.len()) };
        }
    }

    /// Makes it unreadable. The flag falls after the read: a signal in between is dropped, but what it stands for is
    /// there already when the caller looks, which it does after this.
    pub fn clear(&self) {
        let mut count = [0u8; 8];
        // SAFETY: eight bytes into a live array; with nothing to read the non-blocking call just fails.
        unsafe { libc::read(self.fileno(), count.as_mut_ptr().cast(), count.len()) };
        self.is_raised.store(false, Ordering::SeqCst);
    }
}
