//! What this process takes, as Linux tells it.

use std::{fs, time::Duration};

/// The time that all threads of this process have run so far.
///
/// # Panics
/// Where there is no `/proc`.
#[must_use]
pub fn cpu_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("Linux");
    let run = |thread: fs::DirEntry| -> Option<u64> {
        // A thread may end meanwhile.
        let times = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        times.split(' ').next()?.parse().ok()
    };
    Duration::from_nanos(threads.filter_map(|thread| run(thread.ok()?)).sum())
}

/// The memory that it occupies, in bytes.
///
/// # Panics
/// Where there is no `/proc`.
#[must_use]
pub fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1_024
}
