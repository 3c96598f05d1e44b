//! One started process: its output goes to files, every wait has an end, and it never outlives its value.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How often something that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// A running process.
pub struct Program {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// A process that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    /// Starts a command with its output in files of this stem.
    pub fn start(mut command: Command, stem: &Path) -> Program {
        let (stdout, stderr) = (stem.with_extension("out"), stem.with_extension("err"));
        command.stdin(Stdio::null());
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        Program { child: command.spawn().unwrap(), stdout, stderr }
    }

    /// Starts a command whose output is set up already.
    pub fn start_as_it_is(mut command: Command, stem: &Path) -> Program {
        let (stdout, stderr) = (stem.with_extension("out"), stem.with_extension("err"));
        File::create(&stdout).unwrap();
        File::create(&stderr).unwrap();
        command.stdin(Stdio::null());
        Program { child: command.spawn().unwrap(), stdout, stderr }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends a signal, if the process is still there.
    pub fn signal(&mut self, signal: Signal) {
        if self.child.try_wait().unwrap().is_none() {
            // Not waited for yet: the number is still this process's.
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.stdout).unwrap()).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.stderr).unwrap()).into_owned()
    }

    /// Waits for the end; a process that does not end in time is a failed test.
    pub fn wait(&mut self, most: Duration) -> Ended {
        self.try_wait(most).unwrap_or_else(|| {
            panic!("still running after {most:?}\n{}{}", self.stdout(), self.stderr());
        })
    }

    /// Waits for the end; none if it does not come in time.
    pub fn try_wait(&mut self, most: Duration) -> Option<Ended> {
        let until = Instant::now() + most;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(self.ended(status));
            }
            if Instant::now() >= until {
                return None;
            }
            sleep(LOOK_EVERY);
        }
    }

    fn ended(&self, status: ExitStatus) -> Ended {
        let (code, signal) = (status.code(), status.signal());
        Ended { code, signal, stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Ended already, or killed now; either way there is nothing to be done about an error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is there; a thing that does not come in time is a failed test.
pub fn until<T>(what: &str, most: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + most;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "no {what} after {most:?}");
        sleep(LOOK_EVERY);
    }
}
