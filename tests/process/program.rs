//! One started process: its output goes to files, every wait has an end, and it never outlives its value.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

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

    /// Starts a command before a person: questions come to a terminal, where they are answered.
    pub fn start_before(mut command: Command, stem: &Path) -> (Program, Person) {
        let (stdout, stderr) = (stem.with_extension("out"), stem.with_extension("err"));
        File::create(&stderr).unwrap();
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let name = ptsname(&keys, Vec::new()).unwrap();
        let screen = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        command.stdin(screen.try_clone().unwrap()).stderr(screen).stdout(File::create(&stdout).unwrap());
        let program = Program { child: command.spawn().unwrap(), stdout, stderr };
        (program, Person::at(File::from(keys)))
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

/// Who sits at a program's terminal.
pub struct Person {
    keys: File,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Person {
    fn at(keys: File) -> Person {
        let (mut screen, seen) = (keys.try_clone().unwrap(), Arc::default());
        let shown: Arc<Mutex<Vec<u8>>> = Arc::clone(&seen);
        // The terminal of a program that ended cannot be read any more.
        std::thread::spawn(move || {
            let mut more = [0; 1024];
            while let Ok(count @ 1..) = screen.read(&mut more) {
                shown.lock().unwrap().extend_from_slice(&more[..count]);
            }
        });
        Person { keys, seen }
    }

    /// Waits for these words; gives all that was said since the last answer.
    pub fn reads(&self, words: &str) -> String {
        let said = || String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned();
        until(words, Duration::from_secs(30), || Some(said()).filter(|text| text.contains(words)))
    }

    pub fn answers(&mut self, line: &str) {
        self.seen.lock().unwrap().clear();
        writeln!(self.keys, "{line}").unwrap();
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
