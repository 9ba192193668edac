//! How much memory a program has asked for and not given back, counted by its allocator.
//!
//! What a process takes from the system says little about what is kept in it: freed memory is not
//! given back at once. A bench of memory makes [`Counting`] its global allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

/// What a thread counts by itself, so that threads do not wait for each other at each allocation.
const UNTOLD_BYTES: isize = 64 << 10;

static ALLOCATED: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    static UNTOLD: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, with a count.
pub struct Counting;

/// Bytes that are allocated now, but for 64 KiB of each thread.
#[must_use]
pub fn now() -> usize {
    ALLOCATED.load(Ordering::Relaxed).try_into().unwrap_or(0)
}

/// The most bytes that were allocated at a time since this was asked last.
#[must_use]
pub fn take_peak() -> usize {
    PEAK.swap(ALLOCATED.load(Ordering::Relaxed), Ordering::Relaxed).try_into().unwrap_or(0)
}

fn count(bytes: isize) {
    // A thread that is ending has nowhere to count.
    let _ = UNTOLD.try_with(|untold| {
        let sum = untold.get() + bytes;
        if sum.abs() < UNTOLD_BYTES {
            untold.set(sum);
            return;
        }
        untold.set(0);
        let allocated = ALLOCATED.fetch_add(sum, Ordering::Relaxed) + sum;
        PEAK.fetch_max(allocated, Ordering::Relaxed);
    });
}

fn signed(bytes: usize) -> isize {
    // No layout is larger than `isize::MAX`.
    bytes.cast_signed()
}

// SAFETY: all is done by the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: as asked by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-signed(layout.size()));
        // SAFETY: as asked by the caller.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: as asked by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(signed(new_size) - signed(layout.size()));
        // SAFETY: as asked by the caller.
        unsafe { System.realloc(at, layout, new_size) }
    }
}
