//! CPU time of this process: on a machine that others use, too, it is what a turn costs, and their share is not in it.

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

/// `CLOCK_PROCESS_CPUTIME_ID` of `clock_gettime(2)`.
const PROCESS_CPU_TIME: i32 = 2;

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

/// Nanoseconds of all threads so far.
pub fn cpu_nanoseconds() -> u128 {
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: the call writes the two numbers, as 64-bit Linux lays them out.
    assert_eq!(unsafe { clock_gettime(PROCESS_CPU_TIME, &mut time) }, 0, "every process has this clock");
    time.seconds as u128 * 1_000_000_000 + time.nanoseconds as u128
}
