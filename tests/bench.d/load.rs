//! The benchmark's load, and files that are synced. One thread and one connection per unit of concurrency.
//!
//!   load http HOST:PORT CONCURRENCY SECONDS COUNT AUTHORIZATION (METHOD PATH FILE)...
//!       For each number from 0 on: these requests, one after the other. Ends after SECONDS or COUNT numbers.
//!       METHOD may bring a header along: `GET Range: bytes=0-9`. `{}` in a path becomes the number; `@LIST` is
//!       the line of that file whose turn it is. A file's content is the body; `-` is none.
//!   load sync DIR CONCURRENCY SECONDS COUNT FILE
//!       Writes FILE under fresh names, each synced, and the directory after it.
//!   load sink HOST:PORT
//!       A server that reads a body and answers 201: what the load itself can do at most.
//!
//! Prints one line of JSON: how many requests, how long each took, how long the last answer was. Anything but
//! a 2xx ends it with an error.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IoSlice, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How long each request took.
type Took = Vec<Duration>;

struct Step {
    method: String,
    header: String,
    paths: Vec<String>,
    body: Option<Vec<u8>>,
}

impl Step {
    fn read(method: &str, path: &str, file: &str) -> Outcome<Step> {
        let (method, header) = method.split_once(' ').unwrap_or((method, ""));
        let paths = match path.strip_prefix('@') {
            Some(list) => std::fs::read_to_string(list)?.lines().map(str::to_owned).collect(),
            None => vec![path.to_owned()],
        };
        let body = if file == "-" { None } else { Some(std::fs::read(file)?) };
        let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        Ok(Step { method: method.into(), header, paths, body })
    }

    fn path(&self, number: u64) -> Outcome<String> {
        let turn = number.checked_rem(self.paths.len() as u64).ok_or("a list of paths is empty")?;
        Ok(self.paths[usize::try_from(turn)?].replace("{}", &number.to_string()))
    }
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
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
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

fn http(
    address: &str,
    auth: &str,
    steps: &[Step],
    length: &AtomicU64,
) -> Outcome<impl FnMut(u64, &mut Took) -> Outcome<()>> {
    let mut connection = Connection::open(address)?;
    let auth = if auth.is_empty() { String::new() } else { format!("Authorization: {auth}\r\n") };
    let host = address.to_owned();
    Ok(move |number: u64, took: &mut Took| {
        for step in steps {
            let (method, path, header) = (&step.method, step.path(number)?, &step.header);
            let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{auth}{header}");
            if let Some(body) = &step.body {
                let kind = if body.starts_with(b"RIFF") { "audio/wav" } else { "application/json" };
                head += &format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
            }
            head += "\r\n";
            let began = Instant::now();
            connection.send(head.as_bytes(), step.body.as_deref().unwrap_or_default())?;
            let status = connection.receive()?;
            took.push(began.elapsed());
            if !status.starts_with("HTTP/1.1 2") {
                let said = String::from_utf8_lossy(&connection.answer).into_owned();
                return Err(format!("{method} {path}: {status} {said}").into());
            }
        }
        length.store(connection.answer.len() as u64, Ordering::Relaxed);
        Ok(())
    })
}

fn sync(dir: &str, body: &[u8]) -> Outcome<impl FnMut(u64, &mut Took) -> Outcome<()>> {
    let parent = File::open(dir)?;
    Ok(move |number: u64, took: &mut Took| {
        let began = Instant::now();
        let mut file = File::create_new(Path::new(dir).join(number.to_string()))?;
        file.write_all(body)?;
        file.sync_all()?;
        parent.sync_all()?;
        took.push(began.elapsed());
        Ok(())
    })
}

/// Runs one worker per thread on ever new numbers, and prints what came of it.
fn run<W>(
    threads: usize,
    seconds: f64,
    count: u64,
    length: &AtomicU64,
    worker: impl Fn() -> Outcome<W> + Sync,
) -> Outcome<()>
where
    W: FnMut(u64, &mut Took) -> Outcome<()>,
{
    let (next, ready) = (AtomicU64::new(0), Barrier::new(threads));
    let (worker, next, ready) = (&worker, &next, &ready);
    let results: Vec<Outcome<(Took, Instant, Instant)>> = std::thread::scope(|scope| {
        let work = move || {
            let made = worker();
            ready.wait();
            let mut work = made?;
            let start = Instant::now();
            let mut took = Took::new();
            while start.elapsed().as_secs_f64() < seconds {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    break;
                }
                work(number, &mut took)?;
            }
            Ok((took, start, Instant::now()))
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().expect("a thread panicked")).collect()
    });
    let results = results.into_iter().collect::<Outcome<Vec<_>>>()?;
    let start = results.iter().map(|(_, start, _)| *start).min().ok_or("no threads")?;
    let end = results.iter().map(|(_, _, end)| *end).max().ok_or("no threads")?;
    let mut took: Took = results.into_iter().flat_map(|(took, _, _)| took).collect();
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 100).or(took.last()).map_or(0, Duration::as_micros);
    println!(
        "{{\"done\":{},\"seconds\":{:.6},\"p50_us\":{},\"p99_us\":{},\"bytes\":{}}}",
        took.len(),
        (end - start).as_secs_f64(),
        at(50),
        at(99),
        length.load(Ordering::Relaxed)
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
    let length = AtomicU64::new(0);
    match words.as_slice() {
        ["http", address, threads, seconds, count, auth, steps @ ..] => {
            let steps = steps
                .chunks_exact(3)
                .map(|step| Step::read(step[0], step[1], step[2]))
                .collect::<Outcome<Vec<_>>>()?;
            let work = || http(address, auth, &steps, &length);
            run(threads.parse()?, seconds.parse()?, count.parse()?, &length, work)
        }
        ["sync", dir, threads, seconds, count, file] => {
            let body = std::fs::read(file)?;
            run(threads.parse()?, seconds.parse()?, count.parse()?, &length, || sync(dir, &body))
        }
        ["sink", address] => sink(address),
        _ => Err("see the head of load.rs".into()),
    }
}
