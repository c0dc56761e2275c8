use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Where a queue has its time from, in milliseconds since 1970.
///
/// Leases are compared with it: processes that share a database need clocks that agree to within seconds.
#[derive(Clone, Default)]
pub struct Clock {
    fixed: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that says what `time` holds, and so moves only when that is moved.
    pub fn manual(time: Arc<AtomicI64>) -> Self {
        Self { fixed: Some(time) }
    }

    /// What the clock says.
    pub fn now(&self) -> i64 {
        match &self.fixed {
            Some(time) => time.load(Ordering::SeqCst),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |time| {
                    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
                }),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.fixed.is_some() {
            "Clock::manual"
        } else {
            "Clock::system"
        })
    }
}
