//! An allocator that ends a target which asks for more at once than its input can be worth.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Bounded;

static MOST: AtomicUsize = AtomicUsize::new(16 * MIB);

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

/// Allows a target single allocations of so many bytes, where 16 MiB are too few.
pub fn allow(bytes: usize) {
    MOST.store(bytes, Ordering::Relaxed);
}

// SAFETY: everything is done by the system's allocator.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        bounded(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        bounded(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        bounded(size);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn bounded(bytes: usize) {
    if bytes > MOST.load(Ordering::Relaxed) {
        eprintln!("{bytes} bytes at once\n{}", std::backtrace::Backtrace::force_capture());
        std::process::abort();
    }
}

pub const MIB: usize = 1024 * 1024;
