/// What this process takes of the machine. Empty where the system does not tell.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::http) struct Process {
    /// Memory that it has in RAM, in bytes.
    pub(in crate::http) resident_bytes: Option<u64>,
    /// Time on processors, in seconds.
    pub(in crate::http) cpu_seconds: Option<f64>,
    /// Open files and sockets.
    pub(in crate::http) open_files: Option<u64>,
    /// When it started, in seconds since 1970.
    pub(in crate::http) started_at: Option<f64>,
}

impl Process {
    #[cfg(target_os = "linux")]
    pub(in crate::http) fn now() -> Self {
        let Ok(process) = procfs::process::Process::myself() else { return Self::default() };
        let stat = process.stat().ok();
        let per_second = procfs::ticks_per_second() as f64;
        let booted_at = procfs::boot_time_secs().ok();
        let started_after = stat.as_ref().map(|stat| stat.starttime as f64 / per_second);
        Self {
            resident_bytes: stat.as_ref().map(|stat| stat.rss * procfs::page_size()),
            cpu_seconds: stat.as_ref().map(|stat| (stat.utime + stat.stime) as f64 / per_second),
            open_files: process.fd_count().ok().map(|count| count as u64),
            started_at: booted_at.zip(started_after).map(|(booted, after)| booted as f64 + after),
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(in crate::http) fn now() -> Self {
        Self::default()
    }
}
