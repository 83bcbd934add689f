//! Objects of librdkafka that are released when they are dropped.

use std::ptr::NonNull;

/// One of librdkafka's objects that is ours to release.
pub(super) struct Owned<T> {
    object: NonNull<T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// Takes an object and the function that lets objects of its kind go; `None` for null.
    ///
    /// # Safety
    /// The object must be valid and have no other owner that releases it, and its client must
    /// outlive it.
    pub(super) unsafe fn new(
        object: *mut T,
        destroy: unsafe extern "C" fn(*mut T),
    ) -> Option<Self> {
        NonNull::new(object).map(|object| Self { object, destroy })
    }

    pub(super) fn get(&self) -> *mut T {
        self.object.as_ptr()
    }

    /// Leaves the object to librdkafka.
    pub(super) fn forget(self) {
        std::mem::forget(self);
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: librdkafka gave us the object, this is its function, and this is the only call.
        unsafe { (self.destroy)(self.object.as_ptr()) }
    }
}
