//! Sends HTTP requests at a constant rate and prints their response times.
//!
//! `load ADDRESS RATE SECONDS CONNECTIONS FILE`. FILE has the requests, which are sent in turn: for each a line with
//! its length in bytes and the expected status, then its bytes.
//!
//! Request number n is due n / RATE seconds after the start. A response time counts from that moment, so that a slow
//! response does not hide the wait of the requests behind it (coordinated omission). A request waits while all
//! connections are busy. One thread polls the connections, because sleeping costs more than a request takes. A
//! wrong status, a lost connection or a response without `Content-Length` ends the program with an error.
//!
//! Prints: requests, seconds, and the 50th, 99th and 99.9th percentile of the response times in microseconds.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The longest response that is read.
const RESPONSE_BYTES_MAX: usize = 1 << 16;
/// The thread sleeps only if no request is due for this time.
const SLEEP_FROM: Duration = Duration::from_millis(2);
/// Time without progress after which the thread lets other threads run.
const PATIENCE: Duration = Duration::from_micros(200);
/// Time without any response after which a connection counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(10);

struct Order {
    bytes: Vec<u8>,
    status: u16,
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    /// The moment at which the request was due, and the status that it expects.
    due: Instant,
    status: u16,
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, rate, seconds, connections, file] = &words[..] else {
        return Err("usage: load ADDRESS RATE SECONDS CONNECTIONS FILE".into());
    };
    let orders = read_orders(&std::fs::read(file)?)?;
    let rate: f64 = rate.parse()?;
    let count = (rate * seconds.parse::<f64>()?) as u64;
    let mut idle = VecDeque::new();
    for _ in 0..connections.parse::<usize>()? {
        idle.push_back(connect(address)?);
    }
    let (times, elapsed) = send(&orders, rate, count, idle)?;
    print(times, elapsed);
    Ok(())
}

fn read_orders(mut file: &[u8]) -> Result<Vec<Order>, Box<dyn Error>> {
    let mut orders = Vec::new();
    while !file.is_empty() {
        let end = file.iter().position(|byte| *byte == b'\n').ok_or("no line")?;
        let line = std::str::from_utf8(&file[..end])?;
        let (length, status) = line.split_once(' ').ok_or("no status")?;
        let (bytes, rest) = file[end + 1..].split_at(length.parse()?);
        orders.push(Order { bytes: bytes.to_vec(), status: status.parse()? });
        file = rest;
    }
    Ok(orders)
}

fn connect(address: &str) -> Result<Connection, Box<dyn Error>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let read = Vec::with_capacity(RESPONSE_BYTES_MAX);
    Ok(Connection { stream, read, due: Instant::now(), status: 0 })
}

fn send(
    orders: &[Order],
    rate: f64,
    count: u64,
    mut idle: VecDeque<Connection>,
) -> Result<(Vec<Duration>, Duration), Box<dyn Error>> {
    let mut times = Vec::with_capacity(count as usize);
    let mut busy: Vec<Connection> = Vec::new();
    let begun = Instant::now();
    let (mut sent, mut last_progress) = (0, begun);
    while (times.len() as u64) < count {
        let due = begun + Duration::from_secs_f64(sent as f64 / rate);
        if sent < count && Instant::now() >= due {
            if let Some(mut connection) = idle.pop_front() {
                let order = &orders[sent as usize % orders.len()];
                (connection.due, connection.status) = (due, order.status);
                connection.stream.write_all(&order.bytes)?;
                busy.push(connection);
                sent += 1;
                last_progress = Instant::now();
            }
        }
        let mut at = 0;
        while at < busy.len() {
            if busy[at].is_answered()? {
                last_progress = Instant::now();
                times.push(last_progress - busy[at].due);
                idle.push_back(busy.swap_remove(at));
            } else {
                at += 1;
            }
        }
        if busy.is_empty() && due.saturating_duration_since(Instant::now()) > SLEEP_FROM {
            std::thread::sleep(SLEEP_FROM / 2);
            last_progress = Instant::now();
        }
        if last_progress.elapsed() > SILENCE_MAX {
            return Err("the server no longer responds".into());
        } else if last_progress.elapsed() > PATIENCE {
            std::thread::yield_now();
        }
    }
    Ok((times, begun.elapsed()))
}

impl Connection {
    /// Reads what has arrived. Returns whether the response is complete.
    fn is_answered(&mut self) -> Result<bool, Box<dyn Error>> {
        let mut chunk = [0; 8192];
        match self.stream.read(&mut chunk) {
            Ok(0) => return Err("the server closed a connection".into()),
            Ok(length) => self.read.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        if self.read.len() > RESPONSE_BYTES_MAX {
            return Err("the response is too long".into());
        }
        let Some(head) = self.read.windows(4).position(|it| it == b"\r\n\r\n") else {
            return Ok(false);
        };
        let text = std::str::from_utf8(&self.read[..head])?;
        let status: u16 = text.get(9..12).ok_or("no status line")?.parse()?;
        if status != self.status {
            return Err(format!("status {status} instead of {}", self.status).into());
        }
        if self.read.len() < head + 4 + body_length(text, status)? {
            return Ok(false);
        }
        self.read.clear();
        Ok(true)
    }
}

fn body_length(head: &str, status: u16) -> Result<usize, Box<dyn Error>> {
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                return Ok(value.trim().parse()?);
            }
        }
    }
    if status == 204 { Ok(0) } else { Err("the response has no Content-Length".into()) }
}

fn print(mut times: Vec<Duration>, elapsed: Duration) {
    times.sort();
    let part = |share: f64| {
        let at = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len()) - 1;
        times[at].as_nanos() as f64 / 1e3
    };
    let (half, most, nearly_all) = (part(0.5), part(0.99), part(0.999));
    println!("{} {:.3} {half:.1} {most:.1} {nearly_all:.1}", times.len(), elapsed.as_secs_f64());
}
