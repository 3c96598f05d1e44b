//! A relay between the program and the sandbox: it counts what the program asks, and can fall silent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is done when the first request arrives, before it is answered.
type First = Mutex<Option<Box<dyn FnOnce() + Send>>>;

/// Relays every connection until it is dropped.
pub struct Between {
    pub addr: String,
    seen: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
    listener: Option<std::thread::JoinHandle<()>>,
}

impl Between {
    /// Relays to this address; after `answered` requests no request gets an answer any more. The first one waits
    /// until `first` is done.
    pub fn new(to: &str, answered: usize, first: impl FnOnce() + Send + 'static) -> Between {
        let first: Arc<First> = Arc::new(Mutex::new(Some(Box::new(first))));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let (seen, ended) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (kept, end, to) = (Arc::clone(&seen), Arc::clone(&ended), to.to_owned());
        let count = Arc::new(AtomicUsize::new(0));
        let listener = std::thread::spawn(move || {
            while !end.load(Ordering::SeqCst) {
                let Ok((client, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                };
                let (kept, count, to) = (Arc::clone(&kept), Arc::clone(&count), to.clone());
                let first = Arc::clone(&first);
                std::thread::spawn(move || relay(&client, &to, &kept, &first, count.as_ref(), answered));
            }
        });
        Between { addr, seen, ended, listener: Some(listener) }
    }

    /// The request lines so far.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// One connection. Requests are not pipelined, so that each begins what is read at once.
fn relay(
    client: &TcpStream,
    to: &str,
    seen: &Mutex<Vec<String>>,
    first: &First,
    count: &AtomicUsize,
    answered: usize,
) {
    client.set_nonblocking(false).unwrap();
    let Ok(server) = TcpStream::connect(to) else { return };
    let (mut back_from, mut back_to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut back_from, &mut back_to);
        let _ = back_to.shutdown(Shutdown::Both);
    });
    let (mut client, mut server, mut bytes) = (client, &server, vec![0; 1 << 16]);
    while let Ok(length @ 1..) = client.read(&mut bytes) {
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        if text.starts_with("GET ") || text.starts_with("POST ") {
            seen.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
            if let Some(act) = first.lock().unwrap().take() {
                act();
            }
            if count.fetch_add(1, Ordering::SeqCst) >= answered {
                break;
            }
        }
        if server.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
    let _ = client.shutdown(Shutdown::Both);
}
