//! The benchmark's load, and its floor. One thread and one connection per unit of concurrency.
//!
//!   load http HOST:PORT CONCURRENCY SECONDS COUNT AUTHORIZATION (METHOD PATH FILE)...
//!       For each number from 0 on: these requests, one after the other. `{}` in a path becomes the
//!       number, a file's content the body. Ends after SECONDS or COUNT numbers.
//!   load sync DIR CONCURRENCY SECONDS COUNT FILE
//!       The floor: writes FILE under fresh names, each synced, and the directory after it.
//!   load sink HOST:PORT
//!       A server that reads a body and answers 201: what the load itself can do at most.
//!
//! Prints one line of JSON. Anything but a 2xx ends it with an error.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IoSlice, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

struct Step {
    method: String,
    path: String,
    body: Arc<Vec<u8>>,
}

struct Connection {
    stream: BufReader<TcpStream>,
    line: String,
    answer: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> Outcome<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Connection { stream: BufReader::new(stream), line: String::new(), answer: Vec::new() })
    }

    fn send(&mut self, head: &[u8], body: &[u8]) -> Outcome<()> {
        let stream = self.stream.get_mut();
        let sent = stream.write_vectored(&[IoSlice::new(head), IoSlice::new(body)])?;
        if let Some(rest) = head.get(sent..) {
            stream.write_all(rest)?;
        }
        stream.write_all(&body[sent.saturating_sub(head.len())..])?;
        Ok(())
    }

    /// The status of a message's first line, after reading all of the message.
    fn receive(&mut self) -> Outcome<String> {
        let first = self.line()?.to_owned();
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                None if line.is_empty() => break,
                Some(("content-length", value)) => length = value.trim().parse()?,
                Some(("transfer-encoding", _)) => chunked = true,
                _ => {}
            }
        }
        self.answer.clear();
        loop {
            if chunked {
                length = u64::from_str_radix(self.line()?.trim(), 16)?;
            }
            (&mut self.stream).take(length).read_to_end(&mut self.answer)?;
            if chunked {
                self.line()?;
            }
            if !chunked || length == 0 {
                return Ok(first);
            }
        }
    }

    fn line(&mut self) -> Outcome<&str> {
        self.line.clear();
        if self.stream.read_line(&mut self.line)? == 0 {
            return Err("the connection was closed".into());
        }
        Ok(self.line.trim_end())
    }
}

fn http(address: &str, auth: &str, steps: &[Step]) -> Outcome<impl FnMut(u64) -> Outcome<()>> {
    let mut connection = Connection::open(address)?;
    let auth = if auth.is_empty() { String::new() } else { format!("Authorization: {auth}\r\n") };
    let host = address.to_owned();
    Ok(move |number: u64| {
        for Step { method, path, body } in steps {
            let path = path.replace("{}", &number.to_string());
            let kind = if body.starts_with(b"RIFF") { "audio/wav" } else { "application/json" };
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{auth}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            connection.send(head.as_bytes(), body)?;
            let status = connection.receive()?;
            if !status.starts_with("HTTP/1.1 2") {
                let said = String::from_utf8_lossy(&connection.answer).into_owned();
                return Err(format!("{method} {path}: {status} {said}").into());
            }
        }
        Ok(())
    })
}

fn sync(dir: &str, body: &[u8]) -> Outcome<impl FnMut(u64) -> Outcome<()>> {
    let parent = File::open(dir)?;
    Ok(move |number: u64| {
        let mut file = File::create_new(Path::new(dir).join(number.to_string()))?;
        file.write_all(body)?;
        file.sync_all()?;
        parent.sync_all()?;
        Ok(())
    })
}

/// Runs one worker per thread on ever new numbers, and prints what came of it.
fn run<W>(threads: usize, seconds: f64, count: u64, worker: impl Fn() -> Outcome<W> + Sync) -> Outcome<()>
where
    W: FnMut(u64) -> Outcome<()>,
{
    let (next, ready) = (AtomicU64::new(0), Barrier::new(threads));
    let (worker, next, ready) = (&worker, &next, &ready);
    let results: Vec<Outcome<(Vec<u64>, Instant, Instant)>> = std::thread::scope(|scope| {
        let work = move || {
            let made = worker();
            ready.wait();
            let mut work = made?;
            let start = Instant::now();
            let mut took = Vec::new();
            while start.elapsed().as_secs_f64() < seconds {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    break;
                }
                let began = Instant::now();
                work(number)?;
                took.push(u64::try_from(began.elapsed().as_micros())?);
            }
            Ok((took, start, Instant::now()))
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().expect("a thread panicked")).collect()
    });
    let results = results.into_iter().collect::<Outcome<Vec<_>>>()?;
    let start = results.iter().map(|(_, start, _)| *start).min().ok_or("no threads")?;
    let end = results.iter().map(|(_, _, end)| *end).max().ok_or("no threads")?;
    let mut took: Vec<u64> = results.into_iter().flat_map(|(took, _, _)| took).collect();
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 100).or(took.last()).copied().unwrap_or(0);
    println!(
        "{{\"done\":{},\"seconds\":{:.6},\"p50_us\":{},\"p99_us\":{}}}",
        took.len(),
        (end - start).as_secs_f64(),
        at(50),
        at(99)
    );
    Ok(())
}

fn sink(address: &str) -> Outcome<()> {
    for stream in TcpListener::bind(address)?.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        let mut connection =
            Connection { stream: BufReader::new(stream), line: String::new(), answer: Vec::new() };
        std::thread::spawn(move || {
            while connection.receive().is_ok()
                && connection.send(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", b"").is_ok()
            {
            }
        });
    }
    Ok(())
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["http", address, threads, seconds, count, auth, steps @ ..] => {
            let steps = steps
                .chunks_exact(3)
                .map(|step| {
                    let body = Arc::new(std::fs::read(&step[2])?);
                    Ok(Step { method: step[0].into(), path: step[1].into(), body })
                })
                .collect::<Outcome<Vec<_>>>()?;
            run(threads.parse()?, seconds.parse()?, count.parse()?, || http(address, auth, &steps))
        }
        ["sync", dir, threads, seconds, count, file] => {
            let body = std::fs::read(file)?;
            run(threads.parse()?, seconds.parse()?, count.parse()?, || sync(dir, &body))
        }
        ["sink", address] => sink(address),
        _ => Err("see the head of load.rs".into()),
    }
}
