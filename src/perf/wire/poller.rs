//! Waiting for sockets, and for moments more precisely than in milliseconds. It knows sockets by
//! numbers and reads none.

use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, read, write};

const EVENTS_MAX: usize = 256;

const MILLISECOND_NS: u64 = 1_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// The number of the waker among those of sockets.
const WAKER: u64 = u64::MAX;

/// Linux wakes sleepers up to 50 microseconds late to save power, which would be measured as the
/// broker's. Where it cannot be told not to, the lateness that is reported shows it.
pub(in crate::perf) fn sleep_precisely() {
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

/// Wakes a poller from another thread.
#[derive(Clone, Debug)]
pub(in crate::perf) struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(in crate::perf) fn wake(&self) {
        // Where it cannot be written to, it is full of wakes already.
        let _ = write(&self.0, &1_u64.to_ne_bytes());
    }
}

/// What happened to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Readiness {
    pub(super) number: usize,
    pub(super) is_readable: bool,
    pub(super) is_writable: bool,
}

/// The sockets of one thread. What became ready is told once, until it was used up.
#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    waker: Waker,
}

impl Poller {
    pub(super) fn new() -> Result<Self, Errno> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let waker = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &waker, EventData::new_u64(WAKER), EventFlags::IN)?;
        Ok(Self { epoll, waker: Waker(Arc::new(waker)) })
    }

    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    pub(super) fn add(&self, socket: &impl AsFd, number: usize) -> Result<(), Errno> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, socket, EventData::new_u64(number as u64), flags)
    }

    pub(super) fn remove(&self, socket: &impl AsFd) -> Result<(), Errno> {
        epoll::delete(&self.epoll, socket)
    }

    /// Waits at most so long; true where it was woken by another thread.
    pub(super) fn wait(
        &self,
        timeout_ns: u64,
        mut tell: impl FnMut(Readiness),
    ) -> Result<bool, Errno> {
        let is_precise = !timeout_ns.is_multiple_of(MILLISECOND_NS);
        if is_precise {
            self.sleep(timeout_ns)?;
        }
        let timeout = timespec(if is_precise { 0 } else { timeout_ns });
        let mut events = [const { MaybeUninit::<Event>::uninit() }; EVENTS_MAX];
        let events: &[Event] = match epoll::wait(&self.epoll, &mut events[..], Some(&timeout)) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => &[],
            Err(error) => return Err(error),
        };
        let mut is_woken = false;
        for event in events {
            let (number, flags) = (event.data.u64(), event.flags);
            if number == WAKER {
                is_woken = true;
                let _ = read(&self.waker.0, &mut [0; 8]);
                continue;
            }
            let broken = flags.intersects(EventFlags::HUP | EventFlags::ERR | EventFlags::RDHUP);
            tell(Readiness {
                number: usize::try_from(number).unwrap_or(usize::MAX),
                is_readable: broken || flags.contains(EventFlags::IN),
                is_writable: broken || flags.contains(EventFlags::OUT),
            });
        }
        Ok(is_woken)
    }

    /// Until something is ready, or to the nanosecond: epoll itself waits in milliseconds.
    fn sleep(&self, timeout_ns: u64) -> Result<(), Errno> {
        let timeout = timespec(timeout_ns);
        let mut epoll = [PollFd::new(&self.epoll, PollFlags::IN)];
        match poll(&mut epoll, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn timespec(nanoseconds: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(nanoseconds / SECOND_NS).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(nanoseconds % SECOND_NS).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_socket_is_told_as_readable_once_and_by_its_number() {
        let poller = Poller::new().unwrap();
        let (mut near, far) = UnixStream::pair().unwrap();
        poller.add(&far, 7).unwrap();
        near.write_all(b"x").unwrap();
        let mut told = Vec::new();
        poller.wait(1_000_000_000, |readiness| told.push(readiness)).unwrap();
        assert_eq!(told, [Readiness { number: 7, is_readable: true, is_writable: true }]);
        poller.wait(0, |readiness| panic!("{readiness:?}")).unwrap();
    }

    #[test]
    fn another_thread_wakes_it_and_a_wait_ends_by_itself() {
        let poller = Poller::new().unwrap();
        assert_eq!(poller.wait(1000, |_| {}), Ok(false));
        poller.waker().wake();
        assert_eq!(poller.wait(60_000_000_000, |_| {}), Ok(true));
        assert_eq!(poller.wait(1000, |_| {}), Ok(false), "a wake is for one wait");
    }
}
